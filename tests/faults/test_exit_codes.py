"""What the command line says when something is wrong: each code of docs/errors.md with its message, through ``truce``.

The words are part of it: what happened, and what to do next, never a traceback.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from breaking import full_disk
from small_world import ANNA, Colleagues, config_of, fill, write_setting
from sweep import Theatre
from test_memory import alter

from agent.cli import truce
from agent.cli.advice import run_with_advice
from agent.errors import Interrupted
from agent.lock import WriterLock
from agent.orders.orders import ORDERS
from agent.wiring.opening import open_installation
from connectors.emulator.practice import Options

BAD_ROWS = {
    "status": "COMPLETE",
    "results": [],
    "numErrors": 1,
    "errors": [{"status": "error", "category": "VALIDATION_ERROR", "message": "Property values were not valid"}],
}


@dataclass
class Terminal:
    """``truce`` in a folder; answers (exit code, everything it said)."""

    folder: Path
    theatre: Theatre
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str]:
        self.capture.readouterr()
        code = run_with_advice(truce, ["--config", str(self.folder / "config.yaml"), *words])
        said = self.capture.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out + said.err

    def plan(self) -> str:
        code, said = self("plan")
        assert code == 0, said
        found = re.search(r"truce apply (P-\d+)", said)
        assert found, said
        return found.group(1)

    @property
    def ledger(self) -> Path:
        return self.folder / "state" / "ledger.db"


@pytest.fixture
def terminal(theatre: Theatre, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    """Both CRMs on the real clock, for ``truce`` paces itself by this computer's."""
    theatre.emulator.renew(Options(clock="real"))
    fill(Colleagues(theatre.admin))
    theatre.admin.post("/clock/advance", seconds=3600)  # past any lag of HubSpot's search
    folder = tmp_path / "installation"
    write_setting(folder, theatre.site)
    config = folder / "config.yaml"
    settings = {**yaml.safe_load(config.read_text()), "people": {getpass.getuser(): ANNA}}
    config.write_text(yaml.safe_dump(settings))
    yield Terminal(folder, theatre, capsys)
    theatre.admin.delete("/faults")


def test_0_done_and_20_there_is_something_to_write(terminal: Terminal) -> None:
    assert terminal("plan", "--detailed-exitcode")[0] == 20
    assert terminal("run", "--once")[0] == 0


def test_1_a_full_disk(terminal: Terminal) -> None:
    terminal.plan()
    with full_disk("ledger", 3, lasts=True):
        code, said = terminal("run", "--once")
    assert (code, "cannot be written, so nothing more is sent" in said) == (1, True)


def test_2_a_name_that_does_not_exist_and_a_broken_policy(terminal: Terminal) -> None:
    terminal.plan()
    code, said = terminal("apply", "P-99")
    assert (code, "P-99" in said) == (2, True)
    (terminal.folder / "policies" / "person.yaml").write_text("policy: [")
    code, said = terminal("check")
    assert (code, "person.yaml:1" in said) == (2, True)


def test_3_rows_the_vendor_refused(terminal: Terminal) -> None:
    plan = terminal.plan()
    terminal.theatre.admin.fault(action="status", status=207, body=BAD_ROWS, system="hubspot", route="*/batch/update")
    code, said = terminal("apply", plan)
    assert code == 3, said
    assert "written" in said


def test_4_a_list_that_waits_for_a_person(terminal: Terminal) -> None:
    limits = terminal.folder / "policies" / "limits.yaml"
    limits.write_text(limits.read_text().replace("records: 200", "records: 1"))
    code, said = terminal("apply", terminal.plan())
    assert code == 4, said
    assert "truce approve B-" in said


def test_5_another_account(terminal: Terminal) -> None:
    terminal.plan()
    settings = terminal.theatre.emulator.world.spaces["hubspot"].settings
    settings["portal_id"] = int(settings["portal_id"]) + 1
    code, said = terminal("run", "--once")
    assert (code, "Another HubSpot account answers" in said, "truce doctor" in said) == (5, True, True)


def test_6_a_plan_that_was_used(terminal: Terminal) -> None:
    plan = terminal.plan()
    assert terminal("apply", plan)[0] == 0
    code, said = terminal("apply", plan)
    assert (code, "applied already" in said, "truce plan" in said) == (6, True, True)


def test_10_no_ledger(terminal: Terminal) -> None:
    assert terminal("status")[0] == 10


def test_11_another_writer(terminal: Terminal) -> None:
    terminal.plan()
    with WriterLock.take(terminal.folder / "state" / "writer.lock", {"pid": 4711, "command": "truce run"}):
        code, said = terminal("run")
    assert (code, "pid 4711" in said, "truce status" in said) == (11, True, True)


def test_12_an_altered_ledger(terminal: Terminal) -> None:
    terminal.plan()
    alter(terminal.ledger, "UPDATE events SET subject = 'somebody else'")
    for words in (("ledger", "verify"), ("run", "--once")):
        code, said = terminal(*words)
        assert (code, "was altered" in said) == (12, True), said


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"action": "status", "status": 401}, 13, "truce doctor"),
        ({"action": "drop_before"}, 14, "HubSpot"),
        ({"action": "status", "status": 429}, 14, "HubSpot cannot answer now"),
        ({"action": "status", "status": 500}, 14, "HubSpot cannot answer now"),
        ({"action": "html_200"}, 14, "cannot be trusted"),
        ({"action": "truncate"}, 14, "HubSpot"),
    ],
    ids=["401", "down", "429", "500", "html", "cut off"],
)
def test_13_and_14_a_vendor_that_refuses_us_or_is_down(
    terminal: Terminal, fault: dict[str, Any], code: int, words: str
) -> None:
    """Down at the start and in the middle; the next run goes on."""
    terminal.theatre.admin.fault(system="hubspot", times="always", **fault)
    found, said = terminal("run", "--once")
    assert (found, words in said) == (code, True), said
    terminal.theatre.admin.delete("/faults")
    terminal.theatre.admin.fault(system="hubspot", times="always", nth=6, **fault)
    found, said = terminal("run", "--once")
    assert (found, words in said) == (code, True), said
    terminal.theatre.admin.delete("/faults")
    assert terminal("run", "--once")[0] == 0


def test_130_stopped_between_two_writes_it_goes_on_with_the_same_command(terminal: Terminal) -> None:
    plan = terminal.plan()
    with open_installation(config_of(terminal.folder)) as installation:
        installation.stop = lambda: True
        with pytest.raises(Interrupted) as stopped:
            ORDERS["apply"](installation, {"plan": plan}, ANNA, lambda done, total: None)
    assert stopped.value.exit_code == 130
    assert stopped.value.next_step
    code, said = terminal("apply", plan)
    assert code == 0, said
