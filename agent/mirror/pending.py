"""What still has to be decided, and the last word on what was."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.records import Ref
from agent.ref_chunks import in_chunks
from agent.store import Connection, Store, from_micros, marks, to_micros
from agent.stored_json import storable

IN_CHUNK = 500
ShelfOf = Callable[[str, str], int | None]


@dataclass(frozen=True, slots=True)
class Pending:
    """A pulled change not decided yet. ``reason``: new, changed, deleted, merged, restored, or as told."""

    ref: Ref
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Disposition:
    """What became of a pending change, in one word and, for people, a sentence."""

    ref: Ref
    outcome: str
    sentence: str = ""


def load_pending(store: Store, limit: int | None) -> list[Pending]:
    """Longest waiting first."""
    rows = store.read_tuples(
        "SELECT s.system, s.object_type, r.id, p.since, p.reason FROM pending p"
        " JOIN records r ON r.n = p.n JOIN shelves s ON s.id = r.shelf ORDER BY p.since, p.n LIMIT ?",
        (-1 if limit is None else limit,),
    )
    return [Pending(Ref(*place), from_micros(since), reason) for *place, since, reason in rows]


class Waiting:
    """Part of the mirror: ``mirror.waiting``, who is pending, however many they are."""

    def __init__(self, store: Store, shelf_of: ShelfOf) -> None:
        self._store = store
        self._shelf_of = shelf_of

    def parts(self, size: int) -> Iterator[list[Ref]]:
        """All of them, so many at a time; safe to dispose of them on the way."""
        last = 0
        while rows := self._store.read_tuples(
            "SELECT p.n, s.system, s.object_type, r.id FROM pending p JOIN records r ON r.n = p.n"
            " JOIN shelves s ON s.id = r.shelf WHERE p.n > ? ORDER BY p.n LIMIT ?",
            (last, size),
        ):
            yield [Ref(*place) for _, *place in rows]
            last = rows[-1][0]

    def numbers(self, system: str, object_type: str) -> list[int]:
        """The mirror's numbers of those of one object type, in order of their ids."""
        rows = self._store.read_tuples(
            "SELECT p.n FROM pending p JOIN records r ON r.n = p.n WHERE r.shelf = ? ORDER BY r.id",
            (self._shelf_of(system, object_type),),
        )
        return [number for (number,) in rows]

    def refs_at(self, numbers: Sequence[int]) -> list[Ref]:
        """The records with these numbers, in the same order."""
        rows = self._store.read_tuples(
            "SELECT r.n, s.system, s.object_type, r.id FROM records r JOIN shelves s ON s.id = r.shelf"
            f" WHERE r.n IN ({marks(len(numbers))})",
            tuple(numbers),
        )
        found = {number: Ref(*place) for number, *place in rows}
        return [found[number] for number in numbers]

    def among(self, refs: Iterable[Ref]) -> set[Ref]:
        """Those of these records that are pending."""
        found: set[Ref] = set()
        for place, ids in in_chunks(refs):
            rows = self._store.read_tuples(
                "SELECT r.id FROM records r JOIN pending p ON p.n = r.n"
                f" WHERE r.id IN ({marks(len(ids))}) AND r.shelf = ?",
                (*ids, self._shelf_of(*place)),
            )
            found.update(Ref(*place, record_id) for (record_id,) in rows)
        return found


def pend(connection: Connection, refs: Iterable[Ref], reason: str, at: datetime, shelf_of: ShelfOf) -> int:
    """Returns how many of them are known."""
    return sum(
        connection.execute(
            "INSERT INTO pending (n, since, reason) SELECT n, ?, ? FROM records WHERE id = ? AND shelf = ?"
            " ON CONFLICT (n) DO UPDATE SET reason = excluded.reason, compared = 0",
            (to_micros(at), reason, ref.id, shelf_of(ref.system, ref.object_type)),
        ).rowcount
        for ref in refs
    )


def dispose(
    connection: Connection, dispositions: Sequence[Disposition], at: datetime | None, shelf_of: ShelfOf
) -> None:
    """No longer pending; the last word on each is kept, at ``at`` or when the record was seen."""
    by_place: dict[tuple[str, str], dict[str, Disposition]] = {}
    for item in dispositions:
        by_place.setdefault((item.ref.system, item.ref.object_type), {})[item.ref.id] = item
    for place, items in by_place.items():
        shelf = shelf_of(*place)
        ids = list(items)
        for start in range(0, len(ids), IN_CHUNK):
            chunk = ids[start : start + IN_CHUNK]
            found = connection.execute(
                f"SELECT n, id, seen_at FROM records WHERE id IN ({marks(len(chunk))}) AND shelf = ?", (*chunk, shelf)
            ).fetchall()
            connection.executemany("DELETE FROM pending WHERE n = ?", [(n,) for n, _, _ in found])
            connection.executemany(
                "INSERT OR REPLACE INTO dispositions VALUES (?, ?, ?, ?)",
                [
                    (n, items[record_id].outcome, storable(items[record_id].sentence), to_micros(at) if at else seen_at)
                    for n, record_id, seen_at in found
                ],
            )


def last_word(store: Store, ref: Ref, shelf: int | None) -> tuple[Disposition, datetime] | None:
    """What was last said of this record, and when."""
    rows = store.read_tuples(
        "SELECT d.outcome, d.sentence, d.at FROM dispositions d JOIN records r ON r.n = d.n"
        " WHERE r.id = ? AND r.shelf = ?",
        (ref.id, shelf),
    )
    return (Disposition(ref, rows[0][0], rows[0][1]), from_micros(rows[0][2])) if rows else None


def pend_all(connection: Connection, shelf: int | None, reason: str, at: datetime) -> int:
    """Mark every live record of one object type. Returns how many were not marked yet."""
    return connection.execute(
        "INSERT INTO pending (n, since, reason) SELECT n, ?, ? FROM records WHERE shelf = ? AND gone = 0"
        " ON CONFLICT (n) DO NOTHING",
        (to_micros(at), reason, shelf),
    ).rowcount


def forget_pulled(connection: Connection, shelf: int | None) -> None:
    """As if this object type had never been pulled, though its records are known."""
    connection.execute("UPDATE shelves SET watermark = NULL, mapped = NULL WHERE id = ?", (shelf,))
    connection.execute("UPDATE records SET mapped = NULL WHERE shelf = ?", (shelf,))
