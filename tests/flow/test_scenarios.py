"""Bad days of real teams, with their numbers: a wrong line found late, two automations in a fight, owners that would
all change at once, a side that was blanked."""

from __future__ import annotations

import pytest
from flow_stage import BEN, FIELDS, HEADER, TEAM, TOM, Pair, Stage, limits_policy, person_policy

from agent.errors import ApprovalNeeded, ConnectorError
from agent.ledger.queries import EntryQuery
from agent.records import Ref
from connectors.emulator.world import Actor

INTEGRATION = {"id": "INTEGRATION:990001", "cause": "automation"}
"""Another system's user: changes what it likes, has no name."""


# --- a wrong line, found late ---

TITLE_BY_HUBSPOT = FIELDS.replace(
    "jobtitle, wins: salesforce unless blank}", "jobtitle, wins: hubspot}"
)  # the line somebody turned round


def people_with_titles(stage: Stage, count: int) -> list[Pair]:
    return [stage.pair({"Title": f"Title {n}"}, {"jobtitle": f"Sales {n}"}) for n in range(count)]


@pytest.mark.timeout(600)
def test_a_wrong_line_over_500_people_is_undone_around_everything_that_happened_since(stage: Stage) -> None:
    people = people_with_titles(stage, 500)
    stage.write_policies(person=person_policy(fields=TITLE_BY_HUBSPOT))
    plan = stage.plan()
    batch = stage.apply(plan, confirm=plan["changes"])["batch"]
    assert stage.states(batch)["confirmed"] == 500

    corrected, cleared, deleted, merged = people[:37], people[37:49], people[49:52], people[52:57]
    for number, one in enumerate(corrected):
        stage.edit(one.contact, Title=f"Right {number}")
    for one in cleared:
        stage.edit(one.contact, INTEGRATION, Title=None)
    for one in deleted:
        stage.delete(one.contact)
    for one in merged:
        stage.merge(Ref("salesforce", "Contact", stage.make_contact(LastName="Survivor")), one.contact)

    seen = stage.preview(batch)
    assert (seen["restore"], seen["keep"], seen["skip"]) == (443, 49, 8)
    fates = seen["fates"]
    assert (fates["skip: deleted"], fates["skip: merged"]) == (3, 5)
    kept = [left for left in seen["left"] if left["fate"] == "keep: edited since"]
    assert [left["who"] for left in kept].count("Kim Tran") == 37

    mark = stage.mark()
    stage.rollback(batch)
    assert all(stage.value(one.contact, "Title") == f"Title {n}" for n, one in enumerate(people) if n >= 57)
    assert all(stage.value(one.contact, "Title") == f"Right {n}" for n, one in enumerate(corrected))
    assert all(stage.value(one.contact, "Title") is None for one in cleared)
    assert all(line["system"] == "salesforce" for line in stage.written(mark))

    mark = stage.mark()
    for _ in range(3):
        stage.advance(60)
        stage.cycle()
    assert [line for line in stage.written(mark) if "Title" in line["after"] or "jobtitle" in line["after"]] == []
    assert stage.installation.ledger.verify().ok
    again = stage.rollback(batch)
    assert (again["restore"], again["written"]) == (0, 0)


def test_what_an_undo_froze_is_written_again_only_by_a_plan_that_says_so(stage: Stage) -> None:
    people = people_with_titles(stage, 20)
    stage.write_policies(person=person_policy(fields=TITLE_BY_HUBSPOT))
    stage.rollback(stage.apply()["batch"])
    stage.write_policies(person=person_policy(fields=FIELDS.replace("salesforce unless", "hubspot unless")))
    stage.go_live()
    stage.cycle()
    assert all(stage.value(one.contact, "Title") == f"Title {n}" for n, one in enumerate(people))
    plan = stage.plan()
    assert plan["frozen_count"] == 20
    stage.apply(plan, lift_freezes=True)
    assert all(stage.value(one.contact, "Title") == f"Sales {n}" for n, one in enumerate(people))


# --- two automations that answer each other ---

EMAIL = FIELDS.splitlines(keepends=True)[0]
PHONE = EMAIL + "  phone: {salesforce: Phone, hubspot: phone, wins: salesforce, clean: phone US}\n"


def test_two_spellings_of_one_number_are_no_difference(stage: Stage) -> None:
    stage.write_policies(person=person_policy(fields=PHONE))
    ada = stage.pair({"Phone": "(415) 555-0100"}, {"phone": "+14155550100"})
    stage.go_live()
    for _ in range(10):
        stage.edit(ada.contact, INTEGRATION, Phone="(415) 555-0100")
        stage.edit(ada.hub, INTEGRATION, phone="+14155550100")
        stage.advance(60)
        stage.cycle()
    assert stage.written() == []


