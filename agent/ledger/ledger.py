"""Step 6: every write recorded before it is made. Batches, entries and what became of them, append-only.

Promise: when ``open_batch``, ``intend`` or ``attempt`` returns, the rows are on the disk; nothing may be
sent before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from agent.changes import OPEN_STATES, Batch, BatchKind, BatchState, Entry, State
from agent.errors import LedgerDamaged, LockHeld, NotFound, SafetyStop
from agent.events import Event, find_events
from agent.freeze import freeze
from agent.ledger import stored_plans, writing
from agent.ledger.chain import Pen, Salts, signing, write_event
from agent.ledger.memory import Memory, MemoryCheck
from agent.ledger.queries import (
    BATCH_SELECT,
    EntryQuery,
    batches_from,
    entries_matching,
    no_such_batch,
    number_of,
)
from agent.ledger.rows import (
    ENTRY_SELECT,
    Intent,
    Settlement,
    Shapes,
    entries_from,
    prepare,
)
from agent.ledger.stored_plans import Revision, StoredPlan
from agent.ledger.verify import Verification, verify_ledger
from agent.records import Ref
from agent.store import Clock, Connection, RandomBytes, Schema, Store, marks, maybe_micros, to_micros
from agent.stored_json import from_json, storable, to_json, to_json_by_items

__all__ = [
    "LEDGER_TABLES",
    "Event",
    "Intent",
    "Ledger",
    "Revision",
    "Settlement",
    "StoredPlan",
    "Verification",
]


def _load_migrations() -> Any:
    from agent.ledger.migrations import migrations

    return migrations


LEDGER_TABLES = Schema(version=5, load=_load_migrations)

_BATCH_MOVES: Mapping[str, frozenset[str]] = {
    "held": frozenset({"open", "rejected", "expired"}),
    "open": frozenset({"done", "rejected", "expired"}),
}


class Ledger:
    """The one ledger of an installation. Needs the writer lock for everything that records intents."""

    def __init__(self, store: Store, clock: Clock, random_bytes: RandomBytes) -> None:
        found = store.read_tuples("SELECT value FROM meta WHERE name = 'ledger_id'")
        if not found:
            raise LedgerDamaged("the ledger has no identity", where=str(store.path), next_step="truce init")
        self.ledger_id = str(found[0][0])
        self.store = store
        self.clock = clock
        self.salts = Salts(random_bytes)
        self._shapes = Shapes(store)
        self._memory = Memory(store.path, self.ledger_id)
        self._epoch: int | None = None

    @classmethod
    def open(cls, path: Path, *, clock: Clock, random_bytes: RandomBytes, new_id: str | None = None) -> Ledger:
        """Open for writing. ``new_id`` is the random identity for a ledger that does not exist yet.

        Raises:
            LedgerMissing: there is no ledger and no ``new_id`` was given.
        """
        store = Store.open(path, LEDGER_TABLES, create=new_id is not None)
        try:
            if new_id is not None:
                with store.write() as connection:
                    writing.write_identity(connection, new_id, to_micros(clock()))
            return cls(store, clock, random_bytes)
        except BaseException:
            store.close()
            raise

    @classmethod
    def open_read_only(cls, path: Path, *, clock: Clock) -> Ledger:
        """A second pair of eyes beside a running writer; every write raises."""
        return cls(Store.open_read_only(path, LEDGER_TABLES), clock, bytes)

    @property
    def last_seq(self) -> int:
        return int(self.store.read_tuples("SELECT seq FROM head")[0][0])

    @property
    def in_transaction(self) -> bool:
        """True while something is not committed yet: no request may leave then."""
        return self.store.in_transaction

    def close(self) -> None:
        self.store.close()

    def require_same_file(self) -> None:
        """SQLite goes on writing into a file that was moved away, where nobody will find it again.

        Raises:
            SafetyStop: the ledger was moved, deleted or replaced while we run.
        """
        if not self.store.is_same_file():
            raise SafetyStop(
                "the ledger was moved, deleted or replaced under a running Truce, so nothing more is written",
                where=str(self.store.path),
                next_step="truce status",
            )

    def begin_epoch(self, holder: str) -> int:
        """Note that a new writer took over (once, after the lock); an older one is refused from now on."""
        with self.store.write() as connection:
            epoch = writing.present_epoch(connection) + 1
            connection.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (epoch,))
            self.record_event("writer started", f"epoch {epoch}", holder, {})
        self._epoch = epoch
        return epoch

    # --- recording ---

    def open_batch(
        self, kind: BatchKind, title: str, actor: str, intents: Sequence[Intent], *, state: BatchState =
        "open", reverts: Sequence[str] = (), plan_id: str | None = None, hold_reason: str | None = None,
        expires_at: datetime | None = None, freezes: Sequence[freeze.Freeze] = (), counted: Mapping[str, int]
        | None = None, day: date | None = None,
    ) -> Batch:  # fmt: skip
        """Record a batch, its entries, its freezes, the use of its plan and its counters in one transaction.

        ``day`` is the day its counters belong to (today in UTC unless given).

        Raises:
            PlanStale: the plan was used already, or has expired.
            LockHeld: another writer took over.
            ValueError: two intents would take the same place.
        """
        prepared = prepare(intents, self.salts.take(len(intents)))
        now = self.clock()
        at = to_micros(now)
        plan = number_of(plan_id, "P") if plan_id else None
        undone = to_json(list(reverts)).decode() if reverts else None
        with signing(self.store) as (connection, pen):
            epoch = self._require_own_epoch(connection)
            number = writing.next_batch_number(connection)
            self._shapes.write(connection, pen, prepared.shapes)
            columns = (number, epoch, kind, state, storable(title), actor, at, undone, plan,
                       storable(hold_reason) if hold_reason is not None else None,
                       maybe_micros(expires_at), len(prepared.entries))  # fmt: skip
            unsettled = sum([entry[4] in writing.UNSETTLED for entry in prepared.entries])
            writing.insert_batch(connection, pen, columns, prepared.hash, unsettled)
            writing.insert_entries(connection, pen, number, prepared.entries)
            freeze.write_freezes(connection, freezes, at=at, batch=number)
            if plan is not None:
                stored_plans.mark_used(connection, plan, at=at, actor=actor)
            writing.count(connection, counted or {}, day or now.date())
        if not self.store.in_transaction:
            self._shapes.remember(prepared.shapes)
        return Batch(
            f"B-{number}", kind, state, title, actor, now, prepared.hash.hex(),
            Counter([entry[4] for entry in prepared.entries]), reverts=tuple(reverts), plan_id=plan_id,
            hold_reason=hold_reason, expires_at=expires_at,
        )  # fmt: skip

    def intend(
        self, entry_ids: Sequence[str], *, counted: Mapping[str, int] | None = None, day: date | None = None
    ) -> None:
        """Held or planned entries become intended, before any call; their counters count from now.

        Raises:
            ValueError: an entry is in a state that cannot be intended.
            LockHeld: another writer took over. SafetyStop: the file is gone or another one is in its place.
        """
        self.require_same_file()
        now = self.clock()
        with signing(self.store) as (connection, pen):
            self._require_own_epoch(connection)
            numbers = _numbers(entry_ids)
            standings = writing.standings_of(connection, numbers)
            for number in numbers:
                writing.require_transition(number, standings[number].state, State.INTENDED.value)
            sent = [(number, State.INTENDED.value) for number in numbers]
            writing.insert_sends(connection, pen, sent, to_micros(now))
            writing.count(connection, counted or {}, day or now.date())

    def attempt(self, entry_ids: Sequence[str]) -> None:
        """Note that open entries are about to be sent once more, before the call.

        Raises:
            ValueError: an entry is not open.
            LockHeld: another writer took over.
        """
        with signing(self.store) as (connection, pen):
            self._require_own_epoch(connection)
            numbers = _numbers(entry_ids)
            standings = writing.standings_of(connection, numbers)
            for number in numbers:
                if standings[number].state not in OPEN_STATES:
                    raise ValueError(f"E-{number} is {standings[number].state}, so it cannot be sent again")
            sent = [(number, standings[number].state) for number in numbers]
            writing.insert_sends(connection, pen, sent, to_micros(self.clock()))

    def settle(self, settlements: Sequence[Settlement]) -> int:
        """Record outcomes, all or none. Returns the ledger's last number.

        Raises:
            ValueError: a transition that ``agent.changes.TRANSITIONS`` does not allow.
        """
        numbers = _numbers([each.entry_id for each in settlements])
        salts = self.salts.take(len(numbers))
        at = to_micros(self.clock())
        with signing(self.store) as (connection, pen):
            standings = writing.standings_of(connection, numbers, with_values=True)
            news = [
                (number, each)
                for number, each in zip(numbers, settlements, strict=True)
                if not (each.state is State.UNKNOWN and self._is_no_news(standings[number], each))
            ]
            writing.insert_settlements(connection, pen, news, standings, self._shapes, salts[: len(news)], at)
            return pen.seq

    def approve_batch(self, batch_id: str, by: Sequence[str]) -> None:
        """A held batch may now be written, on the word of these people (see ``agent.approval.approvals``)."""
        self._move_batch(batch_id, "open", ", ".join(by))

    def use_limits(self, counted: Mapping[str, int], day: date | None = None) -> None:
        """Count writes that were held when their batch was opened and may be made now."""
        with self.store.write() as connection:
            writing.count(connection, counted, day or self.clock().date())

    def close_batch(self, batch_id: str, state: BatchState = "done", *, actor: str | None = None) -> None:
        """The batch is over; how far the ledger is, is noted beside it.

        Raises:
            ValueError: the batch is over already, or entries of it are still open.
        """
        if state == "done":
            for waiting in self.entries(batch_id=batch_id, states=(State.INTENDED,), limit=1):
                raise ValueError(f"{waiting.id} of {batch_id} is still {waiting.state}")
        self._move_batch(batch_id, state, actor)
        self.remember()

    def record_event(self, kind: str, subject: str, actor: str, body: Mapping[str, Any]) -> int:
        """Append to the chain something that happened. Values belong into ``body``, which can be erased."""
        with signing(self.store) as (connection, pen):
            return self._append_event(connection, pen, kind, subject, actor, to_micros(self.clock()), body)

    def save_revision(self, revision: str, sources: Mapping[str, str], editor: str) -> None:
        """Keep the policy texts of a revision; saying the newest one again changes nothing."""
        with self.store.write() as connection:
            if stored_plans.insert_revision(connection, revision, sources, editor, to_micros(self.clock())):
                self.record_event("policies changed", revision, editor, {"files": sorted(sources)})

    def save_plan(self, body: Mapping[str, Any], *, expires_at: datetime) -> str:
        """Keep a plan as it was shown; returns its name. Long lists of ``body`` may be iterators."""
        text = to_json_by_items(body)
        with self.store.write() as connection:
            number = stored_plans.insert_plan(
                connection, text, at=to_micros(self.clock()), expires_at=to_micros(expires_at)
            )
        return f"P-{number}"

    # --- reading ---

    def entry(self, entry_id: str) -> Entry:
        """Raises NotFound."""
        rows = self.store.read_tuples(f"{ENTRY_SELECT} WHERE e.seq = ?", (number_of(entry_id, "E"),))
        if not rows:
            raise NotFound(f"there is no entry {entry_id}", next_step="truce batches")
        return entries_from(rows, self._shapes)[0]

    def entries_of(self, entry_ids: Sequence[str]) -> list[Entry]:
        """These entries, in this order. Raises NotFound."""
        numbers = _numbers(entry_ids)
        found: dict[int, Entry] = {}
        for start in range(0, len(numbers), 500):
            chunk = numbers[start : start + 500]
            rows = self.store.read_tuples(f"{ENTRY_SELECT} WHERE e.seq IN ({marks(len(chunk))})", chunk)
            found.update((entry.seq, entry) for entry in entries_from(rows, self._shapes))
        for number in numbers:
            if number not in found:
                raise NotFound(f"there is no entry E-{number}", next_step="truce batches")
        return [found[number] for number in numbers]

    def entries(
        self, *, batch_id: str | None = None, states: Collection[State] | None = None,
        entity_id: str | None = None, ref: Ref | None = None, after_seq: int | None = None,
        since: datetime | None = None, newest_first: bool = False, limit: int | None = None,
    ) -> list[Entry]:  # fmt: skip
        """Entries in the order recorded; all conditions must hold. ``ref`` finds creates by their new id."""
        query = EntryQuery(batch_id, states, entity_id, ref, after_seq, since, newest_first, limit)
        return list(self.each_entry(query))

    def each_entry(self, query: EntryQuery) -> Iterator[Entry]:
        """As ``entries``, a thousand in memory at a time; writing between two of them is fine."""
        return entries_matching(self.store, self._shapes, query)

    def batch(self, batch_id: str) -> Batch:
        """Raises NotFound."""
        rows = self.store.read_tuples(f"{BATCH_SELECT} WHERE number = ?", (number_of(batch_id, "B"),))
        if not rows:
            raise no_such_batch(batch_id)
        return batches_from(self.store, rows)[0]

    def batches(self, *, states: Collection[BatchState] | None = None, limit: int | None = None) -> list[Batch]:
        """Newest first."""
        where, params = "", list(states or ())
        if states is not None:
            unfinished = " AND state IN ('held', 'open')" if set(states) <= set(_BATCH_MOVES) else ""
            where = f"WHERE state IN ({marks(len(params))}){unfinished}"
        limited = -1 if limit is None else limit
        rows = self.store.read_tuples(f"{BATCH_SELECT} {where} ORDER BY number DESC LIMIT ?", (*params, limited))
        return batches_from(self.store, rows)

    def reversals(self) -> dict[str, tuple[str, ...]]:
        """{rollback: the batches it undid}, oldest first."""
        rows = self.store.read_tuples("SELECT number, reverts FROM batches WHERE reverts IS NOT NULL ORDER BY number")
        return {f"B-{number}": tuple(from_json(reverts)) for number, reverts in rows}

    def events(self, *, kind: str | None = None, subject: str | None = None, limit: int | None = None) -> list[Event]:
        """Newest first."""
        return find_events(self.store, kind, subject, limit)

    def used_today(self, day: date) -> Mapping[str, int]:
        """What the day's counters hold, by meaning."""
        return dict(self.store.read_tuples("SELECT meaning, number FROM counted WHERE day = ?", (day.isoformat(),)))

    def settled_after(self, seq: int) -> Iterator[tuple[int, Entry]]:
        """(number of the outcome, entry) for outcomes after ``seq``, in order; an entry's latest only."""
        while True:
            rows = self.store.read_tuples(
                "SELECT t.seq, t.entry FROM transitions t WHERE t.seq > ? AND t.sends = 0"
                " AND t.seq = (SELECT MAX(seq) FROM transitions WHERE entry = t.entry)"
                " ORDER BY t.seq LIMIT 500",
                (seq,),
            )
            if not rows:
                return
            numbers = [entry for _, entry in rows]
            found = self.store.read_tuples(f"{ENTRY_SELECT} WHERE e.seq IN ({marks(len(numbers))})", numbers)
            by_number = {entry.seq: entry for entry in entries_from(found, self._shapes)}
            for outcome, number in rows:
                yield outcome, by_number[number]
            seq = rows[-1][0]

    def plan(self, plan_id: str) -> StoredPlan:
        """Raises NotFound."""
        return stored_plans.load_plan(self.store, number_of(plan_id, "P"))

    def revision(self, revision: str) -> Revision | None:
        return next(iter(stored_plans.load_revisions(self.store, revision, limit=1)), None)

    def revisions(self, limit: int | None = None) -> list[Revision]:
        """Newest first."""
        return stored_plans.load_revisions(self.store, limit=limit)

    # --- is it whole? ---

    def verify(self, *, recent: int | None = None) -> Verification:
        """Recompute the whole chain and replay every change of state; names the first number that does not hold.

        ``recent``: only the hashes of that many last rows, for a quick look at a start.
        """
        return verify_ledger(self.store, self.ledger_id, recent)

    def memory_check(self) -> MemoryCheck:
        """Is this the ledger that was here before? ``ok``, ``lost`` (another one) or ``older`` (a backup)."""
        return self._memory.check(self.store)

    def remember(self, *, accept: bool = False) -> None:
        """Note beside the ledger how far it is; ``accept`` once a person settled a failed memory check."""
        self._memory.write(self.store, accept=accept)

    def distrust_memory(self) -> None:
        """A copy was put back in place of this ledger: from now on a person has to accept that something is lost."""
        self._memory.distrust(self.store)

    def _move_batch(self, batch_id: str, state: BatchState, actor: str | None) -> None:
        at = to_micros(self.clock())
        with signing(self.store) as (connection, pen):
            before = self.batch(batch_id)
            if state not in _BATCH_MOVES.get(before.state, frozenset()):
                raise ValueError(f"{batch_id} is {before.state}; it cannot become {state}")
            self._append_event(connection, pen, f"batch {state}", batch_id, actor or before.actor, at, {})
            connection.execute(
                "UPDATE batches SET state = ?, closed_at = ? WHERE number = ?",
                (state, None if state == "open" else at, number_of(batch_id, "B")),
            )

    def _is_no_news(self, standing: writing.Standing, settlement: Settlement) -> bool:
        """An unknown entry that is looked at again and again says the same thing once."""
        if standing.state != "unknown":
            return False
        entry = self.entry(settlement.entry_id)
        said = (entry.error, entry.version, dict(entry.observed), entry.record_id)
        record_id = settlement.record_id or entry.record_id
        return said == (settlement.error, settlement.version, dict(settlement.observed), record_id)

    def _append_event(
        self,
        connection: Connection,
        pen: Pen,
        kind: str,
        subject: str,
        actor: str,
        at: int,
        body: Mapping[str, Any],
    ) -> int:
        (salt,) = self.salts.take(1)
        return write_event(connection, pen, salt, kind=kind, subject=subject, actor=actor, at=at, body=body)

    def _require_own_epoch(self, connection: Connection) -> int:
        present = writing.present_epoch(connection)
        if self._epoch is not None and present != self._epoch:
            raise LockHeld(
                "another writer took over, so this one records nothing more",
                where=str(self.store.path),
                why=f"this is epoch {self._epoch}, the ledger is in epoch {present}",
                next_step="truce status",
            )
        return present


def _numbers(entry_ids: Sequence[str]) -> list[int]:
    numbers = [number_of(each, "E") for each in entry_ids]
    if len(set(numbers)) != len(numbers):
        raise ValueError("an entry is named twice")
    return numbers
