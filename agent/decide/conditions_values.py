"""How one value is looked at by a condition: as text, as a number, as a moment, or as blank.

Numbers and moments use NaN for "not one", because every comparison with NaN is false: a line about a value
that is not a number is then neither true nor its opposite.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from math import inf, isnan, nan
from typing import Final

YES: Final = frozenset({"true", "yes"})
NO: Final = frozenset({"false", "no"})

_SMALLEST_EPOCH_MILLIS = 10**11
_ISO_DATE_LENGTH = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Absent:
    """Stands for a value that was not visible; never equal to a blank."""

    def __repr__(self) -> str:
        return "not visible"


ABSENT: Final = Absent()


def text_of(value: object) -> str | None:
    """Case-insensitive text, or None for a blank. A whole number has no decimal point."""
    if isinstance(value, str):
        return value.casefold() or None
    if value is None or value is ABSENT:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat().casefold()
    if isinstance(value, list | tuple | set | frozenset):
        return ";".join(sorted(part for item in value if (part := text_of(item)) is not None)) or None
    return str(value).casefold()


def number_of(value: object) -> float:
    """A number, or NaN. HubSpot sends numbers as text; yes counts as 1 and no as 0."""
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or "_" in value:
        return nan
    try:
        number = float(value)
    except ValueError:
        return nan
    return nan if number in (inf, -inf) else number


def moment_of(value: object, now: datetime) -> float:
    """Seconds since 1970, or NaN. ``now`` is aware.

    A date without a time is taken at the time of day of ``now`` (UTC), so that differences count whole days.
    """
    if isinstance(value, str):
        return _moment_of_text(value.strip(), now)
    if isinstance(value, datetime):
        return _seconds(value)
    if isinstance(value, date):
        return _seconds(datetime.combine(value, now.astimezone(UTC).timetz()))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1000 if abs(value) >= _SMALLEST_EPOCH_MILLIS else nan
    return nan


def _moment_of_text(text: str, now: datetime) -> float:
    if text.isascii() and text.isdigit():
        return moment_of(int(text), now) if len(text) <= len("1000000000000000") else nan
    try:
        if len(text) == _ISO_DATE_LENGTH:
            return moment_of(date.fromisoformat(text), now)
        return _seconds(datetime.fromisoformat(text))
    except ValueError:
        return nan


def _seconds(moment: datetime) -> float:
    """Exact for every year; ``datetime.timestamp`` is not for years near the ends of the calendar."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) / timedelta(seconds=1)


def start_of(day: date) -> float:
    """The first second of a day (UTC)."""
    return _seconds(datetime(day.year, day.month, day.day, tzinfo=UTC))


def rank_of(value: object, order: Mapping[str, int]) -> float:
    """Place of a stage in funnel order, or NaN. ``order`` is keyed by case-insensitive text."""
    text = text_of(value)
    return nan if text is None else order.get(text, nan)


def is_number(number: float) -> bool:
    return not isnan(number)


def ranks(order: tuple[str, ...]) -> dict[str, int]:
    """{stage in case-insensitive text: place}."""
    return {name.strip().casefold(): index for index, name in enumerate(order)}
