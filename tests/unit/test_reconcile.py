"""One field on two sides: who wins, what a blank may do, and when nothing happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from deciding import NOW, rule
from hypothesis import given
from hypothesis import strategies as st
from shipped_systems import SYSTEMS

from agent.decide.policy import Cleaner, FieldRule, Winner
from agent.decide.reconcile import Outcome, reconcile
from agent.decide.values import Codec
from agent.decide.view import Base, Interval
from agent.records import FieldValue

Pair = tuple[FieldValue, FieldValue]


def settle(field_rule: FieldRule, salesforce: FieldValue, hubspot: FieldValue, base: Pair | None = None) -> Outcome:
    settled = None if base is None else Base({"salesforce": base[0], "hubspot": base[1]}, "E-1")
    return reconcile(
        field_rule,
        Codec(field_rule, SYSTEMS),
        ("salesforce", "Title", salesforce),
        ("hubspot", "jobtitle", hubspot),
        settled,
    )


def written(outcome: Outcome) -> list[tuple[str, FieldValue, str]]:
    return [(wanted.system, wanted.after, wanted.meaning) for wanted in outcome.writes]


SALESFORCE = rule("job_title")
UNLESS_BLANK = rule("job_title", unless_blank=True)
HUBSPOT = rule("job_title", "hubspot")
ASK = rule("job_title", "ask")
FIRST = rule("source", "first value")


class TestFirstMeeting:
    def test_equal_values_become_the_base_without_a_write(self) -> None:
        outcome = settle(SALESFORCE, "Manager", "Manager ")
        assert (outcome.disposition, outcome.adopt, outcome.writes) == ("equal", True, ())

    def test_a_blank_loser_is_filled(self) -> None:
        outcome = settle(SALESFORCE, "Sales Manager", None)
        assert written(outcome) == [("hubspot", "Sales Manager", "fill")]
        assert "Salesforce wins job_title and has “Sales Manager”; HubSpot was blank" in outcome.sentence

    def test_a_blank_winner_never_overwrites(self) -> None:
        outcome = settle(SALESFORCE, None, "mgr")
        assert (outcome.disposition, outcome.writes) == ("skipped", ())
        assert "blank" in outcome.sentence

    def test_a_blank_winner_is_filled_when_the_rule_says_unless_blank(self) -> None:
        assert written(settle(UNLESS_BLANK, " ", "mgr")) == [("salesforce", "mgr", "fill")]

    def test_fill_blanks_leaves_different_values_alone_and_remembers_them(self) -> None:
        outcome = settle(SALESFORCE, "Sales Manager", "mgr")
        assert (outcome.disposition, outcome.adopt, outcome.writes) == ("quiet", True, ())

    def test_winner_overwrites_at_once_when_told_so(self) -> None:
        outcome = settle(rule("job_title", first_time="winner"), "Sales Manager", "mgr")
        assert written(outcome) == [("hubspot", "Sales Manager", "different")]
        assert outcome.sentence == "Salesforce wins job_title and has “Sales Manager”; HubSpot had “mgr”"

    def test_ask_opens_a_question(self) -> None:
        outcome = settle(rule("job_title", first_time="ask"), "Sales Manager", "mgr")
        assert (outcome.disposition, outcome.review, outcome.writes) == ("ask", "conflict", ())

    def test_a_mere_spelling_is_named_as_one(self) -> None:
        outcome = settle(rule("job_title", first_time="winner"), "Sales Manager", "sales-manager")
        assert written(outcome) == [("hubspot", "Sales Manager", "spelling")]


class TestLaterOn:
    def test_nobody_changed_means_quiet_even_if_they_differ(self) -> None:
        outcome = settle(SALESFORCE, "Sales Manager", "mgr", ("Sales Manager", "mgr"))
        assert (outcome.disposition, outcome.writes) == ("quiet", ())

    def test_a_change_on_the_winning_side_travels(self) -> None:
        outcome = settle(SALESFORCE, "CEO", "mgr", ("mgr", "mgr"))
        assert written(outcome) == [("hubspot", "CEO", "different")]

    def test_when_both_changed_the_winner_leads(self) -> None:
        assert written(settle(SALESFORCE, "CEO", "CTO", ("mgr", "mgr"))) == [("hubspot", "CEO", "different")]

    def test_both_changed_to_the_same_writes_nothing_and_moves_the_base(self) -> None:
        outcome = settle(SALESFORCE, "CEO", "CEO", ("mgr", "mgr"))
        assert (outcome.disposition, outcome.adopt) == ("equal", True)

    def test_a_losing_edit_is_taken_back(self) -> None:
        outcome = settle(SALESFORCE, "CEO", "Boss", ("CEO", "CEO"))
        assert written(outcome) == [("hubspot", "CEO", "different")]
        assert "taken back" in outcome.sentence

    def test_a_losing_edit_is_reported_and_kept_when_told_so(self) -> None:
        outcome = settle(rule("job_title", losing_edit="report"), "CEO", "Boss", ("CEO", "CEO"))
        assert (outcome.disposition, outcome.adopt, outcome.writes) == ("reported", True, ())

    def test_a_losing_side_that_was_emptied_is_refilled(self) -> None:
        assert written(settle(SALESFORCE, "CEO", None, ("CEO", "CEO"))) == [("hubspot", "CEO", "fill")]

    def test_the_side_that_never_travels_does_not_fill_the_winner(self) -> None:
        outcome = settle(HUBSPOT, "CEO", None, (None, None))
        assert (outcome.disposition, outcome.writes) == ("skipped", ())

    def test_unless_blank_fills_the_winner_from_the_other_side(self) -> None:
        assert written(settle(UNLESS_BLANK, None, "CEO", (None, None))) == [("salesforce", "CEO", "fill")]

    def test_a_difference_in_spelling_under_the_cleaner_is_no_difference(self) -> None:
        phone = rule("phone", clean=Cleaner("phone", "US"))
        outcome = settle(phone, "(415) 555-0100", "+14155550100", ("415-555-0100", "+14155550100"))
        assert outcome.disposition == "equal"

    def test_a_bumped_writing_that_means_the_same_is_not_a_change(self) -> None:
        phone = rule("phone", clean=Cleaner("phone", "US"))
        outcome = settle(phone, "(415) 555-0100", "555-9999", ("415 555 0100", "555-9999"))
        assert outcome.disposition == "quiet"


class TestClearing:
    CLEARS = rule("job_title", may_clear=True)

    def test_a_deliberate_clear_travels_only_when_the_rule_may_clear(self) -> None:
        assert written(settle(self.CLEARS, None, "CEO", ("CEO", "CEO"))) == [("hubspot", None, "blank")]
        assert settle(SALESFORCE, None, "CEO", ("CEO", "CEO")).disposition == "skipped"

    def test_a_winner_that_was_always_blank_clears_nothing(self) -> None:
        assert settle(self.CLEARS, None, "CEO", (None, "mgr")).disposition == "skipped"

    def test_without_a_base_nothing_is_cleared(self) -> None:
        assert settle(self.CLEARS, None, "CEO").disposition == "skipped"

    def test_a_checkbox_is_never_cleared(self) -> None:
        checkbox = rule("vip", "hubspot", may_clear=True, type="boolean")
        assert settle(checkbox, True, None, (True, "true")).disposition == "skipped"


class TestFirstValue:
    def test_the_only_filled_side_fills_the_other(self) -> None:
        assert written(settle(FIRST, "Web", None)) == [("hubspot", "Web", "fill")]
        assert written(settle(FIRST, None, "Web")) == [("salesforce", "Web", "fill")]

    def test_a_later_edit_goes_back_to_the_first_value(self) -> None:
        assert written(settle(FIRST, "Web", "Event", ("Web", "Web"))) == [("hubspot", "Web", "different")]

    def test_two_different_first_values_are_a_question(self) -> None:
        outcome = settle(rule("source", "first value", first_time="ask"), "Web", "Event")
        assert (outcome.disposition, outcome.review) == ("ask", "conflict")
        assert settle(FIRST, "Fair", "Event", ("Web", "Event")).disposition == "ask"

    def test_a_later_edit_is_only_reported_when_told_so(self) -> None:
        report = rule("source", "first value", losing_edit="report")
        outcome = settle(report, "Web", "Event", ("Web", "Web"))
        assert (outcome.disposition, outcome.adopt) == ("reported", True)

    def test_both_sides_moved_away_both_return(self) -> None:
        outcome = settle(FIRST, "Fair", "Event", ("Web", "Web"))
        assert written(outcome) == [("salesforce", "Web", "different"), ("hubspot", "Web", "different")]


class TestAsk:
    def test_a_real_difference_is_a_question_and_nothing_is_written(self) -> None:
        outcome = settle(ASK, "CEO", "CTO", ("CEO", "CEO"))
        assert (outcome.disposition, outcome.review, outcome.writes) == ("ask", "conflict", ())

    def test_equal_meaning_is_no_question(self) -> None:
        assert settle(ASK, "CEO", "CEO").disposition == "equal"

    def test_a_settled_difference_is_not_asked_again(self) -> None:
        assert settle(ASK, "CEO", "CTO", ("CEO", "CTO")).disposition == "quiet"


class TestProtected:
    PROTECTED = rule("source", "first value", protected=True)

    def test_a_protected_value_is_filled_freely(self) -> None:
        assert written(settle(self.PROTECTED, "Web", None)) == [("hubspot", "Web", "fill")]

    def test_a_protected_value_is_replaced_only_by_a_person(self) -> None:
        outcome = settle(self.PROTECTED, "Web", "Event", ("Web", "Web"))
        assert (outcome.disposition, outcome.review, outcome.writes) == ("ask", "conflict", ())
        assert "protected" in outcome.sentence


def test_a_rule_without_a_winner_only_reads() -> None:
    assert settle(rule("score", None), "1", "2", ("1", "1")).disposition == "nothing"


texts = st.one_of(st.none(), st.sampled_from(["", "a", "A ", "b", "c"]))
rules = st.builds(
    rule,
    st.just("job_title"),
    st.sampled_from(["salesforce", "hubspot", "ask", "first value"]),
    unless_blank=st.booleans(),
    may_clear=st.booleans(),
    first_time=st.sampled_from(["fill blanks", "ask", "winner"]),
    losing_edit=st.sampled_from(["revert", "report"]),
    protected=st.booleans(),
)


@given(field_rule=rules, live=st.tuples(texts, texts), base=st.one_of(st.none(), st.tuples(texts, texts)))
def test_after_its_own_writes_or_adoption_a_field_wants_nothing_more(
    field_rule: FieldRule, live: Pair, base: Pair | None
) -> None:
    outcome = settle(field_rule, *live, base)
    after = {"salesforce": live[0], "hubspot": live[1], **{wanted.system: wanted.after for wanted in outcome.writes}}
    if not outcome.writes and not outcome.adopt:
        return
    again = settle(field_rule, after["salesforce"], after["hubspot"], (after["salesforce"], after["hubspot"]))
    assert again.writes == ()
    assert again.disposition in ("equal", "quiet")


@given(field_rule=rules, live=st.tuples(texts, texts), base=st.one_of(st.none(), st.tuples(texts, texts)))
def test_a_blank_never_overwrites_a_value_by_accident(field_rule: FieldRule, live: Pair, base: Pair | None) -> None:
    for wanted in settle(field_rule, *live, base).writes:
        if wanted.after is None:
            assert field_rule.may_clear
            assert base is not None
            assert wanted.meaning == "blank"
        assert wanted.after != wanted.before


@pytest.mark.parametrize("wins", ["salesforce", "hubspot"])
def test_the_losing_side_never_writes_the_winner(wins: str) -> None:
    for live in (("a", "b"), (None, "b"), ("a", None)):
        for base in (None, ("a", "a"), ("b", "b"), (None, None)):
            outcome = settle(rule("job_title", wins, first_time="winner"), *live, base)
            assert all(wanted.system != wins for wanted in outcome.writes)


class TestChangedLine:
    """Settled under a line that wanted something else, differing since, and edited by nobody."""

    @staticmethod
    def _outcome(line: FieldRule, salesforce: FieldValue, hubspot: FieldValue, times: Any = None) -> Outcome:
        base = Base({"salesforce": salesforce, "hubspot": hubspot}, None, "then")
        here, there = ("salesforce", "Title", salesforce), ("hubspot", "jobtitle", hubspot)
        return reconcile(line, Codec(line, SYSTEMS), here, there, base, times or {}, NOW)

    def test_the_winner_is_written_though_nobody_edited(self) -> None:
        outcome = self._outcome(rule("job_title", "hubspot", aim="now"), "CEO", "Boss")
        assert [(wanted.system, wanted.after) for wanted in outcome.writes] == [("salesforce", "Boss")]

    def test_the_same_line_stays_quiet(self) -> None:
        assert self._outcome(rule("job_title", "hubspot", aim="then"), "CEO", "Boss").disposition == "quiet"

    def test_a_line_settled_before_aims_were_kept_stays_quiet(self) -> None:
        assert self._outcome(rule("job_title", "hubspot"), "CEO", "Boss").disposition == "quiet"

    def test_a_blank_winner_clears_nothing(self) -> None:
        line = rule("job_title", "hubspot", aim="now", may_clear=True)
        assert self._outcome(line, "CEO", None).disposition == "skipped"

    def test_a_blank_winner_is_filled_where_the_other_may(self) -> None:
        outcome = self._outcome(rule("job_title", "hubspot", aim="now", unless_blank=True), "CEO", None)
        assert [(wanted.system, wanted.after) for wanted in outcome.writes] == [("hubspot", "CEO")]

    @pytest.mark.parametrize("wins", ["ask", "first value"])
    def test_where_no_side_wins_nobody_is_asked(self, wins: str) -> None:
        assert self._outcome(rule("job_title", wins, aim="now"), "CEO", "Boss").disposition == "quiet"

    def test_newest_takes_the_value_set_last_and_else_its_fallback(self) -> None:
        line = rule("job_title", "newest", aim="now", undecided=Winner("salesforce"))
        early, late = (Interval(NOW - timedelta(days=age), NOW - timedelta(days=age - 1)) for age in (9, 5))
        times = {("salesforce", "Title"): early, ("hubspot", "jobtitle"): late}
        assert [wanted.after for wanted in self._outcome(line, "CEO", "Boss", times).writes] == ["Boss"]
        assert [wanted.after for wanted in self._outcome(line, "CEO", "Boss").writes] == ["CEO"]

    def test_a_protected_value_is_asked_about(self) -> None:
        assert (
            self._outcome(rule("job_title", "hubspot", aim="now", protected=True), "CEO", "Boss").disposition == "ask"
        )
