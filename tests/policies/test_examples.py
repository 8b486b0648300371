"""The shipped policies are sound, and every example beside them comes true."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shipped_systems import SYSTEMS

from agent.decide import parse, prepare
from agent.decide.example_reading import BadExample, Example, read_example_file, read_examples
from agent.decide.examples import run
from agent.decide.policy import PolicySet

POLICIES = Path(__file__).parents[2] / "policies"
TODAY = date(2026, 11, 24)


def shipped() -> PolicySet:
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.yaml"))}
    return parse.load(sources, None, TODAY, SYSTEMS)


SHIPPED = shipped()
PREPARED = prepare(SHIPPED)
READ = {
    path: read_example_file(path.name, path.read_text(encoding="utf-8"), SYSTEMS)
    for path in sorted((POLICIES / "examples").glob("*.yaml"))
}
EXAMPLES = [
    pytest.param(example, id=f"{path.stem}: {example.name}")
    for path, (examples, _) in READ.items()
    for example in examples
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_comes_true(example: Example) -> None:
    assert [str(failure) for failure in run(example, PREPARED)] == []


def test_every_shipped_example_is_understood() -> None:
    assert [str(problem) for _, problems in READ.values() for problem in problems] == []


def test_shipped_policies_have_neither_errors_nor_warnings() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in POLICIES.glob("*.yaml")}
    assert parse.check(sources, None, TODAY, SYSTEMS) == []


def test_shipped_policies_only_propose_until_somebody_says_otherwise() -> None:
    assert {header.mode for header in SHIPPED.headers.values()} == {"ask"}


def test_every_two_sided_line_has_an_example() -> None:
    told = {
        name
        for parameter in EXAMPLES
        for part in ("outcome", "says")
        for name in (parameter.values[0].expected.get(part) or {})
    }
    written = {
        name
        for parameter in EXAMPLES
        for system in ("salesforce", "hubspot")
        if isinstance(fields := parameter.values[0].expected.get(system), dict)
        for name in fields
    }
    for rule in (rule for policy in SHIPPED.fields for rule in policy.rules if len(rule.where) > 1):
        vendor_fields = {field for by_type in rule.where.values() for field in by_type.values()}
        assert rule.name in told or vendor_fields & written, f"no example tells what {rule.name} does"


def example(given: dict[str, Any], expected: dict[str, Any]) -> Example:
    return read_examples([{"example": "this one", "given": given, "expected": expected}], SYSTEMS)[0]


GIVEN = {
    "salesforce": {"Contact": {"Title": "CEO"}},
    "hubspot": {"contacts": {"jobtitle": "mgr"}},
    "settled": {"job_title": "mgr"},
}


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({}, "hubspot jobtitle should stay, but becomes “CEO”"),
        ({"hubspot": {"jobtitle": "Boss"}}, "should become “Boss”, but becomes “CEO”"),
        (
            {"hubspot": {"jobtitle": "CEO"}, "salesforce": {"Title": "x"}},
            "salesforce Title should become “x”, but it is left",
        ),
        (
            {"hubspot": {"jobtitle": "CEO"}, "outcome": {"job_title": "equal"}},
            "job_title should be “equal”, but is write",
        ),
        (
            {"hubspot": {"jobtitle": "CEO"}, "asks": ["job_title"]},
            "should be asked about job_title, but is about nothing",
        ),
        ({"hubspot": {"jobtitle": "CEO"}, "says": {"job_title": "HubSpot wins"}}, "should say “HubSpot wins”"),
        ({"hubspot": {"jobtitle": "CEO"}, "waits_as": "blank"}, "it should wait as blank, but means different"),
        ({"hubspot": {"jobtitle": "CEO"}, "create": {"hubspot": "contacts"}}, "but creates nothing"),
    ],
)
def test_an_example_that_does_not_come_true_says_how(expected: dict[str, Any], words: str) -> None:
    (failure,) = run(example(GIVEN, expected), PREPARED)
    assert words in str(failure)
    assert str(failure).startswith("this one: ")


def test_a_duplicate_example_that_does_not_come_true_says_how() -> None:
    two = {"salesforce": {"Contact": [{"Email": "a@acme.com"}, {"Email": "a@acme.com"}]}}
    (failure,) = run(example(two, {"duplicate": "no"}), PREPARED)
    assert "expected duplicate: no, but it is certain (certain: email is same)" in str(failure)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"example": "x"}, "a list"),
        ([{"given": {}, "expected": {}}], "begins with"),
        ([{"example": "x", "given": {}, "expected": {}}], "no record is given"),
        ([{"example": "x", "given": {"salesforce": {"Contact": {}}}}], "“given” and “expected”"),
        ([{"example": "x", "given": {"pipedrive": {}}, "expected": {}}], "unknown pipedrive"),
        ([{"example": "x", "given": {"salesforce": {"Contact": 5}}, "expected": {}}], "needs fields"),
        ([{"example": "x", "given": {"salesforce": {"Contact": {}}}, "expected": {"outcome": []}}], "write outcome as"),
        ([{"example": "x", "given": GIVEN, "expected": {}, "because": 1}], "unknown because"),
        ([{"example": "x", "given": {"salesforce": {"Contact": []}}, "expected": {}}], "needs fields"),
        ([{"example": "x", "given": {**GIVEN, "hidden": {"hubspot": 5}}, "expected": {}}], "write hidden as"),
        ([{"example": "x", "given": {**GIVEN, "flags": ["shy"]}, "expected": {}}], "write flags as"),
        ([{"example": "x", "given": {**GIVEN, "owners": {"hubspot": "kim"}}, "expected": {}}], "write owners as"),
        ([{"example": "x", "given": {**GIVEN, "now": "soon"}, "expected": {}}], "write now as"),
        ([{"example": "x", "given": GIVEN, "expected": {"hubspot": "CEO"}}], "write hubspot under expected"),
        ([{"example": "x", "given": GIVEN, "expected": {"outcome": {"job_title": "same"}}}], "write outcome as"),
        ([{"example": "x", "given": GIVEN, "expected": {"waits_as": "change"}}], "write waits_as as"),
        ([{"example": "x", "given": GIVEN, "expected": {"duplicate": "maybe"}}], "write duplicate as"),
    ],
)
def test_a_bad_example_is_refused_with_its_name(document: Any, words: str) -> None:
    with pytest.raises(BadExample, match=words):
        read_examples(document, SYSTEMS)


def test_an_example_about_something_no_policy_knows_is_refused() -> None:
    with pytest.raises(BadExample, match="no policy is about Task"):
        run(example({"salesforce": {"Task": {"Subject": "x"}}}, {}), PREPARED)


@pytest.mark.parametrize(
    ("given", "expected", "words"),
    [
        ({"hubspot": {"contacts": {"jobtitel": "x"}}}, {}, "`jobtitel` is not a field of HubSpot contacts"),
        (GIVEN, {"hubspot": {"titel": "x"}}, "`titel` is not a field of HubSpot"),
        (GIVEN, {"outcome": {"jobtitle": "equal"}}, "Did you mean `job_title`"),
        ({**GIVEN, "settled": {"titles": "mgr"}}, {}, "`titles` is not a line about person"),
        ({**GIVEN, "undone": {"hubspot": ["titles"]}}, {}, "`titles` is not a line about person"),
        ({**GIVEN, "hidden": {"hubspot": ["titel"]}}, {}, "`titel` is not a field of HubSpot contacts"),
    ],
)
def test_a_misspelled_name_is_refused_and_not_taken_for_a_blank(
    given: dict[str, Any], expected: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadExample, match=words):
        run(example(given, expected), PREPARED)


def test_a_mistake_in_a_file_of_examples_is_told_with_its_place() -> None:
    text = "- example: one\n  given: {salesforce: {Contact: {Title: CEO}}}\n  expected: {}\n\n- example: two\n"
    (right,), (problem,) = read_example_file("titles.yaml", text, SYSTEMS)
    assert (str(right.place), right.lines[0]) == ("titles.yaml:1", "- example: one")
    assert str(problem) == "titles.yaml:5:3: two: it needs “given” and “expected”"


@pytest.mark.parametrize("text", ["example: x", "- [", "- example: x\n  given: *a\n", "5", "- 5"])
def test_what_is_no_file_of_examples_is_a_problem_and_no_traceback(text: str) -> None:
    examples, problems = read_example_file("titles.yaml", text, SYSTEMS)
    assert (examples, bool(problems)) == ([], True)
