"""The calls made of each vendor, by the hour: kept in the ledger, for no vendor can tell what was ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any

from agent.store import Store
from agent.stored_json import from_json, to_json

Hours = Counter[tuple[int, str]]
"""{(hour since 1970, lane): calls}"""


class CallCounts:
    """Durable counters. A reader may only look.

    They are written from the thread that makes a call, one call after the other. The thread that writes everything else
    waits for its calls with no transaction open (``agent.side_by_side``), so the two never meet.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_by_one = Lock()

    def since(self, system: str, hour: int) -> Hours:
        """What was counted in this hour and after it."""
        rows = self._store.read_tuples(
            "SELECT hour, lane, number FROM called WHERE system = ? AND hour >= ?", (system, hour)
        )
        return Counter({(int(when), str(lane)): int(number) for when, lane, number in rows})

    def add(self, system: str, counted: Mapping[tuple[int, str], int], told: Mapping[str, Any], forget: int) -> None:
        """Add to the counters (or take back: numbers may be negative), remember what the vendor last told, and drop
        the hours before ``forget``."""
        with self._one_by_one, self._store.write() as connection:
            connection.executemany(
                "INSERT INTO called VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
                [(system, hour, lane, number) for (hour, lane), number in counted.items() if number],
            )
            connection.execute("DELETE FROM called WHERE system = ? AND hour < ?", (system, forget))
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_name(system), to_json(told).decode()))

    def told(self, system: str) -> dict[str, Any]:
        """What the vendor last told, as it was given to ``add``; empty when it never told anything."""
        rows = self._store.read_tuples("SELECT value FROM meta WHERE name = ?", (_name(system),))
        return dict(from_json(rows[0][0])) if rows else {}


def _name(system: str) -> str:
    return f"calls of {system}"
