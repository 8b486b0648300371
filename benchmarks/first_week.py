"""Memory and time of a first week's commands (goal G16): over ten times as many people they must need about the same
memory, and ten times the time.

Each command is a process of its own, ``truce`` as people call it, on practice CRMs with duplicates, one-sided records
and differences. What the operating system counted of that process is the figure: its most memory, and its processor's
seconds, which a busy neighbour lengthens far less than seconds on the clock.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from agent.demo import practice, setting
from benchmarks.harness import Run

COMMANDS = ("pair", "align", "align suggested", "align apply", "plan", "run --once")
SEED = 5
PEOPLE_PER_COMPANY = 10
HELD = 4
"""The exit code of ``apply`` and its like that wrote what they could: the rest waits for an approval."""


class Need(NamedTuple):
    """What one command needed."""

    memory_mb: float
    seconds: float


def measure(run: Run) -> None:
    few, many = run.sized(10_000, 200), run.sized(100_000, 600)
    small, large = _commands(run, few), _commands(run, many)
    for command in COMMANDS:
        here, there = small[command], large[command]
        aside = f"{here.memory_mb:.0f} MB and {here.seconds:.0f} s over {few:,}, {there.seconds:.0f} s over {many:,}"
        run.add("G16", f"truce {command}: peak over {many:,} people a side", there.memory_mb, " MB", aside=aside)
        run.add("G16", f"truce {command}: peak against {few:,} people", there.memory_mb / here.memory_mb, "x", most=1.2)
        per_person = (there.seconds / many) / (here.seconds / few)
        run.add("G16", f"truce {command}: time per person against {few:,} people", per_person, "x", most=1.2)


def _commands(run: Run, people: int) -> dict[str, Need]:
    """All of them, one after the other, on fresh practice CRMs."""
    folder = run.folder / f"first-week-{people}"
    folder.mkdir(mode=0o700)
    running = practice.start(folder, contacts=people, companies=people // PEOPLE_PER_COMPANY, seed=SEED)
    try:
        config = setting.write_setting(running)
        return {command: _need(run, config, command) for command in COMMANDS}
    finally:
        practice.stop(folder)


def _need(run: Run, config: Path, command: str) -> Need:
    run.say(f"{config.parent.name}: truce {command}")
    arguments = [sys.executable, "-m", "agent", "--config", str(config), *command.split(), "--json"]
    with Path(os.devnull).open("wb") as nowhere:
        pid = os.posix_spawn(
            sys.executable, arguments, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        )
    _, status, used = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, HELD):
        raise RuntimeError(f"truce {command} ended with {os.waitstatus_to_exitcode(status)}")
    return Need(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)
