"""A demo that does not come to its end leaves nothing running, and two never meet in one folder."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import click
import pytest

from agent.cli import truce
from agent.cli.advice import run_with_advice
from agent.demo import practice
from agent.demo.words import Teller
from agent.errors import Interrupted, TruceError, UsageError


def begin(folder: Path) -> int:
    """The practice CRMs, empty, in a process of their own; returns its id."""
    return practice.start(folder, contacts=0, companies=0, seed=1).pid


def is_running(pid: int) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""  # it is empty once it ended


def test_an_error_ends_the_practice_crms(tmp_path: Path) -> None:
    def failing(folder: Path) -> None:
        with practice.stopped_on_failure(folder, again="truce demo"):
            begun.append(begin(folder))
            raise TruceError("a defect")

    begun: list[int] = []
    with pytest.raises(TruceError, match="a defect"):
        failing(tmp_path)
    assert [is_running(pid) for pid in begun] == [False]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_them_too(tmp_path: Path, number: int) -> None:
    def interrupted(folder: Path) -> None:
        with practice.stopped_on_failure(folder, again="truce demo"):
            begun.append(begin(folder))
            os.kill(os.getpid(), number)

    begun: list[int] = []
    with pytest.raises(Interrupted, match="the practice CRMs with it") as told:
        interrupted(tmp_path)
    assert ([is_running(pid) for pid in begun], told.value.next_step) == ([False], "truce demo")


def test_a_demo_that_was_killed_while_it_started_is_known_by_its_pid(tmp_path: Path) -> None:
    pid = begin(tmp_path)
    (tmp_path / practice.MARKER).write_text(json.dumps({"pid": pid}))
    assert (practice.stop(tmp_path), is_running(pid)) == (True, False)


@pytest.mark.parametrize("marker", ["", "{}", "[]", '{"pid": "x"}', "\x00"])
def test_a_broken_marker_is_no_demo(tmp_path: Path, marker: str) -> None:
    (tmp_path / practice.MARKER).write_text(marker)
    assert practice.stop(tmp_path) is False


def test_two_demos_never_meet_in_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with practice.alone(tmp_path):
        (tmp_path / practice.MARKER).write_text("{}")
        assert run_with_advice(truce, ["demo", "--folder", str(tmp_path)]) == 2
        said = capsys.readouterr()
        assert (said.out, "Another demo is being told" in said.err) == ("", True)
        assert (tmp_path / practice.MARKER).exists(), "the other demo's files are still there"
    with practice.alone(tmp_path):
        practice.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    with pytest.raises(UsageError, match="is not a folder"), practice.alone(tmp_path / "demo"):
        pass


def test_ctrl_c_between_two_acts_is_not_any_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "getchar", lambda: "\x03")
    tell = Teller(step=True)
    tell.act(1, "ONE")
    with pytest.raises(KeyboardInterrupt):
        tell.act(2, "TWO")
