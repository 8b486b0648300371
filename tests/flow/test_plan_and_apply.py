"""A plan writes exactly what it showed, once, and only while what it rests on still stands."""

from __future__ import annotations

import pytest
from flow_stage import BEN, Pair, Stage, limits_policy, person_policy

from agent.errors import ApprovalNeeded, NotFound, PlanStale


def boss(stage: Stage) -> Pair:
    """Salesforce says CEO, HubSpot says Boss; Salesforce wins."""
    return stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})


def test_a_plan_writes_to_no_crm_and_apply_writes_exactly_it(stage: Stage) -> None:
    ada = boss(stage)
    plan = stage.plan()
    assert stage.written() == []
    assert (plan["changes"], plan["held"]) == (1, 0)
    (line,) = plan["lines"]
    assert (line["field"], line["system"], line["meanings"]) == ("job_title", "hubspot", {"different": 1})
    assert (line["example"]["before"], line["example"]["after"]) == ("Boss", "CEO")
    done = stage.apply(plan)
    (written,) = stage.written()
    assert (written["object"], written["id"], written["before"], written["after"]) == (
        "contacts", ada.hubspot, {"jobtitle": "Boss"}, {"jobtitle": "CEO"},
    )  # fmt: skip
    assert (done["written"], done["state"]) == (1, "done")


def test_a_used_plan_is_refused(stage: Stage) -> None:
    boss(stage)
    plan = stage.plan()
    stage.apply(plan)
    mark = stage.mark()
    with pytest.raises(PlanStale, match="applied already"):
        stage.apply(plan)
    assert stage.written(mark) == []


def test_an_expired_or_unknown_plan_is_refused(stage: Stage) -> None:
    boss(stage)
    plan = stage.plan()
    stage.advance(8 * 86_400)
    with pytest.raises(PlanStale, match="expired"):
        stage.apply(plan)
    with pytest.raises(NotFound):
        stage.order("apply", plan="P-99")
    assert stage.written() == []


def test_a_plan_of_other_policies_is_refused(stage: Stage) -> None:
    boss(stage)
    plan = stage.plan()
    stage.write_policies(person=person_policy(first_time="fill blanks"))
    with pytest.raises(PlanStale, match="other policies"):
        stage.apply(plan)
    assert stage.written() == []


def test_a_comment_in_a_policy_does_not_spoil_the_plan(stage: Stage) -> None:
    boss(stage)
    plan = stage.plan()
    stage.write_policies(person=person_policy() + "# only a remark\n")
    assert stage.apply(plan)["written"] == 1


def test_a_plan_of_another_account_is_refused(stage: Stage) -> None:
    boss(stage)
    plan = stage.plan()
    stage.emulator.world.spaces["hubspot"].settings["portal_id"] = 4_800_002
    with pytest.raises(PlanStale, match="another account"):
        stage.apply(plan)
    assert stage.written() == []


def test_a_plan_with_nothing_to_write_is_no_error_and_opens_no_batch(stage: Stage) -> None:
    stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    done = stage.apply()
    assert (done["batch"], done["written"]) == (None, 0)
    assert stage.installation.ledger.batches() == []


