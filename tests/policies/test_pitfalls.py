"""Every trap of the policy language is caught with its place and with what to write instead."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from shipped_systems import SYSTEMS

from agent.cli.display import problem_lines
from agent.decide import parse
from agent.decide.yaml_source import load_plain
from agent.errors import Problem

TABLE = Path(__file__).parent / "data" / "traps.yaml"
POLICIES = Path(__file__).parents[2] / "policies"
TODAY = date(2026, 11, 24)
SHIPPED = {path.name: path.read_text(encoding="utf-8") for path in sorted(POLICIES.glob("*.yaml"))}

PERSON = "person-basics.yaml"
LIFE = "person-lifecycle.yaml"
LIMITS = "daily-limits.yaml"


def problems(file: str, old: str, new: str) -> list[Problem]:
    """What ``truce check`` says of the shipped policies with one text replaced."""
    assert SHIPPED[file].count(old) >= 1, f"{file} has no {old}"
    return parse.check({**SHIPPED, file: SHIPPED[file].replace(old, new, 1)}, None, TODAY, SYSTEMS)


def shown(found: list[Problem]) -> str:
    return "\n".join(line for problem in found for line in problem_lines(problem))


TRAPS: list[dict[str, str]] = load_plain("traps.yaml", TABLE.read_text(encoding="utf-8"))
EACH = [pytest.param(trap, id=trap["trap"]) for trap in TRAPS]


@pytest.mark.parametrize("trap", EACH)
def test_a_trap_is_caught_with_advice(trap: dict[str, str]) -> None:
    found = problems(trap["file"], trap["old"], trap["new"])
    assert any(trap["says"] in problem.message and trap["advises"] in problem.advice for problem in found), shown(found)


@pytest.mark.parametrize("trap", EACH)
def test_a_trap_is_shown_with_its_own_line(trap: dict[str, str]) -> None:
    lines = SHIPPED[trap["file"]].replace(trap["old"], trap["new"], 1).split("\n")
    for problem in problems(trap["file"], trap["old"], trap["new"]):
        if problem.file == trap["file"]:
            assert problem.excerpt == lines[problem.line - 1]


@pytest.mark.parametrize(
    "value", ["007", "NO", "12:30", "005E0000001abcd", "1e5", "0x1F", "2026-11-24", "on", "null text"]
)
def test_a_text_stays_what_was_typed(value: str) -> None:
    old = "from: [Contact, Lead], when: [email is filled]"
    text = SHIPPED[PERSON].replace(old, f"from: [Contact, Lead], when: [source is {value}]")
    policies = parse.load({**SHIPPED, PERSON: text}, None, TODAY, SYSTEMS)
    assert policies.entity_types["person"].creates["hubspot"].when.value == value


def test_every_mistake_of_every_file_is_told_at_once() -> None:
    wrong = {
        **SHIPPED,
        PERSON: SHIPPED[PERSON].replace("wins: first value", "wins: frist value").replace("mode: ask", "mode: aks"),
        LIFE: SHIPPED[LIFE].replace("score >= 60", "scor >= 60"),
        LIMITS: SHIPPED[LIMITS].replace("percent: 5", "percent: five"),
    }
    found = parse.check(wrong, None, TODAY, SYSTEMS)
    assert {problem.file for problem in found} == {PERSON, LIFE, LIMITS}
    assert len(found) == 4
    assert found == sorted(found)


def test_a_file_that_cannot_be_read_hides_no_mistake_of_another() -> None:
    found = parse.check({**SHIPPED, PERSON: "fields: [", LIMITS: "policy: x\nkind: limitz\n"}, None, TODAY, SYSTEMS)
    assert {problem.file for problem in found} == {PERSON, LIMITS}


def test_two_policies_that_write_one_field_name_both_lines_and_the_way_out() -> None:
    second = SHIPPED[PERSON].split("fields:\n")[0]
    head = "".join(
        line + "\n"
        for line in second.splitlines()
        if not line.startswith(("defines", "records", "match", "create", "  hubspot"))
    ).replace("policy: person-basics", "policy: person-extra\nabout: person")
    text = head + "fields:\n  title: {salesforce: Title, hubspot: jobtitle, wins: hubspot}\n"
    found = parse.check({**SHIPPED, "person-extra.yaml": text}, None, TODAY, SYSTEMS)
    assert all(
        "`job_title` (person-basics.yaml:17)" in problem.message and "`title` (person-extra.yaml:" in problem.message
        for problem in found
    ), shown(found)
    assert {problem.advice.rpartition(":")[0] for problem in found} == {
        "Remove one of the two lines, or say here who goes first: `after"
    }
    ordered = text.replace("mode: ask", "after: person-basics\nmode: ask", 1)
    assert parse.check({**SHIPPED, "person-extra.yaml": ordered}, None, TODAY, SYSTEMS) == []


def test_policies_that_wait_for_each_other_are_told_with_the_circle() -> None:
    here = SHIPPED[PERSON].replace("mode: ask", "after: person-lifecycle\nmode: ask", 1)
    there = SHIPPED[LIFE].replace("mode: ask", "after: person-basics\nmode: ask", 1)
    (problem,) = parse.check({**SHIPPED, PERSON: here, LIFE: there}, None, TODAY, SYSTEMS)
    assert "wait for each other: person-basics after person-lifecycle after person-basics" in problem.message


def test_an_overdue_review_warns_and_stops_nothing() -> None:
    (problem,) = problems(PERSON, "review_by: 2027-03-01", "review_by: 2026-01-01")
    assert problem.is_warning
    assert "should have been reviewed by 2026-01-01" in problem.message
