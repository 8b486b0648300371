"""Keeps us under HubSpot's limits: searches per second and account, calls in rolling ten seconds."""

from __future__ import annotations

from bisect import bisect_right, insort
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

WINDOW_SECONDS = 10.0
"""HubSpot counts the calls of rolling ten seconds."""

UNSURE_SECONDS = 0.05
"""The way there is not always equally long: a call so close to the window's edge may be counted or not."""

KEPT_FREE = 8
"""Calls of the rolling ten seconds left to surprises and to our own next process, which makes so many at once."""

DATE_SECONDS = 1.0
"""HubSpot tells the time in whole seconds: a shorter breath cannot show whether its clock moves."""

BREATH_SECONDS = 2.0
"""The longest pause before a call where little is left. Five calls at most are made in ten seconds of little."""


@dataclass(slots=True)
class Rolling:
    """Follows what HubSpot says is left of the rolling ten seconds, so that our own haste never causes a 429.

    Calls under way have not been told of yet, so they count as gone; calls of ours that have become older than the
    window since HubSpot last told count as free again. Where little is left, calls go one at a time with a breath
    before each: until our next call becomes free, if that is soon. The window rolls on HubSpot's clock. If that clock
    has not moved during a breath of ours (a practice portal on a virtual clock), waiting cannot help, and no further
    breath is taken until it moves.
    """

    seconds: Seconds
    sleep: Sleep
    left: int | None = None
    at: datetime | None = None
    _begun: int = 0
    _under_way: int = 0
    _last_told: int = 0
    _counted: list[float] = field(default_factory=list)
    """When those calls of ours began that HubSpot had in its count; oldest first. Searches tell of no count."""
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
                    before, breath = self.at, self._breath()
                    self.sleep(breath)
                    with self._ending(self._begin_after(before, breath)) as turn:
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
            if left is None:
                return
            insort(self._counted, turn.began)
            if self.left is not None and turn.number < self._last_told:
                self.left = min(self.left, left)  # overtaken on one of the two ways: only less is news
            else:
                self.left, self._last_told = left, turn.number
                del self._counted[: bisect_right(self._counted, turn.began - WINDOW_SECONDS + UNSURE_SECONDS)]

    def _begin(self) -> Turn | None:
        """A call that may be made now; None where little is left."""
        with self._known:
            is_enough = self.left is None or self.left + self._free_again() - self._under_way >= KEPT_FREE
            return self._next() if is_enough or self._stands_still else None

    def _begin_after(self, before: datetime | None, breath: float) -> Turn:
        with self._known:
            return self._next(has_waited=breath >= DATE_SECONDS, before=before)

    def _next(self, *, has_waited: bool = False, before: datetime | None = None) -> Turn:
        self._begun += 1
        self._under_way += 1
        return Turn(self._begun, self.seconds(), has_waited, before)

    def _free_again(self) -> int:
        """Calls of ours that have left the window since HubSpot last told."""
        return bisect_right(self._counted, self.seconds() - WINDOW_SECONDS - UNSURE_SECONDS)

    def _breath(self) -> float:
        """Seconds until one more call of ours has left the window, as far as that is soon."""
        with self._known:
            now = self.seconds()
            still_counted = self._counted[self._free_again() :]
            next_one = still_counted[0] if still_counted else now
            return min(BREATH_SECONDS, next_one + WINDOW_SECONDS + UNSURE_SECONDS - now)

    @contextmanager
    def _ending(self, turn: Turn) -> Iterator[Turn]:
        try:
            yield turn
        finally:
            with self._known:
                self._under_way -= 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One call that was let through, and when. ``has_waited``: long enough before that the time there, which was
    ``before``, must have moved on."""

    number: int
    began: float
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
