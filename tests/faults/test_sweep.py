"""The counting sweep: one fault at every place of four runs, then a restart, and every promise holds.

A run is disturbed at one commit or one HTTP call; afterwards it is started again and left alone for three cycles. Then
the emulator's audit, which the agent never sees, must agree with the ledger (``invariants``), everything must have
come to rest, and the CRMs must hold what the undisturbed run leaves. ``make nightly`` takes every place; here it is
some of each kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from breaking import Kind, Place, full_disk
from scenarios import SCENARIOS, Scenario
from sweep import Played, Theatre, differing

ALL = 10**9

FAULTS: dict[str, dict[str, Any]] = {
    "lost request": {"action": "drop_before"},
    "lost reply": {"action": "drop_after"},
    "429": {"action": "status", "status": 429},
    "500, not applied": {"action": "status", "status": 500},
    "500, but applied": {"action": "status", "status": 500, "applied": True},
    "401": {"action": "status", "status": 401},
    "html for json": {"action": "html_200"},
    "html, but applied": {"action": "html_200", "applied": True},
    "cut off body": {"action": "truncate"},
}

EXIT_CODES = {
    "lost request": {14},
    "lost reply": {14},
    "429": {14},
    "500, not applied": {14},
    "500, but applied": {14},
    "401": {13, 14},
    "html for json": {14},
    "html, but applied": {14},
    "cut off body": {14},
}
"""What a person sees when the run cannot go on; a run that copes sees nothing.

