"""What stands behind ``wins``: a side, ``newest`` with its ``else``, or a list of cases with an ``otherwise``.

Conditions speak of names that are only known once all lines were read, so a list is read twice: first for its
words, then for its conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.decide.conditions_names import Names
from agent.decide.conditions_read import parse_condition
from agent.decide.kinds.header import CONDITION, SYSTEMS
from agent.decide.policy import Case, Winner
from agent.decide.reading import Block, Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode

NEWEST = "newest"
WINS: Mapping[str, Winner] = {
    "salesforce": Winner("salesforce"),
    "hubspot": Winner("hubspot"),
    "salesforce unless blank": Winner("salesforce", unless_blank=True),
    "hubspot unless blank": Winner("hubspot", unless_blank=True),
    NEWEST: Winner(NEWEST),
    "first value": Winner("first value"),
    "ask": Winner("ask"),
    "opt-out": Winner("opt-out"),
}
"""What may stand behind ``wins``."""

FALLBACKS = ("salesforce", "hubspot", "salesforce unless blank", "hubspot unless blank", "ask")
"""What may stand behind ``else``: where nobody can tell which side is newer."""

IN_CASES = tuple(word for word in WINS if word != "opt-out")
_OLDEST = {"oldest": "Use `first value`."}
_EXAMPLE = "Write `- {when: [country is DE], wins: hubspot}` and, last, `- otherwise: salesforce`."

_ELSE = Key("else", "for `newest`: who wins where nobody can tell which side is newer", {"enum": list(FALLBACKS)})
CASE = Shape(
    "a case of `wins`",
    (
        Key("when", "conditions under which this case holds", CONDITION),
        Key("wins", "who wins then", {"enum": list(IN_CASES)}),
        Key("otherwise", "who wins where no case holds; the last line", {"enum": list(IN_CASES)}),
        _ELSE,
    ),
)
KEYS = (
    Key(
        "wins",
        "which side is right when both differ",
        {"anyOf": [{"enum": list(WINS)}, {"type": "array", "minItems": 2, "items": CASE.schema()}]},
    ),
    _ELSE,
)


@dataclass(frozen=True, slots=True)
class Said:
    """Who wins where no case holds; None where the line is wrong or only read. ``undecided`` belongs to newest."""

    winner: Winner | None = None
    undecided: Winner | None = None


def read_wins(name: TextNode, block: Block, reader: Reader) -> Said:
    """The words of one line, all mistakes noted but those in conditions."""
    node = block.get("wins")
    sides = [system for system in SYSTEMS if system in block]
    if node is None:
        if len(sides) == len(SYSTEMS):
            reader.error(name, f"`{name.text}` does not say who wins", f"Add `wins: …`. Allowed: {', '.join(WINS)}.")
        return Said()
    if len(sides) == 1:
        other = next(system for system in SYSTEMS if system != sides[0])
        reader.error(
            node, f"`{name.text}` is only in {sides[0]}, so nobody can win", f"Add `{other}: …` or remove `wins`."
        )
        return Said()
    if isinstance(node, ListNode):
        if "else" in block:
            reader.error(block["else"], "`else` belongs to the case that says `newest`", "Move it there.")
        return _otherwise(node, reader)
    if isinstance(node, MapNode):
        reader.error(node, "`wins` must be one word or a list of cases", _EXAMPLE)
        return Said()
    return _said(node, block, tuple(WINS), reader)


def read_cases(node: Node | None, names: Names, reader: Reader) -> tuple[Case, ...]:
    """The cases of a list with their conditions; words that are wrong were noted before."""
    found = []
    for item in node.items if isinstance(node, ListNode) else ():
        if not isinstance(item, MapNode):
            continue
        when, wins = item.find("when"), item.find("wins")
        condition = parse_condition(when, names, reader) if when is not None else None
        winner = _winner(wins)
        if condition is not None and winner is not None:
            found.append(Case(condition, winner, _winner(item.find("else")), reader.place(item)))
    return tuple(found)


def _otherwise(node: ListNode, reader: Reader) -> Said:
    """Check every case; what is said for all the rest is the answer."""
    said: Said | None = None
    for item in node.items:
        if said is not None:
            reader.error(item, "nothing can follow `otherwise`", "Make `otherwise` the last line.")
        block = reader.block(item, CASE)
        if not isinstance(item, MapNode) or not block:
            continue
        if "otherwise" in block:
            said = _said(block["otherwise"], block, IN_CASES, reader)
            if "when" in block or "wins" in block:
                reader.error(item, "`otherwise` stands alone on its line", _EXAMPLE)
        elif "when" not in block or "wins" not in block:
            reader.error(item, "a case needs `when` and `wins`", _EXAMPLE)
        else:
            _said(block["wins"], block, IN_CASES, reader)
    if said is None:
        reader.error(node, "it is not said who wins where no case holds", "Add `- otherwise: …` as the last line.")
    return said or Said()


def _said(node: Node, block: Block, allowed: tuple[str, ...], reader: Reader) -> Said:
    text = reader.text(node, "wins")
    if text is None:
        return Said()
    folded = _folded(text)
    if folded not in allowed:
        advice = _OLDEST.get(folded) or did_you_mean(text, allowed)
        reader.error(node, f"`wins` cannot be `{text}`", advice)
        return Said()
    given = block.get("else")
    if folded != NEWEST and given is not None:
        reader.error(given, f"`else` belongs to `newest`, not to `{folded}`", "Remove it.")
    if folded == NEWEST and given is None:
        reader.error(
            node,
            "`newest` does not say what holds where nobody can tell which side is newer",
            f"Add `else: ask`. Allowed: {', '.join(FALLBACKS)}.",
        )
    undecided = reader.text(given, "else") if folded == NEWEST and given is not None else None
    if undecided is not None and given is not None and _folded(undecided) not in FALLBACKS:
        reader.error(given, f"`else` cannot be `{undecided}`", did_you_mean(undecided, FALLBACKS))
        undecided = None
    return Said(WINS[folded], WINS[_folded(undecided)] if undecided is not None else None)


def _winner(node: Node | None) -> Winner | None:
    return WINS.get(_folded(node.text)) if isinstance(node, TextNode) else None


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
