"""What we wrote ourselves, taken over from a settled entry into our copy of the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from agent.changes import Entry, State
from agent.mirror.absorb import (
    ALIVE,
    DELETED,
    KEYS_ALONE,
    KeyMaking,
    Stored,
    insert_observed,
    load_stored,
    outcome_observations,
    reindex,
)
from agent.mirror.fields import FieldSets
from agent.records import Record, Ref
from agent.store import Connection, to_micros


def take(
    connection: Connection, sets: FieldSets, shelf: int, entries: Sequence[Entry], seen_at: int, keys: KeyMaking | None
) -> None:
    """Inside the caller's transaction. Only a confirmed entry says anything about the record.

    Without ``keys`` (at a start, before the first pull) the next pull works the match keys out.
    """
    written = [(record_id, entry) for entry in entries if (record_id := _confirmed_id(entry)) is not None]
    known = load_stored(connection, shelf, [record_id for record_id, _ in written])
    for record_id, entry in written:
        stored = known.pop(record_id, None) or load_stored(connection, shelf, [record_id]).get(record_id)
        if entry.change.op == "delete":
            _delete(connection, shelf, stored, seen_at)
        elif stored is None:
            _add(connection, sets, shelf, record_id, entry, seen_at, keys)
        else:
            if entry.change.op == "undelete":
                _bring_back(connection, shelf, stored)
            _write_over(connection, sets, stored, record_id, entry, seen_at, keys)


def _confirmed_id(entry: Entry) -> str | None:
    return (entry.record_id or entry.change.record_id) if entry.state is State.CONFIRMED else None


def _delete(connection: Connection, shelf: int, stored: Stored | None, seen_at: int) -> None:
    if stored is None or stored.gone != ALIVE:
        return
    connection.execute("UPDATE records SET gone = ?, seen_at = ? WHERE n = ?", (DELETED, seen_at, stored.n))
    reindex(connection, stored.n, stored.keys, "[]")
    connection.execute("UPDATE shelves SET alive = alive - 1 WHERE id = ?", (shelf,))


def _bring_back(connection: Connection, shelf: int, stored: Stored) -> None:
    """Alive again; its match keys are worked out with its values, here or by the next pull."""
    if stored.gone == ALIVE:
        return
    connection.execute("UPDATE records SET gone = ?, survivor = NULL, mapped = NULL WHERE n = ?", (ALIVE, stored.n))
    connection.execute("UPDATE shelves SET alive = alive + 1 WHERE id = ?", (shelf,))
    stored.gone, stored.mapped = ALIVE, None


def _add(
    connection: Connection, sets: FieldSets, shelf: int, record_id: str, entry: Entry, seen_at: int,
    keys: KeyMaking | None,
) -> None:  # fmt: skip
    cursor = connection.execute(
        "INSERT INTO records (shelf, id, gone, version, modified_at, first_seen, seen_at, keys, names,"
        " fields) VALUES (?, ?, 0, ?, ?, ?, ?, '[]', ?, ?)",
        (
            shelf,
            record_id,
            entry.version,
            stamp_in(entry.version),
            seen_at,
            seen_at,
            *sets.pack(connection, entry.observed),
        ),
    )
    connection.execute("UPDATE shelves SET alive = alive + 1 WHERE id = ?", (shelf,))
    ref = Ref(entry.change.system, entry.change.object_type, record_id)
    if keys is not None:
        reindex(connection, int(cursor.lastrowid or 0), "[]", keys.text(Record(ref, entry.observed)))


def _write_over(
    connection: Connection, sets: FieldSets, stored: Stored, record_id: str, entry: Entry, seen_at: int,
    keys: KeyMaking | None,
) -> None:  # fmt: skip
    before = sets.unpack(stored.names, stored.fields)
    after = {**before, **entry.observed}
    seen_at = max(seen_at, stamp_in(entry.version) or 0)  # the vendor's clock may be ahead of ours
    stamp = max(filter(None, (stamp_in(entry.version), stored.modified_at)), default=None)
    was_version = stored.version if stored.version != entry.version else stored.was_version
    insert_observed(connection, outcome_observations(stored, before, after, seen_at, entry.id))
    makes_keys = keys if stored.gone == ALIVE else None
    connection.execute(
        "UPDATE records SET mapped = ?, version = ?, was_version = ?, modified_at = ?, seen_at = ?,"
        " names = ?, fields = ? WHERE n = ?",
        (
            KEYS_ALONE if makes_keys else None,
            entry.version,
            was_version,
            stamp,
            seen_at,
            *sets.pack(connection, after),
            stored.n,
        ),
    )
    connection.execute("UPDATE pending SET compared = 0 WHERE n = ?", (stored.n,))
    if makes_keys is not None and (stored.mapped is None or makes_keys.may_differ(entry.observed)):
        ref = Ref(entry.change.system, entry.change.object_type, record_id)
        reindex(connection, stored.n, stored.keys, makes_keys.text(Record(ref, after)))


def stamp_in(version: str | None) -> int | None:
    """The vendor's stamp, where a version is one (both vendors' are: LastModifiedDate and updatedAt)."""
    if version is None:
        return None
    try:
        moment = datetime.fromisoformat(version)
    except ValueError:
        return None
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
