"""Conditions walked as a tree: does one hold, and if not, which line was the first to fail, on which value.

The walk and the compiled function (``conditions_compile``) must agree; a property test holds them together.
"""

from __future__ import annotations

import operator as op
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from math import nan
from typing import NamedTuple

from agent.decide.conditions_tree import FLAGS, AnyOf, Condition, Leaf, Not
from agent.decide.conditions_values import (
    ABSENT,
    NO,
    YES,
    is_number,
    moment_of,
    number_of,
    rank_of,
    ranks,
    start_of,
    text_of,
)
from agent.decide.durations import Span, shifted

Values = Mapping[str, object]

_LOOKING_BACK = ("crossed", "changed", "was")
_ORDERINGS: Mapping[str, Callable[[float, float], bool]] = {
    "=": op.eq,
    "!=": op.ne,
    "<": op.lt,
    "<=": op.le,
    ">": op.gt,
    ">=": op.ge,
}

NOTHING: Mapping[str, object] = {}


class Explanation(NamedTuple):
    """Why a condition holds or not. ``leaf`` is the first line that failed and ``value`` what stood there.

    ``before``: what stood there when last settled, for a line that looks back. ``is_negated``: the line stands under a
    ``not:``.
    """

    leaf: Leaf | None = None
    value: object = None
    before: object = ABSENT
    is_negated: bool = False

    @property
    def holds(self) -> bool:
        return self.leaf is None

    @property
    def is_blank(self) -> bool:
        """That value was blank, which people count separately ("skipped: blank")."""
        return self.leaf is not None and _is_blank(self.value)

    @property
    def sentence(self) -> str:
        if self.leaf is None:
            return "every condition is met"
        return _sentence(self.leaf, self.value, self.is_negated, self.before)


_MET = Explanation()


def holds(condition: Condition, values: Values, now: datetime, previous: Values | None = None) -> bool:
    """Whether the condition is true of these values. ``now`` is aware."""
    return _truth(condition, values, now, previous or NOTHING) is True


def explain(condition: Condition, values: Values, now: datetime, previous: Values | None = None) -> Explanation:
    """The same answer with its reason: the first line that failed and the value it met."""
    before = previous or NOTHING
    if _truth(condition, values, now, before) is True:
        return _MET
    leaf, is_negated = _first_failing(condition, values, now, before, wanted=True)
    value = values.get(leaf.field, False if leaf.field in FLAGS else ABSENT)
    looks_back = leaf.operator in _LOOKING_BACK
    return Explanation(leaf, value, before.get(leaf.field, ABSENT) if looks_back else ABSENT, is_negated)


def _truth(condition: Condition, values: Values, now: datetime, previous: Values) -> bool | None:
    """True, False, or None where a blank or invisible value leaves it open."""
    if isinstance(condition, Leaf):
        return _leaf_truth(condition, values, now, previous)
    if isinstance(condition, Not):
        inner = _truth(condition.part, values, now, previous)
        return None if inner is None else not inner
    truths = [_truth(part, values, now, previous) for part in condition.parts]
    decisive = isinstance(condition, AnyOf)
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _first_failing(
    condition: Condition, values: Values, now: datetime, previous: Values, *, wanted: bool
) -> tuple[Leaf, bool]:
    """The first leaf that keeps ``condition`` from being ``wanted``, and whether it stands under a ``not:``."""
    if isinstance(condition, Leaf):
        return condition, not wanted
    if isinstance(condition, Not):
        return _first_failing(condition.part, values, now, previous, wanted=not wanted)
    for part in condition.parts:
        if _truth(part, values, now, previous) is not wanted:
            return _first_failing(part, values, now, previous, wanted=wanted)
    raise AssertionError("a condition that fails has a part that fails")


def _sentence(leaf: Leaf, value: object, is_negated: bool, before: object) -> str:
    line = f"`not: {leaf.text}`" if is_negated else f"`{leaf.text}`"
    if leaf.field in FLAGS:
        return f"{line} is not met"
    if value is ABSENT:
        return f"{line} is not met: {leaf.field} is not visible"
    seen = "blank" if _is_blank(value) else f'"{value}"' if isinstance(value, str) else text_of(value)
    if leaf.operator in _LOOKING_BACK:
        then = "not known" if before is ABSENT else "blank" if _is_blank(before) else f'"{before}"'
        return f"{line} is not met: {leaf.field} is {seen}, before it was {then}"
    return f"{line} is not met: {leaf.field} is {seen}"


def _is_blank(value: object) -> bool:
    return not isinstance(value, int | float) and value is not ABSENT and text_of(value) is None


