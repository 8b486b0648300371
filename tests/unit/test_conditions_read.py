"""Condition lines as people type them: what each becomes, and the exact words when one is wrong."""

from __future__ import annotations

from datetime import date

import pytest
from policy_texts import NAMES, condition, read_condition

from agent.decide.conditions import AllOf, AnyOf, Leaf, LeafValue, Not
from agent.decide.conditions_names import Names
from agent.decide.durations import Span

ALL_NAMES = "score, country, title, tier, renewal, opted_out, lifecycle, stage"
OPERATORS = (
    "is, is not, is one of, is blank, is filled, contains, starts with, =, !=, <, <=, >, >=, at least, at most, "
    "crossed, changed, was, more than … ago, less than … ago, within …"
)
ONE_EACH = "Put each condition on its own line; a list means all of them."


@pytest.mark.parametrize(
    ("line", "operator", "value"),
    [
        ("score>=60", ">=", 60),
        ("score at least 60.5", ">=", 60.5),
        ("score is at most -3", "<=", -3),
        ("score is 60", "=", 60),
        ("score is not 60", "!=", 60),
        ("title is 007", "is", "007"),
        ("title is NO", "is", "NO"),
        ("title is 12:30", "is", "12:30"),
        ("title is Proposal/Price Quote", "is", "Proposal/Price Quote"),
        ('title is "Research and Development"', "is", "Research and Development"),
        ("title is within budget", "is", "within budget"),
        ("title is not blank", "is filled", None),
        ("title is not filled", "is blank", None),
        ("title was blank", "was", None),
        ("title was VP", "was", "VP"),
        ("country is germany", "is", "DE"),
        ("tier is GOLD", "is", "gold"),
        ("stage is mql", "is", "MQL"),
        ("renewal is 2026-12-31", "=", date(2026, 12, 31)),
        ("title > 2026-12-31", ">", date(2026, 12, 31)),
        ("renewal more than 2 weeks ago", "more than ago", Span(2, "weeks")),
        ("renewal is within the last 3 Working Days", "within last", Span(3, "working days")),
        ("renewal within 1 hour", "within", Span(1, "hours")),
        ("suspected duplicate", "holds", None),
    ],
)
def test_a_line_becomes_a_leaf(line: str, operator: str, value: LeafValue) -> None:
    leaf = condition(line)
    assert isinstance(leaf, Leaf)
    assert (leaf.operator, leaf.value) == (operator, value)


