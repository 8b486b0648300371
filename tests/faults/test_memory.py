"""What the installation knows is lost, old, altered, broken or somebody else's: it notices and writes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from invariants import assert_at_rest, assert_invariants
from scenarios import ACycle, go_live, several_cycles
from small_world import ALLOWED, ANNA, Colleagues, Time, config_of, opened
from sweep import Theatre

from agent import apply, cycle
from agent.changes import State
from agent.errors import LedgerDamaged, LockHeld, SafetyStop
from agent.installation import Installation
from agent.ledger.ledger import Intent
from agent.plan import plan
from agent.store import sqlite3
from agent.wiring.opening import open_installation

SYNCED = ACycle()


@dataclass
class Site:
    """A synced installation in a folder, closed; people and time beside it."""

    theatre: Theatre
    folder: Path
    time: Time
    colleagues: Colleagues

    @contextmanager
    def opened(self) -> Iterator[Installation]:
        with opened(self.theatre.site, self.folder, self.time) as installation:
            yield installation

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def changes(self) -> int:
        """Writes of ours that the emulator has seen."""
        return sum(line["cause"] == "api" for line in self.theatre.admin.audit())

    def run(self, cycles: int = 3) -> None:
        with self.opened() as installation:
            several_cycles(installation, self.time, cycles)


@pytest.fixture
def synced(theatre: Theatre, tmp_path: Path) -> Iterator[Site]:
    with theatre.set(SYNCED, tmp_path) as (_, folder, time):
        site = Site(theatre, folder, time, Colleagues(theatre.admin))
        site.run()
        yield site


def alter(path: Path, statement: str) -> None:
    """What somebody with an SQLite shell does, triggers out of the way."""
    connection = sqlite3.connect(path)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in names:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_lost_mirror_is_read_again_and_nothing_is_written_twice(synced: Site) -> None:
    before = synced.changes()
    for path in synced.state.glob("mirror.db*"):
        path.unlink()
    synced.run()
    assert synced.changes() == before
    with synced.opened() as installation:
        assert_invariants(synced.theatre.admin.audit(), installation.ledger, allowed=ALLOWED)
        assert_at_rest(installation)


def test_a_mirror_of_another_ledger_is_forgotten_and_only_proposes(synced: Site, tmp_path: Path) -> None:
    before = synced.changes()
    alter(synced.state / "mirror.db", "UPDATE meta SET value = 'another' WHERE name = 'ledger_id'")
    with synced.opened() as installation:
        assert installation.mode == "ask"
        assert installation.mirror.count("salesforce", "Contact") == 0
        several_cycles(installation, synced.time)
        assert installation.mirror.count("salesforce", "Contact") > 0
    assert synced.changes() == before


def test_a_mirror_ahead_of_its_ledger_is_forgotten(synced: Site) -> None:
    before = synced.changes()
    alter(synced.state / "mirror.db", "UPDATE meta SET value = value + 100 WHERE name = 'ledger_seq'")
    with synced.opened() as installation:
        assert installation.mode == "ask"
        several_cycles(installation, synced.time)
    assert synced.changes() == before


def test_an_old_backup_of_the_ledger_stops_everything(synced: Site, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    with synced.opened() as installation:
        installation.ledger.store.checkpoint()
    shutil.copy(synced.state / "ledger.db", backup)
    synced.colleagues.create(
        "salesforce", "Contact", FirstName="Fay", LastName="Fox", Email="fay@acme.example", Title="CIO"
    )
    synced.run()
    before = synced.changes()
    for path in synced.state.glob("ledger.db*"):
        if not path.name.endswith(".memory"):
            path.unlink()
    shutil.copy(backup, synced.state / "ledger.db")
    (synced.state / "ledger.db").chmod(0o600)
    for _ in range(2):
        with pytest.raises(SafetyStop, match="not the one this installation knew") as stopped, synced.opened():
            pass
        assert stopped.value.exit_code == 5
        assert "older" in stopped.value.why
    assert synced.changes() == before


def test_a_deleted_ledger_is_no_fresh_start(synced: Site) -> None:
    before = synced.changes()
    for path in synced.state.glob("ledger.db*"):
        if not path.name.endswith(".memory"):
            path.unlink()
    with pytest.raises(SafetyStop, match="not the one this installation knew") as stopped, synced.opened():
        pass
    assert "lost" in stopped.value.why
    assert synced.changes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = replace(body, 'CEO', 'CFO') WHERE body LIKE '%CEO%'",
        "UPDATE entries SET record_id = '999' WHERE record_id != ''",
        "DELETE FROM transitions WHERE seq = (SELECT MAX(seq) FROM transitions)",
        "UPDATE batches SET title = 'nothing to see'",
        "UPDATE batches SET state = 'open' WHERE number = 2",
        "UPDATE head SET hash = x'00'",
    ],
)
def test_a_ledger_altered_by_hand_is_refused_by_number(synced: Site, statement: str) -> None:
    before = synced.changes()
    alter(synced.state / "ledger.db", statement)
    with pytest.raises((LedgerDamaged, SafetyStop)) as stopped, synced.opened():
        pass
    assert stopped.value.exit_code in (5, 12)
    assert synced.changes() == before


def test_corrupted_pages_are_found_before_anything_is_written(synced: Site) -> None:
    """Every page but the first is overwritten in turn: it is refused, or that page held nothing that matters."""
    with synced.opened() as installation:
        installation.ledger.store.checkpoint()
        pages = int(installation.ledger.store.read_tuples("PRAGMA page_count")[0][0])
        size = int(installation.ledger.store.read_tuples("PRAGMA page_size")[0][0])
    path = synced.state / "ledger.db"
    whole, before = path.read_bytes(), synced.changes()
    refused = 0
    for page in range(1, pages):
        broken = bytearray(whole)
        broken[page * size : page * size + 512] = b"\xa5" * 512
        _put_back(synced, bytes(broken))
        try:
            with synced.opened() as installation:
                cycle.run(installation)
        except (LedgerDamaged, SafetyStop):
            refused += 1
        assert synced.changes() == before, f"page {page}"
    assert refused > pages / 2
    _put_back(synced, whole)


def _put_back(site: Site, content: bytes) -> None:
    for ending in ("-wal", "-shm", "-journal"):
        site.state.joinpath(f"ledger.db{ending}").unlink(missing_ok=True)
    (site.state / "ledger.db").write_bytes(content)


def test_a_ledger_replaced_under_a_running_process_stops_it(synced: Site) -> None:
    with synced.opened() as installation:
        path = synced.state / "ledger.db"
        path.rename(path.with_name("moved.db"))
        with pytest.raises(SafetyStop, match="replaced"):
            cycle.run(installation)
        path.with_name("moved.db").rename(path)


def test_another_account_stops_everything(synced: Site) -> None:
    """Somebody swapped the credentials of the sandbox and the production account."""
    before = synced.changes()
    settings = synced.theatre.emulator.world.spaces["hubspot"].settings
    settings["portal_id"] = int(settings["portal_id"]) + 1
    with pytest.raises(SafetyStop, match="another HubSpot account") as stopped, synced.opened():
        pass
    assert stopped.value.exit_code == 5
    assert synced.changes() == before


def test_a_second_writer_is_turned_away_and_told_who_is_there(synced: Site) -> None:
    with synced.opened(), pytest.raises(LockHeld, match="another Truce is the writer") as stopped, synced.opened():
        pass
    assert stopped.value.exit_code == 11
    assert "pid" in stopped.value.why


def test_a_writer_whose_lock_file_was_deleted_records_nothing_more(synced: Site) -> None:
    """The newer writer's epoch refuses the older one, before it sends anything."""
    with synced.opened() as older:
        (synced.state / "writer.lock").unlink()
        synced.colleagues.create(
            "salesforce", "Contact", FirstName="Gus", LastName="Gray", Email="gus@acme.example", Title="CIO"
        )
        synced.time.wait(60)
        with synced.opened() as newer:
            before = synced.changes()
            with pytest.raises((LockHeld, SafetyStop)):
                cycle.run(older)
            assert synced.changes() == before
            several_cycles(newer, synced.time)
            assert synced.changes() > before


