"""Hostile days for the real process: ``truce run`` as people start it, on real time, killed in the middle of a request.

Each turn is one life of a daemon. It starts, settles what the one before it left, works, and is ended: by SIGKILL while
a drawn request is under way, or by SIGTERM after a cycle. The world around it is the one of ``soak``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from soak import Soak

CYCLE_ENDS = frozenset({"cycle", "cycle stopped"})
DEADLY = "deadly"
UNDER_WAY_SECONDS = 0.5


class Daemon:
    """A ``truce run`` of its own process; its log is a file that is looked into."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log
        words = [sys.executable, "-m", "agent", "-c", str(config), "run", "--log-file", str(log)]
        self._process = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def events(self) -> list[str]:
        if not self._log.exists():
            return []
        whole_lines = self._log.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line)["event"] for line in whole_lines]

    @property
    def has_worked(self) -> bool:
        """It went through a cycle, or gave one up."""
        return not CYCLE_ENDS.isdisjoint(self.events())

    def must_live(self) -> None:
        assert self._process.poll() is None, f"the daemon ended by itself: {self._end()}, {self.events()}"

    def kill(self) -> None:
        self._process.kill()
        self._end()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        said = self._end()
        assert self._process.returncode == 0, f"SIGTERM ended it with {self._process.returncode}: {said}"

    def end(self) -> None:
        """Whatever happened, nothing of it stays."""
        if self._process.poll() is None:
            self.kill()

    def _end(self) -> str:
        return self._process.communicate()[1]


class DaemonSoak(Soak):
    """As ``Soak``, but every turn is the life of a real daemon, and time passes by itself."""

    clock = "real"

    def _turn(self) -> None:
        has_to_die = self.day.turns == 1 or self.rng.random() < 0.6
        if has_to_die:
            self._plan_death()
        daemon = Daemon(self.folder / "config.yaml", self.folder / f"turn-{self.day.turns}.log")
        try:
            while not daemon.has_worked and not self._is_due():
                daemon.must_live()
                os.sched_yield()
            self._finish(daemon)
        finally:
            daemon.end()

    def _plan_death(self) -> None:
        """A request that takes a while, so that the daemon dies while it is under way."""
        most = 15 if self.day.turns == 1 else 30
        nth = self.rng.randint(1, most)
        self.admin.fault(id=DEADLY, action="delay", delay_seconds=UNDER_WAY_SECONDS, nth=nth)

    def _is_due(self) -> bool:
        planned: list[dict[str, Any]] = self.admin.get("/faults")
        return any(fault["id"] == DEADLY and fault["fired"] for fault in planned)

    def _finish(self, daemon: Daemon) -> None:
        if self._is_due():
            daemon.kill()
            self.day.told["killed for real"] += 1
        else:
            daemon.stop()
            self.day.told["stopped"] += 1
        for event in CYCLE_ENDS.intersection(daemon.events()):
            self.day.told[event] += 1

    def _time_passes(self, seconds: float) -> None:
        """By itself."""

    def _night(self) -> None:
        self.time.catch_up()
        super()._night()
