"""One page of pulled records into the mirror's tables: what is new, what changed, what comes too late."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.mirror.fields import FieldSets
from agent.records import FieldValue, MergedInto, Pulled, Record, Ref, Tombstone
from agent.store import Connection, marks, maybe_micros, to_micros
from agent.stored_json import from_json, is_storable, to_json

MatchKeys = Callable[[Record], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class KeyMaking:
    """How match keys are read from a record, and from which fields (None: perhaps from any)."""

    of: MatchKeys
    fields: frozenset[str] | None = None

    def may_differ(self, changed: Iterable[str]) -> bool:
        return self.fields is None or not self.fields.isdisjoint(changed)

    def text(self, record: Record) -> str:
        """The keys as a record's row holds them, so that they can be taken back."""
        return keys_text(storable_keys(self.of(record)))


LATE = timedelta(minutes=10) // timedelta(microseconds=1)
"""How long after we saw a record a search index may still hand out an older copy of it (HubSpot's lags by
seconds to minutes). Later than that, an older stamp is believed: a restored or re-imported record may really
carry one."""

ALIVE, DELETED, MERGED, ERASED, FORGOTTEN = 0, 1, 2, 3, 4
"""``erased``: for good, at the vendor, and our values of it are still to be forgotten; ``forgotten``: they are."""

KEYS_ALONE = 0
"""``mapped`` of a record we wrote to: it is to be read in full again, but its match keys are those of its values."""

FINAL = frozenset((ERASED, FORGOTTEN))
_WORDS = {DELETED: "deleted", MERGED: "merged", ERASED: "erased"}
IN_CHUNK = 500


@dataclass(slots=True)
class Stored:
    """A row of ``records`` as it stands; ``names`` and ``fields`` are packed, moments in microseconds."""

    n: int
    gone: int
    mapped: int | None
    version: str | None
    was_version: str | None
    modified_at: int | None
    seen_at: int
    keys: str
    names: int
    fields: str