@pytest.mark.parametrize("hours", [-26, -1, 1, 26])
def test_a_clock_that_jumps_loses_and_repeats_nothing(synced: Site, hours: int) -> None:
    """Only ours jumps; the vendors' clocks go on. Vendor stamps are compared with vendor stamps alone."""
    jumped = _Jumping(synced.time)
    site = synced.theatre.site
    with opened(site, synced.folder, jumped) as installation:
        several_cycles(installation, synced.time, 1)
        jumped.by = timedelta(hours=hours)
        synced.theatre.admin.fault(action="drop_before", method="POST", route="*/batch/update")
        account = synced.colleagues.create("salesforce", "Account", Name="Iota", Website="iota.example")
        ann = _id_of(installation, "Email", "ann@acme.example")
        synced.colleagues.edit("salesforce", "Contact", ann, Title="Chair")
        synced.time.wait(60)
        several_cycles(installation, synced.time, 4)
        jumped.by = timedelta()
        several_cycles(installation, synced.time, 2)
        assert_invariants(synced.theatre.admin.audit(), installation.ledger, allowed=ALLOWED)
        assert_at_rest(installation)
    values = synced.theatre.values()
    assert account
    assert "Chair" in [row["jobtitle"] for row in values["hubspot contacts"]]
    assert "iota.example" in [row["domain"] for row in values["hubspot companies"]]


