"""Quick ways to rows: by the value of a field, by the moment of their last change."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

STALE_ENTRIES = 10_000
"""A stamp index is built anew when it holds so many entries more than twice its rows."""


class FieldIndex:
    """{key of a value: ids of the rows that have it}. None, and values whose key is None, are left out."""

    def __init__(self, key: Callable[[Any], Any]) -> None:
        self._key = key
        self._ids: dict[Any, str | set[str]] = {}
        """A single id stands bare: of a million different addresses no one needs a set."""

    def emptied(self) -> FieldIndex:
        return FieldIndex(self._key)

    def ids(self, value: Any) -> set[str]:
        found = self._ids.get(self._key(value), ())
        return {found} if isinstance(found, str) else set(found)

    def add(self, value: Any, row_id: str) -> None:
        key = self._key(value) if value is not None else None
        if key is None:
            return
        held = self._ids.setdefault(key, row_id)
        if isinstance(held, set):
            held.add(row_id)
        elif held != row_id:
            self._ids[key] = {held, row_id}

    def remove(self, value: Any, row_id: str) -> None:
        key = self._key(value) if value is not None else None
        held = self._ids.get(key)
        if isinstance(held, set):
            held.discard(row_id)
        elif held == row_id:
            del self._ids[key]


class StampIndex:
    """Ids by the moment of a change, oldest first. Entries of changes long overtaken stay until it is built anew."""

    def __init__(self, changes: Iterable[tuple[datetime, str]] = ()) -> None:
        found = sorted((at.timestamp(), row_id) for at, row_id in changes)
        self._moments = array("d", (moment for moment, _ in found))
        self._ids = [row_id for _, row_id in found]

    def note(self, at: datetime, row_id: str) -> None:
        moment = at.timestamp()
        if not self._moments or moment >= self._moments[-1]:
            self._moments.append(moment)
            self._ids.append(row_id)
            return
        place = bisect_right(self._moments, moment)
        self._moments.insert(place, moment)
        self._ids.insert(place, row_id)

    def between(self, start: datetime | None, end: datetime | None) -> dict[str, None]:
        """Ids of rows that were changed in this span, both ends included, and perhaps since; each once."""
        first = 0 if start is None else bisect_left(self._moments, start.timestamp())
        last = len(self._moments) if end is None else bisect_right(self._moments, end.timestamp())
        return dict.fromkeys(self._ids[first:last])

    def is_stale(self, rows: int) -> bool:
        return len(self._ids) > 2 * rows + STALE_ENTRIES
