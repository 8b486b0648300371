"""YAML text → documents whose every word knows its line and column. Files are treated as untrusted input.

The text is scanned as events and composed here, so that nothing is built before it was allowed: at most 256
KB a file, 20 levels, 20,000 words and lists, 8 KB a word; no anchors, aliases, merge keys, tags or
directives; no control, invisible or text-direction characters. Duplicate keys are refused. Words stay what
was typed (``NO``, ``007``, ``12:30``); only ``load_plain`` turns them into numbers and booleans, by the rules
of YAML 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from agent.decide import pitfalls
from agent.errors import Problem

MOST_BYTES = 256 * 1024
MOST_DEPTH = 20
MOST_NODES = 20_000
MOST_WORD_BYTES = 8 * 1024

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c"
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's event parser keeps its own stack (facts: only its *composer* overflows on deep nesting)."""


@dataclass(frozen=True, slots=True)
class TextNode:
    """One word or text. ``line`` and ``column`` are 1-based; ``end_*`` point just behind it.

    ``is_plain``: typed without quotes. ``is_block``: written under ``|`` or ``>``.
    """

    text: str
    line: int
    column: int
    end_line: int
    end_column: int
    is_plain: bool
    is_block: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing was given: ``key:`` or ``key: ~`` or ``key: null``."""
        return self.is_plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class ListNode:
    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class MapNode:
    pairs: tuple[tuple[TextNode, Node], ...]
    line: int
    column: int

    def find(self, key: str) -> Node | None:
        return next((value for name, value in self.pairs if name.text == key), None)

    def key(self, key: str) -> TextNode | None:
        """The key itself, for its place."""
        return next((name for name, _ in self.pairs if name.text == key), None)


Node: TypeAlias = TextNode | ListNode | MapNode
Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None


class YamlProblem(Exception):
    """The text cannot be read. ``problem`` is the first one, with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problem = problems[0]
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its documents in order, its lines, and what was wrong with it.

    ``is_readable`` is False when the documents (then none) are not all that the file was meant to hold.
    """

    file: str
    lines: tuple[str, ...]
    documents: tuple[Node, ...]
    problems: tuple[Problem, ...]
    is_readable: bool = True


def read_source(file: str, text: str) -> Source:
    """Scan and compose a whole file. Never raises for anything the text may hold."""
    text = text.removeprefix("\ufeff")
    lines = tuple(_LINE_ENDS.split(text))
    refusal = _refusal(file, text, lines)
    if refusal is not None:
        return Source(file, lines, (), (refusal,), is_readable=False)
    composer = _Composer(file, lines)
    try:
        documents = tuple(composer.documents(text))
    except _Stop as stop:
        failure = stop.problem
    except yaml.MarkedYAMLError as error:
        failure = pitfalls.in_plain_words(file, lines, error)
    except yaml.YAMLError as error:
        failure = Problem(file, 1, 1, f"this file cannot be read as YAML: {error}")
    else:
        return Source(file, lines, documents, tuple(composer.problems))
    return Source(file, lines, (), (*composer.problems, failure), is_readable=False)


def load_plain(file: str, text: str) -> Plain:
    """One document as plain Python data, words resolved by YAML 1.2 (``no`` is text, ``007`` is text).

    Raises:
        YamlProblem: unreadable, more than one document, or anything this module refuses.
    """
    source = read_source(file, text)
    problems = list(source.problems)
    if len(source.documents) > 1:
        second = source.documents[1]
        problems.append(
            Problem(file, second.line, 1, "this file must hold one document only", advice="Remove the `---`.")
        )
    if problems:
        raise YamlProblem(problems)
    return plain_value(source.documents[0]) if source.documents else None


def _refusal(file: str, text: str, lines: tuple[str, ...]) -> Problem | None:
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return Problem(file, 1, 1, "this file is larger than 256 KB", advice="Split it into several files.")
    match = _FORBIDDEN.search(text)
    if match is None:
        return None
    before = _LINE_ENDS.split(text[: match.start()])
    line, column = len(before), len(before[-1]) + 1
    return Problem(
        file,
        line,
        column,
        f"this line holds an invisible or control character (U+{ord(match[0]):04X})",
        _FORBIDDEN.sub("?", pitfalls.excerpt(lines, line)),
        "Type the line again; such characters come with text copied from web pages or documents.",
    )


class _Stop(Exception):
    """Reading goes no further."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Composer:
    """Events → nodes, refusing as they come. Recursion is bounded by MOST_DEPTH."""

    def __init__(self, file: str, lines: tuple[str, ...]) -> None:
        self.file = file
        self.lines = lines
        self.problems: list[Problem] = []
        self._nodes = 0

    def documents(self, text: str) -> list[Node]:
        events = iter(yaml.parse(text, Loader=_EVENTS))
        found: list[Node] = []
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.version or event.tags:
                    raise self._stop(event, "a line that begins with `%` is not allowed here", "Remove it.")
                node = self._node(next(events), events, 0)
                if not (isinstance(node, TextNode) and node.is_empty):
                    found.append(node)
        return found

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        self._check(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event)
        line, column = pitfalls.place_of(event.start_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                items.append(self._node(event, events, depth + 1))
            return ListNode(tuple(items), line, column)
        pairs: dict[str, tuple[TextNode, Node]] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if key.text in pairs:
                self._duplicate(key, pairs[key.text][0])
            else:
                pairs[key.text] = (key, value)
        return MapNode(tuple(pairs.values()), line, column)

    def _check(self, event: yaml.Event, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._stop(event, "this file holds more than 20,000 words", "Split it into several files.")
        if depth > MOST_DEPTH:
            raise self._stop(event, *pitfalls.TOO_DEEP)
        refusal = pitfalls.refused_node(event, self.lines)
        if refusal is not None:
            raise self._stop(event, *refusal)

    def _text(self, event: yaml.ScalarEvent) -> TextNode:
        text: str = event.value
        if len(text) > MOST_WORD_BYTES:
            raise self._stop(event, "this text is longer than 8 KB", "Is a closing quote missing?")
        match = _FORBIDDEN.search(text)
        if match is not None:
            raise self._stop(
                event,
                f"this text holds an invisible or control character (U+{ord(match[0]):04X})",
                "Remove the escape that makes it.",
            )
        start, end = pitfalls.place_of(event.start_mark), pitfalls.place_of(event.end_mark)
        return TextNode(text, *start, *end, is_plain=not event.style, is_block=event.style in ("|", ">"))

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> TextNode:
        key = self._node(event, events, depth)
        if not isinstance(key, TextNode):
            raise self._stop(event, "a list cannot stand before a `:`", "Put it behind the `:`.")
        if key.text == "<<" and key.is_plain:
            raise self._stop(event, "`<<` is not allowed", "Write out the lines themselves.")
        return key

    def _duplicate(self, key: TextNode, first: TextNode) -> None:
        self.problems.append(
            Problem(
                self.file,
                key.line,
                key.column,
                f"`{key.text}` stands here twice, first on line {first.line}",
                pitfalls.excerpt(self.lines, key.line),
                "Keep one of the two.",
            )
        )

    def _stop(self, event: yaml.Event, message: str, advice: str) -> _Stop:
        line, column = pitfalls.place_of(event.start_mark)
        return _Stop(Problem(self.file, line, column, message, pitfalls.excerpt(self.lines, line), advice))


_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")


def plain_value(node: Node) -> Plain:
    """A node as plain Python data, words resolved by YAML 1.2."""
    if isinstance(node, ListNode):
        return [plain_value(item) for item in node.items]
    if isinstance(node, MapNode):
        return {key.text: plain_value(value) for key, value in node.pairs}
    return resolved(node.text) if node.is_plain else node.text


def resolved(text: str) -> bool | int | float | str | None:
    """A word typed without quotes as YAML 1.2 means it, except that codes such as ``007`` stay text."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _WHOLE.fullmatch(text):
        return int(text)
    if any(letter.isdigit() for letter in text) and _DECIMAL.fullmatch(text):
        return float(text)
    return text
