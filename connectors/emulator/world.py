"""The practice world: both systems' records, one transaction at a time, and the audit that nobody may skip.

A vendor resource changes records only through ``World.transaction``. A transaction gives every row it touched
one stamp, writes one audit line per row, and is undone whole when its block raises. Handlers run on one event
loop, so there are no locks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from connectors.emulator.audit import AuditLine, Cause
from connectors.emulator.clock import Clock
from connectors.emulator.history import trimmed
from connectors.emulator.indexes import FieldIndex, StampIndex

ENTRY_HEADER = "x-truce-entry"
"""Request header in which a caller may name its own ledger entries, in the order of the rows it writes, parted by
commas. They go to the audit and nowhere else."""

CURRENT_REQUEST: ContextVar[str | None] = ContextVar("CURRENT_REQUEST", default=None)
"""The vendor call being answered; each call runs in a context of its own."""

End = tuple[str, str]
"""One end of an association: (object type, record id)."""


Line = tuple[str, Any, datetime, str]
"""(field, value, at, actor): one version of one field."""


@dataclass(slots=True)
class Row:
    """One record. ``values`` are under vendor names in the vendor's own form (JSON scalars).

    ``stamp`` moves on every change (SystemModstamp, hs_lastmodifieddate); ``visible_at`` is when change
    queries may first see it (late commit, index lag). ``changes`` are newest first: (field, value, at, actor); the
    list is replaced, never changed in place. What a field had from the start is told by ``born`` (when, by whom)
    until it changes: of a million records no one needs twenty lines that say so.
    """

    id: str
    object_type: str
    values: dict[str, Any]
    created_at: datetime
    stamp: datetime
    modified_at: datetime
    visible_at: datetime
    deleted: bool = False
    deleted_at: datetime | None = None
    merged_into: str | None = None
    changes: list[Line] = field(default_factory=list)
    born: tuple[datetime, str] | None = None

    @property
    def history(self) -> list[Line]:
        """Every version of every field, newest first."""
        if self.born is None:
            return self.changes
        at, actor_id = self.born
        told = {line[0] for line in self.changes}
        first = [(name, value, at, actor_id) for name, value in self.values.items() if name not in told]
        return [*self.changes, *first]

    def remember(self, changed: list[Line], before: dict[str, Any]) -> None:
        """``before``: {field: value} of the fields that changed; the first change of one also tells its first value."""
        first: list[Line] = []
        if self.born is not None:
            told = {line[0] for line in self.changes}
            names = [line[0] for line in changed if line[0] not in told and before[line[0]] is not None]
            first = [(name, before[name], *self.born) for name in names]
        self.changes = trimmed([*changed, *self.changes, *first])

    def tell(self, history: list[Line]) -> None:
        """Replace all that is known of earlier values."""
        self.changes, self.born = history, None

    def photographed(self) -> Row:
        """A copy that later changes to this row do not reach."""
        copied = Row(*(getattr(self, one.name) for one in fields(Row)))
        copied.values = dict(self.values)
        return copied

    def become(self, photograph: Row) -> None:
        for one in fields(Row):
            setattr(self, one.name, getattr(photograph, one.name))
        self.values = dict(photograph.values)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a user id, and whether that is the API, a person, an automation or the system.

    ``entry_id`` is the caller's own ledger entry from its request header, recorded for the oracle only.
    """

    id: str
    cause: Cause
    name: str = ""
    request_id: str | None = None
    entry_id: str | None = None


