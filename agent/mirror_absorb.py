"""One page of pulled records into the mirror's tables: what is new, what changed, what comes too late."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from agent.records import FieldValue, MergedInto, Pulled, Record, Ref, Tombstone
from agent.store import Connection, marks, maybe_micros, to_micros

MatchKeys = Callable[[Record], Iterable[tuple[str, str]]]

LATE = timedelta(minutes=10) // timedelta(microseconds=1)
"""How long after we saw a record a search index may still hand out an older copy of it (HubSpot's lags by
seconds to minutes). Later than that, an older stamp is believed: a restored or re-imported record may really
carry one."""

ALIVE, DELETED, MERGED = 0, 1, 2
IN_CHUNK = 500
_ABSENT = object()


@dataclass(slots=True)
class Stored:
    """A row of ``records`` as it stands; ``fields`` is JSON text, moments in microseconds."""

    n: int
    gone: int
    mapped: int | None
    version: str | None
    was_version: str | None
    modified_at: int | None
    seen_at: int
    fields: str


def load_stored(connection: Connection, shelf: int, ids: Sequence[str]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for start in range(0, len(ids), IN_CHUNK):
        chunk = ids[start : start + IN_CHUNK]
        rows = connection.execute(
            "SELECT id, n, gone, mapped, version, was_version, modified_at, seen_at, fields FROM records"
            f" WHERE id IN ({marks(len(chunk))}) AND shelf = ?",
            (*chunk, shelf),
        )
        for record_id, *rest in rows:
            found[record_id] = Stored(*rest)
    return found


def as_text(fields: Mapping[str, FieldValue]) -> str:
    """Canonical JSON: equal fields are equal text."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def changed_fields(
    before: Mapping[str, FieldValue], after: Mapping[str, FieldValue], names: Iterable[str]
) -> list[str]:
    """Fields whose value, type or visibility differs."""
    changed = []
    for name in names:
        here, there = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if here != there or type(here) is not type(there):
            changed.append(name)
    return changed


