"""Step 3's memory: which records are the same person or company, and who was created by us.

Links are 1:1: a record belongs to one entity, an entity has one active record per system. They outlive the
mirror.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from agent.records import Ref
from agent.ref_chunks import in_chunks
from agent.store import Connection, from_micros, marks, to_micros

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger

Role = Literal["active", "duplicate"]
LinkState = Literal["linked", "duplicate", "lost", "released", "undone", "unclear"]

BLOCK = 100
"""Entity numbers are taken from the ledger by the block; what is left of one at a restart is never used."""


SKIPPED = 10_000_000
"""More entities than were ever numbered between a backup and its restore."""


@dataclass(frozen=True, slots=True)
class NewLink:
    """A record that joins an entity. ``role`` is ``active`` or ``duplicate`` (read, never written).

    ``leaves``: the entity it belongs to until now, when it is to change over.
    """

    entity_id: str
    entity_type: str
    ref: Ref
    role: str
    state: str = "linked"
    leaves: str | None = None


class Link(NamedTuple):
    """A stored link. ``undone``: a create that was taken back. ``lost``: the record was deleted or merged."""

    entity_id: str
    ref: Ref
    role: str
    state: str
    since_micros: int

    @property
    def since(self) -> datetime:
        return from_micros(self.since_micros)


class Crosswalk:
    """Links, entity ids (``person-57``) and link keys (``person-57-1-9f3c2a81``), in the ledger's file."""

    def __init__(self, ledger: Ledger) -> None:
        self._store = ledger.store
        self._clock = ledger.clock
        self._ledger_tag = ledger.ledger_id[:8]
        self._spare: dict[str, tuple[int, int]] = {}

    def entity_of(self, ref: Ref) -> str | None:
        """The entity this record was ever linked to, whatever became of the link."""
        rows = self._store.read_tuples(
            "SELECT entity FROM links WHERE record_id = ? AND object_type = ? AND system = ?",
            (ref.id, ref.object_type, ref.system),
        )
        return rows[0][0] if rows else None

    def entities_of(self, refs: Iterable[Ref]) -> dict[Ref, str]:
        """As ``entity_of`` for many; records never linked are left out."""
        return self._entities_where("TRUE", refs)

    def in_company(self, refs: Iterable[Ref]) -> dict[Ref, str]:
        """As ``entities_of``, of those alone that nothing new can place: not lost, and linked beside another one."""
        beside = "EXISTS (SELECT 1 FROM links o WHERE o.entity = l.entity AND o.id != l.id)"
        return self._entities_where(f"state NOT IN ('lost', 'released') AND (state != 'linked' OR {beside})", refs)

    def paired(self, refs: Iterable[Ref]) -> dict[Ref, str]:
        """As ``entities_of``, of those alone whose entity has an active record in another system."""
        there = "o.entity = l.entity AND o.system != l.system AND o.role = 'active' AND o.state = 'linked'"
        return self._entities_where(f"EXISTS (SELECT 1 FROM links o WHERE {there})", refs)

    def members(self, entity_ids: Iterable[str]) -> dict[str, list[Link]]:
        """All links of these entities, in the order they were made; entities without one are left out."""
        wanted = list(dict.fromkeys(entity_ids))
        found: dict[str, list[Link]] = {}
        for start in range(0, len(wanted), 500):
            chunk = wanted[start : start + 500]
            rows = self._store.read_tuples(
                "SELECT entity, system, object_type, record_id, role, state, since FROM links"
                f" WHERE entity IN ({marks(len(chunk))}) ORDER BY entity, id",
                chunk,
            )
            for entity, system, object_type, record_id, role, state, since in rows:
                link = Link(entity, Ref(system, object_type, record_id), role, state, since)
                found.setdefault(entity, []).append(link)
        return found

    def entities(self, entity_type: str | None = None) -> Iterator[str]:
        """Every entity that has a link, oldest first; safe to write between two of them."""
        last = ("", -1)
        kind, params = ("AND entity_type = ?", [entity_type]) if entity_type else ("", [])
        while True:
            rows = self._store.read_tuples(
                "SELECT entity, entity_type, number FROM entities"
                f" WHERE (entity_type, number) > (?, ?) {kind}"
                " ORDER BY entity_type, number LIMIT 1000",
                (*last, *params),
            )
            if not rows:
                return
            for row in rows:
                yield row[0]
            last = (rows[-1][1], rows[-1][2])

    def count(self) -> int:
        """How many entities have a link."""
        return int(self._store.read_tuples("SELECT COUNT(*) FROM entities")[0][0])

    def new_entity(self, entity_type: str) -> str:
        """An id nobody has, ``person-57``. It is kept once something is linked to it."""
        number, end = self._spare.get(entity_type, (0, 0))
        if number >= end:
            if self._store.in_transaction:  # it may yet be undone, so nothing of it may be kept in memory
                return f"{entity_type}-{self._take_numbers(entity_type, 1)}"
            number = self._take_numbers(entity_type, BLOCK)
            end = number + BLOCK
        self._spare[entity_type] = (number + 1, end)
        return f"{entity_type}-{number}"

    def link(self, entity_id: str, entity_type: str, ref: Ref, role: str, state: str = "linked") -> None:
        """As ``link_many`` with one link."""
        self.link_many([NewLink(entity_id, entity_type, ref, role, state)])

    def link_many(self, links: Sequence[NewLink]) -> None:
        """Write these links in one transaction. A new active record takes the place of the one before.

        Raises:
            ValueError: a record is linked elsewhere, or an entity would get two active records in one system.
        """
        if not links:
            return
        _require_one_active(links)
        at = to_micros(self._clock())
        with self._store.write() as connection:
            for link in links:
                _keep_entity(connection, link)
                if link.role == "active" and link.state == "linked":
                    _step_aside(connection, link)
            for link in links:
                _write_link(connection, link, at)

    def regroup(self, moves: Sequence[tuple[Ref, str]], entity_type: str) -> None:
        """A person's word: each record becomes the active one of this entity, wherever it was before.

        Raises:
            ValueError: an entity would get two active records in one system.
        """
        at = to_micros(self._clock())
        with self._store.write() as connection:
            for ref, entity_id in moves:
                link = NewLink(entity_id, entity_type, ref, "active")
                _keep_entity(connection, link)
                connection.execute(
                    "DELETE FROM links WHERE record_id = ? AND object_type = ? AND system = ?",
                    (ref.id, ref.object_type, ref.system),
                )
                if _has_active(connection, entity_id, ref.system):
                    raise ValueError(f"{entity_id} has an active record in {ref.system} already; {ref} cannot join it")
                _write_link(connection, link, at)

    def mark(self, ref: Ref, state: str) -> bool:
        """Change what became of a link; False when there is none.

        ``undone`` and ``released`` also raise the entity's link key, so that a later create cannot meet the one that
        is gone.
        """
        with self._store.write() as connection:
            row = connection.execute(
                "UPDATE links SET state = ?, since = ? WHERE record_id = ? AND object_type = ? AND system = ?"
                " AND state != ? RETURNING entity",
                (state, to_micros(self._clock()), ref.id, ref.object_type, ref.system, state),
            ).fetchone()
            if row is not None and state in ("undone", "released"):
                connection.execute("UPDATE entities SET key_number = key_number + 1 WHERE entity = ?", row)
            return row is not None or _is_linked(connection, ref)

    def peek_key(self, entity_id: str) -> str:
        """The link key a create of this entity would carry now, as ``person-57-1-9f3c2a81``.

        The end names this ledger: a second installation, or one that lost its ledger, counts from 1 again, and a key
        of theirs must never be one of ours (Salesforce would write over the record that has it).
        """
        rows = self._store.read_tuples("SELECT key_number FROM entities WHERE entity = ?", (entity_id,))
        return f"{entity_id}-{rows[0][0] if rows else 1}-{self._ledger_tag}"

    def next_key(self, entity_id: str) -> str:
        """The link key for a create about to be recorded, on the disk when this returns.

        The same until a create with it is undone: asking the vendor twice under one key cannot create twice.
        """
        entity_type, _, digits = entity_id.rpartition("-")
        with self._store.write() as connection:
            connection.execute(
                "INSERT INTO entities (entity, entity_type, number) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (entity_id, entity_type, int(digits)),
            )
        return self.peek_key(entity_id)

    def skip_numbers(self) -> None:
        """Never hand out again what a lost, newer ledger may have handed out: keys made of it stand in the CRMs, and
        a create under one of them would write into somebody else's record."""
        self._spare.clear()
        with self._store.write() as connection:
            connection.execute("UPDATE entity_numbers SET handed_out = handed_out + ?", (SKIPPED,))

    def _entities_where(self, condition: str, refs: Iterable[Ref]) -> dict[Ref, str]:
        found: dict[Ref, str] = {}
        for (system, object_type), chunk in in_chunks(refs):
            rows = self._store.read_tuples(
                f"SELECT record_id, entity FROM links l WHERE record_id IN ({marks(len(chunk))})"
                f" AND object_type = ? AND system = ? AND {condition}",
                (*chunk, object_type, system),
            )
            found.update((Ref(system, object_type, record_id), entity) for record_id, entity in rows)
        return found

    def _take_numbers(self, entity_type: str, count: int) -> int:
        """The first of so many numbers that nobody else gets."""
        with self._store.write() as connection:
            (handed_out,) = connection.execute(
                "INSERT INTO entity_numbers VALUES (?, ?) ON CONFLICT (entity_type) DO UPDATE"
                " SET handed_out = handed_out + excluded.handed_out RETURNING handed_out",
                (entity_type, count),
            ).fetchone()
        return int(handed_out) - count + 1


