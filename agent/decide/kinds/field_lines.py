"""One line under ``fields``:

one thing that lives in one or both systems, who wins it, and how it is cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.decide.kinds.cleaning import TYPE_OF, read_cleaner
from agent.decide.kinds.header import BOTH, ENTITY_PATTERN, TEXT, WORD_OR_LIST
from agent.decide.kinds.wins import Said, keys, read_wins
from agent.decide.meaning import aim_of, plain, rule_hash
from agent.decide.policy import FieldRule, Winner
from agent.decide.reading import Block, Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node, TextNode
from agent.systems import Systems

_PLACE_SCHEMA: Mapping[str, object] = {
    "anyOf": [TEXT, {"type": "object", "additionalProperties": TEXT, "minProperties": 1}]
}
_PLACE_HELP = "the field's internal name in {}, or one per object type"
_BOOLEAN: Mapping[str, object] = {"type": "boolean"}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


_WHOLE_POLICY = "It holds for the whole policy: write it beside `fields`, or make a policy of its own with this line."
_OF_THE_POLICY: Mapping[str, str] = {
    **dict.fromkeys(("mode", "first_time", "losing_edit", "match", "create", "when_removed"), _WHOLE_POLICY),
    **dict.fromkeys(
        ("only_when", "unless"), f"{_WHOLE_POLICY} For one line say `wins: [{{when: [...], wins: ...}}, ...]`."
    ),
    "when": "Say `wins: [{when: [...], wins: ...}, {otherwise: ...}]`.",
}
"""Keys that people try on one line, and where they belong."""


def line_shape(systems: Systems) -> Shape:
    """A line about a thing that lives in these systems."""
    words = {system: {"type": ["string", "number", "boolean"]} for system in systems}
    meaning = {"type": "object", "additionalProperties": False, "properties": words}
    return Shape(
        "a line under `fields`",
        (
            *(Key(system, _PLACE_HELP.format(systems[system].name), _PLACE_SCHEMA) for system in systems),
            *keys(systems),
            Key("clean", "how values are compared and written, like `email`, `phone US` or `money USD`", TEXT),
            Key(
                "values",
                f"one meaning, two words: `{_value_example(systems)}`",
                {"type": "object", "minProperties": 1, "additionalProperties": meaning},
            ),
            Key("made_of", "instead of `wins`: the lines whose values make this one field, in order", WORD_OR_LIST),
            Key("between", "what stands between the values of `made_of`; a space when left out", {"type": "string"}),
            Key("may_clear", "true: clearing the winning side clears the other", _BOOLEAN),
            Key("protected", "true: a filled value is replaced only after a person said yes", _BOOLEAN),
            Key("owner", "true: this is the record's owner, mapped person by person", _BOOLEAN),
            Key("links_to", "this is another record: what kind of thing it is, such as `company`", TEXT),
            Key("otherwise", "the e-mail of who gets a record whose owner has no counterpart, or `skip`", TEXT),
        ),
        elsewhere=_OF_THE_POLICY,
    )


def _value_example(systems: Systems) -> str:
    here, there = (*systems, "…", "…")[:BOTH]
    return f"gold: {{{here}: Gold, {there}: tier_1}}"


@dataclass(frozen=True, slots=True)
class Policywide:
    """What one ``fields`` policy says for all its lines. ``records``: object types per system; ``systems`` are the
    two it lives in, all of the installation where that is not known."""

    policy: str
    about: str
    records: Mapping[str, tuple[str, ...]]
    systems: Systems
    first_time: str
    losing_edit: str


def read_line(name: TextNode, node: Node, wide: Policywide, reader: Reader) -> FieldRule | None:
    """The rule of one line; None only when the line cannot even be named or placed."""
    if not re.fullmatch(ENTITY_PATTERN, name.text):
        better = re.sub(r"[^a-z0-9]+", "_", name.text.casefold()).strip("_")
        reader.error(
            name,
            f"`{name.text}` cannot be the name of a field line",
            f"Use small letters, digits and underscores: `{better or 'job_title'}`.",
        )
        return None
    systems = wide.systems
    if isinstance(node, TextNode):
        each = ", ".join(f"{system}: …" for system in systems)
        reader.error(
            node,
            f"`{name.text}` needs braces",
            f"Write `{name.text}: {{{each}, wins: …}}`.",
        )
        return None
    block = reader.block(node, line_shape(systems), named=name)
    where = {
        system: fields
        for system in systems
        if system in block and (fields := _where(system, block[system], name.text, wide, reader))
    }
    if not any(system in block for system in systems):
        if isinstance(node, MapNode):
            each = " or ".join(f"`{system}: …`" for system in systems)
            reader.error(name, f"`{name.text}` names no field", f"Add {each}, or both.")
        return None
    made_of = _made_of(name, block, systems, reader)
    said = read_wins(name, block, systems, reader) if "made_of" not in block else _made(block, systems)
    clean = read_cleaner(block.get("clean"), reader)
    rule = FieldRule(
        name=name.text,
        where=where,
        wins=said.winner.side if said.winner is not None else None,
        unless_blank=said.winner is not None and said.winner.unless_blank,
        clean=clean,
        place=reader.place(name),
        rule="",
        policy=wide.policy,
        first_time=wide.first_time,
        losing_edit=wide.losing_edit,
        values=_values(block, systems, reader),
        may_clear=_switch(block, "may_clear", reader) if "may_clear" in block else said.may_clear,
        protected=_switch(block, "protected", reader),
        is_owner=_switch(block, "owner", reader),
        owner_otherwise=_otherwise(block, reader),
        undecided=said.undecided,
        type=TYPE_OF.get(clean.name, "text"),
        made_of=made_of,
        between=_between(block, reader),
        links_to=_links_to(block, reader),
    )
    wins = plain(block.get("wins"))
    return replace(rule, rule=rule_hash(wide.about, rule, wins), aim=aim_of(wide.about, rule, wins))


def _made_of(name: TextNode, block: Block, systems: Systems, reader: Reader) -> tuple[str, ...]:
    """The parts of a line that is made of others; everything that does not fit such a line is noted."""
    node = block.get("made_of")
    if node is None:
        return ()
    sides = [system for system in systems if system in block]
    if len(sides) > 1:
        reader.error(
            name,
            f"`{name.text}` is made of other lines, so it stands in one system only",
            "No value is ever taken apart again: remove one of the two fields.",
        )
    for key in ("wins", "else", "values", "owner", "otherwise"):
        if key in block:
            reader.error(block[key], f"`{key}` has no place in a line that is `made_of` others", "Remove it.")
    return tuple(dict.fromkeys(word.text.strip() for word in reader.words(node, "made_of")))


def _made(block: Block, systems: Systems) -> Said:
    """What the parts make wins over what stands in the one field there is."""
    side = next((system for system in systems if system in block), None)
    return Said(Winner(systems.other(side))) if side is not None else Said()


def _between(block: Block, reader: Reader) -> str:
    node = block.get("between")
    if node is None:
        return " "
    if "made_of" not in block:
        reader.error(node, "`between` belongs to a line that is `made_of` others", "Remove it.")
    if not isinstance(node, TextNode):
        reader.error(node, "`between` must be one text", 'For example `", "`.')
        return " "
    return node.text


def _where(system: str, node: Node, name: str, wide: Policywide, reader: Reader) -> dict[str, str]:
    """{object type: vendor field}; one name stands for every object type of that system."""
    types = wide.records.get(system, ())
    if not types:
        if wide.records:
            reader.error(node, f"`records` names no object type of {system}", f"Add `{system}: …` to `records`.")
        return {}
    if not isinstance(node, MapNode):
        field = reader.text(node, f"{name}: {system}")
        return dict.fromkeys(types, field) if field is not None else {}
    found = {}
    for key, value in node.pairs:
        field = reader.text(value, f"{name}: {system}")
        if key.text not in types:
            reader.error(key, f"`{key.text}` is not one of the records of {wide.about}", did_you_mean(key.text, types))
        elif field is not None:
            found[key.text] = field
    return found


def _values(block: Block, systems: Systems, reader: Reader) -> dict[str, dict[str, str]]:
    """{meaning: {system: the vendor's word}}."""
    node = block.get("values")
    if node is None:
        return {}
    found: dict[str, dict[str, str]] = {}
    example = _value_example(systems)
    for meaning, words in reader.pairs(node, "values", example):
        by_system: dict[str, str] = {}
        for system, word in reader.pairs(words, f"values: {meaning.text}", example):
            if system.text not in systems:
                reader.error(
                    system, f"unknown key `{system.text}` in `values`", did_you_mean(system.text, list(systems))
                )
            elif (text := reader.text(word, f"{meaning.text}: {system.text}")) is not None:
                by_system[system.text] = text
        if by_system:
            found[meaning.text.strip()] = by_system
    return found


def _links_to(block: Block, reader: Reader) -> str | None:
    node = block.get("links_to")
    if node is None:
        return None
    for other in ("clean", "values", "owner"):
        if other in block:
            advice = "A record is compared as a whole."
            reader.error(block[other], f"`{other}` and `links_to` exclude each other", advice)
    return reader.text(node, "links_to")


def _switch(block: Block, key: str, reader: Reader) -> bool:
    node = block.get(key)
    return bool(reader.yes_no(node, key)) if node is not None else False


def _otherwise(block: Block, reader: Reader) -> str | None:
    node = block.get("otherwise")
    text = reader.text(node, "otherwise") if node is not None else None
    if node is None or text is None or text == "skip":
        return None
    if "owner" not in block:
        reader.error(node, "`otherwise` belongs to a line with `owner: true`", "Remove it, or add `owner: true`.")
    elif not _ADDRESS.fullmatch(text):
        reader.error(
            node, f"`otherwise` cannot be `{text}`", "Write a person's e-mail address, or `skip` to leave the owner."
        )
    return text
