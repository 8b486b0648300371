"""Every call to a vendor is counted here, and held back when its share of the day is used up.

One gate per system stands in the way of every request, whichever connector method makes it. The count survives a
crash: it is written ahead in small steps, so that after ``kill -9`` too many calls are counted rather than too few.
What the vendors say in their replies stands above our own count, for other tools use the same account.

Calls that are under way side by side pass the gate one by one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from zoneinfo import ZoneInfo

from agent.calls.budget import A_DAY, LANES, Day, Lane, Share, pause_that_lasts, room, room_in_account, room_in_share
from agent.calls.counts import CallCounts, Hours
from agent.connector import Allowance
from agent.errors import HeldBack
from agent.store import Clock

STEP = 25
"""Calls counted ahead of being made: one commit for so many, and so many too much after a crash at most."""

TOLD_FOR = timedelta(minutes=15)
"""How long a vendor's own figure is believed. After that one call is let through, and its reply tells anew."""

KEPT_HOURS = 50
"""More than any day of any account."""

PACE_HOURS = 6
"""The forecast goes on as the last hours went."""

FEWEST_CYCLES = 3
"""The first cycles after a start load, look for deletions and compare: they say nothing of an ordinary one."""

LONGEST_PAUSE = 3_600.0
"""A cycle is never put off longer than this to save calls."""

