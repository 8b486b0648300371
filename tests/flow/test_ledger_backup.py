"""Backups of the ledger: made while a daemon writes, proved, rotated, put back, and never believed too much."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon_stage import Answer, Bench, run_truce

from agent.daemon.daemon import Daemon
from agent.errors import ConfigError, LedgerDamaged, SafetyStop
from agent.ledger.backup import back_up
from agent.wiring.opening import look_at_ledger

Truce = Callable[..., Answer]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("SF_ID", "SF_SECRET", "HS_TOKEN"):
        monkeypatch.setenv(name, "not-a-secret")
    return Bench(tmp_path)


@pytest.fixture
def truce(bench: Bench) -> Truce:
    return lambda *words: run_truce(bench.folder / "config.yaml", *words)


@pytest.fixture
def worked(bench: Bench) -> Bench:
    """Live, and three titles written."""
    with bench.daemon() as daemon:
        daemon.turn()
        bench.live(daemon.installation)
        bench.pairs(3)
        daemon.turn()
    return bench


@pytest.fixture
def copies(bench: Bench) -> Path:
    return bench.folder / "copies"


@pytest.fixture
def daemon(bench: Bench) -> Iterator[Daemon]:
    with bench.daemon() as daemon:
        yield daemon


def only_copy(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_a_backup_beside_a_daemon_is_private_and_verifies(worked: Bench, truce: Truce, copies: Path) -> None:
    with worked.daemon() as daemon:
        daemon.turn()
        made = truce("ledger", "backup", str(copies), "--json").document
    path = only_copy(copies)
    assert made["file"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(copies.stat().st_mode) == 0o700
    with closing(look_at_ledger(path)) as copy:
        assert copy.verify().rows == made["lines"]
        assert len(copy.batches()) == 1


def test_backups_made_while_somebody_writes_are_each_whole(worked: Bench, copies: Path) -> None:
    done = threading.Event()

    def write() -> None:
        with worked.open(with_policies=False) as installation:
            while not done.is_set():
                installation.ledger.record_event("writer at work", "B-1", "truce", {})

    writer = threading.Thread(target=write)
    writer.start()
    rows = []
    try:
        for number in range(10):
            with closing(look_at_ledger(worked.config.state / "ledger.db")) as ledger:
                at = worked.watch.now + timedelta(seconds=number)
                rows.append(back_up(ledger, copies, at, look_at_ledger).rows)
    finally:
        done.set()
        writer.join()
    assert rows == sorted(rows)


def test_only_the_newest_copies_are_kept_and_nothing_else_is_removed(worked: Bench, copies: Path) -> None:
    with closing(look_at_ledger(worked.config.state / "ledger.db")) as ledger:
        for day in range(5):
            made = back_up(ledger, copies, worked.watch.now + timedelta(days=day), look_at_ledger, keep=2)
            (copies / "notes.txt").touch()
    assert len(made.removed) == 1
    assert sorted(path.suffix for path in copies.iterdir()) == [".db", ".db", ".txt"]


def test_a_second_backup_of_the_same_second_is_refused(worked: Bench, copies: Path) -> None:
    with closing(look_at_ledger(worked.config.state / "ledger.db")) as ledger:
        back_up(ledger, copies, worked.watch.now, look_at_ledger)
        with pytest.raises(ConfigError, match="there already"):
            back_up(ledger, copies, worked.watch.now, look_at_ledger)
    only_copy(copies)


def test_a_folder_others_may_read_is_refused(worked: Bench, truce: Truce, copies: Path) -> None:
    copies.mkdir(mode=0o755)
    copies.chmod(0o755)
    assert truce("ledger", "backup", str(copies)).code == 2


def test_a_backup_copied_into_place_by_hand_is_noticed_too(worked: Bench, truce: Truce, copies: Path) -> None:
    truce("ledger", "backup", str(copies))
    with worked.daemon() as daemon:
        daemon.turn()
    for path in worked.config.state.glob("ledger.db*"):
        if not path.name.endswith(".memory"):
            path.unlink()
    only_copy(copies).rename(worked.config.state / "ledger.db")
    with pytest.raises(SafetyStop, match="not the one"), worked.daemon():
        pass


def test_a_restored_older_backup_writes_nothing_until_a_person_accepts_it(
    worked: Bench, truce: Truce, copies: Path
) -> None:
    truce("ledger", "backup", str(copies))
    _edit_and_agree(worked, "CFO")
    said = truce("ledger", "restore", str(only_copy(copies)))
    assert "truce ledger accept" in said.out
    with pytest.raises(SafetyStop) as stopped, worked.daemon():
        pass
    assert "truce ledger accept" in stopped.value.next_step
    worked.allow_approving()
    assert truce("ledger", "accept", "--yes").code == 0
    with worked.daemon() as daemon:
        daemon.turn()
        assert worked.titles() == {"CFO"}
        worked.salesforce.person_edit(next(iter(worked.salesforce.rows)), {"Title": "CTO"})
        worked.watch.advance(minutes=2)
        daemon.turn()
        assert worked.titles() == {"CFO"}
        assert daemon.installation.ledger.batches()[0].state == "held"
        (event,) = daemon.installation.ledger.events(kind="ledger accepted")
        assert event.subject == "older"


def test_after_accepting_no_entity_number_is_given_twice(worked: Bench, truce: Truce, copies: Path) -> None:
    truce("ledger", "backup", str(copies))
    with worked.daemon() as daemon:
        daemon.turn()
        _pair(worked, "late")
        daemon.turn()
        lost = set(daemon.installation.crosswalk.entities())
    truce("ledger", "restore", str(only_copy(copies)))
    worked.allow_approving()
    truce("ledger", "accept", "--yes")
    with worked.daemon() as daemon:
        daemon.turn()
        known = set(daemon.installation.crosswalk.entities())
    assert len(known) == len(lost) == 4
    (newly,) = known - lost
    assert int(newly.rpartition("-")[2]) > 10_000_000


def _pair(bench: Bench, name: str) -> None:
    bench.salesforce.person_create("Contact", {"Email": f"{name}@example.com", "Title": "CEO"})
    bench.hubspot.person_create("contacts", {"email": f"{name}@example.com", "jobtitle": "CEO"})
    bench.watch.advance(minutes=2)


def _edit_and_agree(bench: Bench, title: str) -> None:
    with bench.daemon() as daemon:
        for ref in bench.salesforce.rows:
            bench.salesforce.person_edit(ref, {"Title": title})
        bench.watch.advance(minutes=2)
        daemon.turn()
    assert bench.titles() == {title}


def test_what_was_there_before_a_restore_is_set_aside_whole(worked: Bench, truce: Truce, copies: Path) -> None:
    truce("ledger", "backup", str(copies))
    before = (worked.config.state / "ledger.db").read_bytes()
    done = truce("ledger", "restore", str(only_copy(copies)), "--json").document
    assert (Path(done["aside"]) / "ledger.db").read_bytes() == before


def test_nothing_is_restored_beside_a_daemon(worked: Bench, truce: Truce, copies: Path) -> None:
    truce("ledger", "backup", str(copies))
    with worked.daemon() as daemon:
        daemon.turn()
        assert truce("ledger", "restore", str(only_copy(copies))).code == 11


def test_a_damaged_copy_is_refused_and_nothing_is_touched(worked: Bench, truce: Truce, copies: Path) -> None:
    truce("ledger", "backup", str(copies))
    path = only_copy(copies)
    body = bytearray(path.read_bytes())
    at = body.index(b"Job title".replace(b"Job", b"job"))
    body[at] ^= 1
    path.write_bytes(bytes(body))
    before = (worked.config.state / "ledger.db").read_bytes()
    answer = truce("ledger", "restore", str(path))
    assert answer.code == LedgerDamaged.exit_code
    assert (worked.config.state / "ledger.db").read_bytes() == before


def test_a_missing_copy_is_a_usage_error(worked: Bench, truce: Truce) -> None:
    assert truce("ledger", "restore", "nowhere.db").code == 2


def test_there_is_nothing_to_accept_where_nothing_is_lost(worked: Bench, truce: Truce) -> None:
    worked.allow_approving()
    assert truce("ledger", "accept", "--yes").code == 2


def test_a_ledger_deleted_under_its_installation_is_noticed(worked: Bench) -> None:
    for path in worked.config.state.glob("ledger.db*"):
        if not path.name.endswith(".memory"):
            path.unlink()
    with pytest.raises(SafetyStop, match="not the one"), worked.daemon():
        pass


def test_an_unmapped_login_may_not_accept(worked: Bench, truce: Truce, copies: Path) -> None:
    answer: Any = truce("ledger", "accept", "--yes")
    assert answer.code in (2, 4)
    assert "accept" in answer.err


def test_no_room_for_a_copy_is_said_and_leaves_nothing_behind(worked: Bench, copies: Path) -> None:
    """The system itself refuses to let any file grow beyond 40 kB, as on a disk that is nearly full."""
    command = f"ulimit -f 40; exec {sys.executable} -m agent -c {worked.folder / 'config.yaml'} ledger backup {copies}"
    said = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 1, said
    assert ("cannot be written" in said.stderr, "mistake in Truce" in said.stderr) == (True, False), said
    assert [*copies.iterdir()] == []