@pytest.mark.parametrize(
    ("line", "message", "advice"),
    [
        ("scroe >= 60", "`scroe` is not a name under `fields` of person",
         f"Did you mean `score`? Defined: {ALL_NAMES}."),
        ("shoe_size >= 60", "`shoe_size` is not a name under `fields` of person", f"Defined: {ALL_NAMES}."),
        ("company.industry is Retail",
         "conditions about another record (`company.industry`) are not available in this version",
         f"Use what is defined for person: {ALL_NAMES}."),
        ("deal won", "conditions about another record (`deal`) are not available in this version",
         f"Use what is defined for person: {ALL_NAMES}."),
        ("score => 60", "`=>` is not an operator", "Write `score >= …`."),
        ("title == VP", "`==` is not an operator", "Write `title is …`."),
        ("title equals VP", "`equals` is not an operator", "Write `title is …`."),
        ("title in [a]", "`in` is not an operator", "Write `title is one of …`."),
        ("score above 60", "`above` is not an operator", "Write `score > …`."),
        ("title matches VP", "`matches` is not an operator", f"Operators: {OPERATORS}."),
        ("title", "this line compares nothing", f"Operators: {OPERATORS}."),
        ("title is", "this line compares with nothing", "Write a value behind `title is`."),
        ("title is blank now", "`is blank` takes no value, but `now` follows", "Remove what follows."),
        ("title changed to VP", "`changed` takes no value, but `to VP` follows", "Remove what follows."),
        ("60", "this is not a condition", "A condition is `name operator value`: `score >= 60`."),
        ("score >= 60 and country is DE", "`and` inside one condition",
         f'{ONE_EACH} If it belongs to the value, quote the value: "60 and country is DE".'),
        ("country is DE OR AT", "`OR` inside one condition",
         "Put each alternative on its own line under `any:`, or write `country is one of: [a, b]`. "
         'If it belongs to the value, quote the value: "DE OR AT".'),
        ("title is VP, score >= 60", "two conditions on one line", ONE_EACH),
        ("country is one of DE, AT", "`is one of` needs a list", "Write `country is one of: [DE, AT]`."),
        ("score >= 1,000", "`1,000` is not a number", "Write digits only: `1000`."),
        ("score >= $500", "`$500` is not a number", "Write digits only: `500`."),
        ("score >= 20%", "`20%` is not a number", "Write the number as the field holds it: `20` or its hundredth."),
        ("title >= 007", "`007` is not a number", "A code with leading zeros is text: `title is 007`."),
        ("title = VP", "`VP` is not a number", "For text write `title is VP`."),
        ("title > VP", "`VP` is not a number", "For example `title > 60` or `title > 2027-03-01`."),
        ("score is high", "`high` is not a number", "For text write `score is high`."),
        ("country >= 5", "`>=` compares numbers, dates and stages, but `country` is text",
         "Write `country is …`, `country contains …` or `country is blank`."),
        ("opted_out > 1", "`>` compares numbers, dates and stages, but `opted_out` is yes or no",
         "Write `opted_out is yes` or `opted_out is no`."),
        ("opted_out is maybe", "`opted_out` is yes or no, not `maybe`",
         "Write `opted_out is yes` or `opted_out is no`."),
        ("score contains 6", "`contains` compares text, but `score` is a number", "Write `score >= 60`."),
        ("tier is golden", "`golden` is not a value of `tier`", "Did you mean `gold`? Allowed: gold, silver."),
        ("lifecycle is Client", "`Client` is not a stage of person", "Allowed: Lead, MQL, Opportunity, Customer."),
        ("lifecycle at least mqll", "`mqll` is not a stage of person",
         "Did you mean `MQL`? Allowed: Lead, MQL, Opportunity, Customer."),
        ("renewal >= 12/31/2026", "`12/31/2026` is not a date",
         "Write year-month-day: `renewal >= 2027-03-01`, or `renewal more than 14 days ago`."),
        ("renewal >= 2026-02-30", "`2026-02-30` is not a date",
         "Write year-month-day: `renewal >= 2027-03-01`, or `renewal more than 14 days ago`."),
        ("renewal crossed 2026-12-01", "`crossed` compares numbers and stages",
         "Write `renewal changed` or `renewal >= 2026-12-01`."),
        ("renewal more than 14d ago", "`14d` is not a duration",
         "Write it in words: 14 days, 3 working days, 2 hours, 6 weeks, 3 months."),
        ("renewal within 99999 months", "`99999 months` is not a duration",
         "Write it in words: 14 days, 3 working days, 2 hours, 6 weeks, 3 months."),
        ("renewal more than 14 days", "it is not said from when on", "Write `renewal more than 14 days ago`."),
        ("score more than 14", "a number is compared by a sign", "Write `score > 14`."),
        ("score less than 14 days ago", "a duration needs a date, but `score` is a number", "Write `score >= 60`."),
        ("score crossed 60 or blank", "`crossed` cannot be combined with `or blank`", "Write two lines under `any:`."),
        ("not: [title is VP or blank]", "`or blank` inside `not:` has no clear meaning",
         "Say what should match, without `not:`: `title is not … or blank`."),
        ("title: VP", "`title: …` is not a condition",
         "A condition has no colon: `title is VP`. If the colon belongs to the value, quote the whole line."),
        ("title is Head: Sales", "`title is Head: …` is not a condition",
         "A condition has no colon: `title is Head Sales`. If the colon belongs to the value, quote the whole line."),
        ("nto: [score > 5]", "`nto: …` is not a condition", "Only `any:`, `not:` and `… is one of:` take a list."),
        ("any of: [score > 5]", "`any of: …` is not a condition", "Did you mean `any`? Allowed: any, not."),
        ("any: score > 5", "`any:` needs a list of conditions", "Begin each line below it with `- `."),
        ("any: []", "`any:` needs a list of conditions", "Begin each line below it with `- `."),
        ("[]", "there is no condition in this list", "Write one condition per line: `- score >= 60`."),
        ("title is one of: [VP, blank]", "`blank` cannot stand in a list",
         "Write `any: [title is one of: […], title is blank]`."),
        ("title is one of: []", "`title is one of` is an empty list", "Name at least one, or remove the line."),
    ],
)  # fmt: skip
def test_a_wrong_line_says_what_to_write_instead(line: str, message: str, advice: str) -> None:
    found, problems = read_condition(line)
    assert found is None
    assert [(problem.message, problem.advice) for problem in problems] == [(message, advice)]


def test_every_wrong_line_of_a_list_is_named_with_its_place() -> None:
    found, problems = read_condition("- scroe > 5\n- title is VP\n- any:\n  - title ist VP\n  - score > x")
    assert found is None
    assert [(problem.line, problem.column, problem.excerpt) for problem in problems] == [
        (1, 3, "- scroe > 5"),
        (4, 5, "  - title ist VP"),
        (5, 5, "  - score > x"),
    ]


def test_any_all_and_not_nest() -> None:
    tree = condition(
        "- score >= 60\n- any:\n  - title is VP\n  - all: [country is DE, title is filled]\n- not: title is x"
    )
    assert isinstance(tree, AllOf)
    any_of, negated = tree.parts[1], tree.parts[2]
    assert isinstance(any_of, AnyOf)
    assert isinstance(any_of.parts[1], AllOf)
    assert isinstance(negated, Not)
    assert isinstance(negated.part, Leaf)


def test_a_list_inside_brackets_is_a_list_of_values() -> None:
    tree = condition("[country is one of: [DE, Austria], score > 5]")
    assert isinstance(tree, AllOf)
    first = tree.parts[0]
    assert isinstance(first, Leaf)
    assert (first.value, first.text) == (("DE", "AT"), "country is one of: [DE, Austria]")


def test_stages_need_a_lifecycle() -> None:
    found, problems = read_condition("lifecycle is MQL", Names("company", NAMES.fields))
    assert found is None
    assert [(problem.message, problem.advice) for problem in problems] == [
        (
            "`lifecycle` is not known: there is no lifecycle policy about company",
            "Add a policy with `kind: lifecycle` and `about: company`.",
        )
    ]


def test_a_left_hand_name_called_stage_means_itself() -> None:
    leaf = condition("stage is Won", Names("deal", {**NAMES.fields, "stage": NAMES.fields["title"]}, ("A", "B")))
    assert isinstance(leaf, Leaf)
    assert leaf.field == "stage"


def test_unknown_names_are_no_mistake_while_a_file_is_unreadable() -> None:
    assert read_condition("whatever is 5", Names("person", is_complete=False)) == (None, [])
