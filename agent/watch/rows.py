"""What watching policies would have written: one row per cell while it stands, and what became of it.

No value is kept here: they are in the last seen copy, and go when it goes. Bounded: what ended long ago is dropped, and
in a company so large that ``MOST`` cells stand at once, only those are followed.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from agent.store import from_micros, marks, maybe_moment, to_micros

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger

Ended = Literal["", "made", "other way", "taken over", "dropped"]
"""``made``: somebody else made the same change. ``other way``: both agree, but on the value Truce would have replaced.
``taken over``: the policy does not only watch any more. ``dropped``: nobody wants it any more. Empty: it stands."""

MOST = 100_000
KEPT = timedelta(days=180)
IN_CHUNK = 500

CellKey = tuple[str, str, str]
"""(entity, system, field or ``create``)."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One cell that a policy would write. ``meaning`` as in ``Cell``; ``since``: first wanted."""

    entity_id: str
    system: str
    field: str
    policy: str
    line: str
    meaning: str
    since: datetime
    ended_at: datetime | None = None
    ended: Ended = ""

    @property
    def key(self) -> CellKey:
        return self.entity_id, self.system, self.field


class WatchedRows:
    """The table."""

    def __init__(self, ledger: Ledger) -> None:
        self._store = ledger.store
        self._clock = ledger.clock

    def is_empty(self) -> bool:
        return not self._store.read_tuples("SELECT 1 FROM watched WHERE ended_at IS NULL LIMIT 1")

    def standing(self, entity_ids: Sequence[str]) -> list[Watched]:
        """Those of these entities."""
        found: list[Watched] = []
        for start in range(0, len(entity_ids), IN_CHUNK):
            chunk = entity_ids[start : start + IN_CHUNK]
            found += self._select(f"WHERE ended_at IS NULL AND entity IN ({marks(len(chunk))})", chunk)
        return found

    def begin(self, cells: Sequence[Watched]) -> None:
        """Follow these too, as far as there is room."""
        if not cells:
            return
        with self._store.write() as connection:
            ((count,),) = connection.execute("SELECT COUNT(*) FROM watched").fetchall()
            connection.executemany(
                "INSERT INTO watched (entity, system, field, policy, line, meaning, since, ended)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, '') ON CONFLICT DO NOTHING",
                [
                    (each.entity_id, each.system, each.field, each.policy, each.line, each.meaning,
                     to_micros(each.since))
                    for each in cells[: max(MOST - count, 0)]
                ],
            )  # fmt: skip

    def end(self, ended: Iterable[tuple[CellKey, Ended]]) -> None:
        """These do not stand any more; what ended long ago is dropped."""
        now = self._clock()
        with self._store.write() as connection:
            connection.executemany(
                "UPDATE watched SET ended_at = ?, ended = ?"
                " WHERE ended_at IS NULL AND entity = ? AND system = ? AND field = ?",
                [(to_micros(now), how, *key) for key, how in ended],
            )
            connection.execute("DELETE FROM watched WHERE ended_at < ?", (to_micros(now - KEPT),))

    def counts(self, since: datetime) -> list[tuple[str, str, str, str, Ended, int]]:
        """(policy, field, system, meaning, ended, how many) of what stands, or ended since then."""
        rows = self._store.read_tuples(
            "SELECT policy, field, system, meaning, ended, COUNT(*) FROM watched"
            " WHERE ended_at IS NULL OR ended_at >= ? GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2, 3, 4, 5",
            (to_micros(since),),
        )
        return [(policy, field, system, meaning, ended, count) for policy, field, system, meaning, ended, count in rows]

    def ended_other_way(self, since: datetime, limit: int) -> list[Watched]:
        """The latest that both sides settled against the policy."""
        where = "WHERE ended_at >= ? AND ended = 'other way' ORDER BY ended_at DESC LIMIT ?"
        return self._select(where, (to_micros(since), limit))

    def first(self) -> datetime | None:
        """Since when something is followed."""
        ((at,),) = self._store.read_tuples("SELECT MIN(since) FROM watched")
        return maybe_moment(at)

    def _select(self, where: str, params: Sequence[object]) -> list[Watched]:
        rows = self._store.read_tuples(
            f"SELECT entity, system, field, policy, line, meaning, since, ended_at, ended FROM watched {where}", params
        )
        return [
            Watched(entity, system, field, policy, line, meaning, from_micros(since), maybe_moment(ended_at), ended)
            for entity, system, field, policy, line, meaning, since, ended_at, ended in rows
        ]