class Space:
    """One system's tables. ``links`` keeps associations: {(type, id): {(other type, other id): labels}}."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.tables: dict[str, dict[str, Row]] = {}
        self.links: dict[tuple[str, str], dict[tuple[str, str], set[str]]] = {}
        self.counters: dict[str, int] = {}
        self.settings: dict[str, Any] = {}
        """Behaviour switches and account data of this vendor; each vendor's package documents its own.

        Only what the state file can keep: JSON scalars, lists, dicts, sets, tuples, dates.
        """
        self.visible_delay_seconds = 0.0
        self.indexes: dict[tuple[str, str], FieldIndex] = {}
        self._indexed: dict[str, list[tuple[str, FieldIndex]]] = {}
        self._stamps: dict[str, StampIndex] = {}
        self.keeps_history = True
        """Rows remember the earlier values of their fields."""
        self.keeps_blanks = True
        """A field without a value stays in the row as None; otherwise it is left out, which takes a third."""
        self.earlier: dict[str, list[Row]] = {}
        """Versions of rows that late queries go on showing; the vendor's own. In snapshots, not in the state file."""
        self.on_finish: Callable[[Transaction], None] = lambda transaction: None
        """The vendor's own view of changes that queries see later; called once their visibility is set."""

    def table(self, object_type: str) -> dict[str, Row]:
        return self.tables.setdefault(object_type, {})

    def row(self, object_type: str, row_id: str) -> Row | None:
        return self.table(object_type).get(row_id)

    def next_number(self, name: str) -> int:
        self.counters[name] = self.counters.get(name, 0) + 1
        return self.counters[name]

    def add_index(self, object_type: str, name: str, key: Callable[[Any], Any] = lambda value: value) -> None:
        """Keep {key(value): ids} of one field up to date; None keys are left out."""
        self._index(object_type, name, FieldIndex(key))

    def rebuild_indexes(self) -> None:
        """After rows were put into the tables from outside a transaction."""
        self._stamps.clear()
        for (object_type, name), index in list(self.indexes.items()):
            self._index(object_type, name, index.emptied())

    def lookup(self, object_type: str, name: str, value: Any) -> set[str]:
        """Ids whose indexed field has this key (deleted rows included)."""
        return self.indexes[object_type, name].ids(value)

    def stamped(self, object_type: str, start: datetime | None, end: datetime | None) -> Iterable[str]:
        """Ids of all rows whose stamp lies in this span, and of some others."""
        index = self._stamps.get(object_type)
        if index is None or index.is_stale(len(self.table(object_type))):
            rows = self.table(object_type).values()
            index = self._stamps[object_type] = StampIndex((row.stamp, row.id) for row in rows)
        return index.between(start, end)

    def note_stamp(self, row: Row) -> None:
        index = self._stamps.get(row.object_type)
        if index is not None:
            index.note(row.stamp, row.id)

    def reindex(self, row: Row, before: dict[str, Any], after: dict[str, Any]) -> None:
        for name, index in self._indexed.get(row.object_type, ()):
            if name in before or name in after:
                index.remove(before.get(name), row.id)
                index.add(after.get(name), row.id)

    def _index(self, object_type: str, name: str, index: FieldIndex) -> None:
        self.indexes[object_type, name] = index
        others = [pair for pair in self._indexed.get(object_type, ()) if pair[0] != name]
        self._indexed[object_type] = [*others, (name, index)]
        for row in self.table(object_type).values():
            index.add(row.values.get(name), row.id)


@dataclass(slots=True)
class Touch:
    """What a transaction remembers of a row it changed: the row itself and how it was (None = not there)."""

    row: Row
    before: Row | None
    op: str


