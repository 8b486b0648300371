"""Kind ``lifecycle``:

the stages of the funnel, which words each system has for them, and which moves are allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from agent.decide.conditions_names import Names
from agent.decide.conditions_read import parse_condition
from agent.decide.kinds.fields import sides_of
from agent.decide.kinds.header import (
    ABOUT,
    CONDITION,
    ONLY_WHEN,
    TEXT,
    WORD_OR_LIST,
    Document,
    header_keys,
    read_header,
)
from agent.decide.meaning import Context, digest, plain
from agent.decide.policy import LifecyclePolicy, Move, Stage
from agent.decide.reading import Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node, TextNode
from agent.systems import StageField, Systems

KIND = "lifecycle"
REASONS = ("required", "optional")
NOBODY = "nobody"

_PLACE: Mapping[str, object] = {"anyOf": [TEXT, {"type": "object", "additionalProperties": TEXT, "minProperties": 1}]}

_MOVE = Shape(
    "a move",
    (
        Key("to", "the stage it leads to", TEXT, True),
        Key("from", "the stages it may start from; any earlier one when left out", WORD_OR_LIST),
        Key("because", "conditions that make the move by themselves", CONDITION),
        Key("needs", "fields that must be filled before", WORD_OR_LIST),
    ),
)
_BACK = Shape(
    "`back`",
    (
        Key("approve", f"the group or person who approves a move back, or `{NOBODY}`", TEXT, True),
        Key("reason", "required or optional", {"enum": list(REASONS)}),
    ),
)


def shape(systems: Systems) -> Shape:
    """A policy of this kind in an installation with these systems."""
    stage = {"type": "object", "additionalProperties": WORD_OR_LIST, "minProperties": 1}
    return Shape(
        "a policy of kind lifecycle",
        (
            *header_keys(needs_mode=True),
            ONLY_WHEN,
            ABOUT,
            Key(
                "stages",
                f"the stages in funnel order: `{_stage_example(systems)}`",
                {"type": "object", "minProperties": 1, "additionalProperties": stage},
                True,
            ),
            Key("moves", "the moves that are allowed", {"type": "array", "items": _MOVE.schema(), "minItems": 1}, True),
            Key("back", "who approves a move back; without it none is made", _BACK.schema()),
            Key(
                "fields",
                "where the keys of `stages` stand: `contact_stage: {Contact: Customer_Stage__c}`",
                {"type": "object", "additionalProperties": _PLACE, "minProperties": 1},
            ),
            Key("wins", "the side whose stage leads when both moved; the furthest when left out", {"enum": [*systems]}),
        ),
    )


def stage_names(document: Document) -> tuple[str, ...]:
    """The funnel, read without a word about mistakes: other policies speak of it."""
    node = document.block.get("stages")
    return tuple(key.text.strip() for key, _ in node.pairs) if isinstance(node, MapNode) else ()


def read(
    document: Document,
    about: str,
    records: Mapping[str, tuple[str, ...]],
    names: Names,
    context: Context,
    today: date,
) -> LifecyclePolicy:
    """The policy; wrong lines are noted and left out."""
    stages = _stages(document)
    used = list(dict.fromkeys(key for stage in stages for key in stage.values))
    wins = document.find("wins")
    systems = sides_of(records, document.systems)
    approve, reason = _back(document)
    return LifecyclePolicy(
        header=read_header(document, names, today),
        about=about,
        stages=tuple(stages),
        moves=tuple(_moves(document, names, context)),
        where=_where(document, about, records, used, is_complete=names.is_complete),
        wins=document.reader.choice(wins, "wins", tuple(systems)) if wins is not None else None,
        back_approve=approve,
        back_reason=reason,
    )


def _stages(document: Document) -> list[Stage]:
    node, reader = document.find("stages"), document.reader
    if node is None:
        return []
    found: list[Stage] = []
    taken: dict[tuple[str, str], str] = {}
    for name, block in reader.pairs(node, "stages", _stage_example(document.systems)):
        values: dict[str, tuple[str, ...]] = {}
        for key, words in reader.pairs(block, name.text, f"{_stage_key(document.systems)}: …"):
            read_words = reader.words(words, f"{name.text}: {key.text}")
            values[key.text] = tuple(word.text.strip() for word in read_words)
            for word in read_words:
                _refuse_twice(taken, key.text, word, name.text, reader)
        found.append(Stage(name.text.strip(), {key: words for key, words in values.items() if words}))
    return found


def _refuse_twice(taken: dict[tuple[str, str], str], key: str, word: TextNode, stage: str, reader: Reader) -> None:
    """A value that two stages list would have no meaning."""
    first = taken.setdefault((key, word.text.strip().casefold()), stage)
    if first != stage:
        reader.error(word, f"`{word.text}` is a value of two stages, {first} and {stage}", "Keep it at one of the two.")


def _moves(document: Document, names: Names, context: Context) -> list[Move]:
    node, reader = document.find("moves"), document.reader
    found = []
    for item in reader.items(node, "moves") if node is not None else ():
        block = reader.block(item, _MOVE)
        to = _stage(block["to"], names, reader) if "to" in block else None
        because = parse_condition(block["because"], names, reader) if "because" in block else None
        needs = _needs(block["needs"], names, reader) if "needs" in block else ()
        words = reader.words(block["from"], "from") if "from" in block else []
        origins = tuple(stage for word in words if (stage := _stage(word, names, reader)) is not None)
        if to is None:
            continue
        rule = digest(names.entity_type, to, origins, needs, plain(block.get("because")), context.of(because))
        found.append(Move(to, because, needs, reader.place(item), rule, origins))
    return found


def _stage(node: Node, names: Names, reader: Reader) -> str | None:
    text = reader.text(node, "a stage")
    if text is None:
        return None
    for stage in names.stages:
        if stage.casefold() == text.casefold():
            return stage
    reader.error(node, f"`{text}` is not one of the stages", did_you_mean(text, names.stages))
    return None


def _needs(node: Node, names: Names, reader: Reader) -> tuple[str, ...]:
    found = []
    for word in reader.words(node, "needs"):
        text = word.text.strip()
        if text in names.fields or not names.is_complete:
            found.append(text)
        else:
            reader.error(
                word,
                f"`{text}` is not a name under `fields` of {names.entity_type}",
                did_you_mean(text, names.fields, label="Defined"),
            )
    return tuple(found)


def _back(document: Document) -> tuple[str | None, str | None]:
    node, reader = document.find("back"), document.reader
    if node is None:
        return None, None
    block = reader.block(node, _BACK, named=document.key("back"))
    approve = reader.text(block["approve"], "approve") if "approve" in block else None
    reason = reader.choice(block["reason"], "reason", REASONS) if "reason" in block else None
    return (None, None) if approve == NOBODY else (approve, reason)


def _where(
    document: Document,
    about: str,
    records: Mapping[str, tuple[str, ...]],
    used: list[str],
    *,
    is_complete: bool,
) -> dict[str, dict[str, dict[str, str]]]:
    """{key of ``stages``: {system: {object type: vendor field}}}."""
    node, reader = document.find("fields"), document.reader
    found: dict[str, dict[str, dict[str, str]]] = {}
    example = "contact_stage: {Contact: Customer_Stage__c}"
    for key, value in reader.pairs(node, "fields", example) if node is not None else ():
        place = _place(key, value, about, records, document)
        if place:
            found[key.text] = place
        if key.text not in used:
            reader.warn(key, f"no stage has a value for `{key.text}`", "Add one under `stages`, or remove the line.")
    for name in used:
        if name not in found and (derived := _derived(name, records, document.systems)) is not None:
            found[name] = derived
    missing = [name for name in used if name not in found and not _is_listed(node, name)]
    if missing and (records or is_complete):
        for name in missing:
            _report_unplaced(document, name, records)
    return found


def _derived_keys(systems: Systems) -> dict[str, tuple[str, StageField]]:
    """Keys that need no line under ``fields``: {key: (system, its field)}."""
    return {key: (system, place) for system in systems for key, place in systems[system].stage_fields.items()}


def _derived(name: str, records: Mapping[str, tuple[str, ...]], systems: Systems) -> dict[str, dict[str, str]] | None:
    known = _derived_keys(systems).get(name)
    if known is None:
        return None
    system, place = known
    types = _types_of(system, place.object_type, records)
    return {system: dict.fromkeys(types, place.field)} if types else None


def _types_of(system: str, only: str | None, records: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [type_ for type_ in records.get(system, ()) if only is None or type_ == only]


def _stage_key(systems: Systems) -> str:
    return next(iter(_derived_keys(systems)), next(iter(systems), "…"))


def _stage_example(systems: Systems) -> str:
    keys = list(_derived_keys(systems)) or [_stage_key(systems)]
    return f"MQL: {{{', '.join(f'{key}: …' for key in keys)}}}"


def _report_unplaced(document: Document, name: str, records: Mapping[str, tuple[str, ...]]) -> None:
    node = document.find("stages")
    pairs = node.pairs if isinstance(node, MapNode) else ()
    keys = [key for _, block in pairs if isinstance(block, MapNode) and (key := block.key(name)) is not None]
    types = ", ".join(type_ for system in document.systems for type_ in records.get(system, ()))
    document.reader.error(
        keys[0] if keys else document.key("stages"),
        f"it is not said which field `{name}` is",
        f"{did_you_mean(name, _derived_keys(document.systems), label='Known by themselves')} "
        f"Any other needs a line: `fields: {{{name}: {{OBJECT: field}}}}` with one of {types}.",
    )


def _place(
    key: TextNode, value: Node, about: str, records: Mapping[str, tuple[str, ...]], document: Document
) -> dict[str, dict[str, str]]:
    """{system: {object type: vendor field}} of one line under ``fields``."""
    reader, systems = document.reader, document.systems
    if not isinstance(value, MapNode):
        field = reader.text(value, key.text)
        known = _derived_keys(systems).get(key.text)
        system = known[0] if known is not None else key.text
        if field is None:
            return {}
        if system not in systems:
            reader.error(
                value, f"it is not said whose field `{field}` is", f"Write `{key.text}: {{Contact: {field}}}`."
            )
            return {}
        types = _types_of(system, known[1].object_type if known is not None else None, records)
        return {system: dict.fromkeys(types, field)} if types else {}
    found: dict[str, dict[str, str]] = {}
    for type_key, field_node in value.pairs:
        field = reader.text(field_node, key.text)
        owners = [system for system in records if type_key.text in records[system]]
        if not owners and records:
            every = [type_ for types in records.values() for type_ in types]
            reader.error(
                type_key, f"`{type_key.text}` is not one of the records of {about}", did_you_mean(type_key.text, every)
            )
        elif field is not None and owners:
            found.setdefault(owners[0], {})[type_key.text] = field
    return found


def _is_listed(node: Node | None, key: str) -> bool:
    return isinstance(node, MapNode) and node.key(key) is not None
