"""Limits: volume and meaning hold, per batch and per day; suspicious emptiness stops; a mistake stays small."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, ONE_DAY, STAGES, Stage, limits_policy, person_policy

from agent.errors import ApprovalNeeded, SafetyStop

CREATES = "{hubspot: {from: [Contact]}}"


@pytest.fixture
def live(stage: Stage) -> Stage:
    stage.go_live()
    return stage


def held_reasons(stage: Stage) -> list[str]:
    return [batch.hold_reason or "" for batch in stage.installation.ledger.batches(states=("held",))]


def test_a_cycle_over_the_batch_limit_writes_nothing_of_it(live: Stage) -> None:
    live.write_policies(limits=limits_policy(batch="{records: 3}"))
    live.pairs(4, {"Title": "CEO"}, {"jobtitle": "Boss"})
    report = live.cycle()
    assert (report["written"], len(report["held"])) == (0, 1)
    assert held_reasons(live) == ["person-basics would change 4 records at once, the limit is 3"]
    assert live.written() == []


def test_the_share_of_all_records_is_a_limit_of_its_own(live: Stage) -> None:
    live.write_policies(limits=limits_policy(batch="{records: 200, percent: 50}"))
    live.pairs(42, {"Title": "CEO"}, {"jobtitle": "Boss"})
    live.cycle()
    assert held_reasons(live) == ["person-basics would change 42 records at once, the limit is 21 (50 % of 42)"]


def test_a_small_installation_may_always_change_twenty(live: Stage) -> None:
    live.write_policies(limits=limits_policy(batch="{records: 200, percent: 5}"))
    live.pairs(20, {"Title": "CEO"}, {"jobtitle": "Boss"})
    assert live.cycle()["written"] == 20


def test_a_day_may_have_a_ceiling_for_records_that_outlives_a_restart(live: Stage) -> None:
    live.write_policies(limits=limits_policy(day="{records: 3}"))
    live.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    assert live.cycle()["written"] == 2
    live.close()
    live.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    assert live.cycle()["written"] == 0
    assert held_reasons(live) == [
        "person-basics would change 2 records at once, the limit is 3 a day and 2 were changed already"
    ]
    assert live.apply(confirm=2)["written"] == 2


def test_the_plan_of_one_policy_is_judged_as_it_will_be_applied_without_the_others(stage: Stage) -> None:
    mobiles = person_policy(fields="  mobile: {salesforce: MobilePhone, hubspot: mobilephone, wins: salesforce}\n")
    text = mobiles.replace("policy: person-basics", "policy: person-mobiles").replace("defines:", "about:")
    beside = "\n".join(line for line in text.splitlines() if not line.startswith(("records:", "match:"))) + "\n"
    stage.write_policies(limits=limits_policy(batch="{records: 3}"), mobiles=beside)
    stage.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    stage.pairs(3, {"MobilePhone": "1"}, {"mobilephone": "2"})
    assert stage.plan()["held"] == 3
    plan = stage.plan("person-mobiles")
    assert (plan["changes"], plan["held"]) == (3, 0)
    assert stage.apply(plan)["written"] == 3


def test_the_plan_says_the_limit_before_anybody_applies_it(stage: Stage) -> None:
    stage.write_policies(limits=limits_policy(batch="{records: 1}"))
    stage.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    plan = stage.plan()
    assert plan["held_reasons"] == ["person-basics would change 2 records at once, the limit is 1"]


def test_blanks_are_held_beyond_the_days_limit_whatever_the_count_says(stage: Stage) -> None:
    stage.write_policies(limits=limits_policy(day="{blanks: 1}"))
    people = stage.pairs(2, {"MailingCity": "Bonn"}, {"city": "Bonn"})
    stage.agree()
    for ada in people:
        stage.edit(ada.contact, MailingCity=None)
    plan = stage.plan()
    with pytest.raises(ApprovalNeeded) as held:
        stage.apply(plan, confirm=2)
    assert held.value.why == "2 blanks and 0 today already, the limit is 1 a day"
    assert [stage.value(ada.hub, "city") for ada in people] == ["Bonn", "Bonn"]


def test_what_a_plan_held_is_named_beside_what_it_wrote(stage: Stage) -> None:
    stage.write_policies(limits=limits_policy(day="{blanks: 1}"))
    ada, ben, cleo = stage.pairs(3, {"MailingCity": "Bonn", "Title": "CEO"}, {"city": "Bonn", "jobtitle": "CEO"})
    stage.agree()
    stage.edit(ada.contact, MailingCity=None)
    stage.edit(ben.contact, MailingCity=None)
    stage.edit(cleo.contact, Title="Chair")
    applied = stage.apply()
    waiting = stage.installation.ledger.batches(states=("held",))
    assert (applied["written"], applied["held"]) == (1, [batch.id for batch in waiting])
    assert len(waiting) == 1


def test_the_days_counter_survives_a_restart_and_ends_with_the_day(live: Stage) -> None:
    live.write_policies(limits=limits_policy(day="{blanks: 1}"))
    people = live.pairs(3, {"MailingCity": "Bonn"}, {"city": "Bonn"})
    live.agree()
    live.edit(people[0].contact, MailingCity=None)
    assert live.cycle()["written"] == 1
    live.close()
    live.edit(people[1].contact, MailingCity=None)
    report = live.cycle()
    assert (report["written"], len(report["held"])) == (0, 1)
    live.order("reject", batch=report["held"][0])
    live.advance(ONE_DAY)
    live.edit(people[2].contact, MailingCity=None)
    assert live.cycle()["written"] == 1


def test_owner_changes_are_counted(live: Stage) -> None:
    live.write_policies(limits=limits_policy(day="{owner_changes: 0}"))
    ada = live.pair({})
    live.agree()
    live.edit(ada.contact, OwnerId=live.owner("salesforce", "ben"))
    report = live.cycle()
    assert (report["written"], held_reasons(live)) == (
        0, ["1 owner changes and 0 today already, the limit is 0 a day"],
    )  # fmt: skip
    assert live.value(ada.hub, "hubspot_owner_id") == live.owner("hubspot", "anna")


def test_creates_are_counted_and_no_count_typed_lifts_them(stage: Stage) -> None:
    stage.write_policies(person=person_policy(create=CREATES), limits=limits_policy(batch="{creates: 1}"))
    for name in ("ada", "eve"):
        stage.make_contact(Email=f"{name}@acme.example")
    stage.advance(60)
    plan = stage.plan()
    with pytest.raises(ApprovalNeeded) as held:
        stage.apply(plan, confirm=2)
    assert held.value.why == "2 creates at once, the limit is 1"
    assert stage.ids("hubspot", "contacts") == []


def test_a_stage_back_always_waits_and_other_fields_go_on(live: Stage) -> None:
    live.write_policies(stages=STAGES)
    ada = live.pair(
        {"Customer_Stage__c": "MQL", "Title": "CEO"}, {"lifecyclestage": "marketingqualifiedlead", "jobtitle": "CEO"}
    )
    live.agree()
    live.go_live()
    live.edit(ada.contact, Customer_Stage__c="Lead", Title="CFO")
    report = live.cycle()
    assert (report["written"], len(report["held"])) == (1, 1)
    assert (live.value(ada.hub, "jobtitle"), live.value(ada.hub, "lifecyclestage")) == ("CFO", "marketingqualifiedlead")


def test_a_side_that_looks_emptied_stops_everything(live: Stage) -> None:
    people = live.pairs(21, {"Title": "CEO"}, {"jobtitle": "CEO"})
    live.agree()
    for ada in people[:5]:
        live.delete(ada.contact)
    live.edit(people[20].contact, Title="CFO")
    mark = live.mark()
    with pytest.raises(SafetyStop, match="Contact looks emptied"):
        live.cycle()
    with pytest.raises(SafetyStop):
        live.plan()
    assert live.written(mark) == []


def test_a_few_deletions_are_no_outage(live: Stage) -> None:
    people = live.pairs(21, {"Title": "CEO"}, {"jobtitle": "CEO"})
    live.agree()
    live.delete(people[0].contact)
    live.edit(people[20].contact, Title="CFO")
    assert live.cycle()["written"] == 1
    assert not live.is_deleted(people[0].hub)


def test_a_limit_holds_the_policy_that_broke_it_and_lets_the_other_write(live: Stage) -> None:
    person = FIELDS.replace("  phone:", "  mobile:").replace(
        "Phone, hubspot: phone", "MobilePhone, hubspot: mobilephone"
    )
    more = person_policy(fields="  phone: {salesforce: Phone, hubspot: phone, wins: salesforce}\n")
    phones = "\n".join(
        line
        for line in more.replace("person-basics", "person-phones")
        .replace("defines: person", "about: person")
        .splitlines()
        if not line.startswith(("records:", "match:"))
    )
    live.write_policies(
        person=person_policy(fields=person), phones=phones + "\n", limits=limits_policy(batch="{records: 2}")
    )
    live.go_live()
    live.pairs(3, {"Title": "CEO"}, {"jobtitle": "Boss"})
    ada = live.pair({"Phone": "+49 228 1"}, {"phone": "+49 228 2"})
    report = live.cycle()
    assert (report["written"], len(report["held"])) == (1, 1)
    assert live.value(ada.hub, "phone") == "+49 228 1"
