"""Keeps our own searches under HubSpot's limit: five per second and account, shared with every other app."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Seconds = Callable[[], float]
Sleep = Callable[[float], object]

SEARCHES_PER_SECOND = 4
"""One below the limit, so that latency jitter and a colleague's search still fit."""


KEPT_FREE = 15
"""Calls of the rolling ten seconds left to people, to other apps and to our own next process."""

BREATH_SECONDS = 1.0


@dataclass(slots=True)
class Allowance:
    """Follows what HubSpot says is left of the rolling window, so that our own haste never causes a 429."""

    sleep: Sleep
    left: int | None = None

    def note(self, left: int | None) -> None:
        if left is not None:
            self.left = left

    def wait(self) -> None:
        """Take a breath when little is left; the window rolls on meanwhile."""
        if self.left is not None and self.left < KEPT_FREE:
            self.sleep(BREATH_SECONDS)


@dataclass(slots=True)
class Pace:
    """At most ``limit`` turns begin within any ``period`` seconds; a turn too early waits."""

    seconds: Seconds
    sleep: Sleep
    limit: int = SEARCHES_PER_SECOND
    period: float = 1.0
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
