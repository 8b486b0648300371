"""Bases: per entity and field, what each side held when we last settled it. One row per entity."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.decide.view import Base
from agent.store import Connection, Store, marks
from agent.stored_json import from_json, to_json

IN_CHUNK = 500


def load_bases(store: Store, entity_ids: Iterable[str]) -> dict[str, dict[str, Base]]:
    wanted = list(dict.fromkeys(entity_ids))
    found: dict[str, dict[str, Base]] = {}
    for start in range(0, len(wanted), IN_CHUNK):
        chunk = wanted[start : start + IN_CHUNK]
        sql = f"SELECT entity, fields FROM bases WHERE entity IN ({marks(len(chunk))})"
        for entity_id, text in store.read_tuples(sql, chunk):
            found[entity_id] = {name: Base(*parts) for name, parts in from_json(text).items()}
    return found


def merge_bases(connection: Connection, bases: Mapping[str, Mapping[str, Base]]) -> None:
    """Fields given replace theirs; the entity's other fields stay."""
    wanted = [entity_id for entity_id, fields in bases.items() if fields]
    present: dict[str, dict[str, Any]] = {}
    for start in range(0, len(wanted), IN_CHUNK):
        chunk = wanted[start : start + IN_CHUNK]
        sql = f"SELECT entity, fields FROM bases WHERE entity IN ({marks(len(chunk))})"
        present.update((entity_id, from_json(text)) for entity_id, text in connection.execute(sql, chunk))
    rows = []
    for entity_id in wanted:
        whole = present.get(entity_id, {})
        whole.update((name, _parts(base)) for name, base in bases[entity_id].items())
        rows.append((entity_id, to_json(whole).decode()))
    connection.executemany(
        "INSERT INTO bases VALUES (?, ?) ON CONFLICT (entity) DO UPDATE SET fields = excluded.fields", rows
    )


def _parts(base: Base) -> list[Any]:
    return [dict(base.values), base.entry, *([base.aim] if base.aim is not None else [])]


def delete_bases(connection: Connection, entity_ids: Iterable[str]) -> None:
    connection.executemany("DELETE FROM bases WHERE entity = ?", [(entity_id,) for entity_id in entity_ids])
