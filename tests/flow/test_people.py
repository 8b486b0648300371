"""One person in both CRMs: a Lead, a Contact and a HubSpot contact, and what becomes of them when people work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import PolicyStage, acting, shipped

from connectors.emulator.serve import Emulator

ANN = {"FirstName": "Ann", "LastName": "Lee", "Email": "ann@acme.com"}
ANN_HERE = {"firstname": "Ann", "lastname": "Lee", "email": "ann@acme.com"}


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


class TestLeadAndContact:
    def test_an_open_lead_is_paired_by_email_and_kept_in_agreement(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="CEO")
        contact = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        assert stage.values(contact)["jobtitle"] == "CEO"
        assert set(stage.members(lead)) == {lead, contact}

    def test_a_contact_beats_an_open_lead_with_the_same_email(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="Intern")
        contact = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        assert stage.members(contact) == {
            contact: ("active", "linked"),
            here: ("active", "linked"),
            lead: ("duplicate", "linked"),
        }
        assert stage.values(here)["jobtitle"] == "CEO"

    def test_the_lead_beside_a_contact_becomes_a_question_and_is_not_written(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="Intern")
        stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.edit(here, phone="+1 202 555 0143")
        stage.cycle()
        assert lead.id not in {record_id for _, _, record_id in stage.api_writes()}
        (question,) = stage.reviews("duplicate")
        assert lead in question.refs

    def test_a_lead_that_appears_later_beside_a_paired_contact_changes_nothing(self, stage: PolicyStage) -> None:
        contact = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE, jobtitle="CEO")
        stage.cycle()
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="Intern")
        before = stage.api_writes()
        stage.cycle()
        assert stage.api_writes() == before
        assert stage.members(contact)[lead] == ("duplicate", "linked")
        assert stage.members(contact)[here] == ("active", "linked")

    def test_a_contact_created_beside_a_paired_lead_takes_its_place(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE, jobtitle="CEO")
        stage.cycle()
        contact = stage.create("salesforce", "Contact", **ANN, Title="Chair")
        stage.cycle()
        assert stage.members(here) == {
            lead: ("duplicate", "linked"),
            here: ("active", "linked"),
            contact: ("active", "linked"),
        }
        assert stage.values(here)["jobtitle"] == "Chair"
        (question,) = stage.reviews()
        assert set(question.refs) == {lead, contact}

    def test_a_contact_that_is_blank_where_its_lead_was_filled_clears_nothing(
        self, emulator: Emulator, tmp_path: Path
    ) -> None:
        sources = acting(shipped())
        clearing = sources["person-basics.yaml"].replace(
            "jobtitle, wins: salesforce unless blank", "jobtitle, wins: salesforce, may_clear: true"
        )
        with PolicyStage(emulator, tmp_path, {**sources, "person-basics.yaml": clearing}) as stage:
            stage.go_live()
            stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="CEO")
            here = stage.create("hubspot", "contacts", **ANN_HERE, jobtitle="CEO")
            stage.cycle()
            contact = stage.create("salesforce", "Contact", **ANN)
            stage.cycle()
            stage.cycle()
            assert stage.members(here)[contact] == ("active", "linked")
            assert stage.values(here)["jobtitle"] == "CEO"

    def test_two_contacts_with_one_email_are_never_guessed(self, stage: PolicyStage) -> None:
        first = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        second = stage.create("salesforce", "Contact", **{**ANN, "LastName": "Leigh"}, Title="CTO")
        stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        assert stage.api_writes() == []
        (question,) = stage.reviews("unclear")
        assert {first, second} < set(question.refs)

    def test_people_who_were_unclear_are_paired_once_the_second_one_is_gone(self, stage: PolicyStage) -> None:
        first = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        second = stage.create("salesforce", "Contact", **{**ANN, "LastName": "Leigh"}, Title="CTO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.delete(second)
        stage.cycle()
        assert stage.members(first)[here] == ("active", "linked")
        assert stage.values(here)["jobtitle"] == "CEO"
        assert stage.reviews("unclear") == []

    def test_people_who_were_unclear_are_paired_once_the_two_are_merged(self, stage: PolicyStage) -> None:
        first = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        second = stage.create("salesforce", "Contact", **{**ANN, "LastName": "Leigh"}, Title="CTO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.merge(first, second)
        stage.cycle()
        assert stage.members(first)[here] == ("active", "linked")
        assert stage.reviews("unclear") == []


class TestConversion:
    def test_a_conversion_is_followed_to_the_contact(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        contact = stage.convert(lead)
        stage.edit(contact, Title="Chair")
        stage.cycle()
        assert stage.members(here) == {
            lead: ("duplicate", "duplicate"),
            here: ("active", "linked"),
            contact: ("active", "linked"),
        }
        assert stage.values(here)["jobtitle"] == "Chair"
        assert stage.reviews() == []

    def test_the_converted_lead_is_never_written_again(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        contact = stage.convert(lead)
        stage.cycle()
        before = len(stage.api_writes())
        stage.edit(here, phone="+1 202 555 0143")
        stage.cycle()
        written = {record_id for _, _, record_id in stage.api_writes()[before:]}
        assert written == {contact.id}

    def test_a_lead_nobody_knew_before_it_was_converted_is_its_contact(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        contact = stage.convert(lead)
        stage.cycle()
        assert set(stage.members(here)) == {here, contact}
        assert stage.reviews() == []

    def test_a_lead_without_counterpart_is_followed_too(self, stage: PolicyStage) -> None:
        lead = stage.create("salesforce", "Lead", LastName="Lee", Company="Acme")
        stage.cycle()
        contact = stage.convert(lead)
        stage.cycle()
        assert stage.members(contact) == {lead: ("duplicate", "duplicate"), contact: ("active", "linked")}
        assert stage.reviews() == []

    def test_a_conversion_into_a_contact_that_is_paired_already_is_a_question(self, stage: PolicyStage) -> None:
        contact = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE, jobtitle="CEO")
        lead = stage.create("salesforce", "Lead", LastName="Li", Email="li@acme.com", Company="Acme")
        other = stage.create("hubspot", "contacts", lastname="Li", email="li@acme.com")
        stage.cycle()
        before = stage.api_writes()
        account = stage.create("salesforce", "Account", Name="Acme")
        stage.edit(contact, AccountId=account.id)
        stage.convert(lead, account_id=account.id, contact_id=contact.id)
        stage.cycle()
        assert stage.api_writes() == before
        (question,) = stage.reviews("converted")
        assert set(question.refs) == {lead, contact}
        assert stage.members(contact)[here] == ("active", "linked")
        assert contact not in stage.members(other)

    def test_the_lead_beside_a_contact_may_be_converted_into_it(self, stage: PolicyStage) -> None:
        account = stage.create("salesforce", "Account", Name="Acme")
        contact = stage.create("salesforce", "Contact", **ANN, AccountId=account.id)
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme")
        stage.cycle()
        assert len(stage.reviews("duplicate")) == 1
        stage.convert(lead, account_id=account.id, contact_id=contact.id)
        stage.cycle()
        assert stage.members(contact)[here] == ("active", "linked")
        assert stage.reviews() == []

    def test_a_conversion_into_a_contact_that_stood_alone_is_followed(self, stage: PolicyStage) -> None:
        account = stage.create("salesforce", "Account", Name="Acme")
        contact = stage.create("salesforce", "Contact", LastName="Lee", AccountId=account.id, Title="Chair")
        lead = stage.create("salesforce", "Lead", **ANN, Company="Acme", Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.convert(lead, account_id=account.id, contact_id=contact.id)
        stage.cycle()
        assert stage.members(here)[contact] == ("active", "linked")
        assert stage.reviews() == []


class TestDeletion:
    def test_a_deletion_never_travels_and_nothing_is_created_again(self, stage: PolicyStage) -> None:
        contact = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.delete(contact)
        before = stage.api_writes()
        stage.cycle()
        stage.cycle()
        assert stage.api_writes() == before
        assert stage.refs("hubspot", "contacts") == [here]
        assert stage.members(here)[contact] == ("active", "lost")
        (question,) = stage.reviews("lost")
        assert contact in question.refs

    def test_a_deletion_in_hubspot_is_seen_by_the_sweep_and_nothing_is_created_again(self, stage: PolicyStage) -> None:
        contact = stage.create("salesforce", "Contact", **ANN)
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.delete(here)
        stage.cycle(sweep=True)
        stage.edit(contact, Title="CEO")
        stage.cycle()
        assert stage.refs("hubspot", "contacts") == []
        assert stage.members(contact)[here] == ("active", "lost")
        assert len(stage.reviews("lost")) == 1

    def test_nothing_is_created_again_even_after_the_question_was_answered(self, stage: PolicyStage) -> None:
        contact = stage.create("salesforce", "Contact", **ANN)
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.delete(here)
        stage.cycle(sweep=True)
        (question,) = stage.reviews("lost")
        stage.installation.reviews.resolve(question.id, "leave it", "anna@example.com")
        stage.edit(contact, Title="CEO")
        stage.cycle()
        assert stage.refs("hubspot", "contacts") == []

    def test_a_record_out_of_the_recycle_bin_is_paired_again(self, stage: PolicyStage) -> None:
        contact = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        stage.delete(contact)
        stage.cycle()
        stage.undelete(contact)
        stage.edit(contact, Title="Chair")
        stage.cycle()
        assert stage.members(here)[contact] == ("active", "linked")
        assert stage.values(here)["jobtitle"] == "Chair"
        assert stage.reviews("lost") == []

    def test_a_merge_in_salesforce_moves_the_pair_to_the_survivor(self, stage: PolicyStage) -> None:
        loser = stage.create("salesforce", "Contact", **ANN, Title="CEO")
        here = stage.create("hubspot", "contacts", **ANN_HERE)
        stage.cycle()
        survivor = stage.create("salesforce", "Contact", LastName="Leigh", Title="Chair")
        stage.merge(survivor, loser)
        stage.cycle()
        assert stage.members(here)[survivor] == ("active", "linked")
        assert stage.values(here)["jobtitle"] == "Chair"
        assert stage.reviews("lost") == []

    def test_a_merge_of_two_paired_people_is_a_question(self, stage: PolicyStage) -> None:
        ann = stage.create("salesforce", "Contact", **ANN)
        bob = stage.create("salesforce", "Contact", LastName="Bob", Email="bob@acme.com")
        ann_here = stage.create("hubspot", "contacts", **ANN_HERE)
        bob_here = stage.create("hubspot", "contacts", lastname="Bob", email="bob@acme.com")
        stage.cycle()
        before = stage.api_writes()
        stage.merge(ann, bob)
        stage.cycle()
        assert stage.api_writes() == before
        (question,) = stage.reviews("lost")
        assert bob in question.refs
        assert stage.members(ann)[ann_here] == ("active", "linked")
        assert stage.members(bob_here)[bob] == ("active", "lost")
