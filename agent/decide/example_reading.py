"""Examples as somebody wrote them: YAML → ``Example``, or what is wrong with it and where.

docs/policies/examples.md has every word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, get_args

from agent.changes import Meaning
from agent.decide.normalise import as_text
from agent.decide.policy import Place
from agent.decide.yaml_source import ListNode, Node, plain_value, read_source
from agent.errors import Problem
from agent.records import FieldValue
from agent.systems import System, Systems

NOTHING = "nothing"
BLANK = "blank"
OUTCOMES = (
    "write", "equal", "quiet", "skipped", "not selected", "frozen", "ask", "refused", "reported", "kept", "unclear",
    "lost", "nothing",
)  # fmt: skip
ANSWERS = ("certain", "likely", "no")
FLAGS = ("suspected duplicate", "unclear", "lost", "converted")

Fields = Mapping[str, FieldValue]


class BadExample(ValueError):
    """The example itself is not understood; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example as written. ``sides``: {system: (object type, records)}; docs/policies/examples.md has the words.

    ``lines`` are the lines of the file that make it up.
    """

    name: str
    sides: Mapping[str, tuple[str, tuple[Fields, ...]]]
    given: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, Any] = field(default_factory=dict)
    place: Place | None = None
    lines: tuple[str, ...] = ()


def read_examples(document: Any, systems: Systems) -> list[Example]:
    """The examples of one file, already read from YAML, about these ``systems``.

    Raises:
        BadExample: an unknown word, or no records given.
    """
    if not isinstance(document, list):
        raise BadExample("a file of examples is a list; every item begins with “- example: …”")
    return [_read_example(item, systems) for item in document]


def read_example_file(file: str, text: str, systems: Systems) -> tuple[list[Example], list[Problem]]:
    """The examples of one file with their places, and all that is wrong. Never raises for what the text may hold."""
    source = read_source(file, text)
    problems = list(source.problems)
    found: list[Example] = []
    for document in source.documents:
        if not isinstance(document, ListNode):
            message = "a file of examples is a list; every item begins with `- example: …`"
            problems.append(_problem(file, source.lines, document, message))
            continue
        ends = [item.line - 1 for item in document.items[1:]] + [len(source.lines)]
        for item, end in zip(document.items, ends, strict=True):
            try:
                example = _read_example(plain_value(item), systems)
            except BadExample as error:
                problems.append(_problem(file, source.lines, item, str(error)))
            else:
                place = Place(file, item.line, item.column)
                found.append(replace(example, place=place, lines=source.lines[item.line - 1 : end]))
    return found, problems


def value_of(system: System, value: Any) -> FieldValue:
    """A value as this system would send it; ``blank`` is a blank."""
    if value is None or value == BLANK:
        return None
    if system.text_only or not isinstance(value, str | int | float | bool):
        return as_text(value if isinstance(value, str | int | float | bool) else str(value))
    return value


def moment_of(text: Any) -> datetime | None:
    """``2026-11-24`` or ``2026-11-24 09:00``; UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def listed(words: set[str]) -> str:
    return ", ".join(sorted(words))


def _read_example(item: Any, systems: Systems) -> Example:
    if not isinstance(item, dict) or not item.get("example"):
        raise BadExample("every example begins with “- example:” and a sentence")
    name, given, expected = str(item["example"]), item.get("given"), item.get("expected")
    if unknown := set(item) - {"example", "given", "expected"}:
        raise BadExample(f"{name}: unknown {listed(unknown)}; known are example, given, expected")
    if not isinstance(given, dict) or not isinstance(expected, dict):
        raise BadExample(f"{name}: it needs “given” and “expected”")
    for part, words in ((given, _given(systems)), (expected, _expected(systems))):
        if unknown := set(part) - {*words, *systems}:
            raise BadExample(f"{name}: unknown {listed(unknown)}; known are {listed({*words, *systems})}")
        for word in sorted(set(part) & set(words)):
            form, is_right = words[word]
            if not is_right(part[word]):
                raise BadExample(f"{name}: write {word} as {form}")
    for system in systems:
        if expected.get(system, NOTHING) != NOTHING and not _is_by_name(expected[system]):
            raise BadExample(f"{name}: write {system} under expected as {{field: value}}, or leave it out")
    sides = {system: _read_side(name, systems[system], given[system]) for system in systems if system in given}
    if not sides:
        raise BadExample(f"{name}: no record is given")
    return Example(name, sides, given, expected)


