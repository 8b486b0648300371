"""Memory of a cycle (goal G16): the same work over few and over many people must need the same memory, and three
hundred cycles no more than thirty.

The goal speaks of a million people and of a thousand cycles. A hundred thousand and three hundred are measured, so that
it ends within the hour even on a busy computer: what grows with every person or every cycle shows there as well.

Each size runs in a process of its own, because a process never gives everything back: the first load of both CRMs, then
a cycle in which everybody's score changed and every hundredth title is written back. ``VmHWM`` of Linux is the most
that the process ever held.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

from agent import cycle
from benchmarks.harness import Run, memory_now_mb, memory_peak_mb
from benchmarks.practice import practice_with

MOST_MB = 150.0
Peaks = dict[str, float]


def measure(run: Run) -> None:
    few, many = run.sized(10_000, 500), run.sized(100_000, 2_000)
    peaks = {size: _in_a_process(_load_and_change, run, size) for size in (few, many)}
    for size, found in peaks.items():
        aside = f"{found['imports']:.0f} MB after the imports, {found['first load']:.0f} MB after the first load"
        run.add("G16", f"peak memory of cycles over {size:,} people", found["change"], " MB", most=MOST_MB, aside=aside)
    growth = peaks[many]["change"] / peaks[few]["change"]
    run.add("G16", f"peak at {many:,} people against {few:,}", growth, "x", most=1.2)
    cycles = run.sized(300, 50)
    found = _in_a_process(_many_cycles, run, cycles)
    grown = 100 * (found["end"] / found["start"] - 1)
    aside = f"from {found['start']:.1f} to {found['end']:.1f} MB"
    run.add("G16", f"growth over {cycles:,} cycles, each with a change", grown, " %", most=5.0, aside=aside)


def _load_and_change(pipe: Any, folder: str, people: int) -> None:
    peaks = {"imports": memory_peak_mb()}
    with practice_with(people, Path(folder)) as (practice, setting), setting.open() as installation:
        cycle.run(installation)
        peaks["first load"] = memory_peak_mb()
        practice.advance(1_200)
        practice.edit("hubspot", "lead_score", "11")
        practice.edit("hubspot", "jobtitle", "Chief of {n}", count=people // 100)
        practice.advance(30)
        report = cycle.run(installation)
        if report.written != people // 100:
            raise AssertionError(f"{report.written} records written where {people // 100} had to be")
        peaks["change"] = memory_peak_mb()
    pipe.send(peaks)


def _many_cycles(pipe: Any, folder: str, cycles: int) -> None:
    """A tenth of the cycles warms up; every cycle writes one record back."""
    with practice_with(200, Path(folder)) as (practice, setting), setting.open() as installation:
        found = {}
        for number in range(cycles):
            practice.edit("hubspot", "jobtitle", f"Chief {number}", first=number % 200, count=1)
            practice.advance(60)
            cycle.run(installation)
            if number == cycles // 10:
                found["start"] = memory_now_mb()
        found["end"] = memory_now_mb()
    pipe.send(found)


def _in_a_process(work: Any, run: Run, size: int) -> Peaks:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    folder = run.folder / f"{work.__name__}-{size}"
    process = context.Process(target=work, args=(theirs, str(folder), size))
    process.start()
    theirs.close()
    try:
        found: Peaks = ours.recv()
    except EOFError:
        raise RuntimeError(f"the process measuring {size:,} ended early") from None
    finally:
        process.join()
    run.say(f"{work.__name__[1:].replace('_', ' ')}: {size:,} done")
    return found
