"""The search index: it shows a record as it was until ``visible_delay_seconds`` after each change.

Reads by id are never late. The versions a search still shows are kept in ``space.earlier``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from connectors.emulator.world import Row, Space, Transaction

Span = tuple[datetime | None, datetime | None]
"""Moments of change, both ends included; None is open."""


class SearchIndex:
    def __init__(self, space: Space, now: Callable[[], datetime]) -> None:
        self.space = space
        self.now = now

    def rows(self, object_type: str, span: Span | None = None) -> list[Row]:
        """Every live record as a search sees it now; archived ones leave at once.

        With a span at least those whose stamp, as a search sees it, lies in it.
        """
        now, versions = self.now(), self.space.earlier
        live = [row for row in self._candidates(object_type, span) if not row.deleted]
        if not versions:
            return [row for row in live if row.visible_at <= now]
        seen = (row if row.visible_at <= now else self._version(row, now) for row in live)
        return [row for row in seen if row is not None]

    def _candidates(self, object_type: str, span: Span | None) -> Iterable[Row]:
        """A late version has an older stamp than its row: rows that have some are always looked at."""
        table = self.space.table(object_type)
        if span is None:
            return table.values()
        ids = dict.fromkeys(self.space.stamped(object_type, *span))
        parted = (key.rpartition(" ") for key in self.space.earlier)
        ids.update(dict.fromkeys(row_id for name, _, row_id in parted if name == object_type))
        return [table[row_id] for row_id in ids if row_id in table]

    def remember(self, transaction: Transaction) -> None:
        """Keep what searches go on showing of the rows that ``transaction`` changed."""
        now, versions = self.now(), self.space.earlier
        for key in [key for key in versions if not self._is_outstanding(key, now)]:
            del versions[key]
        if self.space.visible_delay_seconds <= 0:
            return
        for record_id, before in transaction.originals():
            if before is None:
                continue
            key, row = f"{before.object_type} {record_id}", self.space.row(before.object_type, record_id)
            if before.deleted or row is None or row.deleted:
                versions.pop(key, None)
                continue
            version = before.photographed()
            version.tell([])
            versions[key] = [*since_visible(versions.get(key, []), now), version]

    def _version(self, row: Row, now: datetime) -> Row | None:
        kept = self.space.earlier.get(f"{row.object_type} {row.id}", [])
        return next((version for version in reversed(kept) if version.visible_at <= now), None)

    def _is_outstanding(self, key: str, now: datetime) -> bool:
        object_type, _, record_id = key.rpartition(" ")
        row = self.space.row(object_type, record_id)
        return row is not None and row.visible_at > now


def since_visible(versions: list[Row], now: datetime) -> list[Row]:
    """The newest version that can be seen, and those after it."""
    seen = [number for number, version in enumerate(versions) if version.visible_at <= now]
    return versions[seen[-1] :] if seen else versions
