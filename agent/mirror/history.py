"""What we saw a record hold over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.mirror.fields import FieldSets
from agent.records import FieldValue, Ref
from agent.store import Store, from_micros, maybe_moment
from agent.stored_json import from_json

NO_LONGER_KEPT = ""
"""What stands in the place of a value that is gone by age; the text of a value is never empty."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One value over the time we saw it.

    It was set between the last sighting of the one before and ``first_seen``; ``modified_at`` narrows that
    down to the vendor's own stamp of the record when we first saw it. ``by`` is our entry if we wrote it.
    ``visible`` is False where the field was not shown to us (``value`` is None then, but nobody said it was
    blank). ``erased``: what it was is gone by age, when it was is not.
    """

    field: str
    value: FieldValue
    first_seen: datetime
    last_seen: datetime
    modified_at: datetime | None = None
    by: str | None = None
    visible: bool = True
    erased: bool = False

    @property
    def is_known(self) -> bool:
        return self.visible and not self.erased


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
        observed.append(
            Observed(name, from_json(value) if value else None, from_micros(start), from_micros(last_seen),
                     maybe_moment(modified_at), by, value is not None, value == NO_LONGER_KEPT)
        )  # fmt: skip
        start, modified_at, by = next_seen, next_modified, next_by or None
    if name in now or ended:
        observed.append(
            Observed(name, now.get(name), from_micros(start), from_micros(seen_at),
                     maybe_moment(modified_at), by, name in now)
        )  # fmt: skip
    return observed
