"""Keeps us under HubSpot's limits: searches per second and account, calls in rolling ten seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

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

    Calls under way have not been told of yet, so they count as gone. Where little is left, calls go one at a time with
    a breath before each. The window rolls on HubSpot's clock. If that clock has not moved during a breath of ours (a
    practice portal on a virtual clock), waiting cannot help, and no further breath is taken until it moves.
    """

    sleep: Sleep
    left: int | None = None
    at: datetime | None = None
    _begun: int = 0
    _under_way: int = 0
    _last_told: int = 0
    _stands_still: bool = False
    _known: Lock = field(default_factory=Lock)
    _scarce: Lock = field(default_factory=Lock)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Around one call. Begins when it may be made."""
        turn = self._begin()
        if turn is None:
            with self._scarce:
                turn = self._begin()
                if turn is None:
                    before = self.at
                    self.sleep(BREATH_SECONDS)
                    with self._ending(self._begin_after(before)) as turn:
                        yield turn
                    return
        with self._ending(turn):
            yield turn

    def note(self, turn: Turn, left: int | None, at: datetime | None) -> None:
        """What the reply to this call said: calls left (a search says nothing) and the time there."""
        with self._known:
            if turn.has_waited:
                self._stands_still = at == turn.before
            elif at != self.at:
                self._stands_still = False
            self.at = at
            if left is not None and turn.number > self._last_told:  # a reply overtaken by a later one is out of date
                self.left, self._last_told = left, turn.number

    def _begin(self) -> Turn | None:
        """A call that may be made now; None where little is left."""
        with self._known:
            is_enough = self.left is None or self.left - self._under_way >= KEPT_FREE
            return self._next() if is_enough or self._stands_still else None

    def _begin_after(self, before: datetime | None) -> Turn:
        with self._known:
            return self._next(has_waited=True, before=before)

    def _next(self, *, has_waited: bool = False, before: datetime | None = None) -> Turn:
        self._begun += 1
        self._under_way += 1
        return Turn(self._begun, has_waited, before)

    @contextmanager
    def _ending(self, turn: Turn) -> Iterator[Turn]:
        try:
            yield turn
        finally:
            with self._known:
                self._under_way -= 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One call that was let through. ``before``: the time there before the breath it ``has_waited`` for."""

    number: int
    has_waited: bool
    before: datetime | None


@dataclass(slots=True)
class Pace:
    """At most ``limit`` turns begin within any ``period`` seconds; a turn too early waits."""

    seconds: Seconds
    sleep: Sleep
    limit: int = SEARCHES
    period: float = SEARCH_SECONDS
    _begun: deque[float] = field(default_factory=deque)
    _one_by_one: Lock = field(default_factory=Lock)

    def wait(self) -> None:
        """Return when the next turn may begin, and count it. Of several threads, one waits and the others behind it."""
        with self._one_by_one:
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