def test_a_record_that_moved_since_drops_out_and_the_rest_is_written(stage: Stage) -> None:
    people = stage.pairs(11, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    stage.edit(people[0].hub, jobtitle="Chief")
    done = stage.apply(plan)
    assert (done["written"], done["drifted"]) == (10, 1)
    assert stage.value(people[0].hub, "jobtitle") == "Chief"
    (problem,) = done["problems"]
    assert problem["state"] == "drifted"
    assert "jobtitle" in problem["error"]


def test_a_record_whose_source_moved_since_drops_out(stage: Stage) -> None:
    """The plan says CEO because Salesforce did; it says something else by now."""
    people = stage.pairs(11, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    stage.edit(people[0].contact, Title="CFO")
    done = stage.apply(plan)
    assert (done["written"], done["drifted"]) == (10, 1)
    assert stage.value(people[0].hub, "jobtitle") == "Boss"


def test_an_edit_of_another_field_is_no_drift(stage: Stage) -> None:
    ada = boss(stage)
    plan = stage.plan()
    stage.edit(ada.hub, firstname="Augusta")
    stage.edit(ada.contact, FirstName="Augusta")
    assert stage.apply(plan)["written"] == 1


def test_over_a_tenth_moved_refuses_the_plan_whole(stage: Stage) -> None:
    people = stage.pairs(10, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    for ada in people[:2]:
        stage.edit(ada.hub, jobtitle="Chief")
    with pytest.raises(PlanStale, match="2 of 10 records changed"):
        stage.apply(plan)
    assert stage.written() == []
    assert stage.installation.ledger.batches() == []


def test_a_deleted_record_drops_out(stage: Stage) -> None:
    people = stage.pairs(11, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    stage.delete(people[0].hub)
    assert stage.apply(plan)["drifted"] == 1


def test_a_plan_that_nobody_applies_takes_nothing_from_the_next_cycle(stage: Stage) -> None:
    ada = boss(stage)
    stage.go_live()
    stage.plan()
    assert stage.cycle()["written"] == 1
    assert stage.value(ada.hub, "jobtitle") == "CEO"


def test_only_the_policies_named_are_in_the_plan(stage: Stage) -> None:
    boss(stage)
    assert stage.plan("person-basics")["changes"] == 1
    assert stage.plan("sales-team")["changes"] == 0


def test_a_create_drops_out_when_a_person_made_the_record_meanwhile(stage: Stage) -> None:
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"))
    stage.make_contact(Email="new@acme.example", Title="CEO")
    stage.advance(60)
    plan = stage.plan()
    made = stage.make_hub(email="new@acme.example")
    stage.advance(200)
    stage.plan()
    with pytest.raises(PlanStale, match="1 of 1 records changed"):
        stage.apply(plan)
    assert stage.ids("hubspot", "contacts") == [made]


def test_a_policy_paused_since_the_plan_writes_nothing(stage: Stage) -> None:
    boss(stage)
    plan = stage.plan()
    stage.order("pause", policy="person-basics")
    with pytest.raises(ApprovalNeeded) as refused:
        stage.apply(plan)
    assert "person-basics" in refused.value.why
    assert stage.written() == []
    stage.order("resume", policy="person-basics")
    assert stage.apply(plan)["written"] == 1


def test_an_interrupted_plan_goes_on_with_the_same_command(stage: Stage) -> None:
    stage.pairs(30, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    stage.interrupt("apply", plan=plan["plan"], confirm=30)
    assert len(stage.written()) == 25
    done = stage.apply(plan)
    assert (done["resumed"], done["written"]) == (True, 5)
    assert len({line["id"] for line in stage.written()}) == len(stage.written()) == 30


def test_a_changed_rule_of_a_live_policy_proposes_until_its_plan_is_applied(stage: Stage) -> None:
    ada = boss(stage)
    stage.go_live()
    stage.agree()
    stage.write_policies(person=person_policy(losing_edit="report"))
    stage.edit(ada.contact, Title="CFO")
    assert stage.cycle()["written"] == 0
    plan = stage.plan()
    stage.apply(plan, actor=BEN)
    stage.edit(ada.contact, Title="COO")
    assert stage.cycle()["written"] == 1
    activation = stage.installation.approvals.activation("person-basics")
    assert activation is not None
    assert activation.person == BEN


def test_a_policy_that_never_went_live_only_proposes_even_after_its_plan(stage: Stage) -> None:
    ada = boss(stage)
    stage.apply()
    stage.edit(ada.contact, Title="CFO")
    stage.advance(120)
    report = stage.cycle()
    assert (report["written"], len(report["held"])) == (0, 1)


def test_a_change_too_big_is_held_and_the_exact_count_lets_it_through(stage: Stage) -> None:
    stage.write_policies(limits=limits_policy(batch="{records: 3}"))
    stage.pairs(4, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    assert plan["held"] == 4
    with pytest.raises(ApprovalNeeded, match="nothing was written"):
        stage.apply(plan)
    for wrong in (3, 5):
        with pytest.raises(PlanStale, match="holds 4 changes"):
            stage.apply(plan, confirm=wrong)
    assert stage.written() == []
    assert stage.apply(plan, confirm=4)["written"] == 4
    assert stage.installation.ledger.batches(states=("held",)) == []
