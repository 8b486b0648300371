"""A hostile world for a long time: after it, the ledger and the audit of both CRMs tell the same story."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from soak import Day, Soak
from soak_daemon import DaemonSoak
from sweep import Theatre
from victim import Victims

SEED = int(os.environ.get("TRUCE_SOAK_SEED", "1"))
"""The first day's number; a failure names the day that failed, to be played again alone."""

MINUTES = float(os.environ.get("TRUCE_SOAK_MINUTES", "15"))
TURNS_A_DAY, TURNS_OF_A_SHORT_DAY = 80, 16
LIVES_A_DAY, LIVES_OF_A_SHORT_DAY = 25, 4
MOST_DAYS = 2_000


def played(theatre: Theatre, victims: Victims | None, folder: Path, seed: int, turns: int, until: float) -> Day:
    return told(Soak(theatre, victims, folder / str(seed), seed), turns, until)


def told(soak: Soak, turns: int, until: float) -> Day:
    try:
        return soak.run(turns, goes_on=lambda: time.monotonic() < until)
    except Exception as error:
        error.add_note(f"day {soak.day.seed}, turn {soak.day.turns}: {dict(soak.day.told)}")
        raise


def test_a_hostile_hour_leaves_ledger_and_audit_in_agreement(
    theatre: Theatre, victims: Victims, tmp_path: Path
) -> None:
    day = played(theatre, victims, tmp_path, SEED, TURNS_OF_A_SHORT_DAY, float("inf"))
    assert day.turns == TURNS_OF_A_SHORT_DAY
    assert day.told["written"] > 10


@pytest.mark.nightly
def test_hostile_days_leave_ledger_and_audit_in_agreement(theatre: Theatre, victims: Victims, tmp_path: Path) -> None:
    """Days of 80 turns with consecutive numbers, for ``TRUCE_SOAK_MINUTES`` or so many days."""
    until = time.monotonic() + 60 * MINUTES
    days = []
    for seed in range(SEED, SEED + MOST_DAYS):
        days.append(played(theatre, victims, tmp_path, seed, TURNS_A_DAY, until))
        if time.monotonic() >= until:
            break
    assert days[0].turns > 0


def test_a_real_daemon_killed_in_the_middle_of_requests_leaves_ledger_and_audit_in_agreement(
    theatre: Theatre, tmp_path: Path
) -> None:
    day = told(DaemonSoak(theatre, None, tmp_path, SEED), LIVES_OF_A_SHORT_DAY, float("inf"))
    assert day.told["killed for real"] > 0
    assert day.told["written"] > 10


@pytest.mark.nightly
def test_days_of_a_real_daemon_leave_ledger_and_audit_in_agreement(theatre: Theatre, tmp_path: Path) -> None:
    """As the hostile days, each turn one life of ``truce run``."""
    until = time.monotonic() + 60 * MINUTES
    days = []
    for seed in range(SEED, SEED + MOST_DAYS):
        days.append(told(DaemonSoak(theatre, None, tmp_path / str(seed), seed), LIVES_A_DAY, until))
        if time.monotonic() >= until:
            break
    assert days[0].told["killed for real"] > 0
