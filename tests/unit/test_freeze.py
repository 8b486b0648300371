"""Freezes: one per cell, counted by age, lifted or run out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from recording import START, Watch, intents, open_ledger

from agent.freeze.freeze import Freeze, FreezeKind, Freezes
from agent.ledger.ledger import Ledger


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def ledger(tmp_path: Path, clock: Watch) -> Ledger:
    return open_ledger(tmp_path, clock)


@pytest.fixture
def freezes(ledger: Ledger) -> Freezes:
    return Freezes(ledger)


def frozen(field: str = "job_title", *, person: int = 1, kind: FreezeKind = "person", reason: str = "asked") -> Freeze:
    return Freeze(f"person-{person}", field, "hubspot", "rule-1", kind, reason)


def test_a_freeze_comes_back_with_its_age(freezes: Freezes, clock: Watch) -> None:
    freezes.add([frozen()], "anna")
    (found,) = freezes.by_entity(["person-1", "person-2"])["person-1"]
    assert (found.field, found.system, found.rule, found.kind, found.reason) == (
        "job_title", "hubspot", "rule-1", "person", "asked",
    )  # fmt: skip
    assert (found.made_at, found.batch_id, found.expires_at) == (START, None, None)
    assert freezes.standing() == [found]


def test_a_cell_is_frozen_once_for_the_latest_reason(freezes: Freezes, ledger: Ledger) -> None:
    freezes.add([frozen(kind="fight", reason="changed back")], "truce")
    again = [frozen(kind="rollback", reason="undone with B-1")]
    ledger.open_batch("rollback", "Undo B-1", "anna", intents(1), freezes=again)
    (found,) = freezes.standing()
    assert (found.kind, found.reason, found.batch_id) == ("rollback", "undone with B-1", "B-1")
    freezes.add([frozen(reason="hands off")], "anna")
    (found,) = freezes.standing()
    assert (found.kind, found.reason, found.batch_id) == ("person", "hands off", None)


def test_an_undo_does_not_make_a_persons_freeze_its_own(freezes: Freezes, ledger: Ledger) -> None:
    freezes.add([frozen()], "anna")
    again = [frozen(kind="rollback", reason="undone with B-1")]
    ledger.open_batch("rollback", "Undo B-1", "anna", intents(1), freezes=again)
    (found,) = freezes.standing()
    assert (found.kind, found.reason, found.batch_id) == ("person", "asked", None)


def test_a_persons_freeze_that_ran_out_gives_way_to_that_of_an_undo(
    freezes: Freezes, ledger: Ledger, clock: Watch
) -> None:
    until = START + timedelta(days=1)
    freezes.add([Freeze("person-1", "job_title", "hubspot", "r", "person", expires_at=until)], "anna")
    clock.advance(days=2)
    ledger.open_batch("rollback", "Undo B-1", "anna", intents(1), freezes=[frozen(kind="rollback")])
    (found,) = freezes.standing()
    assert (found.kind, found.batch_id, found.expires_at) == ("rollback", "B-1", None)


def test_fields_and_systems_are_frozen_apart(freezes: Freezes) -> None:
    other_side = Freeze("person-1", "job_title", "salesforce", "rule-1", "person")
    freezes.add([frozen(), frozen("phone"), frozen(person=2), other_side], "anna")
    assert {entity: len(found) for entity, found in freezes.by_entity(["person-1", "person-2"]).items()} == {
        "person-1": 3, "person-2": 1,
    }  # fmt: skip


def test_an_expired_freeze_no_longer_counts(freezes: Freezes, clock: Watch) -> None:
    until = START + timedelta(days=14)
    freezes.add([Freeze("person-1", "phone", "hubspot", "r", "yield", expires_at=until)], "truce")
    clock.advance(days=13)
    assert freezes.standing()[0].expires_at == until
    clock.advance(days=1)
    assert freezes.standing() == []
    assert freezes.by_entity(["person-1"]) == {}


def test_an_expired_freeze_can_be_made_anew(freezes: Freezes, clock: Watch) -> None:
    freezes.add([Freeze("person-1", "phone", "hubspot", "r", "yield", expires_at=START + timedelta(days=1))], "truce")
    clock.advance(days=2)
    freezes.add([frozen("phone")], "anna")
    assert [(f.kind, f.made_at) for f in freezes.standing()] == [("person", clock.now)]


def test_lifted_cells_are_written_again_and_it_is_recorded(freezes: Freezes, ledger: Ledger) -> None:
    freezes.add([frozen(), frozen("phone"), frozen("country")], "anna")
    by_id = freezes.standing()[0].id
    assert by_id is not None
    assert freezes.lift([by_id, by_id, 999], "ben") == 1
    assert freezes.lift_cells([("person-1", "phone", "hubspot"), ("person-1", "phone", "salesforce")], "ben") == 1
    assert [found.field for found in freezes.standing()] == ["country"]
    assert [(e.subject, e.actor, e.body["field"]) for e in ledger.events(kind="lifted")] == [
        ("person-1", "ben", "phone"), ("person-1", "ben", "job_title"),
    ]  # fmt: skip
    freezes.add([frozen()], "anna")
    assert len(freezes.standing()) == 2
    assert ledger.verify().ok


def test_freezes_are_counted_by_age(freezes: Freezes, clock: Watch) -> None:
    for field, days in (("a", 25), ("b", 4), ("c", 2), ("d", 0)):
        freezes.add([frozen(field)], "anna")
        clock.advance(days=days)
    assert freezes.counts_by_age() == {"today": 1, "this week": 2, "this month": 0, "older": 1}


def test_many_entities_are_asked_for_at_once(freezes: Freezes) -> None:
    freezes.add([frozen(person=person) for person in range(1, 1203)], "anna")
    assert len(freezes.by_entity(f"person-{person}" for person in range(1, 1300))) == 1202