class Transaction:
    """Changes of one request in one system. All stamps equal; undone whole on an exception."""

    def __init__(self, world: World, space: Space, actor: Actor, number: int) -> None:
        self.world = world
        self.space = space
        self.actor = actor
        self.number = number
        self.at = world.clock.now()
        self._touches: dict[tuple[str, str], Touch] = {}
        self._links: dict[tuple[End, End], frozenset[str]] = {}
        self.is_silent = False
        """No audit of rows: what a practice world begins with was not changed by anybody."""
        self.entry_ids: dict[tuple[str, str], str] = {}
        """The caller's own ledger entry per row, where one request carries several."""

    def create(self, object_type: str, row_id: str, values: dict[str, Any]) -> Row:
        if self.space.row(object_type, row_id) is not None:
            raise RuntimeError(f"{object_type} {row_id} is there already; the id was not drawn anew")
        kept = dict(values) if self.space.keeps_blanks else {n: v for n, v in values.items() if v is not None}
        row = Row(row_id, object_type, kept, self.at, self.at, self.at, self.at)
        earlier = self._touches.get((object_type, row_id))
        self._touches[object_type, row_id] = Touch(row, earlier.before if earlier else None, "create")
        self.space.table(object_type)[row_id] = row
        self.space.reindex(row, {}, values)
        if self.space.keeps_history:
            row.born = (self.at, self.actor.id)
        return row

    def update(self, row: Row, values: dict[str, Any], *, op: str = "update", system_only: bool = False) -> None:
        """Set values. ``system_only`` moves the stamp but not ``modified_at`` (a background touch)."""
        self._remember(row, op)
        before = {name: row.values.get(name) for name in values}
        row.values.update(values)
        if not self.space.keeps_blanks:
            row.values = {name: value for name, value in row.values.items() if value is not None}
        self.space.reindex(row, before, values)
        row.stamp = self.at
        if not system_only:
            row.modified_at = self.at
        changed = [(name, value, self.at, self.actor.id) for name, value in values.items() if before[name] != value]
        if changed and self.space.keeps_history:
            row.remember(changed, before)

    def mark(self, row: Row, *, op: str, deleted: bool, merged_into: str | None = None) -> None:
        """Delete, undelete or merge away; ``op`` is ``delete``, ``undelete`` or ``merge``."""
        self._remember(row, op)
        row.deleted = deleted
        row.deleted_at = self.at if deleted else None
        row.merged_into = merged_into
        row.stamp = self.at

    def purge(self, row: Row) -> None:
        """Remove for good (GDPR delete, emptied bin)."""
        self._remember(row, "purge")
        self.space.reindex(row, row.values, {})
        del self.space.table(row.object_type)[row.id]

    def link(self, here: End, there: End, labels: set[str]) -> None:
        """Replace the labels of one direction; an empty set removes the link."""
        side = self.space.links.setdefault(here, {})
        self._links.setdefault((here, there), frozenset(side.get(there, ())))
        if labels:
            side[there] = set(labels)
            return
        side.pop(there, None)
        if not side:
            del self.space.links[here]

    def savepoint(self) -> Transaction:
        """A nested transaction with the same stamp and number: undo one row of a partial batch."""
        nested = Transaction(self.world, self.space, self.actor, self.number)
        nested.at = self.at
        nested.entry_ids = self.entry_ids
        return nested

    def absorb(self, nested: Transaction) -> None:
        for key, touch in nested._touches.items():
            mine = self._touches.setdefault(key, touch)
            if mine is not touch:
                mine.row = touch.row
                mine.op = stronger(mine.op, touch.op)
        for ends, labels in nested._links.items():
            self._links.setdefault(ends, labels)

    def undo(self) -> None:
        for key, touch in reversed(self._touches.items()):
            self._undo_row(key, touch)
        for (here, there), labels in reversed(self._links.items()):
            self.space.links.setdefault(here, {}).pop(there, None)
            if labels:
                self.space.links[here][there] = set(labels)
            if not self.space.links[here]:
                del self.space.links[here]
        self._touches.clear()
        self._links.clear()

    def _undo_row(self, key: tuple[str, str], touch: Touch) -> None:
        """Put the same row object back as it was, so that whoever holds it sees the truth."""
        table = self.space.table(key[0])
        current = table.pop(key[1], None)
        if current is not None:
            self.space.reindex(current, current.values, {})
        if touch.before is not None:
            touch.row.become(touch.before)
            table[key[1]] = touch.row
            self.space.reindex(touch.row, {}, touch.row.values)

    def finish(self) -> list[AuditLine]:
        """Give touched rows their visibility; one audit line per changed row and per changed link."""
        visible_at = self.world.visible_from(self.space, self.at)
        lines: list[AuditLine] = []
        seq = self.world.next_seq
        for key, touch in self._touches.items():
            row = self.space.table(key[0]).get(key[1])
            if row is not None:
                row.visible_at = visible_at
                self.space.note_stamp(row)
            if self.is_silent or (row is None and touch.before is None):
                continue
            old = touch.before.values if touch.before is not None else {}
            new = row.values if row is not None else {}
            names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            before = {name: old.get(name) for name in names}
            after = {name: new.get(name) for name in names}
            lines.append(self._line(seq + len(lines), visible_at, touch.op, key, before, after))
        for here, there, was, now in self._changed_links():
            before, after = {"/".join(there): sorted(was)}, {"/".join(there): sorted(now)}
            op = "link" if now else "unlink"
            lines.append(self._line(seq + len(lines), visible_at, op, here, before, after))
        return lines

    def _changed_links(self) -> Iterator[tuple[End, End, frozenset[str], frozenset[str]]]:
        """Each changed association once, in the direction that was touched first."""
        seen: set[frozenset[End]] = set()
        for (here, there), was in self._links.items():
            now = frozenset(self.space.links.get(here, {}).get(there, ()))
            if now != was and frozenset((here, there)) not in seen:
                seen.add(frozenset((here, there)))
                yield here, there, was, now

    def _line(
        self, seq: int, visible_at: datetime, op: str, key: End, before: dict[str, Any], after: dict[str, Any]
    ) -> AuditLine:
        return AuditLine(
            seq=seq,
            time=self.at,
            visible_at=visible_at,
            system=self.space.system,
            cause=self.actor.cause,
            actor=self.actor.id,
            op=op,
            object_type=key[0],
            id=key[1],
            before=before,
            after=after,
            transaction=self.number,
            request_id=self.actor.request_id or CURRENT_REQUEST.get(),
            entry_id=self.entry_ids.get(key, self.actor.entry_id),
        )

    @property
    def touched(self) -> list[tuple[str, str]]:
        return list(self._touches)

    def originals(self) -> Iterator[tuple[str, Row | None]]:
        """(id, the row as it was before this transaction, None for a new one) of every row touched."""
        for (_, row_id), touch in self._touches.items():
            yield row_id, touch.before

    @property
    def touched_links(self) -> list[tuple[End, End]]:
        return list(self._links)

    def _remember(self, row: Row, op: str) -> None:
        touch = self._touches.get((row.object_type, row.id))
        if touch is None:
            self._touches[row.object_type, row.id] = Touch(row, row.photographed(), op)
        else:
            touch.op = stronger(touch.op, op)


