"""Approval: for exactly the list shown, once, in time, by people who may; and what waits never goes stale unnoticed."""

from __future__ import annotations

import pytest
from flow_stage import ANNA, BEN, STAGES, TEAM, TOM, Pair, Stage, limits_policy, person_policy

from agent.changes import HELD, State
from agent.errors import ApprovalNeeded, PlanStale, UsageError
from agent.orders.orders import ORDERS
from agent.people import FREE, Person, needs_name


@pytest.fixture
def asking(stage: Stage) -> Stage:
    """The policy asks before it writes."""
    stage.write_policies(person=person_policy(mode="ask"), limits=limits_policy())
    return stage


def proposed(stage: Stage, count: int = 1) -> tuple[list[Pair], str]:
    """People whose HubSpot title differs, and the held batch that would mend it."""
    people = stage.pairs(count, {"Title": "CEO"}, {"jobtitle": "Boss"})
    (batch,) = stage.cycle()["held"]
    return people, batch


def held(stage: Stage) -> list[str]:
    return [batch.id for batch in stage.installation.ledger.batches(states=HELD)]


def test_what_is_approved_is_written_once(asking: Stage) -> None:
    (ada,), batch = proposed(asking)
    assert asking.written() == []
    done = asking.approve(batch)
    assert (done["approved_by"], done["written"], done["state"]) == ([ANNA], 1, "done")
    assert asking.value(ada.hub, "jobtitle") == "CEO"
    with pytest.raises(UsageError, match="does not wait"):
        asking.approve(batch, count=1)


def test_another_count_than_shown_is_refused(asking: Stage) -> None:
    _, batch = proposed(asking, 3)
    with pytest.raises(PlanStale, match="holds 3 changes, not 2"):
        asking.approve(batch, count=2)
    assert asking.written() == []


def test_only_the_people_asked_may_approve(asking: Stage) -> None:
    _, batch = proposed(asking)
    with pytest.raises(ApprovalNeeded, match="may not approve"):
        asking.approve(batch, "kim@example.com")
    assert asking.states(batch) == {"held": 1}


def test_a_login_that_is_mapped_to_nobody_cannot_approve() -> None:
    with pytest.raises(ApprovalNeeded, match="root cannot approve"):
        needs_name(Person("root", None), "approve")


OPEN_THE_WAY = {
    "apply": {"plan": "P-1"},
    "approve": {"batch": "B-1", "count": 1},
    "reject": {"batch": "B-1"},
    "go-live": {"policy": "person-basics"},
    "resume": {"policy": "person-basics"},
    "review": {"review": 1, "answer": "yes"},
    "review-many": {"about": "duplicate", "line": "", "count": 1, "answer": "never"},
    "cutover-next": {"object": "person"},
    "opt-in": {},
    "retry": {},
    "mode": {"mode": "act"},
    "freeze": {"record": "x", "field": "job_title", "lift": True},
    "rollback": {"batches": ["B-1"], "overwrite": ["B-1:1"]},
    "forget": {"record": "person-1"},
    **{name: {} for name in ORDERS if name.startswith(("pair-", "align-"))},
}


@pytest.mark.parametrize("order", OPEN_THE_WAY)
def test_what_opens_the_way_for_writes_wants_a_known_person(asking: Stage, order: str) -> None:
    asking.order("mode", mode="watch")
    with pytest.raises(ApprovalNeeded, match=f"root cannot give the order {order}"):
        asking.order(order, "root", **OPEN_THE_WAY[order])


def test_whoever_is_at_the_keyboard_may_undo_and_stop(stage: Stage) -> None:
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "boss"})
    batch = stage.apply()["batch"]
    assert stage.order("pause", "root", policy="person-basics")["paused"]
    assert stage.order("mode", "root", mode="watch")["mode"] == "watch"
    assert stage.order("freeze", "root", record=str(pair.contact), field="phone")["frozen"]
    assert stage.rollback(batch, actor="root")["written"] == 1
    assert stage.value(pair.hub, "jobtitle") == "boss"
    assert stage.installation.ledger.batches()[0].actor == "root", "and the ledger says who it was"


def test_every_order_is_either_free_or_asks_for_a_known_person() -> None:
    assert set(ORDERS) == set(OPEN_THE_WAY) | FREE


