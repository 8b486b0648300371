"""How long to leave alone what just failed: pauses that double, and are over with the first success."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.errors import AccessDenied, ConnectorError, HeldBack, TruceError, Unavailable

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_ASKED = timedelta(hours=24)
"""HubSpot's 477 may ask for a day; more is a mistake."""

OUR_MISTAKE = "Truce made a mistake of its own"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Open after a failure, until ``until``. ``system`` is the vendor that failed, or empty."""

    failures: int = 0
    system: str = ""
    since: datetime | None = None
    until: datetime | None = None
    what: str = ""
    why: str = ""
    next_step: str = ""
    is_our_own: bool = False
    """We hold calls back ourselves: what is more urgent may still be tried."""

    def leaves_alone(self, now: datetime) -> bool:
        """Whether the vendor named is not to be called at all now."""
        return bool(self.system) and not self.is_our_own and self.until is not None and now < self.until

    @property
    def is_open(self) -> bool:
        return self.failures > 0

    def after(self, error: Exception, now: datetime) -> Breaker:
        """The breaker once more has failed. What our own mistakes say is left out: it may hold a record's values."""
        failures = self.failures + 1
        known = error if isinstance(error, TruceError) else None
        return Breaker(
            failures=failures,
            system=error.system if isinstance(error, ConnectorError) else "",
            since=self.since or now,
            until=now + pause_after(error, failures),
            what=known.what if known else OUR_MISTAKE,
            why=known.why if known else type(error).__name__,
            next_step=known.next_step if known else "look into the log, and report what it says",
            is_our_own=isinstance(error, HeldBack),
        )


def pause_after(error: Exception, failures: int) -> timedelta:
    """5 s, 10 s, 20 s … 5 minutes; what the vendor asked for when that is longer; a refused login waits at once."""
    if isinstance(error, AccessDenied):
        return LONGEST_PAUSE
    if isinstance(error, HeldBack) and error.retry_after is not None:
        return min(LONGEST_ASKED, timedelta(seconds=error.retry_after))
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(failures - 1, 10)))
    asked = error.retry_after if isinstance(error, Unavailable) else None
    return max(pause, min(LONGEST_ASKED, timedelta(seconds=asked))) if asked else pause
