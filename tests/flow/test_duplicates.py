"""Duplicates inside one CRM: found by lines, asked about, and until answered no stage moves and nothing is created."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from policy_stage import EDITOR, PolicyStage, acting, shipped

from agent.decide.match import Judge, Judgement
from agent.errors import Interrupted
from agent.installation import Installation, never
from agent.mirror import comparing
from agent.pairing import duplicates
from agent.records import Record, Ref
from connectors.emulator.serve import Emulator

ANN = {"FirstName": "Ann", "LastName": "Lee", "Email": "ann@acme.com"}


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        yield stage


def watch_comparing(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Ref, ...]]:
    """The pairs that are compared from now on, in order."""
    compared: list[tuple[Ref, ...]] = []
    judge = Judge.judge

    def watched(self: Judge, here: Record, there: Record) -> Judgement | None:
        compared.append(tuple(sorted((here.ref, there.ref))))
        return judge(self, here, there)

    monkeypatch.setattr(Judge, "judge", watched)
    return compared


def test_two_contacts_with_one_email_are_one_question(stage: PolicyStage) -> None:
    first = stage.create("salesforce", "Contact", **ANN)
    second = stage.create("salesforce", "Contact", **ANN, Title="CEO")
    stage.cycle()
    (question,) = stage.reviews("duplicate")
    assert set(question.refs) == {first, second}
    assert question.line.startswith("person-duplicates.yaml:")
    stage.edit(second, Title="Chair")
    stage.edit(first, Title="Chair")
    stage.cycle()
    assert len(stage.reviews("duplicate")) == 1


def test_a_likely_duplicate_is_a_question_that_says_so(stage: PolicyStage) -> None:
    stage.create(
        "salesforce", "Contact", FirstName="Ann", LastName="Lee", Email="ann@acme.com", Phone="+1 202 555 0143"
    )
    stage.create("salesforce", "Contact", FirstName="Anne", LastName="Lee", Email="a@lee.example", Phone="2025550143")
    stage.cycle()
    (question,) = stage.reviews("duplicate")
    assert "likely: phone is same and first_name is similar and last_name is similar" in question.sentence


def test_many_are_compared_a_few_at_a_time_and_no_two_of_them_twice(
    stage: PolicyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        for title in ("CEO", "Chair"):
            stage.create("salesforce", "Contact", LastName=f"Lee {number}", Email=f"{number}@gmail.com", Title=title)
    monkeypatch.setattr(duplicates, "SLICE", 1)
    compared = watch_comparing(monkeypatch)
    held: list[int] = []
    standing = duplicates._standing

    def counted(installation: Installation, refs: Iterable[Ref]) -> dict[Ref, Record]:
        found = standing(installation, refs)
        held.append(len(found))
        return found

    monkeypatch.setattr(duplicates, "_standing", counted)
    stage.cycle()
    assert len(stage.reviews("duplicate")) == 3
    assert len(compared) == len(set(compared)) == 3
    assert max(held) == 2


def test_whoever_waits_to_be_decided_is_compared_once_until_something_about_them_changes(
    stage: PolicyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stage.create("salesforce", "Contact", **ANN)
    second = stage.create("salesforce", "Contact", **ANN)
    compared = watch_comparing(monkeypatch)
    stage.pair()
    stage.pair()
    assert compared == [tuple(sorted((first, second)))]
    assert len(stage.reviews("duplicate")) == 1
    stage.edit(second, Title="CEO")
    stage.pair()
    assert len(compared) == 2


def test_a_pass_that_was_stopped_keeps_its_questions_and_goes_on(
    stage: PolicyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        for _ in range(2):
            stage.create("salesforce", "Contact", LastName=f"Lee {number}", Email=f"{number}@acme.com")
    monkeypatch.setattr(comparing, "SLICE", 2)
    compared = watch_comparing(monkeypatch)
    stage.installation.stop = lambda: len(compared) > 0
    with pytest.raises(Interrupted):
        stage.pair()
    assert (len(compared), len(stage.reviews("duplicate"))) == (1, 1)
    stage.installation.stop = never
    stage.pair()
    assert len(compared) == len(set(compared)) == 2
    assert len(stage.reviews("duplicate")) == 2


def test_new_lines_compare_those_who_still_wait(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", LastName="Lee", Email="a@lee.example", Title="Chair")
    stage.create("salesforce", "Contact", LastName="Lee", Email="b@lee.example", Title="Chair")
    stage.pair()
    assert stage.reviews("duplicate") == []
    text = acting(shipped())["person-duplicates.yaml"].replace("[email same]", "[last_name same, job_title same]")
    stage.change_policies({"person-duplicates.yaml": text})
    stage.pair()
    assert len(stage.reviews("duplicate")) == 1


def test_a_suspected_duplicate_creates_nothing_whichever_of_the_two_it_is(stage: PolicyStage) -> None:
    first = stage.create("salesforce", "Contact", **ANN)
    second = stage.create("salesforce", "Contact", **ANN)
    stage.cycle()
    assert stage.refs("hubspot", "contacts") == []
    for ref in (first, second):
        (step,) = stage.said(ref, "create")
        assert "suspected duplicate" in step.sentence


def test_a_suspected_duplicate_moves_no_stage_but_its_fields_agree(stage: PolicyStage) -> None:
    first = stage.create("salesforce", "Contact", **ANN, Customer_Stage__c="Lead")
    here = stage.create("hubspot", "contacts", email="ann@acme.com", firstname="Ann", lastname="Lee")
    stage.cycle()
    stage.create("salesforce", "Contact", **ANN)
    stage.cycle()
    assert len(stage.reviews("duplicate")) == 1
    stage.edit(first, Customer_Stage__c="Customer", Title="CEO")
    stage.cycle()
    assert stage.values(here)["lifecyclestage"] == "lead"
    assert stage.values(here)["jobtitle"] == "CEO"


def test_never_keeps_two_records_apart_for_good(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", **ANN)
    second = stage.create("salesforce", "Contact", **ANN)
    stage.cycle()
    (question,) = stage.reviews("duplicate")
    stage.installation.reviews.resolve(question.id, "never", EDITOR)
    stage.edit(second, Title="CEO")
    stage.cycle()
    assert stage.reviews("duplicate") == []


def test_a_duplicate_that_was_merged_is_no_question_any_more(stage: PolicyStage) -> None:
    first = stage.create("salesforce", "Contact", **ANN)
    second = stage.create("salesforce", "Contact", **ANN)
    stage.cycle()
    stage.merge(first, second)
    stage.cycle()
    assert stage.reviews() == []


def test_a_duplicate_whose_email_was_corrected_is_no_question_any_more(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", **ANN)
    second = stage.create("salesforce", "Contact", **ANN)
    stage.cycle()
    stage.edit(second, Email="bob@acme.com", FirstName="Bob", LastName="Ray")
    stage.cycle()
    assert stage.reviews("duplicate") == []


def test_shared_mailboxes_and_free_mail_are_no_duplicates(stage: PolicyStage) -> None:
    stage.create("salesforce", "Contact", FirstName="Ann", LastName="Lee", Email="info@acme.com")
    stage.create("salesforce", "Contact", FirstName="Bob", LastName="Ray", Email="info@acme.com")
    stage.create("salesforce", "Account", Name="Blue Sky", Website="gmail.com")
    stage.create("salesforce", "Account", Name="Blue Sky", Website="gmail.com")
    stage.cycle()
    assert stage.reviews("duplicate") == []


def test_two_companies_with_one_domain_and_a_similar_name_are_one_question(stage: PolicyStage) -> None:
    first = stage.create("hubspot", "companies", name="Acme Inc.", domain="acme.com")
    second = stage.create("hubspot", "companies", name="Acme", domain="www.acme.com")
    stage.cycle()
    (question,) = stage.reviews("duplicate")
    assert set(question.refs) == {first, second}


def test_a_subsidiary_abroad_is_a_company_of_its_own(stage: PolicyStage) -> None:
    stage.create("hubspot", "companies", name="Acme Inc.", domain="acme.com", country="USA")
    stage.create("hubspot", "companies", name="Acme GmbH", domain="acme.com", country="Germany")
    stage.cycle()
    assert stage.reviews("duplicate") == []


def test_a_changed_duplicate_line_is_used_for_records_known_before(stage: PolicyStage) -> None:
    address = {"LastName": "Lee", "MailingCountry": "Germany", "MailingState": "Berlin"}
    first = stage.create("salesforce", "Contact", **address)
    second = stage.create("salesforce", "Contact", **address)
    stage.cycle()
    assert stage.reviews("duplicate") == []
    text = acting(shipped())["person-duplicates.yaml"].replace(
        "  - [email same]\n", "  - [country same, last_name same]\n"
    )
    stage.change_policies({"person-duplicates.yaml": text})
    stage.go_live()
    stage.edit(second, Title="CEO")
    stage.cycle()
    (question,) = stage.reviews("duplicate")
    assert set(question.refs) == {first, second}
