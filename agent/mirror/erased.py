"""Records that were erased for good, and forgetting what we hold of a person: values, keys and history."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from agent.mirror.absorb import ALIVE, DELETED, ERASED, FORGOTTEN, MERGED, changed_keys, write_keys
from agent.mirror.bases import delete_bases
from agent.mirror.fields import FieldSets
from agent.mirror.history import NO_LONGER_KEPT
from agent.mirror.pending import ShelfOf
from agent.records import Ref
from agent.store import Connection, Store, from_micros, to_micros


class Erased:
    """What the mirror knows of erasures. Forgetting overwrites the file (``secure_delete``) and empties its log."""

    def __init__(self, store: Store, shelf_of: ShelfOf, sets: FieldSets) -> None:
        self._store = store
        self._shelf_of = shelf_of
        self._sets = sets

    def waiting(self) -> list[Ref]:
        """Records erased at their vendor, of which we still hold values."""
        rows = self._store.read_tuples(
            "SELECT s.system, s.object_type, r.id FROM records r JOIN shelves s ON s.id = r.shelf WHERE r.gone = 3"
        )
        return [Ref(*row) for row in rows]

    def doubt(self, refs: Iterable[Ref]) -> None:
        """Count these as deleted after all: nothing of them is forgotten unless a person says so."""
        with self._store.write() as connection:
            connection.executemany(
                "UPDATE records SET gone = ? WHERE id = ? AND shelf = ?",
                [(DELETED, ref.id, self._shelf_of(ref.system, ref.object_type)) for ref in refs],
            )

    def has(self, ref: Ref) -> bool:
        """Whether it was erased at its vendor, or forgotten here after it was deleted there."""
        rows = self._store.read_tuples(
            "SELECT gone FROM records WHERE id = ? AND shelf = ?", (ref.id, self._shelf_of(ref.system, ref.object_type))
        )
        return bool(rows) and rows[0][0] in (ERASED, FORGOTTEN)

    def note_compared(self, system: str, object_type: str, at: datetime) -> None:
        """Every record we hold of this kind was there at ``at``, on the vendor's clock."""
        with self._store.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", (_compared(system, object_type), to_micros(at))
            )

    def last_there(self, ref: Ref) -> datetime | None:
        """When we last knew that the record was there; None for one never seen, or known to be gone."""
        found = self._store.read_tuples(
            "SELECT MAX(r.seen_at, COALESCE((SELECT value FROM meta WHERE name = ?), 0)) FROM records r"
            " WHERE r.id = ? AND r.shelf = ? AND r.gone = 0",
            (_compared(ref.system, ref.object_type), ref.id, self._shelf_of(ref.system, ref.object_type)),
        )
        return from_micros(int(found[0][0])) if found else None

    def forget(self, entity_id: str, refs: Iterable[Ref]) -> None:
        """Empty our copies of what is gone, the history of what is there, and the entity's bases."""
        with self._store.write() as connection:
            for ref in refs:
                self._forget_record(connection, ref)
            delete_bases(connection, [entity_id] if entity_id else [])
        self._store.checkpoint()

    def let_go(self, before: datetime) -> list[Ref]:
        """Empty what is older than a moment: values that were replaced by then, the sentences said of a record, and
        our copies of what was gone by then, which are returned. When it was, and that there was something, stays; what
        a CRM still shows does too."""
        until = to_micros(before)
        with self._store.write() as connection:
            connection.execute(
                "UPDATE observed SET value = ? WHERE next_seen < ? AND value IS NOT NULL AND value != ?",
                (NO_LONGER_KEPT, until, NO_LONGER_KEPT),
            )
            connection.execute("UPDATE dispositions SET sentence = '' WHERE at < ? AND sentence != ''", (until,))
            names, fields = self._sets.pack(connection, {})
            where = "gone IN (?, ?) AND seen_at < ? AND fields != ?"
            params = (DELETED, MERGED, until, fields)
            gone = connection.execute(
                f"SELECT s.system, s.object_type, r.id FROM records r JOIN shelves s ON s.id = r.shelf WHERE {where}",
                params,
            ).fetchall()
            connection.execute(f"UPDATE records SET names = ?, fields = ? WHERE {where}", (names, fields, *params))
        self._store.checkpoint()
        return [Ref(*row) for row in gone]

    def drop_bases(self, entity_ids: Iterable[str]) -> None:
        """Forget what the CRMs last agreed on about these."""
        with self._store.write() as connection:
            delete_bases(connection, entity_ids)
        self._store.checkpoint()

    def _forget_record(self, connection: Connection, ref: Ref) -> None:
        row = connection.execute(
            "SELECT n, gone, keys FROM records WHERE id = ? AND shelf = ?",
            (ref.id, self._shelf_of(ref.system, ref.object_type)),
        ).fetchone()
        if row is None:
            return
        n, gone, keys = row
        connection.execute("DELETE FROM observed WHERE n = ?", (n,))
        connection.execute("UPDATE dispositions SET sentence = '' WHERE n = ?", (n,))
        if gone == ALIVE:
            return
        write_keys(connection, [], changed_keys(n, keys, "[]")[1])
        connection.execute(
            "UPDATE records SET gone = ?, keys = '[]', names = ?, fields = ? WHERE n = ?",
            (FORGOTTEN if gone in (DELETED, ERASED) else gone, *self._sets.pack(connection, {}), n),
        )


def _compared(system: str, object_type: str) -> str:
    return f"compared {system} {object_type}"
