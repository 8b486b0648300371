"""Vendor calls per 1,000 changed records (goal G13), counted by the practice CRMs, which enforce the vendors' limits on
a virtual clock: whoever is too quick gets a 429, and then the benchmark is broken.

Each case: people change records, one cycle does the work, a second one sees its echo. What a cycle asks whatever the
number of records (what an idle one asks, and the owners when there is something to decide) is taken off and shown by
itself. The least possible, by page and chunk sizes of the vendors:

    Salesforce  read 2,000 · fresh read 2,000 · write 200 · read back 2,000
    HubSpot     query 200 · read 100 · write 100 · fresh read 100 when the copy is older than a minute

so for 1,000 records that Truce writes, 1 + 1 + 5 + 1 in Salesforce and 5 + 10 + 10 + 10 in HubSpot. The query and the
read belong to the change itself on the side where it happened, and to the echo on the side that was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from agent import cycle
from agent.installation import Installation
from agent.pairing import pairing
from benchmarks.harness import Run
from benchmarks.practice import Calls, Practice, practice_with

FREE = {"GET /services/data", "POST /services/oauth2/token"}
"""Salesforce routes that cost nothing of the daily allowance."""

OWNERS = {"GET /crm/v3/owners", "GET /services/data/{version}/query"}
"""Routes that tell the owners; every cycle that decides asks them once, whatever its size."""

OBJECT_TYPES = {"salesforce": 4, "hubspot": 3}
"""Object types that the shipped policies name: Account, Contact, Lead, Opportunity; companies, contacts, deals."""

LIMITS = {"search_rate_limit": True, "rolling_rate_limit": True}
"""HubSpot's, per second and per ten seconds. Salesforce's daily allowance is enforced anyway."""


@dataclass(frozen=True, slots=True)
class Case:
    """``least`` is what this many records cost at least, per system."""

    what: str
    writes_to: str
    people_do: Callable[[Practice, int], None]
    least: Callable[[int], Mapping[str, int]]


def hubspot_pull(records: int) -> int:
    return ceil(records / 200) + ceil(records / 100)


CASES = (
    Case(
        "read only: a score in HubSpot",
        "",
        lambda practice, count: practice.edit("hubspot", "lead_score", "33", count=count),
        lambda records: {"hubspot": hubspot_pull(records)},
    ),
    Case(
        "update HubSpot: a title in Salesforce",
        "hubspot",
        lambda practice, count: practice.edit("salesforce", "Title", "Head of {n}", count=count),
        lambda records: {
            "salesforce": ceil(records / 2000),
            "hubspot": 2 * ceil(records / 100) + hubspot_pull(records),
        },
    ),
    Case(
        "update Salesforce: a stage in HubSpot",
        "salesforce",
        lambda practice, count: practice.edit("hubspot", "lifecyclestage", "customer", count=count),
        lambda records: {
            "hubspot": hubspot_pull(records),
            "salesforce": 3 * ceil(records / 2000) + ceil(records / 200),
        },
    ),
    Case(
        "create in HubSpot: a contact new in Salesforce",
        "hubspot",
        lambda practice, count: practice.fill_one_side(count),
        lambda records: {"salesforce": ceil(records / 2000), "hubspot": ceil(records / 100) + hubspot_pull(records)},
    ),
)


def measure(run: Run) -> None:
    records = run.sized(1_000, 200)
    with practice_with(records, run.folder) as (practice, setting), setting.open() as installation:
        for name, value in LIMITS.items():
            practice.setting("hubspot", name, value)
        cycle.run(installation)
        pairing.accept(installation, "person", "anna@example.com")
        practice.advance(3_600)
        cycle.run(installation)
        idle = _idle(run, practice, installation)
        for case in CASES:
            _count(run, practice, installation, case, records, idle)


def _idle(run: Run, practice: Practice, installation: Installation) -> dict[str, float]:
    """Billed calls of a cycle with nothing to do, by system; of a daemon that has been at it for a while."""
    cycles = run.sized(60, 5)
    practice.advance(3_600)
    cycle.run(installation)
    practice.advance(60)
    practice.calls()
    for _ in range(cycles):
        cycle.run(installation)
        practice.advance(60)
    routes = practice.calls()
    per_cycle: dict[str, float] = {}
    for system, most in (("salesforce", 1_440.0), ("hubspot", None)):
        billed = _billed(routes, system)
        per_cycle[system] = sum(billed.values()) / cycles
        asked = ", ".join(f"{count / cycles:.3g} x {route}" for route, count in billed.items())
        run.add("G13", f"idle calls of {system} a day, asked every minute", 1_440 * per_cycle[system], most=most,
                aside=f"{OBJECT_TYPES[system]} object types; each time {asked}")  # fmt: skip
    practice.edit("hubspot", "lead_score", "22", count=1)
    practice.advance(61)
    practice.calls()
    cycle.run(installation)
    routes = practice.calls()
    for system in OBJECT_TYPES:
        calls = sum(_billed(routes, system).values())
        run.add("G13", f"calls of {system} in a cycle that decides one record", calls)
    return per_cycle


def _count(
    run: Run, practice: Practice, installation: Installation, case: Case, records: int, idle: Mapping[str, float]
) -> None:
    """The first cycle does the work; the second sees the echo, which only a system that was written has."""
    practice.advance(1_200)
    cycle.run(installation)
    case.people_do(practice, records)
    practice.advance(61)
    practice.calls()
    report = cycle.run(installation)
    wanted = records if case.writes_to else 0
    if report.written != wanted:
        raise AssertionError(f"{case.what}: {report.written} records written where {wanted} had to be")
    first = practice.calls()
    practice.advance(61)
    cycle.run(installation)
    second = practice.calls()
    for system, least in case.least(records).items():
        cycles = [first, second] if system == case.writes_to else [first]
        calls = [_billed(routes, system) for routes in cycles]
        owners = sum(count for each in calls for route, count in each.items() if route in OWNERS)
        overhead = owners + idle[system] * len(cycles) - 1  # one query asked anyway is the one that is needed
        needed = sum(sum(each.values()) for each in calls) - overhead
        listed = " then ".join(", ".join(f"{n} x {route}" for route, n in each.items()) for each in calls)
        run.add("G13", f"{case.what}: {system} against the least", needed / least, "x", most=1.1,
                aside=f"{needed:.1f} calls, {least} at least: {listed}")  # fmt: skip


def _billed(routes: Calls, system: str) -> dict[str, int]:
    return {route: count for route, count in routes.get(system, {}).items() if route not in FREE}
