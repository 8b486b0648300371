"""SOQL beyond plain fields: parts of dates, subtotals, types, labels, scopes."""

from __future__ import annotations

from typing import Any

import pytest
from practice_org import Org, code, ids_of

from connectors.emulator.serve import Emulator


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def deal(org: Org, name: str, close: str, amount: float = 1, **values: Any) -> str:
    return org.make("Opportunity", Name=name, CloseDate=close, StageName="Prospecting", Amount=amount, **values)


def rows(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(each.values()) for each in found]


def test_deals_are_summed_by_parts_of_their_date(org: Org) -> None:
    """16"""
    deal(org, "a", "2026-01-31", 10)
    deal(org, "b", "2026-03-01", 20)
    deal(org, "c", "2027-12-31", 40)
    found = org.query(
        "SELECT CALENDAR_YEAR(CloseDate), CALENDAR_QUARTER(CloseDate) quarter, SUM(Amount) FROM Opportunity "
        "GROUP BY CALENDAR_YEAR(CloseDate), CALENDAR_QUARTER(CloseDate) ORDER BY CALENDAR_YEAR(CloseDate)"
    )
    assert found == [{"expr0": 2026, "quarter": 1, "expr1": 30.0}, {"expr0": 2027, "quarter": 4, "expr1": 40.0}]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("CALENDAR_MONTH(CloseDate) = 3", ["b"]),
        ("DAY_IN_MONTH(CloseDate) > 30", ["a"]),
        ("DAY_IN_WEEK(CloseDate) = 1", ["b"]),
        ("DAY_IN_YEAR(CloseDate) = 60", ["b"]),
        ("WEEK_IN_MONTH(CloseDate) = 1", ["b"]),
        ("WEEK_IN_YEAR(CloseDate) IN (5, 9)", ["a", "b"]),
        ("FISCAL_YEAR(CloseDate) = 2026 AND FISCAL_QUARTER(CloseDate) = 1 AND FISCAL_MONTH(CloseDate) = 1", ["a"]),
        ("HOUR_IN_DAY(CreatedDate) = 9", ["a", "b"]),
        ("HOUR_IN_DAY(convertTimezone(CreatedDate)) = 9", ["a", "b"]),
        ("DAY_ONLY(CreatedDate) = 2026-11-02", ["a", "b"]),
        ("DAY_ONLY(CreatedDate) < TODAY", []),
    ],
)
def test_conditions_on_parts_of_dates(org: Org, condition: str, found: list[str]) -> None:
    """17"""
    deal(org, "a", "2026-01-31")
    deal(org, "b", "2026-03-01")
    assert rows(org.query(f"SELECT Name FROM Opportunity WHERE {condition} ORDER BY Name")) == [
        (each,) for each in found
    ]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("THIS_FISCAL_QUARTER", ["b"]),
        ("LAST_FISCAL_YEAR", ["c"]),
        ("NEXT_N_FISCAL_QUARTERS:1", ["d"]),
        ("N_WEEKS_AGO:1", ["b"]),
        ("N_MONTHS_AGO:3", ["a"]),
        ("N_FISCAL_YEARS_AGO:1", ["c"]),
    ],
)
def test_more_words_for_spans_of_time(org: Org, word: str, found: list[str]) -> None:
    """17: it is Monday, the second of November 2026"""
    for name, close in (("a", "2026-08-15"), ("b", "2026-10-27"), ("c", "2025-06-01"), ("d", "2027-02-01")):
        deal(org, name, close)
    assert rows(org.query(f"SELECT Name FROM Opportunity WHERE CloseDate = {word}")) == [(each,) for each in found]


def test_subtotals_by_rollup_and_cube(org: Org) -> None:
    """16"""
    for source, title in (("Web", "CTO"), ("Web", "CEO"), ("Other", "CTO")):
        org.make(LeadSource=source, Title=title)
    select = "SELECT LeadSource, Title, COUNT(Id), GROUPING(LeadSource) g FROM Contact GROUP BY"
    rolled = rows(org.query(f"{select} ROLLUP(LeadSource, Title)"))
    assert sorted(rolled, key=str) == sorted(
        [
            ("Web", "CTO", 1, 0),
            ("Web", "CEO", 1, 0),
            ("Other", "CTO", 1, 0),
            ("Web", None, 2, 0),
            ("Other", None, 1, 0),
            (None, None, 3, 1),
        ],
        key=str,
    )
    cube = rows(org.query(f"{select} CUBE(LeadSource, Title)"))
    assert len(cube) == len(rolled) + 2
    assert (None, "CTO", 2, 1) in cube