def test_a_held_batch_expires_and_the_field_is_proposed_anew(asking: Stage) -> None:
    (ada,), batch = proposed(asking)
    asking.advance(25 * 3_600)
    with pytest.raises(PlanStale, match="expired"):
        asking.approve(batch)
    asking.edit(ada.hub, jobtitle="Chief")
    (fresh,) = asking.cycle()["held"]
    assert held(asking) == [fresh]
    assert asking.installation.ledger.batch(batch).state == "expired"
    assert asking.states(batch) == {"refused": 1}


def test_a_rejected_batch_is_never_written(asking: Stage) -> None:
    _, batch = proposed(asking)
    assert asking.order("reject", batch=batch, reason="no")["rejected"] == 1
    with pytest.raises(UsageError, match="does not wait"):
        asking.approve(batch, count=1)
    (entry,) = asking.installation.ledger.entries(batch_id=batch)
    assert (entry.state, entry.error) == (State.REFUSED, f"rejected by {ANNA}: no")
    assert asking.written() == []


def test_one_proposal_stands_per_field_however_often_it_is_decided(asking: Stage) -> None:
    (ada,), batch = proposed(asking)
    for city in ("Bonn", "Köln"):
        asking.edit(ada.hub, firstname=city)
        assert asking.cycle()["held"] == []
    assert held(asking) == [batch]


def test_a_proposal_that_would_say_something_else_is_replaced(asking: Stage) -> None:
    (ada,), old = proposed(asking)
    asking.edit(ada.contact, Title="CFO")
    (new,) = asking.cycle()["held"]
    assert held(asking) == [new]
    assert asking.states(old) == {"drifted": 1}
    asking.approve(new)
    assert asking.value(ada.hub, "jobtitle") == "CFO"


def test_a_proposal_is_withdrawn_when_a_person_has_mended_the_record(asking: Stage) -> None:
    (ada,), batch = proposed(asking)
    asking.edit(ada.contact, Title="Boss")
    asking.cycle()
    assert held(asking) == []
    with pytest.raises(UsageError):
        asking.approve(batch, count=1)
    assert asking.written() == []


def test_a_plan_withdraws_what_nobody_wants_any_more(asking: Stage) -> None:
    (ada,), _ = proposed(asking)
    asking.edit(ada.contact, Title="Boss")
    asking.plan()
    assert held(asking) == []


def test_what_is_left_of_a_list_can_still_be_approved(asking: Stage) -> None:
    people, batch = proposed(asking, 3)
    asking.edit(people[0].contact, Title="Boss")
    asking.cycle()
    with pytest.raises(PlanStale, match="holds 2 changes, not 3"):
        asking.approve(batch, count=3)
    assert asking.approve(batch, count=2)["written"] == 2
    assert [asking.value(ada.hub, "jobtitle") for ada in people] == ["Boss", "CEO", "CEO"]


def test_a_source_that_moved_unseen_is_left_alone_at_the_last_moment(asking: Stage) -> None:
    people, batch = proposed(asking, 2)
    asking.edit(people[0].contact, Title="CFO")
    done = asking.approve(batch)
    assert (done["written"], done["drifted"]) == (1, 1)
    assert asking.value(people[0].hub, "jobtitle") == "Boss"


def test_a_list_that_rests_on_a_changed_rule_is_not_written(asking: Stage) -> None:
    _, batch = proposed(asking)
    fields = "  email: {salesforce: Email, hubspot: email, wins: salesforce, clean: email}\n"
    fields += "  job_title: {salesforce: Title, hubspot: jobtitle, wins: hubspot}\n"
    asking.write_policies(person=person_policy(mode="ask", fields=fields))
    with pytest.raises(PlanStale, match="0 of 1 changes are left"):
        asking.approve(batch)
    assert held(asking) == []
    assert asking.written() == []


def test_a_field_frozen_since_is_not_written(asking: Stage) -> None:
    people, batch = proposed(asking, 2)
    asking.order("freeze", record=str(people[0].hub), field="job_title")
    with pytest.raises(PlanStale, match="1 of 2 changes are left"):
        asking.approve(batch)
    assert asking.approve(batch)["written"] == 1
    assert asking.value(people[0].hub, "jobtitle") == "Boss"


def test_a_paused_policy_is_not_written_by_an_approval(asking: Stage) -> None:
    _, batch = proposed(asking)
    asking.order("pause", policy="person-basics")
    with pytest.raises(ApprovalNeeded, match="paused"):
        asking.approve(batch)
    asking.order("resume", policy="person-basics")
    assert asking.approve(batch)["written"] == 1


