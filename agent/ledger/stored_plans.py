"""Plans shown to a person, and the policy texts they were made from."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.errors import NotFound, PlanStale
from agent.store import Connection, Store, from_micros, maybe_moment
from agent.stored_json import from_json, to_json

EMPTY_PLAN = to_json(
    {"binding": {}, "changes": [], "verdicts": [], "lifts": [], "lifting": [], "sources": [], "only": []}
).decode()
"""A plan of which nothing is left."""


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it was shown. ``used_at`` is set once it was applied; a plan is applied at most once."""

    id: str
    body: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    used_by: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """The policy files as they were in force: {file name: text}."""

    revision: str
    sources: Mapping[str, str]
    editor: str
    seen_at: datetime


def insert_plan(connection: Connection, body: bytes, *, at: int, expires_at: int) -> int:
    cursor = connection.execute(
        "INSERT INTO plans (body, created_at, expires_at) VALUES (CAST(? AS TEXT), ?, ?)", (body, at, expires_at)
    )
    return int(cursor.lastrowid or 0)


def mark_used(connection: Connection, plan: int, *, at: int, actor: str) -> None:
    """Inside the transaction that records the plan's batch.

    Raises:
        NotFound: no such plan.
        PlanStale: it was used before, or has expired.
    """
    row = connection.execute("SELECT used_at, used_by, expires_at FROM plans WHERE number = ?", (plan,)).fetchone()
    if row is None:
        raise _no_such_plan(plan)
    used_at, used_by, expires_at = row
    if used_at is not None:
        raise PlanStale(
            f"P-{plan} was applied before",
            why=f"by {used_by} at {from_micros(used_at):%Y-%m-%d %H:%M} UTC; a plan is applied once",
            next_step="truce plan",
        )
    if at > expires_at:
        raise PlanStale(
            f"P-{plan} has expired",
            why=f"at {from_micros(expires_at):%Y-%m-%d %H:%M} UTC",
            next_step="truce plan",
        )
    connection.execute("UPDATE plans SET used_at = ?, used_by = ? WHERE number = ?", (at, actor, plan))


def load_plan(store: Store, plan: int) -> StoredPlan:
    rows = store.read_tuples(
        "SELECT body, created_at, expires_at, used_at, used_by FROM plans WHERE number = ?", (plan,)
    )
    if not rows:
        raise _no_such_plan(plan)
    body, created_at, expires_at, used_at, used_by = rows[0]
    return StoredPlan(
        f"P-{plan}",
        from_json(body),
        from_micros(created_at),
        from_micros(expires_at),
        maybe_moment(used_at),
        used_by,
    )


def insert_revision(connection: Connection, revision: str, sources: Mapping[str, str], editor: str, at: int) -> bool:
    """False when this revision is already the newest."""
    newest = connection.execute("SELECT revision FROM revisions ORDER BY number DESC LIMIT 1").fetchone()
    if newest is not None and newest[0] == revision:
        return False
    text = to_json(dict(sorted(sources.items()))).decode()
    connection.execute(
        "INSERT INTO revisions (revision, sources, editor, saved_at) VALUES (?, ?, ?, ?)",
        (revision, text, editor, at),
    )
    return True


def load_revisions(store: Store, revision: str | None = None, limit: int | None = None) -> list[Revision]:
    """Newest first."""
    where, params = ("WHERE revision = ?", [revision]) if revision is not None else ("", [])
    rows = store.read_tuples(
        f"SELECT revision, sources, editor, saved_at FROM revisions {where} ORDER BY number DESC LIMIT ?",
        (*params, -1 if limit is None else limit),
    )
    return [Revision(name, from_json(sources), editor, from_micros(at)) for name, sources, editor, at in rows]


def _no_such_plan(plan: int) -> NotFound:
    return NotFound(f"there is no plan P-{plan}", next_step="truce plan")
