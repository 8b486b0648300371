"""Pairing through the real clients: who is the same, who is unclear, and a person's word on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from flow_stage import Stage, person_policy

from agent.errors import NotFound, UsageError
from agent.pairing import pairing
from agent.records import Ref
from connectors.emulator.admin_client import Admin


def lines(stage: Stage) -> dict[tuple[str, str], int]:
    """{(heading, detail): how many}."""
    stage.order("pair")
    counts = pairing.tally(pairing.survey(stage.installation))
    return {(line.heading, line.detail): count for line, count in counts.items()}


def contact(record_id: str) -> Ref:
    return Ref("salesforce", "Contact", record_id)


def hub(record_id: str) -> Ref:
    return Ref("hubspot", "contacts", record_id)


def partner(stage: Stage, ref: Ref) -> list[Ref]:
    entity_id = stage.installation.crosswalk.entity_of(ref)
    links = stage.installation.crosswalk.members([entity_id])[entity_id] if entity_id else []
    return [link.ref for link in links if link.role == "active" and link.ref.system != ref.system]


def test_the_report_says_who_is_paired_by_what_and_who_is_not(stage: Stage) -> None:
    stage.pair({"Title": "CEO"})
    by_id = stage.make_contact(LastName="Stored", Email="old@acme.example")
    stage.make_hub(email="new@acme.example", salesforcecontactid=by_id)
    stage.make_contact(LastName="Alone", Email="alone@acme.example")
    stage.make_lead(LastName="Lead", Email="lead@acme.example")
    stage.make_hub(email="hub@acme.example")
    stage.advance(60)
    assert lines(stage) == {
        ("paired", "email"): 1,
        ("paired", "stored id"): 1,
        ("one side", "salesforce Contact"): 1,
        ("one side", "salesforce Lead"): 1,
        ("one side", "hubspot contacts"): 1,
    }


def test_two_candidates_are_unclear_and_neither_is_written(stage: Stage) -> None:
    stage.make_contact(Email="two@acme.example", Title="CEO")
    stage.make_contact(Email="two@acme.example", Title="CFO")
    stage.make_hub(email="two@acme.example")
    stage.advance(60)
    assert lines(stage) == {("unclear", "same email"): 1}
    assert stage.plan()["changes"] == 0


def test_a_person_joins_two_of_an_unclear_three_and_the_third_stands_alone(stage: Stage) -> None:
    first, second = stage.make_contact(Email="two@acme.example"), stage.make_contact(Email="two@acme.example")
    other = stage.make_hub(email="two@acme.example")
    stage.advance(60)
    lines(stage)
    stage.order("pair-join", one=str(contact(second)), other=str(hub(other)))
    after = lines(stage)
    assert after["paired", "email"] == 1
    assert after["one side", "salesforce Contact"] == 1
    assert partner(stage, hub(other)) == [contact(second)]
    assert partner(stage, contact(first)) == []
    assert not stage.installation.reviews.list(kind="unclear")


def test_what_a_person_split_is_not_paired_again_by_any_key(stage: Stage) -> None:
    pair = stage.pair({"Title": "CEO"})
    lines(stage)
    stage.order("pair-split", record=str(pair.hub))
    assert lines(stage) == {("one side", "salesforce Contact"): 1, ("one side", "hubspot contacts"): 1}
    stage.edit(pair.contact, Title="CFO")
    stage.edit(pair.hub, jobtitle="Somebody else")
    assert lines(stage)["one side", "hubspot contacts"] == 1
    assert stage.plan()["changes"] == 0


def test_never_keeps_two_records_apart_before_they_meet(stage: Stage) -> None:
    one = stage.make_contact(Email="one@acme.example")
    other = stage.make_hub(email="other@acme.example")
    stage.advance(60)
    lines(stage)
    stage.order("pair-never", one=str(contact(one)), other=str(hub(other)))
    stage.edit(hub(other), email="one@acme.example")
    assert ("paired", "email") not in lines(stage)


def test_an_address_put_right_later_pairs_two_who_stood_alone(stage: Stage) -> None:
    one = stage.make_contact(Email="mara@acme.example")
    other = stage.make_hub(email="mara@acne.example")
    stage.advance(60)
    assert lines(stage) == {("one side", "salesforce Contact"): 1, ("one side", "hubspot contacts"): 1}
    stage.edit(hub(other), email="mara@acme.example")
    assert lines(stage) == {("paired", "email"): 1}
    assert partner(stage, contact(one)) == [hub(other)]


def test_an_unclear_question_closes_when_one_of_the_two_goes(stage: Stage) -> None:
    first, second = stage.make_contact(Email="two@acme.example"), stage.make_contact(Email="two@acme.example")
    other = stage.make_hub(email="two@acme.example")
    stage.advance(60)
    lines(stage)
    stage.delete(contact(first))
    stage.advance(60)
    assert lines(stage) == {("paired", "email"): 1}
    assert partner(stage, hub(other)) == [contact(second)]
    assert not stage.installation.reviews.list(kind="unclear")


def test_a_paired_record_is_not_joined_to_somebody_else(stage: Stage) -> None:
    pair = stage.pair({"Title": "CEO"})
    alone = stage.make_contact(LastName="Alone", Email="alone@acme.example")
    stage.advance(60)
    lines(stage)
    with pytest.raises(UsageError) as refused:
        stage.order("pair-join", one=str(contact(alone)), other=str(pair.hub))
    assert refused.value.next_step == f"truce pair split {pair.hub}"
    with pytest.raises(UsageError):
        stage.order("pair-join", one=str(contact(alone)), other=str(pair.contact))
    with pytest.raises(NotFound):
        stage.order("pair-join", one=str(contact(alone)), other="hubspot:contacts/99999")
    with pytest.raises(UsageError):
        stage.order("pair-never", one=str(pair.contact), other=str(pair.hub))


def test_a_converted_lead_is_told_apart_from_a_lead(stage: Stage, admin: Admin) -> None:
    lead = stage.make_lead(LastName="Conv", Email="conv@acme.example")
    admin.post("/convert", system="salesforce", id=lead)
    stage.advance(60)
    counts = Counter(lines(stage))
    assert counts["converted", "salesforce Lead"] == 1
    assert counts["one side", "salesforce Contact"] == 1


def test_nothing_is_created_before_the_pairing_was_accepted(stage: Stage) -> None:
    stage.is_pairing_accepted = False
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"))
    stage.go_live()
    stage.make_contact(LastName="New", Email="new@acme.example")
    stage.advance(60)
    stage.order("pair")
    assert stage.plan()["changes"] == 0
    accepted = stage.order("pair-accept", entity_type="person")
    assert accepted["lines"] == [
        {"entity_type": "person", "heading": "one side", "detail": "salesforce Contact", "count": 1}
    ]
    plan = stage.plan()
    assert [line["meanings"] for line in plan["lines"]] != []
    assert plan["changes"] == 1


def test_a_pairing_that_was_never_read_cannot_be_accepted(stage: Stage) -> None:
    with pytest.raises(UsageError):
        stage.order("pair-accept", entity_type="person")
    with pytest.raises(NotFound):
        stage.order("pair-accept", entity_type="persn")


def test_lists_hold_no_cell_that_a_spreadsheet_would_run(stage: Stage, tmp_path: Path) -> None:
    stage.make_contact(LastName="=HYPERLINK(1)", FirstName="+1", Email="x@acme.example")
    stage.advance(60)
    from agent.cli.pair import _report

    stage.order("pair")
    _report(stage.installation, tmp_path / "lists", lambda done, total: None)
    text = (tmp_path / "lists" / "person-one-side.csv").read_text(encoding="utf-8-sig")
    assert "'+1 =HYPERLINK(1)" in text
    assert (tmp_path / "lists" / "person-one-side.csv").stat().st_mode & 0o077 == 0
