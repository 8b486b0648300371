"""What every benchmark shares: figures beside their goals, and measures taken in turn within one run.

A ratio between two subjects measured alternately survives a change of machine and a busy neighbour; an absolute figure
does not. So subjects take turns, seconds are seconds of this process's own work (``time.process_time``) unless a
benchmark says otherwise, and the median of the repeats counts.
"""

from __future__ import annotations

import gc
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Measure = Callable[[], Any]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``goal`` is G1 to G20; without ``least`` and ``most`` it only informs."""

    goal: str
    what: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    aside: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached; a figure that only informs always is."""
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    @property
    def target(self) -> str:
        """The goal in words: ``>= 2``, ``<= 10 ms``; empty when there is none."""
        bounds = [(">=", self.least), ("<=", self.most)]
        return " and ".join(f"{sign} {spoken(bound)}{self.unit}" for sign, bound in bounds if bound is not None)

    def as_json(self) -> dict[str, Any]:
        return {
            "goal": self.goal,
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "at_least": self.least,
            "at_most": self.most,
            "met": self.is_met,
            "aside": self.aside,
        }


@dataclass(slots=True)
class Run:
    """One run of one benchmark: says how far it is, keeps what came out."""

    name: str
    folder: Path
    is_quick: bool = False
    figures: list[Figure] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Progress, to the error stream so that the figures stay alone on the other."""
        sys.stderr.write(f"  {self.name}: {text}\n")
        sys.stderr.flush()

    def add(self, goal: str, what: str, value: float, unit: str = "", **more: Any) -> None:
        """Note a figure and show it at once."""
        figure = Figure(goal, what, value, unit, **more)
        self.figures.append(figure)
        print(line_of(figure), flush=True)

    def sized(self, full: int, quick: int) -> int:
        """How much to do: ``quick`` is only for finding out whether the benchmark still works."""
        return quick if self.is_quick else full

    def in_turn(
        self,
        subjects: Mapping[str, Measure],
        *,
        repeats: int = 5,
        warm_up: bool = True,
        clock: Clock = time.process_time,
    ) -> dict[str, list[float]]:
        """Seconds of each subject per repeat; every repeat measures all of them, each time another one first."""
        names = list(subjects)
        found: dict[str, list[float]] = {name: [] for name in names}
        for number in range(-1 if warm_up else 0, self.sized(repeats, 1)):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                seconds = timed(subjects[name], clock)
                if number >= 0:
                    found[name].append(seconds)
            self.say("warm" if number < 0 else f"repeat {number + 1} of {self.sized(repeats, 1)}")
        return found


def timed(work: Measure, clock: Clock = time.process_time) -> float:
    """Seconds that ``work`` takes, with nobody else's garbage in it."""
    gc.collect()
    started = clock()
    work()
    return clock() - started


def ratio(better: Sequence[float], worse: Sequence[float]) -> float:
    """How often the first fits into the second: the median over the repeats, pair by pair."""
    return statistics.median(there / here for here, there in zip(better, worse, strict=True))


def spread(values: Sequence[float], unit: str = "") -> str:
    """``median (lowest-highest)``."""
    lowest, highest = spoken(min(values)), spoken(max(values))
    return f"{spoken(statistics.median(values))} ({lowest}-{highest}){unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spoken(value: float) -> str:
    """As people write it: 18,400 or 0.82."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line_of(figure: Figure) -> str:
    """One line for people."""
    verdict = "" if not figure.target else ("met" if figure.is_met else "MISSED")
    value = f"{spoken(figure.value)}{figure.unit}"
    aside = f"   {figure.aside}" if figure.aside else ""
    return f"{figure.goal:4}{figure.what:58}{value:>14}   {figure.target:22}{verdict:7}{aside}".rstrip()


def memory_peak_mb(pid: int | str = "self") -> float:
    """Most memory a process ever held, in MB (``VmHWM`` of Linux)."""
    return _status_mb(pid, "VmHWM")


def memory_now_mb(pid: int | str = "self") -> float:
    """Memory a process holds now, in MB (``VmRSS`` of Linux)."""
    return _status_mb(pid, "VmRSS")


def forget_memory_peak() -> None:
    """Start counting this process's peak anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status_mb(pid: int | str, name: str) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{name}:\s+(\d+) kB", text)
    if found is None:
        raise OSError(f"this system does not tell {name}")
    return int(found[1]) / 1024


def machine() -> dict[str, str]:
    """Where and when this ran: figures of another machine are not comparable."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))):
        model = found[1]
    busy = f"load {os.getloadavg()[0]:.1f} at the start"
    return {
        "day": datetime.fromtimestamp(time.time(), UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {model}",
        "python": platform.python_version(),
        "load": busy,
    }
