"""Reading one policy file: every mistake is noted with its place and reading goes on, so that all are found
at once.

What a block may hold is declared once, as a ``Shape``: the reader reports by it, and the JSON Schema for
editors (``json_schema``) is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from agent.decide import pitfalls
from agent.decide.policy import Place
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode
from agent.errors import Problem

YES_WORDS = frozenset({"true", "yes"})
NO_WORDS = frozenset({"false", "no"})
_SWITCHES = frozenset({"on", "off", "yes", "no", "true", "false"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE = re.compile(r"\d{1,9}")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*(%?)")
_FIRST_YEAR, _LAST_YEAR = 2000, 2199


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a block: what it is for, and the JSON Schema of its value."""

    name: str
    help: str
    schema: Mapping[str, object]
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a block may hold.

    ``called`` is how a message names the block. ``later``: keys of a coming version. ``elsewhere``: {key that belongs
    somewhere else: where}.
    """

    called: str
    keys: tuple[Key, ...]
    later: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        return [key.name for key in self.keys]

    def schema(self) -> dict[str, object]:
        """The JSON Schema of this block."""
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [key.name for key in self.keys if key.is_required],
            "properties": {key.name: {"description": key.help, **key.schema} for key in self.keys},
        }


Block = Mapping[str, Node]
"""The values of a block that were given, by key."""


class Reader:
    """One file while it is read. Every method that finds a mistake notes it and returns None."""

    def __init__(self, file: str, lines: tuple[str, ...]) -> None:
        self.file = file
        self.lines = lines
        self.problems: list[Problem] = []

    def place(self, node: Node) -> Place:
        return Place(self.file, node.line, node.column)

    def error(self, node: Node, message: str, advice: str = "") -> None:
        self._note(node, message, advice, is_warning=False)

    def warn(self, node: Node, message: str, advice: str = "") -> None:
        self._note(node, message, advice, is_warning=True)

    def block(self, node: Node, shape: Shape, *, named: Node | None = None) -> Block:
        """The given keys of a block; unknown and missing ones are noted.

        ``named``: where a missing key is noted.
        """
        if not isinstance(node, MapNode):
            self.error(node, f"{shape.called} is made of `name: value` lines", f"Write {_example(shape)}.")
            return {}
        given: dict[str, Node] = {}
        for key, value in node.pairs:
            if key.text in shape.names():
                given[key.text] = value
            elif key.text in shape.later:
                self.error(key, f"`{key.text}` is not available in this version", shape.later[key.text])
            elif key.text in shape.elsewhere:
                self.error(key, f"`{key.text}` does not belong into {shape.called}", shape.elsewhere[key.text])
            else:
                self.error(key, f"unknown key `{key.text}` in {shape.called}", _about_key(key.text, shape.names()))
        missing = [key.name for key in shape.keys if key.is_required and key.name not in given]
        for name in missing:
            help_text = next(key.help for key in shape.keys if key.name == name)
            self.error(named or node, f"`{name}` is missing in {shape.called}", f"`{name}`: {help_text}")
        return given

    def text(self, node: Node, what: str) -> str | None:
        """One text, exactly as typed."""
        if isinstance(node, TextNode) and not node.is_empty:
            return node.text.strip()
        if isinstance(node, TextNode):
            self.error(node, f"`{what}` has no value", "Write a value behind the `:` or remove the line.")
        elif isinstance(node, MapNode):
            first = node.pairs[0][0].text if node.pairs else ""
            self.error(
                node,
                f"`{what}` must be one text, not a block",
                f"YAML reads `{first}:` as a name; put the value in quotes if it holds `: `.",
            )
        else:
            self.error(node, f"`{what}` must be one text, not a list")
        return None

    def words(self, node: Node, what: str) -> list[TextNode]:
        """One text or a list of texts, as nodes. An empty list is a mistake."""
        items: Sequence[Node] = node.items if isinstance(node, ListNode) else (node,)
        if not items:
            self.error(node, f"`{what}` is an empty list", "Name at least one, or remove the line.")
        found = []
        for item in items:
            if self.text(item, what) is not None and isinstance(item, TextNode):
                found.append(item)
        return found

    def items(self, node: Node, what: str) -> Sequence[Node]:
        """The items of a list; anything else is a mistake."""
        if isinstance(node, ListNode) and node.items:
            return node.items
        self.error(node, f"`{what}` must be a list", "Begin each line below it with `- `, or write `[a, b]`.")
        return ()

    def pairs(self, node: Node, what: str, example: str) -> Sequence[tuple[TextNode, Node]]:
        """The lines of a block whose names the author chooses."""
        if isinstance(node, MapNode) and node.pairs:
            return node.pairs
        self.error(node, f"`{what}` is made of `name: value` lines", f"For example `{example}`.")
        return ()

    def choice(self, node: Node, what: str, allowed: Iterable[str]) -> str | None:
        """One of a closed list of words."""
        text = self.text(node, what)
        if text is None or text in (options := list(allowed)):
            return text
        self.error(node, f"`{what}` cannot be `{text}`", did_you_mean(text, options))
        return None

    def yes_no(self, node: Node, what: str) -> bool | None:
        text = self.text(node, what)
        if text is None or text.casefold() in YES_WORDS | NO_WORDS:
            return None if text is None else text.casefold() in YES_WORDS
        self.error(node, f"`{what}` cannot be `{text}`", "Allowed: true, false.")
        return None

    def whole(self, node: Node, what: str) -> int | None:
        """A count, 0 or more."""
        text = self.text(node, what)
        if text is None or _WHOLE.fullmatch(text):
            return None if text is None else int(text)
        plain = re.sub(r"[\s,.'_]", "", text)
        hint = f" Did you mean `{plain}`?" if _WHOLE.fullmatch(plain) else ""
        self.error(node, f"`{what}` must be a whole number, not `{text}`", f"Write digits only.{hint}")
        return None

    def percent(self, node: Node, what: str) -> float | None:
        """``5`` or ``5 %``. A share such as 0.05 is refused, because nobody can tell it from 0.05 percent."""
        text = self.text(node, what)
        if text is None:
            return None
        match = _PERCENT.fullmatch(text)
        number = float(match[1]) if match else -1.0
        if match is None or not 0 <= number <= 100:
            self.error(node, f"`{what}` must be a percentage from 0 to 100, not `{text}`", "For example `5`.")
            return None
        if 0 < number < 1 and not match[2]:
            self.error(
                node,
                f"`{what}: {text}` could mean {number:g} % or {number * 100:g} %",
                f"Write `{number * 100:g}` for {number * 100:g} percent, or `{number:g} %`.",
            )
            return None
        return number

    def day(self, node: Node, what: str) -> date | None:
        text = self.text(node, what)
        if text is None:
            return None
        found = find_day(text)
        if found is None:
            self.error(node, f"`{what}` must be a date, not `{text}`", "Write year-month-day: `2027-03-01`.")
        return found

    def _note(self, node: Node, message: str, advice: str, *, is_warning: bool) -> None:
        excerpt = pitfalls.excerpt(self.lines, node.line)
        problem = Problem(self.file, node.line, node.column, message, excerpt, advice, is_warning)
        if problem not in self.problems:
            self.problems.append(problem)


def find_day(text: str) -> date | None:
    """``2027-03-01`` as a date; None for every other writing and for dates that do not exist."""
    if not _DAY.fullmatch(text):
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def warn_of_cut_values(reader: Reader, node: Node) -> None:
    """``Team #1`` is read as ``Team``: say so for every value of a document."""
    if isinstance(node, TextNode):
        lost = pitfalls.cut_by_comment(node, reader.lines)
        if lost is not None:
            reader.warn(
                node,
                f"`{lost}` was taken for a comment; the value is only `{node.text}`",
                f'If `{lost}` belongs to it, quote the whole value: `"{node.text} {lost}"`.',
            )
        return
    children = node.items if isinstance(node, ListNode) else [value for _, value in node.pairs]
    for child in children:
        warn_of_cut_values(reader, child)


def _about_key(name: str, allowed: list[str]) -> str:
    if name.casefold() in _SWITCHES:
        return f"YAML tools read `{name}` as a switch; no key is called so. Allowed: {', '.join(allowed)}."
    return did_you_mean(name, allowed)


def _example(shape: Shape) -> str:
    return " and ".join(f"`{key.name}: …`" for key in shape.keys[:2])
