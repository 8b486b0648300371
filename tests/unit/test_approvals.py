"""Approvals: valid for exactly the list shown, while it waits; and policies that may act."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from recording import START, Watch, open_ledger, opened

from agent.approval.approvals import Approvals
from agent.changes import Batch, State
from agent.errors import ApprovalNeeded, NotFound
from agent.ledger.ledger import Ledger


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def ledger(tmp_path: Path, clock: Watch) -> Ledger:
    return open_ledger(tmp_path, clock)


@pytest.fixture
def approvals(ledger: Ledger) -> Approvals:
    return Approvals(ledger)


@pytest.fixture
def held(ledger: Ledger) -> Batch:
    return opened(ledger, 3, State.HELD, expires_at=START + timedelta(days=7))


def test_an_approval_names_person_list_and_time(approvals: Approvals, ledger: Ledger, held: Batch) -> None:
    approvals.record(held.id, "anna", held.hash, 3)
    (given,) = approvals.of(held.id)
    assert (given.person, given.hash, given.count, given.at) == ("anna", held.hash, 3, START)
    assert ledger.batch(held.id).approved_by == ("anna",)
    (event,) = ledger.events(kind="approved")
    assert (event.subject, event.actor, event.body) == (held.id, "anna", {"hash": held.hash, "count": 3})


def test_the_same_person_counts_once(approvals: Approvals, ledger: Ledger, held: Batch) -> None:
    for person in ("anna", "anna", "ben"):
        approvals.record(held.id, person, held.hash, 3)
    assert ledger.batch(held.id).approved_by == ("anna", "ben")
    assert len(ledger.events(kind="approved")) == 2


def test_another_list_is_not_approved(approvals: Approvals, ledger: Ledger, held: Batch) -> None:
    other = opened(ledger, 2, State.HELD)
    for batch_hash, count in ((other.hash, 3), (held.hash, 2)):
        with pytest.raises(ApprovalNeeded, match="not the list that was shown"):
            approvals.record(held.id, "anna", batch_hash, count)
    assert approvals.of(held.id) == []


def test_an_approval_comes_too_late(approvals: Approvals, held: Batch, clock: Watch) -> None:
    clock.advance(days=7, seconds=1)
    with pytest.raises(ApprovalNeeded, match="expired"):
        approvals.record(held.id, "anna", held.hash, 3)


def test_what_does_not_wait_cannot_be_approved(approvals: Approvals, ledger: Ledger, held: Batch) -> None:
    ledger.approve_batch(held.id, ["anna"])
    with pytest.raises(ApprovalNeeded, match="open"):
        approvals.record(held.id, "ben", held.hash, 3)
    with pytest.raises(NotFound):
        approvals.record("B-99", "ben", held.hash, 3)


def test_a_policy_acts_on_the_meaning_that_was_activated(approvals: Approvals, clock: Watch) -> None:
    assert approvals.active_meaning("person-basics") is None
    approvals.activate("person-basics", "meaning 1", "anna")
    clock.advance(days=1)
    approvals.activate("person-basics", "meaning 2", "ben")
    assert approvals.active_meaning("person-basics") == "meaning 2"
    found = approvals.activation("person-basics")
    assert found is not None
    assert (found.person, found.at) == ("ben", clock.now)
    approvals.deactivate("person-basics", "anna")
    assert approvals.active_meaning("person-basics") is None


def test_activations_are_recorded(approvals: Approvals, ledger: Ledger) -> None:
    approvals.activate("person-basics", "meaning 1", "anna")
    approvals.deactivate("person-basics", "ben")
    assert [(event.kind, event.actor) for event in ledger.events(subject="person-basics")] == [
        ("policy deactivated", "ben"), ("policy activated", "anna"),
    ]  # fmt: skip
    assert ledger.verify().ok


def test_a_paused_policy_stays_paused_over_a_restart(approvals: Approvals, ledger: Ledger, tmp_path: Path) -> None:
    approvals.pause("person-basics", "anna", "strange values")
    approvals.pause("person-basics", "ben")
    assert Approvals(open_ledger(tmp_path)).is_paused("person-basics")
    assert not approvals.is_paused("routing")
    approvals.resume("person-basics", "ben")
    approvals.resume("person-basics", "ben")
    assert not approvals.is_paused("person-basics")
    assert ledger.events(subject="person-basics", limit=1)[0].kind == "policy resumed"
    assert len(ledger.events(kind="policy resumed")) == 1
