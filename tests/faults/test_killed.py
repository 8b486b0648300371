"""kill -9 for real: a process of its own dies at a commit or between two calls, and nothing needs repair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from breaking import Kind, Place, Side
from scenarios import Scenario
from sweep import Theatre
from test_sweep import calls, every_scenario, same_end, spread
from victim import Victims


def survivors(
    theatre: Theatre, victims: Victims, scenario: Scenario, folder: Path, kind: Kind, numbers: Sequence[int],
    sides: Sequence[Side] = ("before", "after"),
) -> list[str]:  # fmt: skip
    """Problems found after killing just before and just after these places."""
    plain = theatre.undisturbed(scenario, folder)
    problems = []
    for number in numbers:
        for side in sides:
            place = Place(kind, number, side)
            try:
                played = theatre.kill(victims, scenario, folder, place)
                assert played.was_killed
                assert not (difference := same_end(played, plain)), difference
            except AssertionError as problem:
                problems.append(f"{place}: {problem}")
    return problems


@every_scenario
def test_a_killed_process_needs_no_repair(
    theatre: Theatre, victims: Victims, scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    numbers = spread(plain.counts["ledger"], 2)[-1:]
    assert survivors(theatre, victims, scenario, tmp_path, "ledger", numbers) == []
    assert survivors(theatre, victims, scenario, tmp_path, "http", plain.writing_calls[:1]) == []


@every_scenario
@pytest.mark.nightly
def test_a_process_killed_at_any_ledger_commit_needs_no_repair(
    theatre: Theatre, victims: Victims, scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    assert survivors(theatre, victims, scenario, tmp_path, "ledger", range(1, plain.counts["ledger"] + 1)) == []


@every_scenario
@pytest.mark.nightly
def test_a_process_killed_at_some_calls_and_mirror_commits_needs_no_repair(
    theatre: Theatre, victims: Victims, scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    assert survivors(theatre, victims, scenario, tmp_path, "http", list(calls(plain, 8))) == []
    assert survivors(theatre, victims, scenario, tmp_path, "mirror", spread(plain.counts["mirror"], 4)) == []
