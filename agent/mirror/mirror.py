"""Step 2: our last seen copy of every record, what it held before, and what still has to be decided.

Promise: pulled rows, their pending marks and the cursor commit together; a bumped time stamp without a
changed mapped value asks for nothing; an older copy never replaces a newer one; absent is never blank.
Everything here can be read again from the CRMs (``reset``), so a power cut may take the last commits: the
ledger's outcomes are replayed.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from agent.changes import Entry
from agent.connector import Known
from agent.decide.view import Base
from agent.mirror import agreement as mirror_agreement
from agent.mirror import bases as mirror_bases
from agent.mirror import keys as mirror_keys
from agent.mirror import outcomes as mirror_outcomes
from agent.mirror import owners as mirror_owners
from agent.mirror import pending as mirror_pending
from agent.mirror import progress as mirror_progress
from agent.mirror.absorb import ALIVE, MERGED, Absorbing, KeyMaking, MatchKeys, reindex
from agent.mirror.agreement import Agreements
from agent.mirror.comparing import Comparing
from agent.mirror.edits import Edits
from agent.mirror.erased import Erased
from agent.mirror.fields import FieldSets
from agent.mirror.history import Observed, load_history
from agent.mirror.known import known_versions
from agent.mirror.pending import Disposition, Pending, Waiting
from agent.mirror.progress import Loading
from agent.records import Cursor, Owner, Pulled, Record, Ref
from agent.ref_chunks import in_chunks
from agent.store import Connection, Schema, Store, from_micros, marks, maybe_moment, to_micros

__all__ = ["MIRROR_TABLES", "Disposition", "MatchKeys", "Mirror", "Observed", "Pending"]

MirrorCheck = Literal["ok", "ahead", "foreign"]
CHUNK = 1000


def _load_migrations() -> Any:
    from agent.mirror.migrations import migrations

    return migrations


MIRROR_TABLES = Schema(version=5, load=_load_migrations)


class Mirror:
    """Records, bases, cursors and pending changes. Bound to one ledger."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelves: dict[tuple[str, str], int] = {}
        self._keys: dict[int, KeyMaking] = {}
        self._sets = FieldSets(store)
        self.agreement = Agreements(store)
        self.edits = Edits(store)
        self.erased = Erased(store, self._shelf, self._sets)
        self.comparing = Comparing(store)
        self.waiting = Waiting(store, self._shelf)

    @classmethod
    def open(cls, path: Path, *, ledger_id: str, ledger_seq: int) -> Mirror:
        """Open for writing; a new file is bound to this ledger as it is now (``ledger_seq``: its last number).

        What the ledger recorded before is not replayed into an empty mirror: the first pull shows the present.
        """
        store = Store.open(path, MIRROR_TABLES, durability="rebuildable", cache_megabytes=32)
        mirror = cls(store)
        try:
            with store.write() as connection:
                _bind(connection, ledger_id, ledger_seq)
        except BaseException:
            store.close()
            raise
        return mirror

    @classmethod
    def open_read_only(cls, path: Path) -> Mirror:
        """Beside a running writer."""
        return cls(Store.open_read_only(path, MIRROR_TABLES))

    @property
    def ledger_id(self) -> str:
        return str(self._meta("ledger_id"))

    @property
    def ledger_seq(self) -> int:
        """The number of the last outcome taken over from the ledger."""
        return int(self._meta("ledger_seq"))

    @property
    def in_transaction(self) -> bool:
        return self._store.in_transaction

    def check_against(self, ledger_id: str, last_seq: int) -> MirrorCheck:
        """``foreign``: it belongs to another ledger. ``ahead``: it has seen more than this ledger holds."""
        if self.ledger_id != ledger_id:
            return "foreign"
        return "ahead" if self.ledger_seq > last_seq else "ok"

    def reset(self, ledger_id: str, ledger_seq: int) -> None:
        """Forget everything and belong to this ledger from now on."""
        with self._store.write() as connection:
            for table in ("records", "match_keys", "observed", "pending", "dispositions", "bases", "shelves",
                          "field_sets", "agreement", "meta"):  # fmt: skip
                connection.execute(f"DELETE FROM {table}")
            _bind(connection, ledger_id, ledger_seq)
        self._shelves.clear()
        self._sets.forget()

    def close(self) -> None:
        self._store.close()

    # --- pulling ---

    def absorb(
        self, items: Sequence[Pulled], *, mapped: Sequence[str], keys: MatchKeys, seen_at: datetime,
        cursor: Cursor | None = None, key_fields: Collection[str] | None = None,
        unchanged_until: datetime | None = None, loading: Loading | None = None, may_lag: bool = True,
    ) -> list[Ref]:  # fmt: skip
        """Take one page over in one transaction: rows, history, match keys, pending marks, any cursor, how far a
        first load came.

        ``mapped`` are all fields that were asked for: one of them missing in a record is no longer visible.
        ``key_fields`` are those that ``keys`` looks at (None: perhaps any).
        ``seen_at`` is used for records that do not say when they were read. ``unchanged_until``: what changed
        before was seen by an earlier pull, so the values we knew stood at least until then. ``may_lag``: the system
        may hand out copies older than what we hold; otherwise each is believed, whatever its time says. Returns
        records whose mapped values changed, that are new, or that went away.
        """
        by_shelf: dict[tuple[str, str], list[Pulled]] = {}
        for item in items:
            by_shelf.setdefault((item.ref.system, item.ref.object_type), []).append(item)
        changed: list[Ref] = []
        making = KeyMaking(keys, None if key_fields is None else frozenset(key_fields))
        with self._taking_over() as connection:
            field_set = self._sets.number(connection, tuple(sorted(set(mapped))))
            for place, found in by_shelf.items():
                shelf = self._shelf(*place) or self._new_shelf(connection, *place)
                page = Absorbing(
                    connection,
                    self._sets,
                    shelf,
                    field_set,
                    frozenset(mapped),
                    making,
                    to_micros(seen_at),
                    _next_number(connection),
                    unchanged_until=to_micros(unchanged_until) if unchanged_until is not None else 0,
                    may_lag=may_lag,
                )
                page.take(found)
                page.finish()
                changed += page.changed
                self._keys[shelf] = making
            if loading is not None:
                mirror_progress.note(connection, loading)
            if cursor is not None:
                shelf = self._shelf(cursor.system, cursor.object_type) or self._new_shelf(
                    connection, cursor.system, cursor.object_type
                )
                mirror_progress.move(connection, cursor, shelf, field_set)
        return changed

    def known(self, system: str, object_type: str, mapped: Sequence[str] | None = None) -> Known:
        """Answers which of these we hold in exactly this version, read in full (with all of ``mapped`` if given)."""
        return known_versions(self._store, self._sets, self._shelf(system, object_type), mapped or ())

    def cursor(self, system: str, object_type: str, mapped: Sequence[str] | None = None) -> Cursor | None:
        """How far this object type was pulled; None also if ``mapped`` has a field no full pull asked for."""
        return mirror_progress.cursor_of(self._store, self._sets, system, object_type, mapped)

    def loading(self, system: str, object_type: str, mapped: Sequence[str], now: datetime) -> Loading | None:
        """The first load that was interrupted, if it can be gone on with."""
        return mirror_progress.find(self._store, system, object_type, mapped, now)

    def index_keys(self, system: str, object_type: str, keys: MatchKeys, revision: str) -> int:
        """Work out all match keys anew unless that was done for this policy revision. Returns records."""
        shelf = self._shelf(system, object_type)
        name = f"keys of {system} {object_type}"
        if self._meta(name) == revision:
            return 0
        count = 0
        with self._store.write() as connection:
            for n, before, record in self._scan(shelf, system, object_type) if shelf is not None else ():
                after = KeyMaking(keys).text(record)
                if after != before:
                    reindex(connection, n, before, after)
                count += 1
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, revision))
        return count

    # --- records ---

    def record(self, ref: Ref) -> Record | None:
        """Our copy; None when never seen or gone."""
        return self.records([ref]).get(ref)

    def records(self, refs: Iterable[Ref]) -> dict[Ref, Record]:
        """Our copies by ref; those never seen or gone are left out."""
        return self._copies(refs, "AND gone = 0")

    def living(self, refs: Iterable[Ref]) -> set[Ref]:
        """Those of them that we hold and that are not gone."""
        found: set[Ref] = set()
        for place, chunk in in_chunks(refs):
            rows = self._store.read_tuples(
                f"SELECT id FROM records WHERE id IN ({marks(len(chunk))}) AND shelf = ? AND gone = 0",
                (*chunk, self._shelf(*place)),
            )
            found.update(Ref(*place, record_id) for (record_id,) in rows)
        return found

    def last_copy(self, ref: Ref) -> Record | None:
        """Our copy even of a record that is gone."""
        return self._copies([ref], "").get(ref)

    def scan(self, system: str, object_type: str, *, with_gone: bool = False) -> Iterator[Record]:
        """Every record believed alive, or also our copies of the others; safe to write between two of them."""
        shelf = self._shelf(system, object_type)
        if shelf is not None:
            for _, _, record in self._scan(shelf, system, object_type, "" if with_gone else "AND gone = 0"):
                yield record

    def is_deleted(self, ref: Ref) -> bool:
        """Deleted or merged away; False for one never seen."""
        return self._gone(ref)[0] != ALIVE

    def merged_into(self, ref: Ref) -> Ref | None:
        gone, survivor = self._gone(ref)
        return Ref.parse(survivor) if gone == MERGED and survivor else None

    def count(self, system: str, object_type: str) -> int:
        """Records believed alive."""
        rows = self._store.read_tuples(
            "SELECT alive FROM shelves WHERE system = ? AND object_type = ?", (system, object_type)
        )
        return int(rows[0][0]) if rows else 0

    def population(self) -> int:
        """Records believed alive, of every system."""
        return int(self._store.read_tuples("SELECT COALESCE(SUM(alive), 0) FROM shelves")[0][0])

    def by_key(self, system: str, object_type: str, kind: str, value: str) -> list[Ref]:
        """Live records with this match key, in the order first seen."""
        found = self.holders(kind, [value]).get(value, [])
        return [ref for ref in found if (ref.system, ref.object_type) == (system, object_type)]

    def keys(self, refs: Iterable[Ref]) -> dict[Ref, list[tuple[str, str]]]:
        """Their match keys as (kind, value), sorted; those never seen or gone have none."""
        return mirror_keys.load_keys(self._store, self._shelf, refs)

    def holders(self, kind: str, values: Collection[str]) -> dict[str, list[Ref]]:
        """{value: live records of every system with this match key}, in the order first seen."""
        return mirror_keys.load_holders(self._store, kind, values)

    def key_groups(self, kind: str, marked: str) -> Iterator[tuple[str, list[Ref]]]:
        """Values that two or more live records share, over all systems, in order of value.

        Only those that at least one record has as a key of the kind ``marked`` too.
        """
        return mirror_keys.shared_values(self._store, kind, marked)

    def pending_key_groups(self, kind: str, marked: str) -> Iterator[tuple[str, list[Ref]]]:
        """As ``key_groups``, of those values alone that a pending record has; safe while nothing becomes pending."""
        return mirror_keys.values_of_pending(self._store, kind, marked)

    def history(self, ref: Ref, field: str | None = None) -> list[Observed]:
        """What we saw the record hold, oldest first; fields that never changed have one observation."""
        return load_history(self._store, self._sets, self._shelf(ref.system, ref.object_type), ref, field)

    def keep_owners(self, owners: Sequence[Owner]) -> None:
        with self._store.write() as connection:
            mirror_owners.save_owners(connection, owners)

    def owners(self) -> list[Owner]:
        """As of the last pull; empty before the first."""
        return mirror_owners.load_owners(self._store)

    # --- what is to be decided ---

    def pending(self, limit: int | None = None) -> list[Pending]:
        """Longest waiting first."""
        return mirror_pending.load_pending(self._store, limit)

    def pend(self, refs: Iterable[Ref], reason: str, at: datetime) -> int:
        """Have these records decided again. Returns how many are known."""
        with self._store.write() as connection:
            return mirror_pending.pend(connection, refs, reason, at, self._shelf)

    def pend_all(self, system: str, object_type: str, reason: str, at: datetime) -> int:
        """Have every live record decided again (a rule changed)."""
        with self._store.write() as connection:
            return mirror_pending.pend_all(connection, self._shelf(system, object_type), reason, at)

    def read_anew(self, system: str, object_type: str) -> None:
        """Have the next pull read every record, those it knows included."""
        with self._store.write() as connection:
            mirror_pending.forget_pulled(connection, self._shelf(system, object_type))

    def dispose(self, dispositions: Sequence[Disposition], at: datetime | None = None) -> None:
        """These changes are decided; the last word on each is kept. Default ``at``: when it was seen."""
        with self._store.write() as connection:
            mirror_pending.dispose(connection, dispositions, at, self._shelf)

    def disposition(self, ref: Ref) -> tuple[Disposition, datetime] | None:
        """The last word on this record, and when."""
        return mirror_pending.last_word(self._store, ref, self._shelf(ref.system, ref.object_type))

    # --- bases and outcomes ---

    def bases(self, entity_ids: Iterable[str]) -> dict[str, dict[str, Base]]:
        """{entity: {field: Base}}; entities without one are left out."""
        return mirror_bases.load_bases(self._store, entity_ids)

    def set_bases(self, bases: Mapping[str, Mapping[str, Base]]) -> None:
        """Fields given replace theirs; an entity's other fields stay."""
        with self._store.write() as connection:
            mirror_bases.merge_bases(connection, bases)

    def drop_bases(self, entity_ids: Iterable[str]) -> None:
        with self._store.write() as connection:
            mirror_bases.delete_bases(connection, entity_ids)

    def absorb_outcomes(
        self, settled: Sequence[tuple[Entry, Mapping[str, Base]]], ledger_seq: int, seen_at: datetime
    ) -> None:
        """Take over what we wrote ourselves in one transaction: observed values, bases, the ledger's number.

        Makes nothing pending: these values are our own. The records count as not read in full, so the next
        pull reads them again and sees what else happened to them meanwhile.
        """
        by_place: dict[tuple[str, str], list[Entry]] = {}
        by_entity: dict[str, dict[str, Base]] = {}
        for entry, bases in settled:
            by_place.setdefault((entry.change.system, entry.change.object_type), []).append(entry)
            by_entity.setdefault(entry.change.entity_id, {}).update(bases)
        with self._taking_over() as connection:
            for place, entries in by_place.items():
                shelf = self._shelf(*place) or self._new_shelf(connection, *place)
                mirror_outcomes.take(connection, self._sets, shelf, entries, to_micros(seen_at), self._keys.get(shelf))
            mirror_bases.merge_bases(connection, by_entity)
            mirror_agreement.outdate(connection, by_entity)
            connection.execute("UPDATE meta SET value = MAX(value, ?) WHERE name = 'ledger_seq'", (ledger_seq,))

    # --- inside ---

    def _copies(self, refs: Iterable[Ref], alive: str) -> dict[Ref, Record]:
        found: dict[Ref, Record] = {}
        for place, chunk in in_chunks(refs):
            rows = self._store.read_tuples(
                "SELECT id, names, fields, version, modified_at, seen_at FROM records"
                f" WHERE id IN ({marks(len(chunk))}) AND shelf = ? {alive}",
                (*chunk, self._shelf(*place)),
            )
            for row in rows:
                record = self._record_from(*place, row)
                found[record.ref] = record
        return found

    def _scan(
        self, shelf: int, system: str, object_type: str, alive: str = "AND gone = 0"
    ) -> Iterator[tuple[int, str, Record]]:
        last = 0
        while True:
            rows = self._store.read_tuples(
                "SELECT n, keys, id, names, fields, version, modified_at, seen_at FROM records"
                f" WHERE n > ? AND shelf = ? {alive} ORDER BY n LIMIT ?",
                (last, shelf, CHUNK),
            )
            if not rows:
                return
            for row in rows:
                yield row[0], row[1], self._record_from(system, object_type, row[2:])
            last = rows[-1][0]

    def _gone(self, ref: Ref) -> tuple[int, str | None]:
        rows = self._store.read_tuples(
            "SELECT gone, survivor FROM records WHERE id = ? AND shelf = ?",
            (ref.id, self._shelf(ref.system, ref.object_type)),
        )
        return (rows[0][0], rows[0][1]) if rows else (ALIVE, None)

    def _shelf(self, system: str, object_type: str) -> int | None:
        shelf = self._shelves.get((system, object_type))
        if shelf is None:
            rows = self._store.read_tuples(
                "SELECT id FROM shelves WHERE system = ? AND object_type = ?", (system, object_type)
            )
            if not rows:
                return None
            shelf = int(rows[0][0])
            if not self._store.in_transaction:
                self._shelves[system, object_type] = shelf
        return shelf

    @staticmethod
    def _new_shelf(connection: Connection, system: str, object_type: str) -> int:
        cursor = connection.execute("INSERT INTO shelves (system, object_type) VALUES (?, ?)", (system, object_type))
        return int(cursor.lastrowid or 0)

    def _record_from(self, system: str, object_type: str, row: Sequence[Any]) -> Record:
        record_id, names, text, version, modified_at, seen_at = row
        fields = self._sets.unpack(names, text)
        ref = Ref(system, object_type, record_id)
        return Record(ref, fields, version, maybe_moment(modified_at), from_micros(seen_at))

    @contextlib.contextmanager
    def _taking_over(self) -> Iterator[Connection]:
        """A transaction that may name new lists of fields; if it fails, their numbers do not exist."""
        try:
            with self._store.write() as connection:
                yield connection
        except BaseException:
            self._sets.forget()
            raise

    def _meta(self, name: str) -> Any:
        rows = self._store.read_tuples("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None


def _bind(connection: Connection, ledger_id: str, ledger_seq: int) -> None:
    rows = [("ledger_id", ledger_id), ("ledger_seq", ledger_seq)]
    connection.executemany("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", rows)


def _next_number(connection: Connection) -> int:
    return int(connection.execute("SELECT COALESCE(MAX(n), 0) + 1 FROM records").fetchone()[0])
