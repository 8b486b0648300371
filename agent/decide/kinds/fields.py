"""Kind ``fields``: what both CRMs hold about one thing, and who is right when they differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from agent.decide.conditions_names import Names
from agent.decide.conditions_read import parse_condition
from agent.decide.durations import WORDS, find_span
from agent.decide.kinds.field_lines import Policywide, line_shape, read_line
from agent.decide.kinds.header import (
    BOTH,
    CONDITION,
    ENTITY_PATTERN,
    ONLY_WHEN,
    TEXT,
    WORD_OR_LIST,
    Document,
    header_keys,
    read_header,
)
from agent.decide.kinds.wins import read_cases
from agent.decide.match import TOGETHER
from agent.decide.meaning import Context, digest, plain
from agent.decide.policy import CreateRule, EntityType, FieldRule, FieldsPolicy
from agent.decide.reading import Block, Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode
from agent.systems import Systems

KIND = "fields"
STORED_ID = "stored id"
FIRST_TIMES = ("fill blanks", "ask", "winner")
WHEN_REMOVED = ("ask", "remove too")
LOSING_EDITS = ("revert", "report", "keep 14 days")

_LOSING_EDIT: Mapping[str, object] = {
    "anyOf": [{"enum": list(LOSING_EDITS[:2])}, {"type": "string", "pattern": r"^keep \d+ [a-z ]+$"}]
}
_CREATE = Shape(
    "`create` for one system",
    (
        Key("from", "object types of the other system that may be copied; all when left out", WORD_OR_LIST),
        Key("as", "the object type of the new record", TEXT),
        Key("when", "conditions that must hold", CONDITION),
    ),
)


def shape(systems: Systems) -> Shape:
    """A policy of this kind in an installation with these systems."""
    creates = {system: _CREATE.schema() for system in systems}
    return Shape(
        "a policy of kind fields",
        (
            *header_keys(needs_mode=True),
            ONLY_WHEN,
            Key("defines", "the name of the thing described here, like `person`", {"type": "string"}),
            Key("about", "the thing another policy defines, when this one adds lines to it", {"type": "string"}),
            Key(
                "records",
                f"the object types that are this thing: `{records_example(systems).removeprefix('records: ')}`",
                _by_system(dict.fromkeys(systems, WORD_OR_LIST)),
            ),
            Key("match", "how a record finds its counterpart, in this order: `[stored id, email]`", WORD_OR_LIST),
            Key("create", "when a missing record is created", _by_system(creates)),
            Key(
                "when_removed",
                "what happens to the counterpart of a record that somebody removed; only for what joins two things",
                {"enum": list(WHEN_REMOVED)},
            ),
            Key(
                "first_time",
                "what happens where both sides differ at the very start",
                {"enum": list(FIRST_TIMES)},
                True,
            ),
            Key("losing_edit", "what happens to an edit on the side that does not win", _LOSING_EDIT),
            Key(
                "fields",
                f"one line per thing: `{line_example(systems)}`",
                {"type": "object", "minProperties": 1, "additionalProperties": line_shape(systems).schema()},
                True,
            ),
        ),
    )


def records_example(systems: Systems) -> str:
    """How ``records`` is written here."""
    sides = ", ".join(f"{key}: {systems[key].sample_types}" for key in (*systems,)[:BOTH])
    return f"records: {{{sides}}}"


def line_example(systems: Systems) -> str:
    """How a line under ``fields`` is written here."""
    sides = ", ".join(f"{key}: {systems[key].sample_email}" for key in (*systems,)[:BOTH])
    return f"email: {{{sides}, wins: {next(iter(systems), '…')}}}"


def sides_of(records: Mapping[str, object], systems: Systems) -> Systems:
    """The two systems a thing lives in; all there are while that is not known."""
    return systems.only(records) if len(records) == BOTH else systems


def _by_system(properties: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def defined_name(document: Document) -> str | None:
    """The entity type a policy defines or, silently, None."""
    node = document.block.get("defines")
    text = node.text.strip() if isinstance(node, TextNode) else ""
    return text if re.fullmatch(ENTITY_PATTERN, text) else None


def read_records(document: Document) -> dict[str, tuple[str, ...]]:
    """{system: object types, first beats later}; mistakes are noted."""
    node = document.block.get("records")
    if node is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    systems, example = document.systems, records_example(document.systems)
    for system, types in document.reader.pairs(node, "records", example):
        if system.text not in systems:
            document.reader.error(
                system, f"unknown system `{system.text}` in `records`", did_you_mean(system.text, list(systems))
            )
        elif words := document.reader.words(types, f"records: {system.text}"):
            found[system.text] = tuple(dict.fromkeys(word.text.strip() for word in words))
    _require_two(document, node, found)
    return found


def _require_two(document: Document, node: Node, found: Mapping[str, object]) -> None:
    """A thing is kept alike in exactly two systems; a misspelt one was noted already."""
    if isinstance(node, MapNode) and any(key.text not in document.systems for key, _ in node.pairs):
        return
    named = [system for system in document.systems if _has_key(node, system)]
    if len(named) > BOTH:
        document.reader.error(
            document.key("records"),
            f"`records` names {len(named)} systems, but a thing is kept alike in two",
            f"Name two of {', '.join(named)}.",
        )
    missing = [system for system in document.systems if system not in named]
    if len(document.systems) == BOTH or not found:
        for system in missing:
            _report_missing(document, system)
    elif len(named) < BOTH:
        _report_missing(document, " or ".join(missing))


def _report_missing(document: Document, system: str) -> None:
    document.reader.error(
        document.key("records"),
        f"`records` names no object type of {system}",
        f"For example `{records_example(document.systems)}`.",
    )


def line_names(document: Document) -> list[str]:
    """Every left-hand name, also of lines with a mistake: conditions may speak of them."""
    node = document.block.get("fields")
    return [key.text for key, _ in node.pairs] if isinstance(node, MapNode) else []


def read_rules(document: Document, about: str, records: Mapping[str, tuple[str, ...]]) -> tuple[FieldRule, ...]:
    """The lines under ``fields``, with mistakes noted."""
    reader = document.reader
    node = document.block.get("fields")
    if node is None:
        return ()
    systems = sides_of(records, document.systems)
    wide = Policywide(document.name, about, records, systems, _first_time(document), _losing_edit(document))
    lines = [
        read_line(name, value, wide, reader) for name, value in reader.pairs(node, "fields", line_example(systems))
    ]
    return tuple(rule for rule in lines if rule is not None)


def read(
    document: Document,
    about: str,
    rules: tuple[FieldRule, ...],
    records: Mapping[str, tuple[str, ...]],
    names: Names,
    context: Context,
    today: date,
) -> tuple[FieldsPolicy, EntityType | None]:
    """The policy, and the entity type if this is the one that defines it."""
    header = read_header(document, names, today)
    rules = tuple(_with_cases(document, rule, names) for rule in rules)
    if "losing_edit" not in document.block and any(
        winner.side in (*rule.where, "first value") for rule in rules for winner in rule.winners
    ):
        document.reader.error(
            document.key("first_time"),
            "`losing_edit` is missing in a policy of kind fields",
            "Say what happens to an edit on the side that does not win. Allowed: revert, report, keep 14 days.",
        )
    policy = FieldsPolicy(header, about, rules)
    if "defines" not in document.block:
        _refuse_definitions(document)
        return policy, None
    _require_definitions(document)
    match = _match(document, rules)
    entity = EntityType(
        name=about,
        records=records,
        match=match,
        creates=_creates(document, about, records, names, context),
        policy=document.name,
        place=document.place,
        follows_removals=_follows_removals(document, rules, records, match),
    )
    return policy, entity


def _follows_removals(
    document: Document, rules: tuple[FieldRule, ...], records: Mapping[str, object], match: tuple[str, ...]
) -> bool:
    """Only of a thing that is nothing but who belongs to whom, and that an undo may make again on either side."""
    node = document.block.get("when_removed")
    if node is None or document.reader.choice(node, "when_removed", WHEN_REMOVED) != WHEN_REMOVED[1]:
        return False
    links = {rule.name for rule in rules if rule.links_to is not None}
    parts = {part for kind in match for part in kind.split(TOGETHER)}
    creates = document.block.get("create")
    if not parts or not parts <= links:
        document.reader.error(
            node,
            "only what joins two things is removed with its counterpart",
            "A person, company or deal that is deleted is always a question: remove the line.",
        )
    elif creates is None or not all(_has_key(creates, system) for system in records):
        document.reader.error(
            node,
            "what may be removed must also be created on both sides, or an undo could not bring it back",
            "Add the missing side under `create`.",
        )
    return True


def _with_cases(document: Document, rule: FieldRule, names: Names) -> FieldRule:
    """The line with its cases, whose conditions may speak of any line."""
    fields = document.find("fields")
    line = fields.find(rule.name) if isinstance(fields, MapNode) else None
    node = line.find("wins") if isinstance(line, MapNode) else None
    return (
        replace(rule, cases=read_cases(node, names, _systems_of(rule, document), document.reader))
        if isinstance(node, ListNode)
        else rule
    )


def _systems_of(rule: FieldRule, document: Document) -> Systems:
    return sides_of(rule.where, document.systems)


def _first_time(document: Document) -> str:
    node = document.block.get("first_time")
    found = document.reader.choice(node, "first_time", FIRST_TIMES) if node is not None else None
    return found or "ask"


def _losing_edit(document: Document) -> str:
    node = document.block.get("losing_edit")
    if node is None:
        return "report"
    if isinstance(node, TextNode) and (kept := re.match(r"keep\b(.*)", node.text.strip())):
        span = find_span(kept[1])
        if span is not None:
            return f"keep {span}"
        document.reader.error(node, f"`{node.text}` does not say for how long", f"Write it in words: keep {WORDS}.")
        return "report"
    return document.reader.choice(node, "losing_edit", LOSING_EDITS) or "report"


def _refuse_definitions(document: Document) -> None:
    for key in ("records", "match", "create"):
        if key in document.block:
            document.reader.error(
                document.key(key),
                f"`{key}` belongs to the policy that `defines` the thing",
                "Move it there; this policy only adds lines.",
            )


def _require_definitions(document: Document) -> None:
    for key in ("records", "match"):
        if key not in document.block:
            document.reader.error(
                document.key("defines"),
                f"`{key}` is missing: a policy that `defines` something needs it",
                next(f"`{known.name}`: {known.help}" for known in shape(document.systems).keys if known.name == key),
            )


def _match(document: Document, rules: tuple[FieldRule, ...]) -> tuple[str, ...]:
    both = [rule.name for rule in rules if len(rule.where) == BOTH]
    found = []
    for word in document.words("match"):
        text = " ".join(word.text.split())
        if text == STORED_ID or all(part in both for part in text.split(" + ")):
            found.append(text)
        elif any(rule.name == text for rule in rules):
            document.reader.error(word, f"`{text}` is in one system only, so it matches nothing", "Use another field.")
        else:
            document.reader.error(word, f"`match` cannot use `{text}`", did_you_mean(text, [STORED_ID, *both]))
    return tuple(found)


def _creates(
    document: Document,
    about: str,
    records: Mapping[str, tuple[str, ...]],
    names: Names,
    context: Context,
) -> dict[str, CreateRule]:
    node = document.block.get("create")
    if node is None:
        return {}
    reader = document.reader
    found = {}
    systems = sides_of(records, document.systems)
    for system, value in reader.pairs(node, "create", f"create: {{{systems.other('')}: {{when: [email is filled]}}}}"):
        if system.text not in systems:
            advice = did_you_mean(system.text, list(systems))
            reader.error(system, f"unknown system `{system.text}` in `create`", advice)
            continue
        block = reader.block(value, _CREATE, named=system)
        from_types = _from_types(block, records.get(systems.other(system.text), ()), reader)
        as_type = _as_type(system, block, records.get(system.text, ()), reader)
        when = parse_condition(block["when"], names, reader) if "when" in block else None
        rule = digest(about, system.text, as_type, from_types, plain(block.get("when")), context.of(when))
        found[system.text] = CreateRule(system.text, as_type, from_types, when, reader.place(system), rule)
    return found


def _from_types(block: Block, types: tuple[str, ...], reader: Reader) -> tuple[str, ...]:
    if "from" not in block:
        return types
    found = []
    for word in reader.words(block["from"], "from"):
        if word.text in types:
            found.append(word.text)
        else:
            reader.error(
                word, f"`{word.text}` is not one of the records on the other side", did_you_mean(word.text, types)
            )
    return tuple(found)


def _as_type(system: Node, block: Block, types: tuple[str, ...], reader: Reader) -> str:
    if "as" in block:
        return reader.choice(block["as"], "as", types) or ""
    if len(types) > 1:
        reader.error(system, "it is not said what the new record becomes", f"Add `as: …`. Allowed: {', '.join(types)}.")
    return types[0] if types else ""


def _has_key(node: Node, key: str) -> bool:
    return isinstance(node, MapNode) and node.key(key) is not None
