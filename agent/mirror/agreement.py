"""Which fields of each entity agree in both CRMs, as last decided: one row per entity, kept so that nobody recounts."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from agent.store import Connection, Store, marks, to_micros

IN_CHUNK = 500
_ROW = "entity, agree, differ, kept, until, outdated"

Names = str
"""Names of fields, sorted, with commas between them: the many entities of one kind share one text."""

_Row = tuple[str, str, str, int, int]


def as_names(fields: Iterable[str]) -> Names:
    return ",".join(sorted(fields))


def names_in(names: Names) -> list[str]:
    return names.split(",") if names else []


class Compared(NamedTuple):
    """One entity's fields: those that agree, those that differ, and which of the latter are kept as edited; ``until``
    the first of these has been kept long enough."""

    entity_id: str
    agree: Names
    differ: Names
    kept: Names = ""
    until: datetime | None = None

    @property
    def row(self) -> _Row:
        """What stands in its row, if anything was compared."""
        return self.agree, self.differ, self.kept, to_micros(self.until) if self.until is not None else 0, 0


class Agreements:
    """The rows. An entity with nothing to compare (one side only, gone) has none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, compared: Sequence[Compared]) -> None:
        """Replace these entities' rows; only what differs from the row is written."""
        known = self._known([each.entity_id for each in compared])
        wanted = {each.entity_id: each.row if each.agree or each.differ else None for each in compared}
        moved = {entity_id: row for entity_id, row in wanted.items() if known.get(entity_id) != row}
        if not moved:
            return
        with self._store.write() as connection:
            connection.executemany(
                "DELETE FROM agreement WHERE entity = ?", [(entity_id,) for entity_id, row in moved.items() if not row]
            )
            connection.executemany(
                f"INSERT OR REPLACE INTO agreement ({_ROW}) VALUES (?, ?, ?, ?, ?, ?)",
                [(entity_id, *row) for entity_id, row in moved.items() if row],
            )

    def counts(self) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
        """({(entity type, field): entities that agree}, the same for those that differ); outdated rows left out."""
        agree: Counter[tuple[str, str]] = Counter()
        differ: Counter[tuple[str, str]] = Counter()
        rows = self._store.read_tuples(
            "SELECT RTRIM(RTRIM(entity, '0123456789'), '-'), agree, differ, COUNT(*) FROM agreement"
            " WHERE outdated = 0 GROUP BY 1, 2, 3"
        )
        for entity_type, same, other, count in rows:
            for names, counter in ((same, agree), (other, differ)):
                for name in names_in(names):
                    counter[entity_type, name] += count
        return agree, differ

    def agreeing(self, entity_ids: Sequence[str]) -> dict[str, frozenset[str]]:
        """{entity: fields that agree}, as last compared."""
        return {entity: frozenset(row[0].split(",")) for entity, row in self._known(entity_ids).items()}

    def outdated(self) -> list[str]:
        """Entities that we wrote to since they were compared."""
        return [entity for (entity,) in self._store.read_tuples("SELECT entity FROM agreement WHERE outdated = 1")]

    def kept(self) -> list[tuple[str, tuple[str, ...]]]:
        """(entity, fields) where an edit that does not win is kept for a while."""
        rows = self._store.read_tuples("SELECT entity, kept FROM agreement WHERE kept != '' ORDER BY entity")
        return [(entity, tuple(names.split(","))) for entity, names in rows]

    def due(self, now: datetime) -> list[str]:
        """Entities where an edit was kept long enough, or may have been."""
        rows = self._store.read_tuples(
            "SELECT entity FROM agreement WHERE kept != '' AND until <= ? ORDER BY entity", (to_micros(now),)
        )
        return [entity for (entity,) in rows]

    def differing(self) -> list[str]:
        """Entities of which some field differs, or may differ."""
        rows = self._store.read_tuples("SELECT entity FROM agreement WHERE differ != '' OR outdated = 1")
        return [entity for (entity,) in rows]

    def _known(self, entity_ids: Sequence[str]) -> dict[str, _Row]:
        known: dict[str, _Row] = {}
        for start in range(0, len(entity_ids), IN_CHUNK):
            chunk = entity_ids[start : start + IN_CHUNK]
            sql = f"SELECT {_ROW} FROM agreement WHERE entity IN ({marks(len(chunk))})"
            known.update((row[0], row[1:]) for row in self._store.read_tuples(sql, chunk))
        return known


def outdate(connection: Connection, entity_ids: Iterable[str]) -> None:
    """We wrote to these: what was compared before says nothing any more."""
    connection.executemany("UPDATE agreement SET outdated = 1 WHERE entity = ?", [(each,) for each in entity_ids])
