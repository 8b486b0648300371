"""SOQL text → tokens → tree: places, precedence, escapes, and text that is no query."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.emulator.salesforce.soql.lexer import SoqlError, caret, tokens_of
from connectors.emulator.salesforce.soql.literals import Moment, days_of
from connectors.emulator.salesforce.soql.parser import COUNTED_DATE_WORDS, DATE_WORDS, parse
from connectors.emulator.salesforce.soql.tree import Call, Comparison, Junction, Negation, Path, Plain, Query

WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "LIKE",
        "ORDER",
        "BY",
        "LIMIT",
        "GROUP",
        "HAVING",
        "NULLS",
        "FIRST",
        "COUNT",
        "Id",
        "Name",
        "Owner.Name",
        "Contact",
        "(",
        ")",
        ",",
        "=",
        "!=",
        "<",
        ":",
        "'x'",
        "'",
        "5",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "null",
        "TODAY",
        "LAST_N_DAYS",
        "\\",
        "é",
    ]
)


def test_tokens_know_their_place_and_strings_lose_their_escapes() -> None:
    found = tokens_of(r"Name = 'it\'s' AND x LIKE 'a\%\n'")
    assert [(token.kind, token.text, token.column) for token in found] == [
        ("name", "Name", 1),
        ("operator", "=", 6),
        ("string", "it's", 8),
        ("name", "AND", 16),
        ("name", "x", 20),
        ("name", "LIKE", 22),
        ("string", "a\\%\n", 27),
        ("end", "<EOF>", 34),
    ]


def test_a_caret_points_into_its_own_line() -> None:
    assert caret("SELECT Foo\nFROM  Bar", 18) == "\nFROM  Bar\n      ^\nERROR at Row:2:Column:7\n"


def test_a_long_line_is_cut_around_the_caret() -> None:
    text = "SELECT " + "a" * 100 + " FROM X"
    shown, pointer, _ = caret(text, 60).split("\n")[1:4]
    assert len(shown) <= 81
    assert shown[pointer.index("^")] == text[59]


@pytest.mark.parametrize("text", ["'open", "a ~ b", r"'\x'", "2026-01-01T00:00:00", "5x", "SELECT {"])
def test_text_that_is_no_token_is_malformed(text: str) -> None:
    with pytest.raises(SoqlError) as caught:
        tokens_of(text)
    assert caught.value.code == "MALFORMED_QUERY"


def test_a_full_query_becomes_its_tree() -> None:
    query = parse(
        "select Id, Owner.Name, (SELECT Id FROM Contacts LIMIT 1) FROM Account a USING SCOPE everything "
        "WHERE NOT a.Name LIKE 'x%' AND (Industry IN ('a','b') OR AnnualRevenue >= 1.5) "
        "WITH SECURITY_ENFORCED ORDER BY Name DESC NULLS LAST, Id LIMIT 10 OFFSET 5"
    )
    first, owner, children = query.items
    assert isinstance(first, Plain)
    assert isinstance(owner, Plain)
    assert owner.path.parts == ("Owner", "Name")
    assert isinstance(children, Query)
    assert (str(query.source), query.alias, query.limit, query.offset) == ("Account", "a", 10, 5)
    assert isinstance(query.where, Junction)
    negation, either = query.where.parts
    assert isinstance(negation, Negation)
    assert isinstance(either, Junction)
    assert (query.where.word, either.word) == ("AND", "OR")
    assert [(str(order.subject), order.descending, order.nulls_last) for order in query.order_by] == [
        ("Name", True, True),
        ("Id", False, False),
    ]


def test_aggregates_have_names_and_groups_conditions() -> None:
    query = parse("SELECT Industry i, COUNT(Id) n FROM Account GROUP BY Industry HAVING COUNT(Id) > 1")
    plain, count = query.items
    assert plain == Plain(Path(("Industry",), 8), "i")
    assert count == Call("COUNT", Path(("Id",), 26), 20, "n")
    assert isinstance(query.having, Comparison)
    assert query.is_aggregate
    assert parse("SELECT count() FROM Account").is_bare_count


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(SoqlError) as caught:
        parse("SELECT Id FROM Contact WHERE " + "(" * 5_000)
    assert caught.value.code == "QUERY_TOO_COMPLICATED"
    with pytest.raises(SoqlError):
        parse("SELECT Id FROM Contact WHERE Name = '" + "x" * 100_000 + "'")


@given(st.lists(WORDS, max_size=25))
def test_no_text_breaks_the_parser(words: list[str]) -> None:
    codes = {"MALFORMED_QUERY", "NUMBER_OUTSIDE_VALID_RANGE", "QUERY_TOO_COMPLICATED"}
    found: Query | None = None
    refused = ""
    try:
        found = parse("SELECT " + " ".join(words))
    except SoqlError as error:
        refused = error.code
    assert (found is not None and found.items) or refused in codes


TODAY = date(2026, 11, 24)  # a Tuesday
SPANS = {
    ("TODAY", 0): ("2026-11-24", "2026-11-25"),
    ("YESTERDAY", 0): ("2026-11-23", "2026-11-24"),
    ("TOMORROW", 0): ("2026-11-25", "2026-11-26"),
    ("THIS_WEEK", 0): ("2026-11-22", "2026-11-29"),
    ("LAST_WEEK", 0): ("2026-11-15", "2026-11-22"),
    ("NEXT_MONTH", 0): ("2026-12-01", "2027-01-01"),
    ("LAST_QUARTER", 0): ("2026-07-01", "2026-10-01"),
    ("THIS_YEAR", 0): ("2026-01-01", "2027-01-01"),
    ("LAST_90_DAYS", 0): ("2026-08-26", "2026-11-25"),
    ("LAST_N_DAYS", 7): ("2026-11-17", "2026-11-25"),
    ("NEXT_N_DAYS", 2): ("2026-11-25", "2026-11-27"),
    ("N_DAYS_AGO", 3): ("2026-11-21", "2026-11-22"),
    ("LAST_N_WEEKS", 2): ("2026-11-08", "2026-11-22"),
    ("NEXT_N_MONTHS", 3): ("2026-12-01", "2027-03-01"),
    ("LAST_N_QUARTERS", 1): ("2026-07-01", "2026-10-01"),
    ("LAST_N_YEARS", 2): ("2024-01-01", "2026-01-01"),
}


@pytest.mark.parametrize(("word", "count"), SPANS)
def test_date_words_are_spans_of_whole_days(word: str, count: int) -> None:
    start, end = days_of(word, count, TODAY)
    assert (start.isoformat(), end.isoformat()) == SPANS[word, count]


def test_every_date_word_is_a_span() -> None:
    for word in DATE_WORDS | COUNTED_DATE_WORDS:
        start, end = days_of(word, 3, TODAY)
        assert start < end


def test_days_begin_at_the_user_s_own_midnight() -> None:
    moment = Moment(datetime(2026, 11, 24, 3, tzinfo=UTC), ZoneInfo("America/New_York"))
    assert moment.today == date(2026, 11, 23)
    assert moment.midnight(moment.today).astimezone(UTC) == datetime(2026, 11, 23, 5, tzinfo=UTC)
