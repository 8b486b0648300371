"""Cells that Truce leaves alone: after an undo, in a fight with another system, or at a person's wish."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from agent.changes import Change
from agent.store import Connection, from_micros, marks, maybe_micros, maybe_moment, to_micros

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger

FreezeKind = Literal["rollback", "fight", "person", "yield"]

AGES: Mapping[str, timedelta] = {
    "today": timedelta(days=1),
    "this week": timedelta(days=7),
    "this month": timedelta(days=30),
}
"""Upper ends of the age groups that ``counts_by_age`` counts; older ones are ``older``."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """One frozen cell. ``field`` is the policy's name of it, or ``create``; ``system`` is the side not
    written.

    ``rule`` is the hash of the rule line that was frozen, ``reason`` a sentence for people. ``id``,
    ``made_at`` are set once it is stored.
    """

    entity_id: str
    field: str
    system: str
    rule: str
    kind: FreezeKind
    reason: str = ""
    expires_at: datetime | None = None
    batch_id: str | None = None
    id: int | None = None
    made_at: datetime | None = None


def write_freezes(connection: Connection, freezes: Iterable[Freeze], *, at: int, batch: int | None) -> None:
    """Store inside the caller's transaction; a standing freeze of the same cell gets the newer reason.

    What a person froze stays theirs: what lifts an undo's freeze must not lift it.
    """
    connection.executemany(
        "INSERT INTO freezes (entity, field, system, rule, kind, reason, batch, made_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (entity, field, system) WHERE lifted_at IS NULL DO UPDATE SET rule = excluded.rule,"
        " kind = excluded.kind, reason = excluded.reason, batch = excluded.batch, made_at = excluded.made_at,"
        " expires_at = excluded.expires_at"
        " WHERE freezes.kind != 'person' OR excluded.kind = 'person' OR freezes.expires_at <= excluded.made_at",
        [
            (
                each.entity_id,
                each.field,
                each.system,
                each.rule,
                each.kind,
                each.reason,
                batch,
                at,
                maybe_micros(each.expires_at),
            )
            for each in freezes
        ],
    )


_SELECT = """
    SELECT id, entity, field, system, rule, kind, reason, batch, made_at, expires_at FROM freezes
    WHERE lifted_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
"""


class Freezes:
    """Standing freezes; expired ones no longer count, lifted ones are kept as history."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(self, freezes: Sequence[Freeze], actor: str) -> None:
        """Freeze cells for another reason than a batch (a person, a fight)."""
        at = to_micros(self._ledger.clock())
        with self._ledger.store.write() as connection:
            write_freezes(connection, freezes, at=at, batch=None)
            for each in freezes:
                body = {"field": each.field, "system": each.system, "kind": each.kind, "reason": each.reason}
                self._ledger.record_event("frozen", each.entity_id, actor, body)

    def by_entity(self, entity_ids: Iterable[str]) -> dict[str, tuple[Freeze, ...]]:
        """Only entities that have one."""
        wanted = list(dict.fromkeys(entity_ids))
        found: dict[str, list[Freeze]] = {}
        for start in range(0, len(wanted), 500):
            chunk = wanted[start : start + 500]
            for freeze in self._select(f"AND entity IN ({marks(len(chunk))})", chunk):
                found.setdefault(freeze.entity_id, []).append(freeze)
        return {entity_id: tuple(freezes) for entity_id, freezes in found.items()}

    def in_the_way_of(self, changes: Sequence[Change]) -> list[Freeze | None]:
        """Per change, in order: a freeze of one of its cells (of the create as a whole), or None."""
        standing = self.by_entity([change.entity_id for change in changes])
        return [_in_the_way(change, standing.get(change.entity_id, ())) for change in changes]

    def standing(self) -> list[Freeze]:
        """Oldest first."""
        return self._select("", [])

    def lift(self, freeze_ids: Sequence[int], actor: str) -> int:
        """Let Truce write these cells again. Returns how many were standing."""
        return self._lift("id = ?", [(freeze_id,) for freeze_id in freeze_ids], actor)

    def lift_cells(self, cells: Sequence[tuple[str, str, str]], actor: str) -> int:
        """As ``lift``, by (entity, field, system)."""
        return self._lift("entity = ? AND field = ? AND system = ?", cells, actor)

    def _lift(self, which: str, cells: Sequence[tuple[Any, ...]], actor: str) -> int:
        at = to_micros(self._ledger.clock())
        lifted = 0
        with self._ledger.store.write() as connection:
            for cell in cells:
                row = connection.execute(
                    f"UPDATE freezes SET lifted_at = ?, lifted_by = ? WHERE lifted_at IS NULL AND {which}"
                    " RETURNING entity, field, system",
                    (at, actor, *cell),
                ).fetchone()
                if row is not None:
                    lifted += 1
                    body = {"field": row[1], "system": row[2]}
                    self._ledger.record_event("lifted", row[0], actor, body)
        return lifted

    def counts_by_age(self) -> dict[str, int]:
        """How many stand: ``today``, ``this week``, ``this month``, ``older``."""
        now = self._ledger.clock()
        counts = dict.fromkeys((*AGES, "older"), 0)
        for freeze in self.standing():
            age = now - (freeze.made_at or now)
            counts[next((name for name, limit in AGES.items() if age < limit), "older")] += 1
        return counts

    def _select(self, more: str, params: Sequence[Any]) -> list[Freeze]:
        now = to_micros(self._ledger.clock())
        rows = self._ledger.store.read_tuples(f"{_SELECT} {more} ORDER BY id", (now, *params))
        return [_freeze_from(row) for row in rows]


def _in_the_way(change: Change, standing: Sequence[Freeze]) -> Freeze | None:
    fields = {"create"} if change.op == "create" else {cell.field for cell in change.cells}
    return next((each for each in standing if each.system == change.system and each.field in fields), None)


def _freeze_from(row: tuple[Any, ...]) -> Freeze:
    freeze_id, entity, name, system, rule, kind, reason, batch, made_at, expires_at = row
    return Freeze(
        entity, name, system, rule, kind, reason, maybe_moment(expires_at),
        f"B-{batch}" if batch is not None else None, freeze_id, from_micros(made_at),
    )  # fmt: skip
