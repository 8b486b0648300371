"""What others changed since a moment, over all records: found among the latest rows of what was observed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.records import Ref
from agent.store import Store, from_micros, to_micros

NEARLY_IN_ORDER = timedelta(hours=1)
"""Rows are added as they are seen, but by two vendors' clocks."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A value that our entry ``by`` wrote was seen replaced at ``at``."""

    ref: Ref
    field: str
    at: datetime
    by: str


class Edits:
    """Looks only at rows added since the moment, found by halving: nothing indexes their moments."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def replaced_since(self, since: datetime) -> Iterator[Replaced]:
        """Values of ours that somebody else replaced, as they were seen; whatever came after."""
        rows = self._store.read_tuples(
            "SELECT s.system, s.object_type, r.id, o.field, o.next_seen,"
            " (SELECT w.next_by FROM observed w WHERE w.n = o.n AND w.field = o.field AND w.rowid < o.rowid"
            "  ORDER BY w.rowid DESC LIMIT 1) AS written_by"
            " FROM observed o JOIN records r ON r.n = o.n JOIN shelves s ON s.id = r.shelf"
            " WHERE o.rowid >= ? AND o.next_seen >= ? AND o.next_by = '' AND written_by != ''",
            (self._first_row(since), to_micros(since)),
        )
        for system, object_type, record_id, field, at, by in rows:
            yield Replaced(Ref(system, object_type, record_id), field, from_micros(at), by)

    def cells_since(self, since: datetime) -> list[tuple[Ref, str]]:
        """(record, vendor field) of everything that somebody else changed, once each."""
        rows = self._store.read_tuples(
            "SELECT DISTINCT s.system, s.object_type, r.id, o.field"
            " FROM observed o JOIN records r ON r.n = o.n JOIN shelves s ON s.id = r.shelf"
            " WHERE o.rowid >= ? AND o.next_seen >= ? AND o.next_by = '' AND o.value IS NOT NULL",
            (self._first_row(since), to_micros(since)),
        )
        return [(Ref(system, object_type, record_id), field) for system, object_type, record_id, field in rows]

    def _first_row(self, since: datetime) -> int:
        """The first row of ``observed`` that was added at about this moment or later."""
        moment = to_micros(since - NEARLY_IN_ORDER)
        ((low, high),) = self._store.read_tuples(
            "SELECT COALESCE(MIN(rowid), 0), COALESCE(MAX(rowid), 0) + 1 FROM observed"
        )
        while low < high:
            middle = (low + high) // 2
            rows = self._store.read_tuples(
                "SELECT next_seen FROM observed WHERE rowid >= ? ORDER BY rowid LIMIT 1", (middle,)
            )
            if not rows or rows[0][0] >= moment:
                high = middle
            else:
                low = middle + 1
        return int(low)
