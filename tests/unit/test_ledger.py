"""The ledger: recorded before sent, settled once, read back whole."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from recording import START, Watch, cell, change, confirmed, intents, open_ledger, opened, settle_all

from agent.changes import OPEN_STATES, TRANSITIONS, Change, State
from agent.errors import LedgerMissing, LockHeld, NotFound, PlanStale, StorageFull
from agent.freeze.freeze import Freeze, Freezes
from agent.ledger.ledger import Intent, Ledger, Settlement
from agent.ledger.queries import OF_RECORD, EntryQuery
from agent.ledger.rows import ENTRY_SELECT
from agent.records import Ref

OF_ONE_RECORD = OF_RECORD.replace("?", "'003'")


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def ledger(tmp_path: Path, clock: Watch) -> Ledger:
    return open_ledger(tmp_path, clock)


def count_of(ledger: Ledger, table: str) -> int:
    return int(ledger.store.read_tuples(f"SELECT COUNT(*) FROM {table}")[0][0])


# --- recording ---


def test_a_batch_is_on_the_disk_when_it_is_opened(ledger: Ledger, tmp_path: Path) -> None:
    batch = opened(ledger, 3)
    assert not ledger.in_transaction
    other = Ledger.open_read_only(tmp_path / "ledger.db", clock=Watch())
    assert [entry.id for entry in other.entries(batch_id=batch.id)] == [e.id for e in ledger.entries()]
    assert other.batch(batch.id) == batch


def test_every_part_of_a_change_comes_back(ledger: Ledger) -> None:
    whole = Change(
        op="create",
        entity_id="person-7",
        system="hubspot",
        object_type="contacts",
        record_id="901234",
        cells=(
            cell("email", None, "a@b.example", "create"),
            cell("score", None, 12, "create"),
            cell("rate", None, 1.0, "create"),
            cell("wants_mail", None, True, "create"),
            cell("phone", None, None, "create"),
        ),
        key=("truce_key", "person-7-1"),
        parents={"company": "901"},
        group="person-7:move",
        step=2,
        decided_from={"lifecyclestage": "lead", "hs_score": 3},
        guarded=True,
    )
    blank = Change("update", "x-1", "s", "o", None, ())
    for each in dataclasses.fields(Change):
        assert getattr(whole, each.name) != getattr(blank, each.name), f"{each.name} is not proven"
    ledger.open_batch("cycle", "t", "truce", [Intent(whole, State.PLANNED, "allowed: 3 of 200")])
    (entry,) = ledger.entries()
    assert entry.change == whole
    assert [type(c.after) for c in entry.change.cells] == [type(c.after) for c in whole.cells]
    assert entry.note == "allowed: 3 of 200"


def test_sentences_come_back_each_to_its_cell(ledger: Ledger) -> None:
    cells = (cell("title", "a", "b"), cell("phone", "1", "2"))
    ledger.open_batch("cycle", "t", "truce", [Intent(change(1, *cells), State.PLANNED)])
    assert [c.why.sentence for c in ledger.entries()[0].change.cells] == [c.why.sentence for c in cells]


def test_a_refused_change_is_kept_with_its_reason(ledger: Ledger) -> None:
    ledger.open_batch("cycle", "t", "truce", [Intent(change(), State.REFUSED, "zone: key accounts")])
    (entry,) = ledger.entries(states=[State.REFUSED])
    assert (entry.note, entry.attempts) == ("zone: key accounts", 0)


def test_an_intended_entry_counts_as_sent_once(ledger: Ledger) -> None:
    opened(ledger, 1)
    assert ledger.entries()[0].attempts == 1


def test_one_place_is_written_once_per_batch(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="need a group"):
        ledger.open_batch("cycle", "t", "truce", [*intents(2), Intent(change(2, cell("phone")), State.INTENDED)])
    assert count_of(ledger, "batches") == 0


def test_two_new_records_of_one_entity_need_different_places(ledger: Ledger) -> None:
    new = change(1, op="create", record_id=None)
    elsewhere = change(1, op="create", record_id=None, object_type="Lead")
    ledger.open_batch("cycle", "t", "truce", [Intent(new, State.PLANNED), Intent(elsewhere, State.PLANNED)])
    with pytest.raises(ValueError, match="person-1"):
        ledger.open_batch("cycle", "t", "truce", [Intent(new, State.PLANNED)] * 2)


def test_clear_then_set_are_two_steps_of_one_group(ledger: Ledger) -> None:
    steps = [change(1, group="g", step=step) for step in (0, 1)]
    ledger.open_batch("cycle", "t", "truce", [Intent(step, State.PLANNED) for step in steps])
    assert [entry.change.step for entry in ledger.entries()] == [0, 1]


def test_freezes_plan_and_counters_commit_with_the_batch(ledger: Ledger) -> None:
    plan = ledger.save_plan({"changes": []}, expires_at=START + timedelta(days=7))
    freeze = Freeze("person-1", "job_title", "salesforce", "rule", "rollback", "undone with B-1")
    ledger.open_batch(
        "rollback",
        "Undo B-1",
        "anna",
        intents(1),
        plan_id=plan,
        freezes=[freeze],
        counted={"records": 1},
        reverts=["B-1"],
    )
    assert ledger.plan(plan).used_by == "anna"
    assert [f.batch_id for f in Freezes(ledger).by_entity(["person-1"])["person-1"]] == ["B-1"]
    assert ledger.used_today(START.date()) == {"records": 1}
    assert ledger.batch("B-1").reverts == ("B-1",)
    assert ledger.batch("B-1").plan_id == plan


def test_a_plan_is_used_once_and_nothing_else_happens(ledger: Ledger) -> None:
    plan = ledger.save_plan({}, expires_at=START + timedelta(days=7))
    ledger.open_batch("plan", "t", "anna", intents(1), plan_id=plan, counted={"records": 1})
    before = ledger.last_seq
    freeze = Freeze("person-9", "job_title", "salesforce", "rule", "person")
    with pytest.raises(PlanStale, match="applied before"):
        ledger.open_batch("plan", "t", "anna", intents(1), plan_id=plan, counted={"records": 1}, freezes=[freeze])
    assert ledger.last_seq == before
    assert ledger.used_today(START.date()) == {"records": 1}
    assert Freezes(ledger).standing() == []
    assert ledger.verify().ok


def test_an_expired_plan_is_stale(ledger: Ledger, clock: Watch) -> None:
    plan = ledger.save_plan({}, expires_at=START + timedelta(days=7))
    clock.advance(days=7, seconds=1)
    with pytest.raises(PlanStale, match="expired"):
        ledger.open_batch("plan", "t", "anna", intents(1), plan_id=plan)


def test_the_hash_binds_the_exact_list(ledger: Ledger) -> None:
    def hash_of(*listed: Change) -> str:
        batch = ledger.open_batch("plan", "t", "a", [Intent(each, State.HELD) for each in listed], state="held")
        return batch.hash

    hashes = {
        hash_of(change(1), change(2)),
        hash_of(change(2), change(1)),
        hash_of(change(1)),
        hash_of(change(1, cell(after="CTO")), change(2)),
        hash_of(change(1, cell(before="CFO")), change(2)),
        hash_of(change(1, guarded=True), change(2)),
    }
    assert len(hashes) == 6


def test_the_hash_does_not_depend_on_numbers(tmp_path: Path) -> None:
    first = open_ledger(tmp_path / "a")
    second = open_ledger(tmp_path / "b")
    for _ in range(4):
        second.store.write()
    second.save_plan({}, expires_at=START)
    assert opened(first, 3).hash == opened(second, 3).hash


def test_the_hash_stays_when_the_batch_is_read_again(ledger: Ledger) -> None:
    batch = opened(ledger, 2)
    settle_all(ledger, batch.id)
    assert ledger.batch(batch.id).hash == batch.hash


# --- settling ---


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_only_allowed_transitions_are_recorded(tmp_path: Path, before: State, after: State) -> None:
    ledger = open_ledger(tmp_path)
    _bring_to(ledger, before)
    seq = ledger.last_seq
    if after in TRANSITIONS[before] or before is after is State.UNKNOWN:
        ledger.settle([Settlement(_only(ledger), after, error="said anew")])
        assert ledger.entry(_only(ledger)).state is after
    else:
        with pytest.raises(ValueError, match="cannot become"):
            ledger.settle([Settlement(_only(ledger), after)])
        assert ledger.last_seq == seq
        assert ledger.entry(_only(ledger)).state is before
    assert ledger.verify().ok


def _only(ledger: Ledger) -> str:
    return ledger.entries()[0].id


def _to(ledger: Ledger, state: State) -> None:
    ledger.settle([Settlement(_only(ledger), state)])


def _bring_to(ledger: Ledger, state: State) -> None:
    born = state if state in (State.PLANNED, State.HELD, State.REFUSED) else State.INTENDED
    opened(ledger, 1, born)
    if state is not born:
        _to(ledger, state)


def test_a_confirmed_entry_knows_what_the_vendor_holds(ledger: Ledger, clock: Watch) -> None:
    opened(ledger, 2)
    first, second = ledger.entries()
    clock.advance(seconds=3)
    ledger.settle([
        confirmed(first, version="v9"),
        Settlement(second.id, State.CONFIRMED, observed={"JobTitle": "Ceo "}),
    ])  # fmt: skip
    first, second = ledger.entries()
    assert (first.observed, first.version, first.settled_at) == ({"JobTitle": "CEO"}, "v9", clock.now)
    assert second.observed == {"JobTitle": "Ceo "}
    assert first.record_id == first.change.record_id


@pytest.mark.parametrize(("sent", "held"), [(1, True), (1, 1.0), ("1", 1), (None, ""), (True, 1)])
def test_what_the_vendor_holds_keeps_its_type(ledger: Ledger, sent: Any, held: Any) -> None:
    ledger.open_batch("cycle", "t", "truce", [Intent(change(1, cell("score", 0, sent)), State.INTENDED)])
    ledger.settle([Settlement(_only(ledger), State.CONFIRMED, observed={"Score": held})])
    observed = ledger.entries()[0].observed["Score"]
    assert (observed, type(observed)) == (held, type(held))


def test_a_created_record_is_found_by_its_new_id(ledger: Ledger) -> None:
    new = change(1, op="create", record_id=None)
    ledger.open_batch("cycle", "t", "truce", [Intent(new, State.INTENDED)])
    ledger.settle([Settlement(_only(ledger), State.CONFIRMED, record_id="003NEW")])
    (entry,) = ledger.entries(ref=Ref("salesforce", "Contact", "003NEW"))
    assert (entry.record_id, entry.change.record_id) == ("003NEW", None)
    assert ledger.entries(ref=Ref("salesforce", "Lead", "003NEW")) == []
    assert ledger.entries(ref=Ref("hubspot", "Contact", "003NEW")) == []


def test_an_error_comes_back(ledger: Ledger) -> None:
    opened(ledger, 1)
    ledger.settle([Settlement(_only(ledger), State.FAILED, error="INVALID_EMAIL: p1@example")])
    assert ledger.entries()[0].error == "INVALID_EMAIL: p1@example"


def test_settling_is_all_or_nothing(ledger: Ledger) -> None:
    opened(ledger, 2)
    first, second = ledger.entries()
    with pytest.raises(ValueError, match="cannot become"):
        ledger.settle([confirmed(first), Settlement(second.id, State.HELD)])
    assert {entry.state for entry in ledger.entries()} == {State.INTENDED}


def test_settling_the_same_entry_twice_in_one_call_is_a_mistake(ledger: Ledger) -> None:
    opened(ledger, 1)
    (entry,) = ledger.entries()
    with pytest.raises(ValueError, match="named twice"):
        ledger.settle([confirmed(entry), confirmed(entry)])


def test_settling_what_does_not_exist(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="E-99"):
        ledger.settle([Settlement("E-99", State.CONFIRMED)])
    with pytest.raises(NotFound):
        ledger.settle([Settlement("B-1", State.CONFIRMED)])


def test_an_unknown_entry_says_the_same_thing_once(ledger: Ledger) -> None:
    opened(ledger, 1)
    lost = Settlement(_only(ledger), State.UNKNOWN, error="the reply was lost")
    ledger.settle([lost])
    seq = ledger.last_seq
    assert ledger.settle([lost]) == seq
    ledger.settle([dataclasses.replace(lost, error="first look: not there")])
    assert ledger.last_seq == seq + 1
    assert ledger.entries()[0].error == "first look: not there"
    assert ledger.verify().ok


def test_intending_counts_one_attempt_and_each_resend_one_more(ledger: Ledger) -> None:
    opened(ledger, 1, State.PLANNED)
    entry_id = _only(ledger)
    assert ledger.entry(entry_id).attempts == 0
    ledger.intend([entry_id])
    assert ledger.entry(entry_id).attempts == 1
    ledger.attempt([entry_id])
    ledger.settle([Settlement(entry_id, State.UNKNOWN)])
    ledger.attempt([entry_id])
    entry = ledger.entry(entry_id)
    assert (entry.attempts, entry.state) == (3, State.UNKNOWN)
    assert ledger.verify().ok


def test_only_open_entries_are_sent_again(ledger: Ledger) -> None:
    opened(ledger, 1, State.PLANNED)
    with pytest.raises(ValueError, match="cannot be sent again"):
        ledger.attempt([_only(ledger)])


def test_intending_counts_against_the_day_it_happens(ledger: Ledger, clock: Watch) -> None:
    opened(ledger, 1, State.HELD)
    clock.advance(days=1)
    ledger.intend([_only(ledger)], counted={"records": 1, "owner": 0})
    assert ledger.used_today(START.date()) == {}
    assert ledger.used_today(clock.now.date()) == {"records": 1}
    ledger.use_limits({"records": 4})
    assert ledger.used_today(clock.now.date()) == {"records": 5}


# --- batches ---


def test_a_batch_counts_its_entries_as_they_stand(ledger: Ledger) -> None:
    batch = opened(ledger, 3)
    assert batch.counts == {"intended": 3}
    first, second, third = ledger.entries()
    ledger.settle([confirmed(first), confirmed(second), Settlement(third.id, State.FAILED, error="no")])
    assert ledger.batch(batch.id).counts == {"confirmed": 2, "failed": 1}


def test_a_held_batch_is_approved_then_done(ledger: Ledger, clock: Watch) -> None:
    batch = opened(ledger, 1, State.HELD, hold_reason="more than 200 records", expires_at=START + timedelta(days=7))
    assert [b.id for b in ledger.batches(states=["held"])] == [batch.id]
    ledger.approve_batch(batch.id, ["anna", "ben"])
    assert ledger.batch(batch.id).state == "open"
    ledger.intend([_only(ledger)])
    clock.advance(minutes=1)
    settle_all(ledger, batch.id)
    closed = ledger.batch(batch.id)
    assert (closed.state, closed.closed_at, closed.hold_reason) == ("done", clock.now, "more than 200 records")
    assert [event.actor for event in ledger.events(subject=batch.id)] == ["truce", "anna, ben"]


@pytest.mark.parametrize("state", ["done", "rejected", "expired"])
def test_a_batch_that_is_over_stays_over(ledger: Ledger, state: Any) -> None:
    batch = opened(ledger, 0)
    ledger.close_batch(batch.id, state)
    with pytest.raises(ValueError, match="cannot become"):
        ledger.close_batch(batch.id)
    with pytest.raises(ValueError, match="cannot become"):
        ledger.approve_batch(batch.id, ["anna"])


def test_a_held_batch_cannot_be_done_without_approval(ledger: Ledger) -> None:
    batch = opened(ledger, 1, State.HELD)
    with pytest.raises(ValueError, match="held; it cannot become done"):
        ledger.close_batch(batch.id)


def test_a_batch_with_a_write_under_way_does_not_close(ledger: Ledger) -> None:
    batch = opened(ledger, 1)
    with pytest.raises(ValueError, match="still intended"):
        ledger.close_batch(batch.id)


def test_a_batch_with_an_unknown_write_may_close(ledger: Ledger) -> None:
    batch = opened(ledger, 1)
    ledger.settle([Settlement(_only(ledger), State.UNKNOWN)])
    ledger.close_batch(batch.id)
    assert [entry.state for entry in ledger.entries(states=OPEN_STATES)] == [State.UNKNOWN]
    assert ledger.verify().ok


def test_batches_come_newest_first(ledger: Ledger) -> None:
    for _ in range(3):
        opened(ledger, 0)
    assert [batch.id for batch in ledger.batches()] == ["B-3", "B-2", "B-1"]
    assert [batch.id for batch in ledger.batches(limit=1)] == ["B-3"]


@pytest.mark.parametrize("name", ["B-9", "B-", "9", "B-x", "E-1", "B-٣", "B-" + "9" * 40])
def test_what_is_no_batch_is_not_found(ledger: Ledger, name: str) -> None:
    with pytest.raises(NotFound):
        ledger.batch(name)
    with pytest.raises(NotFound):
        ledger.entries(batch_id=name)


# --- finding entries ---


def test_entries_are_found_by_each_condition(ledger: Ledger, clock: Watch) -> None:
    opened(ledger, 3)
    clock.advance(hours=1)
    later = opened(ledger, 2, State.PLANNED)
    everything = ledger.entries()
    assert [e.change.entity_id for e in everything] == ["person-1", "person-2", "person-3", "person-1", "person-2"]
    assert ledger.entries(newest_first=True) == everything[::-1]
    assert ledger.entries(limit=2) == everything[:2]
    assert ledger.entries(newest_first=True, limit=2) == everything[:-3:-1]
    assert ledger.entries(entity_id="person-2") == [everything[1], everything[4]]
    assert ledger.entries(ref=everything[2].change.ref) == [everything[2]]
    assert ledger.entries(after_seq=everything[2].seq) == everything[3:]
    assert ledger.entries(since=clock.now) == everything[3:]
    assert ledger.entries(since=clock.now + timedelta(1)) == []
    assert ledger.entries(states=[State.PLANNED]) == everything[3:]
    assert ledger.entries(states=[State.PLANNED], entity_id="person-1") == [everything[3]]
    assert ledger.entries(states=[State.PLANNED, State.INTENDED], newest_first=True) == everything[::-1]
    assert ledger.entries(states=[State.CONFIRMED]) == []
    assert ledger.entries(batch_id=later.id, entity_id="person-3") == []
    assert ledger.entries(batch_id=later.id, newest_first=True) == everything[:-3:-1]


def test_many_entries_come_in_order_and_complete(ledger: Ledger) -> None:
    opened(ledger, 2300, State.PLANNED)
    forward = [entry.seq for entry in ledger.entries()]
    assert forward == sorted(forward)
    assert len(forward) == 2300
    assert [entry.seq for entry in ledger.entries(newest_first=True)] == forward[::-1]
    assert [e.seq for e in ledger.entries(states=[State.PLANNED], newest_first=True)] == forward[::-1]


def test_writing_between_two_entries_is_fine(ledger: Ledger) -> None:
    opened(ledger, 1500)
    for entry in islice(ledger.each_entry(EntryQuery(states=[State.INTENDED])), 1100):
        ledger.settle([confirmed(entry)])
    assert len(ledger.entries(states=[State.INTENDED])) == 400


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("+e.seq BETWEEN 1 AND 99 AND e.entity = 'person-1'", "entries_of_entity"),
        (f"+e.seq BETWEEN 1 AND 99 AND e.seq IN ({OF_ONE_RECORD})", "entries_of_record"),
        (f"+e.seq BETWEEN 1 AND 99 AND e.seq IN ({OF_ONE_RECORD})", "transitions_made"),
        ("e.seq BETWEEN 1 AND 99", "e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ],
    ids=["entity", "record", "created", "range"],
)
def test_entries_are_found_without_reading_the_whole_ledger(ledger: Ledger, condition: str, index: str) -> None:
    plan = ledger.store.read_tuples(f"EXPLAIN QUERY PLAN {ENTRY_SELECT} WHERE {condition} ORDER BY e.seq LIMIT 9")
    steps = " | ".join(row[3] for row in plan)
    assert index in steps
    assert not re.search(r"SCAN (e|transitions|entries)\b", steps)


def test_open_entries_are_found_by_their_batches(ledger: Ledger) -> None:
    plan = ledger.store.read_tuples(
        "EXPLAIN QUERY PLAN SELECT seq, size FROM batches WHERE unsettled > 0 ORDER BY number"
    )
    assert "batches_unsettled" in plan[0][3]


def test_outcomes_after_a_number_come_once_and_in_order(ledger: Ledger) -> None:
    opened(ledger, 3)
    first, second, third = ledger.entries()
    ledger.settle([Settlement(first.id, State.UNKNOWN)])
    mark = ledger.settle([confirmed(third)])
    ledger.settle([confirmed(first), Settlement(second.id, State.FAILED, error="no")])
    assert [entry.id for _, entry in ledger.settled_after(0)] == [third.id, first.id, second.id]
    later = list(ledger.settled_after(mark))
    assert [entry.id for _, entry in later] == [first.id, second.id]
    assert later[-1][0] == ledger.last_seq
    assert list(ledger.settled_after(ledger.last_seq)) == []


def test_an_entry_sent_again_is_no_outcome(ledger: Ledger) -> None:
    opened(ledger, 1, State.PLANNED)
    ledger.intend([_only(ledger)])
    ledger.attempt([_only(ledger)])
    assert list(ledger.settled_after(0)) == []


# --- plans, revisions, events ---


def test_a_plan_comes_back_as_it_was_shown(ledger: Ledger) -> None:
    body = {"changes": [{"a": [1, None, "x"]}], "binding": {"ledger": "ledger-1"}}
    plan = ledger.save_plan(body, expires_at=START + timedelta(days=7))
    assert plan == "P-1"
    stored = ledger.plan(plan)
    assert (stored.body, stored.created_at, stored.used_at) == (body, START, None)
    with pytest.raises(NotFound):
        ledger.plan("P-2")


def test_a_revision_is_kept_once_until_it_changes(ledger: Ledger, clock: Watch) -> None:
    ledger.save_revision("r1", {"a.yaml": "x: 1"}, "anna")
    ledger.save_revision("r1", {"a.yaml": "x: 1"}, "anna")
    clock.advance(hours=1)
    ledger.save_revision("r2", {"a.yaml": "x: 2"}, "ben")
    ledger.save_revision("r1", {"a.yaml": "x: 1"}, "anna")
    assert [found.revision for found in ledger.revisions()] == ["r1", "r2", "r1"]
    assert [found.editor for found in ledger.revisions(1)] == ["anna"]
    found = ledger.revision("r2")
    assert found is not None
    assert (found.sources, found.seen_at) == ({"a.yaml": "x: 2"}, clock.now)
    assert ledger.revision("r3") is None


def test_events_come_newest_first_by_kind_and_subject(ledger: Ledger) -> None:
    ledger.record_event("paused", "person-basics", "anna", {"reason": "holiday"})
    ledger.record_event("paused", "routing", "ben", {})
    assert [event.subject for event in ledger.events(kind="paused")] == ["routing", "person-basics"]
    (event,) = ledger.events(subject="person-basics")
    assert (event.actor, event.at, event.body) == ("anna", START, {"reason": "holiday"})
    assert len(ledger.events(limit=1)) == 1


# --- one writer, full disk, one identity ---


def test_an_older_writer_is_refused_once_a_newer_one_began(tmp_path: Path) -> None:
    first, second = open_ledger(tmp_path), open_ledger(tmp_path)
    assert first.begin_epoch("pid 1") == 1
    batch = opened(first, 1, State.PLANNED)
    assert second.begin_epoch("pid 2") == 2
    for attempt in (
        lambda: opened(first, 1),
        lambda: first.intend([_only(first)]),
        lambda: first.attempt([_only(first)]),
    ):
        with pytest.raises(LockHeld, match="took over"):
            attempt()
    assert [b.id for b in second.batches()] == [batch.id]
    second.intend([_only(second)])
    first.settle([confirmed(first.entries()[0])])
    assert second.verify().ok


def test_two_connections_share_one_chain(tmp_path: Path) -> None:
    first, second = open_ledger(tmp_path), open_ledger(tmp_path)
    for ledger in (first, second, first):
        settle_all(ledger, opened(ledger, 2).id)
    second.record_event("paused", "x", "anna", {})
    assert first.verify().ok
    assert [e.change for e in first.entries()] == [e.change for e in second.entries()]


def test_a_transaction_that_failed_leaves_no_number_behind(ledger: Ledger) -> None:
    def record_then_fail() -> None:
        with ledger.store.write():
            opened(ledger, 1)
            raise KeyError("stop")

    with pytest.raises(KeyError):
        record_then_fail()
    assert ledger.entries() == []
    other_shape = ledger.open_batch("cycle", "t", "truce", [Intent(change(1, cell("phone")), State.INTENDED)])
    same_shape = opened(ledger, 1)
    assert (other_shape.id, same_shape.id) == ("B-1", "B-2")
    assert [e.change.cells[0].field for e in ledger.entries()] == ["phone", "job_title"]
    assert ledger.verify().ok


def test_a_full_disk_records_nothing_and_the_ledger_goes_on_later(ledger: Ledger) -> None:
    pages = ledger.store.read_tuples("PRAGMA page_count")[0][0]
    ledger.store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StorageFull):
        opened(ledger, 2000)
    assert ledger.entries() == []
    ledger.store._connection.execute("PRAGMA max_page_count = 100000")
    opened(ledger, 2000)
    assert ledger.verify().ok


def test_a_ledger_is_not_made_by_accident(tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing):
        open_ledger(tmp_path, new_id=None)


def test_an_identity_is_given_once(tmp_path: Path) -> None:
    open_ledger(tmp_path, new_id="first").close()
    assert open_ledger(tmp_path, new_id="second").ledger_id == "first"


# --- is it the ledger that was here? ---


def test_a_ledger_that_went_on_is_remembered(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert ledger.memory_check() == "ok"
    settle_all(ledger, opened(ledger, 1).id)
    opened(ledger, 1)
    assert open_ledger(tmp_path).memory_check() == "ok"


def test_a_deleted_ledger_is_noticed(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    settle_all(ledger, opened(ledger, 1).id)
    ledger.close()
    for found in tmp_path.glob("ledger.db*"):
        if not found.name.endswith(".memory"):
            found.unlink()
    fresh = open_ledger(tmp_path, new_id="ledger-2")
    assert fresh.memory_check() == "lost"
    settle_all(fresh, opened(fresh, 1).id)
    assert fresh.memory_check() == "lost", "only a person may accept it"
    fresh.remember(accept=True)
    assert fresh.memory_check() == "ok"


def test_an_older_restored_ledger_is_noticed(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    settle_all(ledger, opened(ledger, 1).id)
    ledger.close()
    backup = (tmp_path / "ledger.db").read_bytes()
    ledger = open_ledger(tmp_path)
    settle_all(ledger, opened(ledger, 1).id)
    ledger.close()
    (tmp_path / "ledger.db").write_bytes(backup)
    restored = open_ledger(tmp_path)
    assert restored.memory_check() == "older"
    for _ in range(5):
        opened(restored, 1)
    assert restored.memory_check() == "older", "going on does not make it the same ledger"


def test_the_note_beside_the_ledger_is_private_and_refused_otherwise(tmp_path: Path) -> None:
    from agent.errors import ConfigError

    ledger = open_ledger(tmp_path)
    ledger.remember()
    note = tmp_path / "ledger.db.memory"
    assert note.stat().st_mode & 0o777 == 0o600
    note.chmod(0o644)
    with pytest.raises(ConfigError):
        ledger.memory_check()


def test_a_mangled_note_counts_as_lost(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.remember()
    (tmp_path / "ledger.db.memory").write_bytes(b"{")
    assert ledger.memory_check() == "lost"


def test_a_killed_writer_leaves_a_whole_ledger(tmp_path: Path) -> None:
    """A copy of the files as they are between two commits opens without repair."""
    ledger = open_ledger(tmp_path)
    opened(ledger, 5)
    with ledger.store.write():
        opened(ledger, 5)
        copy = tmp_path / "copy"
        copy.mkdir(mode=0o700)
        # a process of its own: closing the file here would drop SQLite's locks
        subprocess.run(["cp", "-p", *tmp_path.glob("ledger.db*"), copy], check=True)
    survivor = open_ledger(copy)
    assert len(survivor.entries()) == 5
    assert survivor.verify().ok


def test_recording_stays_quick_in_a_long_ledger(ledger: Ledger) -> None:
    """Counted in reads of the page cache, not in seconds: the cost of a batch must not grow with the ledger."""

    def steps() -> int:
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        ledger.store._connection.set_progress_handler(tick, 100)
        settle_all(ledger, opened(ledger, 20).id)
        ledger.store._connection.set_progress_handler(None, 0)
        return count

    early = steps()
    for _ in range(20):
        settle_all(ledger, opened(ledger, 200).id)
    assert steps() <= early * 1.5
