"""A whole set of conditions as one generated Python function: each used value is read once, each line is one
comparison.

No text of a policy ever reaches the source. Names and constants are bound in the function's namespace under
names made of a letter and an index, and the operators come from the tables below.

Every condition is generated in two forms, "certainly true" and "certainly false", because a blank is neither;
``not:`` swaps the forms, so the function itself needs plain ``and`` and ``or`` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from math import inf, nan
from types import CodeType
from typing import Protocol, cast

from agent.decide.conditions_explain import NOTHING, day_window, ranking, wanted_texts, window
from agent.decide.conditions_tree import FLAGS, AllOf, Condition, Leaf, Not
from agent.decide.conditions_values import ABSENT, moment_of, number_of, ranks, text_of
from agent.decide.durations import Span


class Matcher(Protocol):
    """Names of the conditions that hold. ``values`` are canonical values by name; ``now`` is aware."""

    def __call__(
        self, values: Mapping[str, object], now: datetime, previous: Mapping[str, object] | None = None
    ) -> frozenset[str]: ...


def compile_conditions(conditions: Mapping[str, Condition]) -> Matcher:
    """One function for all of them; its answer is the set of names whose condition holds."""
    source = _Source()
    tests = [
        f" if {source.certainly(condition, True)}: add({source.constant(name)})"
        for name, condition in conditions.items()
    ]
    lines = [
        "def matched(values, now, previous=None):",
        " get = values.get",
        " before = (previous or NOTHING).get",
        *source.preparation(),
        " found = []",
        " add = found.append",
        *tests,
        " return frozenset(found)",
    ]
    namespace = source.namespace()
    exec(_compiled("\n".join(lines)), namespace)  # noqa: S102 - the source holds no text of any policy
    return cast(Matcher, namespace["matched"])


def _compiled(source: str) -> CodeType:
    return compile(source, "<conditions>", "exec")


class _Source:
    """What the generated function needs: constants by index, and each look at a value once."""

    def __init__(self) -> None:
        self._constants: list[object] = []
        self._index: dict[tuple[type, object], str] = {}
        self._fields: dict[str, int] = {}
        self._looks: dict[str, str] = {}
        self._windows: list[Leaf] = []

    def constant(self, value: object) -> str:
        key = (type(value), value)
        if key not in self._index:
            self._index[key] = f"K{len(self._constants)}"
            self._constants.append(value)
        return self._index[key]

    def namespace(self) -> dict[str, object]:
        return {
            "__builtins__": {"str": str, "int": int, "float": float, "frozenset": frozenset},
            "ABSENT": ABSENT,
            "NOTHING": NOTHING,
            "NAN": nan,
            "text_of": text_of,
            "number_of": number_of,
            "moment_of": moment_of,
            "windows_at": _windows_at(self._windows),
            **{f"K{index}": value for index, value in enumerate(self._constants)},
        }

    def preparation(self) -> list[str]:
        """The lines that read values into locals; a look is listed after what it is made from."""
        lines = [f" {name} = {expression}" for name, expression in self._looks.items()]
        if self._windows:
            names = ", ".join(f"w{index}a, w{index}b" for index in range(len(self._windows)))
            lines.insert(0, f" {names} = windows_at(now)")
        return lines

    def certainly(self, condition: Condition, truth: bool) -> str:
        """An expression that is true when the condition certainly is ``truth``."""
        if isinstance(condition, Leaf):
            return self._leaf(condition, truth)
        if isinstance(condition, Not):
            return self.certainly(condition.part, not truth)
        joined = " and " if isinstance(condition, AllOf) is truth else " or "
        return "(" + joined.join(self.certainly(part, truth) for part in condition.parts) + ")"

    def _raw(self, name: str, *, before: bool = False) -> str:
        index = self._fields.setdefault(name, len(self._fields))
        look, reader = (f"p{index}", "before") if before else (f"v{index}", "get")
        self._looks.setdefault(look, f"{reader}({self.constant(name)}, ABSENT)")
        return look

    def _text(self, name: str, *, before: bool = False) -> str:
        raw = self._raw(name, before=before)
        self._looks.setdefault(
            f"{raw}t", f"{raw}.casefold() if {raw}.__class__ is str else None if {raw} is None else text_of({raw})"
        )
        return f"{raw}t"

    def _number(self, leaf: Leaf, *, before: bool = False) -> str:
        raw = self._raw(leaf.field, before=before)
        if leaf.order:
            order = self._order(leaf.order)
            self._looks.setdefault(f"{raw}{order}", f"{order}.get({self._text(leaf.field, before=before)}, NAN)")
            return f"{raw}{order}"
        self._looks.setdefault(
            f"{raw}n", f"{raw} if {raw}.__class__ is int or {raw}.__class__ is float else number_of({raw})"
        )
        return f"{raw}n"

    def _order(self, order: tuple[str, ...]) -> str:
        """The ranks of a funnel, shared by every line about it."""
        name = self._index.get((tuple, order))
        if name is None:
            name = self._index[(tuple, order)] = f"K{len(self._constants)}"
            self._constants.append(ranks(order))
        return name

    def _moment(self, name: str) -> str:
        raw = self._raw(name)
        self._looks.setdefault(f"{raw}m", f"moment_of({raw}, now)")
        return f"{raw}m"

    def _leaf(self, leaf: Leaf, truth: bool) -> str:
        if leaf.field in FLAGS:
            raw = self._raw(leaf.field)
            return f"{raw} is True" if truth else f"{raw} is not True"
        if leaf.operator in ("is blank", "is filled"):
            return self._blankness(leaf, (leaf.operator == "is blank") is truth)
        if leaf.operator in ("was", "changed", "crossed"):
            return self._history(leaf, truth)
        expression = self._comparison(leaf, truth)
        return f"({expression} or {self._blankness(leaf, True)})" if leaf.or_blank and truth else expression

    def _blankness(self, leaf: Leaf, blank: bool) -> str:
        text = self._text(leaf.field)
        return f"({text} is None and {self._raw(leaf.field)} is not ABSENT)" if blank else f"{text} is not None"

    def _comparison(self, leaf: Leaf, truth: bool) -> str:
        if leaf.operator in ("is", "is one of", "is not", "is not one of"):
            return self._membership(leaf, leaf.operator.startswith("is not") is not truth)
        if leaf.operator in ("contains", "starts with"):
            return self._part_of_text(leaf, truth)
        if isinstance(leaf.value, Span | date):
            return self._in_window(leaf, (leaf.operator == "!=") is not truth)
        operator = (_TRUE if truth else _FALSE)[leaf.operator]
        number, limit = self._number(leaf), self.constant(ranking(leaf))
        if operator == "!=":  # NaN differs from everything, itself included
            return f"{limit} != {number} == {number}"
        return f"{number} {operator} {limit}"

    def _membership(self, leaf: Leaf, inside: bool) -> str:
        text, texts = self._text(leaf.field), wanted_texts(leaf)
        if len(texts) == 1:
            (only,) = texts
            test = f"{text} == {self.constant(only)}" if inside else f"{text} != {self.constant(only)}"
        else:
            test = f"{text} {'in' if inside else 'not in'} {self.constant(texts)}"
        return test if inside else f"({text} is not None and {test})"

    def _part_of_text(self, leaf: Leaf, truth: bool) -> str:
        text, part = self._text(leaf.field), self.constant(text_of(leaf.value) or "")
        test = f"{part} in {text}" if leaf.operator == "contains" else f"{text}.startswith({part})"
        return f"({text} is not None and {'' if truth else 'not '}{test})"

    def _in_window(self, leaf: Leaf, inside: bool) -> str:
        moment = self._moment(leaf.field)
        if isinstance(leaf.value, Span):
            index = len(self._windows)
            self._windows.append(leaf)
            earliest, latest = f"w{index}a", f"w{index}b"
        else:
            earliest, latest = (self.constant(end) for end in day_window(leaf))
        if inside:
            return f"{earliest} <= {moment} < {latest}"
        return f"({moment} < {earliest} or {moment} >= {latest})"

    def _history(self, leaf: Leaf, truth: bool) -> str:
        raw, text = self._raw(leaf.field), self._text(leaf.field)
        old, old_text = self._raw(leaf.field, before=True), self._text(leaf.field, before=True)
        if leaf.operator == "was":
            if leaf.value is None:
                test = f"{old_text} is None" if truth else f"{old_text} is not None"
            else:
                texts = self.constant(wanted_texts(leaf))
                test = f"{old_text} is not None and {old_text} {'in' if truth else 'not in'} {texts}"
            return f"({raw} is not ABSENT and {old} is not ABSENT and {test})"
        known = f"{text} is not None and {old} is not ABSENT"
        if leaf.operator == "changed":
            return f"({known} and {text} {'!=' if truth else '=='} {old_text})"
        number, earlier = self._number(leaf), self._number(leaf, before=True)
        limit = self.constant(ranking(leaf))
        crossed = f"({number} >= {limit} and ({earlier} < {limit} or {old_text} is None))"
        return f"({known} and {number} == {number} and {crossed if truth else f'not {crossed}'})"


_TRUE = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FALSE = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _windows_at(leaves: list[Leaf]) -> Callable[[datetime], tuple[float, ...]]:
    """The windows of all lines with a duration; worked out once per moment, not once per record."""
    last: tuple[datetime | None, tuple[float, ...]] = (None, (-inf, inf))

    def windows_at(now: datetime) -> tuple[float, ...]:
        nonlocal last
        moment, windows = last
        if moment is not now:
            windows = tuple(end for leaf in leaves for end in window(leaf, now))
            last = (now, windows)
        return windows

    return windows_at
