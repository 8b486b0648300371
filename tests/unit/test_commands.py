"""Orders to a running daemon: taken once, rollbacks first, answered even when the daemon died."""

from __future__ import annotations

from pathlib import Path

import pytest
from recording import Watch, open_ledger

from agent.orders.commands import Command, Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(open_ledger(tmp_path).store, Watch())


def test_an_order_goes_from_one_process_to_the_other(commands: Commands, tmp_path: Path) -> None:
    line = Commands(open_ledger(tmp_path).store, Watch())
    number = line.queue("approve", {"batch": "B-3", "count": 12}, "anna")
    assert line.collect(number) is None
    taken = commands.next()
    assert taken == Command(number, "approve", {"batch": "B-3", "count": 12}, "anna")
    assert line.collect(number) is None
    commands.report(number, {"done": 3, "of": 12})
    assert line.progress(number) == {"done": 3, "of": 12}
    commands.finish(number, {"written": 12})
    assert line.collect(number) == {"written": 12}
    assert line.collect(number) is None


def test_rollbacks_come_first_then_in_order(commands: Commands) -> None:
    for kind in ("plan", "approve", "rollback", "rollback"):
        commands.queue(kind, {}, "anna")
    order = [commands.next() for _ in range(4)]
    assert [(c.kind, c.id) for c in order if c] == [("rollback", 3), ("rollback", 4), ("plan", 1), ("approve", 2)]
    assert commands.next() is None


def test_a_waiting_order_of_a_kind_is_seen(commands: Commands) -> None:
    commands.queue("plan", {}, "anna")
    assert not commands.has("rollback", "pause")
    commands.queue("pause", {}, "anna")
    assert commands.has("rollback", "pause")
    assert commands.has("plan")
    while commands.next() is not None:
        pass
    assert not commands.has("rollback", "pause", "plan")


def test_an_order_a_dead_daemon_had_begun_ends_with_an_error(commands: Commands) -> None:
    first, second = commands.queue("apply", {}, "anna"), commands.queue("plan", {}, "anna")
    commands.next()
    assert commands.close_interrupted() == 1
    result = commands.collect(first)
    assert result is not None
    assert result["error"]["kind"] == "Interrupted"
    taken = commands.next()
    assert taken is not None
    assert taken.id == second


def test_asking_for_what_was_never_ordered(commands: Commands) -> None:
    assert commands.collect(99) is None
    assert commands.progress(99) is None
