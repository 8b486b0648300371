"""Account and company: paired by domain, agreed line by line, and there before their people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import EDITOR, PolicyStage, acting, shipped

from agent import apply
from agent.orders.orders import ORDERS
from connectors.emulator.serve import Emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


def test_an_account_and_a_company_are_paired_by_domain(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="https://www.acme.com/about")
    company = stage.create("hubspot", "companies", name="ACME", domain="acme.com")
    stage.cycle()
    assert stage.members(account) == {account: ("active", "linked"), company: ("active", "linked")}


def test_free_mail_is_no_company(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Ann Lee", Website="gmail.com")
    company = stage.create("hubspot", "companies", name="Bob", domain="gmail.com")
    stage.cycle()
    assert company not in stage.members(account)


def test_companies_without_a_domain_are_paired_by_name_and_phone_together(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme, Inc.", Phone="(202) 555-0143")
    company = stage.create("hubspot", "companies", name="ACME", phone="+1 202 555 0143")
    namesake = stage.create("hubspot", "companies", name="Acme", phone="+1 202 555 0199")
    stage.cycle()
    assert stage.members(account) == {account: ("active", "linked"), company: ("active", "linked")}
    assert account not in stage.members(namesake)
    assert stage.values(company)["name"] == "ACME"


def test_a_name_and_phone_that_two_companies_share_pair_nobody(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Phone="(202) 555-0143")
    north = stage.create("hubspot", "companies", name="Acme", phone="(202) 555-0143")
    south = stage.create("hubspot", "companies", name="Acme", phone="(202) 555-0143")
    stage.cycle()
    assert [stage.installation.crosswalk.entity_of(each) for each in (account, north, south)] == [None] * 3
    assert [item.kind for item in stage.installation.reviews.list(kind="unclear")] == ["unclear"]


def test_a_stored_salesforce_id_pairs_before_the_domain(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    other = stage.create("hubspot", "companies", name="Acme", domain="acme.com")
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.io", salesforceaccountid=account.id)
    stage.cycle()
    assert company in stage.members(account)
    assert other not in stage.members(account)


def test_each_side_keeps_its_own_word_and_number_format(stage: PolicyStage) -> None:
    account = stage.create(
        "salesforce", "Account", Name="Acme", Website="acme.com", Industry="Technology", NumberOfEmployees=250
    )
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.com")
    stage.cycle()
    assert stage.values(company)["industry"] == "COMPUTER_SOFTWARE"
    assert stage.values(company)["numberofemployees"] == "250"
    stage.edit(company, industry="OIL_ENERGY", numberofemployees="12")
    stage.cycle()
    assert stage.values(account)["Industry"] == "Technology"
    assert stage.values(company)["industry"] == "COMPUTER_SOFTWARE"
    assert stage.values(company)["numberofemployees"] == "250"


def test_a_blank_in_salesforce_is_filled_with_its_own_word(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    stage.create("hubspot", "companies", name="Acme", domain="acme.com", industry="OIL_ENERGY", numberofemployees="12")
    stage.cycle()
    assert stage.values(account)["Industry"] == "Energy"
    assert stage.values(account)["NumberOfEmployees"] == 12


def test_an_unmapped_industry_is_a_question_until_somebody_changes_it(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com", Industry="Agriculture")
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.com")
    stage.cycle()
    (question,) = stage.reviews("unmapped")
    assert "Agriculture" in question.sentence
    stage.edit(account, Industry="Energy")
    stage.cycle()
    assert stage.reviews("unmapped") == []
    assert stage.values(company)["industry"] == "OIL_ENERGY"


def test_a_company_comes_before_its_person(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    contact = stage.create("salesforce", "Contact", LastName="Lee", Email="ann@acme.com", AccountId=account.id)
    stage.cycle()
    (company,) = stage.refs("hubspot", "companies")
    assert stage.refs("hubspot", "contacts") == []
    (step,) = stage.said(contact, "create")
    assert "companies come first" in step.sentence or step.disposition == "write"
    stage.cycle()
    (person,) = stage.refs("hubspot", "contacts")
    assert stage.members(contact)[person] == ("active", "linked")
    assert stage.values(person)["associatedcompanyid"] == company.id


def test_a_company_is_taken_back_with_the_person_who_came_under_it_a_minute_later(stage: PolicyStage) -> None:
    """HubSpot counts a new link as a change of the company: that was us, and nobody else."""
    untouched, edited = (
        stage.create("salesforce", "Account", Name=name, Website=f"{name}.example") for name in ("acme", "beta")
    )
    for number, account in enumerate((untouched, edited)):
        stage.create("salesforce", "Contact", LastName="Lee", Email=f"lee@{number}.example", AccountId=account.id)
    stage.cycle()
    stage.wait(60)
    stage.cycle()
    assert len(stage.refs("hubspot", "contacts")) == 2
    stage.wait(60)
    companies = stage.refs("hubspot", "companies")
    (kept,) = [company for company in companies if stage.values(company)["domain"] == "beta.example"]
    stage.edit(kept, description="A customer since 1999")
    stage.wait(60)
    batches = [batch.id for batch in stage.installation.ledger.batches()]
    ORDERS["rollback"](stage.installation, {"batches": batches}, EDITOR, apply.silent)
    assert (stage.refs("hubspot", "contacts"), stage.refs("hubspot", "companies")) == ([], [kept])


def test_a_person_does_not_wait_for_a_company_that_no_policy_creates(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Ann Lee, consultant")
    contact = stage.create("salesforce", "Contact", LastName="Lee", Email="ann@lee.example", AccountId=account.id)
    stage.cycle()
    (person,) = stage.refs("hubspot", "contacts")
    assert person in stage.members(contact)
    assert stage.refs("hubspot", "companies") == []


def test_a_deleted_company_is_not_created_again(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.com")
    stage.cycle()
    stage.delete(company)
    stage.cycle(sweep=True)
    stage.edit(account, Phone="+1 202 555 0143")
    stage.cycle()
    assert stage.refs("hubspot", "companies") == []
    (question,) = stage.reviews("lost")
    assert company in question.refs


def test_the_people_of_a_company_that_was_deleted_do_not_wait_for_it(stage: PolicyStage) -> None:
    account = stage.create("salesforce", "Account", Name="Acme", Website="acme.com")
    company = stage.create("hubspot", "companies", name="Acme", domain="acme.com")
    stage.cycle()
    stage.delete(company)
    stage.cycle(sweep=True)
    stage.create("salesforce", "Contact", LastName="Lee", Email="ann@acme.com", AccountId=account.id)
    stage.cycle()
    assert len(stage.refs("hubspot", "contacts")) == 1
