"""How long until something answers (goal G18). Wall-clock time of fresh processes, the quickest and the median of many:
what a person waits for on a quiet computer, and on this one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from benchmarks.harness import Run, spread
from benchmarks.practice import practice_with
from benchmarks.supervised import Supervised

TRUCE = (sys.executable, "-m", "agent")


def measure(run: Run) -> None:
    repeats = run.sized(15, 2)
    script = Path(sys.executable).with_name("truce")
    truce = (str(script),) if script.exists() else TRUCE
    _answers(run, "python alone", (sys.executable, "-c", "pass"), None, repeats)
    _answers(run, "truce --help", (*truce, "--help"), 120.0, repeats)
    policies = run.folder / "policies"
    policies.mkdir()
    for source in files("policies").iterdir():
        if source.name.endswith(".yaml"):
            (policies / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    _answers(run, "truce check", (*truce, "check", "--offline", "policies"), 400.0, repeats)
    _daemon(run, truce, run.sized(5, 1))
    _first_plan(run, truce)


def _answers(run: Run, what: str, command: Sequence[str], most: float | None, repeats: int) -> None:
    taken = []
    for number in range(repeats + 1):
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False, cwd=run.folder)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()}")
        if number:
            taken.append((time.perf_counter() - started) * 1e3)
    run.add("G18", f"{what}: first answer and end", statistics.median(taken), " ms", most=most, aside=spread(taken))


def _daemon(run: Run, truce: Sequence[str], repeats: int) -> None:
    """From its start until it tells its supervisor that it is ready."""
    taken = []
    with practice_with(100, run.folder / "daemon", clock="real") as (_, setting):
        config = setting.write_config()
        for _ in range(repeats):
            with Supervised([*truce, "--config", str(config), "run"], run.folder) as daemon:
                taken.append(daemon.seconds_until_ready)
    run.add("G18", "the daemon is ready", statistics.median(taken), " s", most=1.0, aside=spread(taken))


def _first_plan(run: Run, truce: Sequence[str]) -> None:
    """Two filled practice CRMs, a config and a first plan of everything that differs."""
    started = time.perf_counter()
    people = run.sized(5_000, 100)
    with practice_with(people, run.folder / "plan", clock="real") as (_, setting):
        config = setting.write_config()
        subprocess.run([*truce, "--config", str(config), "plan", "--json"], capture_output=True, check=True)
    seconds = time.perf_counter() - started
    run.add("G18", f"a first plan over {people:,} people, from nothing", seconds, " s", most=30.0)