@dataclass(slots=True)
class Absorbing:
    """One page for one shelf, inside the caller's transaction. Rows are collected, then written together."""

    connection: Connection
    shelf: int
    field_set: int
    mapped: Sequence[str]
    keys: MatchKeys
    seen_at: int
    next_n: int
    known: dict[str, Stored] = field(default_factory=dict)
    changed: list[Ref] = field(default_factory=list)
    alive: int = 0
    _new: set[str] = field(default_factory=set)
    _inserts: list[tuple[Any, ...]] = field(default_factory=list)
    _seen_again: list[tuple[Any, ...]] = field(default_factory=list)
    _updates: list[tuple[Any, ...]] = field(default_factory=list)
    _stale_keys: list[tuple[int]] = field(default_factory=list)
    _keys: list[tuple[int, str, str]] = field(default_factory=list)
    _pending: list[tuple[int, int, str]] = field(default_factory=list)
    _observed: list[tuple[Any, ...]] = field(default_factory=list)
    _gone: list[tuple[Any, ...]] = field(default_factory=list)

    def take(self, items: Sequence[Pulled]) -> None:
        self.known = load_stored(self.connection, self.shelf, [item.ref.id for item in items])
        for item in items:
            if item.ref.id in self._new:
                self._write()
                self.known.update(load_stored(self.connection, self.shelf, [item.ref.id]))
                self._new.clear()
            if isinstance(item, Record):
                self._take_record(item)
            else:
                self._take_gone(item)

    def finish(self) -> None:
        self._write()
        if self.alive:
            self.connection.execute("UPDATE shelves SET alive = alive + ? WHERE id = ?", (self.alive, self.shelf))

    def _take_record(self, record: Record) -> None:
        stored = self.known.get(record.ref.id)
        seen_at = to_micros(record.seen_at) if record.seen_at is not None else self.seen_at
        modified_at = to_micros(record.modified_at) if record.modified_at is not None else None
        if stored is None:
            self._add(record, modified_at, seen_at)
        elif not is_late(stored, record.version, modified_at, seen_at):
            self._renew(stored, record, modified_at, seen_at)

    def _add(self, record: Record, modified_at: int | None, seen_at: int) -> None:
        n = self.next_n
        self.next_n += 1
        record_id = record.ref.id
        self._inserts.append((
            n, self.shelf, record_id, ALIVE, self.field_set, record.version, modified_at, seen_at, seen_at,
            None, as_text(record.fields),
        ))  # fmt: skip
        self._new.add(record_id)
        self._keys += [(n, kind, value) for kind, value in self.keys(record)]
        self._pending.append((n, self.seen_at, "new"))
        self.changed.append(record.ref)
        self.alive += 1

    def _renew(self, stored: Stored, record: Record, modified_at: int | None, seen_at: int) -> None:
        text = as_text(record.fields)
        is_back = stored.gone != ALIVE
        if text == stored.fields and not is_back:
            self._seen_again.append((self.field_set, record.version, modified_at, seen_at, stored.n))
            if stored.mapped is None:
                self._index(stored.n, record)
            stored.mapped, stored.version = self.field_set, record.version
            stored.modified_at, stored.seen_at = modified_at, seen_at
            return
        before = orjson.loads(stored.fields)
        kept = {name: value for name, value in before.items() if name not in self.mapped}
        after = {**kept, **record.fields}
        changed = changed_fields(before, after, self.mapped)
        for name in changed:
            self._observed.append(_observation(stored, name, before, seen_at, modified_at, None))
        if changed or is_back:
            self._pending.append((stored.n, self.seen_at, "restored" if is_back else "changed"))
            self.changed.append(record.ref)
        self.alive += int(is_back)
        self._index(stored.n, Record(record.ref, after, record.version, record.modified_at, record.seen_at))
        text = as_text(after)
        self._updates.append((self.field_set, record.version, modified_at, seen_at, text, stored.n))
        stored.gone, stored.mapped, stored.version = ALIVE, self.field_set, record.version
        stored.modified_at, stored.seen_at, stored.fields = modified_at, seen_at, text

    def _index(self, n: int, record: Record) -> None:
        self._stale_keys.append((n,))
        self._keys += [(n, kind, value) for kind, value in self.keys(record)]

    def _take_gone(self, item: Tombstone | MergedInto) -> None:
        gone = MERGED if isinstance(item, MergedInto) else DELETED
        survivor = str(item.survivor) if isinstance(item, MergedInto) else None
        at = maybe_micros(item.at if isinstance(item, MergedInto) else item.deleted_at)
        stored = self.known.get(item.ref.id)
        if stored is None:
            n = self.next_n
            self.next_n += 1
            self._inserts.append(
                (n, self.shelf, item.ref.id, gone, None, None, at, self.seen_at, self.seen_at, survivor, "{}")
            )
            self._new.add(item.ref.id)
        elif stored.gone == gone or (at is not None and stored.modified_at is not None and at < stored.modified_at):
            return
        else:
            n = stored.n
            stamp = max(filter(None, (at, stored.modified_at)), default=None)
            self._gone.append((gone, survivor, stamp, self.seen_at, n))
            self._stale_keys.append((n,))
            self.alive -= int(stored.gone == ALIVE)
            stored.gone, stored.modified_at, stored.seen_at = gone, stamp, self.seen_at
        self._pending.append((n, self.seen_at, "merged" if gone == MERGED else "deleted"))
        self.changed.append(item.ref)

    def _write(self) -> None:
        many = self.connection.executemany
        many(
            "INSERT INTO records (n, shelf, id, gone, mapped, version, modified_at, first_seen, seen_at,"
            " survivor, fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._inserts,
        )
        many(
            "UPDATE records SET mapped = ?, version = ?, modified_at = ?, seen_at = ? WHERE n = ?",
            self._seen_again,
        )
        many(
            "UPDATE records SET mapped = ?, version = ?, modified_at = ?, seen_at = ?, fields = ?, gone = 0,"
            " survivor = NULL WHERE n = ?",
            self._updates,
        )
        many("UPDATE records SET gone = ?, survivor = ?, modified_at = ?, seen_at = ? WHERE n = ?", self._gone)
        many("DELETE FROM match_keys WHERE n = ?", self._stale_keys)
        many("INSERT INTO match_keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING", self._keys)
        many(
            "INSERT INTO pending VALUES (?, ?, ?) ON CONFLICT (n) DO UPDATE SET reason = excluded.reason",
            self._pending,
        )
        insert_observed(self.connection, self._observed)
        for rows in (self._inserts, self._seen_again, self._updates, self._gone, self._stale_keys, self._keys,
                     self._pending, self._observed):  # fmt: skip
            rows.clear()


def is_late(stored: Stored, version: str | None, modified_at: int | None, seen_at: int) -> bool:
    """Whether this copy is older than what we hold: a lagging index must not undo what a read-back showed."""
    if seen_at - stored.seen_at > LATE:
        return False
    if version is not None and version == stored.was_version:
        return True
    if stored.modified_at is None or modified_at is None:
        return seen_at < stored.seen_at and version != stored.version
    if stored.gone != ALIVE:
        return modified_at <= stored.modified_at
    return modified_at < stored.modified_at


def insert_observed(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.executemany("INSERT INTO observed VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _observation(
    stored: Stored,
    name: str,
    before: Mapping[str, FieldValue],
    seen_at: int,
    modified_at: int | None,
    by: str | None,
) -> tuple[Any, ...]:
    """The end of a value: last seen with it, first seen without it. Absent is NULL, blank is JSON null."""
    value = orjson.dumps(before[name]).decode() if name in before else None
    return stored.n, name, value, stored.seen_at, seen_at, modified_at, by


def outcome_observations(
    stored: Stored, before: Mapping[str, FieldValue], after: Mapping[str, FieldValue], seen_at: int, by: str
) -> list[tuple[Any, ...]]:
    """As for a pull, for values that we wrote ourselves with entry ``by``."""
    return [
        _observation(stored, name, before, seen_at, None, by) for name in changed_fields(before, after, sorted(after))
    ]
