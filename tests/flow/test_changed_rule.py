"""A line that wants something else is applied to what it left alone before, once its plan is applied; an undo stays."""

from __future__ import annotations

import pytest
from flow_stage import FIELDS, Pair, Stage, person_policy

TITLE = "wins: salesforce unless blank}"


def lines(title: str) -> str:
    return FIELDS.replace(TITLE, title + "}", 1)


@pytest.fixture
def left(stage: Stage) -> tuple[Stage, Pair]:
    """Different at the first look and left alone: CEO in Salesforce, Boss in HubSpot. The policy is live."""
    stage.write_policies(person=person_policy(first_time="fill blanks"))
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    stage.go_live()
    stage.agree()
    assert titles(stage, pair) == ("CEO", "Boss")
    return stage, pair


def titles(stage: Stage, pair: Pair) -> tuple[object, object]:
    return stage.value(pair.contact, "Title"), stage.value(pair.hub, "jobtitle")


def test_another_winner_is_proposed_for_what_was_left_alone_and_written_with_its_plan(left: tuple[Stage, Pair]) -> None:
    stage, pair = left
    stage.write_policies(person=person_policy(first_time="fill blanks", fields=lines("wins: hubspot")))
    assert stage.cycle()["written"] == 0
    plan = stage.plan()
    (line,) = plan["lines"]
    assert (line["field"], line["system"]) == ("job_title", "salesforce")
    assert line["example"]["because"].startswith("the line changed since both sides were last settled: HubSpot wins")
    assert titles(stage, pair) == ("CEO", "Boss")
    stage.apply(plan)
    assert titles(stage, pair) == ("Boss", "Boss")
    for _ in range(3):
        stage.advance(120)
        assert stage.cycle()["written"] == 0
    assert stage.plan()["changes"] == 0


def test_what_a_plan_could_not_write_is_written_by_the_next_cycles(left: tuple[Stage, Pair]) -> None:
    """A record that moved drops out of the plan; the whole mirror is decided again afterwards."""
    stage, _ = left
    others = stage.pairs(11, {"Title": "CEO"}, {"jobtitle": "Boss"})
    stage.cycle()
    stage.write_policies(person=person_policy(first_time="fill blanks", fields=lines("wins: hubspot")))
    plan = stage.plan()
    stage.edit(others[0].contact, Title="Chief")
    applied = stage.apply(plan)
    assert (applied["written"], applied["drifted"]) == (11, 1)
    stage.advance(700)
    stage.cycle()
    assert titles(stage, others[0]) == ("Boss", "Boss")


@pytest.mark.parametrize(
    "policy",
    [
        person_policy(first_time="ask"),
        person_policy(first_time="fill blanks", losing_edit="report"),
        "# a comment\n" + person_policy(first_time="fill blanks"),
        person_policy(first_time="fill blanks", fields=FIELDS.replace("wins: hubspot", "wins: salesforce")),
        person_policy(first_time="fill blanks", fields=lines("wins: ask")),
    ],
    ids=["first_time", "losing_edit", "comment", "another line", "nobody wins"],
)
def test_nothing_is_written_where_the_line_wants_the_same(left: tuple[Stage, Pair], policy: str) -> None:
    stage, pair = left
    stage.write_policies(person=policy)
    plan = stage.plan()
    assert (plan["changes"], plan["reviews"]) == (0, 0)
    assert titles(stage, pair) == ("CEO", "Boss")


def test_an_undo_is_not_lifted_by_a_changed_line(stage: Stage) -> None:
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    stage.go_live()
    batch = stage.apply()["batch"]
    stage.rollback(batch)
    assert titles(stage, pair) == ("CEO", "Boss")
    stage.write_policies(person=person_policy(fields=lines("wins: salesforce")))
    stage.advance(700)
    plan = stage.plan()
    assert (plan["changes"], plan["frozen_count"]) == (0, 1)
    stage.apply(plan)
    stage.cycle()
    assert titles(stage, pair) == ("CEO", "Boss")
    lifting = stage.plan()
    stage.apply(lifting, lift_freezes=True)
    assert titles(stage, pair) == ("CEO", "CEO")


def test_an_edit_that_is_kept_for_some_days_stays_when_the_line_changes(stage: Stage) -> None:
    stage.write_policies(person=person_policy(losing_edit="keep 14 days"))
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.go_live()
    stage.agree()
    stage.edit(pair.hub, jobtitle="Boss")
    stage.cycle()
    stage.write_policies(
        person=person_policy(losing_edit="keep 14 days", fields=lines("wins: salesforce unless blank, clean: name"))
    )
    assert stage.plan()["changes"] == 0
    assert titles(stage, pair) == ("CEO", "Boss")
