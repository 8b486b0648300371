"""Several calls under way when something goes wrong: the same end as one after the other, and no promise less.

More people than in the small world, two to a call, so that waves of writes have several calls and a call can be refused
in part. Which of them a fault meets differs from run to run; what is left at the end may not. Afterwards everything is
undone, and the CRMs must hold what they held before.

``make nightly`` takes every place; here it is a handful, drawn by lot from one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from breaking import Kind
from scenarios import SCENARIOS, Scenario
from small_world import opened
from sweep import Theatre
from test_killed import survivors
from test_sweep import FAULTS, disturbed, every_scenario, killed_at, same_end, with_a_bad_row, without_room
from victim import Victims

LARGE_CALLS, ONE, SEVERAL = 0, 1, 8
"""Calls of either system under way at once; ``LARGE_CALLS`` with chunks as shipped, in which all fits into one call."""
MORE_PEOPLE = 8
SEED = 20

WRITES: dict[str, dict[str, Any]] = {
    "hubspot": {"system": "hubspot", "method": "POST", "route": "*/batch/update"},
    "salesforce": {"system": "salesforce", "method": "PATCH", "route": "*/composite/sobjects*"},
}
AT_EVERY_CALL = ("429", "500, not applied", "500, but applied", "lost reply")
LOST = 3
"""Replies lost at once."""


@pytest.fixture(scope="module")
def stages(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Theatre]:
    return {
        number: Theatre(
            theatre.emulator, tmp_path_factory.mktemp(f"stages-{number}"), parallel_calls=number, records_a_call=2,
            more_people=MORE_PEOPLE, undoes=True,
        )
        for number in (LARGE_CALLS, ONE, SEVERAL)
    }  # fmt: skip


@pytest.fixture(scope="module")
def stage(stages: dict[int, Theatre]) -> Theatre:
    return stages[SEVERAL]


@pytest.fixture(scope="module")
def victims(stage: Theatre) -> Iterator[Victims]:
    waiting = Victims(stage.site)
    yield waiting
    waiting.close()


def lot(count: int, wanted: int, *names: str) -> list[int]:
    """So many numbers from 1 to ``count``, the same ones with every run."""
    return sorted(Random(f"{SEED} {names}").sample(range(1, count + 1), wanted))


def every(count: int) -> Sequence[int]:
    return range(1, count + 1)


def test_waves_of_several_writes_are_under_way_in_every_run(stage: Theatre, tmp_path: Path) -> None:
    """Else the claims below would say nothing."""
    for scenario in SCENARIOS:
        found = waves_of_writes(stage, scenario, tmp_path)
        assert {system for system, width in found if width >= LOST} == {"salesforce", "hubspot"}, scenario.name


def waves_of_writes(stage: Theatre, scenario: Scenario, place: Path) -> list[tuple[str, int]]:
    """(system, calls at once) of each."""
    found = []
    with stage.set(scenario, place) as (_, folder, time), opened(stage.site, folder, time) as installation:
        ask = installation.side_by_side.ask

        def counted(system: str, doing: Any, wave: Any, *more: Any) -> Any:
            found.append((system, len(wave) if doing == "writing" else 0))
            return ask(system, doing, wave, *more)

        installation.side_by_side.ask = counted  # type: ignore[method-assign]
        scenario.act(installation)
    return found


@every_scenario
def test_side_by_side_leaves_what_one_after_the_other_leaves(
    stages: dict[int, Theatre], scenario: Scenario, tmp_path: Path
) -> None:
    plain = stages[LARGE_CALLS].undisturbed(scenario, tmp_path)
    for number in (ONE, SEVERAL):
        assert not same_end(stages[number].undisturbed(scenario, tmp_path), plain)


@every_scenario
@pytest.mark.parametrize("number", [ONE, SEVERAL])
@pytest.mark.parametrize("action", ["drop_after", "drop_before"])
def test_several_lost_at_once_are_each_settled_by_reading(
    stages: dict[int, Theatre], scenario: Scenario, number: int, action: str, tmp_path: Path
) -> None:
    plain = stages[number].undisturbed(scenario, tmp_path)
    for system, writes in WRITES.items():
        played = stages[number].play(scenario, tmp_path, fault={"action": action, "times": LOST, "nth": 2, **writes})
        assert not same_end(played, plain), system


@every_scenario
def test_killed_with_several_under_way_it_neither_repeats_nor_forgets_a_write(
    stage: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    writing = stage.undisturbed(scenario, tmp_path).writing_calls
    numbers = [writing[nth - 1] for nth in lot(len(writing), 2, scenario.name)]
    assert killed_at(stage, scenario, tmp_path, "http", numbers) == []


@every_scenario
@pytest.mark.parametrize("kind", ["ledger", "http"])
def test_a_process_killed_with_several_under_way_needs_no_repair(
    stage: Theatre, victims: Victims, scenario: Scenario, kind: Kind, tmp_path: Path
) -> None:
    numbers = lot(stage.undisturbed(scenario, tmp_path).counts[kind], 1, scenario.name, kind)
    assert survivors(stage, victims, scenario, tmp_path, kind, numbers) == []


@every_scenario
def test_a_disk_that_is_full_with_several_under_way_hides_nothing(
    stage: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    numbers = lot(stage.undisturbed(scenario, tmp_path).counts["ledger"], 2, scenario.name)
    assert without_room(stage, scenario, tmp_path, "ledger", numbers) == []


@every_scenario
def test_a_row_refused_in_one_of_several_calls_fails_alone_and_a_retry_writes_it(
    stage: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    numbers = lot(len(stage.undisturbed(scenario, tmp_path).writing_calls), 2, scenario.name)
    assert with_a_bad_row(stage, scenario, tmp_path, numbers) == []


@every_scenario
@pytest.mark.parametrize("fault", ["429", "500, but applied", "lost reply"])
def test_one_of_several_calls_that_goes_wrong_is_settled_by_reading(
    stage: Theatre, scenario: Scenario, fault: str, tmp_path: Path
) -> None:
    numbers = lot(stage.undisturbed(scenario, tmp_path).counts["http"], 1, scenario.name, fault)
    assert disturbed(stage, scenario, tmp_path, fault, numbers) == []


@every_scenario
@pytest.mark.nightly
def test_a_process_killed_at_any_commit_with_several_under_way_needs_no_repair(
    stage: Theatre, victims: Victims, scenario: Scenario, tmp_path: Path
) -> None:
    numbers = every(stage.undisturbed(scenario, tmp_path).counts["ledger"])
    assert survivors(stage, victims, scenario, tmp_path, "ledger", numbers) == []


@every_scenario
@pytest.mark.nightly
def test_a_process_killed_at_any_call_with_several_under_way_needs_no_repair(
    stage: Theatre, victims: Victims, scenario: Scenario, tmp_path: Path
) -> None:
    """Just before a call that only reads is just after the one before it, or a commit."""
    plain = stage.undisturbed(scenario, tmp_path)
    assert survivors(stage, victims, scenario, tmp_path, "http", every(plain.counts["http"]), ["after"]) == []
    assert survivors(stage, victims, scenario, tmp_path, "http", plain.writing_calls, ["before"]) == []


@every_scenario
@pytest.mark.nightly
def test_the_disk_is_full_at_every_transaction_with_several_under_way(
    stage: Theatre, scenario: Scenario, tmp_path: Path
) -> None:
    numbers = every(stage.undisturbed(scenario, tmp_path).counts["ledger"])
    assert without_room(stage, scenario, tmp_path, "ledger", numbers) == []


@every_scenario
@pytest.mark.nightly
def test_each_of_several_writing_calls_has_a_refused_row(stage: Theatre, scenario: Scenario, tmp_path: Path) -> None:
    numbers = every(len(stage.undisturbed(scenario, tmp_path).writing_calls))
    assert with_a_bad_row(stage, scenario, tmp_path, numbers) == []


@every_scenario
@pytest.mark.nightly
@pytest.mark.parametrize("fault", AT_EVERY_CALL)
def test_every_call_goes_wrong_side_by_side(stage: Theatre, scenario: Scenario, fault: str, tmp_path: Path) -> None:
    numbers = every(stage.undisturbed(scenario, tmp_path).counts["http"])
    assert disturbed(stage, scenario, tmp_path, fault, numbers) == []


@every_scenario
@pytest.mark.nightly
@pytest.mark.parametrize("fault", sorted(set(FAULTS) - set(AT_EVERY_CALL)))
def test_some_calls_go_wrong_otherwise_side_by_side(
    stage: Theatre, scenario: Scenario, fault: str, tmp_path: Path
) -> None:
    """At every call of one after the other: ``test_sweep``."""
    numbers = lot(stage.undisturbed(scenario, tmp_path).counts["http"], 12, scenario.name, fault)
    assert disturbed(stage, scenario, tmp_path, fault, numbers) == []
