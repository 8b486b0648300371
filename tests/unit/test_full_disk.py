"""A disk that fills up at any moment: nothing half recorded, nothing hidden, and on it goes once there is room."""

from __future__ import annotations

from pathlib import Path

import pytest
from recording import START, confirmed, contact, intents, open_ledger, open_mirror, settle_all

from agent.changes import State
from agent.errors import LockHeld, StorageFull
from agent.ledger.ledger import Ledger
from agent.mirror.mirror import Mirror
from agent.records import Cursor, Record
from agent.store import Store

ROOM = 1_000_000


def pages(store: Store) -> int:
    return int(store.read_tuples("PRAGMA page_count")[0][0])


def allow(store: Store, count: int) -> None:
    """The file may have this many pages; SQLite answers SQLITE_FULL beyond."""
    store.read_tuples(f"PRAGMA max_page_count = {count}")


def write_everything(ledger: Ledger) -> None:
    """Held, approved, intended, settled, closed; each step is one transaction."""
    held = ledger.open_batch("plan", "t", "anna", intents(40, State.HELD), state="held", counted={"records": 40})
    ledger.approve_batch(held.id, ["anna"])
    entries = ledger.entries(batch_id=held.id)
    ledger.intend([entry.id for entry in entries])
    ledger.settle([confirmed(entry, observed={"JobTitle": f"{entry.id} {'x' * 200}"}) for entry in entries])
    ledger.close_batch(held.id)
    ledger.save_plan({"text": "x" * 20_000}, expires_at=ledger.clock())


def test_wherever_the_disk_fills_up_the_ledger_stays_whole(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    stopped: list[str] = []
    for more in range(0, 40):
        allow(ledger.store, pages(ledger.store) + more)
        before = ledger.last_seq
        try:
            write_everything(ledger)
        except StorageFull as error:
            stopped.append(error.what)
        assert not ledger.in_transaction
        assert ledger.last_seq >= before
        ledger.store.check_pages()
        verification = ledger.verify()
        assert verification.ok, verification.message
        if len(stopped) == more:
            break
    allow(ledger.store, ROOM)
    assert 5 < len(stopped) < 40, "it was stopped in many places, and got through in the end"
    assert all("nothing more is sent" in what for what in stopped)
    write_everything(ledger)
    for batch in ledger.batches(states=["held"]):
        ledger.approve_batch(batch.id, ["anna"])
    ledger.intend([entry.id for entry in ledger.entries(states=[State.HELD])])
    for batch_id in dict.fromkeys(entry.batch_id for entry in ledger.entries(states=[State.INTENDED])):
        settle_all(ledger, batch_id)
    assert ledger.entries(states=[State.HELD, State.INTENDED]) == []
    assert ledger.verify().ok


def test_wherever_the_disk_fills_up_a_page_is_absorbed_whole_or_not_at_all(tmp_path: Path) -> None:
    mirror = open_mirror(tmp_path)
    page = [contact(person, Title="x" * 300) for person in range(1, 101)]
    failed = 0
    for more in range(0, 60):
        allow(mirror._store, pages(mirror._store) + more)
        cursor = Cursor("salesforce", "Contact", START)
        try:
            _absorb(mirror, page, cursor)
        except StorageFull:
            failed += 1
            assert (mirror.count("salesforce", "Contact"), mirror.pending()) == (0, [])
            assert mirror.cursor("salesforce", "Contact") is None
        else:
            break
    assert failed > 5
    assert mirror.count("salesforce", "Contact") == 100
    assert len(mirror.pending()) == 100
    assert mirror.cursor("salesforce", "Contact") is not None


def _absorb(mirror: Mirror, page: list[Record], cursor: Cursor) -> None:
    mirror.absorb(
        page, mapped=["Email", "Title"], keys=lambda record: [("email", str(record.fields["Email"]))],
        seen_at=cursor.watermark, cursor=cursor,
    )  # fmt: skip


def test_a_lock_that_does_not_come_free_is_said_plainly(tmp_path: Path) -> None:
    first, second = open_ledger(tmp_path), open_ledger(tmp_path)
    second.store.read_tuples("PRAGMA busy_timeout = 1")
    with first.store.write(), pytest.raises(LockHeld, match="busy") as caught:
        second.record_event("paused", "x", "anna", {})
    assert caught.value.next_step == "truce status"
    second.record_event("paused", "x", "anna", {})
