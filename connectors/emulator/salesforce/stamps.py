"""Times as Salesforce writes them: UTC, whole seconds, ``+0000``."""

from __future__ import annotations

from datetime import UTC, datetime


def wire(at: datetime) -> str:
    return at.isoformat()[:19] + ".000+0000"


def grain(at: datetime) -> datetime:
    """Stamps have a grain of one second."""
    return at.replace(microsecond=0)


def read(text: str) -> datetime | None:
    """A datetime with an offset, in UTC and whole seconds; None when it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC).replace(microsecond=0) if at.tzinfo is not None else None
