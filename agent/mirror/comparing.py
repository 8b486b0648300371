"""Which pending records were compared with the others already, and who shares a key with those that were not.

``pending.compared`` holds the number of the pass that compared a record as it stands; whatever makes it pending again
sets it back to 0. So a first pair, align and plan compare everybody once, and a pass that was interrupted goes on.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.records import Ref
from agent.ref_chunks import in_chunks
from agent.store import Store, marks
from agent.stored_json import from_json

SLICE = 500
"""Pending records whose groups are looked for at a time."""
KEYS_IN_CHUNK = 500

Place = tuple[str, Sequence[str]]
"""A system and object types of it."""


class Group(NamedTuple):
    """Two or more live records of one system that share a key; ``fresh`` are those not compared yet, sorted as all."""

    kind: str
    refs: tuple[Ref, ...]
    fresh: frozenset[Ref]


@dataclass(frozen=True, slots=True)
class _Shelf:
    number: int
    system: str
    object_type: str

    def ref(self, record_id: str) -> Ref:
        return Ref(self.system, self.object_type, record_id)


class Comparing:
    """Part of the mirror: ``mirror.comparing``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def expect(self, about: str, rules: str, places: Iterable[Place]) -> None:
        """Compare everybody pending anew if ``rules`` are not those they were compared by."""
        name = f"compared {about}"
        known = self._store.read_tuples("SELECT value FROM meta WHERE name = ?", (name,))
        if known and known[0][0] == rules:
            return
        shelves = [shelf.number for place in places for shelf in self._shelves(place)]
        with self._store.write() as connection:
            connection.execute(
                "UPDATE pending SET compared = 0 WHERE compared > 0 AND"
                f" (SELECT shelf FROM records r WHERE r.n = pending.n) IN ({marks(len(shelves))})",
                shelves,
            )
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, rules))

    def fresh(self, refs: Iterable[Ref]) -> set[Ref]:
        """Those of them that are pending and were not compared as they stand."""
        found: set[Ref] = set()
        for (system, object_type), ids in in_chunks(refs):
            rows = self._store.read_tuples(
                "SELECT r.id FROM records r JOIN pending p ON p.n = r.n JOIN shelves s ON s.id = r.shelf"
                f" WHERE r.id IN ({marks(len(ids))}) AND s.system = ? AND s.object_type = ? AND p.compared = 0",
                (*ids, system, object_type),
            )
            found.update(Ref(system, object_type, record_id) for (record_id,) in rows)
        return found

    def count(self, place: Place) -> int:
        """How many records of this place are still to be compared."""
        shelves = [shelf.number for shelf in self._shelves(place)]
        rows = self._store.read_tuples(
            "SELECT COUNT(*) FROM pending p JOIN records r ON r.n = p.n"
            f" WHERE p.compared = 0 AND r.shelf IN ({marks(len(shelves))})",
            shelves,
        )
        return int(rows[0][0])

    def groups(self, place: Place, kinds: Sequence[str], most: int) -> Iterator[tuple[int, list[Group]]]:
        """For some records at a time that were not compared yet: how many they are, and who shares a key with them.

        Each group comes once, with the first of its records. A value that more than ``most`` records of this place
        have says nothing. Records count as compared once the caller asks for the next ones.
        """
        shelves = {shelf.number: shelf for shelf in self._shelves(place)}
        this_pass = int(self._store.read_tuples("SELECT COALESCE(MAX(compared), 0) + 1 FROM pending")[0][0])
        last = 0
        while rows := self._next(last, list(shelves)):
            yield (
                len(rows),
                [
                    group
                    for kind, values in _by_kind(rows, kinds).items()
                    for group in self._sharing(kind, values, shelves, most, this_pass)
                ],
            )
            last = rows[-1][0]
            with self._store.write() as connection:
                connection.executemany("UPDATE pending SET compared = ? WHERE n = ?", [(this_pass, n) for n, _ in rows])

    def _next(self, last: int, shelves: Sequence[int]) -> list[tuple[int, str]]:
        """(number, its keys)."""
        return self._store.read_tuples(
            "SELECT p.n, r.keys FROM pending p JOIN records r ON r.n = p.n"
            f" WHERE p.n > ? AND p.compared = 0 AND r.shelf IN ({marks(len(shelves))}) ORDER BY p.n LIMIT ?",
            (last, *shelves, SLICE),
        )

    def _sharing(
        self, kind: str, values: Sequence[str], shelves: dict[int, _Shelf], most: int, this_pass: int
    ) -> Iterator[Group]:
        for start in range(0, len(values), KEYS_IN_CHUNK):
            chunk = values[start : start + KEYS_IN_CHUNK]
            rows = self._store.read_tuples(
                "SELECT k.value, o.shelf, o.id, p.compared FROM match_keys k JOIN records o ON o.n = k.n"
                " LEFT JOIN pending p ON p.n = k.n"
                f" WHERE k.kind = ? AND k.value IN ({marks(len(chunk))}) AND o.shelf IN ({marks(len(shelves))})",
                (kind, *chunk, *shelves),
            )
            holders: dict[str, list[tuple[int, str, int | None]]] = {}
            for row in rows:
                holders.setdefault(row[0], []).append(row[1:])
            for known in holders.values():
                if 2 <= len(known) <= most and all(compared != this_pass for _, _, compared in known):
                    refs = {shelves[number].ref(record_id): compared for number, record_id, compared in known}
                    fresh = frozenset(ref for ref, compared in refs.items() if compared == 0)
                    yield Group(kind, tuple(sorted(refs)), fresh)

    def _shelves(self, place: Place) -> list[_Shelf]:
        system, object_types = place
        rows = self._store.read_tuples(
            f"SELECT id, system, object_type FROM shelves WHERE system = ? AND object_type IN"
            f" ({marks(len(object_types))})",
            (system, *object_types),
        )
        return [_Shelf(*row) for row in rows]


def _by_kind(rows: Sequence[tuple[int, str]], kinds: Sequence[str]) -> dict[str, list[str]]:
    """{kind: the values these records have of it, each once}."""
    found: dict[str, dict[str, None]] = {kind: {} for kind in kinds}
    for _, keys in rows:
        for kind, value in from_json(keys):
            if kind in found:
                found[kind][value] = None
    return {kind: list(values) for kind, values in found.items()}
