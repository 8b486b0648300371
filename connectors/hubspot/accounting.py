"""Which row of a batch reply belongs to which write: by trace id, never by position or by the values sent.

A success status says nothing here. HubSpot answers 207 with some rows written and some refused, in any order,
and leaves out ids that were merged away; so every write must be found in exactly one of the two lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.connector import Write, WriteError, WriteOutcome
from agent.records import FieldValue
from connectors.hubspot.client import Reply, bad_reply
from connectors.hubspot.failures import Complaint, complaints_of, write_error
from connectors.hubspot.records import rows_of, version_of

PARTIAL = 207

Rows = dict[str, dict[str, Any]]
Errors = dict[str, WriteError]


def applied(
    write: Write,
    record_id: str | None,
    version: str | None = None,
    observed: Mapping[str, FieldValue] | None = None,
) -> WriteOutcome:
    return WriteOutcome(write.entry_id, "applied", record_id, version, observed or {})


def rejected(write: Write, error: WriteError) -> WriteOutcome:
    return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)


def unknown(write: Write) -> WriteOutcome:
    return WriteOutcome(write.entry_id, "unknown", write.record_id)


def outcomes_of(writes: Sequence[Write], object_type: str, reply: Reply) -> tuple[Rows, Errors]:
    """({entry id: written row}, {entry id: why not}); a write in neither is not accounted for.

    Raises:
        BadReply: the reply is not about these writes, or says both yes and no of one.
    """
    body = reply.json_object("results")
    rows: Rows = {}
    for row in rows_of(body):
        write = _write_of(row, writes)
        version_of(object_type, row)
        if write.entry_id in rows:
            raise bad_reply("two rows for one write")
        rows[write.entry_id] = row
    errors: Errors = {}
    for found in complaints_of(PARTIAL, body):
        for write in writes:
            if _is_about(found, write):
                errors[write.entry_id] = write_error(found)
    if rows.keys() & errors.keys():
        raise bad_reply("a write was both done and refused")
    return rows, errors


def blame(write: Write, found: Complaint, count: int) -> WriteError:
    """Why this write fell with its whole batch: only the offender gets the vendor's reason as its own."""
    if count == 1 or found.status in (401, 403, 423, 429, 477) or _is_about(found, write):
        return write_error(found)
    says = f"refused together with another record of the same call ({found.code})"
    return WriteError("other", "BATCH_REFUSED", says)


def _write_of(row: Mapping[str, Any], writes: Sequence[Write]) -> Write:
    trace_id = row.get("objectWriteTraceId")
    for write in writes:
        if write.record_id not in (None, row["id"]):
            continue
        if trace_id == write.entry_id or (trace_id is None and write.record_id == row["id"]):
            return write
    raise bad_reply("a row belongs to none of the writes sent")


def _is_about(found: Complaint, write: Write) -> bool:
    if found.trace_ids:
        return write.entry_id in found.trace_ids
    return write.record_id is not None and write.record_id in found.ids
