"""Condition nodes → the tree. A list means all of its lines; ``any:`` and ``not:`` nest."""

from __future__ import annotations

import re

from agent.decide.conditions_line import leaf_of
from agent.decide.conditions_names import Names
from agent.decide.conditions_tree import AllOf, AnyOf, Condition, Leaf, Not
from agent.decide.reading import Reader
from agent.decide.suggest import did_you_mean, nearest
from agent.decide.yaml_source import ListNode, Node, TextNode

_ONE_OF_KEY = re.compile(r".+\sis(?: not)? one of", re.IGNORECASE)


def parse_condition(node: Node, names: Names, reader: Reader) -> Condition | None:
    """The condition that a node holds, or None when a mistake in it was noted."""
    if isinstance(node, TextNode):
        if node.is_empty:
            reader.error(node, "there is no condition here", "Write one condition per line: `- score >= 60`.")
            return None
        return leaf_of(node, names, reader)
    if isinstance(node, ListNode):
        return _all_of(node, names, reader)
    return _joined(AllOf, [_branch(key, value, names, reader) for key, value in node.pairs])


def _all_of(node: ListNode, names: Names, reader: Reader) -> Condition | None:
    if not node.items:
        reader.error(node, "there is no condition in this list", "Write one condition per line: `- score >= 60`.")
    return _joined(AllOf, [parse_condition(item, names, reader) for item in node.items])


def _joined(kind: type[AllOf] | type[AnyOf], parts: list[Condition | None]) -> Condition | None:
    whole = tuple(part for part in parts if part is not None)
    if len(whole) != len(parts) or not parts:
        return None
    return whole[0] if len(whole) == 1 else kind(whole)


def _branch(key: TextNode, value: Node, names: Names, reader: Reader) -> Condition | None:
    """``any: […]``, ``all: […]``, ``not: …`` or ``country is one of: [DE, AT]``."""
    word = key.text.strip().casefold()
    if word in ("any", "all"):
        if not isinstance(value, ListNode) or not value.items:
            reader.error(value, f"`{word}:` needs a list of conditions", "Begin each line below it with `- `.")
            return None
        kind = AnyOf if word == "any" else AllOf
        return _joined(kind, [parse_condition(item, names, reader) for item in value.items])
    if word == "not":
        return _negated(value, names, reader)
    if _ONE_OF_KEY.fullmatch(" ".join(key.text.split())):
        return leaf_of(key, names, reader, value)
    reader.error(key, f"`{key.text}: …` is not a condition", _about_colon(key, value, names))
    return None


def _negated(value: Node, names: Names, reader: Reader) -> Condition | None:
    part = parse_condition(value, names, reader)
    if part is None:
        return None
    unclear = _first_or_blank(part)
    if unclear is not None:
        reader.error(
            value,
            "`or blank` inside `not:` has no clear meaning",
            f"Say what should match, without `not:`: `{unclear.field} is not … or blank`.",
        )
        return None
    return Not(part)


def _about_colon(key: TextNode, value: Node, names: Names) -> str:
    if nearest(key.text, ("any", "not")) is not None:
        return did_you_mean(key.text, ("any", "not"))
    if isinstance(value, TextNode):
        begin = f"{key.text} is" if key.text in names.all_names() else key.text
        condition = f"A condition has no colon: `{begin} {value.text}`."
        return f"{condition} If the colon belongs to the value, quote the whole line."
    return "Only `any:`, `not:` and `… is one of:` take a list."


def _first_or_blank(condition: Condition) -> Leaf | None:
    if isinstance(condition, Leaf):
        return condition if condition.or_blank else None
    parts = (condition.part,) if isinstance(condition, Not) else condition.parts
    return next((found for part in parts if (found := _first_or_blank(part)) is not None), None)