def _read_side(name: str, system: System, side: Any) -> tuple[str, tuple[Fields, ...]]:
    """``{Contact: {Title: CEO}}``, or a list of records to compare."""
    if not isinstance(side, dict) or len(side) != 1:
        raise BadExample(f"{name}: write {system.key} as {{object type: {{field: value}}}}")
    ((object_type, records),) = side.items()
    records = records if isinstance(records, list) else [records]
    if not records or not all(_is_by_name(record) for record in records):
        raise BadExample(f"{name}: {system.key} {object_type} needs fields with values")
    return object_type, tuple({key: value_of(system, value) for key, value in record.items()} for record in records)


def _is_one(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_by_name(value: Any) -> bool:
    """``{name: value}`` with plain values."""
    return isinstance(value, dict) and all(_is_one(each) for each in value.values())


def _by_side(systems: Systems) -> Callable[[Any], bool]:
    """``{name: value}``, or ``{name: {SYSTEM: …, SYSTEM: …}}`` where the sides differ."""
    return lambda value: (
        isinstance(value, dict)
        and all(_is_one(held) or (_is_by_name(held) and set(held) <= set(systems)) for held in value.values())
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _by_system(is_right: Callable[[Any], bool], systems: Systems) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and set(value) <= set(systems) and all(is_right(each) for each in value.values())
    )


def _one_of(words: Sequence[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _are_outcomes(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) and each in OUTCOMES for each in value.values())


def _are_moments(value: Any) -> bool:
    return _is_by_name(value) and all(map(moment_of, value.values()))


def _by_line(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(is_right(each) for each in value.values())


def _are_flags(value: Any) -> bool:
    return _is_list(value) and set(value) <= set(FLAGS)


_Words = Mapping[str, tuple[str, Callable[[Any], bool]]]


def _given(systems: Systems) -> _Words:
    """{word under ``given``: (how it is written, is it right)}."""
    return {
        "settled": ("{line: what both sides held}", _by_side(systems)),
        "hidden": ("{system: [field of the CRM]}", _by_system(_is_list, systems)),
        "undone": ("{system: [line]}", _by_system(_is_list, systems)),
        "flags": (f"a list of {', '.join(FLAGS)}", _are_flags),
        "owners": ("{system: {owner id: e-mail}}", _by_system(_is_by_name, systems)),
        "links": ("{system: {record id: name}}", _by_system(_is_by_name, systems)),
        "companies": ("{system: company id, or coming}", _by_system(_is_one, systems)),
        "may_create": ("true or false", lambda value: isinstance(value, bool)),
        "edited": (
            "{line: {system: a moment like 2026-11-24 09:00}}",
            _by_line(lambda value: _are_moments(value) and set(value) <= set(systems)),
        ),
        "now": ("a moment like 2026-11-24 09:00", lambda value: moment_of(value) is not None),
    }


def _expected(systems: Systems) -> _Words:
    """The same under ``expected``."""
    return {
        "outcome": (f"{{line: outcome}} with one of {', '.join(OUTCOMES)}", _are_outcomes),
        "create": ("{system: object type}", _by_system(_is_one, systems)),
        "duplicate": (f"one of {', '.join(ANSWERS)}", _one_of(ANSWERS)),
        "asks": ("a list of lines", _is_list),
        "says": ("{line: words of the reason}", _is_by_name),
        "waits_as": (f"one of {', '.join(get_args(Meaning))}", _one_of(get_args(Meaning))),
    }


def _problem(file: str, lines: tuple[str, ...], node: Node, message: str) -> Problem:
    excerpt = lines[node.line - 1] if 0 < node.line <= len(lines) else ""
    advice = "docs/policies/examples.md shows every word an example may use."
    return Problem(file, node.line, node.column, message, excerpt, advice)
