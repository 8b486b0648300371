"""The chain: any row altered, removed, moved or cut off is noticed and named; erasing values is not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from recording import START, Watch, cell, change, confirmed, open_ledger, opened, settle_all

from agent.changes import Entry, State
from agent.ledger.chain import FIXED_COLUMNS, keyed_hash, row_hash
from agent.ledger.erasure import Erasure
from agent.ledger.ledger import Intent, Ledger, Settlement
from agent.ledger.migrations import CHANGEABLE

TABLES = sorted(FIXED_COLUMNS)


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def ledger(tmp_path: Path, clock: Watch) -> Ledger:
    """Some of everything: settled, failed, unknown, held, planned, refused, created, closed, reopened."""
    ledger = open_ledger(tmp_path, clock)
    settle_all(ledger, opened(ledger, 3).id)
    mixed = opened(ledger, 4)
    first, second, third, fourth = ledger.entries(batch_id=mixed.id)
    ledger.settle([
        confirmed(first),
        Settlement(second.id, State.FAILED, error="INVALID"),
        Settlement(third.id, State.UNKNOWN, error="lost"),
        Settlement(fourth.id, State.DRIFTED),
    ])  # fmt: skip
    ledger.close_batch(mixed.id)
    new = change(9, op="create", record_id=None)
    ledger.open_batch("plan", "t", "anna", [Intent(new, State.PLANNED), Intent(change(8), State.REFUSED, "no")])
    planned = ledger.entries(states=[State.PLANNED])[0]
    ledger.intend([planned.id])
    ledger.settle([Settlement(planned.id, State.CONFIRMED, record_id="003NEW", observed={"JobTitle": "Ceo"})])
    held = opened(ledger, 2, State.HELD, expires_at=START + timedelta(days=7))
    ledger.approve_batch(held.id, ["anna"])
    ledger.record_event("paused", "person-basics", "anna", {"reason": "holiday"})
    clock.advance(hours=1)
    return ledger


def tamper(ledger: Ledger, sql: str, params: tuple[Any, ...] = ()) -> None:
    """What somebody could do who can write the file: the triggers are gone, then the rows change."""
    with ledger.store.write() as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql, params)


def seqs(ledger: Ledger, table: str) -> list[int]:
    return [row[0] for row in ledger.store.read_tuples(f"SELECT seq FROM {table} ORDER BY seq")]


def test_an_untouched_ledger_verifies(ledger: Ledger) -> None:
    verification = ledger.verify()
    assert (verification.ok, verification.rows) == (True, ledger.last_seq)
    assert (verification.bad_seq, verification.message, verification.erased) == (None, "", 0)


def test_an_empty_ledger_verifies(tmp_path: Path) -> None:
    assert open_ledger(tmp_path).verify().ok


def test_every_number_is_used_once(ledger: Ledger) -> None:
    numbers = sorted(number for table in TABLES for number in seqs(ledger, table))
    assert numbers == list(range(1, ledger.last_seq + 1))
    assert all(seqs(ledger, table) for table in TABLES), "every table takes part"


@pytest.mark.parametrize(("table", "column"), [(t, c) for t in TABLES for c in FIXED_COLUMNS[t]])
def test_any_fixed_column_changed_is_named(ledger: Ledger, table: str, column: str) -> None:
    seq = seqs(ledger, table)[0]
    (before,) = ledger.store.read_tuples(f"SELECT {column} FROM {table} WHERE seq = ?", (seq,))[0]
    is_number = isinstance(before, int) or column in {"plan", "expires_at"}
    after = (before or 0) + 1000 if is_number else f"{before or ''}x"
    tamper(ledger, f"UPDATE {table} SET {column} = ? WHERE seq = ?", (after, seq))
    verification = ledger.verify()
    assert (verification.ok, verification.bad_seq) == (False, seq)
    assert str(seq) in verification.message


@pytest.mark.parametrize("table", TABLES)
def test_a_row_taken_out_is_named(ledger: Ledger, table: str) -> None:
    seq = seqs(ledger, table)[0]
    tamper(ledger, f"DELETE FROM {table} WHERE seq = ?", (seq,))
    verification = ledger.verify()
    assert (verification.ok, verification.bad_seq, verification.problem) == (False, seq, "it is missing")


def test_the_end_cut_off_is_noticed(ledger: Ledger) -> None:
    last = ledger.last_seq
    tamper(ledger, "DELETE FROM events WHERE seq = ?", (last,))
    assert ledger.verify().bad_seq == last


def test_the_end_cut_off_with_a_matching_head_is_noticed_beside_the_ledger(ledger: Ledger) -> None:
    """The chain alone cannot see a clean cut of its tail; the note beside the ledger can."""
    ledger.remember()
    last = ledger.last_seq
    (chain,) = ledger.store.read_tuples("SELECT chain FROM events WHERE seq = ?", (last - 1,)) or [(None,)]
    tamper(ledger, "DELETE FROM events WHERE seq = ?", (last,))
    with ledger.store.write() as connection:
        connection.execute("UPDATE head SET seq = ?, hash = ?", (last - 1, chain[0]))
    assert ledger.verify().ok
    assert ledger.memory_check() == "older"


def test_two_rows_exchanged_are_noticed(ledger: Ledger) -> None:
    first, second = seqs(ledger, "transitions")[:2]
    tamper(ledger, "UPDATE transitions SET seq = -1 WHERE seq = ?", (first,))
    tamper(ledger, "UPDATE transitions SET seq = ? WHERE seq = ?", (first, second))
    tamper(ledger, "UPDATE transitions SET seq = ? WHERE seq = -1", (second,))
    assert ledger.verify().bad_seq == first


@pytest.mark.parametrize("table", ["entries", "transitions", "events"])
def test_an_altered_value_is_named(ledger: Ledger, table: str) -> None:
    found = ledger.store.read_tuples(f"SELECT seq FROM {table} WHERE body != '' ORDER BY seq LIMIT 1")
    seq = found[0][0]
    tamper(ledger, f"UPDATE {table} SET body = replace(body, 'C', 'X') || ' ' WHERE seq = ?", (seq,))
    verification = ledger.verify()
    assert (verification.bad_seq, verification.problem) == (seq, "its values were altered")


@pytest.mark.parametrize("table", ["entries", "transitions", "events"])
def test_a_value_removed_without_a_word_is_named(ledger: Ledger, table: str) -> None:
    seq = ledger.store.read_tuples(f"SELECT seq FROM {table} WHERE body != '' ORDER BY seq LIMIT 1")[0][0]
    tamper(ledger, f"UPDATE {table} SET body = NULL, salt = NULL WHERE seq = ?", (seq,))
    verification = ledger.verify()
    assert (verification.bad_seq, verification.problem) == (seq, "its values are missing")


def test_a_value_slipped_in_is_named(ledger: Ledger) -> None:
    seq = ledger.store.read_tuples("SELECT seq FROM transitions WHERE body = '' LIMIT 1")[0][0]
    tamper(ledger, "UPDATE transitions SET body = '{}', salt = x'00' WHERE seq = ?", (seq,))
    assert ledger.verify().bad_seq == seq


def test_a_forged_settlement_is_noticed_even_with_a_valid_chain(ledger: Ledger) -> None:
    """Somebody recomputes the whole chain around a transition that no entry can take."""
    settled = ledger.entries(states=[State.FAILED])[0]
    _append_transition(ledger, settled, "confirmed")
    verification = ledger.verify()
    assert not verification.ok
    assert f"{settled.id}, which was settled before" in verification.problem


def test_an_impossible_step_is_noticed_even_with_a_valid_chain(ledger: Ledger) -> None:
    unknown = ledger.entries(states=[State.UNKNOWN])[0]
    _append_transition(ledger, unknown, "held")
    assert "cannot go from unknown to held" in ledger.verify().problem


def _append_transition(ledger: Ledger, entry: Entry, state: str) -> None:
    seq, head = ledger.store.read_tuples("SELECT seq, hash FROM head")[0]
    columns = (entry.seq, state, 1, "", "", 0, 0)
    chain = row_hash(head, seq + 1, "transitions", columns, None)
    with ledger.store.write() as connection:
        connection.execute(
            "INSERT INTO transitions (seq, entry, state, at, record_id, version, as_sent, sends, mac, chain, salt,"
            " body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, x'', ?, x'', '')",
            (seq + 1, *columns, chain),
        )
        connection.execute("UPDATE head SET seq = ?, hash = ?", (seq + 1, chain))


@pytest.mark.parametrize("column", CHANGEABLE["batches"])
def test_a_batchs_present_state_is_derived_again(ledger: Ledger, column: str) -> None:
    value = "open" if column == "state" else 5
    for number in (1, 4):
        before = ledger.store.read_tuples(f"SELECT {column} FROM batches WHERE number = ?", (number,))[0][0]
        wrong = "done" if before == value else value
        with ledger.store.write() as connection:
            connection.execute(f"UPDATE batches SET {column} = ? WHERE number = ?", (wrong, number))
        verification = ledger.verify()
        assert not verification.ok
        assert f"B-{number} claims" in verification.problem
        with ledger.store.write() as connection:
            connection.execute(f"UPDATE batches SET {column} = ? WHERE number = ?", (before, number))
        assert ledger.verify().ok


def test_a_ledger_passed_off_as_another_does_not_verify(ledger: Ledger) -> None:
    tamper(ledger, "UPDATE meta SET value = 'ledger-2' WHERE name = 'ledger_id'")
    ledger.ledger_id = "ledger-2"
    assert ledger.verify().bad_seq == 1


def test_a_thousand_random_alterations_are_all_noticed(ledger: Ledger) -> None:
    """Each is undone again by rolling its transaction back."""
    rng = random.Random(11)
    tamper(ledger, "SELECT 1")
    targets = [(t, c) for t in TABLES for c in (*FIXED_COLUMNS[t], "chain", "mac", "body", "salt")]
    unnoticed = []
    for _ in range(1000):
        table, column = rng.choice(targets)
        if table == "batches" and column in {"mac", "body", "salt"}:
            column = "hash"
        elif table == "shapes" and column in {"mac", "body", "salt"}:
            column = "chain"
        seq = rng.choice(seqs(ledger, table))
        if _goes_unnoticed(ledger, rng, table, column, seq):
            unnoticed.append((table, column, seq))
    assert unnoticed == []


class _Undo(Exception):
    pass


def _goes_unnoticed(ledger: Ledger, rng: random.Random, table: str, column: str, seq: int) -> bool:
    ok = False

    def alter() -> None:
        nonlocal ok
        with ledger.store.write() as connection:
            (before,) = connection.execute(f"SELECT {column} FROM {table} WHERE seq = ?", (seq,)).fetchone()
            after = 5 if before is None and column in {"plan", "expires_at"} else _other(rng, before)
            connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE seq = ?", (after, seq))
            (now,) = connection.execute(f"SELECT {column} FROM {table} WHERE seq = ?", (seq,)).fetchone()
            ok = now == after and ledger.verify().ok
            raise _Undo

    with pytest.raises(_Undo):
        alter()
    return ok


def _other(rng: random.Random, value: Any) -> Any:
    if isinstance(value, int):
        return value ^ (1 << rng.randrange(20))
    if isinstance(value, bytes):
        return value[:-1] if value else b"x"
    return value[:-1] if value and rng.random() < 0.5 else f"{value or ''}{rng.choice('xyz')}"


# --- append-only ---


@pytest.mark.parametrize("table", TABLES)
def test_no_row_can_be_changed_or_removed_by_accident(ledger: Ledger, table: str) -> None:
    column = FIXED_COLUMNS[table][0]
    for sql in (
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1",
    ):
        with pytest.raises(Exception, match=r"append-only|constraint"), ledger.store.write() as connection:
            connection.execute(sql)
    assert ledger.verify().ok


@pytest.mark.parametrize("table", ["entries", "transitions", "events"])
def test_a_payload_can_be_erased_but_not_rewritten(ledger: Ledger, table: str) -> None:
    for assignment in ("body = '{}'", "body = NULL", "salt = x'01'", "salt = NULL"):
        with pytest.raises(Exception, match="erased whole"), ledger.store.write() as connection:
            connection.execute(f"UPDATE {table} SET {assignment}")
    assert ledger.verify().ok


# --- a quick look ---


def test_a_quick_look_sees_the_last_rows(ledger: Ledger) -> None:
    assert ledger.verify(recent=5).rows == 5
    assert ledger.verify(recent=10_000).rows == ledger.last_seq
    tamper(ledger, "UPDATE events SET actor = 'x' WHERE seq = ?", (ledger.last_seq,))
    assert not ledger.verify(recent=5).ok
    assert not ledger.verify(recent=1).ok


def test_a_quick_look_does_not_see_older_rows(ledger: Ledger) -> None:
    tamper(ledger, "UPDATE batches SET title = 'x' WHERE number = 1")
    assert ledger.verify(recent=3).ok
    assert not ledger.verify().ok


# --- erasing ---


def test_erased_by_age_the_chain_still_verifies(ledger: Ledger, clock: Watch) -> None:
    open_batch = opened(ledger, 2)
    ledger.close_batch("B-3")
    erased = Erasure(ledger).expire(clock.now + timedelta(seconds=1), "anna")
    verification = ledger.verify()
    assert (verification.ok, verification.erased > erased) == (True, True)
    old = ledger.entries(batch_id="B-1")[0]
    assert (old.erased, old.observed, old.state) == (True, {}, State.CONFIRMED)
    assert [(c.field, c.before, c.after, c.why.line) for c in old.change.cells] == [
        ("job_title", None, None, "person-basics.yaml:17")
    ], "which field was written, and why, stays"
    assert not any(entry.erased for entry in ledger.entries(batch_id=open_batch.id))
    assert not any(e.erased for e in ledger.entries(states=[State.UNKNOWN, State.HELD])), "unsettled ones are needed"
    settle_all(ledger, open_batch.id)
    assert ledger.verify().ok


def test_age_counts_from_when_a_batch_was_done_and_not_from_when_it_began_to_wait(ledger: Ledger, clock: Watch) -> None:
    late = opened(ledger, 2)
    clock.now += timedelta(days=40)
    settle_all(ledger, late.id)
    Erasure(ledger).expire(clock.now - timedelta(days=30), "anna")
    assert not any(entry.erased for entry in ledger.entries(batch_id=late.id))
    assert all(entry.erased for entry in ledger.entries(batch_id="B-1")), "done before"
    assert ledger.verify().ok


def test_an_erased_person_leaves_no_trace_in_the_files(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    secret = "Xanthippe-Quux"
    for person, value in ((1, secret), (2, "Kim")):
        named = change(person, cell("last_name", "Old", value))
        ledger.open_batch("cycle", "t", "truce", [Intent(named, State.INTENDED)])
    ledger.settle([
        Settlement(entry.id, State.CONFIRMED, observed={"LastName": f" {entry.change.cells[0].after}"})
        for entry in ledger.entries()
    ])  # fmt: skip
    assert Erasure(ledger).erase("person-1", [keyed_hash(b"key", b"p1@example.com")], "anna") == 1
    verification = ledger.verify()
    assert (verification.ok, verification.erased) == (True, 2)
    assert [entry.erased for entry in ledger.entries()] == [True, False]
    assert Erasure(ledger).is_erased(keyed_hash(b"key", b"p1@example.com"))
    assert not Erasure(ledger).is_erased(keyed_hash(b"key", b"p2@example.com"))
    ledger.close()
    content = b"".join(found.read_bytes() for found in tmp_path.iterdir())
    assert b"Kim" in content
    assert secret.encode() not in content


def test_what_was_recorded_after_an_erasure_must_be_there(ledger: Ledger) -> None:
    Erasure(ledger).erase("person-1", [], "anna")
    later = opened(ledger, 1)
    assert ledger.verify().ok
    seq = ledger.entries(batch_id=later.id)[0].seq
    tamper(ledger, "UPDATE entries SET body = NULL, salt = NULL WHERE seq = ?", (seq,))
    assert ledger.verify().bad_seq == seq


def test_a_hash_without_its_salt_says_nothing(ledger: Ledger) -> None:
    same = [Intent(change(1), State.HELD)]
    for _ in range(2):
        ledger.open_batch("cycle", "t", "truce", same, state="held")
    macs = ledger.store.read_tuples("SELECT mac FROM entries ORDER BY seq DESC LIMIT 2")
    assert macs[0] != macs[1]


def test_values_stand_in_payloads_only(ledger: Ledger) -> None:
    """Nothing a person typed into a CRM is in a column that is kept for years."""
    secret = "Xanthippe"
    named = change(77, cell("last_name", f"{secret}-before", f"{secret}-after"), decided_from={"x": f"{secret}-from"})
    address = f"{secret}@example.com".lower()
    leaving = replace(change(78), op="opt_out", key=("email", address))
    ledger.open_batch("cycle", "t", "truce", [Intent(leaving, State.PLANNED)])
    assert ledger.entries(newest_first=True, limit=1)[0].change.key == ("email", address)
    ledger.open_batch("cycle", "t", "truce", [Intent(named, State.INTENDED, f"{secret}-note")])
    entry = ledger.entries(newest_first=True, limit=1)[0]
    ledger.settle(
        [Settlement(entry.id, State.FAILED, observed={"LastName": f"{secret}-seen"}, error=f"{secret}-error")]
    )
    for table in TABLES:
        columns = [row[1] for row in ledger.store.read_tuples(f"PRAGMA table_info({table})") if row[1] != "body"]
        rows = ledger.store.read_tuples(f"SELECT {', '.join(columns)} FROM {table}")
        assert secret.lower() not in repr(rows).lower(), table


def test_an_erased_word_of_a_person_is_proved_by_the_event_that_erased_it(ledger: Ledger) -> None:
    said = ledger.record_event("frozen", "person-1", "anna", {"reason": "she told me"})
    Erasure(ledger).erase("person-1", [], "anna")
    assert ledger.verify().ok
    assert next(event for event in ledger.events() if event.seq == said).body == {}
    later = ledger.record_event("frozen", "person-1", "anna", {"reason": "again"})
    tamper(ledger, "UPDATE events SET body = NULL, salt = NULL WHERE seq = ?", (later,))
    assert ledger.verify().bad_seq == later