def owner_change(stage: Stage, approve: str) -> tuple[Pair, str]:
    """A held change of owner under these lines of ``approve``."""
    stage.write_policies(limits=limits_policy(day="{owner_changes: 0}", approve=approve))
    stage.go_live()
    ada = stage.pair({})
    stage.agree()
    stage.edit(ada.contact, OwnerId=stage.owner("salesforce", "ben"))
    (batch,) = stage.cycle()["held"]
    return ada, batch


def test_two_people_are_two_people_and_the_author_is_neither(stage: Stage) -> None:
    ada, batch = owner_change(stage, "{owner_changes: {people: 2, from: [revops]}}")
    with pytest.raises(ApprovalNeeded, match="cannot approve it too"):
        stage.approve(batch, ANNA)
    for _ in range(2):
        assert stage.approve(batch, BEN)["still_needed"] == 1
    assert stage.value(ada.hub, "hubspot_owner_id") == stage.owner("hubspot", "anna")
    done = stage.approve(batch, TOM)
    assert (done["still_needed"], done["written"], done["approved_by"]) == (0, 1, [BEN, TOM])
    assert stage.value(ada.hub, "hubspot_owner_id") == stage.owner("hubspot", "ben")


def test_each_class_asks_its_own_people(stage: Stage) -> None:
    team = TEAM + "  sales-leads: [lee@example.com]\n"
    stage.write_policies(
        team=team,
        person=person_policy(create="{hubspot: {from: [Contact]}}"),
        limits=limits_policy(
            batch="{records: 0}",
            approve="{creates: {people: 1, from: [revops]}, owner_changes: {people: 1, from: [sales-leads]}}",
        ),
    )
    stage.go_live()
    ada = stage.pair({})
    stage.agree()
    stage.make_contact(Email="new@acme.example")
    stage.edit(ada.contact, OwnerId=stage.owner("salesforce", "ben"))
    (batch,) = stage.cycle()["held"]
    assert stage.approve(batch, BEN)["still_needed"] == 1
    assert stage.approve(batch, "lee@example.com")["written"] == 2


def test_an_approval_of_a_longer_list_does_not_count_for_a_shorter_one(stage: Stage) -> None:
    stage.write_policies(
        person=person_policy(mode="ask"), limits=limits_policy(approve="{otherwise: {people: 2, from: [revops]}}")
    )
    people, batch = proposed(stage, 2)
    assert stage.approve(batch, BEN)["still_needed"] == 1
    stage.edit(people[0].contact, Title="Boss")
    stage.cycle()
    assert stage.approve(batch, TOM, count=1)["still_needed"] == 1
    assert stage.approve(batch, BEN, count=1)["written"] == 1


def test_a_stage_back_needs_the_people_its_policy_names_and_a_reason(stage: Stage) -> None:
    stage.write_policies(stages=STAGES)
    ada = stage.pair({"Customer_Stage__c": "MQL"}, {"lifecyclestage": "marketingqualifiedlead"})
    stage.agree()
    stage.go_live()
    stage.edit(ada.contact, Customer_Stage__c="Lead")
    (batch,) = stage.cycle()["held"]
    with pytest.raises(ApprovalNeeded, match="may not approve"):
        stage.approve(batch, "kim@example.com")
    with pytest.raises(ApprovalNeeded, match="needs a reason"):
        stage.approve(batch, BEN)
    assert stage.approve(batch, BEN, reason="entered by mistake")["written"] == 2
    assert stage.value(ada.hub, "lifecyclestage") == "lead"
    (event,) = stage.installation.ledger.events(kind="approved")
    assert event.body["reason"] == "entered by mistake"


def test_what_a_plan_held_is_approved_like_any_other(stage: Stage) -> None:
    stage.write_policies(limits=limits_policy(batch="{records: 1}"))
    people = stage.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    with pytest.raises(ApprovalNeeded) as refused:
        stage.apply()
    (batch,) = held(stage)
    assert refused.value.next_step == f"truce approve {batch} --count 2"
    assert stage.approve(batch, TOM)["written"] == 2
    assert [stage.value(ada.hub, "jobtitle") for ada in people] == ["CEO", "CEO"]
