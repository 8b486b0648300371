"""A CRM is no longer as the policies expect: the lines it touches are suspended, nothing else stops, and they come
back by themselves. Both practice CRMs, the real clients."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from flow_stage import STAGES, Pair, Stage, person_policy

from agent import apply
from agent.changes import OPEN, State
from agent.decide.drift import What
from agent.errors import AccessDenied, ApprovalNeeded, NotFound, PlanStale, UsageError
from agent.records import Ref
from agent.reports.standing import status
from agent.schema.watch import EVERY

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
  phone:     {salesforce: Phone, hubspot: phone, wins: hubspot}
  city:
    salesforce: {Lead: City, Contact: MailingCity}
    hubspot: city
    wins:
      - {when: job_title is Boss, wins: hubspot}
      - {otherwise: salesforce}
  rating:
    salesforce: {Contact: LeadSource}
    hubspot: heard_of
    wins: salesforce
    values:
      web: {salesforce: Web, hubspot: web}
      partner: {salesforce: Partner, hubspot: partner}
"""
OPTIONS = [{"value": value, "label": value.title()} for value in ("web", "partner", "event")]


@pytest.fixture
def settled(stage: Stage) -> Stage:
    """Everything agrees and every policy acts."""
    stage.admin.post(
        "/schema", system="hubspot", object="contacts",
        add={"name": "heard_of", "label": "Source", "type": "enumeration", "fieldType": "select",
             "groupName": "contactinformation", "options": OPTIONS},
    )  # fmt: skip
    stage.write_policies(person=person_policy(fields=FIELDS))
    return stage


def after_a_look(stage: Stage) -> dict[str, Any]:
    """The next cycle that looks at the schemas again."""
    stage.advance(EVERY.total_seconds())
    return stage.cycle()


def lines(stage: Stage) -> dict[str, str]:
    """{line: what became of it} of those suspended."""
    return {f"{each.policy} {each.line}".strip(): each.what for each in stage.installation.suspensions}


def schema(stage: Stage, system: str, object_type: str, **change: Any) -> None:
    stage.admin.post("/schema", system=system, object=object_type, **change)


def permit(stage: Stage, system: str, object_type: str, **change: Any) -> None:
    stage.admin.post("/permissions", system=system, object=object_type, **change)


def everybody_edits(stage: Stage, pair: Pair, mark: str) -> None:
    stage.edit(pair.contact, Title=f"Title {mark}", MailingCity=f"City {mark}")
    stage.edit(pair.hub, phone=f"555 {mark}")


def agreeing(stage: Stage) -> Pair:
    pair = stage.pair(
        {"Title": "CEO", "Phone": "1", "MailingCity": "Rome", "LeadSource": "Web"},
        {"jobtitle": "CEO", "phone": "1", "city": "Rome", "heard_of": "web"},
    )
    stage.go_live()
    stage.cycle()
    return pair


def test_a_hidden_field_suspends_its_line_and_those_that_ask_it_and_no_others(settled: Stage) -> None:
    pair = agreeing(settled)
    permit(settled, "salesforce", "Contact", hide="Title")
    everybody_edits(settled, pair, "new")
    after_a_look(settled)
    assert lines(settled) == {"person-basics job_title": "field gone", "person-basics city": "depends"}
    assert settled.value(pair.hub, "jobtitle") == "CEO"
    assert settled.value(pair.hub, "city") == "Rome"
    assert settled.value(pair.contact, "Phone") == "555 new", "the other lines go on"


def test_a_hidden_field_never_blanks_the_other_side_and_comes_back_by_itself(settled: Stage) -> None:
    pair = agreeing(settled)
    permit(settled, "salesforce", "Contact", hide="Title")
    after_a_look(settled)
    everybody_edits(settled, pair, "meanwhile")
    for _ in range(2):
        after_a_look(settled)  # no window of a later pull reaches back to the edit
    permit(settled, "salesforce", "Contact", show="Title")
    after_a_look(settled)
    assert lines(settled) == {}
    assert settled.value(pair.hub, "jobtitle") == "Title meanwhile", "read anew, though nobody touched it since"
    assert settled.value(pair.hub, "city") == "City meanwhile"


