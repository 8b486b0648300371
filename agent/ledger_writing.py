# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)
"""The ledger's inserts, inside a transaction that the caller opened. Rows are signed in the order written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any

import orjson

from agent.chain import Pen, first_hash, keyed_hash
from agent.changes import TRANSITIONS, State
from agent.errors import NotFound
from agent.ledger_rows import Citation, Citations, Settlement, Skeleton, vendor_fields_of
from agent.records import FieldValue
from agent.store import Connection, marks

IN_CHUNK = 500


def write_identity(connection: Connection, ledger_id: str, at: int) -> None:
    """Once, when the file is new: who this ledger is, and where its chain starts."""
    if connection.execute("SELECT 1 FROM meta WHERE name = 'ledger_id'").fetchone() is not None:
        return
    rows = [("ledger_id", ledger_id), ("created_at", at), ("epoch", 0)]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    connection.execute("INSERT INTO head VALUES (1, 0, ?)", (first_hash(ledger_id),))


def present_epoch(connection: Connection) -> int:
    return int(connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])


def next_batch_number(connection: Connection) -> int:
    return int(connection.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM batches").fetchone()[0])


def batch_hash(skeletons: Sequence[Skeleton], macs: Sequence[bytes]) -> bytes:
    """What an approval binds to: the list of writes and their values, whatever numbers they got."""
    whole = sha256()
    for skeleton, mac in zip(skeletons, macs, strict=True):
        whole.update(orjson.dumps(tuple(skeleton)))
        whole.update(mac)
    return whole.digest()


def require_distinct(skeletons: Sequence[Skeleton]) -> None:
    seen: set[int] = set()
    for skeleton in skeletons:
        if skeleton.slot in seen:
            raise ValueError(
                f"two writes of {skeleton.system} {skeleton.object_type}"
                f" {skeleton.record_id or skeleton.entity} in one batch need a group and different steps"
            )
        seen.add(skeleton.slot)


def insert_batch(connection: Connection, pen: Pen, columns: Sequence[Any], whole: bytes) -> None:
    """``columns`` in the order of FIXED_COLUMNS; a batch's hash stands where others have their payload's."""
    chain = pen.sign("batches", columns, whole)
    born = columns[3]
    connection.execute(
        "INSERT INTO batches (seq, number, epoch, kind, born, title, actor, opened_at, reverts, plan,"
        " hold_reason, expires_at, size, hash, chain, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (pen.seq, *columns, whole, chain, born),
    )


def insert_entries(
    connection: Connection, pen: Pen, batch: int, skeletons: Sequence[Skeleton],
    cited: Mapping[Citation, int], macs: Sequence[bytes],
) -> None:  # fmt: skip
    rows = []
    sign = pen.sign
    joined: dict[tuple[Citation, ...], str] = {}
    for skeleton, mac in zip(skeletons, macs, strict=True):
        slot, op, entity, system, object_type, record_id, extras, citations, born = skeleton
        numbers = joined.get(citations)
        if numbers is None:
            numbers = joined[citations] = ",".join([str(cited[citation]) for citation in citations])
        columns = (batch, slot, op, entity, system, object_type, record_id, extras, numbers, born)
        chain = sign("entries", columns, mac)
        rows.append((pen.seq, *columns, mac, chain, born, 1 if born == "intended" else 0))
    connection.executemany(
        "INSERT INTO entries (seq, batch, slot, op, entity, system, object_type, record_id, extras, cited,"
        " born, mac, chain, state, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def insert_payloads(
    connection: Connection, first: int, salts: Sequence[bytes], bodies: Sequence[bytes]
) -> None:
    """Payloads of rows numbered from ``first`` on."""
    rows = [(first + n, salts[n], body.decode()) for n, body in enumerate(bodies)]
    connection.executemany("INSERT INTO payloads VALUES (?, ?, ?)", rows)


def states_of(connection: Connection, numbers: Sequence[int]) -> dict[int, State]:
    """Present state by entry number, in the order asked.

    Raises:
        NotFound: one does not exist.
    """
    found: dict[int, str] = {}
    for start in range(0, len(numbers), IN_CHUNK):
        chunk = numbers[start : start + IN_CHUNK]
        sql = f"SELECT seq, state FROM entries WHERE seq IN ({marks(len(chunk))})"
        found.update(connection.execute(sql, chunk).fetchall())
    for number in numbers:
        if number not in found:
            raise NotFound(f"there is no entry E-{number}", next_step="truce batches")
    return {number: State(found[number]) for number in numbers}


def require_transition(number: int, before: State, after: State) -> None:
    if after not in TRANSITIONS[before]:
        raise ValueError(f"E-{number} is {before}; it cannot become {after}")


def insert_steps(connection: Connection, pen: Pen, steps: Iterable[tuple[int, State]], at: int) -> None:
    """Entries about to be sent (again): each counts one attempt more."""
    rows, updates = [], []
    for number, state in steps:
        columns = (number, state.value, at, None, None, 0, 1)
        chain = pen.sign("transitions", columns)
        rows.append((pen.seq, *columns, chain))
        updates.append((state.value, pen.seq, number))
    connection.executemany(
        "INSERT INTO transitions (seq, entry, state, at, record_id, version, as_sent, sends, chain)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    connection.executemany(
        "UPDATE entries SET state = ?, attempts = attempts + 1, latest = ? WHERE seq = ?", updates
    )


def sent_values(
    connection: Connection, numbers: Sequence[int], citations: Citations
) -> dict[int, tuple[State, str | None, dict[str, FieldValue]]]:
    """By entry number: its state, its record, and what was to be written as {vendor_field: value}.

    Raises:
        NotFound: one does not exist.
    """
    found: dict[int, tuple[State, str | None, dict[str, FieldValue]]] = {}
    for start in range(0, len(numbers), IN_CHUNK):
        chunk = numbers[start : start + IN_CHUNK]
        rows = connection.execute(
            "SELECT e.seq, e.state, e.record_id, e.cited, p.body FROM entries e"
            f" LEFT JOIN payloads p ON p.seq = e.seq WHERE e.seq IN ({marks(len(chunk))})",
            chunk,
        ).fetchall()
        fields = vendor_fields_of([row[3] for row in rows], citations)
        for seq, state, record_id, cited, body in rows:
            values = orjson.loads(body)["v"][1::2] if body is not None else ()
            found[seq] = (State(state), record_id, dict(zip(fields[cited], values, strict=False)))
    for number in numbers:
        if number not in found:
            raise NotFound(f"there is no entry E-{number}", next_step="truce batches")
    return found


def insert_settlements(
    connection: Connection, pen: Pen, settlements: Sequence[Settlement],
    sent: Mapping[int, tuple[State, str | None, Mapping[str, FieldValue]]], numbers: Sequence[int],
    salts: Sequence[bytes], at: int,
) -> None:  # fmt: skip
    rows, payloads, updates = [], [], []
    for settlement, number, salt in zip(settlements, numbers, salts, strict=True):
        before, record_id, written = sent[number]
        if not before is settlement.state is State.UNKNOWN:
            require_transition(number, before, settlement.state)
        is_as_sent = bool(written) and settlement.error is None and _same(settlement.observed, written)
        body = None if is_as_sent else _outcome_body(settlement)
        mac = None if body is None else keyed_hash(salt, body)
        made_id = settlement.record_id if settlement.record_id != record_id else None
        columns = (number, settlement.state.value, at, made_id, settlement.version, int(is_as_sent), 0)
        chain = pen.sign("transitions", columns, mac)
        rows.append((pen.seq, *columns, mac, chain))
        updates.append((settlement.state.value, pen.seq, number))
        if body is not None:
            payloads.append((pen.seq, salt, body.decode()))
    connection.executemany(
        "INSERT INTO transitions (seq, entry, state, at, record_id, version, as_sent, sends, mac, chain)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    connection.executemany("INSERT INTO payloads VALUES (?, ?, ?)", payloads)
    connection.executemany("UPDATE entries SET state = ?, latest = ? WHERE seq = ?", updates)


def count(connection: Connection, counted: Mapping[str, int], day: date) -> None:
    """Add to the day's durable counters."""
    connection.executemany(
        "INSERT INTO counted VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
        [(day.isoformat(), meaning, number) for meaning, number in counted.items() if number],
    )


def _outcome_body(settlement: Settlement) -> bytes | None:
    body: dict[str, Any] = {}
    if settlement.observed:
        body["o"] = dict(settlement.observed)
    if settlement.error is not None:
        body["e"] = settlement.error
    return orjson.dumps(body) if body else None


def _same(observed: Mapping[str, FieldValue], written: Mapping[str, FieldValue]) -> bool:
    """Equal in type too: 1, 1.0 and True are three different answers of a vendor."""
    return observed == written and all(type(observed[name]) is type(value) for name, value in written.items())
