"""Match keys: which live records share a value that says who they are."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterator

from agent.records import Ref
from agent.store import Store, marks

IN_CHUNK = 500


def shared_values(store: Store, kind: str) -> Iterator[tuple[str, list[Ref]]]:
    """Values that two or more live records share, over all systems, in order of value."""
    last = ""
    while True:
        shared = store.read_tuples(
            "SELECT value FROM match_keys WHERE kind = ? AND value > ? GROUP BY value HAVING COUNT(*) > 1"
            " ORDER BY value LIMIT ?",
            (kind, last, IN_CHUNK),
        )
        if not shared:
            return
        values = [value for (value,) in shared]
        groups: dict[str, list[Ref]] = {value: [] for value in values}
        rows = store.read_tuples(
            "SELECT k.value, s.system, s.object_type, r.id FROM match_keys k JOIN records r ON r.n = k.n"
            f" JOIN shelves s ON s.id = r.shelf WHERE k.kind = ? AND k.value IN ({marks(len(values))})"
            " ORDER BY k.value, k.n",
            (kind, *values),
        )
        for value, system, object_type, record_id in rows:
            groups[value].append(Ref(system, object_type, record_id))
        yield from groups.items()
        last = values[-1]
