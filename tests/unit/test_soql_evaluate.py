"""A query over a world, against the same question asked in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.emulator.clock import Clock
from connectors.emulator.salesforce.desk import Desk
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.querying import View
from connectors.emulator.salesforce.soql.aggregate import aggregated
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.salesforce.soql.parser import parse
from connectors.emulator.salesforce.soql.paths import Scope
from connectors.emulator.salesforce.soql.shape import records
from connectors.emulator.world import Actor, World

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE: list[dict[str, Any]] = [
    {"LastName": "Ada", "Title": "CTO", "Email": "ada@example.com", "HasOptedOutOfEmail": True},
    {"LastName": "bob", "Title": "cto", "Email": "bob@example.com"},
    {"LastName": "Cid", "Title": "Sales", "Email": None},
    {"LastName": "Dan", "Title": None, "Email": "ada@example.com"},
    {"LastName": "Eve", "Title": "VP", "Email": "eve@example.com"},
]
OPERATORS = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


@pytest.fixture(scope="module")
def view() -> View:
    world = World(Clock(NOW))
    desk = Desk(world)
    desk.provision({"client_id": "c", "client_secret": "s", "domain": "practice.my"})
    stamped = [
        {**person, "_modified_at": NOW - timedelta(hours=number), "_created_at": NOW - timedelta(days=number)}
        for number, person in enumerate(PEOPLE)
    ]
    desk.seed_many("Contact", stamped, actor=Actor("seed", "system"))
    org = Org(world)
    return View(org, org.user_id("integration"), with_deleted=False)


def last_names(view: View, condition: str) -> list[str]:
    found = records(Scope.of(view, parse(f"SELECT LastName FROM Contact WHERE {condition} ORDER BY Id")), "/x")
    return [record["LastName"] for record in found]


def folded(person: dict[str, Any], name: str) -> Any:
    value = person.get(name)
    return value.lower() if isinstance(value, str) else value


texts = st.sampled_from(["CTO", "cto", "Sales", "VP", "a", "zzz", "ada@example.com"])
fields = st.sampled_from(["LastName", "Title", "Email"])


@given(fields, st.sampled_from(sorted(OPERATORS)), texts)
def test_comparisons_mind_no_case_and_blanks_are_only_unequal(view: View, field: str, operator: str, text: str) -> None:
    def holds(person: dict[str, Any]) -> bool:
        value = folded(person, field)
        if value is None:
            return operator == "!="
        return bool(OPERATORS[operator](value, text.lower()))

    expected = [person["LastName"] for person in PEOPLE if holds(person)]
    assert last_names(view, f"{field} {operator} '{text}'") == expected


@given(fields, st.lists(texts, min_size=1, max_size=4), st.booleans())
def test_lists_agree_with_an_index_or_without(view: View, field: str, wanted: list[str], inside: bool) -> None:
    listed = ", ".join(f"'{text}'" for text in wanted)
    lowered = {text.lower() for text in wanted}
    expected = [person["LastName"] for person in PEOPLE if (folded(person, field) in lowered) is inside]
    assert last_names(view, f"{field} {'IN' if inside else 'NOT IN'} ({listed})") == expected


@given(fields, texts, fields, texts)
def test_junctions_and_negations_are_those_of_logic(view: View, one: str, text: str, other: str, more: str) -> None:
    first, second = f"{one} = '{text}'", f"{other} = '{more}'"
    everybody = set(last_names(view, "LastName != null"))
    left, right = set(last_names(view, first)), set(last_names(view, second))
    assert set(last_names(view, f"{first} AND {second}")) == left & right
    assert set(last_names(view, f"{first} OR {second}")) == left | right
    assert set(last_names(view, f"NOT ({first} OR {second})")) == everybody - left - right


@given(st.integers(-5, 30), st.integers(-5, 30))
def test_a_window_of_stamps_is_half_open(view: View, since: int, until: int) -> None:
    moments = [(NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (since, until)]
    expected = [person["LastName"] for number, person in enumerate(PEOPLE) if until < number <= since]
    assert last_names(view, f"SystemModstamp >= {moments[0]} AND SystemModstamp < {moments[1]}") == expected


@pytest.mark.parametrize(
    ("pattern", "found"), [("c_o", ["Ada", "bob"]), ("%s%", ["Cid"]), ("", []), ("%", ["Ada", "bob", "Cid", "Eve"])]
)
def test_patterns_match_filled_values_only(view: View, pattern: str, found: list[str]) -> None:
    assert last_names(view, f"Title LIKE '{pattern}'") == found


def test_a_path_may_name_the_object_or_its_alias(view: View) -> None:
    for soql in ("SELECT Contact.LastName FROM Contact", "SELECT c.LastName FROM Contact c WHERE c.Title = 'VP'"):
        assert records(Scope.of(view, parse(soql)), "/x")[-1]["LastName"] == "Eve"


def test_a_path_through_too_many_parents_is_refused(view: View) -> None:
    path = "ReportsTo." * 6 + "Name"
    with pytest.raises(SoqlError, match="5 levels"):
        records(Scope.of(view, parse(f"SELECT {path} FROM Contact")), "/x")


def test_two_paths_through_one_parent_are_one_object(view: View) -> None:
    [found] = records(Scope.of(view, parse("SELECT Owner.Alias, Id, Owner.Email FROM Contact LIMIT 1")), "/x")
    assert list(found) == ["attributes", "Owner", "Id"]
    assert list(found["Owner"]) == ["attributes", "Alias", "Email"]


def answers(view: View, soql: str) -> list[dict[str, object]]:
    return aggregated(Scope.of(view, parse(soql)))


def test_groups_are_ordered_cut_and_counted(view: View) -> None:
    soql = "SELECT Title, COUNT(Id) n, COUNT_DISTINCT(Email) FROM Contact GROUP BY Title ORDER BY n DESC, Title"
    found = [(row["Title"], row["n"], row["expr0"]) for row in answers(view, soql)]
    assert found == [("CTO", 2, 2), (None, 1, 1), ("Sales", 1, 0), ("VP", 1, 1)]
    assert [row["Title"] for row in answers(view, f"{soql} LIMIT 2 OFFSET 1")] == [None, "Sales"]


def test_extremes_are_shown_as_stored_and_of_nothing_there_is_none(view: View) -> None:
    [row] = answers(view, "SELECT MIN(Title), MAX(CreatedDate) latest, MAX(Email) FROM Contact WHERE Title != 'VP'")
    assert row["expr0"] == "CTO"
    assert row["latest"] == "2026-11-24T12:00:00.000+0000"
    [empty] = answers(view, "SELECT COUNT(Id), MAX(Title), MIN(Email) FROM Contact WHERE LastName = 'x'")
    assert (empty["expr0"], empty["expr1"], empty["expr2"]) == (0, None, None)


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Title, Email FROM Contact GROUP BY Title",
        "SELECT SUM(Title) FROM Contact",
        "SELECT Title, (SELECT Id FROM Tasks) FROM Contact GROUP BY Title",
        "SELECT Title FROM Contact GROUP BY Title HAVING Email = 'x'",
        "SELECT Title FROM Contact GROUP BY Title HAVING Title IN (SELECT Title FROM Contact)",
        "SELECT Title FROM Contact GROUP BY Title ORDER BY Email",
    ],
)
def test_what_is_neither_grouped_nor_aggregated_is_refused(view: View, soql: str) -> None:
    with pytest.raises(SoqlError) as caught:
        answers(view, soql)
    assert caught.value.code == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    "condition",
    [
        "COUNT(Id) > 1",
        "Id IN (SELECT Id, AccountId FROM Contact)",
        "LastName = TODAY",
        "LastName = 2026-11-24T00:00:00Z",
        "CreatedDate = 5",
    ],
)
def test_conditions_of_the_wrong_kind_are_refused(view: View, condition: str) -> None:
    with pytest.raises(SoqlError):
        last_names(view, condition)


def test_spans_stand_in_lists_too(view: View) -> None:
    assert last_names(view, "CreatedDate IN (TODAY, YESTERDAY)") == ["Ada", "bob"]
    assert last_names(view, "CreatedDate NOT IN (TODAY, YESTERDAY)") == ["Cid", "Dan", "Eve"]
    assert last_names(view, "CreatedDate <= N_DAYS_AGO:3 AND Birthdate = null") == ["Dan", "Eve"]
    assert last_names(view, "LastName > null") == []


def test_an_ungrouped_query_cannot_be_ordered_by_an_aggregate(view: View) -> None:
    with pytest.raises(SoqlError, match="grouped or aggregated"):
        records(Scope.of(view, parse("SELECT Id FROM Contact ORDER BY COUNT(Id)")), "/x")