LANE_WORDS: Mapping[Lane, str] = {
    "undo": "undoing",
    "cycle": "looking for changes and writing what is new",
    "people": "people's orders",
    "update": "changing known records",
    "sweep": "the daily comparison",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one system's day stands. ``limit`` and what follows from it are None while the vendor has told nothing.

    ``used`` is what all apps have used as the vendor last said; ``ours`` is Truce's part, ``by_lane`` what it was for;
    ``share`` is what Truce may use; ``forecast`` what it will have used when the day ends if it goes on like this;
    ``held``: {lane: since when it may go on again} of those that are held back now.
    """

    system: str
    limit: int | None
    used: int | None
    ours: int
    by_lane: Mapping[str, int]
    share: int | None
    forecast: int
    day_rolls: bool
    ends_at: datetime
    held: Mapping[Lane, datetime]


class Meter:
    """The gate of one system. ``counts`` is None where nothing is kept (``truce doctor`` before the first run)."""

    def __init__(self, system: str, share: Share, clock: Clock, counts: CallCounts | None, *, day_rolls: bool) -> None:
        self.system = system
        self.share = share
        self.lane: Lane = "people"
        self.made = 0
        """Calls since this process began."""
        self._clock = clock
        self._counts = counts
        self._one_by_one = Lock()
        self._day_rolls = day_rolls
        now = self._hour()
        self._hours: Hours = counts.since(system, now - KEPT_HOURS) if counts else Counter()
        self._credit: Hours = Counter()
        told = counts.told(system) if counts else {}
        self._allowance = Allowance(told["limit"], told["used"]) if "limit" in told else None
        self._told_at = datetime.fromisoformat(told["at"]) if "at" in told else None
        self._zone = ZoneInfo(told.get("zone") or "UTC")

    # --- the gate ---

    def enter(self) -> None:
        with self._one_by_one:
            self._require()
            self._count()

    def require(self) -> None:
        """Raises HeldBack when no call can be made: before anything is begun that would need one."""
        with self._one_by_one:
            self._require()

    def left(self, lane: Lane) -> int | None:
        """Calls that this lane may still make today; None while the vendor has told no limit."""
        day = self._day(self._clock())
        return None if day is None else room(lane, self.share, day)

    def _require(self) -> None:
        now = self._clock()
        day = self._day(now)
        if day is not None and room(self.lane, self.share, day) <= 0:
            raise self._held_back(self.lane, day, now)

    def told(self, allowance: Allowance) -> None:
        with self._one_by_one:
            self._allowance = allowance
            self._told_at = self._clock()

    def lives_in(self, zone: str | None) -> None:
        """The account's time zone, in which its day ends."""
        self._zone = ZoneInfo(zone or "UTC")

    def settle(self) -> None:
        """Write the exact count down: at the end of a cycle, of an order, of the process."""
        with self._one_by_one:
            if self._credit:
                self._write({key: -number for key, number in self._credit.items()})
                self._credit.clear()

    # --- what it stands at ---

    def standing(self) -> Standing:
        now = self._clock()
        day = self._day(now)
        ours = self._ours(now)
        return Standing(
            system=self.system,
            limit=day.limit if day else None,
            used=day.used if day else None,
            ours=sum(ours.values()),
            by_lane={lane: ours[lane] for lane in LANES if ours[lane]},
            share=self.share.of(day.limit) if day else None,
            forecast=self._forecast(now),
            day_rolls=self._day_rolls,
            ends_at=self._ends_at(now),
            held={lane: self._free_at(lane, day, now) for lane in LANES if day and room(lane, self.share, day) <= 0},
        )

    def pause_for(self, cost: int) -> float:
        """Seconds that should lie between two cycles of this many calls, so that the day's share lasts to its end."""
        now = self._clock()
        day = self._day(now)
        if day is None:
            return 0.0
        left = (self._ends_at(now) - now).total_seconds()
        if self._day_rolls:
            day, left = Day(day.limit, None, 0), A_DAY
        calls = room("update", self.share, day) or room("cycle", self.share, day)
        return min(LONGEST_PAUSE, pause_that_lasts(cost, calls, left))

    def _day(self, now: datetime) -> Day | None:
        if self._allowance is None:
            return None
        is_fresh = self._told_at is not None and timedelta() <= now - self._told_at < TOLD_FOR
        is_of_today = self._day_rolls or (self._told_at is not None and self._told_at >= self._began_at(now))
        used = self._allowance.used if is_fresh and is_of_today else None
        return Day(self._allowance.limit, used, sum(self._ours(now).values()))

    def _ours(self, now: datetime) -> Counter[str]:
        first = _hour_of(self._began_at(now))
        lanes: Counter[str] = Counter()
        for (hour, lane), number in self._hours.items():
            if hour >= first:
                lanes[lane] += number
        return lanes

    def _began_at(self, now: datetime) -> datetime:
        """A rolling day leaves out the hour that is just ending: the vendor forgets it hour by hour, too."""
        if self._day_rolls:
            return now - timedelta(hours=23)
        here = now.astimezone(self._zone)
        return here.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def _ends_at(self, now: datetime) -> datetime:
        if self._day_rolls:
            return now + timedelta(days=1)
        tomorrow = now.astimezone(self._zone) + timedelta(days=1)
        return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def _forecast(self, now: datetime) -> int:
        last = _hour_of(now)
        begun = min((hour for hour, _ in self._hours), default=last)
        first = max(last - PACE_HOURS + 1, begun)
        recent = sum(number for (hour, _), number in self._hours.items() if hour >= first)
        hours = max(1.0, now.timestamp() / 3600 - first)
        if self._day_rolls:
            return round(recent / hours * 24)
        left = (self._ends_at(now) - now).total_seconds() / 3600
        return sum(self._ours(now).values()) + round(recent / hours * left)

    def _free_at(self, lane: Lane, day: Day, now: datetime) -> datetime:
        """When this lane may call again, as far as can be told."""
        free = now
        if room_in_account(lane, self.share, day) <= 0 and self._told_at is not None:
            free = min(self._told_at + TOLD_FOR, self._ends_at(now))
        if room_in_share(lane, self.share, day) <= 0:
            free = max(free, self._room_again_at(lane, day, now))
        return free

    def _room_again_at(self, lane: Lane, day: Day, now: datetime) -> datetime:
        if not self._day_rolls:
            return self._ends_at(now)
        ours = day.ours
        first = _hour_of(self._began_at(now))
        for hour in sorted({hour for hour, _ in self._hours if hour >= first}):
            ours -= sum(number for (when, _), number in self._hours.items() if when == hour)
            if room_in_share(lane, self.share, Day(day.limit, None, ours)) > 0:
                return datetime.fromtimestamp((hour + 24) * 3600, UTC)
        return now + timedelta(days=1)

    def _held_back(self, lane: Lane, day: Day, now: datetime) -> HeldBack:
        free = self._free_at(lane, day, now)
        if room_in_share(lane, self.share, day) <= 0:
            why = f"Truce made {day.ours:,} of the {self.share.of(day.limit):,} calls a day that are its share"
        else:
            why = f"all tools together made {day.used:,} of the account's {day.limit:,} calls a day"
        urgent = [LANE_WORDS[other] for other in LANES[: LANES.index(lane)]]
        kept = f"; what is left is kept for {' and for '.join(urgent)}" if urgent else ""
        return HeldBack(
            f"{self.system} has no calls left today for {LANE_WORDS[lane]}",
            system=self.system,
            retry_after=max(1.0, (free - now).total_seconds()),
            why=why + kept,
        )

    # --- counting ---

    def _count(self) -> None:
        key = self._hour(), self.lane
        if not self._credit[key]:
            self._write({key: STEP})
            self._credit[key] = STEP
        self._credit[key] -= 1
        self._hours[key] += 1
        self.made += 1

    def _write(self, counted: Mapping[tuple[int, str], int]) -> None:
        if self._counts is None:
            return
        told: dict[str, object] = {"zone": self._zone.key}
        if self._allowance is not None and self._told_at is not None:
            told |= {"limit": self._allowance.limit, "used": self._allowance.used, "at": self._told_at.isoformat()}
        self._counts.add(self.system, counted, told, self._hour() - KEPT_HOURS)

    def _hour(self) -> int:
        return _hour_of(self._clock())


def _hour_of(moment: datetime) -> int:
    return int(moment.timestamp() // 3600)


class Calls:
    """The gates of all systems, and what the calls of this moment are for."""

    def __init__(self, meters: Mapping[str, Meter]) -> None:
        self.meters = meters
        self._costs: dict[str, deque[int]] = {system: deque(maxlen=5) for system in meters}
        self._made_before: dict[str, int] = {}

    @contextmanager
    def lane(self, lane: Lane) -> Iterator[None]:
        """Every call inside is for this."""
        before = {system: meter.lane for system, meter in self.meters.items()}
        for meter in self.meters.values():
            meter.lane = lane
        try:
            yield
        finally:
            for system, meter in self.meters.items():
                meter.lane = before[system]

    @contextmanager
    def that_may_wait(self) -> Iterator[None]:
        """Inside a cycle, every call in here leaves some to what must not wait; for others it changes nothing."""
        is_cycle = all(meter.lane == "cycle" for meter in self.meters.values())
        with self.lane("update") if is_cycle else nullcontext():
            yield

    def left(self, system: str, lane: Lane) -> int | None:
        """Calls that may still be made for this today; None while the vendor has told no limit."""
        return self.meters[system].left(lane)

    def is_held_back(self, lane: Lane) -> bool:
        """Whether some system has no calls left for this today."""
        return any(self.left(system, lane) == 0 for system in self.meters)

    def require(self, system: str) -> None:
        """Raises HeldBack when this system must not be called now."""
        self.meters[system].require()

    def settle(self) -> None:
        """Write the exact counts down."""
        for meter in self.meters.values():
            meter.settle()

    def standings(self) -> list[Standing]:
        return [self.meters[system].standing() for system in sorted(self.meters)]

    def begin_cycle(self) -> None:
        self._made_before = {system: meter.made for system, meter in self.meters.items()}

    def pause_after_cycle(self) -> float:
        """Seconds that should lie between two cycles, by what the cheapest of the last ones cost: work that comes once
        is no reason to be slow."""
        pauses = [0.0]
        for system, meter in self.meters.items():
            costs = self._costs[system]
            costs.append(meter.made - self._made_before.get(system, 0))
            if len(costs) >= FEWEST_CYCLES:
                pauses.append(meter.pause_for(min(costs)))
        return max(pauses)
