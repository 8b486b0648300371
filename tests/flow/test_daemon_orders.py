"""Commands beside a running daemon: the same answers as without one, an undo first, and no silence when it dies."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_stage import Answer, Bench, Home, Running

from agent.daemon.daemon import Daemon
from agent.orders.commands import Commands
from agent.wiring.opening import open_queue
from connectors.emulator.serve import Emulator

VOLATILE = {"opened_at", "closed_at", "expires_at", "at", "record", "values_until"}


@pytest.fixture
def home(tmp_path: Path, emulator: Emulator) -> Iterator[Home]:
    home = Home(tmp_path, emulator)
    yield home
    home.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def daemon(bench: Bench) -> Iterator[Daemon]:
    """Ready; its policy asks."""
    with bench.daemon() as daemon:
        daemon.turn()
        yield daemon


def plain(found: Any) -> Any:
    """A document without times and record ids, and with all numbers of batches and plans made equal."""
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items() if name not in VOLATILE}
    if isinstance(found, list):
        return [plain(item) for item in found]
    return re.sub(r"\b([BPER])-\d+", r"\1-n", found) if isinstance(found, str) else found


def a_day_of_orders(home: Home) -> list[tuple[str, int, Any]]:
    """Everything people order, right and wrong; what each command printed and with which code it ended."""
    said: list[tuple[str, int, Any]] = []

    def order(*words: str) -> Any:
        answer: Answer = home.truce(*words, "--json")
        said.append((plain(" ".join(words)), answer.code, plain(answer.document)))
        return answer.document

    def held() -> str:
        return next(batch["batch"] for batch in home.json("batches")["batches"] if batch["state"] == "held")

    home.people(3)
    plan = order("plan")["plan"]
    batch = order("apply", plan)["batch"]
    order("apply", plan)
    order("apply", "P-99")
    order("rollback", batch)
    order("rollback", batch, "--apply")
    order("rollback", "B-99", "--apply")
    order("pause", "person-basics")
    order("resume", "person-basics")
    order("pause", "nobody")
    contacts = home.admin.get("/snapshot?only=values")["salesforce"]["Contact"]
    first = min(contacts)
    order("freeze", f"salesforce:Contact/{first}", "job_title")
    order("freeze", f"salesforce:Contact/{first}", "job_title", "--lift")
    order("freeze", "salesforce:Contact/nobody", "job_title")
    home.person("new", "Founder", "boss")
    home.truce("run", "--once")
    order("approve", held(), "--count", "7")
    order("approve", held(), "--count", "1")
    home.person("other", "Chair", "boss")
    home.truce("run", "--once")
    order("reject", held(), "--reason", "no")
    order("review", "R-99", "--answer", "both")
    order("go-live", "person-basics", "--yes")
    return said


def test_every_order_gives_the_same_json_and_code_beside_a_daemon(tmp_path: Path, emulator: Emulator) -> None:
    said = []
    for name in ("alone", "beside"):
        (tmp_path / name).mkdir()
        home = Home(tmp_path / name, emulator, mode="ask")
        if name == "beside":
            home.daemon()
        said.append(a_day_of_orders(home))
        home.close()
        emulator.renew()
    alone, beside = said
    assert beside == alone
    assert {code for _, code, _ in alone} == {0, 2, 6}


def test_an_undo_overtakes_a_plan_that_is_being_written(bench: Bench, daemon: Daemon, monkeypatch: Any) -> None:
    orders = daemon.installation.commands
    bench.pairs(150)
    bench.watch.advance(minutes=15)
    plan = _done(daemon, "plan", {})
    number = orders.queue("apply", {"plan": plan["plan"]}, "anna@example.com")
    undo: list[int] = []
    write = type(bench.hubspot).write

    def write_and_undo(self: Any, writes: Any) -> Any:
        outcomes = write(self, writes)
        if not undo:
            (batch,) = daemon.installation.ledger.batches(states=("open",))
            undo.append(orders.queue("rollback", {"batches": [batch.id]}, "ben"))
        return outcomes

    monkeypatch.setattr(type(bench.hubspot), "write", write_and_undo)
    daemon.glance()
    undone, applied = orders.collect(undo[0]), orders.collect(number)
    assert undone is not None
    assert undone["restore"] == 25
    assert bench.titles() == {"boss"}
    assert applied is not None
    assert applied["error"]["exit_code"] == 6


def test_an_undo_of_something_else_lets_the_plan_go_on_afterwards(
    bench: Bench, daemon: Daemon, monkeypatch: Any
) -> None:
    orders = daemon.installation.commands
    bench.pairs(1)
    first = _done(daemon, "apply", {"plan": _done(daemon, "plan", {})["plan"]})
    for number in range(150):
        email = f"q{number}@example.com"
        bench.salesforce.person_create("Contact", {"Email": email, "Title": "CFO"})
        bench.hubspot.person_create("contacts", {"email": email, "jobtitle": "boss"})
    bench.watch.advance(minutes=15)
    number = orders.queue("apply", {"plan": _done(daemon, "plan", {})["plan"]}, "anna@example.com")
    undo: list[int] = []
    write = type(bench.hubspot).write

    def write_and_undo(self: Any, writes: Any) -> Any:
        if not undo:
            undo.append(orders.queue("rollback", {"batches": [first["batch"]]}, "ben"))
        return write(self, writes)

    monkeypatch.setattr(type(bench.hubspot), "write", write_and_undo)
    daemon.glance()
    undone, applied = orders.collect(undo[0]), orders.collect(number)
    assert undone is not None
    assert applied is not None
    assert (undone["written"], applied["resumed"]) == (1, True)
    assert [row["jobtitle"] for row in bench.hubspot.live("contacts").values()].count("CFO") == 150


def test_an_approval_that_gave_way_goes_on_where_it_was(bench: Bench, daemon: Daemon, monkeypatch: Any) -> None:
    orders = daemon.installation.commands
    bench.pairs(150)
    bench.watch.advance(minutes=15)
    daemon.turn()
    (held,) = daemon.installation.ledger.batches(states=("held",))
    number = orders.queue("approve", {"batch": held.id, "count": 150}, "anna@example.com")
    undo: list[int] = []
    write = type(bench.hubspot).write

    def write_and_undo(self: Any, writes: Any) -> Any:
        if not undo:
            undo.append(orders.queue("rollback", {"batches": ["B-99"]}, "ben"))
        return write(self, writes)

    monkeypatch.setattr(type(bench.hubspot), "write", write_and_undo)
    daemon.glance()
    approved = orders.collect(number)
    assert approved is not None
    assert approved["state"] == "done"
    assert bench.titles() == {"CEO"}


def test_a_running_order_tells_how_far_it_is(bench: Bench, daemon: Daemon, monkeypatch: Any) -> None:
    orders = daemon.installation.commands
    bench.pairs(150)
    bench.watch.advance(minutes=15)
    plan = _done(daemon, "plan", {})
    number = orders.queue("apply", {"plan": plan["plan"]}, "anna@example.com")
    told: list[Any] = []
    write = type(bench.hubspot).write

    def write_and_look(self: Any, writes: Any) -> Any:
        told.append(orders.progress(number))
        bench.watch.advance(seconds=1)
        return write(self, writes)

    monkeypatch.setattr(type(bench.hubspot), "write", write_and_look)
    daemon.glance()
    assert told == [None, {"done": 25, "total": 150, "doing": ""}, {"done": 125, "total": 150, "doing": ""}]


def _done(daemon: Daemon, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    number = daemon.installation.commands.queue(kind, body, "anna@example.com")
    daemon.glance()
    result = daemon.installation.commands.collect(number)
    assert result is not None
    assert "error" not in result
    return result


def _until_queued(home: Home) -> None:
    """Until an order waits in the queue that nobody takes."""
    with open_queue(home.loaded) as orders:
        while not _waiting(orders):
            os.sched_yield()


def _waiting(orders: Commands) -> bool:
    return bool(orders.waiting())


def test_ctrl_c_in_the_waiting_command_leaves_the_order_and_says_so(home: Home) -> None:
    daemon = home.daemon()
    daemon.signal(signal.SIGSTOP)
    command = home.start("pause", "person-basics")
    _until_queued(home)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate()
    assert command.returncode == 130
    assert "stays with the daemon" in said
    assert home.json("status")["orders"][0]["state"] == "queued"
    daemon.signal(signal.SIGCONT)
    daemon.wait_for("order done", order="pause")
    assert home.json("status")["policies"]["person-basics"] == "watch"
    assert daemon.stop() == 0


def test_a_daemon_that_dies_before_it_began_an_order_is_noticed_and_the_order_taken_back(home: Home) -> None:
    daemon = home.daemon()
    daemon.signal(signal.SIGSTOP)
    command = home.start("pause", "person-basics")
    _until_queued(home)
    daemon.kill()
    _, said = command.communicate()
    assert command.returncode == 130
    assert "taken back" in said
    assert f"next   truce -c {home.config} pause person-basics" in said
    assert home.json("status")["orders"] == []


def test_a_daemon_that_dies_in_an_order_is_noticed_and_the_next_start_says_the_same(home: Home) -> None:
    daemon = home.daemon()
    home.admin.fault(system="hubspot", method="POST", route="*search", action="delay", delay_seconds=50)
    command = home.start("plan")
    daemon.wait_for("order", order="plan")
    daemon.kill()
    _, said = command.communicate()
    assert command.returncode == 130
    assert "while it carried the order out" in said
    assert "truce status" in said
    home.admin.delete("/faults")
    again = Running(home)
    again.wait_for("cycle")
    assert home.json("status")["orders"] == []
    assert again.stop() == 0


def test_commands_at_the_same_time_wait_for_each_other(home: Home) -> None:
    home.truce("plan")
    commands = [home.start("freeze" if number else "pause", *_words(number)) for number in range(3)]
    codes = []
    for command in commands:
        command.communicate()
        codes.append(command.returncode)
    assert codes == [0, 2, 2]


def _words(number: int) -> tuple[str, ...]:
    return ("salesforce:Contact/nobody", "job_title") if number else ("person-basics",)
