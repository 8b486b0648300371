"""Bad weather for the daemon's tests: a vendor that refuses or loses calls for five minutes, on a clock in hand.

The daemon has the real clients and both practice CRMs. Its turns are made when they are due, and between two of them
somebody gives an order and the daemon glances. What left for the vendor is read in the emulator's journal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from daemon_stage import HandScheduler
from flow_stage import ANNA, Pair, Stage

from agent.daemon.daemon import Daemon
from agent.policy_files.policy_files import FolderWatch
from agent.policy_files.source import PolicySource
from agent.wiring.opening import reload_policies, take_last_good

LASTS = 300.0
"""Seconds of a storm."""
CYCLE = 60.0
"""Seconds from one cycle to the next while all is well."""

WRITES: Mapping[str, dict[str, Any]] = {
    "salesforce": {"method": "PATCH"},
    "hubspot": {"method": "POST", "route": "*/batch/update"},
}
"""The calls that write, where each carries one record."""


@dataclass(frozen=True)
class Storm:
    """What a vendor answers to each call for five minutes; ``asks``: the pause it asks for, in seconds."""

    name: str
    system: str
    fault: Mapping[str, Any]
    asks: float = 0.0

    def __str__(self) -> str:
        return f"{self.system}-{self.name}"

    @property
    def ideal(self) -> int:
        """Calls of somebody who does not know how long it lasts: one a try, the first at once, then after pauses that
        double from five seconds to five minutes, or of the length asked for where that is longer."""
        tries, at, pause = 0, 0.0, 5.0
        while at < LASTS:
            tries += 1
            at += max(pause, self.asks)
            pause = min(2 * pause, 300.0)
        return tries


@dataclass
class Weather:
    """One daemon, its vendors, and the time between its turns."""

    stage: Stage
    scheduler: HandScheduler = field(default_factory=HandScheduler)
    daemon: Daemon = field(init=False)
    turned_away: int = 0
    """Orders answered with "left alone until …"."""

    def __post_init__(self) -> None:
        installation = self.stage.installation
        assert self.stage.parallel_calls is not None, "so many may be under way when the storm begins"
        source = PolicySource(FolderWatch(self.stage.folder / "policies"), reload_policies, take_last_good)
        self.daemon = Daemon(
            installation, source, scheduler=self.scheduler, seconds=lambda: self.now.timestamp(), pid=os.getpid()
        )
        installation.stop = self.daemon._gives_way
        salesforce: Any = installation.connectors["salesforce"]
        hubspot: Any = installation.connectors["hubspot"]
        salesforce._capabilities = replace(salesforce.capabilities, write_chunk=1, conditional_chunk=1)
        hubspot.capabilities = replace(hubspot.capabilities, write_chunk=1)

    @property
    def now(self) -> datetime:
        return self.stage.clock.now()

    @property
    def due(self) -> datetime:
        """When the next turn is."""
        return self.scheduler.next_run.get("cycle", self.now)

    def wait_until(self, moment: datetime) -> None:
        if moment > self.now:
            self.stage.advance((moment - self.now).total_seconds())

    def live(self, seconds: float, *, orders: bool = False) -> None:
        """Turns when they are due; with ``orders`` somebody wants a plan in every pause of a breaker."""
        end = self.now + timedelta(seconds=seconds)
        while self.due < end:
            if orders:
                self._ask_in_between(end)
            self.wait_until(self.due)
            self.turn()
        if orders:
            self._ask_in_between(end)
        self.wait_until(end)

    def turn(self) -> None:
        self.daemon.turn()
        assert self.due > self.now, "the next turn is due at once, however it went"

    def _ask_in_between(self, end: datetime) -> None:
        breaker = self.daemon.health.breaker
        self.wait_until(min(end, self.now + (self.due - self.now) / 2))
        if not breaker.leaves_alone(self.now):
            return
        calls = self.calls(breaker.system)
        number = self.order("plan", policies=[])
        self.daemon.glance()
        answer = self.stage.installation.commands.collect(number) or {}
        assert "left alone until" in answer.get("error", {}).get("what", ""), answer
        assert self.calls(breaker.system) == calls, "a call while the breaker is open"
        self.turned_away += 1

    def order(self, kind: str, **body: Any) -> int:
        return self.stage.installation.commands.queue(kind, body, ANNA)

    def calls(self, system: str, since: int = 0) -> int:
        """Calls that arrived at the vendor, answered or not."""
        return sum(call["system"] == system for call in self.stage.admin.get(f"/journal?since={since}"))

    @contextmanager
    def storm(self, storm: Storm, only: Mapping[str, Any] | None = None) -> Iterator[list[int]]:
        """From now on until the end of the block; the list is given the number of calls that met it, then."""
        met: list[int] = []
        fault = {"action": "status", **storm.fault, **(only or {})}
        name = self.stage.admin.fault(system=storm.system, times="always", **fault)["id"]
        yield met
        [found] = [each for each in self.stage.admin.get("/faults") if each["id"] == name]
        met.append(found["fired_count"])
        self.stage.admin.delete(f"/faults/{name}")


def to_be_written(stage: Stage, people: list[Pair], system: str) -> None:
    """Somebody edits the other side of each."""
    for pair in people:
        if system == "hubspot":
            stage.edit(pair.contact, Title="CFO")
        else:
            stage.edit(pair.hub, phone="2")
    stage.advance(700)


def held(stage: Stage, people: list[Pair], system: str) -> list[object]:
    return [stage.value(pair.hub, "jobtitle") if system == "hubspot" else stage.value(pair.contact, "Phone")
            for pair in people]  # fmt: skip
