"""Whatever a value holds, a query sees one string literal."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.emulator.salesforce.soql.parser import Comparison, parse
from connectors.salesforce.soql import by_ids, changes, equal_to, moment

ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

hostile = st.one_of(
    st.text(),
    st.text(alphabet="'\\\"%_{}():; \n\r\t\b\fNULLORselect--/*"),
    st.sampled_from(["' OR Name != '", "\\' OR 1=1", "{0}", "{}", "%s", "'--", "\\", "\\\\'", "a' LIMIT 1"]),
)


def read_literal(text: str) -> tuple[str, str]:
    """The value of the one string literal that starts here, and what follows it."""
    assert text[0] == "'"
    value = []
    place = 1
    while text[place] != "'":
        if text[place] == "\\":
            place += 1
            value.append(ESCAPES[text[place]])
        else:
            assert text[place] not in "\n\r"
            value.append(text[place])
        place += 1
    return "".join(value), text[place + 1 :]


@settings(max_examples=2000)
@given(hostile)
def test_a_hostile_value_stays_one_literal(value: str) -> None:
    start = "SELECT Id FROM Lead WHERE Email = "
    query = equal_to("Lead", ["Id"], "Email", value)
    assert query.startswith(start)
    assert read_literal(query[len(start) :]) == (value, "")


def test_ten_thousand_hostile_values_are_one_literal_to_the_parser() -> None:
    chance = random.Random(24)
    alphabet = "'\\\"%_{}():;, \n\r\t\b\fABoOrRiInNdDxX=<>!--/*.0ü\u2028\U0001f600"
    for _ in range(10_000):
        value = "".join(chance.choices(alphabet, k=chance.randint(0, 30)))
        query = parse(equal_to("Lead", ["Id"], "Email", value))
        assert isinstance(query.where, Comparison)
        [literal] = query.where.values
        assert (query.where.operator, literal.kind, literal.value) == ("=", "string", value)
        assert (query.limit, query.order_by) == (None, ())


def test_numbers_and_truth_are_not_quoted() -> None:
    assert equal_to("Lead", ["Id"], "Score__c", 12.5).endswith("Score__c = 12.5")
    assert equal_to("Lead", ["Id"], "Hot__c", True).endswith("Hot__c = true")


def test_ids_are_listed() -> None:
    query = by_ids("Lead", ["Id", "IsDeleted"], ["00Q000000000001AAA", "00Q000000000002AAA"])
    assert query == "SELECT Id,IsDeleted FROM Lead WHERE Id IN ('00Q000000000001AAA','00Q000000000002AAA')"


def test_window_is_inclusive_below_and_exclusive_above() -> None:
    since = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)
    query = changes("Lead", ["Id"], since, since + timedelta(minutes=1))
    assert "SystemModstamp >= 2026-11-24T10:00:00Z AND SystemModstamp < 2026-11-24T10:01:00Z" in query
    assert query.endswith("ORDER BY SystemModstamp, Id")


def test_full_load_is_ordered_by_id_alone() -> None:
    query = changes("Lead", ["Id"], None, datetime(2026, 11, 24, tzinfo=UTC))
    assert query == "SELECT Id FROM Lead WHERE SystemModstamp < 2026-11-24T00:00:00Z ORDER BY Id"


def test_moment_is_utc_in_whole_seconds_rounded_up() -> None:
    berlin = timezone(timedelta(hours=1))
    assert moment(datetime(2026, 11, 24, 10, 59, 59, 1, tzinfo=berlin)) == "2026-11-24T10:00:00Z"
    assert moment(datetime(2026, 11, 24, 11, 0, 0, 0, tzinfo=berlin)) == "2026-11-24T10:00:00Z"


@given(st.integers(0, 3600), st.timedeltas(timedelta(), timedelta(hours=1)))
def test_a_whole_second_is_inside_exactly_the_windows_that_hold_it(seconds: int, after: timedelta) -> None:
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    stamp, bound = midnight + timedelta(seconds=seconds), midnight + after
    rounded = datetime.fromisoformat(moment(bound))
    assert (stamp < bound, stamp >= bound) == (stamp < rounded, stamp >= rounded)


def test_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        moment(datetime(2026, 11, 24, tzinfo=UTC).replace(tzinfo=None))
