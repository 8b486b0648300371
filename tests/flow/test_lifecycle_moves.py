"""Stages of one funnel in both CRMs: forward by listed moves, back only with a person, cleared before it is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import EDITOR, PolicyStage, acting, shipped

from agent import apply
from agent.approval import approving
from agent.errors import ApprovalNeeded
from agent.records import Ref
from connectors.emulator.serve import Emulator

ANN = {"LastName": "Lee", "Email": "ann@acme.com", "MailingCountry": "Germany"}
ANN_HERE = {"lastname": "Lee", "email": "ann@acme.com", "country": "Germany"}


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


def pair(stage: PolicyStage, there: str, here: str) -> tuple[Ref, Ref]:
    """A Contact and a HubSpot contact at these stages, settled."""
    contact = stage.create("salesforce", "Contact", **ANN, Customer_Stage__c=there)
    person = stage.create("hubspot", "contacts", **ANN_HERE, lifecyclestage=here)
    stage.cycle()
    return contact, person


def test_a_person_moved_forward_in_salesforce_moves_in_hubspot(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Lead", "lead")
    stage.edit(contact, Customer_Stage__c="Opportunity")
    stage.cycle()
    assert stage.values(person)["lifecyclestage"] == "opportunity"


def test_a_person_moved_forward_in_hubspot_moves_in_salesforce(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Lead", "lead")
    stage.edit(person, lifecyclestage="customer")
    stage.cycle()
    assert stage.values(contact)["Customer_Stage__c"] == "Customer"


def test_a_score_moves_both_sides_to_mql(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Lead", "lead")
    stage.edit(person, lead_score="72")
    stage.cycle()
    assert stage.values(person)["lifecyclestage"] == "marketingqualifiedlead"
    assert stage.values(contact)["Customer_Stage__c"] == "MQL"


def test_a_move_whose_needs_are_blank_is_skipped_and_named(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        contact = stage.create("salesforce", "Contact", LastName="Lee", Email="ann@acme.com", Customer_Stage__c="Lead")
        person = stage.create("hubspot", "contacts", lastname="Lee", email="ann@acme.com", lifecyclestage="lead")
        stage.cycle()
        stage.edit(person, lead_score="72")
        stage.cycle()
        assert stage.values(person)["lifecyclestage"] == "lead"
        assert any("MQL needs country" in step.sentence for step in stage.said(contact, "lifecycle"))


def test_a_move_nobody_listed_is_refused_visibly(emulator: Emulator, tmp_path: Path) -> None:
    sources = acting(shipped())
    text = sources["person-lifecycle.yaml"].replace("  - {to: SQL}\n", "")
    with PolicyStage(emulator, tmp_path, {**sources, "person-lifecycle.yaml": text}) as stage:
        stage.go_live()
        contact, person = pair(stage, "Lead", "lead")
        stage.edit(contact, Customer_Stage__c="SQL")
        stage.cycle()
        assert stage.values(person)["lifecyclestage"] == "lead"
        assert "refused" in {step.disposition for step in stage.said(contact, "lifecycle")}


def test_a_move_back_waits_for_a_person(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Customer", "customer")
    stage.edit(contact, Customer_Stage__c="Lead")
    report = stage.cycle()
    assert stage.values(person)["lifecyclestage"] == "customer"
    (held,) = report.held
    assert "stage back" in (held.hold_reason or "")


def test_an_approved_move_back_clears_and_then_sets_in_hubspot(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Customer", "customer")
    stage.edit(contact, Customer_Stage__c="Lead")
    (held,) = stage.cycle().held
    before = stage.admin.get("/health")["last_seq"]
    count = len(stage.installation.ledger.entries(batch_id=held.id))
    with pytest.raises(ApprovalNeeded, match="needs a reason"):
        approving.approve(stage.installation, held.id, EDITOR, count)
    approving.approve(stage.installation, held.id, EDITOR, count, "moved by mistake")
    apply.write(stage.installation, held.id)
    assert stage.values(person)["lifecyclestage"] == "lead"
    changes = [line for line in stage.admin.audit(before) if line["id"] == person.id and line["cause"] == "api"]
    assert [line["after"].get("lifecyclestage") for line in changes] == [None, "lead"]
    stage.edit(person, jobtitle="x")
    assert stage.cycle().held == ()
    assert stage.installation.reviews.list(kind="overwritten") == [], "the first of our two writes is not somebody"


def test_other_fields_do_not_wait_for_the_approval_of_a_move_back(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Customer", "customer")
    stage.edit(contact, Customer_Stage__c="Lead", Title="CEO")
    stage.cycle()
    assert stage.values(person)["jobtitle"] == "CEO"
    assert stage.values(person)["lifecyclestage"] == "customer"


def test_hubspot_ignoring_a_stage_silently_is_seen(stage: PolicyStage) -> None:
    """A stage that HubSpot's own automation moves on while the write is under way stays the person's."""
    contact, person = pair(stage, "Lead", "lead")
    stage.edit(person, lifecyclestage="customer")
    stage.edit(contact, Customer_Stage__c="MQL")
    stage.cycle()
    assert stage.values(person)["lifecyclestage"] == "customer"
    assert stage.values(contact)["Customer_Stage__c"] == "Customer"


def test_a_stage_no_line_lists_is_a_question_until_it_is_changed(stage: PolicyStage) -> None:
    contact, person = pair(stage, "Lead", "lead")
    stage.edit(person, lifecyclestage="other")
    stage.cycle()
    assert stage.values(contact)["Customer_Stage__c"] == "Lead"
    (question,) = stage.reviews("unmapped")
    assert "other" in question.sentence
    stage.edit(person, lifecyclestage="")
    stage.edit(person, lifecyclestage="marketingqualifiedlead")
    stage.cycle()
    assert stage.reviews("unmapped") == []
    assert stage.values(contact)["Customer_Stage__c"] == "MQL"


def test_an_open_lead_moves_by_its_status(stage: PolicyStage) -> None:
    lead = stage.create("salesforce", "Lead", LastName="Lee", Company="Acme", Email="ann@acme.com", Country="Germany")
    person = stage.create("hubspot", "contacts", **ANN_HERE, lifecyclestage="lead")
    stage.cycle()
    stage.edit(person, lifecyclestage="marketingqualifiedlead")
    stage.cycle()
    assert stage.values(lead)["Status"] == "Marketing Qualified"


def test_working_a_lead_is_no_move(stage: PolicyStage) -> None:
    lead = stage.create("salesforce", "Lead", LastName="Lee", Company="Acme", Email="ann@acme.com", Country="Germany")
    person = stage.create("hubspot", "contacts", **ANN_HERE, lifecyclestage="lead")
    stage.cycle()
    stage.edit(lead, Status="Working - Contacted")
    before = stage.api_writes()
    stage.cycle()
    assert stage.api_writes() == before
    assert stage.values(person)["lifecyclestage"] == "lead"
