"""Reading the ledger back: batches and entries by number, state, entity or record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from agent.changes import Batch, Entry, State
from agent.errors import NotFound
from agent.ledger_rows import ENTRY_SELECT, Citations, entries_from
from agent.records import Ref
from agent.store import Store, from_micros, marks, maybe_moment

CHUNK = 1000
_UNFINISHED = "e.state IN ('planned', 'held', 'intended', 'unknown')"
_UNFINISHED_STATES = frozenset({State.PLANNED, State.HELD, State.INTENDED, State.UNKNOWN})


def number_of(name: str, letter: str) -> int:
    """57 for ``B-57``.

    Raises:
        NotFound: the name is not of that kind.
    """
    start, dash, digits = name.partition("-")
    if start != letter or not dash or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise NotFound(f"{name!r} is not a name like {letter}-12", next_step="truce batches")
    return int(digits)


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which entries; every part given must hold."""

    batch_id: str | None = None
    states: Collection[State] | None = None
    entity_id: str | None = None
    ref: Ref | None = None
    after_seq: int | None = None
    newest_first: bool = False
    limit: int | None = None


def entries_matching(store: Store, citations: Citations, query: EntryQuery) -> Iterator[Entry]:
    """Entries in order of recording, a thousand at a time; safe to write between two of them."""
    conditions, params = _conditions(store, query)
    last: int | None = None
    left = query.limit if query.limit is not None else -1
    step, order = ("<", "DESC") if query.newest_first else (">", "ASC")
    while left:
        wanted = CHUNK if left < 0 else min(CHUNK, left)
        here = conditions if last is None else [*conditions, f"e.seq {step} {last:d}"]
        where = f" WHERE {' AND '.join(here)}" if here else ""
        rows = store.read_tuples(f"{ENTRY_SELECT}{where} ORDER BY e.seq {order} LIMIT {wanted:d}", params)
        yield from entries_from(rows, citations)
        if len(rows) < wanted:
            return
        last = rows[-1][0]
        left = left - len(rows) if left > 0 else left


def _conditions(store: Store, query: EntryQuery) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    params: list[Any] = []
    if query.batch_id is not None:
        seq, size = _range_of(store, query.batch_id)
        conditions.append("e.seq BETWEEN ? AND ?")
        params += (seq + 1, seq + size)
    if query.states is not None:
        if set(query.states) <= _UNFINISHED_STATES:
            conditions.append(_UNFINISHED)
        conditions.append(f"e.state IN ({marks(len(query.states))})")
        params += [State(state).value for state in query.states]
    if query.entity_id is not None:
        conditions.append("e.entity = ?")
        params.append(query.entity_id)
    if query.ref is not None:
        made = "SELECT entry FROM transitions WHERE record_id = ?"
        conditions.append(f"(e.record_id = ? OR e.seq IN ({made})) AND e.object_type = ? AND e.system = ?")
        params += (query.ref.id, query.ref.id, query.ref.object_type, query.ref.system)
    if query.after_seq is not None:
        conditions.append("e.seq > ?")
        params.append(query.after_seq)
    return conditions, params


def _range_of(store: Store, batch_id: str) -> tuple[int, int]:
    rows = store.read_tuples("SELECT seq, size FROM batches WHERE number = ?", (number_of(batch_id, "B"),))
    if not rows:
        raise no_such_batch(batch_id)
    return rows[0][0], rows[0][1]


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
        "SELECT state, COUNT(*) FROM entries WHERE seq BETWEEN ? AND ? GROUP BY state", (seq + 1, seq + size)
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
