"""What we saw a record hold over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.mirror_fields import FieldSets
from agent.records import FieldValue, Ref
from agent.store import Store, from_micros, maybe_moment, to_micros
from agent.stored_json import from_json


@dataclass(frozen=True, slots=True)
class Observed:
    """One value over the time we saw it.

    It was set between the last sighting of the one before and ``first_seen``; ``modified_at`` narrows that
    down to the vendor's own stamp of the record when we first saw it. ``by`` is our entry if we wrote it.
    ``visible`` is False where the field was not shown to us (``value`` is None then, but nobody said it was
    blank).
    """

    field: str
    value: FieldValue
    first_seen: datetime
    last_seen: datetime
    modified_at: datetime | None = None
    by: str | None = None
    visible: bool = True


@dataclass(frozen=True, slots=True)
class Replaced:
    """A value that our entry ``by`` wrote was seen replaced at ``at``."""

    ref: Ref
    field: str
    at: datetime
    by: str


NEARLY_IN_ORDER = timedelta(hours=1)
"""Rows are added as they are seen, but by two vendors' clocks."""


def load_replaced(store: Store, since: datetime) -> Iterator[Replaced]:
    """Looks only at rows added since, found by halving: nothing indexes their moments."""
    rows = store.read_tuples(
        "SELECT s.system, s.object_type, r.id, o.field, o.next_seen,"
        " (SELECT w.next_by FROM observed w WHERE w.n = o.n AND w.field = o.field AND w.rowid < o.rowid"
        "  ORDER BY w.rowid DESC LIMIT 1) AS written_by"
        " FROM observed o JOIN records r ON r.n = o.n JOIN shelves s ON s.id = r.shelf"
        " WHERE o.rowid >= ? AND o.next_seen >= ? AND o.next_by = '' AND written_by != ''",
        (_first_row(store, to_micros(since - NEARLY_IN_ORDER)), to_micros(since)),
    )
    for system, object_type, record_id, field, at, by in rows:
        yield Replaced(Ref(system, object_type, record_id), field, from_micros(at), by)


def _first_row(store: Store, moment: int) -> int:
    """The first row of ``observed`` that was added at this moment or later."""
    ((low, high),) = store.read_tuples("SELECT COALESCE(MIN(rowid), 0), COALESCE(MAX(rowid), 0) + 1 FROM observed")
    while low < high:
        middle = (low + high) // 2
        rows = store.read_tuples("SELECT next_seen FROM observed WHERE rowid >= ? ORDER BY rowid LIMIT 1", (middle,))
        if not rows or rows[0][0] >= moment:
            high = middle
        else:
            low = middle + 1
    return int(low)


def load_history(store: Store, sets: FieldSets, shelf: int | None, ref: Ref, field: str | None) -> list[Observed]:
    """Oldest first within a field; all fields by name when none is asked for."""
    found = store.read_tuples(
        "SELECT n, names, fields, first_seen, seen_at FROM records WHERE id = ? AND shelf = ?", (ref.id, shelf)
    )
    if not found:
        return []
    n, names_of, text, first_seen, seen_at = found[0]
    now = sets.unpack(names_of, text)
    ended: dict[str, list[tuple[Any, ...]]] = {}
    rows = store.read_tuples(
        "SELECT field, value, last_seen, next_seen, next_modified, next_by FROM observed WHERE n = ? ORDER BY rowid",
        (n,),
    )
    for row in rows:
        ended.setdefault(row[0], []).append(row[1:])
    names = [field] if field is not None else sorted({*now, *ended})
    return [each for name in names for each in _of_field(name, ended.get(name, []), now, first_seen, seen_at)]


def _of_field(
    name: str, ended: list[tuple[Any, ...]], now: Mapping[str, FieldValue], first_seen: int, seen_at: int
) -> list[Observed]:
    observed: list[Observed] = []
    start, modified_at, by = first_seen, None, None
    for value, last_seen, next_seen, next_modified, next_by in ended:
        text = value if value is not None else "null"
        observed.append(
            Observed(name, from_json(text), from_micros(start), from_micros(last_seen),
                     maybe_moment(modified_at), by, value is not None)
        )  # fmt: skip
        start, modified_at, by = next_seen, next_modified, next_by or None
    if name in now or ended:
        observed.append(
            Observed(name, now.get(name), from_micros(start), from_micros(seen_at),
                     maybe_moment(modified_at), by, name in now)
        )  # fmt: skip
    return observed
