"""How long something that failed is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agent.daemon.breaker import LONGEST_ASKED, LONGEST_PAUSE, OUR_MISTAKE, Breaker, pause_after
from agent.errors import AccessDenied, SafetyStop, Unavailable

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DOWN = Unavailable("hubspot is down", system="hubspot")


def test_pauses_double_and_stop_growing() -> None:
    pauses = [pause_after(DOWN, failures).total_seconds() for failures in (1, 2, 3, 6, 7, 8, 50, 10_000)]
    assert pauses == [5, 10, 20, 160, 300, 300, 300, 300]


def test_what_the_vendor_asks_for_counts_when_it_is_longer() -> None:
    def asked(seconds: float) -> timedelta:
        return pause_after(Unavailable("wait", system="hubspot", retry_after=seconds), 1)

    assert asked(2).total_seconds() == 5
    assert asked(600).total_seconds() == 600
    assert asked(10**9) == LONGEST_ASKED


def test_a_refused_login_waits_long_at_once() -> None:
    assert pause_after(AccessDenied("refused", system="salesforce"), 1) == LONGEST_PAUSE


def test_a_breaker_remembers_since_when_and_whom() -> None:
    first = Breaker().after(DOWN, NOW)
    second = first.after(DOWN, NOW + timedelta(seconds=5))
    assert (second.failures, second.system, second.since) == (2, "hubspot", NOW)
    assert second.until == NOW + timedelta(seconds=15)


def test_a_safety_stop_concerns_no_vendor_and_says_what_it_says() -> None:
    found = Breaker().after(SafetyStop("one side looks emptied", why="980 of 1,000 are gone"), NOW)
    assert (found.system, found.what, found.why) == ("", "one side looks emptied", "980 of 1,000 are gone")


def test_a_mistake_of_ours_does_not_say_what_it_says() -> None:
    found = Breaker().after(KeyError("maria.lopez@example.com"), NOW)
    assert (found.what, found.why) == (OUR_MISTAKE, "KeyError")