def load_stored(connection: Connection, shelf: int, ids: Sequence[str]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for start in range(0, len(ids), IN_CHUNK):
        chunk = ids[start : start + IN_CHUNK]
        rows = connection.execute(
            "SELECT id, n, gone, mapped, version, was_version, modified_at, seen_at, keys, names,"
            " fields FROM records"
            f" WHERE id IN ({marks(len(chunk))}) AND shelf = ?",
            (*chunk, shelf),
        )
        for record_id, *rest in rows:
            found[record_id] = Stored(*rest)
    return found


def changed_fields(before: Mapping[str, FieldValue], after: Mapping[str, FieldValue]) -> set[str]:
    """Fields whose value, type or visibility differs."""
    changed = {
        name
        for name, value in after.items()
        if (known := before.get(name)) != value or known.__class__ is not value.__class__
    }
    return changed if before.keys() == after.keys() else changed | (before.keys() ^ after.keys())


def differing_names(before: Mapping[str, FieldValue], after: Sequence[FieldValue]) -> set[str]:
    """As ``changed_fields`` for the same fields in the same order."""
    return {
        name
        for (name, here), there in zip(before.items(), after, strict=True)
        if here != there or here.__class__ is not there.__class__
    }


def storable_keys(keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sorted, once each; a value that is no valid Unicode identifies nobody."""
    return sorted({(kind, value) for kind, value in keys if is_storable(value)})


def keys_text(keys: Sequence[tuple[str, str]]) -> str:
    """How a record's match keys stand in its row, so that they can be taken back."""
    return to_json(keys).decode()


@dataclass(slots=True)
class Absorbing:
    """One page for one shelf, inside the caller's transaction. Rows are collected, then written together."""

    connection: Connection
    sets: FieldSets
    shelf: int
    field_set: int
    mapped: frozenset[str]
    keys: KeyMaking
    seen_at: int
    next_n: int
    unchanged_until: int = 0
    may_lag: bool = True
    known: dict[str, Stored] = field(default_factory=dict)
    changed: list[Ref] = field(default_factory=list)
    alive: int = 0
    _read_at: datetime | None = None
    _read_micros: int = 0
    _new: set[str] = field(default_factory=set)
    _inserts: list[tuple[Any, ...]] = field(default_factory=list)
    _seen_again: list[tuple[Any, ...]] = field(default_factory=list)
    _updates: list[tuple[Any, ...]] = field(default_factory=list)
    _keys_gained: list[tuple[str, str, int]] = field(default_factory=list)
    _keys_lost: list[tuple[str, str, int]] = field(default_factory=list)
    _new_pending: list[tuple[int, int, str]] = field(default_factory=list)
    _pending: list[tuple[int, int, str]] = field(default_factory=list)
    _observed: list[tuple[Any, ...]] = field(default_factory=list)
    _gone: list[tuple[Any, ...]] = field(default_factory=list)

    def take(self, items: Sequence[Pulled]) -> None:
        self.known = load_stored(self.connection, self.shelf, [item.ref.id for item in items])
        for item in items:
            if item.ref.id in self._new:
                self._write()
                self.known.update(load_stored(self.connection, self.shelf, [*self._new]))
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
        seen_at = self._moment_of(record.seen_at)
        modified_at = to_micros(record.modified_at) if record.modified_at is not None else None
        if stored is None:
            self._add(record, modified_at, seen_at)
        elif not (self.may_lag and is_late(stored, record.version, modified_at, seen_at)):
            self._renew(stored, record, modified_at, seen_at)

    def _moment_of(self, read_at: datetime | None) -> int:
        """All records of one reply share one moment; it is worked out once."""
        if read_at is None:
            return self.seen_at
        if read_at is not self._read_at:
            self._read_at, self._read_micros = read_at, to_micros(read_at)
        return self._read_micros

    def _add(self, record: Record, modified_at: int | None, seen_at: int) -> None:
        n = self.next_n
        self.next_n += 1
        record_id = record.ref.id
        keys = storable_keys(self.keys.of(record))
        self._keys_gained += [(kind, value, n) for kind, value in keys]
        self._inserts.append((
            n, self.shelf, record_id, ALIVE, self.field_set, record.version, modified_at, seen_at, seen_at,
            keys_text(keys), *self.sets.pack(self.connection, record.fields),
        ))  # fmt: skip
        self._new.add(record_id)
        self._new_pending.append((n, self.seen_at, "new"))
        self.changed.append(record.ref)
        self.alive += 1

    def _renew(self, stored: Stored, record: Record, modified_at: int | None, seen_at: int) -> None:
        names, values = self.sets.arrange(self.connection, record.fields)
        text = to_json(values).decode()
        is_back = stored.gone != ALIVE
        if text == stored.fields and names == stored.names and not is_back:
            if stored.mapped is None:
                stored.keys = self._index(stored.n, stored.keys, record)
            self._seen_again.append((self.field_set, record.version, modified_at, seen_at, stored.keys, stored.n))
            stored.mapped, stored.version = self.field_set, record.version
            stored.modified_at, stored.seen_at = modified_at, seen_at
            return
        before = self.sets.unpack(stored.names, stored.fields)
        if names == stored.names:
            differing = differing_names(before, values)
        else:
            if unasked := before.keys() - self.mapped - record.fields.keys():
                whole = {**record.fields, **{name: before[name] for name in unasked}}
                record = Record(record.ref, whole, record.version, record.modified_at, record.seen_at)
                names, text = self.sets.pack(self.connection, whole)
            differing = changed_fields(before, record.fields)
        changed = sorted(differing & self.mapped)
        for name in changed:
            last_seen = max(stored.seen_at, self.unchanged_until)
            self._observed.append(_observation(stored, name, before, last_seen, seen_at, modified_at, ""))
        if changed or is_back:
            self._pending.append((stored.n, self.seen_at, "restored" if is_back else "changed"))
            self.changed.append(record.ref)
        self.alive += int(is_back)
        if is_back or stored.mapped is None or self.keys.may_differ(differing):
            stored.keys = self._index(stored.n, stored.keys, record)
        self._updates.append((self.field_set, record.version, modified_at, seen_at, stored.keys, names, text, stored.n))
        stored.gone, stored.mapped, stored.version = ALIVE, self.field_set, record.version
        stored.modified_at, stored.seen_at, stored.names, stored.fields = modified_at, seen_at, names, text

    def _index(self, n: int, before: str, record: Record) -> str:
        """Note which match keys the record gains and loses; returns them as its row holds them."""
        after = self.keys.text(record)
        if after != before:
            gained, lost = changed_keys(n, before, after)
            self._keys_gained += gained
            self._keys_lost += lost
        return after

    def _take_gone(self, item: Tombstone | MergedInto) -> None:
        gone = MERGED if isinstance(item, MergedInto) else ERASED if item.is_erased else DELETED
        survivor = str(item.survivor) if isinstance(item, MergedInto) else None
        at = maybe_micros(item.at if isinstance(item, MergedInto) else item.deleted_at)
        stored = self.known.get(item.ref.id)
        if stored is None:
            n = self.next_n
            self.next_n += 1
            self.connection.execute(
                "INSERT INTO records (n, shelf, id, gone, modified_at, first_seen, seen_at, survivor, keys,"
                " names, fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, ?)",
                (
                    n,
                    self.shelf,
                    item.ref.id,
                    gone,
                    at,
                    self.seen_at,
                    self.seen_at,
                    survivor,
                    *self.sets.pack(self.connection, {}),
                ),
            )
            self._new.add(item.ref.id)
        elif stored.gone == gone or stored.gone in FINAL or (at is not None and at < (stored.modified_at or at)):
            return
        else:
            n = stored.n
            stamp = max(filter(None, (at, stored.modified_at)), default=None)
            self._gone.append((gone, survivor, stamp, self.seen_at, n))
            self._keys_lost += changed_keys(n, stored.keys, "[]")[1]
            stored.keys = "[]"
            self.alive -= int(stored.gone == ALIVE)
            stored.gone, stored.modified_at, stored.seen_at = gone, stamp, self.seen_at
        self._pending.append((n, self.seen_at, _WORDS[gone]))
        self.changed.append(item.ref)

    def _write(self) -> None:
        many = self.connection.executemany
        many(
            "INSERT INTO records (n, shelf, id, gone, mapped, version, modified_at, first_seen, seen_at, keys,"
            " names, fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._inserts,
        )
        many(
            "UPDATE records SET mapped = ?, version = ?, modified_at = ?, seen_at = ?, keys = ? WHERE n = ?",
            self._seen_again,
        )
        many(
            "UPDATE records SET mapped = ?, version = ?, modified_at = ?, seen_at = ?, keys = ?, names = ?,"
            " fields = ?, gone = 0, survivor = NULL WHERE n = ?",
            self._updates,
        )
        many(
            "UPDATE records SET gone = ?, survivor = ?, modified_at = ?, seen_at = ?, keys = '[]' WHERE n = ?",
            self._gone,
        )
        write_keys(self.connection, self._keys_gained, self._keys_lost)
        many("INSERT INTO pending (n, since, reason) VALUES (?, ?, ?)", self._new_pending)
        many(
            "INSERT INTO pending (n, since, reason) VALUES (?, ?, ?)"
            " ON CONFLICT (n) DO UPDATE SET reason = excluded.reason, compared = 0",
            self._pending,
        )
        insert_observed(self.connection, self._observed)
        for rows in (self._inserts, self._seen_again, self._updates, self._gone, self._keys_gained,
                     self._keys_lost, self._new_pending, self._pending, self._observed):  # fmt: skip
            rows.clear()


KeyRow = tuple[str, str, int]


def changed_keys(n: int, before: str, after: str) -> tuple[list[KeyRow], list[KeyRow]]:
    """(gained, lost) as rows of ``match_keys``."""
    here = {(kind, value) for kind, value in from_json(before)}
    there = {(kind, value) for kind, value in from_json(after)}
    return [(*key, n) for key in there - here], [(*key, n) for key in here - there]


def write_keys(connection: Connection, gained: Sequence[KeyRow], lost: Sequence[KeyRow]) -> None:
    connection.executemany("DELETE FROM match_keys WHERE kind = ? AND value = ? AND n = ?", lost)
    connection.executemany("INSERT OR IGNORE INTO match_keys VALUES (?, ?, ?)", gained)


def reindex(connection: Connection, n: int, before: str, after: str) -> None:
    """Change one record's match keys, in its row and in the table."""
    gained, lost = changed_keys(n, before, after)
    write_keys(connection, gained, lost)
    connection.execute("UPDATE records SET keys = ? WHERE n = ?", (after, n))


def is_late(stored: Stored, version: str | None, modified_at: int | None, seen_at: int) -> bool:
    """Whether this copy is older than what we hold: a lagging index must not undo what a read-back showed."""
    if seen_at - stored.seen_at > LATE:
        return False
    if version is not None and version == stored.was_version:
        return True
    if stored.modified_at is None or modified_at is None:
        was_read = bool(stored.mapped)  # else its moment is of our own clock, not of the vendor's
        return was_read and seen_at < stored.seen_at and version != stored.version
    if stored.gone != ALIVE:
        return modified_at <= stored.modified_at
    return modified_at < stored.modified_at


def insert_observed(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.executemany("INSERT INTO observed VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _observation(
    stored: Stored,
    name: str,
    before: Mapping[str, FieldValue],
    last_seen: int,
    seen_at: int,
    modified_at: int | None,
    by: str | None,
) -> tuple[Any, ...]:
    """The end of a value: last seen with it, first seen without it. Absent is NULL, blank is JSON null."""
    value = to_json(before[name]).decode() if name in before else None
    return stored.n, name, value, last_seen, seen_at, modified_at, by


def outcome_observations(
    stored: Stored, before: Mapping[str, FieldValue], after: Mapping[str, FieldValue], seen_at: int, by: str
) -> list[tuple[Any, ...]]:
    """As for a pull, for values that we wrote ourselves with entry ``by``."""
    names = sorted(changed_fields(before, after))
    return [_observation(stored, name, before, stored.seen_at, seen_at, None, by) for name in names]
