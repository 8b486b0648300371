"""The newest value wins, as far as watching both CRMs can tell; and who wins may depend on the record."""

from __future__ import annotations

from pathlib import Path

from policy_stage import PolicyStage, acting, shipped

from agent.records import Ref
from connectors.emulator.serve import Emulator

TITLE = "jobtitle, wins: salesforce unless blank"
ANN = {"LastName": "Lee", "Email": "ann@acme.com", "Title": "Boss"}
ANN_HERE = {"lastname": "Lee", "email": "ann@acme.com", "jobtitle": "Boss"}
HOUR = 3600
DAY = 24 * HOUR


def policies(title: str, *, mode: str = "act") -> dict[str, str]:
    """The shipped policies where the job title is won otherwise."""
    sources = acting(shipped()) if mode == "act" else shipped()
    return {**sources, "person-basics.yaml": sources["person-basics.yaml"].replace(TITLE, f"jobtitle, {title}")}


def settled_pair(stage: PolicyStage) -> tuple[Ref, Ref]:
    stage.go_live()
    contact = stage.create("salesforce", "Contact", **ANN)
    person = stage.create("hubspot", "contacts", **ANN_HERE)
    stage.cycle()
    return contact, person


def test_the_side_that_was_edited_alone_travels_either_way(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: newest, else: ask")) as stage:
        contact, person = settled_pair(stage)
        stage.edit(person, jobtitle="Chair")
        stage.cycle()
        assert stage.values(contact)["Title"] == "Chair"
        stage.edit(contact, Title="CEO")
        stage.cycle()
        assert stage.values(person)["jobtitle"] == "CEO"
        assert stage.reviews() == []


def test_of_two_edits_seen_an_hour_apart_the_later_one_wins(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: newest, else: ask", mode="ask")) as stage:
        contact, person = settled_pair(stage)
        stage.edit(person, jobtitle="Chair")
        stage.cycle()  # proposed, and nobody says yes
        stage.wait(HOUR)
        stage.cycle()
        stage.edit(contact, Title="CEO")
        stage.apply()
        assert stage.values(person)["jobtitle"] == "CEO"
        assert stage.values(contact)["Title"] == "CEO"
        assert stage.reviews() == []


def test_two_edits_between_two_looks_are_a_question(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: newest, else: ask")) as stage:
        contact, person = settled_pair(stage)
        before = stage.api_writes()
        stage.edit(person, jobtitle="Chair")
        stage.wait(60)
        stage.edit(contact, Title="CEO")
        stage.cycle()
        assert stage.api_writes() == before
        (question,) = stage.reviews("conflict")
        assert "cannot be known" in question.sentence


def test_two_edits_between_two_looks_take_else(emulator: Emulator, tmp_path: Path) -> None:
    with PolicyStage(emulator, tmp_path, policies("wins: newest, else: salesforce")) as stage:
        contact, person = settled_pair(stage)
        stage.edit(contact, Title="CEO")
        stage.edit(person, jobtitle="Chair")
        stage.cycle()
        assert stage.values(person)["jobtitle"] == "CEO"
        assert stage.cycle().written == 0


def test_who_wins_may_depend_on_the_record(emulator: Emulator, tmp_path: Path) -> None:
    cases = "wins: [{when: [country is one of: [Germany, Austria]], wins: hubspot}, {otherwise: salesforce}]"
    with PolicyStage(emulator, tmp_path, policies(cases)) as stage:
        stage.go_live()
        pairs = {}
        for country in ("Germany", "France"):
            email = f"{country}@acme.com".lower()
            contact = stage.create(
                "salesforce", "Contact", LastName="Lee", Email=email, MailingCountry=country, Title="x"
            )
            person = stage.create("hubspot", "contacts", lastname="Lee", email=email, country=country, jobtitle="x")
            pairs[country] = (contact, person)
        stage.cycle()
        for contact, person in pairs.values():
            stage.edit(contact, Title="CEO")
            stage.edit(person, jobtitle="Chair")
        stage.cycle()
        assert stage.values(pairs["Germany"][0])["Title"] == "Chair"
        assert stage.values(pairs["France"][1])["jobtitle"] == "CEO"
        (step,) = stage.said(pairs["Germany"][0], "job_title")
        assert step.disposition == "equal"


def test_an_edit_is_kept_for_a_while_and_then_taken_back(emulator: Emulator, tmp_path: Path) -> None:
    sources = acting(shipped())
    text = sources["person-basics.yaml"].replace("losing_edit: revert", "losing_edit: keep 3 days")
    with PolicyStage(emulator, tmp_path, {**sources, "person-basics.yaml": text}) as stage:
        _, person = settled_pair(stage)
        stage.edit(person, jobtitle="Chair")
        stage.cycle()
        stage.wait(2 * DAY)
        assert stage.cycle().written == 0
        assert stage.values(person)["jobtitle"] == "Chair"
        stage.wait(DAY)
        stage.cycle()
        assert stage.values(person)["jobtitle"] == "Boss"
        assert stage.cycle().written == 0
