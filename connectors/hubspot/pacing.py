"""Keeps us under HubSpot's limits: searches per second and account, calls in rolling ten seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

Seconds = Callable[[], float]
Sleep = Callable[[float], object]

SEARCHES = 5
SEARCH_SECONDS = 1.05
"""The five searches a second that an account has, in a twentieth of a second more: so much may the way there vary.
A colleague's search in the same second makes one of ours come too soon, and that one is asked again."""

KEPT_FREE = 15
"""Calls of the rolling ten seconds left to our own next process and to surprises."""

BREATH_SECONDS = 1.0


@dataclass(slots=True)
class Rolling:
    """Follows what HubSpot says is left of the rolling ten seconds, so that our own haste never causes a 429.

    The window rolls on HubSpot's clock. If that clock has not moved during a breath of ours (a practice portal on a
    virtual clock), waiting cannot help, and no further breath is taken until it moves.
    """

    sleep: Sleep
    left: int | None = None
    at: datetime | None = None
    _stands_still: bool = False
    _has_waited: bool = False

    def wait(self) -> None:
        """Take a breath when little is left."""
        self._has_waited = self.left is not None and self.left < KEPT_FREE and not self._stands_still
        if self._has_waited:
            self.sleep(BREATH_SECONDS)

    def note(self, left: int | None, at: datetime | None) -> None:
        """What a reply said: calls left (a search says nothing) and the time there."""
        has_moved = at != self.at
        self._stands_still = not has_moved and (self._stands_still or self._has_waited)
        self.at = at
        if left is not None:
            self.left = left


@dataclass(slots=True)
class Pace:
    """At most ``limit`` turns begin within any ``period`` seconds; a turn too early waits."""

    seconds: Seconds
    sleep: Sleep
    limit: int = SEARCHES
    period: float = SEARCH_SECONDS
    _begun: deque[float] = field(default_factory=deque)

    def wait(self) -> None:
        """Return when the next turn may begin, and count it."""
        while len(self._begun) >= self.limit:
            left = self._begun[0] + self.period - self.seconds()
            if left <= 0:
                self._begun.popleft()
            else:
                self.sleep(left)
        self._begun.append(self.seconds())

    def rest(self) -> None:
        """Let a whole period pass: somebody else has used up the turns of this one."""
        self.sleep(self.period)
