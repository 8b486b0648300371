"""Orders from the command line to the running daemon: a queue in the ledger's file.

The daemon takes them between two chunks, rollbacks first. Queueing needs no writer lock.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.error_documents import to_document
from agent.errors import Interrupted
from agent.store import Clock, Store, from_micros, marks, to_micros
from agent.stored_json import from_json, to_json

URGENT = "rollback"
"""Taken before all others, and not kept waiting by them."""

INTERRUPTED = to_document(
    Interrupted(
        "the daemon ended while it carried this out",
        why="what was written by then is recorded, and the next start settles what was under way",
        next_step="truce status",
    )
)


@dataclass(frozen=True, slots=True)
class Command:
    id: int
    kind: str
    body: dict[str, Any]
    actor: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order not done yet, for people: ``done`` and ``total`` are 0 before it reported anything."""

    id: int
    kind: str
    actor: str
    state: str
    queued_at: datetime
    done: int
    total: int


class Commands:
    """``Commands(store, clock)``: the store may be one of its own, beside a running daemon's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def queue(self, kind: str, body: Mapping[str, Any], actor: str) -> int:
        """Returns the number to ask ``collect`` for."""
        with self._store.write() as connection:
            cursor = connection.execute(
                "INSERT INTO commands (kind, body, actor, state, queued_at) VALUES (?, ?, ?, 'queued', ?)",
                (kind, to_json(body).decode(), actor, to_micros(self._clock())),
            )
            return int(cursor.lastrowid or 0)

    def next(self) -> Command | None:
        """Take the next order, rollbacks before all others."""
        if not self.has():
            return None
        with self._store.write() as connection:
            row = connection.execute(
                "UPDATE commands SET state = 'running', started_at = ? WHERE id = ("
                f" SELECT id FROM commands WHERE {_OPEN} AND state = 'queued'"
                " ORDER BY kind != ?, id LIMIT 1) RETURNING id, kind, body, actor",
                (to_micros(self._clock()), URGENT),
            ).fetchone()
        return Command(row[0], row[1], from_json(row[2]), row[3]) if row is not None else None

    def has(self, *kinds: str) -> bool:
        """Whether an order (of one of these kinds) waits; cheap enough to ask between two chunks."""
        of_kind = f"AND kind IN ({marks(len(kinds))})" if kinds else ""
        return bool(
            self._store.read_tuples(
                f"SELECT 1 FROM commands WHERE {_OPEN} AND state = 'queued' {of_kind} LIMIT 1", kinds
            )
        )

    def waiting(self) -> list[Waiting]:
        """What is queued or being carried out, oldest first."""
        rows = self._store.read_tuples(
            f"SELECT id, kind, actor, state, queued_at, progress FROM commands WHERE {_OPEN} ORDER BY id"
        )
        return [_waiting_from(row) for row in rows]

    def report(self, command_id: int, progress: Mapping[str, Any]) -> None:
        """How far a running order is, for whoever waits."""
        self._note(command_id, "progress = ?", to_json(progress).decode())

    def finish(self, command_id: int, result: Mapping[str, Any]) -> None:
        """The order is done; ``result`` is what the one who waits gets."""
        at = to_micros(self._clock())
        self._note(command_id, "result = ?, state = 'done', ended_at = ?", to_json(result).decode(), at)

    def put_back(self, command_id: int) -> None:
        """A running order waits again, because something more urgent came in."""
        self._note(command_id, "state = 'queued', started_at = NULL")

    def withdraw(self, command_id: int) -> bool:
        """Take back an order nobody has begun. False when it was begun (or done) already."""
        with self._store.write() as connection:
            taken = connection.execute(
                f"DELETE FROM commands WHERE id = ? AND {_OPEN} AND state = 'queued'", (command_id,)
            )
            return bool(taken.rowcount)

    def collect(self, command_id: int) -> dict[str, Any] | None:
        """The result, once; None while the order waits or runs.

        What it said is not kept: results name records and their values, which must not outlive an erasure.
        """
        rows = self._store.read_tuples("SELECT result FROM commands WHERE id = ?", (command_id,))
        if not rows or rows[0][0] is None:
            return None
        self._note(command_id, _EMPTIED)
        result: dict[str, Any] = from_json(rows[0][0])
        return result

    def progress(self, command_id: int) -> dict[str, Any] | None:
        """The latest report, or None."""
        rows = self._store.read_tuples("SELECT progress FROM commands WHERE id = ?", (command_id,))
        return from_json(rows[0][0]) if rows and rows[0][0] is not None else None

    def close_interrupted(self) -> int:
        """Orders a dead daemon had begun end with an error instead of running twice. Returns how many."""
        if not self._store.read_tuples(f"SELECT 1 FROM commands WHERE {_OPEN} AND state = 'running' LIMIT 1"):
            return 0
        with self._store.write() as connection:
            ended = connection.execute(
                f"UPDATE commands SET state = 'done', result = ?, ended_at = ? WHERE {_OPEN} AND state = 'running'",
                (to_json({"error": INTERRUPTED}).decode(), to_micros(self._clock())),
            )
            return int(ended.rowcount)

    def forget_uncollected(self, before: datetime) -> int:
        """Empty the results nobody came for since then. Returns how many."""
        with self._store.write() as connection:
            emptied = connection.execute(
                f"UPDATE commands SET {_EMPTIED} WHERE state = 'done' AND result IS NOT NULL AND ended_at < ?",
                (to_micros(before),),
            )
            return int(emptied.rowcount)

    def _note(self, command_id: int, assignment: str, *values: Any) -> None:
        with self._store.write() as connection:
            connection.execute(f"UPDATE commands SET {assignment} WHERE id = ?", (*values, command_id))


_OPEN = "state IN ('queued', 'running')"
"""The words of the partial index, so that looking for work costs nothing."""

_EMPTIED = "body = '{}', progress = NULL, result = NULL"


def _waiting_from(row: tuple[Any, ...]) -> Waiting:
    number, kind, actor, state, queued_at, progress = row
    known = from_json(progress) if progress is not None else {}
    return Waiting(
        number, kind, actor, state, from_micros(queued_at), int(known.get("done", 0)), int(known.get("total", 0))
    )
