"""Moments as people write them, ``Fri 17:00`` or ``2026-11-20``, read in the installation's own time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.decide.policy import PolicySet
from agent.errors import UsageError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AGO = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}

_AGO = re.compile(r"(\d{1,4}) (minute|hour|day|week)s? ago")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?")


def zone_of(policies: PolicySet) -> ZoneInfo:
    """The time zone of the people policy; UTC where none is written."""
    name = policies.people.time_zone if policies.people is not None else "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def read_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """``Fri 17:00`` (the last one), ``yesterday 9:00``, ``17:00``, ``2026-11-20 17:00``, ``2 days ago``,
    or a stamp as ``--json`` prints it → UTC.

    A day without a time is its beginning. In the night that has an hour twice the first is meant; a time that the
    clock skipped counts as if it had not been put forward yet (02:30 is then 03:30).

    Raises:
        UsageError: nothing of the kind, or a moment that is still to come.
    """
    moment = _read(text, now, zone)
    if moment > now:
        raise UsageError(f"{text!r} is still to come", next_step=_EXAMPLES)
    return moment


def _read(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    if _ISO.fullmatch(text.strip()):
        return _iso(text.strip(), zone)
    words = text.strip().lower()
    ago = _AGO.fullmatch(words)
    if ago is not None:
        return now - int(ago[1]) * AGO[ago[2]]
    day, clock = _parts(words, text)
    return _at(day, clock, now.astimezone(zone), zone)


def _iso(text: str, zone: ZoneInfo) -> datetime:
    """As our own JSON writes it; without an offset it is meant in ``zone``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text} is not in the calendar", next_step=_EXAMPLES) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def spoken(moment: datetime, zone: ZoneInfo) -> str:
    """``Fri 20 Nov 2026 17:00 CET``."""
    return moment.astimezone(zone).strftime("%a %d %b %Y %H:%M %Z")


_EXAMPLES = 'write it like "Fri 17:00", "yesterday 9:00", "2026-11-20 17:00" or "2 days ago"'


def _parts(words: str, text: str) -> tuple[str, time | None]:
    """(the day as written or empty, the time of day or None)."""
    parts = words.split()
    clock: time | None = None
    if parts and (found := _CLOCK.fullmatch(parts[-1])) is not None:
        hour, minute = int(found[1]), int(found[2])
        if hour > 23 or minute > 59:
            raise UsageError(f"{parts[-1]} is no time of day", next_step=_EXAMPLES)
        clock = time(hour, minute)
        parts = parts[:-1]
    if len(parts) > 1 or (not parts and clock is None):
        raise UsageError(f"{text!r} is no moment", next_step=_EXAMPLES)
    return (parts[0] if parts else ""), clock


def _at(day: str, clock: time | None, now: datetime, zone: ZoneInfo) -> datetime:
    if day in ("", "today", "yesterday"):
        on = now.date() - timedelta(days=day == "yesterday")
        moment = _moment(on, clock, zone)
        return moment if day or moment <= now else _moment(on - timedelta(days=1), clock, zone)
    if day[:3] in DAYS and day in _FULL_NAMES:
        on = now.date() - timedelta(days=(now.weekday() - DAYS.index(day[:3])) % 7)
        moment = _moment(on, clock, zone)
        return moment if moment <= now else _moment(on - timedelta(days=7), clock, zone)
    written = _DATE.fullmatch(day)
    if written is None:
        raise UsageError(f"{day!r} is no day", next_step=_EXAMPLES)
    try:
        return _moment(date(int(written[1]), int(written[2]), int(written[3])), clock, zone)
    except ValueError:
        raise UsageError(f"{day} is not in the calendar", next_step=_EXAMPLES) from None


def _moment(on: date, clock: time | None, zone: ZoneInfo) -> datetime:
    """``fold`` 0 is the first of two equal hours, and the offset before the jump for a skipped one."""
    return datetime.combine(on, clock or time(), zone).astimezone(UTC)


_FULL_NAMES = frozenset(
    name[:length]
    for name in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for length in (3, len(name))
)
