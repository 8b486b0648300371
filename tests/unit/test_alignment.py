"""First differences: which they are, what may be decided of them, and what a decision makes of each."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from deciding import TITLE, contact, hubspot, policy_set, rule, view

from agent.decide import prepare
from agent.decide.alignment import Difference, choices, first_differences, patterns, settle, suggested
from agent.decide.policy import FieldRule
from agent.decide.view import Frozen, OwnerMap
from agent.records import FieldValue, Owner

ANNA = "anna@example.com"
INDUSTRY = rule(
    "industry",
    salesforce="Industry",
    hubspot="industry",
    values={"retail": {"salesforce": "Retail", "hubspot": "RETAIL"}, "steel": {"salesforce": "Steel"}},
)


def differences(
    rule: FieldRule, salesforce: Mapping[str, FieldValue], hub: Mapping[str, FieldValue], **more: object
) -> list[Difference]:
    policies = prepare(policy_set(rule))
    return list(first_differences(view(contact(**salesforce), hubspot(**hub), **more), policies))


@pytest.mark.parametrize(
    ("here", "there", "pattern"),
    [
        ("CEO", None, "blank in hubspot"),
        ("", "CEO", "blank in salesforce"),
        ("CEO", "ceo!", "spelling"),
        ("CEO", "CFO", "different"),
    ],
)
def test_a_difference_has_the_pattern_a_person_would_name(here: str, there: str | None, pattern: str) -> None:
    (found,) = differences(TITLE, {"Title": here}, {"jobtitle": there})
    assert found.group == ("person-basics", "job_title", pattern)
    assert pattern in patterns(TITLE)


def test_a_word_the_value_map_lacks_is_unmapped_and_cannot_be_written() -> None:
    (found,) = differences(INDUSTRY, {"Industry": "Retail"}, {"industry": "BANKING"})
    assert found.group.pattern == "unmapped"
    assert choices(INDUSTRY, "unmapped") == ("ask", "leave")


def test_what_was_settled_is_frozen_or_hidden_is_no_first_difference() -> None:
    here, there = {"Title": "CEO"}, {"jobtitle": "CFO"}
    assert not differences(TITLE, here, there, bases={"job_title": ("CEO", "CFO")})
    frozen = Frozen("job_title", "hubspot", "rule-job_title", "undone with B-1")
    assert not differences(TITLE, here, there, frozen=(frozen,))
    assert not differences(TITLE, here, {})
    assert not differences(TITLE, here, there, flags=frozenset({"unclear"}))
    assert not differences(TITLE, here, {"jobtitle": "CEO"})


def test_a_field_that_is_only_read_is_never_aligned() -> None:
    assert not differences(rule("score", None), {"Field__c": "1"}, {"field": "2"})


@pytest.mark.parametrize(
    ("more", "pattern", "expected"),
    [
        ({"wins": "salesforce"}, "blank in hubspot", "fill"),
        ({"wins": "salesforce"}, "blank in salesforce", "leave"),
        ({"wins": "salesforce", "unless_blank": True}, "blank in salesforce", "fill"),
        ({"wins": "hubspot"}, "spelling", "hubspot"),
        ({"wins": "hubspot", "first_time": "winner"}, "different", "hubspot"),
        ({"wins": "hubspot", "first_time": "ask"}, "different", "ask"),
        ({"wins": "hubspot", "first_time": "fill blanks"}, "different", "leave"),
        ({"wins": "first value"}, "different", "leave"),
        ({"wins": "ask"}, "blank in hubspot", "ask"),
        ({"wins": "salesforce"}, "cannot fill hubspot", "leave"),
        ({"wins": "hubspot", "first_time": "winner"}, "unmapped", "ask"),
    ],
)
def test_the_suggestion_is_what_the_policy_line_says(more: dict[str, object], pattern: str, expected: str) -> None:
    line = rule("city", **more)
    assert suggested(line, pattern) == expected
    assert expected in choices(line, pattern)


def test_filling_writes_only_the_blank_side() -> None:
    (found,) = differences(TITLE, {"Title": None}, {"jobtitle": "CEO"})
    settled = settle(found, "fill", ANNA)
    assert settled.cell is not None
    assert settled.ref is not None
    assert (settled.ref.system, settled.cell.vendor_field, settled.cell.before, settled.cell.after) == (
        "salesforce",
        "Title",
        None,
        "CEO",
    )
    assert settled.cell.meaning == "fill"
    assert f"{ANNA} decided that HubSpot" in settled.cell.why.sentence


def test_a_side_decided_for_overwrites_the_other_and_says_who_decided() -> None:
    (found,) = differences(TITLE, {"Title": "CEO"}, {"jobtitle": "CFO"})
    settled = settle(found, "hubspot", ANNA)
    assert settled.cell is not None
    assert (settled.cell.before, settled.cell.after) == ("CEO", "CFO")
    assert (settled.cell.meaning, settled.cell.why.line, settled.cell.why.rule) == (
        "different",
        str(TITLE.place),
        TITLE.rule,
    )


def test_leaving_remembers_both_values_and_asking_opens_one_question_more() -> None:
    (found,) = differences(TITLE, {"Title": "CEO"}, {"jobtitle": "CFO"})
    left, asked = settle(found, "leave", ANNA), settle(found, "ask", ANNA)
    assert left.adopt == asked.adopt == {"salesforce": "CEO", "hubspot": "CFO"}
    assert left.cell is None
    assert left.question is None
    assert asked.question is not None
    assert asked.question.topic == "first difference:job_title"


def test_a_meaning_without_a_word_on_the_other_side_stays_with_its_reason() -> None:
    (found,) = differences(INDUSTRY, {"Industry": "Steel"}, {"industry": "RETAIL"})
    settled = settle(found, "salesforce", ANNA)
    assert settled.cell is None
    assert settled.adopt is None
    assert "Steel" in settled.reason


def test_a_blank_without_a_word_for_it_cannot_be_filled_and_says_why() -> None:
    (found,) = differences(INDUSTRY, {"Industry": "Steel"}, {"industry": None})
    assert found.group.pattern == "cannot fill hubspot"
    assert found.obstacle == "the value map has no word of HubSpot for “Steel”"
    assert choices(INDUSTRY, found.group.pattern) == ("ask", "leave")
    (filled,) = differences(INDUSTRY, {"Industry": "Retail"}, {"industry": None})
    assert (filled.group.pattern, filled.obstacle) == ("blank in hubspot", "")


def test_an_inactive_owner_is_nobody_on_the_other_side() -> None:
    owners = OwnerMap(
        {
            ("salesforce", "005A"): Owner("salesforce", "005A", "dana@example.com", "Dana", active=False),
            ("hubspot", "7"): Owner("hubspot", "7", "kim@example.com", "Kim", active=True),
        }
    )
    line = rule("owner", salesforce="OwnerId", hubspot="hubspot_owner_id", is_owner=True)
    (found,) = differences(line, {"OwnerId": "005A"}, {"hubspot_owner_id": "7"}, owners=owners)
    settled = settle(found, "salesforce", ANNA)
    assert settled.cell is None
    assert "inactive" in settled.reason
