"""Which versions of records we hold: what a connector need not read again."""

# ruff: noqa: S608
# (only question marks enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.connector import Known
from agent.mirror.fields import FieldSets
from agent.store import Store, marks

CHUNK = 500


def known_versions(store: Store, sets: FieldSets, shelf: int | None, mapped: Sequence[str]) -> Known:
    """Answers which of {record id: version} we hold in exactly this version, read in full (with all of ``mapped``)."""
    enough = sets.holding(mapped)

    def known(versions: Mapping[str, str]) -> set[str]:
        found: set[str] = set()
        ids = list(versions)
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            rows = store.read_tuples(
                f"SELECT id, version, mapped FROM records WHERE id IN ({marks(len(chunk))}) AND shelf = ? AND gone = 0",
                (*chunk, shelf),
            )
            found.update(held for held, version, names in rows if versions[held] == version and names in enough)
        return found

    return known
