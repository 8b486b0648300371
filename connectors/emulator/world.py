"""The practice world: both systems' records, one transaction at a time, and the audit that nobody may skip.

A vendor resource changes records only through ``World.transaction``. A transaction gives every row it touched one
stamp, writes one audit line per row, and is undone whole when its block raises. Handlers run on one event loop,
so there are no locks.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connectors.emulator.clock import Clock

Cause = Literal["api", "person", "automation", "system"]


@dataclass(slots=True)
class Row:
    """One record. ``values`` are under vendor names in the vendor's own value form.

    ``stamp`` moves on every change (SystemModstamp, hs_lastmodifieddate); ``visible_at`` is when change queries may
    first see it (late commit, index lag). ``history`` is newest first: (field, value, at, actor).
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
    history: list[tuple[str, Any, datetime, str]] = field(default_factory=list)


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


@dataclass(frozen=True, slots=True)
class AuditLine:
    seq: int
    time: datetime
    visible_at: datetime
    system: str
    cause: Cause
    actor: str
    op: str
    object_type: str
    id: str
    before: dict[str, Any]
    after: dict[str, Any]
    transaction: int
    request_id: str | None
    entry_id: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "time": self.time.isoformat(),
            "visible_at": self.visible_at.isoformat(),
            "system": self.system,
            "cause": self.cause,
            "actor": self.actor,
            "op": self.op,
            "object": self.object_type,
            "id": self.id,
            "before": self.before,
            "after": self.after,
            "transaction": self.transaction,
            "request_id": self.request_id,
            "entry_id": self.entry_id,
        }


class Space:
    """One system's tables. ``link`` keeps associations as {(from_type, from_id): {(to_type, to_id): set of labels}}."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.tables: dict[str, dict[str, Row]] = {}
        self.links: dict[tuple[str, str], dict[tuple[str, str], set[str]]] = {}
        self.counters: dict[str, int] = {}
        self.settings: dict[str, Any] = {}
        """Behaviour switches and account data of this vendor; each vendor's package documents its own."""
        self.visible_delay_seconds = 0.0
        self.indexes: dict[tuple[str, str], dict[Any, set[str]]] = {}
        self.index_keys: dict[tuple[str, str], Callable[[Any], Any]] = {}

    def table(self, object_type: str) -> dict[str, Row]:
        return self.tables.setdefault(object_type, {})

    def row(self, object_type: str, row_id: str) -> Row | None:
        return self.table(object_type).get(row_id)

    def next_number(self, name: str) -> int:
        self.counters[name] = self.counters.get(name, 0) + 1
        return self.counters[name]

    def add_index(self, object_type: str, name: str, key: Callable[[Any], Any] = lambda value: value) -> None:
        """Keep {key(value): ids} of one field up to date; None keys are left out."""
        self.index_keys[object_type, name] = key
        self.indexes[object_type, name] = {}
        for row in self.table(object_type).values():
            self._index(row, name, row.values.get(name), added=True)

    def lookup(self, object_type: str, name: str, value: Any) -> set[str]:
        """Ids whose indexed field has this key (deleted rows included)."""
        key = self.index_keys[object_type, name](value)
        return set(self.indexes[object_type, name].get(key, ()))

    def reindex(self, row: Row, before: dict[str, Any], after: dict[str, Any]) -> None:
        for object_type, name in self.index_keys:
            if object_type == row.object_type and (name in before or name in after):
                self._index(row, name, before.get(name), added=False)
                self._index(row, name, after.get(name), added=True)

    def _index(self, row: Row, name: str, value: Any, *, added: bool) -> None:
        key = self.index_keys[row.object_type, name](value) if value is not None else None
        if key is None:
            return
        index = self.indexes[row.object_type, name]
        if added:
            index.setdefault(key, set()).add(row.id)
        elif key in index:
            index[key].discard(row.id)


