"""Opting somebody in: evidence, two people who did not ask, no way by itself, and an undo that takes it back.

The story of scenario E-7: an opt-out outside the selection, an import that says otherwise, an undo, then a real yes.
"""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import ANNA, BEN, FIELDS, TEAM, TOM, Pair, Stage, limits_policy, person_policy

from agent.consent.consent import conflicts
from agent.errors import ApprovalNeeded, NotFound, UsageError
from agent.records import Ref

OPT_OUT = "  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}\n"
POLICY = person_policy(fields=FIELDS + OPT_OUT)
APPROVE = "{otherwise: {people: 1, from: [revops]}, opt_in: {people: 2, from: [privacy]}}"
PAT = "pat@example.com"


@pytest.fixture
def desk(stage: Stage) -> Stage:
    """Pat, Ben and Tom are privacy; Anna asks."""
    stage.write_policies(
        person=POLICY,
        team=TEAM + f"  privacy: [{PAT}, {BEN}, {TOM}, {ANNA}]\n",
        limits=limits_policy(approve=APPROVE),
    )
    return stage


def opted_out(desk: Stage, *, where: str = "contact") -> Pair:
    """One person out in both CRMs, some time ago."""
    pair = desk.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "CEO", "city": "Bonn"})
    desk.go_live()
    desk.cycle()
    if where == "contact":
        desk.edit(pair.contact, HasOptedOutOfEmail=True)
    else:
        desk.edit(pair.hub, hs_email_optout="true")
    desk.cycle()
    assert (is_out(desk, pair.contact), is_out(desk, pair.hub)) == (True, True)
    desk.advance(3600)
    return pair


def is_out(desk: Stage, ref: Ref) -> bool:
    field = "HasOptedOutOfEmail" if ref.system == "salesforce" else "hs_email_optout"
    return str(desk.value(ref, field)).lower() == "true"


def ask(desk: Stage, pair: Pair, actor: str = ANNA, **more: Any) -> dict[str, Any]:
    body = {"record": str(pair.contact), "source": "form 12", "at": "5 minutes ago", "recorded_by": "kim", **more}
    return desk.order("opt-in", actor, **body)


def approved(desk: Stage, batch: str) -> dict[str, Any]:
    desk.approve(batch, PAT)
    return desk.approve(batch, BEN)


def test_it_waits_for_two_people_and_its_asker_is_neither(desk: Stage) -> None:
    pair = opted_out(desk)
    asked = ask(desk, pair)
    batch = asked["batch"]
    assert (asked["records"], desk.states(batch)) == (1, {"held": 1})
    with pytest.raises(ApprovalNeeded, match="asked for it"):
        desk.approve(batch, ANNA)
    assert desk.approve(batch, PAT)["still_needed"] == 1
    assert desk.approve(batch, PAT)["still_needed"] == 1
    assert is_out(desk, pair.contact)
    assert desk.approve(batch, BEN)["written"] == 1
    assert not is_out(desk, pair.contact)


@pytest.mark.parametrize(
    "approve", ["{otherwise: {people: 1, from: [revops]}}", "{opt_in: {people: 2, from: [revops]}}"]
)
def test_two_are_asked_even_where_the_limits_say_nothing_of_it(desk: Stage, approve: str) -> None:
    pair = opted_out(desk)
    desk.write_policies(limits=limits_policy(approve=approve))
    batch = ask(desk, pair, PAT)["batch"]
    assert desk.approve(batch, BEN)["still_needed"] == 1
    assert desk.approve(batch, TOM)["written"] == 1


def test_the_evidence_stands_in_the_ledger(desk: Stage) -> None:
    pair = opted_out(desk)
    batch = ask(desk, pair)["batch"]
    (entry,) = desk.installation.ledger.entries(batch_id=batch)
    (cell,) = entry.change.cells
    assert (cell.meaning, cell.before, cell.after) == ("opt_in", True, False)
    assert "opted in: form 12, " in cell.why.sentence
    assert cell.why.sentence.endswith("recorded by kim")
    (event,) = desk.installation.ledger.events(kind="opt-in asked")
    assert (event.actor, event.subject, event.body["source"]) == (ANNA, batch, "form 12")
    assert desk.installation.ledger.verify().ok


def test_what_hubspot_lets_no_program_do_is_a_persons_step_and_then_both_stay_in(desk: Stage) -> None:
    pair = opted_out(desk, where="hub")
    asked = ask(desk, pair)
    assert [step for step in asked["steps"] if "HubSpot" in step and str(pair.hub) in step]
    mark = desk.mark()
    approved(desk, asked["batch"])
    desk.cycle()
    assert (is_out(desk, pair.contact), is_out(desk, pair.hub)) == (False, True)
    assert {written["system"] for written in desk.written(mark)} == {"salesforce"}
    desk.edit(pair.hub, hs_email_optout="")
    for _ in range(3):
        desk.advance(120)
        assert desk.cycle()["written"] == 0
    assert (is_out(desk, pair.contact), is_out(desk, pair.hub)) == (False, False)


def test_a_new_opt_out_counts_again(desk: Stage) -> None:
    pair = opted_out(desk, where="hub")
    approved(desk, ask(desk, pair)["batch"])
    desk.edit(pair.hub, hs_email_optout="")
    desk.cycle()
    desk.advance(600)
    desk.edit(pair.hub, hs_email_optout="true")
    desk.cycle()
    assert is_out(desk, pair.contact)


