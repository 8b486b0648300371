"""Orders from the command line to the running daemon: a queue in the ledger's file.

The daemon takes them between two chunks, rollbacks first. Queueing needs no writer lock.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.store import Clock, Store, marks, to_micros
from agent.stored_json import from_json, to_json

INTERRUPTED = {
    "error": {
        "kind": "Interrupted",
        "what": "the daemon stopped while it carried this out",
        "where": "",
        "why": "what was written by then is recorded",
        "next": "truce status",
    }
}


@dataclass(frozen=True, slots=True)
class Command:
    id: int
    kind: str
    body: dict[str, Any]
    actor: str


class Commands:
    """``Commands(store, clock)``: the store may be one of its own, beside a running daemon's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def queue(self, kind: str, body: Mapping[str, Any], actor: str) -> int:
        """Returns the number to ask ``result`` for."""
        with self._store.write() as connection:
            cursor = connection.execute(
                "INSERT INTO commands (kind, body, actor, state, queued_at) VALUES (?, ?, ?, 'queued', ?)",
                (kind, to_json(body).decode(), actor, to_micros(self._clock())),
            )
            return int(cursor.lastrowid or 0)

    def next(self) -> Command | None:
        """Take the next order, rollbacks before all others."""
        if not self._store.read_tuples("SELECT 1 FROM commands WHERE state IN ('queued', 'running') LIMIT 1"):
            return None
        with self._store.write() as connection:
            row = connection.execute(
                "UPDATE commands SET state = 'running', started_at = ? WHERE id = ("
                " SELECT id FROM commands WHERE state IN ('queued', 'running') AND state = 'queued'"
                " ORDER BY kind != 'rollback', id LIMIT 1) RETURNING id, kind, body, actor",
                (to_micros(self._clock()),),
            ).fetchone()
        return Command(row[0], row[1], from_json(row[2]), row[3]) if row is not None else None

    def has(self, *kinds: str) -> bool:
        """Whether an order of one of these kinds waits; cheap enough to ask between two chunks."""
        rows = self._store.read_tuples(
            "SELECT 1 FROM commands WHERE state IN ('queued', 'running') AND state = 'queued'"
            f" AND kind IN ({marks(len(kinds))}) LIMIT 1",
            kinds,
        )
        return bool(rows)

    def report(self, command_id: int, progress: Mapping[str, Any]) -> None:
        """How far a running order is, for whoever waits."""
        self._note(command_id, "progress = ?", to_json(progress).decode())

    def finish(self, command_id: int, result: Mapping[str, Any]) -> None:
        """The order is done; ``result`` is what the one who waits gets."""
        at = to_micros(self._clock())
        self._note(command_id, "result = ?, state = 'done', ended_at = ?", to_json(result).decode(), at)

    def result(self, command_id: int) -> dict[str, Any] | None:
        """None while the order waits or runs."""
        rows = self._store.read_tuples("SELECT result FROM commands WHERE id = ?", (command_id,))
        return from_json(rows[0][0]) if rows and rows[0][0] is not None else None

    def progress(self, command_id: int) -> dict[str, Any] | None:
        """The latest report, or None."""
        rows = self._store.read_tuples("SELECT progress FROM commands WHERE id = ?", (command_id,))
        return from_json(rows[0][0]) if rows and rows[0][0] is not None else None

    def close_interrupted(self) -> int:
        """At a start: orders a dead daemon had begun end with an error instead of running twice."""
        with self._store.write() as connection:
            ended = connection.execute(
                "UPDATE commands SET state = 'done', result = ?, ended_at = ?"
                " WHERE state IN ('queued', 'running') AND state = 'running'",
                (to_json(INTERRUPTED).decode(), to_micros(self._clock())),
            )
            return int(ended.rowcount)

    def _note(self, command_id: int, assignment: str, *values: Any) -> None:
        with self._store.write() as connection:
            connection.execute(f"UPDATE commands SET {assignment} WHERE id = ?", (*values, command_id))
