"""Every way a line can be won, from one CRM to the other and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from policy_stage import PolicyStage, acting, shipped

from agent.records import Ref
from connectors.emulator.serve import Emulator

TITLE = "  job_title:  {salesforce: Title, hubspot: jobtitle, wins: salesforce unless blank}\n"


def policies(title: str = "", *, losing_edit: str = "revert", extra: str = "") -> dict[str, str]:
    """The shipped policies, acting, with another line for the job title."""
    sources = acting(shipped())
    text = sources["person-basics.yaml"].replace("losing_edit: revert", f"losing_edit: {losing_edit}")
    if title:
        text = text.replace(TITLE, f"  job_title:  {{salesforce: Title, hubspot: jobtitle, {title}}}\n")
    return {**sources, "person-basics.yaml": text + extra}


def pair(stage: PolicyStage, there: dict[str, Any], here: dict[str, Any]) -> tuple[Ref, Ref]:
    """A Contact and a HubSpot contact with these values, looked at once."""
    stage.go_live()
    contact = stage.create("salesforce", "Contact", LastName="Lee", Email="ann@acme.com", **there)
    person = stage.create("hubspot", "contacts", lastname="Lee", email="ann@acme.com", **here)
    stage.cycle()
    return contact, person


def titles(stage: PolicyStage, contact: Ref, person: Ref) -> tuple[Any, Any]:
    return stage.values(contact).get("Title"), stage.values(person).get("jobtitle")


@pytest.mark.parametrize(
    ("title", "there", "here", "after"),
    [
        ("wins: salesforce", "CEO", None, ("CEO", "CEO")),
        ("wins: salesforce", None, "Boss", (None, "Boss")),
        ("wins: salesforce unless blank", None, "Boss", ("Boss", "Boss")),
        ("wins: hubspot", "CEO", None, ("CEO", None)),
        ("wins: hubspot", None, "Boss", ("Boss", "Boss")),
        ("wins: hubspot unless blank", "CEO", None, ("CEO", "CEO")),
        ("wins: first value", None, "Boss", ("Boss", "Boss")),
        ("wins: ask", "CEO", None, ("CEO", None)),
        ("wins: salesforce", "CEO", "Boss", ("CEO", "Boss")),
    ],
)
def test_the_first_look(
    emulator: Emulator, tmp_path: Path, title: str, there: str | None, here: str | None, after: tuple[Any, Any]
) -> None:
    with PolicyStage(emulator, tmp_path, policies(title)) as stage:
        both = pair(stage, {"Title": there}, {"jobtitle": here} if here else {})
        assert tuple(value or None for value in titles(stage, *both)) == after
        assert stage.cycle().written == 0


@pytest.mark.parametrize(
    ("title", "edit", "after"),
    [
        ("wins: salesforce", ("CEO", None), ("CEO", "CEO")),
        ("wins: salesforce", (None, "Chair"), ("Boss", "Boss")),
        ("wins: salesforce", ("CEO", "Chair"), ("CEO", "CEO")),
        ("wins: hubspot", (None, "Chair"), ("Chair", "Chair")),
        ("wins: hubspot", ("CEO", None), ("Boss", "Boss")),
        ("wins: first value", ("CEO", "Chair"), ("Boss", "Boss")),
        ("wins: ask", ("CEO", None), ("CEO", "Boss")),
    ],
)
def test_a_later_edit(
    emulator: Emulator, tmp_path: Path, title: str, edit: tuple[str | None, str | None], after: tuple[str, str]
) -> None:
    with PolicyStage(emulator, tmp_path, policies(title)) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {"jobtitle": "Boss"})
        if edit[0] is not None:
            stage.edit(contact, Title=edit[0])
        if edit[1] is not None:
            stage.edit(person, jobtitle=edit[1])
        stage.cycle()
        assert titles(stage, contact, person) == after
        assert stage.cycle().written == 0


def test_an_edit_of_the_losing_side_is_left_and_reported(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies(losing_edit="report")) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {"jobtitle": "Boss"})
        stage.edit(person, jobtitle="Chair")
        assert [step.disposition for step in stage.said(contact, "job_title")] == ["equal"]
        stage.cycle()
        assert titles(stage, contact, person) == ("Boss", "Chair")
        stage.edit(contact, Title="CEO")
        stage.cycle()
        assert titles(stage, contact, person) == ("CEO", "CEO")


def test_a_blank_never_overwrites_a_value(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: salesforce")) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {"jobtitle": "Boss"})
        stage.edit(contact, Title=None)
        stage.cycle()
        assert titles(stage, contact, person) == (None, "Boss")
        (step,) = stage.said(contact, "job_title")
        assert "a blank never overwrites a value" in step.sentence


def test_a_deliberate_clear_travels_where_the_line_says_so(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: salesforce, may_clear: true")) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {"jobtitle": "Boss"})
        stage.edit(contact, Title=None)
        stage.cycle()
        assert not titles(stage, contact, person)[1]
        used = stage.installation.ledger.used_today(stage.installation.clock().date())
        assert used["blanks"] == 1


def test_a_question_about_a_difference_goes_away_when_both_agree(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: ask")) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {"jobtitle": "Boss"})
        stage.edit(person, jobtitle="Chair")
        stage.cycle()
        (question,) = stage.reviews("conflict")
        assert "Salesforce has “Boss”; HubSpot has “Chair”" in question.sentence
        stage.edit(contact, Title="Chair")
        stage.cycle()
        assert stage.reviews("conflict") == []


def test_a_protected_value_is_filled_freely_and_replaced_only_by_a_person(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: salesforce, protected: true")) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {})
        assert titles(stage, contact, person) == ("Boss", "Boss")
        stage.edit(contact, Title="CEO")
        stage.cycle()
        assert titles(stage, contact, person) == ("CEO", "Boss")
        (question,) = stage.reviews("conflict")
        assert "job_title is protected, so a person decides" in question.sentence


def test_two_writings_of_one_meaning_are_left_as_they_are(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies()) as stage:
        pair(
            stage,
            {"Phone": "(202) 555-0143", "MailingCountry": "USA", "MailingState": "California"},
            {"phone": "+1 202-555-0143", "country": "United States", "state": "CA"},
        )
        written = {field for line in stage.admin.audit() if line["cause"] == "api" for field in line["after"]}
        assert not written & {"Phone", "phone", "MailingCountry", "country", "MailingState", "state"}


def test_unless_keeps_a_policy_away_from_a_record(emulator: Emulator, tmp_path: Path) -> None:
    sources = policies(extra="unless: [country is Germany]\n")
    with PolicyStage(emulator, tmp_path, sources) as stage:
        contact, person = pair(stage, {"Title": "Boss", "MailingCountry": "Germany"}, {"country": "Germany"})
        assert not titles(stage, contact, person)[1]
        assert {step.disposition for step in stage.said(contact, "job_title")} == {"skipped"}


def test_a_field_that_is_hidden_from_truce_is_not_blank(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies()) as stage:
        contact, person = pair(stage, {"Title": "Boss"}, {"jobtitle": "Boss"})
        stage.admin.post("/permissions", system="salesforce", object="Contact", hide="Title")
        stage.wait(700)
        stage.edit(person, jobtitle="Chair")
        before = stage.api_writes()
        stage.cycle()
        assert stage.api_writes() == before
        assert "hidden from Truce" in stage.said(contact, "job_title")[0].sentence


def test_a_legal_form_and_a_scheme_make_no_difference(emulator: Emulator, tmp_path: Path) -> None:
    sources = acting(shipped())
    text = (
        sources["company-basics.yaml"]
        .replace("clean: name}", "clean: company}")
        .replace("clean: domain}", "clean: url}")
    )
    with PolicyStage(emulator, tmp_path, {**sources, "company-basics.yaml": text}) as stage:
        stage.go_live()
        account = stage.create("salesforce", "Account", Name="Acme, Inc.", Website="https://www.acme.com/")
        company = stage.create("hubspot", "companies", name="ACME", domain="acme.com", salesforceaccountid=account.id)
        stage.cycle()
        assert company in stage.members(account)
        assert stage.values(account)["Name"] == "Acme, Inc."
        assert stage.values(company)["name"] == "ACME"
        assert stage.values(company)["domain"] == "acme.com"