def test_a_number_that_two_systems_change_in_turn_is_frozen_after_four_writes_at_most(stage: Stage) -> None:
    stage.write_policies(person=person_policy(fields=PHONE + FIELDS.splitlines(keepends=True)[2]))
    ada = stage.pair({"Phone": "(415) 555-0100"}, {"phone": "+14155550100"})
    stage.go_live()
    stage.cycle()
    for _ in range(10):
        stage.edit(ada.hub, {"id": "4711", "cause": "automation", "name": "Format phones"}, phone="+14155550199")
        stage.advance(60)
        stage.cycle()
    assert 3 <= len(stage.written()) <= 4
    [question] = stage.installation.reviews.list(kind="fight")
    assert "+14155550100" in question.sentence
    assert "+14155550199" in question.sentence
    assert "Truce" in question.sentence
    assert "by the HubSpot workflow “Format phones” (4711)" in question.sentence
    [freeze] = stage.installation.freezes.standing()
    assert "by the HubSpot workflow “Format phones” (4711)" in freeze.reason
    stage.edit(ada.contact, MailingCity="Bonn")
    stage.cycle()
    assert stage.value(ada.hub, "city") == "Bonn"

    stage.order("freeze", record=str(ada.hub), field="phone", lift=True)
    stage.cycle()
    assert stage.value(ada.hub, "phone") == "+14155550100"


@pytest.mark.parametrize(
    ("actor", "named"),
    [
        ("kim", "Kim"),
        ({"id": "automated", "cause": "automation"}, "Automated Process"),
        ({"id": "integration", "cause": "automation"}, "a Salesforce flow or trigger that runs as Truce's own user"),
    ],
)
def test_a_fight_in_salesforce_names_the_user_who_saved(stage: Stage, actor: str | dict[str, str], named: str) -> None:
    stage.write_policies(
        person=person_policy(fields=PHONE.replace("wins: salesforce, clean: phone", "wins: hubspot, clean: phone"))
    )
    ada = stage.pair({"Phone": "(415) 555-0100"}, {"phone": "+14155550100"})
    stage.go_live()
    stage.cycle()
    for _ in range(5):
        stage.edit(ada.contact, actor, Phone="(415) 555-0199")
        stage.advance(60)
        stage.cycle()
    [question] = stage.installation.reviews.list(kind="fight")
    assert f"by {named}" in question.sentence


# --- owners that would all change at once ---

TWO = "{owner_changes: {people: 2, from: [revops]}}"


@pytest.mark.timeout(600)
def test_1200_owners_that_change_at_once_stop_before_the_first(stage: Stage) -> None:
    kim, lee = stage.owner("hubspot", "kim"), stage.owner("salesforce", "lee")
    people = stage.pairs(1200, {"OwnerId": stage.owner("salesforce", "kim")}, {"hubspot_owner_id": kim})
    stage.write_policies(limits=limits_policy(batch="{records: 5000}", day="{owner_changes: 50}"))
    stage.agree()
    stage.go_live()
    for one in people:
        stage.edit(one.contact, OwnerId=lee)
    mark = stage.mark()
    report = stage.cycle()
    assert stage.written(mark) == []
    [batch] = report["held"]
    assert stage.states(batch) == {"held": 1200}
    assert "50" in str(stage.installation.ledger.batch(batch).hold_reason)

    stage.advance(86_400)
    stage.cycle()
    assert stage.written(mark) == [], "a new day does not let them through in slices nobody approved"
    assert len(stage.installation.ledger.batches(states=["held"])) == 1, "one alert, not one a day"


@pytest.mark.timeout(600)
def test_a_policy_edit_that_would_move_1200_owners_stops_before_the_first(stage: Stage) -> None:
    """Each side has its own owner for years; then somebody turns the line round. Confirming the count is not enough."""
    kim, lee = stage.owner("salesforce", "kim"), stage.owner("hubspot", "lee")
    stage.write_policies(
        person=person_policy(first_time="fill blanks"),
        limits=limits_policy(batch="{records: 5000}", day="{owner_changes: 50}", approve=TWO),
        team=TEAM,
    )
    people = stage.pairs(1200, {"OwnerId": kim}, {"hubspot_owner_id": lee})
    stage.go_live()
    stage.agree()
    mark = stage.mark()
    turned = FIELDS.replace("hubspot_owner_id, wins: salesforce", "hubspot_owner_id, wins: hubspot")
    stage.write_policies(person=person_policy(first_time="fill blanks", fields=turned))
    assert stage.cycle()["written"] == 0
    plan = stage.plan()
    assert (plan["changes"], plan["held"]) == (1200, 1200)
    assert any("50" in reason for reason in plan["held_reasons"])
    example = plan["lines"][0]["example"]
    assert (example["before"], example["after"]) == ("Kim Tran", "Lee Moreno"), "names, not ids"
    with pytest.raises(ApprovalNeeded, match="1,200 changes waits for approval") as refused:
        stage.apply(plan, confirm=1200)
    assert stage.written(mark) == []

    batch = refused.value.where
    stage.approve(batch, BEN)
    assert stage.approve(batch, TOM)["written"] == 1200
    sam = stage.owner("salesforce", "sam")
    stage.advance(700)
    for one in people[:10]:
        stage.edit(one.contact, OwnerId=sam)
    undo = stage.rollback(batch)
    assert (undo["restore"], undo["keep"]) == (1190, 10)
    assert {stage.value(one.contact, "OwnerId") for one in people[10:]} == {kim}


