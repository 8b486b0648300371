"""A whole set of conditions as one generated Python function: each used value is read once, each line is one
comparison.

No text of a policy ever reaches the source. Names and constants are bound in the function's namespace under
names made of a letter and an index, and the operators come from the tables below.

Every condition is generated in two forms, "certainly true" and "certainly false", because a blank is neither;
``not:`` swaps the forms, so the function itself needs plain ``and`` and ``or`` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
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
    """One function for all of them; its answer is the set of names whose condition holds.

    It is written twice: first as if every value had the type its lines expect, which costs nothing to check,
    because a value of another type raises; then with care, for the records where that happened.
    """
    windows = _Windows()
    namespace: dict[str, object] = {
        "__builtins__": dict(_BUILTINS),
        "ABSENT": ABSENT,
        "NOTHING": NOTHING,
        "text_of": text_of,
        "number_of": number_of,
        "moment_of": moment_of,
        "windows_at": windows.at,
    }
    careful = _Source(windows, trusting=False).function("careful", conditions)
    trusting = _Source(windows, trusting=True).function("trusting", conditions)
    for lines, constants in (careful, trusting):
        namespace.update(constants)
        exec(compile(lines, "<conditions>", "exec"), namespace)  # noqa: S102 - it holds no text of any policy
    return cast(Matcher, namespace["trusting"])


_BUILTINS = {
    "str": str,
    "int": int,
    "float": float,
    "frozenset": frozenset,
    "TypeError": TypeError,
    "AttributeError": AttributeError,
}


class _Windows:
    """The windows of all lines with a duration; worked out once per moment, not once per record."""

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self._last: tuple[datetime | None, tuple[float, ...]] = (None, ())

    def add(self, leaf: Leaf) -> tuple[str, str]:
        """The names of the two ends."""
        if leaf not in self.leaves:
            self.leaves.append(leaf)
        index = self.leaves.index(leaf)
        return f"w{index}a", f"w{index}b"

    def names(self) -> str:
        return ", ".join(f"w{index}a, w{index}b" for index in range(len(self.leaves)))

    def at(self, now: datetime) -> tuple[float, ...]:
        moment, windows = self._last
        if moment is not now:
            windows = tuple(end for leaf in self.leaves for end in window(leaf, now))
            self._last = (now, windows)
        return windows


class _Source:
    """What one generated function needs: constants by index, and each look at a value once."""

    def __init__(self, windows: _Windows, *, trusting: bool) -> None:
        self._windows = windows
        self._trusting = trusting
        self._constants: list[object] = []
        self._index: dict[tuple[type, object], str] = {}
        self._fields: dict[str, int] = {}
        self._looks: dict[str, str] = {}
        self._looks_back = False

    def function(self, name: str, conditions: Mapping[str, Condition]) -> tuple[str, dict[str, object]]:
        """(source, its constants by name)."""
        tests = [
            f"if {self._certainly(condition, True)}: add({self.constant(key)})" for key, condition in conditions.items()
        ]
        body = ["get = values.get", *self._preparation(), "found = []", "add = found.append", *tests]
        lines = [f"def {name}(values, now, previous=None):", " try:", *(f"  {line}" for line in body)]
        lines.append("  return frozenset(found)")
        if self._trusting:
            lines += [" except (TypeError, AttributeError):", "  return careful(values, now, previous)"]
        else:
            lines.remove(" try:")
        return "\n".join(lines), {self._letter + str(index): value for index, value in enumerate(self._constants)}

    @property
    def _letter(self) -> str:
        return "K" if self._trusting else "C"

    def constant(self, value: object) -> str:
        key = (type(value), value)
        if key not in self._index:
            self._index[key] = self._letter + str(len(self._constants))
            self._constants.append(value)
        return self._index[key]

    def _preparation(self) -> list[str]:
        """The lines that read values into locals; a look is listed after what it is made from."""
        lines = [f"{name} = {expression}" for name, expression in self._looks.items()]
        if self._windows.leaves:
            lines.insert(0, f"{self._windows.names()}, = windows_at(now)")
        if self._looks_back:
            lines.insert(0, "before = (previous or NOTHING).get")
        return lines

    def _certainly(self, condition: Condition, truth: bool) -> str:
        """An expression that is true when the condition certainly is ``truth``."""
        if isinstance(condition, Leaf):
            return self._leaf(condition, truth)
        if isinstance(condition, Not):
            return self._certainly(condition.part, not truth)
        joined = " and " if isinstance(condition, AllOf) is truth else " or "
        return "(" + joined.join(self._certainly(part, truth) for part in condition.parts) + ")"

    def _raw(self, name: str, *, before: bool = False) -> str:
        index = self._fields.setdefault(name, len(self._fields))
        self._looks_back = self._looks_back or before
        look, reader = (f"p{index}", "before") if before else (f"v{index}", "get")
        self._looks.setdefault(look, f"{reader}({self.constant(name)})")
        return look

    def _is_visible(self, raw: str) -> str:
        """A test that this value was given at all; only lines about blankness or the past need one."""
        self._looks[raw] = self._looks[raw].removesuffix(", ABSENT)").removesuffix(")") + ", ABSENT)"
        return f"{raw} is not ABSENT"

    def _text(self, leaf: Leaf, *, before: bool = False) -> str:
        """Case-insensitive text; blank is None or empty."""
        raw = self._raw(leaf.field, before=before)
        if self._trusting and leaf.type != "boolean":
            self._looks.setdefault(f"{raw}t", f"{raw}.casefold() if {raw} is not None else None")
        else:
            careful = f"{raw}.casefold() if {raw}.__class__ is str else None if {raw} is None else text_of({raw})"
            self._looks.setdefault(f"{raw}t", careful)
        return f"{raw}t"

    def _number(self, leaf: Leaf, *, before: bool = False) -> str:
        """A number, or None or NaN. Trusted values are compared as they are: text against a number raises."""
        raw = self._raw(leaf.field, before=before)
        if leaf.order:
            order = self._order(leaf.order)
            self._looks.setdefault(f"{raw}{order}", f"{order}.get({self._text(leaf, before=before)})")
            return f"{raw}{order}"
        if self._trusting and leaf.operator in _RAISING:
            return raw
        self._looks.setdefault(
            f"{raw}n",
            f"{raw} if {raw} is None or {raw}.__class__ is int or {raw}.__class__ is float else number_of({raw})",
        )
        return f"{raw}n"

    def _order(self, order: tuple[str, ...]) -> str:
        """The ranks of a funnel, shared by every line about it."""
        name = self._index.get((tuple, order))
        if name is None:
            name = self._index[(tuple, order)] = self._letter + str(len(self._constants))
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
        text = self._text(leaf)
        return f"(not {text} and {self._is_visible(self._raw(leaf.field))})" if blank else text

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
            return f"({number} is not None and {limit} != {number} == {number})"
        return f"({number} is not None and {number} {operator} {limit})"

    def _membership(self, leaf: Leaf, inside: bool) -> str:
        text, texts = self._text(leaf), wanted_texts(leaf)
        if len(texts) == 1:
            (only,) = texts
            test = f"{text} == {self.constant(only)}" if inside else f"{text} != {self.constant(only)}"
        else:
            test = f"{text} {'in' if inside else 'not in'} {self.constant(texts)}"
        return test if inside else f"({text} and {test})"

    def _part_of_text(self, leaf: Leaf, truth: bool) -> str:
        text, part = self._text(leaf), self.constant(text_of(leaf.value) or "")
        test = f"{part} in {text}" if leaf.operator == "contains" else f"{text}.startswith({part})"
        return f"({text} and {'' if truth else 'not '}{test})"

    def _in_window(self, leaf: Leaf, inside: bool) -> str:
        moment = self._moment(leaf.field)
        if isinstance(leaf.value, Span):
            earliest, latest = self._windows.add(leaf)
        else:
            earliest, latest = (self.constant(end) for end in day_window(leaf))
        if inside:
            return f"{earliest} <= {moment} < {latest}"
        return f"({moment} < {earliest} or {moment} >= {latest})"

    def _history(self, leaf: Leaf, truth: bool) -> str:
        raw, text = self._raw(leaf.field), self._text(leaf)
        old, old_text = self._raw(leaf.field, before=True), self._text(leaf, before=True)
        if leaf.operator == "was":
            if leaf.value is None:
                test = f"not {old_text}" if truth else old_text
            else:
                texts = self.constant(wanted_texts(leaf))
                test = f"{old_text} and {old_text} {'in' if truth else 'not in'} {texts}"
            return f"({self._is_visible(raw)} and {self._is_visible(old)} and {test})"
        known = f"{text} and {self._is_visible(old)}"
        if leaf.operator == "changed":
            return f"({known} and {text} {'!=' if truth else '=='} {old_text})"
        number, earlier = self._number(leaf), self._number(leaf, before=True)
        limit = self.constant(ranking(leaf))
        was_below = f"({earlier} is not None and {earlier} < {limit} or not {old_text})"
        crossed = f"({number} >= {limit} and {was_below})"
        is_number = f"{number} is not None and {number} == {number}"
        return f"({known} and {is_number} and {crossed if truth else f'not {crossed}'})"


_RAISING = frozenset({"<", "<=", ">", ">="})
_TRUE = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FALSE = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
