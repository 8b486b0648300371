"""What an undo does with each field: untouched goes back, touched stays and is named, the rest is said."""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import STAGES, Pair, Stage, person_policy

from agent.errors import NotFound
from agent.records import Ref


def written_title(stage: Stage) -> tuple[Pair, str]:
    """HubSpot said Boss; Truce wrote CEO over it."""
    ada = stage.pair({"Title": "CEO", "FirstName": "Ada"}, {"jobtitle": "Boss", "firstname": "Ada"})
    batch = stage.apply()["batch"]
    stage.advance(700)
    return ada, batch


def only(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = result[name]
    return dict(found)


def test_without_apply_an_undo_only_previews(stage: Stage) -> None:
    ada, batch = written_title(stage)
    mark = stage.mark()
    preview = stage.preview(batch)
    assert (preview["restore"], preview["keep"], preview["skip"]) == (1, 0, 0)
    cell = only(preview, "restored")
    assert (cell["live"], cell["would_be"], cell["field"]) == ("CEO", "Boss", "job_title")
    assert stage.written(mark) == []
    assert stage.installation.freezes.standing() == []
    assert stage.value(ada.hub, "jobtitle") == "CEO"


def test_untouched_is_put_back(stage: Stage) -> None:
    ada, batch = written_title(stage)
    mark = stage.mark()
    done = stage.rollback(batch)
    assert (done["restore"], done["written"], done["failed"]) == (1, 1, 0)
    (line,) = stage.written(mark)
    assert (line["before"], line["after"]) == ({"jobtitle": "CEO"}, {"jobtitle": "Boss"})
    assert stage.value(ada.hub, "jobtitle") == "Boss"
    undo = stage.installation.ledger.batch(done["batch"])
    assert (undo.kind, undo.reverts) == ("rollback", (batch,))


def test_a_fill_goes_back_to_blank(stage: Stage) -> None:
    ada = stage.pair({"Title": "CEO"})
    batch = stage.apply()["batch"]
    stage.rollback(batch)
    assert stage.value(ada.hub, "jobtitle") is None


def test_salesforce_is_put_back_too(stage: Stage) -> None:
    ada = stage.pair({"Phone": "1"}, {"phone": "2"})
    batch = stage.apply()["batch"]
    assert stage.value(ada.contact, "Phone") == "2"
    stage.advance(700)
    stage.rollback(batch)
    assert stage.value(ada.contact, "Phone") == "1"


def test_what_a_person_put_back_already_is_left(stage: Stage) -> None:
    ada, batch = written_title(stage)
    stage.edit(ada.hub, jobtitle="Boss")
    mark = stage.mark()
    done = stage.rollback(batch)
    assert (done["already"], done["restore"], done["written"]) == (1, 0, 0)
    assert stage.written(mark) == []


@pytest.mark.parametrize("side", ["salesforce", "hubspot"])
def test_a_later_edit_is_kept_and_named(stage: Stage, side: str) -> None:
    ada = stage.pair(
        {"Title": "CEO", "Phone": "1", "FirstName": "Ada"}, {"jobtitle": "Boss", "phone": "2", "firstname": "Ada"}
    )
    batch = stage.apply()["batch"]
    if side == "hubspot":
        stage.edit(ada.hub, "kim", jobtitle="Chief")
    else:
        stage.edit(ada.contact, "kim", Phone="3")
    done = stage.rollback(batch)
    left = only(done, "left")
    assert (done["restore"], done["keep"]) == (1, 1)
    assert (left["fate"], left["live"], left["name"]) == (
        "keep: edited since", "Chief" if side == "hubspot" else "3", "Ada Lovelace" if side == "salesforce" else "Ada",
    )  # fmt: skip
    assert left["who"] == "Kim Tran"
    kept = stage.value(ada.hub, "jobtitle") if side == "hubspot" else stage.value(ada.contact, "Phone")
    assert kept == left["live"]


def test_an_edit_by_another_integration_is_kept_without_a_name(stage: Stage) -> None:
    ada, batch = written_title(stage)
    bot = {"id": "INTEGRATION:990001", "cause": "automation"}
    stage.edit(ada.hub, bot, jobtitle="Chief")
    left = only(stage.preview(batch), "left")
    assert (left["fate"], left["who"]) == ("keep: edited since", "")


def test_an_edit_of_another_field_hinders_nothing(stage: Stage) -> None:
    ada, batch = written_title(stage)
    stage.edit(ada.hub, city="Bonn")
    assert stage.rollback(batch)["restore"] == 1
    assert (stage.value(ada.hub, "jobtitle"), stage.value(ada.hub, "city")) == ("Boss", "Bonn")


def test_a_later_edit_is_undone_only_where_told_cell_by_cell_and_can_come_back(stage: Stage) -> None:
    people = stage.pairs(2, {"Title": "CEO"}, {"jobtitle": "Boss"})
    batch = stage.apply()["batch"]
    for ada in people:
        stage.edit(ada.hub, jobtitle="Chief")
    cell = f"{people[0].hub}:job_title"
    done = stage.rollback(batch, overwrite=[cell])
    assert (done["restore"], done["keep"]) == (1, 1)
    assert [stage.value(ada.hub, "jobtitle") for ada in people] == ["Boss", "Chief"]
    stage.rollback(done["batch"])
    assert [stage.value(ada.hub, "jobtitle") for ada in people] == ["Chief", "Chief"]


@pytest.mark.parametrize("side", ["salesforce", "hubspot"])
def test_a_deleted_record_is_skipped_and_not_made_anew(stage: Stage, side: str) -> None:
    ada = stage.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "Boss", "phone": "2"})
    batch = stage.apply()["batch"]
    stage.delete(ada.hub if side == "hubspot" else ada.contact)
    done = stage.rollback(batch)
    assert (done["restore"], done["skip"], only(done, "left")["fate"]) == (1, 1, "skip: deleted")
    object_type = "contacts" if side == "hubspot" else "Contact"
    assert stage.ids(side, object_type) == []