def _leaf_truth(leaf: Leaf, values: Values, now: datetime, previous: Values) -> bool | None:
    if leaf.field in FLAGS:
        return values.get(leaf.field, False) is True
    value = values.get(leaf.field, ABSENT)
    if value is ABSENT:
        return None
    if leaf.operator == "is blank":
        return _is_blank(value)
    if leaf.operator == "is filled":
        return not _is_blank(value)
    if leaf.operator == "was":
        return _was(leaf, previous.get(leaf.field, ABSENT))
    if _is_blank(value):
        return True if leaf.or_blank and leaf.operator not in _LOOKING_BACK else None
    if leaf.operator == "changed":
        return _changed(value, previous.get(leaf.field, ABSENT))
    if leaf.operator == "crossed":
        return _crossed(leaf, value, previous.get(leaf.field, ABSENT))
    return _compared(leaf, value, now)


def _was(leaf: Leaf, before: object) -> bool | None:
    """About the value before; a blank before matches only ``was blank``."""
    if before is ABSENT:
        return None
    if leaf.value is None:
        return _is_blank(before)
    return None if _is_blank(before) else text_of(before) in wanted_texts(leaf)


def _changed(value: object, before: object) -> bool | None:
    return None if before is ABSENT else text_of(before) != text_of(value)


def _crossed(leaf: Leaf, value: object, before: object) -> bool | None:
    """Reached from below. Coming from blank counts: a first score of 70 has crossed 60."""
    if before is ABSENT:
        return None
    limit, reached, earlier = ranking(leaf), _rank(leaf, value), _rank(leaf, before)
    if not is_number(reached):
        return None
    return reached >= limit and (earlier < limit or text_of(before) is None)


def _rank(leaf: Leaf, value: object) -> float:
    return rank_of(value, ranks(leaf.order)) if leaf.order else number_of(value)


def ranking(leaf: Leaf) -> float:
    """The number an ordering line compares with: itself, or the place of its stage in the funnel."""
    if leaf.order:
        return rank_of(leaf.value, ranks(leaf.order))
    return float(leaf.value) if isinstance(leaf.value, int | float) else nan


def wanted_texts(leaf: Leaf) -> frozenset[str]:
    """The texts that ``is``, ``is one of`` and ``was`` accept.

    A yes/no word accepts its other spelling too.
    """
    options = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    texts = frozenset(text for option in options if (text := text_of(option)) is not None)
    if leaf.type in (None, "boolean"):
        for words in (YES, NO):
            texts |= words if texts & words else frozenset()
    return texts


def _compared(leaf: Leaf, value: object, now: datetime) -> bool | None:
    operator = leaf.operator
    if operator in ("is", "is one of"):
        return text_of(value) in wanted_texts(leaf)
    if operator in ("is not", "is not one of"):
        return text_of(value) not in wanted_texts(leaf)
    if operator in ("contains", "starts with"):
        text, part = text_of(value) or "", text_of(leaf.value) or ""
        return part in text if operator == "contains" else text.startswith(part)
    if isinstance(leaf.value, Span):
        return _between(moment_of(value, now), *window(leaf, now))
    if isinstance(leaf.value, date):
        inside = _between(moment_of(value, now), *day_window(leaf))
        return not inside if operator == "!=" and inside is not None else inside
    return _ordered(operator, _rank(leaf, value), ranking(leaf))


def _between(moment: float, earliest: float, latest: float) -> bool | None:
    return earliest <= moment < latest if is_number(moment) else None


def _ordered(operator: str, number: float, limit: float) -> bool | None:
    if not is_number(number):
        return None
    return _ORDERINGS[operator](number, limit)


_FOREVER = 1e18
_INSTANT = timedelta(microseconds=1)
"""Windows are half open; an inclusive end is the next representable moment."""


def window(leaf: Leaf, now: datetime) -> tuple[float, float]:
    """[earliest, latest) of a line with a duration, in seconds since 1970."""
    span = leaf.value
    assert isinstance(span, Span)
    past, future = moment_of(shifted(now, span, -1), now), moment_of(shifted(now, span, 1) + _INSTANT, now)
    just_after_past = moment_of(shifted(now, span, -1) + _INSTANT, now)
    just_after_now = moment_of(now + _INSTANT, now)
    windows = {
        "more than ago": (-_FOREVER, past),
        "less than ago": (just_after_past, just_after_now),
        "within last": (past, just_after_now),
        "within next": (moment_of(now, now), future),
        "within": (past, future),
    }
    return windows[leaf.operator]


def day_window(leaf: Leaf) -> tuple[float, float]:
    """[earliest, latest) of a comparison with a calendar day; for ``!=`` the day that is left out."""
    day = leaf.value
    assert isinstance(day, date)
    start, end = start_of(day), start_of(day + timedelta(days=1))
    windows = {
        "=": (start, end),
        "!=": (start, end),
        "<": (-_FOREVER, start),
        "<=": (-_FOREVER, end),
        ">": (end, _FOREVER),
        ">=": (start, _FOREVER),
    }
    return windows[leaf.operator]
