"""New records: with everything the vendor needs, under a link key where there is one, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import EDITOR, PolicyStage, acting, shipped

from agent import apply
from agent.changes import State
from agent.orders.orders import ORDERS
from connectors.emulator.serve import Emulator

LEADS_TOO = """\
create:
  hubspot: {from: [Contact, Lead], when: [email is filled]}
  salesforce: {as: Lead, when: [lifecycle is at least MQL]}
"""
ANN = {"LastName": "Lee", "Email": "ann@acme.com"}


def creating_leads() -> dict[str, str]:
    sources = acting(shipped())
    text = sources["person-basics.yaml"]
    old = text[text.index("create:\n") : text.index("first_time:")]
    return {**sources, "person-basics.yaml": text.replace(old, LEADS_TOO)}


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live, with link keys."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


def test_a_new_record_carries_the_link_key_of_its_entity(stage: PolicyStage) -> None:
    contact = stage.create("salesforce", "Contact", **ANN, Title="CEO", Phone="(202) 555-0143")
    stage.cycle()
    (person,) = stage.refs("hubspot", "contacts")
    values = stage.values(person)
    assert str(values["truce_key"]).startswith(f"{stage.entity(contact)}-1-")
    assert (values["email"], values["lastname"], values["jobtitle"]) == ("ann@acme.com", "Lee", "CEO")
    assert values["phone"] == "+12025550143"


def test_a_new_record_starts_at_the_stage_of_its_source(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", **ANN, Customer_Stage__c="Customer")
    stage.cycle()
    (person,) = stage.refs("hubspot", "contacts")
    assert stage.values(person)["lifecyclestage"] == "customer"


def test_a_second_cycle_creates_nothing_more(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", **ANN, Customer_Stage__c="Customer")
    stage.cycle()
    before = stage.api_writes()
    assert stage.cycle().written == 0
    assert stage.api_writes() == before


def test_a_missing_required_field_is_skipped_and_named(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, creating_leads()) as stage:
        stage.go_live()
        person = stage.create(
            "hubspot", "contacts", email="ann@acme.com", lastname="Lee", lifecyclestage="marketingqualifiedlead"
        )
        stage.cycle()
        assert stage.refs("salesforce", "Lead") == []
        (step,) = stage.said(person, "create")
        assert step.disposition == "skipped"
        assert "Company" in step.sentence


def test_a_condition_that_does_not_hold_creates_nothing_and_says_why(stage: PolicyStage) -> None:
    contact = stage.create("salesforce", "Contact", LastName="Lee")
    stage.cycle()
    assert stage.refs("hubspot", "contacts") == []
    (step,) = stage.said(contact, "create")
    assert step.disposition == "nothing"
    assert "email" in step.sentence


def test_without_a_link_key_a_create_waits_for_a_person(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, acting(shipped()), has_keys=False) as stage:
        stage.go_live()
        stage.create("salesforce", "Contact", **ANN)
        report = stage.cycle()
        assert stage.refs("hubspot", "contacts") == []
        (held,) = report.held
        assert "link key" in (held.hold_reason or "")


def test_without_a_link_key_an_applied_plan_creates_one_by_one(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, acting(shipped()), has_keys=False) as stage:
        for number in range(3):
            stage.create("salesforce", "Contact", LastName=f"Lee {number}", Email=f"p{number}@acme.com")
        stage.apply()
        journal = [line for line in stage.admin.get("/journal?since=0") if line["system"] == "hubspot"]
        creates = [line["path"] for line in journal if line["method"] == "POST" and line["path"].endswith("/contacts")]
        assert len(creates) == 3
        assert len(stage.refs("hubspot", "contacts")) == 3


def test_an_undone_create_is_not_repeated(stage: PolicyStage) -> None:
    contact = stage.create("salesforce", "Contact", **ANN)
    batch = stage.cycle().batch
    assert batch is not None
    undo(stage, batch.id)
    assert stage.refs("hubspot", "contacts") == []
    stage.edit(contact, Title="CEO")
    stage.cycle()
    assert stage.refs("hubspot", "contacts") == []
    (step,) = stage.said(contact, "create")
    assert step.disposition == "frozen"
    assert stage.reviews("lost") == []


def test_after_an_undone_create_the_next_one_has_a_new_key(stage: PolicyStage) -> None:
    contact = stage.create("salesforce", "Contact", **ANN)
    batch = stage.cycle().batch
    assert batch is not None
    undo(stage, batch.id)
    entity_id = stage.entity(contact)
    stage.installation.freezes.lift_cells([(entity_id, "create", "hubspot")], EDITOR)
    stage.edit(contact, Title="CEO")
    stage.cycle()
    (person,) = stage.refs("hubspot", "contacts")
    assert str(stage.values(person)["truce_key"]).startswith(f"{entity_id}-2-")


def test_a_lost_reply_of_a_create_makes_no_second_record(stage: PolicyStage) -> None:
    contact = stage.create("salesforce", "Contact", **ANN)
    stage.admin.fault(system="hubspot", method="POST", route="*/batch/create", action="drop_after")
    stage.cycle()
    stage.cycle()
    (person,) = stage.refs("hubspot", "contacts")
    assert stage.members(contact)[person] == ("active", "linked")
    assert stage.installation.ledger.entries(states=(State.UNKNOWN, State.INTENDED)) == []


def test_values_travel_only_where_the_line_lets_the_new_side_be_written(emulator: Emulator, tmp_path: Path) -> None:
    sources = acting(shipped())
    text = sources["person-basics.yaml"].replace("jobtitle, wins: salesforce unless blank", "jobtitle, wins: hubspot")
    with PolicyStage(emulator, tmp_path, {**sources, "person-basics.yaml": text}) as stage:
        stage.go_live()
        stage.create("salesforce", "Contact", **ANN, Title="CEO")
        stage.cycle()
        (person,) = stage.refs("hubspot", "contacts")
        assert not stage.values(person).get("jobtitle")


def undo(stage: PolicyStage, batch_id: str) -> None:
    stage.wait(300)
    ORDERS["rollback"](stage.installation, {"batches": [batch_id]}, EDITOR, apply.silent)
