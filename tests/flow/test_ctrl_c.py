"""Ctrl-C with calls under way. The first is polite: what is under way is settled, then it stops and says how to go on.
The second is at once, and the next start settles what was left. Real processes; the vendor is slow until its clock is
put forward."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import small_slices
from daemon_stage import Home
from small_slices import AT_ONCE

from agent.wiring.opening import LEDGER, look_at_ledger
from connectors.emulator.serve import Emulator

PEOPLE = 10
HOUR = 3600
AT_THE_END = 20
"""Seconds that a process may take for its end: far less than the vendor takes for an answer."""


class SmallCalls(Home):
    """Ten people are ten calls."""

    @property
    def words(self) -> list[str]:
        return [sys.executable, small_slices.__file__, "-c", str(self.config)]


@dataclass(frozen=True)
class Work:
    """A command that writes to HubSpot, ready to be started. ``alone``: its calls before the first wave of several."""

    home: SmallCalls
    words: tuple[str, ...]
    alone: int
    begun_with: int
    wanted: str

    def start(self) -> subprocess.Popen[str]:
        """Until a wave is under way; no answer of it comes before the emulator's clock is an hour on."""
        self.home.admin.fault(
            system="hubspot", method="POST", route="*/batch/update", nth=self.alone + 1, times="always",
            action="delay", delay_seconds=HOUR,
        )  # fmt: skip
        process = self.home.start(*self.words, "--json")
        while len(self.home.admin.get("/faults")[0]["fired"]) < AT_ONCE:
            assert process.poll() is None, process.communicate()
        self.home.admin.delete("/faults")  # for the calls to come; these still wait
        return process

    def let_answer(self) -> None:
        self.home.admin.post("/clock/advance", seconds=HOUR)

    def writes(self) -> list[str]:
        """Records of HubSpot written since it began, one by one."""
        audit = [line for line in self.home.admin.audit() if line["system"] == "hubspot" and line["op"] == "update"]
        return [str(line["id"]) for line in audit if line["cause"] == "api"][self.begun_with :]

    def states(self) -> Counter[str]:
        """Of the batch it writes, and of the one before it where that was an earlier slice."""
        ledger = look_at_ledger(self.home.folder / "state" / LEDGER)
        try:
            entries = ledger.entries()[self.begun_with :]
            return Counter(entry.state.value for entry in entries)
        finally:
            ledger.close()

    def is_done_once(self) -> bool:
        written = self.writes()
        table = self.home.admin.get("/snapshot?only=values")["hubspot"]["contacts"]
        assert {row["jobtitle"] for row in table.values()} == {self.wanted}
        return len(written) == len(set(written)) == PEOPLE


@pytest.fixture
def home(emulator: Emulator, tmp_path: Path) -> Iterator[SmallCalls]:
    home = SmallCalls(tmp_path, emulator)
    home.people(PEOPLE)
    yield home
    home.close()


def an_apply(home: SmallCalls) -> Work:
    home.go_live()
    return Work(home, ("apply", home.json("plan")["plan"]), 2, 0, "CEO")


def an_align(home: SmallCalls) -> Work:
    home.json("align")
    home.json("align", "suggested")
    return Work(home, ("align", "apply"), 1, 0, "CEO")


def a_rollback(home: SmallCalls) -> Work:
    work = an_apply(home)
    batch = home.json(*work.words)["batch"]
    home.admin.post("/clock/advance", seconds=HOUR)
    return Work(home, ("rollback", batch, "--apply"), 1, PEOPLE, "boss")


every_command = pytest.mark.parametrize("command", [an_apply, an_align, a_rollback])


def answer(process: subprocess.Popen[str]) -> Any:
    """What a command that was stopped has to say, as its JSON."""
    out, err = process.communicate(timeout=AT_THE_END)
    assert (process.returncode, "Traceback" in err) == (130, False), (out, err)
    return json.loads(out)["error"]


def press(process: subprocess.Popen[str]) -> None:
    """Ctrl-C, and wait until it is noticed."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "once more stops at once" in process.stderr.readline()


def repeat(home: SmallCalls, error: Any) -> Any:
    """Do what it says is next."""
    program, *words = shlex.split(error["next"])
    assert (program, words[:2]) == ("truce", ["-c", str(home.config)])
    return home.truce(*words[2:])


@every_command
def test_the_first_ctrl_c_settles_what_is_under_way_and_sends_nothing_more(home: SmallCalls, command: Any) -> None:
    work = command(home)
    process = work.start()
    press(process)
    work.let_answer()
    error = answer(process)
    assert "nothing is half written" in error["what"]
    assert len(work.writes()) == work.alone + AT_ONCE
    states = work.states()
    assert (states["confirmed"], states["intended"] + states["unknown"]) == (work.alone + AT_ONCE, 0)
    assert repeat(home, error).code == 0
    assert work.is_done_once()


@every_command
@pytest.mark.parametrize("lands", ["before the next start", "after it"])
def test_the_second_ctrl_c_waits_for_nothing_and_loses_nothing(home: SmallCalls, command: Any, lands: str) -> None:
    work = command(home)
    process = work.start()
    press(process)
    process.send_signal(signal.SIGINT)
    error = answer(process)
    assert "whatever was sent is recorded" in error["why"]
    states = work.states()
    assert (states["confirmed"], states["intended"]) == (work.alone, AT_ONCE)
    if lands == "after it":
        repeat(home, error)
    work.let_answer()
    for _ in range(3):
        repeat(home, error)
        home.truce("run", "--once")
        home.admin.post("/clock/advance", seconds=HOUR)
    assert work.is_done_once()
    assert set(work.states()) == {"confirmed"}
