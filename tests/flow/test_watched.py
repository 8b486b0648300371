"""Beside another sync Truce only watches: it says what it would have done and what it would have prevented."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flow_stage import STAGES, Pair, Stage, person_policy

from agent.watch.rows import WatchedRows
from agent.watch.watched import WatchReport, watched

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
  city:      {salesforce: {Lead: City, Contact: MailingCity}, hubspot: city, wins: salesforce, may_clear: true}
  phone:     {salesforce: Phone, hubspot: phone, wins: hubspot}
  opted_out: {salesforce: HasOptedOutOfEmail, hubspot: hs_email_optout, wins: opt-out}
"""
OTHER_SYNC = {"name": "sync", "cause": "automation"}


@pytest.fixture
def beside(stage: Stage) -> Stage:
    """The other sync is at work; our policies only watch."""
    stage.write_policies(person=person_policy(mode="watch", fields=FIELDS))
    stage.go_live()
    return stage


def report(stage: Stage, policy: str | None = None) -> WatchReport:
    return watched(stage.installation, stage.clock.now() - timedelta(days=7), policy)


def ends(stage: Stage) -> dict[tuple[str, str], int]:
    """{(field, what became of it): cells}"""
    return {(each.field, each.ended): each.count for each in report(stage).done}


def look(stage: Stage) -> None:
    """A minute later."""
    stage.advance(60)
    stage.cycle()


def harms(stage: Stage) -> dict[str, int]:
    return {str(harm): count for harm, count in report(stage).harms.items()}


class TestWouldHaveDone:
    def test_a_wanted_change_is_followed_and_nothing_is_written(self, beside: Stage) -> None:
        beside.pair({"Title": "VP"})
        mark = beside.mark()
        look(beside)
        look(beside)
        assert ends(beside) == {("job_title", ""): 1}
        assert beside.written(mark) == []

    def test_what_the_other_sync_makes_too_is_parity(self, beside: Stage) -> None:
        pair = beside.pair({"Title": "VP"})
        look(beside)
        beside.edit(pair.hub, jobtitle="VP")
        look(beside)
        assert ends(beside) == {("job_title", "made"): 1}

    def test_what_it_settles_the_other_way_round_is_said(self, beside: Stage) -> None:
        pair = beside.pair({"Title": "VP"}, {"jobtitle": "Boss"})
        look(beside)
        beside.edit(pair.contact, Title="Boss")
        look(beside)
        assert ends(beside) == {("job_title", "other way"): 1}

    def test_a_blank_that_is_not_needed_any_more_is_dropped(self, beside: Stage) -> None:
        pair = beside.pair({"Title": "VP"})
        look(beside)
        beside.edit(pair.contact, Title=None)
        look(beside)
        assert set(ends(beside)) <= {("job_title", "dropped"), ("job_title", "other way")}

    def test_a_policy_that_begins_to_ask_takes_over(self, beside: Stage) -> None:
        pair = beside.pair({"Title": "VP"})
        look(beside)
        beside.write_policies(person=person_policy(mode="ask", fields=FIELDS))
        beside.edit(pair.hub, city="Paris")
        look(beside)
        assert ends(beside)[("job_title", "taken over")] == 1

    def test_the_whole_installation_may_watch(self, stage: Stage) -> None:
        stage.write_policies(person=person_policy(fields=FIELDS))
        stage.go_live()
        stage.order("mode", mode="watch")
        stage.pair({"Title": "VP"})
        look(stage)
        assert report(stage).watching == ("person-basics", "sales-team")
        assert ends(stage) == {("job_title", ""): 1}

    def test_no_value_of_a_record_is_kept_for_it(self, beside: Stage) -> None:
        beside.pair({"Title": "Secret Agent"})
        look(beside)
        rows = beside.installation.ledger.store.read_tuples("SELECT * FROM watched")
        assert len(rows) == 1
        assert "Secret" not in str(rows)

    def test_what_ended_long_ago_is_dropped(self, beside: Stage) -> None:
        first, second = beside.pair({"Title": "VP"}), beside.pair({"Title": "CEO"})
        look(beside)
        beside.edit(first.hub, jobtitle="VP")
        look(beside)
        beside.advance(200 * 86_400)
        beside.edit(second.hub, jobtitle="CEO")
        look(beside)
        assert beside.installation.ledger.store.read_tuples("SELECT COUNT(*) FROM watched") == [(1,)]
        assert WatchedRows(beside.installation.ledger).is_empty()


