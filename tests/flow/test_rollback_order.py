"""Undo over time: freezes, later batches, several at once, interrupted, undone again, and records we created."""

from __future__ import annotations

import re

import pytest
from flow_stage import FIELDS, Pair, Stage, person_policy

from agent.changes import OPEN_STATES
from agent.errors import NotFound
from agent.records import Ref

CREATES = person_policy(create="{hubspot: {from: [Contact]}}")


def titled(stage: Stage, *titles: str) -> tuple[Pair, list[str]]:
    """HubSpot said Boss; each title was written over the one before by a batch of its own."""
    ada = stage.pair({"Title": titles[0]}, {"jobtitle": "Boss"})
    batches = [stage.apply()["batch"]]
    for title in titles[1:]:
        stage.edit(ada.contact, Title=title)
        stage.advance(700)
        batches.append(stage.apply()["batch"])
    stage.advance(700)
    return ada, batches


def title(stage: Stage, ada: Pair) -> object:
    return stage.value(ada.hub, "jobtitle")


def frozen(stage: Stage) -> set[tuple[str, str]]:
    return {(freeze.field, freeze.system) for freeze in stage.installation.freezes.standing()}


def quiet_cycles(stage: Stage, count: int = 3) -> None:
    """Cycles that write nothing and hold nothing."""
    mark = stage.mark()
    for _ in range(count):
        report = stage.cycle()
        assert (report["written"], report["held"]) == (0, [])
        stage.advance(130)
    assert stage.written(mark) == []


