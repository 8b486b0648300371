"""What happened beside the writes: who approved, paused, activated, answered. Chained like everything."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.store import Store, from_micros
from agent.stored_json import from_json

OPT_IN_ASKED = "opt-in asked"
"""Kind of event; its subject is the batch, its body the evidence and the records whose old opt-out is answered."""


OVERWRITTEN = "overwritten"
"""Kind of event; its subject is the entity, its body an edit of somebody else that a write of ours went over unseen."""


@dataclass(frozen=True, slots=True)
class Event:
    """``subject`` is what it is about (``B-3``, a policy name …); ``body`` is empty once it was erased."""

    seq: int
    kind: str
    subject: str
    actor: str
    at: datetime
    body: Mapping[str, Any]


def find_events(store: Store, kind: str | None, subject: str | None, limit: int | None) -> list[Event]:
    """Newest first."""
    conditions, params = [], []
    for column, value in (("e.kind", kind), ("e.subject", subject)):
        if value is not None:
            conditions.append(f"{column} = ?")
            params.append(value)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = store.read_tuples(
        f"SELECT e.seq, e.kind, e.subject, e.actor, e.at, e.body FROM events e {where} ORDER BY e.seq DESC LIMIT ?",
        (*params, -1 if limit is None else limit),
    )
    return [
        Event(seq, kind, subject, actor, from_micros(at), from_json(body) if body is not None else {})
        for seq, kind, subject, actor, at, body in rows
    ]
