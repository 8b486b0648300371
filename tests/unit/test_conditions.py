"""What each operator means, line by line; blanks above all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from policy_texts import NAMES, condition

from agent.decide.conditions import AllOf, Leaf, compile_conditions, explain, holds

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)  # a Tuesday


def is_met(line: str, previous: dict[str, object] | None = None, **values: object) -> bool:
    """Both ways of evaluating, which must agree."""
    tree = condition(line)
    walked = holds(tree, values, NOW, previous)
    assert (compile_conditions({"it": tree})(values, NOW, previous) == {"it"}) is walked
    return walked


@pytest.mark.parametrize(
    "line", ["title is VP Sales", "title is vp sales", 'title is "VP Sales"', "title is  VP   Sales"]
)
def test_text_is_compared_without_case_and_the_value_is_the_rest_of_the_line(line: str) -> None:
    assert is_met(line, title="Vp sales")
    assert not is_met(line, title="VP")


def test_a_value_is_compared_in_its_cleaned_form() -> None:
    assert is_met("country is Germany", country="DE")
    assert is_met("country is one of: [Austria, Switzerland]", country="CH")


@pytest.mark.parametrize(
    "line",
    [
        "title is VP",
        "title is not VP",
        "title is one of: [VP, CEO]",
        "title is not one of: [VP, CEO]",
        "title contains v",
        "title starts with v",
        "title changed",
        "score >= 60",
        "score < 60",
        "score != 60",
        "score crossed 60",
        "renewal more than 14 days ago",
        "renewal < 2027-01-01",
        "lifecycle is at least MQL",
        "not: [title is VP]",
        "not: [score >= 60]",
        "not: [not: [title is VP]]",
        "title is filled",
    ],
)
@pytest.mark.parametrize("blank", [None, ""])
def test_a_blank_matches_only_is_blank(line: str, blank: str | None) -> None:
    names = ("title", "score", "renewal", "lifecycle")
    before: dict[str, object] = {"title": "x", "score": 1}
    assert not is_met(line, before, **dict.fromkeys(names, blank))


def test_a_negative_matches_a_blank_when_the_line_says_so() -> None:
    assert is_met("title is not VP or blank", title=None)
    assert is_met("title is not VP or blank", title="CEO")
    assert not is_met("title is not VP or blank", title="VP")
    assert is_met("score < 60 or blank", score="")


def test_is_blank_and_is_filled_look_at_blankness() -> None:
    assert is_met("title is blank", title="")
    assert is_met("title is not blank", title="x")
    assert not is_met("title is blank", title="x")
    assert is_met("not: [title is filled]", title=None)
    assert is_met("opted_out is filled", opted_out=False)


@pytest.mark.parametrize("line", ["title is blank", "title is filled", "not: [title is filled]", "title is x or blank"])
def test_an_invisible_value_is_no_blank(line: str) -> None:
    assert not is_met(line, score=1)


def test_not_is_decided_by_what_is_known() -> None:
    line = "not: [country is DE, score >= 60]"
    assert is_met(line, country="FR", score=None)
    assert not is_met(line, country="DE", score=None)


def test_any_holds_in_spite_of_a_blank() -> None:
    assert is_met("any: [title is VP, score >= 60]", title=None, score="75")


@pytest.mark.parametrize(
    ("line", "score", "expected"),
    [
        ("score = 60", "60.0", True),
        ("score is 60", 60, True),
        ("score is not 60", 61.5, True),
        ("score != 60", "60", False),
        ("score at least 60", "60", True),
        ("score at most 60", "60.5", False),
        ("score > -1", 0, True),
        ("score>=60", "61", True),
        ("score >= 60", "many", False),
        ("score < 60", "many", False),
        ("score != 60", "many", False),
        ("score >= 1", True, True),
        ("score >= 60", "1_000", False),
        ("score >= 60", "inf", False),
    ],
)
def test_numbers(line: str, score: object, expected: bool) -> None:
    assert is_met(line, score=score) is expected


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("opted_out is yes", True, True),
        ("opted_out is yes", "true", True),
        ("opted_out is no", False, True),
        ("opted_out is no", "false", True),
        ("opted_out is true", False, False),
        ("opted_out is not yes", False, True),
    ],
)
def test_yes_and_no(line: str, value: object, expected: bool) -> None:
    assert is_met(line, opted_out=value) is expected


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("renewal more than 14 days ago", "2026-11-09", True),
        ("renewal more than 14 days ago", "2026-11-10", False),
        ("renewal more than 14 days ago", "2026-11-10T09:59:59Z", True),
        ("renewal more than 14 days ago", "2026-11-10T10:00:00.000+0000", False),
        ("renewal less than 14 days ago", "2026-11-11", True),
        ("renewal less than 14 days ago", "2026-11-10", False),
        ("renewal less than 14 days ago", "2026-11-25", False),
        ("renewal within 7 days", "2026-12-01", True),
        ("renewal within 7 days", "2026-11-17", True),
        ("renewal within 7 days", "2026-12-02", False),
        ("renewal within the last 7 days", "2026-11-17", True),
        ("renewal within the last 7 days", "2026-11-25", False),
        ("renewal within next 7 days", "2026-11-25", True),
        ("renewal within the next 7 days", "2026-11-23", False),
        ("renewal within 3 working days", "2026-11-27", True),
        ("renewal within 3 working days", "2026-11-28", False),
        ("renewal within 3 working days", "2026-11-19", True),
        ("renewal within 3 working days", "2026-11-18", False),
        ("renewal more than 2 hours ago", "2026-11-24T07:59:00Z", True),
        ("renewal more than 1 month ago", "2026-10-23", True),
        ("renewal more than 1 month ago", "2026-10-24", False),
        ("renewal more than 14 days ago", "1762732800000", True),
        ("renewal more than 14 days ago", "soon", False),
        ("not: [renewal more than 14 days ago]", "soon", False),
        ("renewal >= 2026-12-01", "2026-12-01", True),
        ("renewal > 2026-12-01", "2026-12-01T23:59:59Z", False),
        ("renewal is 2026-12-01", "2026-12-01T23:59:59Z", True),
        ("renewal is not 2026-12-01", "2026-12-02", True),
        ("renewal < 2026-12-01", "2026-11-30T23:59:59Z", True),
        ("renewal <= 2026-12-01", "2026-12-01", True),
    ],
)
def test_dates_and_durations(line: str, value: str, expected: bool) -> None:
    assert is_met(line, renewal=value) is expected


@pytest.mark.parametrize(
    ("line", "stage", "expected"),
    [
        ("lifecycle is at least MQL", "Opportunity", True),
        ("stage at least MQL", "mql", True),
        ("lifecycle at least MQL", "Lead", False),
        ("lifecycle < Customer", "Opportunity", True),
        ("lifecycle is MQL", "MQL", True),
        ("lifecycle is one of: [MQL, Lead]", "Lead", True),
        ("lifecycle at least MQL", "Evangelist", False),
        ("not: [lifecycle at least MQL]", "Evangelist", False),
    ],
)
def test_stages_are_ordered_by_the_funnel(line: str, stage: str, expected: bool) -> None:
    assert is_met(line, lifecycle=stage) is expected


@pytest.mark.parametrize(
    ("line", "before", "now", "expected"),
    [
        ("score crossed 60", 59, 60, True),
        ("score crossed 60", 60, 70, False),
        ("score crossed 60", 70, 50, False),
        ("score crossed 60", None, 70, True),
        ("score crossed 60", "unclear", 70, False),
        ("score changed", 59, 60, True),
        ("score changed", "60", 60, False),
        ("score changed", None, 60, True),
        ("score changed", 60, None, False),
        ("score was 59", 59, 60, True),
        ("score was blank", None, 60, True),
        ("score was blank", "x", 60, False),
        ("not: [score was 59]", None, 60, False),
        ("not: [score changed]", 60, 60, True),
        ("not: [score crossed 60]", 61, 62, True),
    ],
)
def test_crossed_changed_and_was_look_back(line: str, before: object, now: object, expected: bool) -> None:
    assert is_met(line, {"score": before}, score=now) is expected


@pytest.mark.parametrize("line", ["score crossed 60", "score changed", "score was blank", "not: [score changed]"])
def test_without_a_value_before_nothing_is_said_of_change(line: str) -> None:
    assert not is_met(line, score=70)


def test_stages_cross_too() -> None:
    assert is_met("lifecycle crossed MQL", {"lifecycle": "Lead"}, lifecycle="Customer")
    assert not is_met("lifecycle crossed MQL", {"lifecycle": "MQL"}, lifecycle="Customer")


def test_flags_speak_of_the_whole_record() -> None:
    assert is_met("suspected duplicate", **{"suspected duplicate": True})
    assert not is_met("suspected duplicate", **{"suspected duplicate": False})
    assert is_met("not: [suspected duplicate]", title="x")


def test_contains_and_starts_with_ignore_case() -> None:
    assert is_met("title contains SALES", title="VP of Sales")
    assert is_met("title starts with vp", title="VP of Sales")
    assert not is_met("title starts with of", title="VP of Sales")
    assert is_met("not: [title contains intern]", title="VP")


def test_a_list_means_all_and_one_line_is_itself() -> None:
    assert isinstance(condition("[score >= 60, country is DE]"), AllOf)
    assert isinstance(condition("[score >= 60]"), Leaf)


def test_one_function_answers_for_every_condition() -> None:
    matched = compile_conditions(
        {"hot": condition("score >= 60"), "german": condition("country is DE"), "boss": condition("title is CEO")}
    )
    assert matched({"score": "61", "country": "DE", "title": "VP"}, NOW) == {"hot", "german"}
    assert matched({}, NOW) == frozenset()


def test_a_moment_is_taken_anew_for_every_now() -> None:
    matched = compile_conditions({"old": condition("renewal more than 14 days ago")})
    assert matched({"renewal": "2026-11-10"}, NOW) == frozenset()
    assert matched({"renewal": "2026-11-10"}, datetime(2026, 11, 25, tzinfo=UTC)) == {"old"}


def test_text_of_a_policy_never_becomes_code() -> None:
    hostile = '"""\\n__import__("os").abort()  # {v0} %s'
    tree = Leaf("title", "is", hostile, condition("title is x").place, hostile)
    nasty_name = Leaf("a); breakpoint(", "contains", hostile, tree.place, "")
    matched = compile_conditions({hostile: tree, "'": nasty_name})
    assert matched({"title": hostile, "a); breakpoint(": f"x{hostile}x"}, NOW) == {hostile, "'"}


