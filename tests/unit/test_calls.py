"""How many calls of a day are ours, and who may still make one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.calls.budget import LANES, Day, Share, pause_that_lasts, room
from agent.calls.calls import STEP, TOLD_FOR, Calls, Meter
from agent.calls.counts import CallCounts
from agent.connector import Allowance
from agent.errors import HeldBack
from agent.ledger.ledger import LEDGER_TABLES
from agent.store import Store

NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HALF = Share(ours=50, for_undo=20, for_new=5, for_people=10)


class Watch:
    def __init__(self) -> None:
        self.now = NINE

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "state" / "ledger.db", LEDGER_TABLES)
    yield opened
    opened.close()


def meter(watch: Watch, store: Store | None = None, *, rolls: bool = False, share: Share = HALF) -> Meter:
    counts = CallCounts(store) if store is not None else None
    return Meter("hubspot", share, watch, counts, day_rolls=rolls)


def make(gate: Meter, calls: int) -> None:
    for _ in range(calls):
        gate.enter()


def from_eight_threads(gate: Meter, each: int) -> list[HeldBack]:
    """What was held back of so many calls from each of eight threads."""
    held: list[HeldBack] = []

    def calls() -> None:
        for _ in range(each):
            try:
                gate.enter()
            except HeldBack as refusal:
                held.append(refusal)

    threads = [threading.Thread(target=calls) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return held


def test_calls_made_side_by_side_are_each_counted_once(watch: Watch, store: Store) -> None:
    gate = meter(watch, store)
    assert from_eight_threads(gate, 3 * STEP) == []
    assert gate.made == gate.standing().ours == 24 * STEP
    gate.settle()
    assert meter(watch, store).standing().ours == 24 * STEP


def test_calls_made_side_by_side_never_pass_the_share(watch: Watch, store: Store) -> None:
    gate = meter(watch, store)
    gate.lane = "cycle"
    gate.told(Allowance(1_000, 0))
    held = from_eight_threads(gate, 100)
    assert gate.made == 400
    assert len(held) == 400


def until_held(gate: Meter) -> int:
    made = 0
    while True:
        try:
            gate.enter()
        except HeldBack:
            return made
        made += 1


# arithmetic ------------------------------------------------------------------------------------------------------


def test_the_less_urgent_stop_earlier() -> None:
    fresh = Day(limit=1000, used=0, ours=0)
    assert {lane: room(lane, HALF, fresh) for lane in LANES} == {
        "undo": 1000, "cycle": 400, "people": 375, "update": 325, "sweep": 275,
    }  # fmt: skip


def test_other_tools_of_the_account_leave_less_for_us_and_the_undo_last() -> None:
    busy = Day(limit=1000, used=880, ours=10)
    assert {lane: room(lane, HALF, busy) for lane in LANES} == {
        "undo": 120, "cycle": 20, "people": 0, "update": 0, "sweep": 0,
    }  # fmt: skip


def test_an_undo_goes_beyond_our_share_but_not_beyond_the_vendor() -> None:
    assert room("undo", HALF, Day(limit=1000, used=600, ours=600)) == 400
    assert room("undo", HALF, Day(limit=1000, used=1000, ours=600)) == 0


def test_a_bound_of_ones_own_holds_whatever_the_vendor_allows() -> None:
    assert Share(ours=50, most=100).of(650_000) == 100


def test_everything_kept_for_others_leaves_nothing_and_never_less() -> None:
    greedy = Share(ours=100, for_undo=90, for_new=90, for_people=90)
    assert [room(lane, greedy, Day(100, 0, 0)) for lane in LANES] == [100, 10, 0, 0, 0]


def test_cycles_are_spread_so_that_the_calls_last() -> None:
    assert pause_that_lasts(cost=3, calls=300, seconds=3600) == 36
    assert pause_that_lasts(cost=0, calls=0, seconds=3600) == 0


# the gate ----------------------------------------------------------------------------------------------------------


def test_nothing_is_held_back_before_the_vendor_has_told_its_limit(watch: Watch) -> None:
    gate = meter(watch)
    gate.lane = "sweep"
    make(gate, 1000)
    assert gate.standing().share is None


def test_what_is_held_back_says_why_and_until_when(watch: Watch) -> None:
    gate = meter(watch)
    gate.told(Allowance(limit=100, used=0))
    gate.lane = "people"
    assert until_held(gate) == 38
    with pytest.raises(HeldBack) as caught:
        gate.enter()
    assert caught.value.what == "hubspot has no calls left today for people's orders"
    assert "38 of the 50 calls" in caught.value.why
    assert caught.value.why.endswith("kept for undoing and for looking for changes and writing what is new")
    assert caught.value.retry_after == 15 * 3600, "midnight"
    gate.lane = "cycle"
    assert until_held(gate) == 2
    gate.lane = "undo"
    make(gate, 50)


def test_the_day_begins_anew_at_midnight_of_the_account(watch: Watch) -> None:
    gate = meter(watch)
    gate.lives_in("Europe/Berlin")
    gate.told(Allowance(100, 0))
    gate.lane = "cycle"
    until_held(gate)
    watch.now = datetime(2026, 11, 24, 22, 59, tzinfo=UTC)
    assert until_held(gate) == 0
    watch.now = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
    assert until_held(gate) == 40


def test_a_rolling_day_gives_back_hour_by_hour(watch: Watch) -> None:
    gate = meter(watch, rolls=True)
    gate.told(Allowance(100, 0))
    gate.lane = "cycle"
    make(gate, 10)
    watch.advance(hours=2)
    assert until_held(gate) == 30
    assert gate.standing().held["cycle"] == NINE + timedelta(hours=24)
    watch.advance(hours=22)
    assert until_held(gate) == 10


def test_a_figure_of_the_vendor_is_believed_for_a_while_and_then_asked_anew(watch: Watch) -> None:
    gate = meter(watch, rolls=True)
    gate.told(Allowance(limit=100, used=100))
    gate.lane = "undo"
    assert until_held(gate) == 0
    watch.advance(seconds=TOLD_FOR.total_seconds())
    gate.enter()
    gate.told(Allowance(limit=100, used=100))
    assert until_held(gate) == 0


def test_the_figure_of_yesterday_says_nothing_of_today(watch: Watch) -> None:
    gate = meter(watch)
    watch.now = datetime(2026, 11, 24, 23, 55, tzinfo=UTC)
    gate.told(Allowance(limit=100, used=100))
    gate.lane = "people"
    assert until_held(gate) == 0
    watch.advance(minutes=6)
    assert until_held(gate) == 38


def test_the_forecast_goes_on_as_the_last_hours_went(watch: Watch) -> None:
    gate = meter(watch)
    gate.told(Allowance(10_000, 0))
    for _ in range(4):
        make(gate, 30)
        watch.advance(hours=1)
    assert gate.standing().forecast == pytest.approx(120 + 30 * 11, rel=0.1)


def test_near_the_end_of_a_day_the_forecast_is_what_was_made_and_a_little(watch: Watch) -> None:
    gate = meter(watch)
    gate.told(Allowance(10_000, 0))
    for _ in range(14):
        make(gate, 30)
        watch.advance(hours=1)
    watch.advance(minutes=50)
    standing = gate.standing()
    assert (standing.ours, standing.ends_at - watch()) == (420, timedelta(minutes=10))
    assert 420 < standing.forecast < 430
    watch.advance(minutes=20)
    standing = gate.standing()
    assert (standing.ours, standing.used) == (0, None), "yesterday's calls are not today's"
    assert standing.forecast == pytest.approx(30 * 24, rel=0.3)


def test_the_forecast_of_a_rolling_day_leaves_out_what_went_long_ago(watch: Watch) -> None:
    gate = meter(watch, rolls=True)
    gate.told(Allowance(100_000, 0))
    make(gate, 5_000)
    watch.advance(hours=10)
    make(gate, 60)
    assert gate.standing().forecast < 1_000


def test_a_costly_day_makes_cycles_rarer_and_never_rarer_than_an_hour(watch: Watch) -> None:
    gate = meter(watch, rolls=True)
    assert gate.pause_for(3) == 0
    gate.told(Allowance(limit=15_000, used=0))
    assert gate.pause_for(3) == pytest.approx(3 * 86_400 / 4_875)
    assert gate.pause_for(10_000) == 3_600


def test_cycles_are_spread_so_that_calls_are_left_for_what_they_find(watch: Watch) -> None:
    gate = meter(watch)
    gate.told(Allowance(limit=1_000, used=0))
    assert gate.pause_for(1) == pytest.approx(15 * 3_600 / 325), "those for changes, not all that a look may make"
    gate.lane = "update"
    until_held(gate)
    assert gate.pause_for(1) == pytest.approx(15 * 3_600 / 75), "then what is left for looking lasts to the end"


def test_work_that_comes_once_is_no_reason_to_be_slow(watch: Watch) -> None:
    gate = meter(watch, rolls=True)
    gate.told(Allowance(limit=15_000, used=0))
    calls = Calls({"hubspot": gate})
    pauses = []
    for cost in (1000, 3, 1000, 3):
        calls.begin_cycle()
        make(gate, cost)
        pauses.append(calls.pause_after_cycle())
    assert pauses == pytest.approx([0, 0, 3 * 86_400 / 4_875, 3 * 86_400 / 4_875])


def test_a_lane_ends_with_what_it_was_for(watch: Watch) -> None:
    gate = meter(watch)
    calls = Calls({"hubspot": gate})
    with calls.lane("cycle"):
        with calls.lane("undo"):
            gate.enter()
        gate.enter()
    gate.enter()
    assert gate.standing().by_lane == {"undo": 1, "people": 1, "cycle": 1}


# what survives -----------------------------------------------------------------------------------------------------


def test_the_count_survives_a_restart_exactly(watch: Watch, store: Store) -> None:
    gate = meter(watch, store)
    gate.told(Allowance(1000, 7))
    gate.lives_in("Asia/Tokyo")
    make(gate, 2 * STEP + 3)
    gate.settle()
    again = meter(watch, store).standing()
    assert (again.ours, again.limit, again.used) == (2 * STEP + 3, 1000, 7)
    assert again.ends_at == datetime(2026, 11, 24, 15, tzinfo=UTC)


def test_after_a_crash_too_many_are_counted_and_never_too_few(watch: Watch, store: Store) -> None:
    gate = meter(watch, store)
    for made in range(1, 3 * STEP):
        gate.enter()
        assert made <= meter(watch, store).standing().ours < made + STEP


def test_one_commit_counts_many_calls(watch: Watch, store: Store) -> None:
    gate = meter(watch, store)
    before = store.read_tuples("SELECT total_changes()")[0][0]
    make(gate, 4 * STEP)
    written = store.read_tuples("SELECT total_changes()")[0][0] - before
    assert written <= 4 * 3


def test_old_hours_are_forgotten(watch: Watch, store: Store) -> None:
    gate = meter(watch, store)
    gate.enter()
    watch.advance(days=3)
    gate.enter()
    gate.settle()
    assert len(store.read_tuples("SELECT hour FROM called")) == 1
