"""Whoever reads a batch, a question or an undo reads names, not ids: of owners, of linked records, of what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import PolicyStage, acting, shipped

from agent.changes import ReviewRequest
from agent.orders.results import reversal_result
from agent.records import Ref
from agent.reports.questions import in_names
from agent.reports.spoken import Spoken
from agent.rollback.reversal import plan_reversal
from agent.rollback.selection import Selection
from connectors.emulator.serve import Emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


def ask(stage: PolicyStage, sentence: str, *refs: Ref) -> str:
    """The question as ``truce review`` prints it."""
    stage.installation.reviews.open_or_refresh([ReviewRequest("unclear", "", "topic", sentence, refs)])
    (review,) = stage.installation.reviews.list(kind="unclear")
    return in_names(stage.installation, review)


def test_an_owner_is_read_by_name_in_an_undo_too(stage: PolicyStage) -> None:
    owners = stage.installation.connectors["salesforce"].owners()
    kim = next(owner for owner in owners if owner.email == "kim@example.com")
    stage.create("salesforce", "Contact", LastName="Lee", Email="ann@acme.com", OwnerId=kim.id)
    person = stage.create("hubspot", "contacts", lastname="Lee", email="ann@acme.com")
    stage.cycle()
    batch = stage.installation.ledger.batches()[0].id
    undo = reversal_result(stage.installation, plan_reversal(stage.installation, Selection(batches=(batch,))))
    said = {item["field"]: item["live"] for item in undo["restored"]}
    assert said["owner"] == kim.name
    here = str(stage.values(person)["hubspot_owner_id"])
    assert Spoken(stage.installation).value("hubspot", "owner", here) == kim.name
    assert Spoken(stage.installation).value("hubspot", "job_title", here) == here


def test_a_question_names_every_record(stage: PolicyStage) -> None:
    ann = stage.create("salesforce", "Contact", FirstName="Ann", LastName="Lee", Email="ann@acme.com")
    bob = stage.create("hubspot", "contacts", firstname="Bob", lastname="Lee", email="bob@acme.com")
    stage.cycle()
    longer = Ref(bob.system, bob.object_type, f"{bob.id}0")
    assert ask(stage, f"{ann} or {bob}, not {longer}?", ann, bob, longer) == (
        f"Ann Lee ({ann}) or Bob Lee ({bob}), not {longer}?"
    )
    assert ask(stage, "source differs", ann).endswith(": source differs")
    assert ask(stage, "source differs", ann).startswith("Ann Lee")


def test_what_was_deleted_keeps_its_name(stage: PolicyStage) -> None:
    ann = stage.create(
        "salesforce", "Contact", FirstName="Ann", LastName="Lee", Email="ann@acme.com", HasOptedOutOfEmail=False
    )
    stage.create("hubspot", "contacts", firstname="Ann", lastname="Lee", email="ann@acme.com", jobtitle="Chief")
    stage.cycle()
    (written,) = [entry for entry in stage.installation.ledger.entries() if entry.change.ref == ann]
    stage.delete(ann)
    stage.cycle()
    assert stage.installation.name_of(written.change) == "Ann Lee"


def test_what_is_not_made_yet_is_named_by_what_is_to_be_written(stage: PolicyStage) -> None:
    stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    stage.cycle()
    made = next(entry.change for entry in stage.installation.ledger.entries() if entry.change.op == "create")
    assert stage.installation.name_of(made) == "new companies Acme"
