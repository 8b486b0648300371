"""Several calls under way when something goes wrong: the same end as one after the other, and no promise less.

Every record is a call of its own here, so that even the small world has calls to make side by side. Which of them a
fault meets differs from run to run; what is left at the end may not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from breaking import Place
from scenarios import SCENARIOS, Scenario
from sweep import Theatre
from test_sweep import ALL, FAULTS, every_scenario, killed_at, same_end, spread
from victim import Victims

ONE, AS_SHIPPED = 1, 8

WRITES: dict[str, dict[str, Any]] = {
    "hubspot": {"system": "hubspot", "method": "POST", "route": "*/batch/update"},
    "salesforce": {"system": "salesforce", "method": "PATCH", "route": "*/composite/sobjects*"},
}
SEVERAL = 3
"""Replies lost at once."""


@pytest.fixture(scope="module")
def stages(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Theatre]:
    return {
        number: Theatre(theatre.emulator, tmp_path_factory.mktemp(f"stages-{number}"), parallel_calls=number)
        for number in (ONE, AS_SHIPPED)
    }


every_width = pytest.mark.parametrize("width", [ONE, AS_SHIPPED])


@every_scenario
def test_side_by_side_leaves_what_one_after_the_other_leaves(
    theatre: Theatre, stages: dict[int, Theatre], scenario: Scenario, tmp_path: Path
) -> None:
    plain = theatre.undisturbed(scenario, tmp_path)
    for width in (ONE, AS_SHIPPED):
        assert not same_end(stages[width].undisturbed(scenario, tmp_path), plain)


@every_scenario
@every_width
@pytest.mark.parametrize("action", ["drop_after", "drop_before"])
def test_several_lost_at_once_are_each_settled_by_reading(
    stages: dict[int, Theatre], scenario: Scenario, width: int, action: str, tmp_path: Path
) -> None:
    stage = stages[width]
    plain = stage.undisturbed(scenario, tmp_path)
    for system, writes in WRITES.items():
        played = stage.play(scenario, tmp_path, fault={"action": action, "times": SEVERAL, **writes})
        assert not same_end(played, plain), system


@every_scenario
def test_killed_with_several_under_way_it_neither_repeats_nor_forgets_a_write(
    stages: dict[int, Theatre], scenario: Scenario, tmp_path: Path
) -> None:
    stage = stages[AS_SHIPPED]
    writing = stage.undisturbed(scenario, tmp_path).writing_calls
    assert killed_at(stage, scenario, tmp_path, "http", [writing[index - 1] for index in spread(len(writing), 4)]) == []


@every_scenario
def test_a_process_really_killed_with_several_under_way_needs_no_repair(
    stages: dict[int, Theatre], scenario: Scenario, tmp_path: Path
) -> None:
    stage = stages[AS_SHIPPED]
    plain = stage.undisturbed(scenario, tmp_path)
    victims = Victims(stage.site)
    try:
        for number in plain.writing_calls[1:3]:
            played = stage.kill(victims, scenario, tmp_path, Place("http", number, "after"))
            assert played.was_killed
            assert not same_end(played, plain)
    finally:
        victims.close()


@every_scenario
@every_width
@pytest.mark.nightly
@pytest.mark.parametrize("fault", FAULTS)
def test_every_call_goes_wrong_side_by_side(
    stages: dict[int, Theatre], scenario: Scenario, width: int, fault: str, tmp_path: Path
) -> None:
    stage = stages[width]
    plain = stage.undisturbed(scenario, tmp_path)
    for number in spread(plain.counts["http"], ALL):
        played = stage.play(scenario, tmp_path, fault={**FAULTS[fault], "nth": number})
        assert not same_end(played, plain), f"{fault} at call {number}"


@every_scenario
@pytest.mark.nightly
def test_killed_at_every_call_side_by_side(stages: dict[int, Theatre], scenario: Scenario, tmp_path: Path) -> None:
    stage = stages[AS_SHIPPED]
    plain = stage.undisturbed(scenario, tmp_path)
    assert killed_at(stage, scenario, tmp_path, "http", range(1, plain.counts["http"] + 1)) == []


def test_the_small_world_does_make_calls_side_by_side(stages: dict[int, Theatre], tmp_path: Path) -> None:
    """Else the claims above would say nothing."""
    found = {}
    for scenario in SCENARIOS:
        with stages[AS_SHIPPED].set(scenario, tmp_path) as (_, folder, time):
            found[scenario.name] = widest(stages[AS_SHIPPED], scenario, folder, time)
    assert all(width > 1 for width in found.values()), found
    assert max(found.values()) >= SEVERAL, found


def widest(theatre: Theatre, scenario: Scenario, folder: Path, time: Any) -> int:
    """The most calls of one wave."""
    from small_world import opened

    with opened(theatre.site, folder, time) as installation:
        side, found = installation.side_by_side, 0
        ask = side.ask

        def counted(system: str, doing: Any, wave: Any) -> Any:
            nonlocal found
            found = max(found, len(wave))
            return ask(system, doing, wave)

        side.ask = counted  # type: ignore[method-assign]
        scenario.act(installation)
    return found