def stronger(first: str, second: str) -> str:
    """The op that tells more about one row: a create stays one however often it is updated."""
    if second == "update" or (first == "create" and second not in {"delete", "merge", "purge"}):
        return first
    return second


class World:
    """Both systems on one clock. ``on_commit`` hooks (persistence) get (space, transaction, audit lines).

    A hook that raises makes the transaction fail as a whole.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.spaces = {"salesforce": Space("salesforce"), "hubspot": Space("hubspot")}
        self.audit: list[AuditLine] = []
        self.unknown: list[dict[str, Any]] = []
        """Requests that a vendor's side did not know: {system, method, path, …}."""
        self.on_commit: list[Callable[[Space, Transaction, list[AuditLine]], None]] = []
        self.transactions = 0

    @contextlib.contextmanager
    def transaction(self, system: str, actor: Actor) -> Iterator[Transaction]:
        self.transactions += 1
        space = self.spaces[system]
        transaction = Transaction(self, space, actor, self.transactions)
        try:
            yield transaction
            lines = transaction.finish()
            space.on_finish(transaction)
            for hook in self.on_commit:
                hook(space, transaction, lines)
        except BaseException:
            transaction.undo()
            raise
        self.audit.extend(lines)

    @contextlib.contextmanager
    def attempt(self, transaction: Transaction) -> Iterator[Transaction]:
        """One row of a partial batch: its changes vanish when the block raises, the rest stays."""
        nested = transaction.savepoint()
        try:
            yield nested
        except BaseException:
            nested.undo()
            raise
        transaction.absorb(nested)

    @property
    def next_seq(self) -> int:
        return self.audit[-1].seq + 1 if self.audit else 1

    def visible_from(self, space: Space, at: datetime) -> datetime:
        return at + timedelta(seconds=space.visible_delay_seconds)
