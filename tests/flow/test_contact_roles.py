"""Who takes part in a deal: contact roles and the contacts on a deal, added in both directions, never removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deal_stage import DealStage
from policy_stage import EDITOR, acting, shipped
from test_deal_companies import undo

from agent import apply
from agent.orders.orders import ORDERS
from agent.records import Ref
from connectors.emulator.serve import Emulator

ROLE = """\
  role:
    salesforce: Role
    hubspot: label
    wins: newest
    else: salesforce unless blank
    values:
      decides: {salesforce: Decision Maker, hubspot: Decides}
      uses: {salesforce: Business User, hubspot: Uses it}
"""


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
    with DealStage(emulator, tmp_path) as stage:
        yield stage


def paired_deal(stage: DealStage) -> tuple[Ref, Ref]:
    """An opportunity and its deal."""
    opportunity = stage.opportunity("Renewal")
    stage.cycle()
    return opportunity, stage.only("hubspot", "deals")


def with_role(stage: DealStage, deal: Ref, contact: Ref) -> None:
    stage.create("salesforce", "OpportunityContactRole", OpportunityId=deal.id, ContactId=contact.id)


class TestAdding:
    def test_a_contact_role_puts_the_contact_on_the_deal(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.cycle()
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}
        assert stage.cycle().written == 0

    def test_a_contact_on_a_deal_becomes_a_contact_role(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        stage.add_to_deal(deal, hub)
        stage.cycle()
        assert set(stage.roles(opportunity)) == {ann.id}
        assert stage.cycle().written == 0

    def test_the_same_two_on_both_sides_are_one_role(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.add_to_deal(deal, hub)
        assert stage.cycle().written == 0
        (role,) = stage.refs("salesforce", "OpportunityContactRole")
        assert stage.members(role)[Ref("hubspot", "deal_contacts", f"{deal.id}-{hub.id}")] == ("active", "linked")

    def test_somebody_who_is_not_in_the_other_crm_is_waited_for(self, stage: DealStage) -> None:
        opportunity, deal = paired_deal(stage)
        contact = stage.create("salesforce", "Contact", LastName="Ann")  # no e-mail: not created in HubSpot
        with_role(stage, opportunity, contact)
        stage.cycle()
        assert stage.associated_with(deal, "contacts") == {}
        stage.edit(contact, Email="ann@acme.example")
        stage.cycle()
        stage.cycle()
        (hub,) = stage.refs("hubspot", "contacts")
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}

    def test_a_lead_takes_no_contact_role(self, stage: DealStage) -> None:
        stage.create("salesforce", "Lead", LastName="Ann", Company="Acme", Email="ann@acme.example")
        hub = stage.create("hubspot", "contacts", lastname="Ann", email="ann@acme.example")
        _, deal = paired_deal(stage)
        stage.add_to_deal(deal, hub)
        stage.cycle()
        assert stage.refs("salesforce", "OpportunityContactRole") == []
        assert stage.installation.ledger.entries(states=None)[-1].error is None

    def test_a_lost_reply_makes_no_second_role(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.admin.fault(system="hubspot", method="POST", route="*/contacts/batch/create", action="drop_after")
        stage.cycle()
        stage.cycle()
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}
        assert stage.cycle().written == 0


class TestRemoving:
    def test_a_contact_taken_off_a_deal_stays_in_salesforce_and_is_asked_about(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.cycle()
        stage.part_from(deal, hub)
        stage.cycle(sweep=True)
        stage.cycle()
        assert set(stage.roles(opportunity)) == {ann.id}
        assert stage.associated_with(deal, "contacts") == {}
        (question,) = stage.reviews("lost")
        assert "deal_contacts" in question.sentence

    def test_a_role_deleted_in_salesforce_stays_in_hubspot(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.cycle()
        stage.delete(stage.only("salesforce", "OpportunityContactRole"))
        stage.cycle()
        stage.cycle()
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}
        assert stage.roles(opportunity) == {}


class TestFollowing:
    """With ``when_removed: remove too``."""

    @pytest.fixture
    def stage(self, emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
        sources = acting(shipped())
        roles = sources["contact-roles.yaml"]
        sources["contact-roles.yaml"] = roles.replace("first_time:", "when_removed: remove too\nfirst_time:")
        with DealStage(emulator, tmp_path, sources) as stage:
            yield stage

    def test_a_role_deleted_in_salesforce_takes_the_contact_off_the_deal_and_an_undo_puts_it_back(
        self, stage: DealStage
    ) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.cycle()
        stage.delete(stage.only("salesforce", "OpportunityContactRole"))
        batch = stage.cycle().batch
        assert batch is not None
        assert stage.associated_with(deal, "contacts") == {}
        assert stage.reviews("lost") == []
        assert stage.cycle().written == 0
        undo(stage, batch.id)
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}
        for _ in range(2):
            assert stage.cycle(sweep=True).written == 0
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}

    def test_a_contact_taken_off_a_deal_loses_the_role_and_an_undo_brings_it_back(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.cycle()
        stage.part_from(deal, hub)
        batch = stage.cycle(sweep=True).batch
        assert batch is not None
        assert stage.roles(opportunity) == {}
        assert stage.cycle(sweep=True).written == 0
        undo(stage, batch.id)
        assert set(stage.roles(opportunity)) == {ann.id}
        for _ in range(2):
            assert stage.cycle(sweep=True).written == 0
        assert set(stage.roles(opportunity)) == {ann.id}

    def test_roles_that_went_with_their_opportunity_are_a_question(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.cycle()
        stage.delete(stage.only("salesforce", "OpportunityContactRole"))
        stage.delete(opportunity)
        for _ in range(2):
            assert stage.cycle(sweep=True).written == 0
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}
        assert len(stage.reviews("lost")) == 2

    def test_roles_that_went_with_a_merged_person_are_no_removal(self, stage: DealStage) -> None:
        made = stage.people("Ann", "Bea")
        opportunity, _ = paired_deal(stage)
        with_role(stage, opportunity, made["Ann"][0])
        stage.cycle()
        stage.merge(made["Bea"][1], made["Ann"][1])
        for _ in range(2):
            stage.cycle(sweep=True)
        assert made["Ann"][0].id in stage.roles(opportunity)

    def test_a_person_may_keep_it(self, stage: DealStage) -> None:
        stage.change_policies(
            {
                "contact-roles.yaml": (stage.folder / "policies" / "contact-roles.yaml")
                .read_text(encoding="utf-8")
                .replace("mode: act", "mode: ask")
            }
        )
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        stage.apply()
        stage.delete(stage.only("salesforce", "OpportunityContactRole"))
        stage.cycle()
        assert stage.associated_with(deal, "contacts") == {hub.id: {"3"}}
        [question] = stage.reviews("lost")
        assert "contact-roles takes its counterpart off too" in question.sentence
        ORDERS["review"](stage.installation, {"review": question.id, "answer": "keep"}, EDITOR, apply.silent)
        assert stage.planned() == []

    def test_more_than_ten_a_day_wait_for_a_person(self, stage: DealStage) -> None:
        people = stage.people(*[f"P{number}" for number in range(12)])
        opportunity, deal = paired_deal(stage)
        for contact, _ in people.values():
            with_role(stage, opportunity, contact)
        stage.cycle()
        assert len(stage.associated_with(deal, "contacts")) == 12
        for ref in stage.refs("salesforce", "OpportunityContactRole"):
            stage.delete(ref)
        assert stage.cycle().written == 0
        assert len(stage.associated_with(deal, "contacts")) == 12


class TestRoles:
    @pytest.fixture
    def stage(self, emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
        sources = acting(shipped())
        sources["contact-roles.yaml"] += ROLE
        (tmp_path / "first").mkdir()
        with DealStage(emulator, tmp_path / "first") as before:
            self.decides, self.uses = before.contact_label("Decides"), before.contact_label("Uses it")
        (tmp_path / "second").mkdir()
        with DealStage(emulator, tmp_path / "second", sources) as stage:
            yield stage

    def test_a_role_arrives_as_the_accounts_label_and_follows(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        role = stage.only("salesforce", "OpportunityContactRole")
        stage.edit(role, Role="Decision Maker")
        stage.cycle()
        assert stage.associated_with(deal, "contacts")[hub.id] == {"3", f"user:{self.decides}"}
        stage.edit(role, Role="Business User")
        batch = stage.cycle().batch
        assert batch is not None
        assert stage.associated_with(deal, "contacts")[hub.id] == {"3", f"user:{self.uses}"}
        stage.wait(700)
        undo(stage, batch.id)
        assert stage.associated_with(deal, "contacts")[hub.id] == {"3", f"user:{self.decides}"}

    def test_a_label_in_hubspot_becomes_the_role(self, stage: DealStage) -> None:
        ann, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        stage.add_to_deal(deal, hub, self.uses)
        stage.cycle()
        assert stage.roles(opportunity)[ann.id]["Role"] == "Business User"
        stage.add_to_deal(deal, hub, self.decides)
        stage.cycle()
        assert stage.roles(opportunity)[ann.id]["Role"] == "Decision Maker"
        assert stage.cycle().written == 0


class TestUndo:
    def test_a_contact_that_truce_put_on_a_deal_is_taken_off(self, stage: DealStage) -> None:
        ann, _ = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        with_role(stage, opportunity, ann)
        batch = stage.cycle().batch
        assert batch is not None
        undo(stage, batch.id)
        assert stage.associated_with(deal, "contacts") == {}
        for _ in range(2):
            assert stage.cycle().written == 0

    def test_a_role_that_truce_made_is_deleted(self, stage: DealStage) -> None:
        _, hub = stage.people("Ann")["Ann"]
        opportunity, deal = paired_deal(stage)
        stage.add_to_deal(deal, hub)
        batch = stage.cycle().batch
        assert batch is not None
        undo(stage, batch.id)
        assert stage.roles(opportunity) == {}
        assert stage.cycle().written == 0

    def test_of_a_deal_and_its_people_the_people_go_and_the_deal_they_touched_is_kept_and_named(
        self, stage: DealStage
    ) -> None:
        """Associating moves the deal's stamp, as somebody's edit would: nobody can tell the two apart."""
        ann, _ = stage.people("Ann")["Ann"]
        opportunity = stage.opportunity("Renewal")
        with_role(stage, opportunity, ann)
        first = stage.cycle().batch
        second = stage.cycle().batch
        assert first is not None
        assert second is not None
        deal = stage.only("hubspot", "deals")
        assert len(stage.associated_with(deal, "contacts")) == 1
        done = undo(stage, first.id, second.id)
        assert stage.associated_with(deal, "contacts") == {}
        assert stage.refs("hubspot", "deals") == [deal]
        assert [(each["record"], each["fate"]) for each in done["left"]] == [(str(deal), "keep: edited since")]