@pytest.mark.parametrize(
    ("line", "values", "sentence"),
    [
        ("[country is DE, score >= 60]", {"country": "DE", "score": 40}, "`score >= 60` is not met: score is 40"),
        ("title is VP", {"title": None}, "`title is VP` is not met: title is blank"),
        ("title is VP", {}, "`title is VP` is not met: title is not visible"),
        ("not: [title is VP]", {"title": "vp"}, '`not: title is VP` is not met: title is "vp"'),
        ("any: [title is VP, score >= 60]", {"title": "x", "score": 1}, '`title is VP` is not met: title is "x"'),
        ("suspected duplicate", {}, "`suspected duplicate` is not met"),
        ("score changed", {"score": 5}, "`score changed` is not met: score is 5, before it was not known"),
        ("title is VP", {"title": "VP"}, "every condition is met"),
    ],
)
def test_the_first_failing_line_is_named_with_the_live_value(
    line: str, values: dict[str, object], sentence: str
) -> None:
    assert explain(condition(line), values, NOW).sentence == sentence


def test_an_explanation_says_when_a_blank_was_the_reason() -> None:
    assert explain(condition("title is not VP"), {"title": ""}, NOW).is_blank
    assert not explain(condition("title is not VP"), {"title": "VP"}, NOW).is_blank
    assert not explain(condition("title is not VP"), {}, NOW).is_blank


def test_the_lines_keep_their_place_and_text() -> None:
    tree = condition("- score >= 60\n- any:\n  - country is Germany\n  - title is VP", NAMES)
    assert isinstance(tree, AllOf)
    first = tree.parts[0]
    assert isinstance(first, Leaf)
    assert (str(first.place), first.place.column, first.text) == ("person.yaml:1", 3, "score >= 60")
