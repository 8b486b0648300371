"""Moments as people write them, in the installation's time zone, on the nights the clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.errors import UsageError
from agent.local_time import read_moment, spoken

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)  # Monday 9:30 in Berlin


def read(text: str, now: datetime = NOW) -> datetime:
    return read_moment(text, now, BERLIN)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("Fri 17:00", "2026-11-20T16:00"),
        ("friday", "2026-11-19T23:00"),
        ("Mon 9:00", "2026-11-23T08:00"),
        ("Mon 17:00", "2026-11-16T16:00"),
        ("monday", "2026-11-22T23:00"),
        ("yesterday 9:05", "2026-11-22T08:05"),
        ("today", "2026-11-22T23:00"),
        ("9:00", "2026-11-23T08:00"),
        ("17:00", "2026-11-22T16:00"),
        ("2026-11-20", "2026-11-19T23:00"),
        ("2026-11-20 17:00", "2026-11-20T16:00"),
        ("2026-11-20T17:00", "2026-11-20T16:00"),
        ("2026-11-20T17:00:00+00:00", "2026-11-20T17:00"),
        ("2026-11-20T17:00:00.500000-05:00", "2026-11-20T22:00:00.500000"),
        ("2026-11-20T17:00:30", "2026-11-20T16:00:30"),
        ("2026-07-01 12:00", "2026-07-01T10:00"),
        ("90 minutes ago", "2026-11-23T07:00"),
        ("1 day ago", "2026-11-22T08:30"),
    ],
)
def test_a_moment_is_read_in_the_zone_of_the_installation(text: str, utc: str) -> None:
    assert read(text) == datetime.fromisoformat(f"{utc}+00:00")


@pytest.mark.parametrize("text", ["", "soon", "Fri 25:00", "2026-02-30", "tomorrow", "Fri Sat 9:00", "9", "freitag"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text)
    assert "Fri 17:00" in refused.value.next_step


@pytest.mark.parametrize("text", ["2026-11-23 10:00", "2027-01-01", "today 23:00"])
def test_a_moment_to_come_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="still to come"):
        read(text)


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    after = datetime(2026, 10, 25, 9, tzinfo=UTC)
    assert read("2026-10-25 02:30", after) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert read("02:30", after) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_in_the_second_of_two_equal_hours_the_time_now_is_not_to_come() -> None:
    second = datetime(2026, 10, 25, 1, 31, tzinfo=UTC)  # 02:31 CET; 02:31 CEST was an hour before
    assert read("02:45", second) == datetime(2026, 10, 25, 0, 45, tzinfo=UTC)


def test_a_time_the_clock_skipped_counts_as_if_it_had_not_been_put_forward() -> None:
    after = datetime(2026, 3, 29, 9, tzinfo=UTC)
    assert read("2026-03-29 02:30", after) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_weekday_across_the_change_keeps_its_wall_clock() -> None:
    monday = datetime(2026, 10, 26, 9, tzinfo=UTC)
    assert read("Fri 17:00", monday) == datetime(2026, 10, 23, 15, tzinfo=UTC)
    assert read("Sun 17:00", monday) == datetime(2026, 10, 25, 16, tzinfo=UTC)


def test_a_moment_is_said_with_its_zone() -> None:
    assert spoken(read("Fri 17:00"), BERLIN) == "Fri 20 Nov 2026 17:00 CET"
