"""Durations in words: ``14 days``, ``3 working days``, ``2 hours``. Working days are Monday to Friday."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

UNITS = ("minutes", "hours", "days", "working days", "weeks", "months")
WORDS = "14 days, 3 working days, 2 hours, 6 weeks, 3 months"

_PATTERN = re.compile(r"(?P<count>\d{1,5})\s+(?P<unit>minute|hour|working day|day|week|month)s?", re.IGNORECASE)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as a person says it; ``unit`` is one of UNITS."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count} {self.unit if self.count != 1 else self.unit[:-1]}"


def find_span(text: str) -> Span | None:
    """``14 days`` → Span(14, "days"); None when the words are not a duration."""
    match = _PATTERN.fullmatch(" ".join(text.split()))
    return Span(int(match["count"]), match["unit"].lower() + "s") if match else None


def shifted(moment: datetime, span: Span, direction: int) -> datetime:
    """``moment`` moved into the past (direction -1) or future (+1) by the span."""
    if span.unit == "working days":
        return _by_working_days(moment, span.count, direction)
    if span.unit == "months":
        return _by_months(moment, span.count * direction)
    return moment + direction * timedelta(**{span.unit: span.count})


def _by_working_days(moment: datetime, count: int, direction: int) -> datetime:
    """Whole weeks at once, then day by day; a weekend day itself does not count."""
    weeks, rest = divmod(count, 5)
    moment += direction * timedelta(weeks=weeks)
    while rest:
        moment += timedelta(days=direction)
        if moment.weekday() < _SATURDAY:
            rest -= 1
    return moment


def _by_months(moment: datetime, months: int) -> datetime:
    """The same day of another month, or that month's last day."""
    total = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(total, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
