"""Opportunities and deals agree: name, amount, close date, owner and stage, through both real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deal_stage import CLOSES, CLOSES_AT, DealStage

from connectors.emulator.serve import Emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
    with DealStage(emulator, tmp_path) as stage:
        yield stage


def test_an_opportunity_becomes_a_deal_at_its_stage(stage: DealStage) -> None:
    kim = stage.user("kim@example.com")
    stage.opportunity("Acme renewal", StageName="Needs Analysis", Amount=1200.5, OwnerId=kim, Type="New Customer")
    stage.cycle()
    deal = stage.values(stage.only("hubspot", "deals"))
    assert (deal["dealname"], deal["amount"], deal["dealstage"]) == ("Acme renewal", "1200.5", "qualifiedtobuy")
    assert (deal["dealtype"], deal["hubspot_owner_id"]) == ("newbusiness", stage.hubspot_owner("kim@example.com"))
    assert deal["closedate"].startswith(CLOSES)


def test_a_deal_becomes_an_opportunity_with_all_that_salesforce_requires(stage: DealStage) -> None:
    stage.deal("Acme renewal", dealstage="contractsent", closedate=CLOSES_AT, amount="900")
    stage.cycle()
    made = stage.values(stage.only("salesforce", "Opportunity"))
    assert (made["Name"], made["StageName"], made["CloseDate"]) == ("Acme renewal", "Negotiation/Review", CLOSES)
    assert (made["Amount"], made["Probability"], made["ForecastCategoryName"]) == (900, 90, "Pipeline")


def test_what_salesforce_requires_and_hubspot_lacks_is_named(stage: DealStage) -> None:
    partners = stage.partner_pipeline()
    deal = stage.deal("Acme renewal", pipeline=partners, dealstage="4711", closedate=CLOSES_AT)
    stage.cycle()
    assert stage.refs("salesforce", "Opportunity") == []
    (step,) = stage.said(deal, "create")
    assert (step.disposition, "an Opportunity in Salesforce needs StageName" in step.sentence) == ("skipped", True)


def test_a_stage_moves_both_ways_and_probability_is_left_to_each_crm(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.edit(deal, dealstage="contractsent")
    stage.cycle()
    assert stage.values(opportunity)["StageName"] == "Negotiation/Review"
    assert stage.values(opportunity)["Probability"] == 90
    stage.edit(opportunity, StageName="Closed Won")
    stage.cycle()
    assert stage.values(deal)["dealstage"] == "closedwon"
    assert stage.values(deal)["hs_is_closed_won"] == "true"
    quiet = len(stage.api_writes())
    stage.cycle()
    assert len(stage.api_writes()) == quiet


def test_a_deal_that_is_opened_again_waits_for_a_person(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal", StageName="Closed Lost")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.edit(opportunity, StageName="Qualification")
    report = stage.cycle()
    assert stage.values(deal)["dealstage"] == "closedlost"
    (held,) = report.held
    assert held.counts == {"held": 1}


def test_a_deal_of_another_pipeline_keeps_its_stage(stage: DealStage) -> None:
    partners = stage.partner_pipeline()
    opportunity = stage.opportunity("Acme renewal")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.edit(deal, pipeline=partners, dealstage="4711")
    stage.edit(opportunity, StageName="Closed Won", Amount=5)
    stage.cycle()
    assert (stage.values(deal)["dealstage"], stage.values(deal)["amount"]) == ("4711", "5")
    assert stage.reviews("unmapped") == []


def test_a_later_owner_travels_and_an_inactive_one_does_not(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal", OwnerId=stage.user("kim@example.com"))
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.edit(opportunity, OwnerId=stage.user("sam@example.com"))
    stage.cycle()
    assert stage.values(deal)["hubspot_owner_id"] == stage.hubspot_owner("sam@example.com")
    dana = stage.user("dana@example.com")
    stage.admin.post("/users", system="salesforce", activate=dana)
    stage.edit(opportunity, OwnerId=dana)
    stage.cycle()
    assert stage.values(deal)["hubspot_owner_id"] == stage.hubspot_owner("sam@example.com")
    (step,) = stage.said(opportunity, "owner")
    assert step.disposition == "skipped"


def test_a_bumped_time_stamp_alone_writes_nothing(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal", Amount=10)
    stage.cycle()
    before = len(stage.api_writes())
    stage.edit(opportunity, NextStep="call them")
    stage.edit(stage.only("hubspot", "deals"), description="notes")
    stage.cycle()
    assert len(stage.api_writes()) == before


def test_a_deleted_deal_is_a_question_and_is_not_made_again(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    stage.delete(deal)
    stage.cycle(sweep=True)
    stage.edit(opportunity, Amount=77)
    stage.cycle()
    assert stage.refs("hubspot", "deals") == []
    (question,) = stage.reviews("lost")
    assert deal in question.refs


def test_a_merged_deal_is_followed_to_the_survivor(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme renewal")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    other = stage.deal("Acme renewal (copy)")
    survivor = stage.merge(deal, other)
    stage.cycle()
    assert survivor not in (deal, other)
    assert stage.members(opportunity)[survivor] == ("active", "linked")
    stage.edit(opportunity, Amount=42)
    stage.cycle()
    assert stage.values(survivor)["amount"] == "42"
    assert stage.refs("hubspot", "deals") == [survivor]
    assert stage.refs("salesforce", "Opportunity") == [opportunity]
