"""Who wins a field: newest with its ``else``, and case by case; read, checked, explained and decided."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shipped_systems import SYSTEMS

from agent.decide import parse, prepare
from agent.decide.example_reading import read_examples
from agent.decide.examples import run
from agent.decide.policy_words import in_words

POLICIES = Path(__file__).parents[2] / "policies"
TODAY = date(2026, 11, 24)
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.yaml"))}
PHONE = "wins: salesforce unless blank, clean: phone US}"
CASES = (
    "wins: [{when: [country is Germany], wins: hubspot}, {when: [country is US], wins: newest, else: ask}, "
    "{otherwise: salesforce}], clean: phone US}"
)


def with_phone(wins: str) -> dict[str, str]:
    """The shipped policies where the telephone number is won otherwise."""
    text = SHIPPED["person-basics.yaml"]
    line = next(line for line in text.splitlines() if line.startswith("  phone:"))
    return {**SHIPPED, "person-basics.yaml": text.replace(line, line.replace(PHONE, wins))}


def problems(wins: str) -> list[tuple[str, str]]:
    return [(problem.message, problem.advice) for problem in parse.check(with_phone(wins), None, TODAY, SYSTEMS)]


def outcome(wins: str, given: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    prepared = prepare(parse.load(with_phone(wins), None, TODAY, SYSTEMS))
    (example,) = read_examples([{"example": "this", "given": given, "expected": expected}], SYSTEMS)
    return [str(failure) for failure in run(example, prepared)]


def pair(phone: str | None, other: str | None, **more: Any) -> dict[str, Any]:
    return {"salesforce": {"Contact": {"Phone": phone}}, "hubspot": {"contacts": {"phone": other}}, **more}


NEWEST = "wins: newest, else: ask, clean: phone US}"
OLD, MINE, YOURS = "+12025550100", "+12025550111", "+12025550122"
SETTLED = {"phone": OLD}


class TestNewest:
    def test_the_side_that_changed_alone_is_newest(self) -> None:
        expected = {"salesforce": {"Phone": YOURS}, "says": {"phone": "HubSpot has the newest phone"}}
        assert outcome(NEWEST, pair(OLD, YOURS, settled=SETTLED), expected) == []
        assert outcome(NEWEST, pair(MINE, OLD, settled=SETTLED), {"hubspot": {"phone": MINE}}) == []

    def test_the_later_of_two_edits_wins(self) -> None:
        edited = {"phone": {"salesforce": "2026-11-24 08:00", "hubspot": "2026-11-24 09:00"}}
        given = pair(MINE, YOURS, settled=SETTLED, edited=edited)
        assert outcome(NEWEST, given, {"salesforce": {"Phone": YOURS}}) == []

    def test_two_edits_whose_times_overlap_take_else(self) -> None:
        edited = {"phone": {"salesforce": "2026-11-24 09:00", "hubspot": "2026-11-24 09:00"}}
        given = pair(MINE, YOURS, settled=SETTLED, edited=edited)
        assert outcome(NEWEST, given, {"asks": ["phone"], "says": {"phone": "cannot be known"}}) == []
        fallback = NEWEST.replace("else: ask", "else: salesforce")
        assert outcome(fallback, given, {"hubspot": {"phone": MINE}}) == []

    def test_an_edit_nobody_saw_being_made_takes_else(self) -> None:
        edited = {"phone": {"hubspot": "2026-11-24 09:00"}}
        assert outcome(NEWEST, pair(MINE, YOURS, settled=SETTLED, edited=edited), {"asks": ["phone"]}) == []

    def test_a_blank_is_filled_from_either_side_and_never_overwrites(self) -> None:
        assert outcome(NEWEST, pair(None, YOURS), {"salesforce": {"Phone": YOURS}}) == []
        assert outcome(NEWEST, pair(MINE, None), {"hubspot": {"phone": MINE}}) == []
        assert outcome(NEWEST, pair(OLD, None, settled=SETTLED), {"hubspot": {"phone": OLD}}) == []

    def test_a_deliberate_clear_travels_where_the_line_says_so(self) -> None:
        clearing = NEWEST.replace("else: ask", "else: ask, may_clear: true")
        given = pair(OLD, None, settled=SETTLED)
        assert outcome(clearing, given, {"salesforce": {"Phone": None}, "waits_as": "blank"}) == []

    def test_a_difference_that_nobody_touched_stays(self) -> None:
        given = pair(MINE, YOURS, settled={"phone": {"salesforce": MINE, "hubspot": YOURS}})
        assert outcome(NEWEST, given, {"outcome": {"phone": "quiet"}}) == []

    def test_a_difference_at_the_first_look_is_left_alone(self) -> None:
        assert outcome(NEWEST, pair(MINE, YOURS), {"outcome": {"phone": "quiet"}}) == []

    def test_a_new_record_takes_the_value_along(self) -> None:
        given = {"salesforce": {"Contact": {"Phone": MINE, "Email": "ann@acme.com"}}}
        expected = {"create": {"hubspot": "contacts"}, "hubspot": {"phone": MINE, "email": "ann@acme.com"}}
        assert outcome(NEWEST, given, expected) == []


class TestCases:
    @pytest.mark.parametrize(
        ("country", "expected"),
        [
            ("Germany", {"salesforce": {"Phone": YOURS}}),
            ("France", {"hubspot": {"phone": MINE}}),
            (None, {"hubspot": {"phone": MINE}}),
            ("USA", {"asks": ["phone"]}),
        ],
    )
    def test_the_first_case_that_holds_decides(self, country: str | None, expected: dict[str, Any]) -> None:
        given = {
            "salesforce": {"Contact": {"Phone": MINE, "MailingCountry": country}},
            "hubspot": {"contacts": {"phone": YOURS, "country": country}},
            "settled": {**SETTLED, "country": country},
        }
        assert outcome(CASES, given, expected) == []

    def test_the_reason_names_who_wins_in_this_case(self) -> None:
        given = {
            "salesforce": {"Contact": {"Phone": MINE, "MailingCountry": "Germany"}},
            "hubspot": {"contacts": {"phone": YOURS, "country": "Germany"}},
            "settled": SETTLED,
        }
        expected = {"salesforce": {"Phone": YOURS}, "says": {"phone": "HubSpot wins phone"}}
        assert outcome(CASES, given, expected) == []

    def test_they_are_explained_in_words(self) -> None:
        said = " ".join(" ".join(in_words(parse.load(with_phone(CASES), None, TODAY, SYSTEMS))).split())
        assert (
            "when country is Germany: HubSpot wins; Salesforce is never copied; when country is US: the newest value "
            "wins; where nobody can tell which is newer, a person decides each difference; otherwise: Salesforce wins"
        ) in said

    def test_both_sides_count_as_written(self) -> None:
        extra = "\n  tel: {salesforce: Phone, hubspot: phone, wins: salesforce}"
        sources = with_phone(CASES)
        sources["person-basics.yaml"] += extra.lstrip("\n")
        said = [problem.message for problem in parse.check(sources, None, TODAY, SYSTEMS)]
        assert any("`Phone` of Salesforce" in text or "`phone` of HubSpot" in text for text in said)

    def test_a_changed_case_is_a_changed_meaning(self) -> None:
        meanings = {
            parse.load(with_phone(wins), None, TODAY, SYSTEMS).headers["person-basics"].meaning
            for wins in (
                CASES,
                CASES.replace("is Germany", "is Austria"),
                CASES.replace("otherwise: salesforce", "otherwise: ask"),
            )
        }
        assert len(meanings) == 3


class TestKeep:
    TEXT = SHIPPED["person-basics.yaml"].replace("losing_edit: revert", "losing_edit: keep 14 days")
    KEPT = SHIPPED | {"person-basics.yaml": TEXT}

    def outcome(self, now: str, expected: dict[str, Any]) -> list[str]:
        given = {
            "salesforce": {"Contact": {"Title": "CEO"}},
            "hubspot": {"contacts": {"jobtitle": "Boss"}},
            "settled": {"job_title": "CEO"},
            "edited": {"job_title": {"hubspot": "2026-11-01 09:00"}},
            "now": now,
        }
        prepared = prepare(parse.load(self.KEPT, None, TODAY, SYSTEMS))
        (example,) = read_examples([{"example": "this", "given": given, "expected": expected}], SYSTEMS)
        return [str(failure) for failure in run(example, prepared)]

    def test_an_edit_is_kept_until_its_time_is_over(self) -> None:
        says = {"job_title": "is kept until 2026-11-15 09:00 UTC"}
        assert self.outcome("2026-11-15 08:59", {"outcome": {"job_title": "kept"}, "says": says}) == []

    def test_then_it_is_taken_back(self) -> None:
        says = {"job_title": "is taken back"}
        assert self.outcome("2026-11-15 09:00", {"hubspot": {"jobtitle": "CEO"}, "says": says}) == []

    def test_it_is_explained_in_words(self) -> None:
        said = " ".join(" ".join(in_words(parse.load(self.KEPT, None, TODAY, SYSTEMS))).split())
        assert "stays for 14 days and is then taken back" in said

    @pytest.mark.parametrize("words", ["keep", "keep 14", "keep 14d", "keep some days", "keeps 14 days"])
    def test_what_is_no_duration_is_told(self, words: str) -> None:
        text = SHIPPED["person-basics.yaml"].replace("losing_edit: revert", f"losing_edit: {words}")
        (problem,) = parse.check({**SHIPPED, "person-basics.yaml": text}, None, TODAY, SYSTEMS)
        assert "14 days" in problem.advice


@pytest.mark.parametrize(
    ("wins", "message", "advice"),
    [
        ("wins: newest}", "does not say what holds where nobody can tell", "Add `else: ask`"),
        ("wins: newest, else: first value}", "`else` cannot be `first value`", "Allowed: salesforce"),
        ("wins: salesforce, else: ask}", "`else` belongs to `newest`, not to `salesforce`", "Remove it"),
        ("wins: oldest}", "`wins` cannot be `oldest`", "Use `first value`"),
        ("wins: {when: score > 1}}", "one word or a list of cases", "`- otherwise: salesforce`"),
        ("wins: [{when: [score > 1], wins: ask}]}", "who wins where no case holds", "`- otherwise: …`"),
        (
            "wins: [{otherwise: ask}, {when: [score > 1], wins: ask}]}",
            "nothing can follow `otherwise`",
            "the last line",
        ),
        ("wins: [{wins: ask}, {otherwise: ask}]}", "a case needs `when` and `wins`", "`- {when:"),
        ("wins: [{when: [scor > 1], wins: ask}, {otherwise: ask}]}", "`scor` is not a name", "Did you mean `score`?"),
        ("wins: [{when: [score > 1], wins: opt-out}, {otherwise: ask}]}", "cannot be `opt-out`", "Allowed"),
        ("wins: [{when: [score > 1], wins: newest}, {otherwise: ask}]}", "does not say what holds", "`else: ask`"),
        ("wins: [{when: [score > 1], wins: ask, when_not: x}, {otherwise: ask}]}", "unknown key `when_not`", "`when`"),
        ("wins: [ask, {otherwise: ask}]}", "is made of `name: value` lines", "`when: …`"),
    ],
)
def test_a_mistake_behind_wins_is_told(wins: str, message: str, advice: str) -> None:
    found = problems(wins)
    assert any(message in said and advice in told for said, told in found), found