def _require_one_active(links: Sequence[NewLink]) -> None:
    active: dict[tuple[str, str], Ref] = {}
    for link in links:
        if link.role != "active" or link.state != "linked":
            continue
        other = active.setdefault((link.entity_id, link.ref.system), link.ref)
        if other != link.ref:
            raise ValueError(f"{link.entity_id} cannot have two active records: {other} and {link.ref}")


def _keep_entity(connection: Connection, link: NewLink) -> None:
    number = int(link.entity_id.rpartition("-")[2])
    connection.execute(
        "INSERT INTO entities (entity, entity_type, number) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (link.entity_id, link.entity_type, number),
    )


def _step_aside(connection: Connection, link: NewLink) -> None:
    connection.execute(
        "UPDATE links SET role = 'duplicate' WHERE entity = ? AND system = ? AND role = 'active'"
        " AND state = 'linked' AND NOT (record_id = ? AND object_type = ?)",
        (link.entity_id, link.ref.system, link.ref.id, link.ref.object_type),
    )


def _write_link(connection: Connection, link: NewLink, at: int) -> None:
    ref = link.ref
    row: Any = connection.execute(
        "SELECT id, entity, state FROM links WHERE record_id = ? AND object_type = ? AND system = ?",
        (ref.id, ref.object_type, ref.system),
    ).fetchone()
    if row is None:
        connection.execute(
            "INSERT INTO links (entity, system, object_type, record_id, role, state, since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (link.entity_id, ref.system, ref.object_type, ref.id, link.role, link.state, at),
        )
        return
    if row[1] not in (link.entity_id, link.leaves) and row[2] in ("linked", "duplicate"):
        raise ValueError(f"{ref} belongs to {row[1]}; it cannot be linked to {link.entity_id} as well")
    connection.execute(
        "UPDATE links SET entity = ?, role = ?, state = ?, since = ? WHERE id = ?",
        (link.entity_id, link.role, link.state, at, row[0]),
    )


def _has_active(connection: Connection, entity_id: str, system: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM links WHERE entity = ? AND system = ? AND role = 'active' AND state = 'linked'",
        (entity_id, system),
    ).fetchone()
    return row is not None


def _is_linked(connection: Connection, ref: Ref) -> bool:
    row = connection.execute(
        "SELECT 1 FROM links WHERE record_id = ? AND object_type = ? AND system = ?",
        (ref.id, ref.object_type, ref.system),
    ).fetchone()
    return row is not None
