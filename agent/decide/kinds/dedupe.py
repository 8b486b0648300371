"""Kind ``dedupe``: which records of one system are probably the same person or company."""

from __future__ import annotations

import re
from datetime import date

from agent.decide.conditions_names import Names
from agent.decide.kinds.header import ABOUT, WORD_OR_LIST, Document, header_keys, read_header
from agent.decide.policy import Agreement, DedupeLine, DedupePolicy, domain_of
from agent.decide.reading import Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode

KIND = "dedupe"
HOWS = ("very similar", "similar", "same", "differs")
IGNORED = ("free mail", "shared mailboxes", "switchboards")
CERTAINTIES = ("certain", "likely")
OUTCOMES = ("review",)

_AT_LEAST = re.compile(r"at least (?P<count>\d+) of", re.IGNORECASE)
_EXAMPLE_LINE = "Write `- [email same]` or `- at least 2 of: [first_name same, last_name same, phone same]`."

_PARTS: dict[str, object] = {"type": "array", "minItems": 1, "items": {"type": "string"}}
_LINES: dict[str, object] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "anyOf": [
            {"type": "string"},
            _PARTS,
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "patternProperties": {r"^at least \d+ of$": _PARTS},
                "additionalProperties": False,
            },
        ]
    },
}
_OUTCOME: dict[str, object] = {"enum": list(OUTCOMES)}

SHAPE = Shape(
    "a policy of kind dedupe",
    (
        *header_keys(needs_mode=True),
        ABOUT,
        Key("certain", "lines of which any one makes two records the same", _LINES),
        Key("likely", "lines of which any one makes two records probably the same", _LINES),
        Key("never", "what makes it impossible, like `[country differs]`", _PARTS),
        Key("ignore", "values that say nothing: free mail, shared mailboxes, switchboards", WORD_OR_LIST),
        Key(
            "outcome",
            "what happens to a finding: `review`",
            {
                "anyOf": [
                    _OUTCOME,
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": dict.fromkeys(CERTAINTIES, _OUTCOME),
                    },
                ]
            },
        ),
        Key("keep", "which record and values would survive a merge; read, but without effect yet", {"type": "object"}),
    ),
)


def read(document: Document, about: str, names: Names, today: date) -> DedupePolicy:
    """The policy; wrong lines are noted and left out."""
    reader = document.reader
    lines: list[DedupeLine] = []
    for certainty in CERTAINTIES:
        node = document.find(certainty)
        for item in reader.items(node, certainty) if node is not None else ():
            line = _line(item, certainty, names, reader)
            if line is not None:
                lines.append(line)
    if not any(certainty in document.block for certainty in CERTAINTIES):
        reader.error(document.key("kind"), "this policy finds nothing", "Add lines under `certain` or `likely`.")
    never = document.find("never")
    _read_outcome(document)
    if "keep" in document.block:
        reader.warn(document.key("keep"), "`keep` has no effect yet", "It will count once records can be merged.")
    return DedupePolicy(
        header=read_header(document, names, today),
        about=about,
        lines=tuple(lines),
        never=tuple(_parts(never, names, reader)) if never is not None else (),
        ignore=_ignored(document),
    )


def _line(node: Node, certainty: str, names: Names, reader: Reader) -> DedupeLine | None:
    place = reader.place(node)
    if not isinstance(node, MapNode):
        parts = _parts(node, names, reader)
        return DedupeLine(tuple(parts), None, certainty, place) if parts else None
    key, value = node.pairs[0] if node.pairs else (None, node)
    match = _AT_LEAST.fullmatch(" ".join(key.text.split())) if key is not None else None
    if match is None or len(node.pairs) != 1:
        reader.error(key or node, "this is not a line of a duplicate rule", _EXAMPLE_LINE)
        return None
    parts, count = _parts(value, names, reader), int(match["count"])
    given = len(value.items) if isinstance(value, ListNode) else 1
    if not 1 <= count <= given:
        reader.error(key or node, f"{count} of {given} cannot agree", f"Ask for 1 to {given}.")
        return None
    return DedupeLine(tuple(parts), count, certainty, place) if parts else None


def _parts(node: Node, names: Names, reader: Reader) -> list[Agreement]:
    words = reader.words(node, "a duplicate rule")
    return [part for word in words if (part := _agreement(word, names, reader)) is not None]


def _agreement(word: TextNode, names: Names, reader: Reader) -> Agreement | None:
    """``name very similar``."""
    name, _, how = " ".join(word.text.split()).partition(" ")
    if how not in HOWS:
        said = f"`{how}` is not a way to compare" if how else f"it is not said how `{name}` is compared"
        reader.error(word, said, did_you_mean(how, HOWS))
        return None
    domains = [domain_of(line) for line, known in names.fields.items() if known.clean.name == "email"]
    if name not in (*names.fields, *domains) and names.is_complete:
        reader.error(
            word,
            f"`{name}` is not a name under `fields` of {names.entity_type}",
            did_you_mean(name, [*names.fields, *domains], label="Defined"),
        )
        return None
    return Agreement(name, how)


def _ignored(document: Document) -> tuple[str, ...]:
    found = []
    for word in document.words("ignore"):
        text = " ".join(word.text.split()).casefold()
        if text in IGNORED:
            found.append(text)
        else:
            document.reader.error(word, f"`ignore` cannot be `{word.text}`", did_you_mean(text, IGNORED))
    return tuple(found)


def _read_outcome(document: Document) -> None:
    node = document.find("outcome")
    if node is None:
        return
    chosen: list[Node] = [node]
    if isinstance(node, MapNode):
        chosen = [value for _, value in node.pairs]
        for key, _ in node.pairs:
            if key.text not in CERTAINTIES:
                advice = did_you_mean(key.text, CERTAINTIES)
                document.reader.error(key, f"unknown key `{key.text}` in `outcome`", advice)
    for value in chosen:
        if isinstance(value, TextNode) and value.text == "merge":
            advice = "Use `review`: a person looks at each finding."
            document.reader.error(value, "`merge` is not available in this version", advice)
        else:
            document.reader.choice(value, "outcome", OUTCOMES)