CHANGES: dict[str, tuple[Callable[[Stage], None], dict[str, str]]] = {
    "removed in HubSpot": (
        lambda stage: schema(stage, "hubspot", "contacts", remove="heard_of"),
        {"person-basics rating": "field gone"},
    ),
    "not writable any more": (
        lambda stage: permit(stage, "hubspot", "contacts", read_only="jobtitle"),
        {"person-basics job_title": "read only"},
    ),
    "shorter": (
        lambda stage: schema(stage, "salesforce", "Contact", alter={"name": "Phone", "length": 10}),
        {"person-basics phone": "shorter"},
    ),
    "a value that the line writes": (
        lambda stage: schema(
            stage, "hubspot", "contacts", alter={"name": "heard_of", "options": [OPTIONS[0], OPTIONS[2]]}
        ),
        {"person-basics rating": "value gone"},
    ),
    "a value that nobody writes": (
        lambda stage: schema(stage, "hubspot", "contacts", alter={"name": "heard_of", "options": OPTIONS[:2]}),
        {},
    ),
    "another type": (
        lambda stage: schema(stage, "hubspot", "contacts", alter={"name": "jobtitle", "type": "number"}),
        {"person-basics job_title": "type changed", "person-basics city": "depends"},
    ),
    "a field more": (
        lambda stage: schema(
            stage, "hubspot", "contacts",
            add={"name": "shoe", "label": "Shoe", "type": "string", "fieldType": "text",
                 "groupName": "contactinformation"},
        ),
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_suspends_what_it_touches(settled: Stage, change: str) -> None:
    pair = agreeing(settled)
    happens, expected = CHANGES[change]
    happens(settled)
    after_a_look(settled)
    assert lines(settled) == expected
    untouched = "phone" if "person-basics phone" not in expected else "jobtitle"
    settled.edit(pair.hub, phone="7")
    settled.edit(pair.contact, Title="Chair")
    settled.cycle()
    if untouched == "phone":
        assert settled.value(pair.contact, "Phone") == "7"
    else:
        assert settled.value(pair.hub, "jobtitle") == "Chair"


@pytest.mark.parametrize("change", [name for name, (_, expected) in CHANGES.items() if expected])
def test_a_change_between_plan_and_apply_refuses_the_plan(settled: Stage, change: str) -> None:
    pair = settled.pair({"Title": "CEO", "LeadSource": "Web"}, {"jobtitle": "Boss", "phone": "1", "heard_of": "event"})
    plan = settled.plan()
    CHANGES[change][0](settled)
    mark = settled.mark()
    with pytest.raises(PlanStale, match="other lines in force"):
        settled.apply(plan)
    assert settled.written(mark) == []
    assert settled.value(pair.hub, "jobtitle") == "Boss"


@pytest.mark.parametrize("change", [name for name, (_, expected) in CHANGES.items() if expected])
def test_a_restart_changes_nothing_about_it(settled: Stage, change: str) -> None:
    agreeing(settled)
    happens, expected = CHANGES[change]
    happens(settled)
    settled.close()
    assert lines(settled) == expected, "a start that finds it"
    after_a_look(settled)
    settled.close()
    assert lines(settled) == expected, "a start that knows of it"
    events = settled.installation.ledger.events(kind="suspended")
    assert len(events) == len(expected), "told once"


def test_a_hidden_consent_suspends_its_policy_and_other_policies_go_on(settled: Stage) -> None:
    consent = "  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}\n"
    settled.write_policies(person=person_policy(fields=FIELDS + consent), stages=STAGES)
    pair = agreeing(settled)
    permit(settled, "salesforce", "Contact", hide="HasOptedOutOfEmail")
    everybody_edits(settled, pair, "new")
    after_a_look(settled)
    assert lines(settled)["person-basics"] == "field gone"
    assert settled.value(pair.contact, "Phone") == "1"
    assert settled.value(pair.hub, "jobtitle") == "CEO"


def test_a_stage_that_vanished_suspends_the_lifecycle_alone(settled: Stage) -> None:
    settled.write_policies(stages=STAGES)
    pair = agreeing(settled)
    schema(
        settled, "salesforce", "Contact",
        alter={"name": "Customer_Stage__c", "choices": ["Lead", "MQL"]},
    )  # fmt: skip
    everybody_edits(settled, pair, "new")
    after_a_look(settled)
    assert lines(settled) == {"person-lifecycle": "value gone"}
    assert settled.value(pair.contact, "Phone") == "555 new"


# A value leaves a picklist while a write of it is pending -------------------------------------------------------------

SOURCES = ["Web", "Partner Referral", "Event"]
VALUES: dict[tuple[str, str], tuple[str, str]] = {
    ("hubspot", "web"): ("web", "Web"),
    ("hubspot", "partner"): ("partner", "Partner Referral"),
    ("salesforce", "Web"): ("web", "Web"),
    ("salesforce", "Partner Referral"): ("partner", "Partner Referral"),
}
"""{(where a value is taken away, which one): the value in HubSpot and in Salesforce}"""


def sources_policy(system: str, mode: str = "act") -> str:
    """The other system wins, so this one is written."""
    winner = "salesforce" if system == "hubspot" else "hubspot"
    pairs = {"web": "Web", "partner": "Partner Referral", "event": "Event"}
    values = ", ".join(f"{here}: {{salesforce: {there}, hubspot: {here}}}" for here, there in pairs.items())
    line = f"salesforce: {{Contact: Source__c}}, hubspot: heard_of, wins: {winner}, values: {{{values}}}"
    email = "  email: {salesforce: Email, hubspot: email, wins: salesforce, clean: email}\n"
    return person_policy(fields=f"{email}  rating: {{{line}}}\n", mode=mode)


def take_away(stage: Stage, system: str, value: str) -> None:
    if system == "hubspot":
        left = [option for option in OPTIONS if option["value"] != value]
        schema(stage, "hubspot", "contacts", alter={"name": "heard_of", "options": left})
    else:
        left = [choice for choice in SOURCES if choice != value]
        schema(stage, "salesforce", "Contact", alter={"name": "Source__c", "choices": left})


def put_back(stage: Stage, system: str) -> None:
    take_away(stage, system, "")


@pytest.fixture
def sourced(settled: Stage) -> Stage:
    """A closed list in both CRMs."""
    schema(
        settled, "salesforce", "Contact",
        add={"name": "Source__c", "label": "Source", "type": "picklist", "choices": SOURCES, "restricted": True},
    )  # fmt: skip
    return settled


def somebody_with(stage: Stage, system: str, value: str) -> tuple[Pair, Ref, str]:
    """One person whose value is to travel to ``system``; also where it is to be written, and into which field."""
    here, there = VALUES[system, value]
    if system == "hubspot":
        pair = stage.pair({"Source__c": there}, {"heard_of": "event"})
        return pair, pair.hub, "heard_of"
    pair = stage.pair({"Source__c": "Event"}, {"heard_of": here})
    return pair, pair.contact, "Source__c"


def asked_to_write(stage: Stage, mark: int) -> list[str]:
    """Writing requests that reached a CRM, refused ones too."""
    calls = stage.admin.get(f"/journal?since={mark}")
    return [
        call["path"]
        for call in calls
        if call["method"] in ("PATCH", "PUT") or call["path"].endswith(("/update", "/create", "/upsert"))
    ]


def journal_mark(stage: Stage) -> int:
    return len(stage.admin.get("/journal?since=0"))


@pytest.mark.parametrize(("system", "value"), VALUES)
def test_a_value_taken_away_while_its_write_waits_for_approval_is_never_sent(
    sourced: Stage, system: str, value: str
) -> None:
    sourced.write_policies(person=sources_policy(system, mode="ask"))
    _, target, field = somebody_with(sourced, system, value)
    (held,) = sourced.cycle()["held"]
    before = sourced.value(target, field)
    take_away(sourced, system, value)
    mark = journal_mark(sourced)
    with pytest.raises(PlanStale, match="no longer the list"):
        sourced.approve(held)
    assert asked_to_write(sourced, mark) == []
    assert sourced.value(target, field) == before, "neither an invalid value nor a blank"
    assert lines(sourced) == {"person-basics rating": "value gone"}
    put_back(sourced, system)
    after_a_look(sourced)
    (again,) = [batch.id for batch in sourced.installation.ledger.batches(states=("held",))]
    sourced.approve(again)
    assert sourced.value(target, field) == value


@pytest.mark.parametrize(("system", "value"), VALUES)
def test_a_value_taken_away_since_the_plan_was_made_refuses_the_plan(sourced: Stage, system: str, value: str) -> None:
    sourced.write_policies(person=sources_policy(system))
    _, target, field = somebody_with(sourced, system, value)
    plan = sourced.plan()
    before = sourced.value(target, field)
    take_away(sourced, system, value)
    mark = journal_mark(sourced)
    with pytest.raises(PlanStale, match="other lines in force"):
        sourced.apply(plan)
    assert asked_to_write(sourced, mark) == []
    assert sourced.value(target, field) == before


@pytest.mark.parametrize(("system", "value"), VALUES)
def test_between_two_looks_the_vendor_refuses_it_once_and_the_next_look_stops_the_line(
    sourced: Stage, system: str, value: str
) -> None:
    sourced.write_policies(person=sources_policy(system))
    sourced.go_live()
    sourced.cycle()
    _, target, field = somebody_with(sourced, system, value)
    before = sourced.value(target, field)
    take_away(sourced, system, value)
    mark = sourced.mark()
    assert sourced.cycle()["failed"] == 1
    for _ in range(3):
        after_a_look(sourced)
    assert lines(sourced) == {"person-basics rating": "value gone"}
    assert sourced.written(mark) == []
    assert sourced.value(target, field) == before
    (entry,) = sourced.installation.ledger.entries()
    assert (entry.state, entry.attempts) == (State.FAILED, 1)
    put_back(sourced, system)
    after_a_look(sourced)
    assert sourced.value(target, field) == value


def test_an_object_that_is_closed_to_us_suspends_what_is_about_it(settled: Stage) -> None:
    settled.write_policies(companies=COMPANIES)
    pair = agreeing(settled)
    permit(settled, "salesforce", "Lead", hide="*")
    everybody_edits(settled, pair, "new")
    after_a_look(settled)
    assert lines(settled) == {"person-basics": "object gone"}
    assert settled.value(pair.contact, "Phone") == "1"
    permit(settled, "salesforce", "Lead", show="*")
    after_a_look(settled)
    assert lines(settled) == {}
    assert settled.value(pair.contact, "Phone") == "555 new"


def test_a_vendor_that_shows_nothing_at_all_suspends_nothing_and_is_told(settled: Stage) -> None:
    """A permission set that was taken away as a whole, not a change of the CRM."""
    agreeing(settled)
    for object_type in ("Contact", "Lead"):
        permit(settled, "salesforce", object_type, hide="*")
    with pytest.raises(NotFound):
        after_a_look(settled)
    assert lines(settled) == {}


def test_a_link_key_that_went_stops_creates_and_nothing_else(settled: Stage) -> None:
    settled.write_policies(person=person_policy(fields=FIELDS, create="{hubspot: {from: [Contact]}}"))
    pair = agreeing(settled)
    schema(settled, "hubspot", "contacts", remove="truce_key")
    everybody_edits(settled, pair, "new")
    after_a_look(settled)
    assert lines(settled) == {"person-basics create hubspot": "field gone"}
    assert settled.value(pair.contact, "Phone") == "555 new"


def test_a_lost_scope_closes_the_records_of_one_object_type_only(settled: Stage) -> None:
    settled.write_policies(companies=COMPANIES)
    agreeing(settled)
    settled.admin.post("/permissions", system="hubspot", remove_scope="crm.objects.companies.read")
    settled.cycle()
    assert lines(settled) == {"company-basics": "object gone"}
    settled.cycle()
    after_a_look(settled)
    assert lines(settled) == {"company-basics": "object gone"}, "described as before, and its records still refused"
    assert settled.installation.ledger.events(kind="in force again") == []
    settled.admin.post("/permissions", system="hubspot", add_scope="crm.objects.companies.read")
    after_a_look(settled)
    assert lines(settled) == {}


def test_a_refused_login_says_nothing_of_what_the_vendor_holds(settled: Stage) -> None:
    settled.write_policies(person=person_policy(fields=FIELDS), companies=COMPANIES)
    agreeing(settled)
    settled.admin.fault(system="hubspot", method="GET", route="*/properties/companies", action="status", status=401)
    with pytest.raises(AccessDenied):
        after_a_look(settled)
    assert lines(settled) == {}
    settled.cycle()
    assert lines(settled) == {}


def test_nobody_is_created_who_might_be_there_already(settled: Stage) -> None:
    settled.write_policies(person=person_policy(fields=FIELDS, create="{hubspot: {from: [Contact]}}"))
    agreeing(settled)
    permit(settled, "salesforce", "Contact", hide="Email")
    after_a_look(settled)
    assert lines(settled)["person-basics create hubspot"] == "depends"
    settled.make_contact(Title="CEO", Email="p1@acme.example")
    settled.cycle()
    assert len(settled.ids("hubspot", "contacts")) == 1


def test_what_waits_for_approval_is_not_written_by_a_suspended_line(settled: Stage) -> None:
    settled.write_policies(person=person_policy(fields=FIELDS, mode="ask"))
    pair = agreeing(settled)
    settled.edit(pair.contact, Title="Chair")
    settled.cycle()
    [held] = [batch.id for batch in settled.installation.ledger.batches(states=("held",))]
    schema(settled, "hubspot", "contacts", alter={"name": "jobtitle", "type": "number"})
    after_a_look(settled)
    assert settled.installation.ledger.batch(held).state != "open"
    with pytest.raises((PlanStale, ApprovalNeeded, UsageError)):
        settled.approve(held, count=1)
    assert settled.value(pair.hub, "jobtitle") == "CEO"


def test_errors_md_says_what_to_do_about_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    assert set(get_args(What)) == set(re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE))


def test_a_plan_made_before_is_not_applied_after(settled: Stage) -> None:
    settled.pair({"Title": "CEO"}, {"jobtitle": "boss"})
    plan = settled.plan()
    permit(settled, "hubspot", "contacts", read_only="jobtitle")
    after_a_look(settled)
    with pytest.raises(PlanStale) as caught:
        settled.apply(plan)
    assert "other lines in force" in caught.value.what


def test_people_see_what_is_suspended_and_the_way_back(settled: Stage) -> None:
    agreeing(settled)
    schema(settled, "salesforce", "Contact", alter={"name": "Phone", "length": 10})
    after_a_look(settled)
    settled.close()
    with settled.started_reading() as looking:
        (shown,) = status(looking, settled.folder / "state" / "writer.lock").suspended
    assert shown.line == "phone"
    assert shown.place == "person.yaml:16"
    assert shown.sentence == "`Phone` of Salesforce Contact holds 10 characters now, and held 40"


def test_a_person_may_go_on_with_a_shorter_field_but_not_without_it(settled: Stage) -> None:
    pair = agreeing(settled)
    schema(settled, "salesforce", "Contact", alter={"name": "Phone", "length": 10})
    permit(settled, "salesforce", "Contact", hide="Title")
    permit(settled, "hubspot", "contacts", read_only="city")
    after_a_look(settled)
    result = settled.order("resume", policy="person-basics")
    assert [each["line"] for each in result["suspended"]] == ["city", "city", "job_title"]
    permit(settled, "hubspot", "contacts", writable="city")
    settled.edit(pair.hub, phone="555")
    after_a_look(settled)
    assert settled.value(pair.contact, "Phone") == "555"
    assert lines(settled) == {"person-basics job_title": "field gone", "person-basics city": "depends"}


def test_looking_costs_one_call_for_each_object_type_and_not_in_every_cycle(settled: Stage) -> None:
    agreeing(settled)

    def looks() -> int:
        settled.admin.delete("/counters")
        settled.cycle()
        systems = settled.admin.get("/counters")["systems"]
        return sum(
            sum(by_status.values())
            for side in systems.values()
            for route, by_status in side["routes"].items()
            if "describe" in route or route.startswith("GET /crm/v3/properties")
        )

    settled.advance(60)
    assert looks() == 0
    settled.advance(EVERY.total_seconds())
    assert looks() == 3


COMPANIES = """\
policy: company-basics
kind: fields
responsible: anna@example.com
purpose: Companies agree
review_by: 2027-03-01
mode: act
defines: company
records: {salesforce: Account, hubspot: companies}
match: [name]
first_time: winner
losing_edit: revert
fields:
  name: {salesforce: Name, hubspot: name, wins: salesforce}
"""


@pytest.mark.parametrize(("system", "value"), VALUES)
@pytest.mark.parametrize("goes_on", ["apply", "cycle"])
def test_a_value_taken_away_while_an_interrupted_apply_still_has_to_write_it_is_never_sent(
    sourced: Stage, monkeypatch: pytest.MonkeyPatch, system: str, value: str, goes_on: str
) -> None:
    monkeypatch.setattr(apply, "CANARY", (1, 1))
    sourced.write_policies(person=sources_policy(system))
    first, second = (somebody_with(sourced, system, value) for _ in range(2))
    plan = sourced.plan()
    sourced.interrupt("apply", plan=plan["plan"], confirm=plan["changes"])
    written = [sourced.value(target, field) for _, target, field in (first, second)]
    assert written.count(value) == 1
    take_away(sourced, system, value)
    mark = journal_mark(sourced)
    if goes_on == "apply":
        assert sourced.apply(plan)["drifted"] == 0, "counted when it was left, not written by this run"
    else:
        sourced.cycle()
    assert asked_to_write(sourced, mark) == []
    assert [sourced.value(target, field) for _, target, field in (first, second)] == written, "nor a blank"
    assert sourced.installation.ledger.batches(states=OPEN) == []
    put_back(sourced, system)
    sourced.go_live()
    after_a_look(sourced)
    assert [sourced.value(target, field) for _, target, field in (first, second)] == [value, value]