def test_owners_are_given_back_except_where_a_person_has_changed_them_since(stage: Stage) -> None:
    kim, lee = stage.owner("hubspot", "kim"), stage.owner("salesforce", "lee")
    people = stage.pairs(10, {"OwnerId": stage.owner("salesforce", "kim")}, {"hubspot_owner_id": kim})
    stage.agree()
    stage.go_live()
    for one in people:
        stage.edit(one.contact, OwnerId=lee)
    batch = stage.cycle()["batch"]
    anna = stage.owner("hubspot", "anna")
    for one in people[:2]:
        stage.edit(one.hub, hubspot_owner_id=anna)
    done = stage.rollback(batch)
    assert (done["restore"], done["keep"]) == (8, 2)
    assert [stage.value(one.hub, "hubspot_owner_id") for one in people] == [anna] * 2 + [kim] * 8


# --- a side that was blanked ---

COMPANY = f"""\
policy: company-basics
kind: fields
{HEADER}mode: act
defines: company
records: {{salesforce: Account, hubspot: companies}}
match: [domain]
first_time: winner
losing_edit: revert
fields:
  domain:    {{salesforce: Website, hubspot: domain, wins: salesforce, clean: domain}}
  city:      {{salesforce: BillingCity, hubspot: city, wins: hubspot}}
  employees: {{salesforce: NumberOfEmployees, hubspot: numberofemployees, wins: hubspot, may_clear: true}}
"""


def companies(stage: Stage, count: int) -> list[Ref]:
    """So many companies, the same in both CRMs. Returns those in HubSpot."""
    desks, actor = stage.emulator.practice.desks, Actor("practice", "system", "Practice")
    here = {"BillingCity": "Bonn", "NumberOfEmployees": 120}
    there = {"city": "Bonn", "numberofemployees": "120"}
    names = [(f"Company {n}", f"company{n}.example") for n in range(count)]
    desks["salesforce"].seed_many("Account", [{"Name": n, "Website": d, **here} for n, d in names], actor=actor)
    ids = desks["hubspot"].seed_many("companies", [{"name": n, "domain": d, **there} for n, d in names], actor=actor)
    return [Ref("hubspot", "companies", record_id) for record_id in ids]


def set_all(stage: Stage, refs: list[Ref], **values: str) -> None:
    """An enrichment tool writes its export."""
    for ref in refs:
        body = {"system": ref.system, "object": ref.object_type, "id": ref.id, "values": values, "actor": INTEGRATION}
        stage.admin.post("/edit", **body)
    stage.advance(60)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("count", "blanked"), [(950, 800), pytest.param(9_500, 8_000, marks=pytest.mark.nightly)])
def test_a_mass_blanking_changes_nothing_and_ends_when_the_values_come_back(
    stage: Stage, count: int, blanked: int
) -> None:
    stage.write_policies(company=COMPANY, limits=limits_policy(batch="{records: 50000}", day="{blanks: 50}"))
    everybody = companies(stage, count)
    stage.agree()
    stage.go_live()
    mark = stage.mark()
    set_all(stage, everybody[:blanked], city="", numberofemployees="")
    [batch] = stage.cycle()["held"]
    assert stage.written(mark) == []
    assert stage.states(batch) == {"held": blanked}, "employees, which may be cleared; cities may not, nor do they wait"
    query = EntryQuery(batch_id=batch)
    entries = stage.installation.ledger.each_entry(query)
    assert {cell.field for entry in entries for cell in entry.change.cells} == {"employees"}

    set_all(stage, everybody[:blanked], city="Bonn", numberofemployees="120")
    for _ in range(2):
        stage.cycle()
    assert stage.written(mark) == []
    assert stage.installation.ledger.batches(states=["held"]) == []

    set_all(stage, everybody[:1], numberofemployees="")
    assert stage.cycle()["written"] == 1, "one company that somebody cleared on purpose"


def test_a_page_that_fails_is_never_all_gone(stage: Stage) -> None:
    everybody = people_with_titles(stage, 30)
    stage.agree()
    stage.go_live()
    mark = stage.mark()
    stage.admin.fault(action="html_200", system="hubspot", method="POST", route="*/search", times="always")
    stage.edit(everybody[0].hub, jobtitle="x")
    with pytest.raises(ConnectorError):
        stage.cycle()
    stage.admin.delete("/faults")
    stage.cycle()
    assert stage.installation.reviews.list(kind="lost") == []
    assert [line for line in stage.written(mark) if line["id"] != everybody[0].hubspot] == []
