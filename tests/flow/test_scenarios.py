"""Bad days of real teams, with their numbers: a wrong line found late, two automations in a fight, owners that would
all change at once, a side that was blanked."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, Pair, Stage, limits_policy, person_policy

from agent.records import Ref

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
        stage.edit(ada.hub, {"id": "INTEGRATION:990001", "cause": "automation"}, phone="+14155550199")
        stage.advance(60)
        stage.cycle()
    assert 3 <= len(stage.written()) <= 4
    [question] = stage.installation.reviews.list(kind="fight")
    assert "+14155550100" in question.sentence
    assert "+14155550199" in question.sentence
    assert "Truce" in question.sentence
    assert "another system" in question.sentence
    stage.edit(ada.contact, MailingCity="Bonn")
    stage.cycle()
    assert stage.value(ada.hub, "city") == "Bonn"

    stage.order("freeze", record=str(ada.hub), field="phone", lift=True)
    stage.cycle()
    assert stage.value(ada.hub, "phone") == "+14155550100"


# --- owners that would all change at once ---


@pytest.mark.timeout(600)
def test_a_policy_edit_that_would_move_1200_owners_stops_before_the_first(stage: Stage) -> None:
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

BLANKED = """\
  title: {salesforce: Title, hubspot: jobtitle, wins: hubspot}
  city:  {salesforce: {Lead: City, Contact: MailingCity}, hubspot: city, wins: hubspot, may_clear: true}
"""


@pytest.mark.timeout(600)
def test_a_mass_blanking_changes_nothing_and_ends_when_the_values_come_back(stage: Stage) -> None:
    stage.write_policies(
        person=person_policy(fields=EMAIL + BLANKED), limits=limits_policy(batch="{records: 5000}", day="{blanks: 50}")
    )
    held = {"jobtitle": "CEO", "city": "Bonn"}
    people = stage.pairs(950, {"Title": "CEO", "MailingCity": "Bonn"}, held)
    stage.agree()
    stage.go_live()
    for one in people[:800]:
        stage.edit(one.hub, INTEGRATION, jobtitle="", city="")
    mark = stage.mark()
    report = stage.cycle()
    assert stage.written(mark) == []
    [batch] = report["held"]
    assert stage.states(batch) == {"held": 800}, "cities, which may be cleared; titles may not and are not even held"
    cells = {cell.field for entry in stage.installation.ledger.entries(batch_id=batch) for cell in entry.change.cells}
    assert cells == {"city"}

    for one in people[:800]:
        stage.edit(one.hub, INTEGRATION, **held)
    stage.cycle()
    stage.cycle()
    assert stage.written(mark) == []
    assert stage.installation.ledger.batches(states=["held"]) == []

    stage.edit(people[0].hub, city="")
    assert stage.cycle()["written"] == 1
    assert stage.value(people[0].contact, "MailingCity") is None
