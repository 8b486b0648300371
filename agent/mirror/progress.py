"""How far each object type was pulled: the cursor, and the place an interrupted first load had reached.

Both are kept with the page they came with, so that a restart goes on there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.mirror.fields import FieldSets
from agent.records import Cursor
from agent.store import Connection, Store, from_micros, to_micros
from agent.stored_json import from_json, to_json

GOOD_FOR = timedelta(days=7)
"""A load left alone for longer begins anew: vendors keep a place in a listing, and deleted records, for days only."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A load under way. ``began`` is where the cursor will stand once it is done, on the vendor's clock; ``reached`` is
    the connector's own word for the place; ``live`` counts the records it brought."""

    system: str
    object_type: str
    fields: tuple[str, ...]
    began: datetime
    reached: str
    live: int


def cursor_of(
    store: Store, sets: FieldSets, system: str, object_type: str, mapped: Sequence[str] | None
) -> Cursor | None:
    """None also if ``mapped`` has a field that no full pull asked for."""
    rows = store.read_tuples(
        "SELECT watermark, mapped FROM shelves WHERE system = ? AND object_type = ? AND watermark IS NOT NULL",
        (system, object_type),
    )
    if not rows or rows[0][1] not in sets.holding(mapped or ()):
        return None
    return Cursor(system, object_type, from_micros(rows[0][0]))


def move(connection: Connection, cursor: Cursor, shelf: int, field_set: int) -> None:
    """Inside the caller's transaction: the pull is complete, and so is a load that was under way."""
    forget(connection, cursor.system, cursor.object_type)
    connection.execute(
        "UPDATE shelves SET watermark = ?, mapped = ? WHERE id = ?",
        (to_micros(cursor.watermark), field_set, shelf),
    )


def note(connection: Connection, loading: Loading) -> None:
    """Inside the caller's transaction."""
    body = [sorted(loading.fields), loading.began.isoformat(), loading.reached, loading.live]
    place = _name(loading.system, loading.object_type)
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (place, to_json(body).decode()))


def forget(connection: Connection, system: str, object_type: str) -> None:
    """Inside the caller's transaction."""
    connection.execute("DELETE FROM meta WHERE name = ?", (_name(system, object_type),))


def find(store: Store, system: str, object_type: str, fields: Sequence[str], now: datetime) -> Loading | None:
    """The load to go on with; None when there is none, or it asked for other fields, or is too old."""
    rows = store.read_tuples("SELECT value FROM meta WHERE name = ?", (_name(system, object_type),))
    if not rows:
        return None
    asked, began, reached, live = from_json(rows[0][0])
    loading = Loading(system, object_type, tuple(asked), datetime.fromisoformat(began), reached, live)
    is_enough = _covers(loading.fields, fields)
    return loading if is_enough and timedelta() <= now - loading.began < GOOD_FOR else None


def _covers(asked: Collection[str], wanted: Collection[str]) -> bool:
    return set(wanted) <= set(asked)


def _name(system: str, object_type: str) -> str:
    return f"loading {system} {object_type}"