@pytest.mark.parametrize("side", ["salesforce", "hubspot"])
def test_a_merged_record_is_skipped_and_its_survivor_is_named(stage: Stage, side: str) -> None:
    ada = stage.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "Boss", "phone": "2"})
    batch = stage.apply()["batch"]
    if side == "hubspot":
        survivor, loser = Ref("hubspot", "contacts", stage.make_hub(email="other@acme.example")), ada.hub
    else:
        survivor, loser = Ref("salesforce", "Contact", stage.make_contact(Email="other@acme.example")), ada.contact
    stage.merge(survivor, loser)
    mark = stage.mark()
    done = stage.rollback(batch)
    left = only(done, "left")
    assert left["fate"] == "skip: merged"
    assert str(left["note"]).startswith(f"into {survivor.system}:")
    assert all(line["id"] not in (survivor.id, loser.id) for line in stage.written(mark))


def test_a_lead_converted_since_is_skipped_and_its_contact_is_named(stage: Stage) -> None:
    lead = Ref("salesforce", "Lead", stage.make_lead(Email="eve@acme.example", Phone="1"))
    stage.make_hub(email="eve@acme.example", phone="2")
    stage.advance(60)
    batch = stage.apply()["batch"]
    assert stage.value(lead, "Phone") == "2"
    stage.admin.post("/convert", id=lead.id)
    done = stage.rollback(batch)
    left = only(done, "left")
    (contact,) = stage.ids("salesforce", "Contact")
    assert (left["fate"], left["note"]) == ("skip: converted", f"into salesforce:Contact/{contact}")
    assert stage.value(Ref("salesforce", "Contact", contact), "Phone") == "2"


def test_a_hubspot_stage_goes_back_by_a_clear_of_its_own(stage: Stage) -> None:
    stage.write_policies(stages=STAGES)
    ada = stage.pair({"Customer_Stage__c": "MQL"}, {"lifecyclestage": "lead"})
    batch = stage.apply()["batch"]
    assert stage.value(ada.hub, "lifecyclestage") == "marketingqualifiedlead"
    mark = stage.mark()
    assert stage.rollback(batch)["failed"] == 0
    steps = [line["after"]["lifecyclestage"] for line in stage.written(mark)]
    assert (steps[0] or None, steps[-1]) == (None, "lead")
    assert stage.value(ada.hub, "lifecyclestage") == "lead"


def test_an_owner_goes_back_unless_the_former_one_left(stage: Stage) -> None:
    ada, eve = stage.pair({}), stage.pair({})
    stage.agree()
    for person, owner in ((ada, "ben"), (eve, "kim")):
        stage.edit(person.contact, OwnerId=stage.owner("salesforce", owner))
    stage.apply()
    stage.edit(ada.contact, OwnerId=stage.owner("salesforce", "lee"))
    stage.edit(eve.contact, OwnerId=stage.owner("salesforce", "lee"))
    batch = stage.apply()["batch"]
    owners = stage.emulator.world.spaces["hubspot"].settings["owners"]
    owners[stage.owner("hubspot", "kim")]["archived"] = True
    done = stage.rollback(batch)
    left = only(done, "left")
    assert (done["restore"], left["fate"]) == (1, "blocked: the former owner is inactive")
    assert stage.value(ada.hub, "hubspot_owner_id") == stage.owner("hubspot", "ben")
    assert stage.value(eve.hub, "hubspot_owner_id") == stage.owner("hubspot", "lee")


def test_a_field_hidden_from_us_since_is_blocked_and_not_read_as_blank(stage: Stage) -> None:
    ada = stage.pair({"Phone": "1"}, {"phone": "2"})
    batch = stage.apply()["batch"]
    stage.admin.post("/permissions", system="salesforce", object="Contact", hide="Phone")
    stage.close()
    stage.write_policies(
        person=person_policy(fields="  email: {salesforce: Email, hubspot: email, wins: salesforce}\n")
    )
    done = stage.rollback(batch)
    assert only(done, "left")["fate"] == "blocked: not ours to see or write"
    assert stage.value(ada.contact, "Phone") == "2"


def test_a_value_no_longer_offered_is_blocked_before_anything_is_written(stage: Stage) -> None:
    stage.write_policies(stages=STAGES)
    ada = stage.pair({"Customer_Stage__c": "MQL"}, {"lifecyclestage": "lead"})
    batch = stage.apply()["batch"]
    stage.admin.post(
        "/schema", system="hubspot", object="contacts",
        alter={"name": "lifecyclestage", "options": ["marketingqualifiedlead", "customer"]},
    )  # fmt: skip
    mark = stage.mark()
    done = stage.rollback(batch)
    assert only(done, "left")["fate"] == "blocked: the old value is not taken any more"
    assert stage.written(mark) == []
    assert stage.value(ada.hub, "lifecyclestage") == "marketingqualifiedlead"


def test_nothing_written_is_nothing_to_undo(stage: Stage) -> None:
    with pytest.raises(NotFound):
        stage.preview("B-1")
    stage.write_policies(person=person_policy(mode="ask"))
    stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    (held,) = stage.cycle()["held"]
    with pytest.raises(NotFound, match="nothing that was written"):
        stage.preview(held)
