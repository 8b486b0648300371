"""What a policy means, as a hash: it changes exactly when a decision could change.

Comments, blank lines, quotes, the order of lines where order says nothing, and the header lines about people
and dates do not count. What a policy takes from another one does: the fields behind the names in its
conditions, the record types behind ``about``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.decide.conditions import Condition, Leaf, Not
from agent.decide.policy import FieldRule
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode

_LENGTH = 16
_SHORT = 6
_IN_ORDER = frozenset({"stages", "values"})
"""Blocks whose lines stand in a meaningful order: the funnel, and the first word of a value map."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a policy borrows. ``definitions``: left-hand name → hash of its definition, per entity type."""

    definitions: Mapping[str, str]

    def of(self, condition: Condition | None) -> list[list[str]]:
        names = {leaf.field for leaf in leaves(condition)}
        return sorted([name, self.definitions.get(name, "")] for name in names)


def digest(*parts: object) -> str:
    """A short stable hash of plain data (text, numbers, lists, mappings, None)."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def plain(node: Node | None, *, leave_out: Iterable[str] = (), keep_order: bool = False) -> object:
    """A node as plain data: white space folded, lines sorted unless their order means something."""
    if node is None:
        return None
    if isinstance(node, TextNode):
        return " ".join(node.text.split())
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    skipped = frozenset(leave_out)
    pairs = [
        (key.text, plain(value, keep_order=key.text in _IN_ORDER))
        for key, value in node.pairs
        if key.text not in skipped
    ]
    return {"": [list(pair) for pair in (pairs if keep_order else sorted(pairs, key=lambda pair: pair[0]))]}


def leaves(condition: Condition | None) -> list[Leaf]:
    """Every line of a condition."""
    if condition is None:
        return []
    if isinstance(condition, Leaf):
        return [condition]
    parts = (condition.part,) if isinstance(condition, Not) else condition.parts
    return [leaf for part in parts for leaf in leaves(part)]


def definition_of(rule: FieldRule) -> str:
    """What a name stands for in a condition: the fields behind it, its cleaning and its values."""
    return digest(
        rule.name,
        _sorted_where(rule),
        [rule.clean.name, rule.clean.argument, *filter(None, [rule.clean.currency_line])],
        [[meaning, sorted(words.items())] for meaning, words in rule.values.items()],
        rule.is_owner,
        *([[*rule.made_of, rule.between]] if rule.made_of else []),
        *([] if rule.links_to is None else [rule.links_to]),
    )


def aim_of(about: str, rule: FieldRule, wins: object = None) -> str:
    """Changes exactly when two values that were settled under the line must be looked at anew.

    Kept with every settled field of every record, hence short: a chance of one in millions to miss a change.
    """
    return digest(about, definition_of(rule), *_winners(rule, wins))[:_SHORT]


def rule_hash(about: str, rule: FieldRule, wins: object = None) -> str:
    """The meaning of one line under ``fields``, with what the policy says for all its lines.

    ``wins``: what stands behind ``wins`` as plain data, for its cases.
    """
    return digest(
        about,
        definition_of(rule),
        [rule.wins, rule.unless_blank, rule.first_time, rule.losing_edit],
        [rule.may_clear, rule.protected, rule.owner_otherwise],
        *_cases(rule, wins),
    )


def _winners(rule: FieldRule, wins: object) -> list[object]:
    return [[rule.wins, rule.unless_blank], *_cases(rule, wins)]


def _cases(rule: FieldRule, wins: object) -> list[object]:
    cases = [] if isinstance(wins, str) or wins is None else [wins]
    undecided = [] if rule.undecided is None else [[rule.undecided.side, rule.undecided.unless_blank]]
    return [*cases, *undecided]


def _sorted_where(rule: FieldRule) -> list[object]:
    return [[system, sorted(by_type.items())] for system, by_type in sorted(rule.where.items())]


def tree_of(node: MapNode, leave_out: Iterable[str]) -> object:
    """A whole document without the header lines that mean nothing."""
    return plain(node, leave_out=leave_out)