def test_a_clock_an_hour_behind_does_not_make_an_old_copy_fresh(synced: Site) -> None:
    """What was seen ten minutes ago is read again before it is written over, whatever our clock says."""
    wrong = _Jumping(synced.time)
    wrong.by = timedelta(hours=-1)
    with opened(synced.theatre.site, synced.folder, wrong) as installation:
        ann = _id_of(installation, "Email", "ann@acme.example")
        synced.colleagues.edit("salesforce", "Contact", ann, Title="Chair")
        synced.time.wait(600)
        changes = plan.make(installation).changes
        twin = next(
            record.ref.id
            for record in installation.mirror.scan("hubspot", "contacts")
            if record.fields["email"] == "ann@acme.example"
        )
        synced.time.wait(120)
        synced.colleagues.edit("hubspot", "contacts", twin, jobtitle="By hand")
        intents = [Intent(change, State.PLANNED) for change in changes if change.record_id == twin]
        batch = installation.ledger.open_batch("plan", "Job title", ANNA, intents)
        tally = apply.write(installation, batch.id)
        assert tally.drifted == 1
    assert "By hand" in [row["jobtitle"] for row in synced.theatre.values()["hubspot contacts"]]


class _Jumping(Time):
    """Our clock, set wrong by somebody; the vendors' is right."""

    def __init__(self, right: Time) -> None:
        self.right = right
        self.by = timedelta()

    def now(self) -> datetime:
        return self.right.now() + self.by

    def seconds(self) -> float:
        return self.right.seconds()

    def wait(self, seconds: float) -> None:
        self.right.wait(seconds)


def _id_of(installation: Installation, field: str, value: str) -> str:
    records = installation.mirror.scan("salesforce", "Contact")
    return next(record.ref.id for record in records if record.fields[field] == value)


def test_reading_beside_a_running_writer_changes_nothing(synced: Site) -> None:
    with synced.opened() as writer:
        last = writer.ledger.last_seq
        with open_installation(config_of(synced.folder), writer=False) as reader:
            assert len(reader.ledger.entries(states=(State.CONFIRMED,))) > 0
        assert writer.ledger.last_seq == last
        cycle.run(writer)


def test_a_first_run_with_a_lost_ledger_and_side_file_only_proposes(synced: Site) -> None:
    """Only the mirror is left, and it belongs to another ledger: records are paired again, by a person's leave."""
    before = synced.changes()
    for path in synced.state.glob("ledger.db*"):
        path.unlink()
    with synced.opened() as installation:
        assert installation.mode == "ask"
        go_live(installation)
        several_cycles(installation, synced.time)
    assert synced.changes() == before