class Transaction:
    """Changes of one request in one system. All stamps equal; undone whole on an exception."""

    def __init__(self, world: World, space: Space, actor: Actor, number: int) -> None:
        self.world = world
        self.space = space
        self.actor = actor
        self.number = number
        self.at = world.clock.now()
        self._saved: dict[tuple[str, str], Row | None] = {}
        self._ops: dict[tuple[str, str], str] = {}
        self._saved_links: dict[tuple[str, str], dict[tuple[str, str], set[str]] | None] = {}

    def create(self, object_type: str, row_id: str, values: dict[str, Any]) -> Row:
        row = Row(row_id, object_type, dict(values), self.at, self.at, self.at, self.at)
        self._remember(object_type, row_id, None, "create")
        self.space.table(object_type)[row_id] = row
        self.space.reindex(row, {}, values)
        row.history[:0] = [(name, value, self.at, self.actor.id) for name, value in values.items()]
        return row

    def update(self, row: Row, values: dict[str, Any], *, op: str = "update", system_only: bool = False) -> None:
        """Set values. ``system_only`` moves the stamp but not ``modified_at`` (a background touch)."""
        self._remember(row.object_type, row.id, row, op)
        before = {name: row.values.get(name) for name in values}
        row.values.update(values)
        self.space.reindex(row, before, values)
        row.stamp = self.at
        if not system_only:
            row.modified_at = self.at
        changed = [(name, value, self.at, self.actor.id) for name, value in values.items() if before[name] != value]
        row.history[:0] = changed

    def mark(self, row: Row, *, op: str, deleted: bool, merged_into: str | None = None) -> None:
        """Delete, undelete or merge away; ``op`` is ``delete``, ``undelete`` or ``merge``."""
        self._remember(row.object_type, row.id, row, op)
        row.deleted = deleted
        row.deleted_at = self.at if deleted else None
        row.merged_into = merged_into
        row.stamp = self.at

    def purge(self, row: Row) -> None:
        """Remove for good (GDPR delete, emptied bin)."""
        self._remember(row.object_type, row.id, row, "purge")
        self.space.reindex(row, row.values, {})
        del self.space.table(row.object_type)[row.id]

    def link(self, here: tuple[str, str], there: tuple[str, str], labels: set[str]) -> None:
        """Replace the labels of one direction; an empty set removes the link."""
        if here not in self._saved_links:
            self._saved_links[here] = copy.deepcopy(self.space.links.get(here))
        side = self.space.links.setdefault(here, {})
        if labels:
            side[there] = set(labels)
        else:
            side.pop(there, None)

    def savepoint(self) -> Transaction:
        """A nested transaction with the same stamp and number: undo one row of a partial batch."""
        nested = Transaction(self.world, self.space, self.actor, self.number)
        nested.at = self.at
        return nested

    def absorb(self, nested: Transaction) -> None:
        for key, saved in nested._saved.items():
            self._saved.setdefault(key, saved)
            self._ops[key] = self._ops.get(key, nested._ops[key])
        for here, links in nested._saved_links.items():
            self._saved_links.setdefault(here, links)

    def undo(self) -> None:
        for (object_type, row_id), saved in reversed(self._saved.items()):
            current = self.space.table(object_type).get(row_id)
            if current is not None:
                self.space.reindex(current, current.values, {})
            if saved is None:
                self.space.table(object_type).pop(row_id, None)
            else:
                self.space.table(object_type)[row_id] = saved
                self.space.reindex(saved, {}, saved.values)
        for here, links in self._saved_links.items():
            if links is None:
                self.space.links.pop(here, None)
            else:
                self.space.links[here] = links
        self._saved.clear()
        self._ops.clear()
        self._saved_links.clear()

    def finish(self) -> list[AuditLine]:
        """Give touched rows their visibility and return one audit line per changed row."""
        lines: list[AuditLine] = []
        visible_at = self.world.visible_from(self.space, self.at)
        for key, saved in self._saved.items():
            row = self.space.table(key[0]).get(key[1])
            if row is not None:
                row.visible_at = visible_at
            lines.append(self.world.audit_line(self, key, saved, row, self._ops[key], visible_at))
        return lines

    @property
    def touched(self) -> list[tuple[str, str]]:
        return list(self._saved)

    def _remember(self, object_type: str, row_id: str, row: Row | None, op: str) -> None:
        key = (object_type, row_id)
        if key not in self._saved:
            self._saved[key] = copy.deepcopy(row)
            self._ops[key] = op
        elif op != "update":
            self._ops[key] = op


class World:
    """Both systems on one clock. ``on_commit`` hooks (persistence) get (space, transaction, audit lines)."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.spaces = {"salesforce": Space("salesforce"), "hubspot": Space("hubspot")}
        self.audit: list[AuditLine] = []
        self.on_commit: list[Callable[[Space, Transaction, list[AuditLine]], None]] = []
        self._transactions = 0

    @contextlib.contextmanager
    def transaction(self, system: str, actor: Actor) -> Iterator[Transaction]:
        self._transactions += 1
        space = self.spaces[system]
        transaction = Transaction(self, space, actor, self._transactions)
        try:
            yield transaction
        except BaseException:
            transaction.undo()
            raise
        lines = transaction.finish()
        self.audit.extend(lines)
        for hook in self.on_commit:
            hook(space, transaction, lines)

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

    def visible_from(self, space: Space, at: datetime) -> datetime:
        from datetime import timedelta

        return at + timedelta(seconds=space.visible_delay_seconds)

    def audit_line(
        self,
        transaction: Transaction,
        key: tuple[str, str],
        saved: Row | None,
        row: Row | None,
        op: str,
        visible_at: datetime,
    ) -> AuditLine:
        old = saved.values if saved is not None else {}
        new = row.values if row is not None else {}
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return AuditLine(
            seq=len(self.audit) + 1 + list(transaction._saved).index(key),
            time=transaction.at,
            visible_at=visible_at,
            system=transaction.space.system,
            cause=transaction.actor.cause,
            actor=transaction.actor.id,
            op=op,
            object_type=key[0],
            id=key[1],
            before={name: old.get(name) for name in names},
            after={name: new.get(name) for name in names},
            transaction=transaction.number,
            request_id=transaction.actor.request_id,
            entry_id=transaction.actor.entry_id,
        )
