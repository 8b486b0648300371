"""Play a scenario with one fault, restart, let it run, and hold the result against the emulator's audit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from breaking import Killed, Place, Power, powered
from invariants import AuditLine, assert_at_rest, assert_invariants
from scenarios import Scenario, order, retry, several_cycles, undone
from small_world import ALLOWED, Colleagues, Site, Time, fill, fill_more, opened, write_setting
from victim import Victims

from agent import cycle, failures
from agent.changes import State
from agent.errors import TruceError
from agent.installation import Installation
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator

CYCLES_TO_REST = 3
ROUNDS_OF_APPROVAL = 3
"""A new company, then its people, then their stage: each is proposed only when the one before it was written."""


@dataclass(frozen=True)
class Stage:
    """A scenario ready to be played: the world and the installation's folder as they stand before ``act``."""

    scenario: Scenario
    world: Mapping[str, Any]
    folder: Path
    audit: tuple[AuditLine, ...]
    before: Mapping[str, Any]
    """As ``Played.end``."""


@dataclass
class Played:
    """What came of it. ``error`` is what a person saw; ``end`` the named fields of every live record."""

    error: TruceError | None = None
    was_killed: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    acted: dict[str, int] = field(default_factory=dict)
    """As ``counts``, when the work was done: what follows only counts calls, which nobody needs to be told about."""
    writing_calls: list[int] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    states: set[State] = field(default_factory=set)
    fired: int = 0
    """How often the planned fault really happened: a sweep of faults that never fire would prove nothing."""
    refused: int = 0
    """Writes that a vendor had refused and that still stood after the restart."""


def differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Empty when both hold the same of every live record."""
    return "; ".join(
        f"{place}: {here[place]} instead of {there[place]}" for place in there if here[place] != there[place]
    )


class Theatre:
    """The running emulator with the stages of all scenarios.

    ``more_people``: pairs beside those of the small world, so that there is something to write side by side. With
    ``undoes`` everything a run wrote is rolled back in the end.
    """

    def __init__(
        self, emulator: Emulator, folder: Path, *, parallel_calls: int = 0, records_a_call: int = 1,
        more_people: int = 0, undoes: bool = False, as_app: bool = False,
    ) -> None:  # fmt: skip
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self.folder = folder
        self.more_people = more_people
        self.undoes = undoes
        self.site = Site(
            emulator.salesforce_url, emulator.hubspot_url, emulator.admin_url, emulator.credentials, parallel_calls,
            records_a_call, as_app,
        )  # fmt: skip
        self._stages: dict[str, Stage] = {}
        self._plain: dict[tuple[str, bool], Played] = {}

    def stage(self, scenario: Scenario) -> Stage:
        if scenario.name not in self._stages:
            self._stages[scenario.name] = self._build(scenario)
        return self._stages[scenario.name]

    def _build(self, scenario: Scenario) -> Stage:
        self.emulator.renew(Options(clock="virtual"))
        colleagues, folder = Colleagues(self.admin), self.folder / scenario.name
        made = fill(colleagues)
        fill_more(colleagues, self.more_people)
        time = Time(self.admin)
        time.wait(3600)
        write_setting(folder, self.site, mode=scenario.mode)
        with opened(self.site, folder, time) as installation:
            scenario.prepare(installation, colleagues, made, time)
        return Stage(scenario, self.admin.get("/snapshot"), folder, tuple(self.admin.audit()), self.values())

    @contextmanager
    def set(self, scenario: Scenario, place: Path) -> Iterator[tuple[Stage, Path, Time]]:
        """The world and a copy of the folder as the scenario begins."""
        stage = self.stage(scenario)
        self.emulator.renew(Options(clock="virtual"))
        self.admin.put("/snapshot", stage.world)
        folder = place / "installation"
        shutil.copytree(stage.folder, folder)
        try:
            yield stage, folder, Time(self.admin)
        finally:
            shutil.rmtree(folder)

    def play(
        self, scenario: Scenario, place: Path, *, cut_at: Place | None = None, fault: Mapping[str, Any] | None = None,
        disk: AbstractContextManager[None] | None = None, bad_row_in: int | None = None, retries: bool = False,
    ) -> Played:  # fmt: skip
        """One fault during ``act``, then a restart without faults; every promise is checked.

        In the ``bad_row_in``-th writing call the vendor refuses one row. With ``retries`` a person asks for what a
        vendor refused once more, after the restart.
        """
        with self.set(scenario, place) as (stage, folder, time):
            if fault is not None:
                self.admin.fault(**fault)
            played = Played()
            power = Power(cut_at, before_writing=partial(self.refuse_a_row, bad_row_in))
            with powered(power, folder / "state" / "ledger.db"), disk or nullcontext():
                try:
                    with opened(self.site, folder, time) as installation:
                        scenario.act(installation)
                        played.acted = dict(power.counts)
                except Killed:
                    played.was_killed = True
                except TruceError as error:
                    played.error = error
            played.counts, played.writing_calls = power.counts, power.writing_calls
            played.fired = sum(each["fired_count"] for each in self.admin.get("/faults"))
            self.admin.delete("/faults")
            self.recover(stage, folder, time, played, retries=retries)
            return played

    def refuse_a_row(self, wanted: int | None, nth: int, method: str, url: str) -> None:
        """Of this writing call: the fault waits for the next call to the same place."""
        if nth == wanted:
            self.admin.fault(action="bad_row", method=method, route=urlsplit(url).path)

    def kill(self, victims: Victims, scenario: Scenario, place: Path, cut_at: Place) -> Played:
        """As ``play`` with ``cut_at``, but the process is a real one and really killed."""
        with self.set(scenario, place) as (stage, folder, time):
            played = Played(was_killed=victims.play(scenario.name, folder, cut_at))
            time.catch_up()
            self.recover(stage, folder, time, played)
            return played

    def recover(self, stage: Stage, folder: Path, time: Time, played: Played, *, retries: bool = False) -> None:
        """Start again, as many cycles as promised, then look at everything."""
        with opened(self.site, folder, time) as installation:
            if played.was_killed or played.error is not None:
                stage.scenario.again(installation)
            several_cycles(installation, time, CYCLES_TO_REST)
            if retries:
                played.refused = len(list(failures.standing(installation)))
                retry(installation)
                for _ in range(ROUNDS_OF_APPROVAL):
                    several_cycles(installation, time, CYCLES_TO_REST)
                    stage.scenario.again(installation)
                several_cycles(installation, time, CYCLES_TO_REST)
            self.check(stage, installation)
            played.end = self.values()
            if self.undoes and stage.scenario.name != "rollback":
                self.undo(stage, installation, time)
            played.states = {entry.state for entry in installation.ledger.entries()}

    def undo(self, stage: Stage, installation: Installation, time: Time) -> None:
        """Whatever came of it by now can be undone to what was there before."""
        order(installation, "rollback", batches=undone(installation))
        several_cycles(installation, time, CYCLES_TO_REST)
        self.check(stage, installation)
        assert not (difference := differing(self.values(), stage.before)), difference

    def check(self, stage: Stage, installation: Installation) -> None:
        before = self.admin.get("/health")["last_seq"]
        last_entry = installation.ledger.last_seq
        cycle.run(installation)
        audit = [*stage.audit, *self.admin.audit()]
        assert self.admin.get("/health")["last_seq"] == before, "a cycle after the third still writes"
        assert installation.ledger.last_seq == last_entry, "a cycle after the third still records"
        assert_invariants(audit, installation.ledger, allowed=ALLOWED)
        assert_at_rest(installation)
        assert self.emulator.practice.failures == []

    def undisturbed(self, scenario: Scenario, place: Path, *, retries: bool = False) -> Played:
        """The run that every disturbed one must come to the same end as."""
        known = (scenario.name, retries)
        if known not in self._plain:
            self._plain[known] = self.play(scenario, place, retries=retries)
        return self._plain[known]

    def values(self) -> dict[str, Any]:
        """{system and object: the named fields of every live record, sorted}: what two runs are compared by."""
        found: dict[str, Any] = {}
        for system, tables in self.admin.get("/snapshot?only=values").items():
            for object_type, rows in tables.items():
                named = sorted(ALLOWED.get((system, object_type), set()) - {"truce_key"})
                if named:
                    kept = [{name: row.get(name) for name in named} for row in rows.values()]
                    found[f"{system} {object_type}"] = sorted(kept, key=str)
        return found
