"""A daemon with nothing to do (goal G17): the memory it holds and the share of a core it takes.

The real command, once a minute against practice CRMs on the real clock. The shipped policies watch five object types.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.harness import Run, memory_now_mb
from benchmarks.practice import practice_with
from benchmarks.supervised import Supervised

PEOPLE = 1_000
SETTLED_SECONDS = 15
"""After the first cycle, which loads both CRMs."""


def measure(run: Run) -> None:
    seconds = run.sized(300, 10)
    truce = Path(sys.executable).with_name("truce")
    with practice_with(run.sized(PEOPLE, 50), run.folder / "idle", clock="real") as (_, setting):
        command = [str(truce), "--config", str(setting.write_config()), "run"]
        with Supervised(command, run.folder) as daemon:
            time.sleep(SETTLED_SECONDS)
            before, started = daemon.cpu_seconds(), time.monotonic()
            run.say(f"watching the daemon for {seconds} seconds")
            time.sleep(seconds)
            share = 100 * (daemon.cpu_seconds() - before) / (time.monotonic() - started)
            memory = memory_now_mb(daemon.pid)
    run.add("G17", "memory of the idle daemon", memory, " MB", most=100.0)
    run.add("G17", "share of one core, asking every minute", share, " %", most=0.3, aside=f"over {seconds} seconds")