def test_until_it_is_approved_the_stricter_answer_wins(desk: Stage) -> None:
    pair = opted_out(desk, where="hub")
    batch = ask(desk, pair)["batch"]
    desk.edit(pair.hub, hs_email_optout="")
    desk.cycle()
    assert is_out(desk, pair.hub)
    assert desk.states(batch) == {"held": 1}


def test_a_cycle_and_a_plan_leave_the_request_standing(desk: Stage) -> None:
    pair = opted_out(desk)
    batch = ask(desk, pair)["batch"]
    desk.edit(pair.contact, Title="Chief")
    desk.cycle()
    assert desk.plan()["changes"] == 0
    assert desk.states(batch) == {"held": 1}
    with pytest.raises(UsageError, match=f"{batch} asks for this already"):
        ask(desk, pair)


def test_an_undo_opts_out_again_and_the_undo_of_that_opts_nobody_in(desk: Stage) -> None:
    pair = opted_out(desk)
    batch = ask(desk, pair)["batch"]
    approved(desk, batch)
    undone = desk.rollback(batch)
    assert is_out(desk, pair.contact)
    again = desk.rollback(undone["batch"])
    assert "an undo opts nobody in" in str(again)
    assert is_out(desk, pair.contact)


@pytest.mark.parametrize(
    ("missing", "says"),
    [("source", "--source"), ("at", "--at"), ("recorded_by", "--actor")],
)
def test_without_evidence_nothing_is_asked(desk: Stage, missing: str, says: str) -> None:
    pair = opted_out(desk)
    with pytest.raises(UsageError, match=says):
        ask(desk, pair, **{missing: " "})


def test_evidence_from_before_the_opt_out_counts_nothing(desk: Stage) -> None:
    pair = opted_out(desk)
    with pytest.raises(UsageError, match="was opted out after the evidence"):
        ask(desk, pair, at="3 hours ago")


def test_nobody_is_opted_in_who_is_not_out_or_not_known(desk: Stage) -> None:
    pair = desk.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    desk.go_live()
    desk.cycle()
    with pytest.raises(UsageError, match="is opted out"):
        ask(desk, pair)
    with pytest.raises(NotFound, match="no record holds the address"):
        ask(desk, pair, record="nobody@acme.example")


def test_a_policy_that_watches_opts_nobody_in(desk: Stage) -> None:
    pair = opted_out(desk)
    desk.write_policies(person=person_policy(mode="watch", fields=FIELDS + OPT_OUT))
    with pytest.raises(UsageError, match="only watches"):
        ask(desk, pair)


def test_conflicts_are_listed_with_what_each_record_says(desk: Stage) -> None:
    pair = desk.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    desk.edit(pair.hub, hs_email_optout="true")
    desk.plan()
    (conflict,) = conflicts(desk.installation)
    assert conflict.address == desk.value(pair.hub, "email")
    assert dict(conflict.said) == {pair.hub: True, pair.contact: False}
    desk.apply()
    assert list(conflicts(desk.installation)) == []


def test_every_record_with_the_address_is_opted_in_together(desk: Stage) -> None:
    pair = opted_out(desk)
    address = str(desk.value(pair.hub, "email"))
    lead = Ref("salesforce", "Lead", desk.make_lead(LastName="Lead", Email=address, HasOptedOutOfEmail=True))
    desk.advance(60)
    desk.cycle()
    desk.advance(600)
    asked = ask(desk, pair, record=address, at="1 minute ago")
    assert asked["records"] == 2
    approved(desk, asked["batch"])
    assert (is_out(desk, pair.contact), is_out(desk, lead)) == (False, False)


def test_e7_an_opt_out_is_not_resurrected(desk: Stage) -> None:
    """09:00 opted out elsewhere; 10:00 out in HubSpot, outside the selection; 10:05 an import says in; an undo."""
    desk.write_policies(person=POLICY.replace("defines: person", "only_when: [city is Bonn]\ndefines: person"))
    elsewhere = desk.pair({"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "Boss", "city": "Bonn"})
    ann = desk.pair({"Title": "CEO", "MailingCity": "Ulm"}, {"jobtitle": "Boss", "city": "Ulm"})
    desk.edit(elsewhere.hub, hs_email_optout="true")
    earlier = desk.apply()["batch"]
    assert (is_out(desk, elsewhere.contact), desk.value(elsewhere.hub, "jobtitle")) == (True, "CEO")
    desk.go_live()
    desk.advance(3600)

    desk.edit(ann.hub, hs_email_optout="true")
    desk.advance(300)
    desk.edit(ann.contact, actor="import", HasOptedOutOfEmail=False, Title="Chief")
    desk.cycle()
    assert (is_out(desk, ann.contact), is_out(desk, ann.hub)) == (True, True)
    assert desk.value(ann.hub, "jobtitle") == "Boss"

    undone = desk.rollback(earlier)
    assert "an undo opts nobody in" in str(undone)
    assert is_out(desk, elsewhere.contact)
    assert desk.value(elsewhere.hub, "jobtitle") == "Boss"
    desk.advance(3600)

    batch = ask(desk, ann)["batch"]
    assert desk.cycle()["written"] == 0
    with pytest.raises(ApprovalNeeded):
        desk.approve(batch, ANNA)
    approved(desk, batch)
    desk.edit(ann.hub, hs_email_optout="")
    desk.advance(120)
    assert desk.cycle()["written"] == 0
    assert (is_out(desk, ann.contact), is_out(desk, ann.hub)) == (False, False)
