"""From another sync to Truce: steps in order, each recorded, none while the other one still writes what we would."""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import ANNA, Stage, person_policy

from agent.cutover import EVENT
from agent.errors import NotFound, Refused

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
  phone:     {salesforce: Phone, hubspot: phone, wins: hubspot}
  score:     {hubspot: city}
"""
NATIVE = {"id": "SALESFORCE", "cause": "automation"}
MINUTES = 60.0


@pytest.fixture
def beside(stage: Stage) -> Stage:
    stage.write_policies(person=person_policy(fields=FIELDS))
    return stage


def standing(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = stage.order("cutover")["objects"][0]
    return found


def forward(stage: Stage) -> str:
    return str(stage.order("cutover-next", object="person")["moved"]["to"])


def back(stage: Stage) -> str:
    return str(stage.order("cutover-back", object="person")["moved"]["to"])


def until_off(stage: Stage) -> None:
    assert [forward(stage), forward(stage)] == ["both watched", "native off"]


def go_live(stage: Stage) -> dict[str, Any]:
    meaning = stage.installation.policies.policies.headers["person-basics"].meaning
    return stage.order("go-live", policy="person-basics", meaning=meaning)


def test_each_step_is_recorded_with_who_took_it_and_writes_to_no_crm(beside: Stage) -> None:
    beside.pair({"Title": "VP"})
    mark = beside.mark()
    assert standing(beside)["step"] == "native on"
    until_off(beside)
    beside.advance(21 * MINUTES)
    assert forward(beside) == "Truce acts"
    steps = [event.body["to"] for event in beside.installation.ledger.events(kind=EVENT, subject="person")]
    assert steps == ["Truce acts", "native off", "both watched"]
    assert (standing(beside)["step"], standing(beside)["by"]) == ("Truce acts", ANNA)
    assert beside.written(mark) == []
    with pytest.raises(Refused, match="acts already"):
        forward(beside)


def test_silence_says_nothing_before_the_other_sync_had_its_round(beside: Stage) -> None:
    until_off(beside)
    beside.advance(5 * MINUTES)
    with pytest.raises(Refused, match="switched off only on"):
        forward(beside)


def test_hubspots_own_integration_is_seen_by_its_kind_of_source(beside: Stage) -> None:
    pair = beside.pair({"Title": "VP"}, {"jobtitle": "VP"})
    beside.cycle()
    until_off(beside)
    beside.advance(15 * MINUTES)
    beside.edit(pair.hub, NATIVE, jobtitle="CEO")
    beside.advance(6 * MINUTES)
    with pytest.raises(Refused) as refused:
        forward(beside)
    assert refused.value.what == "another sync still writes job_title of person"
    assert refused.value.where == f"{pair.hub} jobtitle"
    assert "the HubSpot Salesforce integration (SALESFORCE) wrote it on" in str(refused.value.why)
    (seen,) = standing(beside)["other_sync"]
    assert (seen["field"], seen["system"], seen["count"]) == ("job_title", "hubspot", 1)
    beside.advance(21 * MINUTES)
    assert forward(beside) == "Truce acts"


def test_the_user_a_sync_signs_in_with_is_seen_in_salesforce(beside: Stage) -> None:
    pair = beside.pair({"Phone": "1"}, {"phone": "1"})
    beside.cycle()
    beside.edit(pair.contact, "ben", Phone="2")
    beside.advance(MINUTES)
    assert standing(beside)["other_sync"] == []
    users = {owner.login: owner.id for owner in beside.installation.owners.values() if owner.system == "salesforce"}
    ben = beside.owner("salesforce", "ben")
    beside.installation.config.other_syncs.append(next(login for login, user in users.items() if user == ben) or "")
    (seen,) = standing(beside)["other_sync"]
    assert (seen["field"], seen["system"]) == ("phone", "salesforce")


def test_a_person_or_a_field_that_we_never_write_is_no_other_sync(beside: Stage) -> None:
    pair = beside.pair({"Title": "VP"}, {"jobtitle": "VP", "phone": "1", "city": "Rome"})
    beside.cycle()
    beside.edit(pair.hub, jobtitle="CEO")
    beside.edit(pair.hub, NATIVE, phone="2", city="Paris")
    beside.advance(MINUTES)
    assert standing(beside)["other_sync"] == []
    assert go_live(beside)["live"]


def test_a_policy_does_not_go_live_while_the_other_sync_writes_its_fields(beside: Stage) -> None:
    pair = beside.pair({"Title": "VP"}, {"jobtitle": "VP"})
    beside.cycle()
    beside.edit(pair.hub, NATIVE, jobtitle="CEO")
    beside.advance(MINUTES)
    beside.cycle()
    with pytest.raises(Refused, match="another sync still writes job_title"):
        go_live(beside)
    assert beside.installation.approvals.active_meaning("person-basics") is None


def test_watching_together_is_refused_while_a_policy_already_acts(beside: Stage) -> None:
    beside.go_live()
    with pytest.raises(Refused, match="person-basics already writes person"):
        forward(beside)


def test_the_way_back_ends_acting_and_undoes_nothing(beside: Stage) -> None:
    pair = beside.pair({"Title": "VP"})
    until_off(beside)
    beside.advance(21 * MINUTES)
    forward(beside)
    go_live(beside)
    beside.cycle()
    assert beside.value(pair.hub, "jobtitle") == "VP"
    assert [back(beside), back(beside), back(beside)] == ["native off", "both watched", "native on"]
    assert beside.value(pair.hub, "jobtitle") == "VP"
    beside.edit(pair.contact, Title="CEO")
    beside.cycle()
    assert beside.value(pair.hub, "jobtitle") == "VP"
    with pytest.raises(Refused, match="no way back"):
        back(beside)


def test_an_object_that_no_policy_is_about_is_named(beside: Stage) -> None:
    with pytest.raises(NotFound, match="no policy is about persn"):
        beside.order("cutover-next", object="persn")