class TestFreezes:
    def test_the_rule_still_in_the_file_does_not_do_it_again(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        assert frozen(stage) == {("job_title", "hubspot")}
        quiet_cycles(stage)
        assert title(stage, ada) == "Boss"

    def test_a_later_edit_on_the_winning_side_does_not_break_the_freeze(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        stage.edit(ada.contact, Title="CFO")
        quiet_cycles(stage)
        assert title(stage, ada) == "Boss"

    def test_kept_edits_are_frozen_too(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        stage.edit(ada.hub, jobtitle="Chief")
        assert stage.rollback(batch)["keep"] == 1
        assert frozen(stage) == {("job_title", "hubspot")}
        quiet_cycles(stage)
        assert title(stage, ada) == "Chief"

    def test_other_fields_of_the_record_go_on(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        stage.edit(ada.contact, MailingCity="Bonn")
        stage.cycle()
        assert stage.value(ada.hub, "city") == "Bonn"

    def test_freezes_are_in_the_ledger_before_the_first_write_leaves(self, stage: Stage) -> None:
        _, (batch,) = titled(stage, "CEO")
        stage.admin.fault(system="hubspot", method="POST", route="*/batch/update", action="drop_before")
        done = stage.rollback(batch)
        assert done["written"] == 0
        assert frozen(stage) == {("job_title", "hubspot")}

    def test_a_changed_rule_does_not_lift_a_freeze_but_its_plan_lists_it(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        changed = "  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}\n"
        email = "  email: {salesforce: Email, hubspot: email, wins: salesforce, clean: email}\n"
        stage.write_policies(person=person_policy(fields=email + changed))
        stage.edit(ada.contact, Title="CFO")
        quiet_cycles(stage)
        plan = stage.plan()
        assert (plan["changes"], plan["frozen_count"]) == (0, 1)
        assert stage.apply(plan)["written"] == 0
        assert title(stage, ada) == "Boss"

    def test_applying_a_plan_that_lifts_writes_what_was_frozen(self, stage: Stage) -> None:
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        stage.edit(ada.contact, Title="CFO")
        plan = stage.plan()
        assert (plan["changes"], plan["frozen_count"]) == (0, 1)
        assert stage.apply(plan, lift_freezes=True)["written"] == 1
        assert title(stage, ada) == "CFO"
        assert frozen(stage) == set()

    def test_nobody_needs_to_touch_the_record_before_a_plan_can_lift_its_freeze(self, stage: Stage) -> None:
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        plan = stage.plan()
        assert (plan["changes"], plan["frozen_count"]) == (0, 1)
        assert stage.apply(plan, lift_freezes=True)["written"] == 1
        assert title(stage, ada) == "CEO"

    def test_a_lifted_blank_is_filled_and_wipes_nothing(self, stage: Stage) -> None:
        ada = stage.pair({"MailingCity": "Bonn"}, {"city": "Berlin"})
        batch = stage.apply()["batch"]
        stage.rollback(batch)
        stage.edit(ada.contact, MailingCity=None)
        stage.apply(lift_freezes=True)
        assert stage.value(ada.hub, "city") == "Berlin"

    def test_a_create_taken_back_is_made_again_under_a_new_key_once_it_is_lifted(self, stage: Stage) -> None:
        stage.write_policies(person=CREATES)
        stage.make_contact(Email="new@acme.example")
        stage.advance(60)
        batch = stage.apply()["batch"]
        stage.advance(700)
        stage.rollback(batch)
        plan = stage.plan()
        assert (plan["changes"], plan["frozen"][0][1:]) == (0, ["create", "hubspot"])
        assert stage.apply(plan, lift_freezes=True)["written"] == 1
        (made,) = stage.ids("hubspot", "contacts")
        row = stage.emulator.world.spaces["hubspot"].table("contacts")[made]
        assert re.match(r"person-\d+-2-", str(row.values["truce_key"]))

    def test_a_freeze_by_a_person_is_not_lifted_by_a_plan(self, stage: Stage) -> None:
        ada = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
        stage.plan()
        stage.order("freeze", record=str(ada.hub), field="job_title", reason="hers")
        plan = stage.plan()
        assert (plan["changes"], plan["frozen_count"]) == (0, 0)
        assert stage.apply(plan, lift_freezes=True)["written"] == 0
        assert title(stage, ada) == "Boss"

    def test_a_plan_made_before_the_undo_does_not_write_over_it(self, stage: Stage) -> None:
        ada, (batch,) = titled(stage, "CEO")
        stage.pairs(10, {"Title": "CEO"}, {"jobtitle": "Boss"})
        stage.edit(ada.hub, jobtitle="Chief")
        plan = stage.plan()
        assert plan["changes"] == 11
        assert stage.rollback(batch)["keep"] == 1
        done = stage.apply(plan)
        assert (done["written"], done["drifted"]) == (10, 1)
        assert title(stage, ada) == "Chief"

    def test_a_proposal_made_before_the_undo_is_not_approved_over_it(self, stage: Stage) -> None:
        ada, (batch,) = titled(stage, "CEO")
        stage.edit(ada.hub, jobtitle="Chief")
        (held,) = stage.cycle()["held"]
        stage.rollback(batch)
        with pytest.raises(Exception, match="0 of 1 changes are left"):
            stage.approve(held)
        assert title(stage, ada) == "Chief"


class TestSeveralBatches:
    def test_a_later_batch_on_the_same_field_blocks_and_is_named(self, stage: Stage) -> None:
        ada, (first, second) = titled(stage, "CEO", "CFO")
        preview = stage.preview(first)
        (left,) = preview["left"]
        assert (preview["blocked"], left["fate"], left["note"]) == (1, "blocked: changed by a later batch", second)
        assert title(stage, ada) == "CFO"

    def test_both_at_once_walk_back_to_the_oldest(self, stage: Stage) -> None:
        ada, batches = titled(stage, "CEO", "CFO", "COO")
        mark = stage.mark()
        done = stage.rollback(*batches)
        assert (done["restore"], done["blocked"]) == (1, 0)
        assert title(stage, ada) == "Boss"
        assert len(stage.written(mark)) == 1

    def test_the_order_they_are_named_in_does_not_matter(self, stage: Stage) -> None:
        ada, (first, second) = titled(stage, "CEO", "CFO")
        stage.rollback(second, first)
        assert title(stage, ada) == "Boss"

    def test_only_the_newest_goes_back_one_step(self, stage: Stage) -> None:
        ada, (_, second) = titled(stage, "CEO", "CFO")
        stage.rollback(second)
        assert title(stage, ada) == "CEO"

    def test_a_persons_value_between_two_batches_is_what_comes_back(self, stage: Stage) -> None:
        ada, (first,) = titled(stage, "CEO")
        stage.edit(ada.hub, jobtitle="Chief")
        stage.advance(700)
        second = stage.apply()["batch"]
        assert title(stage, ada) == "CEO"
        stage.advance(700)
        stage.rollback(first, second)
        assert title(stage, ada) == "Chief"

    def test_undoing_newest_to_oldest_one_by_one_ends_where_both_at_once_does(self, stage: Stage) -> None:
        ada, (first, second) = titled(stage, "CEO", "CFO")
        stage.rollback(second)
        stage.rollback(first)
        assert title(stage, ada) == "Boss"


class TestAgain:
    def test_twice_is_once(self, stage: Stage) -> None:
        ada, (batch,) = titled(stage, "CEO")
        stage.rollback(batch)
        mark = stage.mark()
        again = stage.rollback(batch)
        assert (again["already"], again["batch"], again["written"]) == (1, None, 0)
        assert stage.written(mark) == []
        assert title(stage, ada) == "Boss"

    def test_an_undo_can_be_undone_and_its_freezes_go_with_it(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        undo = stage.rollback(batch)["batch"]
        stage.advance(700)
        redo = stage.rollback(undo)
        assert (redo["restore"], redo["lifted_cells"], redo["frozen_cells"]) == (1, 1, 0)
        assert title(stage, ada) == "CEO"
        assert frozen(stage) == set()
        stage.edit(ada.contact, Title="CFO")
        stage.cycle()
        assert title(stage, ada) == "CFO"

    def test_undoing_an_undo_keeps_what_a_person_did_since(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        undo = stage.rollback(batch)["batch"]
        stage.edit(ada.hub, jobtitle="Chief")
        redo = stage.rollback(undo)
        assert (redo["keep"], redo["restore"], redo["lifted_cells"]) == (1, 0, 0)
        quiet_cycles(stage)
        assert title(stage, ada) == "Chief"

    def test_undone_a_third_time_it_is_frozen_again(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        undo = stage.rollback(batch)["batch"]
        stage.advance(700)
        redo = stage.rollback(undo)["batch"]
        stage.advance(700)
        again = stage.rollback(redo)
        assert (again["restore"], again["frozen_cells"]) == (1, 1)
        assert frozen(stage) == {("job_title", "hubspot")}
        stage.edit(ada.contact, Title="CFO")
        quiet_cycles(stage)
        assert title(stage, ada) == "Boss"

    def test_what_a_person_froze_stays_frozen_through_an_undo_and_the_undo_of_it(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        stage.order("freeze", record=str(ada.hub), field="job_title", reason="hands off")
        undo = stage.rollback(batch)["batch"]
        stage.advance(700)
        stage.rollback(undo)
        standing = stage.installation.freezes.standing()
        assert {(each.system, each.reason) for each in standing} == {
            ("hubspot", "hands off"),
            ("salesforce", "hands off"),
        }
        stage.edit(ada.contact, Title="CFO")
        quiet_cycles(stage)
        assert title(stage, ada) == "CEO"

    def test_undoing_an_undo_lifts_nothing_that_a_person_froze_beside_it(self, stage: Stage) -> None:
        stage.go_live()
        ada, (batch,) = titled(stage, "CEO")
        undo = stage.rollback(batch)["batch"]
        stage.order("freeze", record=str(ada.hub), field="phone")
        stage.advance(700)
        assert stage.rollback(undo)["lifted_cells"] == 1
        assert frozen(stage) == {("phone", "hubspot"), ("phone", "salesforce")}

    def test_an_interrupted_undo_goes_on_with_the_same_command_and_writes_nothing_twice(self, stage: Stage) -> None:
        people = stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
        batch = stage.apply()["batch"]
        stage.advance(700)
        mark = stage.mark()
        stage.interrupt("rollback", batches=[batch])
        assert len(stage.written(mark)) == 1
        stage.close()
        done = stage.rollback(batch)
        assert (done["resumed"], done["written"]) == (True, 2)
        assert len({line["id"] for line in stage.written(mark)}) == len(stage.written(mark)) == 3
        assert [stage.value(ada.contact, "Phone") for ada in people] == ["1", "1", "1"]

    def test_the_order_of_the_names_does_not_matter_for_going_on(self, stage: Stage) -> None:
        stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
        first = stage.apply()["batch"]
        stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
        second = stage.apply()["batch"]
        stage.interrupt("rollback", batches=[second, first])
        assert stage.rollback(first, second)["resumed"]
        assert len(stage.installation.ledger.reversals()) == 1

    def test_another_undo_first_finishes_the_interrupted_one(self, stage: Stage) -> None:
        people = stage.pairs(3, {"Phone": "1"}, {"phone": "2"})
        batch = stage.apply()["batch"]
        mark = stage.mark()
        stage.interrupt("rollback", batches=[batch])
        assert stage.rollback(policy="person-basics")["already"] == 3
        assert {stage.value(ada.contact, "Phone") for ada in people} == {"1"}
        assert len(stage.written(mark)) == 3

    def test_an_interrupted_undo_is_finished_by_the_next_cycle(self, stage: Stage) -> None:
        people = stage.pairs(2, {"Phone": "1"}, {"phone": "2"})
        batch = stage.apply()["batch"]
        stage.interrupt("rollback", batches=[batch])
        stage.close()
        stage.cycle()
        assert [stage.value(ada.contact, "Phone") for ada in people] == ["1", "1"]

    def test_a_lost_reply_is_settled_and_not_written_again(self, stage: Stage) -> None:
        ada, (batch,) = titled(stage, "CEO")
        stage.admin.fault(system="hubspot", method="POST", route="*/batch/update", action="drop_after")
        mark = stage.mark()
        stage.rollback(batch)
        stage.advance(70)
        stage.cycle()
        assert len(stage.written(mark)) == 1
        assert title(stage, ada) == "Boss"
        assert stage.installation.ledger.entries(states=OPEN_STATES) == []

    def test_a_batch_stopped_half_way_is_undone_and_its_rest_is_never_written(self, stage: Stage) -> None:
        people = stage.pairs(30, {"Title": "CEO"}, {"jobtitle": "Boss"})
        plan = stage.plan()
        stage.interrupt("apply", plan=plan["plan"], confirm=30)
        (batch,) = (item.id for item in stage.installation.ledger.batches(states=("open",)))
        preview = stage.preview(batch)
        assert (preview["restore"], preview["unwritten"]) == (25, 5)
        stage.rollback(batch)
        quiet_cycles(stage)
        assert {title(stage, ada) for ada in people} == {"Boss"}


class TestCreatedRecords:
    def made(self, stage: Stage) -> tuple[Ref, str]:
        """A HubSpot contact that Truce created for a Salesforce Contact, and its batch."""
        stage.write_policies(person=CREATES)
        stage.make_contact(Email="new@acme.example", Title="CEO")
        stage.advance(60)
        batch = stage.apply()["batch"]
        (made,) = stage.ids("hubspot", "contacts")
        stage.advance(700)
        return Ref("hubspot", "contacts", made), batch

    def test_untouched_it_is_removed_its_link_ends_and_it_never_comes_back(self, stage: Stage) -> None:
        made, batch = self.made(stage)
        stage.go_live()
        done = stage.rollback(batch)
        assert (done["restore"], done["written"]) == (1, 1)
        assert stage.is_deleted(made)
        assert frozen(stage) == {("create", "hubspot")}
        links = stage.installation.crosswalk.members([stage.installation.crosswalk.entity_of(made) or ""])
        assert {link.state for each in links.values() for link in each if link.ref == made} == {"undone"}
        quiet_cycles(stage)
        assert stage.ids("hubspot", "contacts") == []

    def test_our_own_tombstone_opens_no_question(self, stage: Stage) -> None:
        names = "  last_name: {salesforce: LastName, hubspot: lastname, wins: salesforce unless blank}\n"
        stage.write_policies(
            person=person_policy(create="{salesforce: {as: Contact, from: [contacts]}}", fields=FIELDS + names)
        )
        stage.make_hub(email="new@acme.example", lastname="Lovelace")
        stage.advance(200)
        batch = stage.apply()["batch"]
        stage.advance(700)
        assert stage.rollback(batch)["restore"] == 1
        assert stage.ids("salesforce", "Contact") == []
        quiet_cycles(stage)
        assert stage.installation.reviews.list() == []

    def test_edited_since_it_is_kept(self, stage: Stage) -> None:
        made, batch = self.made(stage)
        stage.edit(made, jobtitle="Chief")
        done = stage.rollback(batch)
        assert (done["keep"], done["left"][0]["note"]) == (1, "job_title")
        assert not stage.is_deleted(made)

    def test_edited_in_a_field_no_policy_names_it_is_kept(self, stage: Stage) -> None:
        made, batch = self.made(stage)
        stage.edit(made, website="https://acme.example")
        assert stage.rollback(batch)["keep"] == 1
        assert not stage.is_deleted(made)

    def test_written_by_a_later_batch_it_is_blocked_until_both_are_named(self, stage: Stage) -> None:
        made, batch = self.made(stage)
        contact = Ref("salesforce", "Contact", stage.ids("salesforce", "Contact")[0])
        stage.edit(contact, Title="CFO")
        later = stage.apply()["batch"]
        stage.advance(700)
        (left,) = stage.preview(batch)["left"]
        assert (left["fate"], left["note"]) == ("blocked: changed by a later batch", later)
        assert stage.rollback(batch, later)["restore"] == 1
        assert stage.is_deleted(made)

    def test_removed_by_a_person_it_is_already_gone(self, stage: Stage) -> None:
        made, batch = self.made(stage)
        stage.delete(made)
        done = stage.rollback(batch)
        assert (done["already"], done["written"]) == (1, 0)

    def test_removing_it_cannot_be_undone_and_that_is_said(self, stage: Stage) -> None:
        _, batch = self.made(stage)
        undo = stage.rollback(batch)["batch"]
        preview = stage.preview(undo)
        assert (preview["blocked"], preview["left"][0]["fate"]) == (1, "cannot be undone")


def test_an_unknown_batch_is_named(stage: Stage) -> None:
    with pytest.raises(NotFound, match="B-77"):
        stage.preview("B-77")
