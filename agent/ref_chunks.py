"""Many records asked of SQLite at a time: by the place they stand in, so many ids to one IN list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.records import Ref

IN_CHUNK = 500
Place = tuple[str, str]
"""(system, object type)."""


def in_chunks(refs: Iterable[Ref]) -> Iterator[tuple[Place, list[str]]]:
    """(place, ids of some of these records there) until all had their turn."""
    by_place: dict[Place, list[str]] = {}
    for ref in refs:
        by_place.setdefault((ref.system, ref.object_type), []).append(ref.id)
    for place, ids in by_place.items():
        for start in range(0, len(ids), IN_CHUNK):
            yield place, ids[start : start + IN_CHUNK]
