"""Reading the ledger back: batches and entries by number, state, entity or record."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import orjson

from agent.changes import Batch, Entry, State
from agent.errors import NotFound
from agent.ledger.rows import ENTRY_SELECT, PRESENT_STATE, Shapes, entries_from
from agent.ledger.writing import UNSETTLED
from agent.records import Ref
from agent.store import Store, from_micros, marks, maybe_moment, to_micros

CHUNK = 1000
LAST = 2**62

OF_RECORD = (
    "SELECT seq FROM entries WHERE record_id = ? AND record_id != ''"
    " UNION ALL SELECT entry FROM transitions WHERE record_id = ? AND record_id != ''"
)
"""Numbers of the entries that wrote a record, creates by the id they got. The second half of each condition lets
SQLite use the partial index."""


_LISTED_BY = {"P": "truce plan", "R": "truce review"}
"""Which command names what begins with this letter; everything else is part of a batch."""


def number_of(name: str, letter: str) -> int:
    """57 for ``B-57``.

    Raises:
        NotFound: the name is not of that kind.
    """
    start, dash, digits = name.partition("-")
    if start != letter or not dash or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise NotFound(f"{name!r} is not a name like {letter}-12", next_step=_LISTED_BY.get(letter, "truce batches"))
    return int(digits)


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which entries; every part given must hold."""

    batch_id: str | None = None
    states: Collection[State] | None = None
    entity_id: str | None = None
    ref: Ref | None = None
    after_seq: int | None = None
    since: datetime | None = None
    newest_first: bool = False
    limit: int | None = None


def entries_matching(store: Store, shapes: Shapes, query: EntryQuery) -> Iterator[Entry]:
    """Entries in order of recording, a thousand at a time; safe to write between two of them."""
    ranges = _ranges(store, query)
    found = _in_ranges(store, shapes, query, reversed(ranges) if query.newest_first else ranges)
    return found if query.limit is None else islice(found, query.limit)


def _in_ranges(store: Store, shapes: Shapes, query: EntryQuery, ranges: Iterable[tuple[int, int]]) -> Iterator[Entry]:
    conditions, params = _conditions(query)
    order = "DESC" if query.newest_first else "ASC"
    wanted = CHUNK if query.limit is None else min(CHUNK, max(query.limit, 1))
    sql = f"{ENTRY_SELECT} WHERE {' AND '.join(conditions)} ORDER BY e.seq {order} LIMIT {wanted:d}"
    for low, high in ranges:
        while low <= high:
            rows = store.read_tuples(sql, (low, high, *params))
            yield from entries_from(rows, shapes)
            if len(rows) < wanted:
                break
            low, high = (low, rows[-1][0] - 1) if query.newest_first else (rows[-1][0] + 1, high)


def _ranges(store: Store, query: EntryQuery) -> list[tuple[int, int]]:
    """Where in the ledger to look: one batch, the batches that have something unsettled, or all of it."""
    first = 1 if query.after_seq is None else query.after_seq + 1
    if query.since is not None:
        moment = to_micros(query.since)
        rows = store.read_tuples("SELECT MIN(seq) FROM batches WHERE opened_at >= ?", (moment,))
        first = max(first, rows[0][0] if rows[0][0] is not None else LAST)
    params: tuple[int, ...] = ()
    if query.batch_id is not None:
        where, params = "number = ?", (number_of(query.batch_id, "B"),)
    elif query.states is not None and set(query.states) <= UNSETTLED:
        where = "unsettled > 0"
    else:
        return [(first, LAST)]
    rows = store.read_tuples(f"SELECT seq, size FROM batches WHERE {where} ORDER BY number", params)
    if query.batch_id is not None and not rows:
        raise no_such_batch(query.batch_id)
    return [(max(first, seq + 1), seq + size) for seq, size in rows]


def _conditions(query: EntryQuery) -> tuple[list[str], list[Any]]:
    """``+e.seq`` keeps SQLite from preferring the range over the index of the entity or record."""
    narrow = query.entity_id is not None or query.ref is not None
    conditions = ["+e.seq BETWEEN ? AND ?" if narrow else "e.seq BETWEEN ? AND ?"]
    params: list[Any] = []
    if query.states is not None:
        conditions.append(f"{PRESENT_STATE} IN ({marks(len(query.states))})")
        params += [State(state).value for state in query.states]
    if query.entity_id is not None:
        conditions.append("e.entity = ?")
        params.append(query.entity_id)
    if query.ref is not None:
        conditions.append(f"e.seq IN ({OF_RECORD}) AND h.object_type = ? AND h.system = ?")
        params += (query.ref.id, query.ref.id, query.ref.object_type, query.ref.system)
    return conditions, params


def no_such_batch(batch_id: str) -> NotFound:
    return NotFound(f"there is no batch {batch_id}", next_step="truce batches")


BATCH_SELECT = """
    SELECT seq, number, kind, state, title, actor, opened_at, hash, size, closed_at, reverts, plan,
           hold_reason, expires_at
    FROM batches
"""


def batches_from(store: Store, rows: Sequence[tuple[Any, ...]]) -> list[Batch]:
    """Rows of BATCH_SELECT as batches, with their counts and approvals as they are now."""
    return [_batch_from(store, row) for row in rows]


def _batch_from(store: Store, row: tuple[Any, ...]) -> Batch:
    (seq, number, kind, state, title, actor, opened_at, whole, size, closed_at, reverts, plan, hold_reason,
     expires_at) = row  # fmt: skip
    counts = store.read_tuples(
        f"SELECT {PRESENT_STATE}, COUNT(*) FROM entries e"
        " LEFT JOIN transitions t ON t.seq = (SELECT MAX(seq) FROM transitions WHERE entry = e.seq)"
        " WHERE e.seq BETWEEN ? AND ? GROUP BY 1",
        (seq + 1, seq + size),
    )
    approvals = store.read_tuples(
        "SELECT person FROM approvals WHERE batch = ? AND hash = ? ORDER BY id", (number, whole.hex())
    )
    return Batch(
        id=f"B-{number}",
        kind=kind,
        state=state,
        title=title,
        actor=actor,
        opened_at=from_micros(opened_at),
        hash=whole.hex(),
        counts=dict(counts),
        closed_at=maybe_moment(closed_at),
        reverts=tuple(orjson.loads(reverts)) if reverts else (),
        plan_id=f"P-{plan}" if plan is not None else None,
        approved_by=tuple(person for (person,) in approvals),
        hold_reason=hold_reason,
        expires_at=maybe_moment(expires_at),
    )
