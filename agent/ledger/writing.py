"""The ledger's inserts, inside a transaction that the caller opened. Rows are signed in the order written."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from agent.changes import TRANSITIONS, State
from agent.errors import NotFound
from agent.ledger.chain import Pen, first_hash, keyed_hash
from agent.ledger.rows import PRESENT_STATE, Prepared, Settlement, Shape, Shapes
from agent.store import Connection, marks
from agent.stored_json import from_json, to_json

IN_CHUNK = 500

UNSETTLED = frozenset([state.value for state, following in TRANSITIONS.items() if following])
"""States an entry can still leave, as text: comparing enum members costs more than the rest of a row."""

_ALLOWED = frozenset([(before.value, after.value) for before, each in TRANSITIONS.items() for after in each])
_NONE = bytearray()
"""Blobs are bound as ``bytearray`` and nothing as empty: SQLite's Python driver spends longer on adapting one
``bytes`` or ``None`` than on the rest of a short row."""

_STILL_UNKNOWN = (State.UNKNOWN.value, State.UNKNOWN.value)

_INSERT_TRANSITION = (
    "INSERT INTO transitions (seq, entry, state, at, record_id, version, as_sent, sends, mac, chain, salt, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Standing(NamedTuple):
    """An entry as it stands before it is settled; ``body`` is its payload, if it was asked for and not erased."""

    state: str
    batch: int
    record_id: str
    shape: int
    body: str | None


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


def insert_batch(connection: Connection, pen: Pen, columns: Sequence[Any], whole: bytes, unsettled: int) -> None:
    """``columns`` in the order of FIXED_COLUMNS; a batch's hash stands where others have their payload's."""
    chain = pen.sign("batches", columns, whole)
    born = columns[3]
    connection.execute(
        "INSERT INTO batches (seq, number, epoch, kind, born, title, actor, opened_at, reverts, plan,"
        " hold_reason, expires_at, size, hash, chain, state, unsettled)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (pen.seq, *columns, whole, chain, born, unsettled),
    )


def insert_entries(connection: Connection, pen: Pen, batch: int, prepared: Sequence[Prepared]) -> None:
    """Their shapes must have numbers by now."""
    rows = _signed(pen, batch, prepared)
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _signed(pen: Pen, batch: int, prepared: Sequence[Prepared]) -> Iterator[tuple[Any, ...]]:
    """One row at a time: a first cycle of a large company has many."""
    for shape, entity, record_id, extras, born, mac, salt, body in prepared:
        columns = (batch, shape.number, entity, record_id, extras, born)
        chain = pen.sign("entries", columns, mac)
        yield pen.seq, *columns, bytearray(mac), bytearray(chain), bytearray(salt), body


def standings_of(connection: Connection, numbers: Sequence[int], *, with_values: bool = False) -> dict[int, Standing]:
    """Where these entries stand, by number.

    Raises:
        NotFound: one does not exist.
    """
    body = "e.body" if with_values else "NULL"
    found: dict[int, Standing] = {}
    for start in range(0, len(numbers), IN_CHUNK):
        chunk = numbers[start : start + IN_CHUNK]
        rows = connection.execute(
            f"SELECT e.seq, {PRESENT_STATE}, e.batch, e.record_id, e.shape, {body} FROM entries e"
            " LEFT JOIN transitions t ON t.seq = (SELECT MAX(seq) FROM transitions WHERE entry = e.seq)"
            f" WHERE e.seq IN ({marks(len(chunk))})",
            chunk,
        )
        for seq, *rest in rows:
            found[seq] = Standing(*rest)
    for number in numbers:
        if number not in found:
            raise NotFound(f"there is no entry E-{number}", next_step="truce batches")
    return found


def require_transition(number: int, before: str, after: str) -> None:
    if (before, after) not in _ALLOWED:
        raise ValueError(f"E-{number} is {before}; it cannot become {after}")


def insert_sends(connection: Connection, pen: Pen, numbers: Sequence[tuple[int, str]], at: int) -> None:
    """Entries about to be sent (again), with the state they have from now on: each counts one attempt more."""
    rows = []
    for number, state in numbers:
        columns = (number, state, at, "", "", 0, 1)
        chain = pen.sign("transitions", columns)
        rows.append((pen.seq, *columns, _NONE, bytearray(chain), _NONE, ""))
    connection.executemany(_INSERT_TRANSITION, rows)


def insert_settlements(
    connection: Connection, pen: Pen, settlements: Sequence[tuple[int, Settlement]],
    standings: Mapping[int, Standing], shapes: Shapes, salts: Sequence[bytes], at: int,
) -> None:  # fmt: skip
    known = shapes.load(standing.shape for standing in standings.values())
    rows: list[tuple[Any, ...]] = []
    settled: dict[int, int] = {}
    for (number, settlement), salt in zip(settlements, salts, strict=True):
        standing = standings[number]
        after = settlement.state.value
        if (standing.state, after) != _STILL_UNKNOWN:
            require_transition(number, standing.state, after)
        is_as_sent = _is_as_sent(settlement, standing, known[standing.shape])
        body = None if is_as_sent else _outcome_body(settlement)
        made_id = settlement.record_id if settlement.record_id != standing.record_id else ""
        columns = (number, after, at, made_id or "", settlement.version or "", int(is_as_sent), 0)
        if body is None:
            chain = pen.sign("transitions", columns)
            rows.append((pen.seq, *columns, _NONE, bytearray(chain), _NONE, ""))
        else:
            mac = keyed_hash(salt, body)
            chain = pen.sign("transitions", columns, mac)
            rows.append((pen.seq, *columns, bytearray(mac), bytearray(chain), bytearray(salt), body.decode()))
        if after not in UNSETTLED:
            settled[standing.batch] = settled.get(standing.batch, 0) + 1
    connection.executemany(_INSERT_TRANSITION, rows)
    connection.executemany(
        "UPDATE batches SET unsettled = unsettled - ? WHERE number = ?",
        [(number, batch) for batch, number in settled.items()],
    )


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
    return to_json(body) if body else None


def _is_as_sent(settlement: Settlement, standing: Standing, shape: Shape) -> bool:
    """Whether the vendor holds exactly what was sent, so that it need not be kept twice.

    Equal in type too: 1, 1.0 and True are three different answers.
    """
    observed = settlement.observed
    if not observed or standing.body is None or settlement.error is not None:
        return False
    written = dict(zip(shape.vendor_fields, from_json(standing.body)["v"][1::2], strict=True))
    if observed != written:
        return False
    return [type(observed[name]) for name in written] == [type(value) for value in written.values()]
