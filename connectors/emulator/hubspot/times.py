"""Moments as HubSpot writes and reads them: UTC, milliseconds, ``Z``; or epoch milliseconds as text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DAY_MILLISECONDS = 86_400_000
_NUMBER = re.compile(r"-?\d{1,17}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@lru_cache(maxsize=10_000)
def wire(at: datetime) -> str:
    """``at`` is UTC, as the emulator's clock gives it. A record shows its two moments five times."""
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def milliseconds(at: datetime) -> int:
    return (at - EPOCH) // MILLISECOND


def from_milliseconds(number: int) -> datetime:
    return EPOCH + timedelta(milliseconds=number)


def read_moment(text: str) -> datetime | None:
    """Epoch milliseconds, a day, or ISO with an offset; None when it is none of these."""
    try:
        if _NUMBER.fullmatch(text):
            return from_milliseconds(int(text))
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, OverflowError):
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None


def read_day(text: str) -> tuple[date, bool] | None:
    """(the day, whether the text was exactly a day or its midnight UTC); None when it is no date."""
    at = read_moment(text)
    if at is None:
        return None
    return at.date(), at == datetime(at.year, at.month, at.day, tzinfo=UTC)
