"""Owners are people: mapped by e-mail or by the people table, never to somebody who left, never to a queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import PolicyStage, acting, shipped

from connectors.emulator.serve import Emulator

ANN = {"LastName": "Lee", "Email": "ann@acme.com"}
ANN_HERE = {"lastname": "Lee", "email": "ann@acme.com"}


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


def user(stage: PolicyStage, email: str) -> str:
    """The Salesforce user with this e-mail."""
    owners = stage.installation.connectors["salesforce"].owners()
    return next(owner.id for owner in owners if owner.email == email)


def owner(stage: PolicyStage, email: str) -> str:
    """The HubSpot owner with this e-mail."""
    owners = stage.installation.connectors["hubspot"].owners()
    return next(owner.id for owner in owners if owner.email == email)


def test_an_owner_is_the_person_with_the_same_email(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", **ANN, OwnerId=user(stage, "kim@example.com"))
    person = stage.create("hubspot", "contacts", **ANN_HERE)
    stage.cycle()
    assert stage.values(person)["hubspot_owner_id"] == owner(stage, "kim@example.com")


def test_a_changed_owner_travels_and_counts_as_an_owner_change(stage: PolicyStage) -> None:
    contact = stage.create("salesforce", "Contact", **ANN, OwnerId=user(stage, "kim@example.com"))
    person = stage.create("hubspot", "contacts", **ANN_HERE)
    stage.cycle()
    stage.edit(contact, OwnerId=user(stage, "sam@example.com"))
    stage.cycle()
    assert stage.values(person)["hubspot_owner_id"] == owner(stage, "sam@example.com")
    used = stage.installation.ledger.used_today(stage.installation.clock().date())
    assert used["owner_changes"] == 1


def test_somebody_inactive_is_nobodys_counterpart(stage: PolicyStage) -> None:
    dana = user(stage, "dana@example.com")
    stage.admin.post("/users", system="salesforce", activate=dana)
    contact = stage.create("salesforce", "Contact", **ANN, OwnerId=dana)
    person = stage.create("hubspot", "contacts", **ANN_HERE)
    stage.cycle()
    assert not stage.values(person).get("hubspot_owner_id")
    (step,) = stage.said(contact, "owner")
    assert step.disposition == "skipped"
    assert "dana@example.com is inactive in HubSpot" in step.sentence


def test_somebody_who_left_salesforce_gives_no_owner(stage: PolicyStage) -> None:
    kim = user(stage, "kim@example.com")
    contact = stage.create("salesforce", "Contact", **ANN, OwnerId=kim)
    stage.admin.post("/users", system="salesforce", deactivate=kim)
    person = stage.create("hubspot", "contacts", **ANN_HERE)
    stage.cycle()
    assert not stage.values(person).get("hubspot_owner_id")
    assert "inactive in Salesforce" in stage.said(contact, "owner")[0].sentence


def test_a_queue_gives_no_owner(stage: PolicyStage) -> None:
    queue = next(item.id for item in stage.installation.connectors["salesforce"].owners() if item.is_queue)
    lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", OwnerId=queue)
    person = stage.create("hubspot", "contacts", **ANN_HERE)
    stage.cycle()
    assert not stage.values(person).get("hubspot_owner_id")
    assert "is a queue" in stage.said(lead, "owner")[0].sentence


def test_otherwise_names_who_takes_the_record(emulator: Emulator, tmp_path: Path) -> None:
    sources = acting(shipped())
    text = sources["person-basics.yaml"].replace("otherwise: skip", "otherwise: lee@example.com")
    with PolicyStage(emulator, tmp_path, {**sources, "person-basics.yaml": text}) as stage:
        stage.go_live()
        queue = next(item.id for item in stage.installation.connectors["salesforce"].owners() if item.is_queue)
        stage.create("salesforce", "Lead", **ANN, Company="Acme", OwnerId=queue)
        person = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        assert stage.values(person)["hubspot_owner_id"] == owner(stage, "lee@example.com")
        assert stage.cycle().written == 0


def test_the_people_table_goes_before_the_email(emulator: Emulator, tmp_path: Path) -> None:
    sources = acting(shipped())
    table = "people:\n  lee@example.com: {salesforce_user: kim@practice.example.com}\n"
    text = sources["sales-team.yaml"]
    text = text[: text.index("people:\n")] + table
    with PolicyStage(emulator, tmp_path, {**sources, "sales-team.yaml": text}) as stage:
        stage.go_live()
        stage.create("salesforce", "Contact", **ANN, OwnerId=user(stage, "kim@example.com"))
        person = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        assert stage.values(person)["hubspot_owner_id"] == owner(stage, "lee@example.com")
