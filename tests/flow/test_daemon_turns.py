"""One turn of the daemon after the other, with the clock in hand: recovery, failures and pauses, orders in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon_stage import START, Bench
from structlog.testing import capture_logs

from agent import cycle
from agent.changes import Cell, Change, State, Why
from agent.connector import Allowance
from agent.daemon.daemon import LEAST_FREE_BYTES, Daemon
from agent.errors import AccessDenied, Busy, LedgerMissing, LockHeld, PolicyError, StorageFull, Unavailable
from agent.installation import Installation
from agent.ledger.ledger import Intent
from agent.mirror.mirror import Mirror
from agent.orders.commands import Commands
from agent.pull import PullResult
from agent.records import Pulled, Ref


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def daemon(bench: Bench) -> Iterator[Daemon]:
    """Ready, its policy live, nothing to do."""
    with bench.daemon() as daemon:
        daemon.turn()
        bench.live(daemon.installation)
        yield daemon


def orders(daemon: Daemon) -> Commands:
    return daemon.installation.commands


def down(system: str = "hubspot", retry_after: float | None = None) -> Unavailable:
    return Unavailable(f"{system} is down", system=system, retry_after=retry_after)


def test_a_turn_makes_both_crms_agree(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(3)
    daemon.turn()
    assert bench.titles() == {"CEO"}
    assert daemon.health.last_cycle is not None
    assert daemon.health.last_cycle.written == 3
    assert bench.next_cycle_in() == 60


def test_what_a_crash_left_open_is_settled_before_the_first_order(bench: Bench) -> None:
    ((_, there),) = bench.pairs(1, other="CEO")
    with bench.open() as installation:
        why = Why("person-basics", "person.yaml:14", "r", "Salesforce wins")
        cell = Cell("job_title", "jobtitle", "boss", "CEO", "different", why)
        change = Change("update", "person-1", "hubspot", "contacts", there.id, (cell,))
        batch = installation.ledger.open_batch("plan", "Job title", "anna", [Intent(change, State.INTENDED)])
        installation.commands.queue("reject", {"batch": batch.id}, "anna@example.com")
    with bench.daemon() as daemon, capture_logs() as log:
        daemon.turn()
        (entry,) = daemon.installation.ledger.entries(batch_id=batch.id)
    assert entry.state is State.CONFIRMED
    events = [line["event"] for line in log]
    assert events.index("ready") < events.index("order")
    assert log[events.index("ready")]["confirmed"] == 1


def test_a_failed_cycle_does_not_end_the_daemon_and_the_next_one_works(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(2)
    bench.hubspot.go_down(error=down())
    daemon.turn()
    assert daemon.health.breaker.is_open
    assert bench.titles() == {"boss"}
    daemon.turn()
    assert not daemon.health.breaker.is_open
    assert bench.titles() == {"CEO"}


def test_pauses_double_up_to_five_minutes_and_end_with_the_first_success(bench: Bench, daemon: Daemon) -> None:
    bench.hubspot.go_down(error=down(), times=9)
    pauses = []
    for _ in range(9):
        daemon.turn()
        pauses.append(bench.next_cycle_in())
        bench.watch.advance(seconds=pauses[-1])
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    daemon.turn()
    assert bench.next_cycle_in() == 60
    assert daemon.health.breaker.failures == 0


def test_a_vendor_that_is_down_gets_one_request_a_try(bench: Bench, daemon: Daemon) -> None:
    bench.hubspot.go_down(error=down(), times=20)
    daemon.turn()
    before = bench.hubspot.calls.total(), bench.salesforce.calls.total()
    for _ in range(10):
        daemon.turn()
    assert bench.hubspot.calls.total() - before[0] == 10
    assert bench.salesforce.calls.total() == before[1]


def test_a_vendor_that_asks_for_a_pause_gets_it(bench: Bench, daemon: Daemon) -> None:
    bench.hubspot.go_down(error=down(retry_after=3600))
    daemon.turn()
    assert bench.next_cycle_in() == 3600


def test_a_refused_login_is_not_tried_again_for_five_minutes(bench: Bench, daemon: Daemon) -> None:
    bench.salesforce.go_down(error=AccessDenied("the login was refused", system="salesforce"))
    daemon.turn()
    assert bench.next_cycle_in() == 300


def test_while_a_vendor_is_left_alone_nobody_calls_it(bench: Bench, daemon: Daemon) -> None:
    bench.hubspot.go_down(error=down(retry_after=600))
    daemon.turn()
    before = bench.hubspot.calls.total(), bench.salesforce.calls.total()
    commands = daemon.installation.commands
    orders = [
        commands.queue(kind, {"policy": "person-basics"}, "anna@example.com") for kind in ("plan", "rollback", "pause")
    ]
    daemon.glance()
    answers = [commands.collect(order) or {} for order in orders]
    assert [answer.get("error", {}).get("exit_code") for answer in answers] == [14, 14, None]
    assert "left alone until 09:10:00 UTC" in answers[0]["error"]["what"]
    assert answers[2]["paused"] is True
    assert (bench.hubspot.calls.total(), bench.salesforce.calls.total()) == before
    bench.watch.advance(seconds=600)
    again = commands.queue("plan", {}, "anna@example.com")
    daemon.turn()
    assert "plan" in (commands.collect(again) or {})


def test_calls_that_are_kept_for_what_is_more_urgent_hold_up_changes_but_neither_cycles_nor_people(
    bench: Bench, daemon: Daemon
) -> None:
    bench.pairs(2)
    meter = daemon.installation.calls.meters["hubspot"]
    meter.told(Allowance(limit=1_000, used=860))
    with capture_logs() as log:
        daemon.turn()
    assert not daemon.health.breaker.is_open
    assert bench.next_cycle_in() == 60
    assert [line["waiting_for_calls"] for line in log if line["event"] == "cycle"] == [2]
    order = daemon.installation.commands.queue("plan", {}, "anna@example.com")
    daemon.glance()
    assert "plan" in (daemon.installation.commands.collect(order) or {})
    meter.told(Allowance(limit=10_000, used=0))
    daemon.turn()
    assert bench.titles() == {"CEO"}


def test_calls_that_are_gone_but_for_an_undo_are_no_failure_of_the_vendor(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(2)
    daemon.turn()
    (batch,) = daemon.installation.ledger.batches()
    meter = daemon.installation.calls.meters["hubspot"]
    meter.told(Allowance(limit=1_000, used=920))
    daemon.turn()
    assert daemon.health.breaker.is_our_own
    assert daemon.health.breaker.what == (
        "hubspot has no calls left today for looking for changes and writing what is new"
    )
    assert bench.next_cycle_in() == 15 * 60, "until the vendor's figure is too old to go by"
    order = daemon.installation.commands.queue("rollback", {"batches": [batch.id]}, "anna@example.com")
    daemon.glance()
    assert (daemon.installation.commands.collect(order) or {})["written"] == 2
    meter.told(Allowance(limit=10_000, used=0))
    daemon.turn()
    assert not daemon.health.breaker.is_open


def test_cycles_become_rarer_when_the_day_s_calls_would_not_last(bench: Bench, daemon: Daemon) -> None:
    daemon.turn()
    assert daemon.health.sparing_seconds is None
    daemon.installation.calls.meters["hubspot"].told(Allowance(limit=2_000, used=0))
    daemon.turn()
    daemon.turn()
    assert daemon.health.sparing_seconds is not None
    assert bench.next_cycle_in() == daemon.health.sparing_seconds > 60


def test_trouble_is_in_the_chain_once_and_its_end_too(bench: Bench, daemon: Daemon) -> None:
    bench.hubspot.go_down(error=down(), times=5)
    for _ in range(6):
        daemon.turn()
    ledger = daemon.installation.ledger
    assert len(ledger.events(kind="cycle stopped")) == 1
    assert len(ledger.events(kind="cycle works again")) == 1


def test_a_mistake_of_ours_is_logged_without_what_it_says_and_tried_again(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pairs(1)

    def stumble(*args: Any) -> None:
        raise KeyError("maria.lopez@example.com")

    with monkeypatch.context() as patch:
        patch.setattr(bench.hubspot.__class__, "changed", stumble)
        daemon.turn()
    assert daemon.health.breaker.why == "KeyError"
    assert "maria" not in repr(daemon.health)
    daemon.turn()
    assert bench.titles() == {"CEO"}


def test_a_full_disk_pauses_the_daemon_and_sends_nothing(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pairs(1)

    def full(*args: Any, **more: Any) -> None:
        raise StorageFull("ledger.db cannot be written, so nothing more is sent")

    with monkeypatch.context() as patch:
        patch.setattr(daemon.installation.ledger, "open_batch", full)
        daemon.turn()
    assert bench.titles() == {"boss"}
    assert bench.next_cycle_in() == 5
    daemon.turn()
    assert bench.titles() == {"CEO"}


def test_a_disk_that_is_nearly_full_stops_cycles_until_there_is_room(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    room = [LEAST_FREE_BYTES - 1]
    nearly_full = bench.daemon_on(daemon.installation, free_bytes=lambda: room[0])
    nearly_full.turn()
    assert nearly_full.health.breaker.what == "the disk is nearly full, so nothing is begun"
    assert bench.titles() == {"boss"}
    room[0] += 1
    nearly_full.turn()
    assert bench.titles() == {"CEO"}


def test_a_ledger_deleted_under_the_daemon_ends_it(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    (bench.config.state / "ledger.db").unlink()
    with pytest.raises(LedgerMissing):
        daemon.turn()
    assert bench.titles() == {"boss"}


def test_another_writer_ends_the_daemon(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    daemon.installation.ledger.store.read("UPDATE meta SET value = value + 1 WHERE name = 'epoch'")
    with pytest.raises(LockHeld, match="another writer took over"):
        daemon.turn()
    assert bench.titles() == {"boss"}


def test_a_vendor_that_is_down_at_the_start_is_waited_for(bench: Bench) -> None:
    bench.pairs(1)
    bench.salesforce.go_down(error=down("salesforce"), times=3)
    with bench.daemon() as daemon:
        daemon.turn()
        assert not daemon.health.ready
        number = orders(daemon).queue("plan", {}, "anna@example.com")
        daemon.glance()
        answer = orders(daemon).collect(number)
        assert answer is not None
        assert answer["error"]["exit_code"] == 14
        for _ in range(3):
            daemon.turn()
        assert daemon.health.ready


def test_a_word_of_a_person_is_taken_while_the_daemon_waits_for_a_vendor_to_start(bench: Bench) -> None:
    bench.salesforce.go_down(error=down("salesforce"))
    with bench.daemon() as daemon:
        daemon.turn()
        number = orders(daemon).queue("pause", {"policy": "person-basics"}, "anna@example.com")
        daemon.glance()
        assert orders(daemon).collect(number) == {"policy": "person-basics", "paused": True, "by": "anna@example.com"}
        assert daemon.installation.policies.policies.revision == ""
        daemon.turn()
        assert daemon.health.ready
        assert daemon.installation.approvals.is_paused("person-basics")


def test_broken_policies_at_the_very_first_start_end_it_with_every_mistake(bench: Bench) -> None:
    bench.write_policy("policy: person-basics\nkind: fields\n")
    with bench.daemon() as daemon, pytest.raises(PolicyError):
        daemon.turn()


def test_a_sweep_for_deletions_is_made_once_a_day_restarts_or_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[bool] = []
    monkeypatch.setattr("agent.cycle.pull_all", lambda installation, sweep=False: swept.append(sweep) or [])
    for hours in (1, 1, 23, 1):
        with bench.daemon() as daemon:
            daemon.turn()
            daemon._note("stopped")
        bench.watch.advance(hours=hours)
    assert swept.count(True) == 2


def test_a_sweep_without_calls_waits_and_holds_up_no_cycle(bench: Bench, daemon: Daemon) -> None:
    meter = daemon.installation.calls.meters["hubspot"]
    before = daemon.health.swept_at
    bench.watch.advance(hours=25)
    meter.told(Allowance(limit=1_000, used=820))
    bench.pairs(1)
    for _ in range(2):
        daemon.turn()
        assert not daemon.health.breaker.is_open
    assert bench.titles() == {"CEO"}
    assert daemon.health.swept_at == before
    meter.told(Allowance(limit=10_000, used=0))
    daemon.turn()
    assert daemon.health.swept_at == bench.watch.now


def test_old_values_are_let_go_even_when_nothing_can_be_compared(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    daemon.turn()
    bench.watch.advance(days=200)
    daemon.installation.calls.meters["hubspot"].told(Allowance(limit=1_000, used=820))
    daemon.turn()
    (entry,) = daemon.installation.ledger.entries()
    assert entry.erased


def test_a_sweep_whose_calls_run_out_on_the_way_is_made_up_for(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = daemon.installation.calls.meters["hubspot"]
    before = daemon.health.swept_at
    bench.watch.advance(hours=25)
    enter = meter.enter

    def gone_in_the_sweep() -> None:
        if meter.lane == "sweep":
            meter.told(Allowance(limit=1_000, used=820))
        enter()

    monkeypatch.setattr(meter, "enter", gone_in_the_sweep)
    daemon.turn()
    assert not daemon.health.breaker.is_open
    assert daemon.health.swept_at == before


def test_a_sweep_that_fails_is_made_up_for_and_does_not_end_the_daemon(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.watch.advance(hours=25)
    pull_all = cycle.pull_all

    def fail_in_the_sweep(installation: Installation, *, sweep: bool = False) -> list[PullResult]:
        if sweep:
            raise down()
        return pull_all(installation)

    with monkeypatch.context() as patch:
        patch.setattr(cycle, "pull_all", fail_in_the_sweep)
        daemon.turn()
    assert daemon.health.breaker.what == "hubspot is down"
    assert daemon.health.swept_at != bench.watch.now
    daemon.turn()
    assert daemon.health.swept_at == bench.watch.now


def test_orders_are_carried_out_between_two_turns_rollbacks_first(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(2)
    daemon.turn()
    (batch,) = daemon.installation.ledger.batches()
    plan = orders(daemon).queue("plan", {}, "anna@example.com")
    undo = orders(daemon).queue("rollback", {"batches": [batch.id]}, "anna@example.com")
    with capture_logs() as log:
        daemon.glance()
    assert [line["order"] for line in log if line["event"] == "order"] == ["rollback", "plan"]
    undone, planned = orders(daemon).collect(undo), orders(daemon).collect(plan)
    assert undone is not None
    assert planned is not None
    assert undone["written"] == 2
    assert planned["changes"] == 0
    assert bench.titles() == {"boss"}


def test_a_cycle_gives_way_to_an_order_at_the_next_chunk_and_goes_on_afterwards(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.pairs(190)
    bench.watch.advance(minutes=15)  # nobody edits any more: whole chunks, no single conditional writes
    write = bench.hubspot.__class__.write
    numbers: list[int] = []

    def write_and_order(self: Any, writes: Any) -> Any:
        if not numbers:
            numbers.append(orders(daemon).queue("pause", {"policy": "person-basics"}, "anna@example.com"))
        return write(self, writes)

    monkeypatch.setattr(bench.hubspot.__class__, "write", write_and_order)
    daemon.turn()
    written = [row["jobtitle"] for row in bench.hubspot.live("contacts").values()].count("CEO")
    assert written == 100
    assert bench.next_cycle_in() == 0
    daemon.glance()
    daemon.turn()
    assert [row["jobtitle"] for row in bench.hubspot.live("contacts").values()].count("CEO") == 100
    orders(daemon).queue("resume", {"policy": "person-basics"}, "anna@example.com")
    daemon.glance()
    bench.salesforce.person_edit(next(iter(bench.salesforce.rows)), {"Title": "CTO"})
    bench.watch.advance(minutes=2)
    daemon.turn()
    assert "CTO" in bench.titles()


def test_a_long_pull_gives_way_between_two_pages_and_tells_its_supervisor_at_each(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = daemon.installation.mirror.cursor("hubspot", "contacts")
    bench.pairs(150)  # two pages a side
    bench.beats.clear()
    absorb = Mirror.absorb
    pages: list[int] = []

    def absorb_and_stop(self: Mirror, items: Sequence[Pulled], **more: Any) -> list[Ref]:
        pages.append(len(items))
        if len(pages) == 3:
            daemon.stop()
        return absorb(self, items, **more)

    monkeypatch.setattr(Mirror, "absorb", absorb_and_stop)
    daemon.turn()
    assert pages == [100, 50, 100]
    assert len(bench.beats) >= len(pages)
    assert daemon.installation.mirror.cursor("hubspot", "contacts") == cursor


def test_an_order_that_meets_a_mistake_of_ours_is_answered_and_the_daemon_goes_on(daemon: Daemon) -> None:
    number = orders(daemon).queue(
        "freeze", {"misspelt": "no reference at all", "field": "job_title"}, "anna@example.com"
    )
    daemon.glance()
    answer = orders(daemon).collect(number)
    assert answer is not None
    assert answer["error"]["exit_code"] == 1
    assert "no reference" not in repr(answer)
    assert not daemon._stopping.is_set()


def test_a_ledger_that_is_busy_for_long_does_not_end_the_daemon(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = orders(daemon).queue("pause", {"policy": "person-basics"}, "anna@example.com")

    def busy(*kinds: str) -> bool:
        raise Busy("ledger.db is busy")

    with monkeypatch.context() as patch:
        patch.setattr(daemon.installation.commands, "has", busy)
        daemon.glance()
        daemon.turn()
    daemon.glance()
    assert orders(daemon).collect(number) is None
    bench.watch.advance(seconds=5)
    daemon.glance()
    assert orders(daemon).collect(number) is not None


def test_an_order_a_dead_daemon_had_begun_is_answered_at_the_next_start(bench: Bench, daemon: Daemon) -> None:
    number = orders(daemon).queue("plan", {}, "anna@example.com")
    orders(daemon).next()
    other = bench.daemon_on(daemon.installation)
    other.turn()
    answer = orders(daemon).collect(number)
    assert answer is not None
    assert answer["error"]["kind"] == "Interrupted"


def test_results_nobody_collects_are_emptied_after_a_day(bench: Bench, daemon: Daemon) -> None:
    number = orders(daemon).queue("plan", {}, "anna@example.com")
    daemon.glance()
    bench.watch.advance(hours=25)
    daemon.turn()
    assert orders(daemon).collect(number) is None


def test_held_batches_expire_while_the_daemon_runs(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(300)
    daemon.turn()
    assert daemon.health.last_cycle is not None
    (held,) = daemon.health.last_cycle.held
    bench.watch.advance(hours=25)
    daemon.turn()
    assert daemon.installation.ledger.batch(held).state == "expired"


def test_old_values_are_let_go_at_the_daily_comparison(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(3)
    daemon.turn()
    written = daemon.installation.ledger.entries()
    assert [entry.erased for entry in written] == [False, False, False]
    bench.watch.advance(hours=24 * 181)
    daemon.turn()
    assert [entry.erased for entry in daemon.installation.ledger.entries()] == [True, True, True]
    assert daemon.installation.ledger.verify().ok


def test_a_supervisor_is_told_of_progress_at_every_glance_and_chunk(bench: Bench, daemon: Daemon) -> None:
    bench.beats.clear()
    daemon.glance()
    glanced = len(bench.beats)
    assert glanced >= 1
    bench.pairs(3)
    daemon.turn()
    assert len(bench.beats) > glanced


def test_the_first_turn_is_due_at_once(bench: Bench, daemon: Daemon) -> None:
    daemon._arm()
    assert bench.scheduler.next_run["cycle"] == bench.watch.now
    assert bench.watch.now - START >= timedelta()
