"""Match keys: which live records share a value that says who they are."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from agent.mirror.pending import ShelfOf
from agent.records import Ref
from agent.ref_chunks import in_chunks
from agent.store import Store, marks
from agent.stored_json import from_json

IN_CHUNK = 500


def shared_values(store: Store, kind: str, marked: str) -> Iterator[tuple[str, list[Ref]]]:
    """Values that two or more live records share, over all systems, in order of value.

    Only those that at least one record has as a key of the kind ``marked`` too.
    """
    last = ""
    while True:
        rows = store.read_tuples(
            "SELECT DISTINCT value FROM match_keys WHERE kind = ? AND value > ? ORDER BY value LIMIT ?",
            (marked, last, IN_CHUNK),
        )
        if not rows:
            return
        for value, holders in _holders(store, kind, [value for (value,) in rows]).items():
            if len(holders) > 1:
                yield value, [ref for ref, _ in holders]
        last = rows[-1][0]


def values_of_pending(store: Store, kind: str, marked: str) -> Iterator[tuple[str, list[Ref]]]:
    """As ``shared_values``, of those values alone that a pending record has; each once, at its first pending record."""
    last = 0
    while True:
        rows = store.read_tuples(
            "SELECT p.n, r.keys FROM pending p JOIN records r ON r.n = p.n WHERE p.n > ? ORDER BY p.n LIMIT ?",
            (last, IN_CHUNK),
        )
        if not rows:
            return
        values = {value for _, keys in rows for its_kind, value in from_json(keys) if its_kind == kind}
        for value, holders in _holders(store, kind, _having(store, marked, values)).items():
            is_new = all(n is None or n > last for _, n in holders)
            if len(holders) > 1 and is_new:
                yield value, [ref for ref, _ in holders]
        last = rows[-1][0]


def load_keys(store: Store, shelf_of: ShelfOf, refs: Iterable[Ref]) -> dict[Ref, list[tuple[str, str]]]:
    """{record: its keys as (kind, value), sorted}."""
    found: dict[Ref, list[tuple[str, str]]] = {}
    for (system, object_type), ids in in_chunks(refs):
        rows = store.read_tuples(
            f"SELECT id, keys FROM records WHERE id IN ({marks(len(ids))}) AND shelf = ?",
            (*ids, shelf_of(system, object_type)),
        )
        found.update((Ref(system, object_type, record_id), from_json(keys)) for record_id, keys in rows)
    return found


def load_holders(store: Store, kind: str, values: Collection[str]) -> dict[str, list[Ref]]:
    """{value: live records that have it as a key of this kind}."""
    return {value: [ref for ref, _ in found] for value, found in _holders(store, kind, list(values)).items()}


def _having(store: Store, kind: str, values: Collection[str]) -> list[str]:
    """Those of the values that some record has as a key of this kind."""
    rows = store.read_tuples(
        f"SELECT DISTINCT value FROM match_keys WHERE kind = ? AND value IN ({marks(len(values))})", (kind, *values)
    )
    return [value for (value,) in rows]


def _holders(store: Store, kind: str, values: Sequence[str]) -> dict[str, list[tuple[Ref, int | None]]]:
    """{value: [(record, its number if it is pending)]} in order of value and first seen."""
    rows = store.read_tuples(
        "SELECT k.value, s.system, s.object_type, r.id, p.n FROM match_keys k JOIN records r ON r.n = k.n"
        " JOIN shelves s ON s.id = r.shelf LEFT JOIN pending p ON p.n = k.n"
        f" WHERE k.kind = ? AND k.value IN ({marks(len(values))}) ORDER BY k.value, k.n",
        (kind, *values),
    )
    groups: dict[str, list[tuple[Ref, int | None]]] = {}
    for value, system, object_type, record_id, pending in rows:
        groups.setdefault(value, []).append((Ref(system, object_type, record_id), pending))
    return groups
