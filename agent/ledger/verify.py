"""Is the ledger what it was when it was written? Recomputes every hash and replays every change of state."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from agent.changes import OPEN_STATES, TRANSITIONS, State
from agent.ledger.chain import FIXED_COLUMNS, chain_at, first_hash, keyed_hash, row_hash
from agent.ledger.writing import UNSETTLED
from agent.store import Store
from agent.stored_json import from_json

EXPIRED = "payloads expired"
"""Kind of the event that records an erasure by age; its subject is the number of the last entry erased."""

ERASED = "payloads erased"
"""Kind of the event that records the erasure of one entity; its subject is the entity."""

BATCH_STATES = {f"batch {state}": state for state in ("open", "done", "rejected", "expired")}
"""Kinds of the events that move a batch; the subject is the batch."""

_CHUNK = 5000
_FINISHED_BATCH = frozenset({"done", "rejected", "expired"})
_TAIL = {
    "batches": "hash, chain, NULL, NULL, state, closed_at, unsettled",
    "shapes": "NULL, chain, NULL, NULL",
    "entries": "mac, chain, salt, body",
    "transitions": "mac, chain, salt, body",
    "events": "mac, chain, salt, body",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """``bad_seq`` is the first number that does not hold; ``problem`` says in words what is wrong with it."""

    ok: bool
    rows: int
    last_seq: int
    head: str
    erased: int = 0
    bad_seq: int | None = None
    problem: str = ""

    @property
    def message(self) -> str:
        """One sentence for people; empty when all is well."""
        return "" if self.ok else f"number {self.bad_seq}: {self.problem}"


def verify_ledger(store: Store, ledger_id: str, recent: int | None = None) -> Verification:
    """Walk the whole chain inside one consistent view; about a second per 200,000 rows.

    With ``recent``, only that many last rows, and only their hashes: a quick look for a start.
    """
    with store.snapshot():
        last_seq, head = store.read_tuples("SELECT seq, hash FROM head")[0]
        skipped = max(0, last_seq - recent) if recent is not None else 0
        before = chain_at(store, skipped) if skipped else first_hash(ledger_id)
        walk = _Walk(store, before or b"", replays=not skipped)
        problem = walk.run(skipped, last_seq)
        if problem is None and walk.hash != head:
            problem = _Problem(last_seq, "the end of the chain is not the one noted")
        bad_seq, words = (problem.seq, problem.words) if problem else (None, "")
        return Verification(problem is None, walk.rows, last_seq, head.hex(), walk.erased, bad_seq, words)


@dataclass(frozen=True, slots=True)
class _Problem:
    seq: int
    words: str


class _Row(NamedTuple):
    """One row of any of the five tables; ``mac`` of a batch is its own hash. ``rest`` is what may change."""

    seq: int
    table: str
    columns: tuple[Any, ...]
    mac: bytes | None
    chain: bytes
    salt: bytes | None
    body: str | None
    rest: tuple[Any, ...]


@dataclass(slots=True)
class _Batch:
    """What the walk derived of a batch, beside what its row claims: (state, closed_at, unsettled)."""

    seq: int
    claimed: tuple[Any, ...]
    state: str
    closed_at: int | None
    unsettled: int

    def is_over(self) -> bool:
        return self.state in _FINISHED_BATCH and self.unsettled == 0

    def problem(self, name: str) -> str:
        derived = (self.state, self.closed_at, self.unsettled)
        return "" if derived == self.claimed else f"{name} claims {self.claimed}, the chain says {derived}"


@dataclass(slots=True)
class _Walk:
    """One walk along the chain. Keeps in mind only what is still on its way."""

    store: Store
    hash: bytes
    replays: bool
    rows: int = 0
    erased: int = 0
    expired_up_to: int = 0
    erased_entities: dict[str, int] = field(default_factory=dict)
    erased_events: set[int] = field(default_factory=set)
    entries: dict[int, tuple[State, int]] = field(default_factory=dict)
    batches: dict[int, _Batch] = field(default_factory=dict)

    def run(self, skipped: int, last_seq: int) -> _Problem | None:
        self._load_erasures()
        expected = skipped
        for row in self._read_rows(skipped):
            expected += 1
            if row.seq != expected:
                return _Problem(expected, "it is missing")
            if row_hash(self.hash, row.seq, row.table, row.columns, row.mac) != row.chain:
                return _Problem(row.seq, f"its hash does not fit ({row.table})")
            self.hash = row.chain
            self.rows += 1
            words = self._payload_problem(row) or (self._replay(row) if self.replays else "")
            if words:
                return _Problem(row.seq, words)
        if expected != last_seq:
            return _Problem(expected + 1, "it is missing")
        for number, batch in self.batches.items():
            if words := batch.problem(f"B-{number}"):
                return _Problem(batch.seq, words)
        return None

    def _read_rows(self, skipped: int) -> Iterator[_Row]:
        """All later rows by number, in chunks."""
        top = max([_max_seq(self.store, table) for table in FIXED_COLUMNS])
        for start in range(skipped, top, _CHUNK):
            chunk: list[_Row] = []
            for table, fixed in FIXED_COLUMNS.items():
                sql = f"SELECT seq, {', '.join(fixed)}, {_TAIL[table]} FROM {table} WHERE seq > ? AND seq <= ?"
                end = len(fixed) + 1
                rows = self.store.read_tuples(sql, (start, start + _CHUNK))
                for row in rows:
                    mac, chain, salt, body = row[end : end + 4]
                    chunk.append(_Row(row[0], table, row[1:end], mac, chain, salt, body, row[end + 4 :]))
            chunk.sort(key=itemgetter(0))
            yield from chunk

    def _load_erasures(self) -> None:
        """Read ahead which payloads may be missing; the events saying so are verified like any other row."""
        rows = self.store.read_tuples(
            "SELECT seq, kind, subject, body FROM events WHERE kind IN (?, ?)", (EXPIRED, ERASED)
        )
        for seq, kind, subject, body in rows:
            if kind == EXPIRED and subject.isdigit():
                self.expired_up_to = max(self.expired_up_to, min(int(subject), seq))
            elif kind == ERASED:
                self.erased_entities[subject] = seq
            self.erased_events.update(from_json(body or "{}").get("events", ()))

    def _payload_problem(self, row: _Row) -> str:
        if row.table in ("batches", "shapes"):
            return ""
        if not row.mac:
            return "it has values that nothing vouches for" if row.body or row.salt else ""
        if row.body is not None and row.salt is not None:
            is_true = row.salt and keyed_hash(row.salt, row.body.encode()) == row.mac
            return "" if is_true else "its values were altered"
        self.erased += 1
        return "" if self._is_erased(row) else "its values are missing"

    def _is_erased(self, row: _Row) -> bool:
        if row.table == "events":
            return row.seq in self.erased_events
        entry = row.columns[0] if row.table == "transitions" else row.seq
        if entry <= self.expired_up_to:
            return True
        found = self.store.read_tuples("SELECT entity FROM entries WHERE seq = ?", (entry,))
        return bool(found) and row.seq < self.erased_entities.get(found[0][0], 0)

    def _replay(self, row: _Row) -> str:
        if row.table == "entries":
            return self._replay_entry(row)
        if row.table == "transitions":
            return self._replay_transition(row)
        if row.table == "batches":
            number, born = row.columns[0], row.columns[3]
            self.batches[number] = _Batch(row.seq, row.rest, born, None, 0)
        elif row.table == "events" and row.columns[0] in BATCH_STATES:
            return self._replay_batch_event(row)
        return ""

    def _replay_entry(self, row: _Row) -> str:
        number, born = row.columns[0], State(row.columns[5])
        batch = self.batches.get(number)
        if batch is None:
            return f"it belongs to B-{number}, which is not there"
        if born in UNSETTLED:
            batch.unsettled += 1
            self.entries[row.seq] = (born, number)
        return ""

    def _replay_transition(self, row: _Row) -> str:
        number, after = row.columns[0], State(row.columns[1])
        before, batch_number = self.entries.pop(number, (None, 0))
        if before is None:
            return f"it is about E-{number}, which was settled before or never recorded"
        is_repeat = after is before and after in OPEN_STATES
        if not is_repeat and after not in TRANSITIONS[before]:
            return f"E-{number} cannot go from {before} to {after}"
        if after in UNSETTLED:
            self.entries[number] = (after, batch_number)
            return ""
        self.batches[batch_number].unsettled -= 1
        return self._forget_if_over(batch_number)

    def _replay_batch_event(self, row: _Row) -> str:
        kind, subject, _, at = row.columns
        digits = subject.removeprefix("B-")
        batch = self.batches.get(int(digits)) if digits.isdigit() else None
        if batch is None:
            return f"it is about {subject}, which was over before or never opened"
        batch.state = BATCH_STATES[kind]
        batch.closed_at = at if batch.state in _FINISHED_BATCH else None
        return self._forget_if_over(int(digits))

    def _forget_if_over(self, number: int) -> str:
        batch = self.batches[number]
        if not batch.is_over():
            return ""
        del self.batches[number]
        return batch.problem(f"B-{number}")


def _max_seq(store: Store, table: str) -> int:
    return int(store.read_tuples(f"SELECT COALESCE(MAX(seq), 0) FROM {table}")[0][0])
