"""A field made of several lines, through both practice CRMs."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, Stage, person_policy

MADE = """\
  first_name: {salesforce: FirstName, hubspot: firstname, wins: salesforce}
  last_name:  {salesforce: LastName, hubspot: lastname, wins: salesforce}
  full_name:  {hubspot: full_name, made_of: [first_name, last_name]}
"""


@pytest.fixture
def made(stage: Stage) -> Stage:
    stage.admin.post("/schema", system="hubspot", object="contacts", add={"name": "full_name", "type": "string"})
    stage.write_policies(person=person_policy(fields=FIELDS + MADE))
    return stage


def test_it_is_written_follows_its_parts_and_comes_to_rest(made: Stage) -> None:
    ada = made.pair({"FirstName": "Ada", "LastName": "King"}, {"firstname": "Ada", "lastname": "King"})
    made.go_live()
    made.cycle()
    assert made.value(ada.hub, "full_name") == "Ada King"
    assert made.cycle()["written"] == 0
    made.edit(ada.contact, LastName="Lovelace")
    made.cycle()
    assert (made.value(ada.hub, "lastname"), made.value(ada.hub, "full_name")) == ("Lovelace", "Ada Lovelace")
    assert made.cycle()["written"] == 0


def test_an_edit_of_it_is_taken_back_and_travels_nowhere(made: Stage) -> None:
    ada = made.pair({"FirstName": "Ada", "LastName": "King"}, {"firstname": "Ada", "lastname": "King"})
    made.go_live()
    made.agree()
    made.edit(ada.hub, full_name="Countess of Lovelace")
    made.cycle()
    assert made.value(ada.hub, "full_name") == "Ada King"
    assert made.value(ada.contact, "LastName") == "King"


def test_an_undo_puts_it_back_and_it_stays(made: Stage) -> None:
    ada = made.pair(
        {"FirstName": "Ada", "LastName": "King"}, {"firstname": "Ada", "lastname": "King", "full_name": "A. King"}
    )
    made.go_live()
    batch = made.apply()["batch"]
    assert made.value(ada.hub, "full_name") == "Ada King"
    made.rollback(batch)
    assert made.value(ada.hub, "full_name") == "A. King"
    made.advance(700)
    assert made.cycle()["written"] == 0
    assert made.value(ada.hub, "full_name") == "A. King"


def test_a_part_that_moved_since_the_plan_drops_the_write_out(made: Stage) -> None:
    people = [
        made.pair({"FirstName": "Ada", "LastName": f"King{number}"}, {"firstname": "Ada", "lastname": f"King{number}"})
        for number in range(11)
    ]
    plan = made.plan()
    made.edit(people[0].contact, LastName="Lovelace")
    applied = made.apply(plan)
    assert (applied["written"], applied["drifted"]) == (10, 1)
