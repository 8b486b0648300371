"""Kind ``limits``: how much may change at once and in a day without a person, and who approves the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from agent.decide.kinds.header import COUNT, WORD_OR_LIST, Document, header_keys, read_header
from agent.decide.policy import LimitsPolicy
from agent.decide.reading import Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode

KIND = "limits"
DEFAULT_RECORDS = 200
MOST_PEOPLE = 9

MEANINGS: Mapping[str, str] = {
    "blanks": "values that are cleared",
    "owner_changes": "records that change hands",
    "creates": "new records",
    "stage_back": "stages moved back",
    "opt_out": "people who opt out",
    "removals": "records taken off because their counterpart was",
}
OTHERWISE = "otherwise"
OPT_IN = "opt_in"
APPROVED = (OTHERWISE, *MEANINGS, "merge", OPT_IN)

_PERCENT: Mapping[str, object] = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 100}, {"type": "string", "pattern": r"^[\d.]+ ?%?$"}]
}
_COUNTS = {name: {"description": help_text, **COUNT} for name, help_text in MEANINGS.items()}

_BATCH = Shape(
    "`batch`",
    (
        Key("records", "records one batch may change", COUNT),
        Key("percent", "the same as a share of all records, like `5`", _PERCENT),
        *(Key(name, help_text, COUNT) for name, help_text in MEANINGS.items()),
    ),
)
_DAY = Shape(
    "`day`",
    (
        Key("records", "records changed without a person; left out, a day has no such ceiling", COUNT),
        *(Key(name, help_text, COUNT) for name, help_text in MEANINGS.items()),
    ),
)
_RULE = Shape(
    "a line under `approve`",
    (
        Key("people", "how many must approve", {"type": "integer", "minimum": 1, "maximum": MOST_PEOPLE}, True),
        Key("from", "groups or e-mail addresses they come from", WORD_OR_LIST, True),
    ),
)

SHAPE = Shape(
    "a policy of kind limits",
    (
        *header_keys(needs_mode=False),
        Key("batch", "ceilings for one batch", _BATCH.schema()),
        Key("day", "ceilings for one day", _DAY.schema()),
        Key(
            "approve",
            "who approves what is held: `otherwise: {people: 1, from: [revops]}`",
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {name: _RULE.schema() for name in APPROVED},
            },
        ),
    ),
)


def read(document: Document, today: date) -> LimitsPolicy:
    """The policy; what is left out keeps its default."""
    batch = _counts(document, "batch", _BATCH)
    records = batch.pop("records", DEFAULT_RECORDS)
    return LimitsPolicy(
        header=read_header(document, None, today),
        batch_records=records,
        batch_percent=_percent(document),
        day=_counts(document, "day", _DAY),
        batch=batch,
        approve=_approve(document),
    )


def groups_named(document: Document) -> list[TextNode]:
    """Every group or address behind ``from``, for the check against the people policy."""
    node = document.find("approve")
    found: list[TextNode] = []
    for _, rule in node.pairs if isinstance(node, MapNode) else ():
        origin = rule.find("from") if isinstance(rule, MapNode) else None
        items = origin.items if isinstance(origin, ListNode) else (origin,)
        found += [item for item in items if isinstance(item, TextNode)]
    return found


def _counts(document: Document, key: str, shape: Shape) -> dict[str, int]:
    node, reader = document.find(key), document.reader
    block = reader.block(node, shape) if node is not None else {}
    counts = {name: reader.whole(value, name) for name, value in block.items() if name != "percent"}
    return {name: count for name, count in counts.items() if count is not None}


def _percent(document: Document) -> float | None:
    batch = document.find("batch")
    node = batch.find("percent") if isinstance(batch, MapNode) else None
    return document.reader.percent(node, "percent") if node is not None else None


def _approve(document: Document) -> dict[str, tuple[int, tuple[str, ...]]]:
    node, reader = document.find("approve"), document.reader
    found = {}
    for name, value in (
        reader.pairs(node, "approve", "otherwise: {people: 1, from: [revops]}") if node is not None else ()
    ):
        if name.text not in APPROVED:
            reader.error(name, f"unknown key `{name.text}` in `approve`", did_you_mean(name.text, APPROVED))
            continue
        rule = _rule(name, value, reader)
        if rule is not None:
            found[name.text] = rule
    return found


def _rule(name: Node, value: Node, reader: Reader) -> tuple[int, tuple[str, ...]] | None:
    block = reader.block(value, _RULE, named=name)
    if "people" not in block or "from" not in block:
        return None
    people = reader.whole(block["people"], "people")
    groups = tuple(word.text.strip() for word in reader.words(block["from"], "from"))
    if people is None:
        return None
    if not 1 <= people <= MOST_PEOPLE:
        reader.error(block["people"], f"`people` cannot be {people}", f"Ask for 1 to {MOST_PEOPLE}.")
        return None
    if people == 1 and isinstance(name, TextNode) and name.text == OPT_IN:
        reader.error(block["people"], "an opt-in is never approved by one person alone", "Write `people: 2`.")
        return None
    return people, groups
