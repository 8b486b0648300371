"""Literals in the type of their field, and the spans of time that date words mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.schema import Field
from connectors.emulator.salesforce.soql.lexer import SoqlError, caret, malformed
from connectors.emulator.salesforce.soql.tree import Value
from connectors.emulator.salesforce.stamps import read

SPOKEN_TYPES = {"datetime": "dateTime", "int": "int", "double": "double", "currency": "double", "percent": "double"}


@dataclass(frozen=True, slots=True)
class Span:
    """What a date word means: from ``start`` up to, not including, ``end``, in the type of the compared field."""

    start: Any
    end: Any


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a query runs: date words follow the user's own time zone, weeks begin on Sunday."""

    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)


def typed(text: str, item: Field, value: Value, moment: Moment) -> Any:
    """The value to compare with.

    Raises:
        SoqlError: quoted where it must not be, unquoted where it must be, no id, or of another type.
    """
    if value.kind == "null":
        return None
    if value.kind == "date word":
        return _span(text, item, value, moment)
    if value.kind == "string":
        return _string(text, item, value)
    if value.kind == "datetime":
        at = read(str(value.value)) if item.type == "datetime" else None
        if at is None:
            raise _mismatch(text, item, value)
        return at
    fits = {"date": ("date",), "number": ("int", "double", "currency", "percent"), "boolean": ("boolean",)}
    if item.type not in fits[value.kind]:
        raise _mismatch(text, item, value)
    return value.value


def _string(text: str, item: Field, value: Value) -> Any:
    spoken = str(value.value)
    if item.is_id:
        record_id = full_id(spoken)
        if spoken and record_id is None:
            message = f"{caret(text, value.column)}invalid ID field: {spoken}"
            raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", message)
        return record_id
    if item.is_number or item.type in ("boolean", "date", "datetime"):
        raise _mismatch(text, item, value)
    return spoken.lower() or None  # an empty text is null in Salesforce


def _mismatch(text: str, item: Field, value: Value) -> SoqlError:
    quotes = "should not be enclosed in quotes"
    if not (item.is_number or item.type in ("boolean", "date", "datetime")):
        quotes = "should be enclosed in quotes"
    kind = SPOKEN_TYPES.get(item.type, item.type if item.type in ("boolean", "date", "id", "reference") else "string")
    message = f"value of filter criterion for field '{item.name}' must be of type {kind} and {quotes}"
    return SoqlError("INVALID_FIELD", caret(text, value.column) + message)


def _span(text: str, item: Field, value: Value, moment: Moment) -> Span:
    if item.type not in ("date", "datetime"):
        raise _mismatch(text, item, value)
    try:
        start, end = days_of(str(value.value), value.count or 0, moment.today)
    except (OverflowError, ValueError):
        raise malformed(text, value.column, f"date literal out of range: {value.value}:{value.count}") from None
    if item.type == "date":
        return Span(start.isoformat(), end.isoformat())
    return Span(moment.midnight(start), moment.midnight(end))


def days_of(word: str, count: int, today: date) -> tuple[date, date]:
    """First day, and the day after the last one."""
    day = timedelta(days=1)
    fixed = {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}
    if word in fixed:
        start = today + fixed[word] * day
        return start, start + day
    word = word.replace("FISCAL_", "")
    if word == "N_DAYS_AGO":
        return today - count * day, today - count * day + day
    if word.endswith("_AGO"):
        start_of = _PERIODS[word.removeprefix("N_").removesuffix("S_AGO")]
        return start_of(today, -count), start_of(today, 1 - count)
    if word in ("LAST_90_DAYS", "LAST_N_DAYS"):
        return today - (90 if word == "LAST_90_DAYS" else count) * day, today + day
    if word in ("NEXT_90_DAYS", "NEXT_N_DAYS"):
        return today + day, today + ((90 if word == "NEXT_90_DAYS" else count) + 1) * day
    when, _, period = word.partition("_")
    if period.startswith("N_"):
        period, steps = period.removeprefix("N_").removesuffix("S"), (-count, 0) if when == "LAST" else (1, count + 1)
    else:
        steps = {"LAST": (-1, 0), "THIS": (0, 1), "NEXT": (1, 2)}[when]
    start_of = _PERIODS[period]
    return start_of(today, steps[0]), start_of(today, steps[1])


def _week(today: date, steps: int) -> date:
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    return sunday + timedelta(weeks=steps)


def _month(today: date, steps: int) -> date:
    months = today.year * 12 + today.month - 1 + steps
    return date(months // 12, months % 12 + 1, 1)


def _quarter(today: date, steps: int) -> date:
    return _month(today.replace(month=(today.month - 1) // 3 * 3 + 1), steps * 3)


def _year(today: date, steps: int) -> date:
    return date(today.year + steps, 1, 1)


_PERIODS: dict[str, Callable[[date, int], date]] = {
    "WEEK": _week,
    "MONTH": _month,
    "QUARTER": _quarter,
    "YEAR": _year,
}
