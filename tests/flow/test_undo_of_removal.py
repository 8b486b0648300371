"""A record that an undo removed comes back from the vendor's recycle bin when that undo is undone."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, Stage, person_policy

from agent.changes import OPEN_STATES
from agent.records import Ref

NAMES = "  last_name: {salesforce: LastName, hubspot: lastname, wins: salesforce unless blank}\n"
CREATES = person_policy(create="{salesforce: {as: Contact, from: [contacts]}}", fields=FIELDS + NAMES)
DAY = 86_400.0


@pytest.fixture
def removed(stage: Stage) -> tuple[Ref, str]:
    """A Contact that Truce created for a HubSpot contact and removed again, and the batch that removed it."""
    stage.write_policies(person=CREATES)
    stage.make_hub(email="new@acme.example", lastname="Lovelace")
    stage.advance(200)
    batch = stage.apply()["batch"]
    [made] = stage.ids("salesforce", "Contact")
    stage.advance(700)
    undo = stage.rollback(batch)["batch"]
    assert stage.ids("salesforce", "Contact") == []
    stage.advance(60)
    return Ref("salesforce", "Contact", made), undo


def link_state(stage: Stage, ref: Ref) -> str:
    crosswalk = stage.installation.crosswalk
    members = crosswalk.members([crosswalk.entity_of(ref) or ""])
    return next(link.state for links in members.values() for link in links if link.ref == ref)


def quiet(stage: Stage) -> None:
    mark = stage.mark()
    for _ in range(3):
        stage.advance(700)
        stage.cycle()
    assert stage.written(mark) == []


def test_it_comes_back_with_its_id_its_values_and_its_pair(stage: Stage, removed: tuple[Ref, str]) -> None:
    ref, undo = removed
    assert link_state(stage, ref) == "undone"
    preview = stage.preview(undo)
    assert (preview["restore"], preview["blocked"]) == (1, 0)
    done = stage.rollback(undo)
    assert (done["restore"], done["written"], done["lifted_cells"]) == (1, 1, 1)
    assert stage.ids("salesforce", "Contact") == [ref.id]
    assert stage.value(ref, "LastName") == "Lovelace"
    assert link_state(stage, ref) == "linked"
    quiet(stage)


def test_its_pair_lives_on(stage: Stage, removed: tuple[Ref, str]) -> None:
    ref, undo = removed
    stage.rollback(undo)
    stage.go_live()
    [hub] = stage.ids("hubspot", "contacts")
    stage.edit(Ref("hubspot", "contacts", hub), phone="+49301234")
    stage.advance(200)
    stage.cycle()
    assert stage.value(ref, "Phone") == "+49301234"


def test_the_way_back_can_be_undone_and_undone_again(stage: Stage, removed: tuple[Ref, str]) -> None:
    ref, undo = removed
    for _ in range(2):
        back = stage.rollback(undo)["batch"]
        assert not stage.is_deleted(ref)
        stage.advance(700)
        undo = stage.rollback(back)["batch"]
        assert stage.is_deleted(ref)
        stage.advance(700)


def test_the_first_batch_can_be_undone_again_after_its_record_came_back(stage: Stage, removed: tuple[Ref, str]) -> None:
    ref, undo = removed
    first = stage.installation.ledger.batch(undo).reverts[0]
    stage.rollback(undo)
    stage.advance(700)
    assert stage.rollback(first)["restore"] == 1
    assert stage.is_deleted(ref)


def test_restored_by_a_person_there_is_nothing_to_do(stage: Stage, removed: tuple[Ref, str]) -> None:
    ref, undo = removed
    stage.admin.post("/undelete", system="salesforce", object="Contact", id=ref.id)
    mark = stage.mark()
    assert stage.rollback(undo)["already"] == 1
    assert stage.written(mark) == []


def test_after_the_bins_days_are_over_that_is_said_before(stage: Stage, removed: tuple[Ref, str]) -> None:
    _, undo = removed
    stage.advance(15 * DAY)
    [left] = stage.preview(undo)["left"]
    assert (left["fate"], left["note"]) == ("cannot be undone", "the recycle bin keeps a record for 15 days")


def test_a_bin_that_was_emptied_is_told_in_the_vendors_words(stage: Stage, removed: tuple[Ref, str]) -> None:
    _, undo = removed
    stage.admin.post("/settings", system="salesforce", name="bin_days", value=0)
    done = stage.rollback(undo)
    assert done["written"] == 0
    [entry] = stage.installation.ledger.entries(batch_id=done["batch"])
    assert entry.state == "failed"
    assert (entry.error or "").startswith("INVALID_CROSS_REFERENCE_KEY")


def test_a_record_that_took_its_place_is_named(stage: Stage, removed: tuple[Ref, str]) -> None:
    _, undo = removed
    plan = stage.plan()
    stage.apply(plan, lift_freezes=True)
    [second] = stage.ids("salesforce", "Contact")
    [left] = stage.preview(undo)["left"]
    assert (left["fate"], left["note"]) == ("cannot be undone", f"salesforce:Contact/{second} has taken its place")


@pytest.mark.parametrize("action", ["drop_before", "drop_after"])
def test_a_lost_reply_is_settled_by_reading(stage: Stage, removed: tuple[Ref, str], action: str) -> None:
    ref, undo = removed
    stage.admin.fault(system="salesforce", method="POST", route="*/Soap/u/*", action=action)
    mark = stage.mark()
    stage.rollback(undo)
    for _ in range(3):
        stage.advance(100)
        stage.cycle()
    assert not stage.is_deleted(ref)
    assert len(stage.written(mark)) == 1
    assert stage.installation.ledger.entries(states=OPEN_STATES) == []


def test_hubspot_has_no_way_back_and_that_is_said(stage: Stage) -> None:
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"))
    stage.make_contact(Email="new@acme.example", Title="CEO")
    stage.advance(60)
    batch = stage.apply()["batch"]
    stage.advance(700)
    undo = stage.rollback(batch)["batch"]
    [left] = stage.preview(undo)["left"]
    assert left["fate"] == "cannot be undone"
    assert "people can restore it" in left["note"]