def test_what_is_shown_may_depend_on_the_type(org: Org) -> None:
    """15: TYPEOF"""
    account = org.make("Account", Name="Engines", Phone="1")
    won = deal(org, "Deal", "2026-12-01", 5)
    for what in (account, won, None):
        org.make("Task", Subject="Call", WhatId=what)
    soql = "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Id END FROM Task"
    parents = [each["What"] for each in org.query(f"{soql} ORDER BY Id")]
    assert {name: value for name, value in parents[0].items() if name != "attributes"} == {
        "Phone": "1",
        "Name": "Engines",
    }
    assert (parents[0]["attributes"]["type"], parents[1]["Amount"], parents[2]) == ("Account", 5.0, None)
    bare = org.query("SELECT TYPEOF What WHEN Opportunity THEN Amount END FROM Task ORDER BY Id")[0]["What"]
    assert list(bare) == ["attributes"]


def test_labels_and_formatted_values_can_be_asked_for(org: Org) -> None:
    """14"""
    deal(org, "Deal", "2026-12-01", 1234.5)
    select = "SELECT toLabel(StageName), FORMAT(Amount) amount, FORMAT(CloseDate) day, convertCurrency(Amount)"
    [found] = org.query(f"{select} FROM Opportunity")
    assert found == {"StageName": "Prospecting", "amount": "$1,234.50", "day": "12/1/2026", "Amount": 1234.5}


def test_a_query_may_keep_to_one_s_own_records(org: Org) -> None:
    """16"""
    mine = org.make()
    org.make(OwnerId=org.setting("users")["ben"])
    assert ids_of(org.query("SELECT Id FROM Contact USING SCOPE mine")) == [mine]
    assert len(org.query("SELECT Id FROM Contact USING SCOPE everything")) == 2


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT CALENDAR_YEAR(Name) FROM Opportunity GROUP BY CALENDAR_YEAR(Name)",
        "SELECT HOUR_IN_DAY(CloseDate) FROM Opportunity GROUP BY HOUR_IN_DAY(CloseDate)",
        "SELECT CALENDAR_YEAR(CloseDate) FROM Opportunity",
        "SELECT toLabel(Amount) FROM Opportunity",
        "SELECT GROUPING(Name) FROM Opportunity GROUP BY ROLLUP(StageName)",
        "SELECT Id FROM Opportunity FOR UPDATE",
        "SELECT COUNT(Id) FROM Opportunity GROUP BY COUNT(Id)",
    ],
)
def test_functions_in_the_wrong_place_are_malformed(org: Org, soql: str) -> None:
    """20"""
    assert code(org.query, soql) == (400, "MALFORMED_QUERY")


def test_a_query_may_say_what_it_is_for(org: Org) -> None:
    """16: FOR VIEW and FOR REFERENCE change nothing here"""
    contact = org.make()
    assert ids_of(org.query("SELECT Id FROM Contact FOR VIEW")) == [contact]
    assert ids_of(org.query("SELECT Id FROM Contact FOR REFERENCE")) == [contact]


# SOSL ----------------------------------------------------------------------------------------------------------------


def names(found: Any) -> list[str]:
    return sorted(each["LastName"] for each in found["searchRecords"])


def test_a_search_finds_words_in_any_case_and_field(org: Org) -> None:
    """65: SOSL through the library"""
    org.make(LastName="Lovelace", Email="ada@example.com", Title="Countess of Lovelace")
    org.make(LastName="Byron", Email="byron@example.org", Phone="555 1234")
    org.make("Account", Name="Lovelace Engines")
    found = org.sf.quick_search("lovelace")["searchRecords"]
    assert [each["attributes"]["type"] for each in found] == ["Account", "Contact"]
    sosl = "FIND {%s} IN %s FIELDS RETURNING Contact(LastName)"
    assert names(org.sf.search(sosl % ("example", "ALL"))) == ["Byron", "Lovelace"]
    assert names(org.sf.search(sosl % ("ada@example.com", "EMAIL"))) == ["Lovelace"]
    assert names(org.sf.search(sosl % ("count*", "ALL"))) == ["Lovelace"]
    assert names(org.sf.search(sosl % ("count*", "NAME"))) == []
    assert names(org.sf.search(sosl % ("1234", "PHONE"))) == ["Byron"]


def test_a_search_may_narrow_what_it_returns(org: Org) -> None:
    """65"""
    for title in ("a", "b", "c"):
        org.make(LastName=f"Lovelace-{title}", Title=title)
    inside = "Contact(Id, LastName WHERE Title != 'a' ORDER BY LastName DESC LIMIT 1), Lead"
    assert names(org.sf.search(f"FIND {{lovelace}} RETURNING {inside}")) == ["Lovelace-c"]
    assert len(org.sf.search("FIND {lovelace} RETURNING Contact(LastName) LIMIT 2")["searchRecords"]) == 2


@pytest.mark.parametrize(
    "sosl", ["FIND lovelace", "FIND {a}", "FIND {ab} RETURNING Nothing(Id)", "FIND {ab} RETURNING Contact(Foo)"]
)
def test_a_search_that_cannot_be_is_malformed(org: Org, sosl: str) -> None:
    """65"""
    assert code(org.sf.search, sosl) == (400, "MALFORMED_SEARCH")
