"""Which day a value means. A plain date is a day anywhere; an instant is a day only in some time zone.

Salesforce's dates are plain. HubSpot's are plain too, written ``YYYY-MM-DD`` or as milliseconds at midnight UTC; its
close date is an instant, and late in the evening in New York it is the next day in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_IN_MILLISECONDS = 86_400_000
_FEWEST_DIGITS = 11
"""Shorter numbers are hardly milliseconds since 1970, unless they are whole days."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZONE = re.compile(r"[A-Za-z]+(?:[/_+-][A-Za-z0-9_+-]+)*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MILLISECONDS = re.compile(r"-?\d{1,16}", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s?(Z|[+-]\d{2}:?\d{2})?", re.ASCII | re.IGNORECASE
)


def is_zone(name: str) -> bool:
    """Is it in the packaged list of zones? Nothing is read from a path the author could choose."""
    return zone_called(name) is not None


@lru_cache(maxsize=64)
def zone_called(name: str) -> ZoneInfo | None:
    """The time zone of this name; None where there is none."""
    if not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def day_in(text: str, zone: str | None) -> date | None:
    """The day a value means in this zone; None for no date, and for an instant where no zone is named."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        if _MILLISECONDS.fullmatch(text) and int(text) % DAY_IN_MILLISECONDS == 0:
            return (_EPOCH + timedelta(milliseconds=int(text))).date()
        moment = instant_in(text)
        if moment is None:
            return None
        if moment.tzinfo is None:
            return moment.date()
        there = zone_called(zone) if zone is not None else None
        return moment.astimezone(there).date() if there is not None else None
    except (ValueError, OverflowError):
        return None


def instant_in(text: str) -> datetime | None:
    """A date with a time of day; without a zone if none is written. None for anything else, plain dates included."""
    if _MILLISECONDS.fullmatch(text):
        long_enough = len(text.lstrip("-")) >= _FEWEST_DIGITS
        return _EPOCH + timedelta(milliseconds=int(text)) if long_enough else None
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper().replace(" Z", "Z"))
    except ValueError:
        return None


def start_of(day: date, zone: str | None) -> datetime:
    """The first moment of a day in this zone, in UTC (without a zone: of the day in UTC).

    Where the clock is put forward at midnight the day begins an hour later; where midnight comes twice, with the first.
    """
    there = zone_called(zone) if zone is not None else None
    return datetime.combine(day, time.min, tzinfo=there or UTC).astimezone(UTC)