class TestWouldHavePrevented:
    def settled(self, stage: Stage, salesforce: dict[str, object], hubspot: dict[str, object]) -> Pair:
        pair = stage.pair(salesforce, hubspot)  # type: ignore[arg-type]
        look(stage)
        return pair

    def test_a_winning_value_overwritten_by_the_losing_sides_older_one(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Title": "VP Sales"}, {"jobtitle": "VP"})
        beside.edit(pair.contact, OTHER_SYNC, Title="VP")
        look(beside)
        (sample,) = report(beside).samples["winning value overwritten"]
        assert (sample.before, sample.after, sample.field, sample.ref) == ("VP Sales", "VP", "job_title", pair.contact)
        assert sample.policy == "person-basics"
        assert sample.line.startswith("person.yaml:")

    def test_an_edit_overwritten_later_by_a_side_that_stood_still(self, beside: Stage) -> None:
        """The usual damage: a person mends a title, and the other sync brings the old one back from a quiet record."""
        pair = self.settled(beside, {"Title": "VP"}, {"jobtitle": "VP"})
        beside.edit(pair.contact, Title="VP Sales")
        beside.advance(3_600)
        look(beside)
        assert harms(beside) == {}
        beside.edit(pair.contact, OTHER_SYNC, Title="VP")
        beside.advance(3_600)
        look(beside)
        assert harms(beside) == {"winning value overwritten": 1}
        beside.edit(pair.hub, jobtitle="Head")
        beside.advance(3_600)
        look(beside)
        assert harms(beside) == {"winning value overwritten": 1}, "whatever the quiet side does afterwards"

    def test_a_value_that_the_other_side_had_given_up_is_no_copy(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Title": "VP"}, {"jobtitle": "VP"})
        beside.edit(pair.hub, jobtitle="Head")
        beside.edit(pair.contact, Title="VP Sales")
        look(beside)
        beside.edit(pair.contact, Title="VP")
        look(beside)
        assert harms(beside) == {}

    def test_an_edit_that_then_travels_is_no_damage(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Title": "VP"}, {"jobtitle": "VP"})
        beside.edit(pair.contact, Title="CEO")
        beside.advance(10)
        beside.edit(pair.hub, OTHER_SYNC, jobtitle="CEO")
        look(beside)
        assert harms(beside) == {}

    def test_both_within_one_look_are_told_apart_by_the_vendors_stamps(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Title": "VP"}, {"jobtitle": "VP"})
        beside.edit(pair.hub, jobtitle="Boss")
        beside.advance(10)
        beside.edit(pair.contact, OTHER_SYNC, Title="Boss")
        look(beside)
        assert harms(beside) == {"winning value overwritten": 1}

    def test_a_blank_copied_over_a_value(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Phone": "+1 415 555 0100"}, {"phone": None})
        beside.edit(pair.contact, OTHER_SYNC, Phone=None)
        look(beside)
        assert harms(beside) == {"blank over a value": 1}

    def test_a_blank_that_may_travel_is_no_damage(self, beside: Stage) -> None:
        pair = self.settled(beside, {"MailingCity": None}, {"city": "Paris"})
        beside.edit(pair.hub, OTHER_SYNC, city=None)
        look(beside)
        assert harms(beside) == {}

    def test_a_field_cleared_by_a_person_on_one_side_is_no_copy(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Phone": "+1 415 555 0100"}, {"phone": "+1 415 555 0100"})
        beside.edit(pair.contact, Phone=None)
        look(beside)
        assert harms(beside) == {}

    def test_a_stage_moved_back_by_the_other_sync(self, beside: Stage) -> None:
        beside.write_policies(stages=STAGES.replace("mode: act", "mode: watch"))
        beside.go_live()
        pair = self.settled(beside, {"Customer_Stage__c": "MQL"}, {"lifecyclestage": "lead"})
        beside.edit(pair.contact, OTHER_SYNC, Customer_Stage__c="Lead")
        look(beside)
        assert harms(beside) == {"stage moved back": 1}
        assert report(beside).prevented == {("stage moved back", "person-lifecycle"): 1}

    def test_an_opt_out_lifted_because_the_other_side_had_none(self, beside: Stage) -> None:
        pair = self.settled(beside, {"HasOptedOutOfEmail": True}, {})
        beside.edit(pair.contact, OTHER_SYNC, HasOptedOutOfEmail=False)
        look(beside)
        assert harms(beside) == {"opt-out lifted": 1}

    def test_our_own_writes_and_undos_are_nobodys_damage(self, stage: Stage) -> None:
        stage.write_policies(person=person_policy(fields=FIELDS))
        stage.go_live()
        self.settled(stage, {"Title": "VP"}, {"jobtitle": "Boss"})
        batch = stage.installation.ledger.batches()[0]
        stage.rollback(batch.id)
        look(stage)
        assert harms(stage) == {}

    def test_only_of_the_policy_asked_for(self, beside: Stage) -> None:
        pair = self.settled(beside, {"Title": "VP Sales"}, {"jobtitle": "VP"})
        beside.edit(pair.contact, OTHER_SYNC, Title="VP")
        look(beside)
        assert report(beside, "sales-team").prevented == {}
        assert report(beside, "person-basics").prevented.total() == 1
