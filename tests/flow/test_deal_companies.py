"""Which company a deal belongs to: paired by it with care, created with it, followed when it changes, and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deal_stage import CLOSES_AT, DealStage
from policy_stage import EDITOR

from agent import apply
from agent.orders.orders import ORDERS
from connectors.emulator.serve import Emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
    with DealStage(emulator, tmp_path) as stage:
        yield stage


class TestPairing:
    def test_the_same_name_at_the_same_company_is_the_same_deal(self, stage: DealStage) -> None:
        account, company = stage.companies("Acme")["Acme"]
        opportunity = stage.opportunity("Acme Renewal", AccountId=account.id)
        deal = stage.deal("acme renewal", closedate=CLOSES_AT)
        stage.move_deal(deal, company)
        stage.cycle()
        assert stage.members(opportunity) == {opportunity: ("active", "linked"), deal: ("active", "linked")}
        assert len(stage.refs("hubspot", "deals")) == len(stage.refs("salesforce", "Opportunity")) == 1

    def test_the_same_name_at_another_company_is_another_deal(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        deal = stage.deal("Renewal", closedate=CLOSES_AT)
        stage.move_deal(deal, made["Globex"][1])
        stage.cycle()
        assert stage.entity(opportunity) != stage.entity(deal)

    def test_two_of_that_name_at_that_company_are_never_guessed_and_never_written(self, stage: DealStage) -> None:
        account, company = stage.companies("Acme")["Acme"]
        stage.opportunity("Renewal", AccountId=account.id, Amount=5)
        deals = [stage.deal("Renewal", closedate=CLOSES_AT) for _ in range(2)]
        for deal in deals:
            stage.move_deal(deal, company)
        mark = len(stage.api_writes())
        stage.cycle()
        assert {kind for _, kind, _ in stage.api_writes()[mark:]} <= {"companies", "Account"}
        (question,) = stage.reviews("unclear")
        assert len(question.refs) == 3

    def test_deals_without_a_company_stand_alone_whatever_their_name(self, stage: DealStage) -> None:
        opportunity = stage.opportunity("Renewal")
        deal = stage.deal("Renewal", closedate=CLOSES_AT)
        stage.cycle()
        assert stage.entity(opportunity) != stage.entity(deal)

    def test_a_company_that_is_paired_later_pairs_its_deals(self, stage: DealStage) -> None:
        account = stage.create("salesforce", "Account", Name="Acme")
        company = stage.create("hubspot", "companies", name="Acme", domain="acme.example")
        opportunity = stage.opportunity("Renewal", AccountId=account.id, StageName="Closed Lost")
        deal = stage.deal("Renewal")  # no close date: nothing is created for it
        stage.move_deal(deal, company)
        stage.change_policies({"deal-basics.yaml": without_creates(stage)})
        stage.go_live()
        stage.cycle()
        assert stage.entity(opportunity) != stage.entity(deal)
        stage.edit(account, Website="acme.example")
        stage.cycle()
        assert stage.members(opportunity)[deal] == ("active", "linked")

    def test_ids_that_another_integration_left_pair_whatever_the_name(self, stage: DealStage) -> None:
        stage.admin.post("/schema", system="hubspot", object="deals", add={"name": "sf_opportunity", "type": "string"})
        opportunity = stage.opportunity("Renewal")
        deal = stage.deal("Another name", sf_opportunity=opportunity.id)
        stage.stored_ids = {"deals": {"sf_opportunity": "Opportunity"}}
        stage.change_policies({})
        stage.cycle()
        assert stage.members(opportunity)[deal] == ("active", "linked")


def without_creates(stage: DealStage) -> str:
    text = (stage.folder / "policies" / "deal-basics.yaml").read_text(encoding="utf-8")
    before, _, rest = text.partition("create:\n")
    return before + rest[rest.index("first_time:") :]


class TestCreates:
    def test_an_opportunity_becomes_a_deal_of_its_company(self, stage: DealStage) -> None:
        account, company = stage.companies("Acme")["Acme"]
        stage.opportunity("Renewal", AccountId=account.id)
        stage.cycle()
        assert stage.belongs_to(stage.only("hubspot", "deals")) == company.id
        assert stage.cycle().written == 0

    def test_a_deal_becomes_an_opportunity_of_its_account(self, stage: DealStage) -> None:
        account, company = stage.companies("Acme")["Acme"]
        deal = stage.deal("Renewal", closedate=CLOSES_AT)
        stage.move_deal(deal, company)
        stage.cycle()
        assert stage.values(stage.only("salesforce", "Opportunity"))["AccountId"] == account.id

    def test_the_company_comes_first(self, stage: DealStage) -> None:
        account = stage.create("salesforce", "Account", Name="Acme", Website="acme.example")
        opportunity = stage.opportunity("Renewal", AccountId=account.id)
        stage.cycle()
        company = stage.only("hubspot", "companies")
        assert stage.refs("hubspot", "deals") == []
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        assert stage.belongs_to(deal) == company.id
        assert stage.members(opportunity)[deal] == ("active", "linked")

    def test_a_deal_whose_company_is_not_paired_waits_because_it_may_be_there_already(self, stage: DealStage) -> None:
        account = stage.create("salesforce", "Account", Name="Acme")  # no website: not created in HubSpot
        opportunity = stage.opportunity("Renewal", AccountId=account.id)
        stage.cycle()
        assert stage.refs("hubspot", "deals") == []
        (step,) = stage.said(opportunity, "create")
        assert "nobody can tell whether this is there already" in step.sentence
        stage.edit(account, Website="acme.example")
        stage.cycle()
        stage.cycle()
        assert stage.belongs_to(stage.only("hubspot", "deals")) == stage.only("hubspot", "companies").id


class TestChanges:
    def test_another_account_travels_to_hubspot_as_one_ledger_line(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.edit(opportunity, AccountId=made["Globex"][0].id)
        report = stage.cycle()
        assert stage.belongs_to(deal) == made["Globex"][1].id
        assert report.batch is not None
        (entry,) = stage.installation.ledger.entries(batch_id=report.batch.id)
        (cell,) = entry.change.cells
        assert (entry.change.op, cell.field) == ("associate", "company")
        assert (cell.before, cell.after) == (made["Acme"][1].id, made["Globex"][1].id)
        assert entry.observed == {"hs_primary_associated_company": made["Globex"][1].id}
        assert stage.cycle().written == 0

    def test_another_primary_company_travels_to_salesforce(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        stage.move_deal(stage.only("hubspot", "deals"), made["Globex"][1])
        stage.cycle()
        assert stage.values(opportunity)["AccountId"] == made["Globex"][0].id
        assert stage.cycle().written == 0

    def test_a_second_company_of_a_deal_is_nobodys_business(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex")
        stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.admin.post(
            "/link", system="hubspot", **{"from": ["deals", deal.id], "to": ["companies", made["Globex"][1].id]}
        )
        stage.edit(deal, description="they buy together")
        assert stage.cycle().written == 0
        assert stage.belongs_to(deal) == made["Acme"][1].id

    def test_a_company_that_hubspot_lacks_is_waited_for(self, stage: DealStage) -> None:
        made = stage.companies("Acme")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        late = stage.create("salesforce", "Account", Name="Globex", Website="globex.example")
        stage.edit(opportunity, AccountId=late.id)
        stage.cycle()
        assert stage.belongs_to(deal) == made["Acme"][1].id
        stage.cycle()
        (globex,) = [ref for ref in stage.refs("hubspot", "companies") if ref != made["Acme"][1]]
        assert stage.belongs_to(deal) == globex.id

    def test_an_account_taken_away_clears_nothing_unless_the_line_may_clear(self, stage: DealStage) -> None:
        made = stage.companies("Acme")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.edit(opportunity, AccountId=None)
        stage.cycle()
        assert stage.belongs_to(deal) == made["Acme"][1].id

    def test_a_merged_company_is_no_move(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex")
        stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        other = stage.create("hubspot", "companies", name="Acme Inc")
        survivor = stage.merge(made["Acme"][1], other)
        stage.edit(deal, description="after the merge")
        assert stage.cycle().written == 0
        assert stage.belongs_to(deal) == survivor.id


class TestUndo:
    def test_a_moved_deal_goes_back_to_its_company(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.edit(opportunity, AccountId=made["Globex"][0].id, Amount=70)
        batch = stage.cycle().batch
        assert batch is not None
        undo(stage, batch.id)
        assert stage.belongs_to(deal) == made["Acme"][1].id
        assert stage.values(deal).get("amount") in (None, "")
        for _ in range(3):
            assert stage.cycle().written == 0

    def test_a_filled_company_is_taken_off_again(self, stage: DealStage) -> None:
        made = stage.companies("Acme")
        opportunity = stage.opportunity("Renewal")
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.edit(opportunity, AccountId=made["Acme"][0].id)
        batch = stage.cycle().batch
        assert batch is not None
        assert stage.belongs_to(deal) == made["Acme"][1].id
        undo(stage, batch.id)
        assert stage.associated_with(deal, "companies") == {}

    def test_a_company_that_somebody_chose_since_is_kept(self, stage: DealStage) -> None:
        made = stage.companies("Acme", "Globex", "Initech")
        opportunity = stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        stage.cycle()
        deal = stage.only("hubspot", "deals")
        stage.edit(opportunity, AccountId=made["Globex"][0].id)
        batch = stage.cycle().batch
        assert batch is not None
        stage.move_deal(deal, made["Initech"][1])
        undo(stage, batch.id)
        assert stage.belongs_to(deal) == made["Initech"][1].id

    def test_a_deal_that_truce_created_goes_with_its_association(self, stage: DealStage) -> None:
        made = stage.companies("Acme")
        stage.opportunity("Renewal", AccountId=made["Acme"][0].id)
        batch = stage.cycle().batch
        assert batch is not None
        undo(stage, batch.id)
        assert stage.refs("hubspot", "deals") == []
        assert stage.cycle().written == 0


def undo(stage: DealStage, *batches: str) -> dict[str, Any]:
    stage.wait(60)
    return ORDERS["rollback"](stage.installation, {"batches": list(batches)}, EDITOR, apply.silent)