A bare 401 at the login itself is no refusal of Salesforce's (those carry an OAuth error), so it is *try later*, 14.
"""

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def spread(count: int, wanted: int) -> list[int]:
    """So many numbers from 1 to ``count``, evenly, both ends among them."""
    if wanted >= count:
        return list(range(1, count + 1))
    return sorted({1 + round(step * (count - 1) / (wanted - 1)) for step in range(wanted)})


def calls(plain: Played, wanted: int) -> Iterator[int]:
    """Numbers of HTTP calls: the writing ones first, then others."""
    if wanted >= plain.counts["http"]:
        yield from range(1, plain.counts["http"] + 1)
        return
    writing = plain.writing_calls
    yield from [writing[index - 1] for index in spread(len(writing), max(wanted - 1, 2))]
    yield from spread(plain.counts["http"], 3)[1:2]


def same_end(played: Played, plain: Played) -> str:
    """Empty when both runs left the same in the CRMs."""
    return differing(played.end, plain.end)


def killed_at(theatre: Theatre, scenario: Scenario, folder: Path, kind: Kind, numbers: Sequence[int]) -> list[str]:
    """Problems found when dying just before and just after these places."""
    plain = theatre.undisturbed(scenario, folder)
    problems = []
    for number in numbers:
        for side in ("before", "after"):
            place = Place(kind, number, side)
            try:
                played = theatre.play(scenario, folder, cut_at=place)
                assert played.was_killed
                assert not (difference := same_end(played, plain)), difference
            except AssertionError as problem:
                problems.append(f"{place}: {problem}")
    return problems


def disturbed(theatre: Theatre, scenario: Scenario, folder: Path, fault: str, numbers: Iterable[int]) -> list[str]:
    """Problems found when this goes wrong at these calls."""
    plain = theatre.undisturbed(scenario, folder)
    problems = []
    for number in numbers:
        try:
            played = theatre.play(scenario, folder, fault={**FAULTS[fault], "nth": number})
            if played.error is not None:
                assert played.error.exit_code in EXIT_CODES[fault], repr(played.error)
                assert played.error.what
            assert not (difference := same_end(played, plain)), difference
        except AssertionError as problem:
            problems.append(f"{fault} at call {number}: {problem}")
    return problems


def without_room(theatre: Theatre, scenario: Scenario, folder: Path, kind: Kind, numbers: Iterable[int]) -> list[str]:
    """Problems found when the disk is full for one of these transactions, or from it on."""
    plain = theatre.undisturbed(scenario, folder)
    problems = []
    for number in numbers:
        for lasts in (False, True):
            try:
                played = theatre.play(scenario, folder, disk=full_disk(kind, number, lasts=lasts))
                must_be_told = number <= plain.acted[kind]  # afterwards only the calls made are counted, at the end
                assert played.error is not None or not must_be_told, "nobody was told"
                if played.error is not None:
                    assert played.error.exit_code == 1, repr(played.error)
                    assert "cannot be written" in played.error.what
                assert not (difference := same_end(played, plain)), difference
            except AssertionError as problem:
                problems.append(f"full at {kind} {number}, lasts {lasts}: {problem}")
    return problems


def with_a_bad_row(theatre: Theatre, scenario: Scenario, folder: Path, numbers: Iterable[int]) -> list[str]:
    """Problems found when a vendor takes one of these writing calls but refuses its first row, until somebody asks
    once more."""
    plain = theatre.undisturbed(scenario, folder, retries=True)
    problems = []
    for number in numbers:
        try:
            played = theatre.play(scenario, folder, bad_row_in=number, retries=True)
            assert played.fired == 1, "no row was refused"
            assert played.error is None or played.error.exit_code == 14, repr(played.error)
            assert not (difference := same_end(played, plain)), difference
        except AssertionError as problem:
            problems.append(f"bad row in writing call {number}: {problem}")
    return problems


@every_scenario
def test_killed_at_a_ledger_commit_it_goes_on_where_it_stopped(
    theatre: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    numbers = spread(plain.counts["ledger"], 4)
    assert killed_at(theatre, scenario, tmp_path, "ledger", numbers) == []


@every_scenario
def test_killed_at_a_call_it_neither_repeats_nor_forgets_a_write(
    theatre: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    assert killed_at(theatre, scenario, tmp_path, "http", list(calls(plain, 3))) == []


@every_scenario
def test_killed_between_ledger_and_mirror_the_mirror_catches_up(
    theatre: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    assert killed_at(theatre, scenario, tmp_path, "mirror", spread(plain.counts["mirror"], 2)) == []


@every_scenario
@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_goes_wrong_is_settled_by_reading(
    theatre: Theatre, scenario: Scenario, fault: str, tmp_path: Path
) -> None:
    numbers = calls(theatre.undisturbed(scenario, tmp_path), 2)
    assert disturbed(theatre, scenario, tmp_path, fault, numbers) == []


@every_scenario
def test_a_full_disk_stops_it_and_hides_nothing(theatre: Theatre, scenario: Scenario, tmp_path: Path) -> None:
    numbers = spread(theatre.undisturbed(scenario, tmp_path).counts["ledger"], 3)
    assert without_room(theatre, scenario, tmp_path, "ledger", numbers) == []


@every_scenario
def test_a_refused_row_is_shown_and_a_retry_writes_it(theatre: Theatre, scenario: Scenario, tmp_path: Path) -> None:
    writing = theatre.undisturbed(scenario, tmp_path).writing_calls
    assert with_a_bad_row(theatre, scenario, tmp_path, spread(len(writing), 3)) == []


@every_scenario
@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["ledger", "mirror", "http"])
def test_killed_at_every_place(theatre: Theatre, scenario: Scenario, kind: Kind, tmp_path: Path) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    assert killed_at(theatre, scenario, tmp_path, kind, range(1, plain.counts[kind] + 1)) == []


@every_scenario
@pytest.mark.nightly
@pytest.mark.parametrize("fault", FAULTS)
def test_every_call_goes_wrong(theatre: Theatre, scenario: Scenario, fault: str, tmp_path: Path) -> None:
    numbers = calls(theatre.undisturbed(scenario, tmp_path), ALL)
    assert disturbed(theatre, scenario, tmp_path, fault, numbers) == []


@every_scenario
@pytest.mark.nightly
def test_every_writing_call_has_a_refused_row(theatre: Theatre, scenario: Scenario, tmp_path: Path) -> None:
    writing = theatre.undisturbed(scenario, tmp_path).writing_calls
    assert with_a_bad_row(theatre, scenario, tmp_path, spread(len(writing), ALL)) == []


@every_scenario
@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["ledger", "mirror"])
def test_the_disk_is_full_at_every_transaction(
    theatre: Theatre, scenario: Scenario, kind: Kind, tmp_path: Path
) -> None:
    numbers = spread(theatre.undisturbed(scenario, tmp_path).counts[kind], ALL)
    assert without_room(theatre, scenario, tmp_path, kind, numbers) == []
