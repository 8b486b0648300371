"""Use of the rate that HubSpot allows (goal G14), and how soon a change is enforced (G15).

G14: the practice HubSpot enforces its limits on a virtual clock: five searches a second for the account, 190 calls in
ten seconds. The connector asks without a break for some minutes of that clock; a refusal breaks the benchmark. With a
latency of 300 ms the clock moves on by that much with every wave of calls. Reads by id go side by side, as writes do in
``agent.apply``. What latency alone allows is shown beside the figure. Searches with that latency are those of a pull of
many changes, as a cycle makes it, on the real clock, reads of what they find included.

G15: the daemon on the real clock, nothing else to do; somebody edits one record at an odd moment, and the value of the
other side is watched until it is the same.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from agent import cycle
from agent.connector import Window
from agent.pairing import pairing
from agent.records import Ref
from agent.side_by_side import SideBySide, results
from benchmarks.harness import Run
from benchmarks.practice import FIRST_HUBSPOT_ID, Practice, Setting, practice_with
from benchmarks.supervised import Supervised
from connectors.emulator.admin_client import Admin
from connectors.hubspot.connector import HubSpot

SEARCHES_A_SECOND = 5.0
CALLS_A_SECOND = 19.0
LATENCY = 0.3
EVERY_SECONDS = 10
SEEN_BY_PEOPLE = 0.2
"""Seconds between two looks at the other side."""


def measure(run: Run) -> None:
    people = run.sized(500, 100)
    with practice_with(people, run.folder / "pace") as (practice, setting):
        for name in ("search_rate_limit", "rolling_rate_limit"):
            practice.setting("hubspot", name, True)
        seconds = run.sized(100, 20)
        hubspot = setting.hubspot()
        at_once = hubspot.capabilities.parallel_calls
        side = SideBySide({"hubspot": at_once})
        searching, reading = _searching(practice, hubspot), _reading(hubspot, people, side, at_once)
        _rate(run, practice, "searches", searching, SEARCHES_A_SECOND, seconds, latency=0.0, at_once=1)
        for latency in (0.0, LATENCY):
            _rate(run, practice, "batch reads", reading, CALLS_A_SECOND, seconds, latency=latency, at_once=at_once)
        side.close()
    _backlog(run)
    _enforced(run)


def _searching(practice: Practice, hubspot: HubSpot) -> Callable[[], object]:
    """One search that finds nothing: the last second."""

    def search() -> object:
        now = practice.now()
        return list(hubspot.changed("contacts", ["email"], Window(now - timedelta(seconds=1), now)))

    return search


def _reading(hubspot: HubSpot, people: int, side: SideBySide, at_once: int) -> Callable[[], object]:
    """One wave."""
    refs = [Ref("hubspot", "contacts", str(FIRST_HUBSPOT_ID + number)) for number in range(min(people, 100))]
    wave = [partial(hubspot.read, refs, ["email"])] * at_once
    return lambda: results(side.ask("hubspot", "reading", wave))


def _rate(
    run: Run, practice: Practice, what: str, ask: Callable[[], object], allowed: float, seconds: float,
    *, latency: float, at_once: int,
) -> None:  # fmt: skip
    """Ask without a break for so many seconds of the practice clock."""
    practice.advance(60)
    practice.calls()
    began = practice.now()
    while (practice.now() - began).total_seconds() < seconds:
        ask()
        if latency:
            practice.advance(latency)
    passed = (practice.now() - began).total_seconds()
    made = sum(practice.calls()["hubspot"].values())  # raises when one was refused
    share = 100 * made / (allowed * passed)
    slow = f" with {1000 * latency:.0f} ms latency" if latency else ""
    alone = f"; at that latency it can make {100 * at_once / latency / allowed:.0f} %" if latency else ""
    run.add("G14", f"share of the allowed rate, {what}{slow}", share, " %", least=95.0,
            aside=f"{made} calls in {passed:.0f} s, {at_once} at once, none refused{alone}")  # fmt: skip


def _backlog(run: Run) -> None:
    with practice_with(run.sized(20_000, 4_000), run.folder / "backlog", clock="real") as (practice, setting):
        for name in ("search_rate_limit", "rolling_rate_limit"):
            practice.setting("hubspot", name, True)
        hubspot = setting.hubspot()
        window = Window(hubspot.now() - timedelta(days=1), hubspot.now() + timedelta(seconds=1))
        Admin(practice.urls["admin"]).fault(
            system="hubspot", action="delay", delay_seconds=LATENCY, times="always", route="/crm/*"
        )
        side = SideBySide({"hubspot": hubspot.capabilities.parallel_calls})
        practice.calls()
        began = time.monotonic()
        pages = hubspot.changed("contacts", ["email"], window, together=side.together("hubspot"))
        records = sum(len(page.items) for page in pages)
        passed = time.monotonic() - began
        side.close()
        calls = practice.calls()["hubspot"]  # raises when one was refused
    searches = sum(number for route, number in calls.items() if route.endswith("/search"))
    run.add("G14", f"share of the allowed rate, searches with {1000 * LATENCY:.0f} ms latency",
            100 * searches / (SEARCHES_A_SECOND * passed), " %", least=95.0,
            aside=f"{records} records, {searches} searches and {sum(calls.values()) - searches} reads in"
                  f" {passed:.1f} s, none refused; one after the other it would be"
                  f" {sum(calls.values()) * LATENCY:.0f} s")  # fmt: skip


def _enforced(run: Run) -> None:
    truce = Path(sys.executable).with_name("truce")
    with practice_with(run.sized(500, 50), run.folder / "enforce", clock="real") as (practice, ready):
        setting = Setting.write(practice, run.folder / "enforce", every_seconds=EVERY_SECONDS)
        with setting.open() as installation:
            cycle.run(installation)
            pairing.accept(installation, "person", "anna@example.com")
        hubspot = ready.hubspot()
        command = [str(truce), "--config", str(setting.write_config()), "run"]
        with Supervised(command, run.folder):
            time.sleep(EVERY_SECONDS)
            took = [_one(practice, hubspot, number) for number in range(run.sized(9, 2))]
    run.add("G15", "a change in Salesforce stands in HubSpot, median", statistics.median(took), " s",
            most=EVERY_SECONDS / 2 + 2,
            aside=f"asked every {EVERY_SECONDS} s; slowest of {len(took)} {max(took):.1f} s")  # fmt: skip


def _one(practice: Practice, hubspot: HubSpot, number: int) -> float:
    """Edit at a moment that does not go with the daemon's beat; seconds until the other side says the same."""
    time.sleep(EVERY_SECONDS * ((number * 0.618) % 1.0))
    wanted = f"Chair {number}"
    ref = Ref("hubspot", "contacts", str(FIRST_HUBSPOT_ID + number))
    practice.edit("salesforce", "Title", wanted, first=number, count=1)
    began = time.monotonic()
    while time.monotonic() - began < 6 * EVERY_SECONDS:
        readout = hubspot.read([ref], ["jobtitle"])[0]
        if getattr(readout, "fields", {}).get("jobtitle") == wanted:
            return time.monotonic() - began
        time.sleep(SEEN_BY_PEOPLE)
    raise AssertionError(f"{ref} was not written within {6 * EVERY_SECONDS} seconds")
