"""One line of the audit: what changed, by whom, in which request. It is the oracle; the agent never reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Cause = Literal["api", "person", "automation", "system"]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One changed row, or one association (``op`` link or unlink, labels under ``type/id`` of the far end).

    ``before`` and ``after`` hold the fields that differ; a touch that changed no value has both empty.
    """

    seq: int
    time: datetime
    visible_at: datetime
    system: str
    cause: Cause
    actor: str
    op: str
    object_type: str
    id: str
    before: dict[str, Any]
    after: dict[str, Any]
    transaction: int
    request_id: str | None
    entry_id: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "time": self.time.isoformat(),
            "visible_at": self.visible_at.isoformat(),
            "system": self.system,
            "cause": self.cause,
            "actor": self.actor,
            "op": self.op,
            "object": self.object_type,
            "id": self.id,
            "before": self.before,
            "after": self.after,
            "transaction": self.transaction,
            "request_id": self.request_id,
            "entry_id": self.entry_id,
        }
