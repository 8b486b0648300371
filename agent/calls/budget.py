"""How much of a vendor's day Truce may use, and for what: arithmetic only.

An account's daily calls are shared with people's other tools, so Truce takes a share of them and no more. Inside the
share, what is more urgent always finds something left: whoever is less urgent stops earlier. An undo alone may go
beyond the share, until the vendor itself says no.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Lane = Literal["undo", "cycle", "people", "update", "sweep"]
"""What a call is for: undoing, and settling what was sent already; a cycle that looks for changes and writes what must
not wait (``agent.batch_order.goes_first``); what a person ordered; a cycle's other writes; looking for deletions that a
change query cannot show."""

LANES: tuple[Lane, ...] = get_args(Lane)
"""The most urgent first."""

SWEEP_LEAVES = 10
"""Percent of our share that a sweep leaves to everybody else: a day without a sweep harms nobody."""

A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Share:
    """Percent. ``ours``: of the account's daily calls; the others: of ours, kept for those and for who is more urgent.

    ``most``: never more calls a day than this, whatever the vendor allows; None: no such bound.
    """

    ours: int = 50
    for_undo: int = 20
    for_new: int = 5
    for_people: int = 10
    most: int | None = None

    def of(self, limit: int) -> int:
        """Calls a day that are ours when the account has ``limit``."""
        share = self.ours * limit // 100
        return share if self.most is None else min(share, self.most)

    def kept_from(self, lane: Lane, limit: int) -> int:
        """Calls of ours that this lane leaves to the more urgent ones when the account has ``limit``."""
        parts = (self.for_undo, self.for_new, self.for_people, SWEEP_LEAVES)
        kept = sum(parts[: LANES.index(lane)])
        return self.of(limit) * min(kept, 100) // 100


@dataclass(frozen=True, slots=True)
class Day:
    """Calls of the present day: the account's ``limit``, ``used`` of it by every app as the vendor last said (None when
    that is unknown or too old to count on), and ``ours`` among them."""

    limit: int
    used: int | None
    ours: int


def room_in_share(lane: Lane, share: Share, day: Day) -> int:
    """Calls that this lane may still make of our share; an undo knows no share."""
    if lane == "undo":
        return day.limit
    return max(0, share.of(day.limit) - share.kept_from(lane, day.limit) - day.ours)


def room_in_account(lane: Lane, share: Share, day: Day) -> int:
    """Calls that this lane may still make of what all apps together have left."""
    if day.used is None:
        return day.limit
    return max(0, day.limit - day.used - share.kept_from(lane, day.limit))


def room(lane: Lane, share: Share, day: Day) -> int:
    """Calls that this lane may still make today."""
    return min(room_in_share(lane, share, day), room_in_account(lane, share, day))


def pause_that_lasts(cost: int, calls: int, seconds: float) -> float:
    """Seconds between two cycles of ``cost`` calls each, so that ``calls`` last for ``seconds``; 0 when nothing is."""
    if cost <= 0 or seconds <= 0:
        return 0.0
    return seconds * cost / max(calls, 1)
