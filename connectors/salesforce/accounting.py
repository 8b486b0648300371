"""What an answer says about each write of a call: exactly one outcome per write, and none guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.connector import Write, WriteError, WriteOutcome
from agent.errors import AccessDenied
from agent.records import FieldValue, MergedInto, Readout, Record
from connectors.salesforce.calls import Reply
from connectors.salesforce.failures import SYSTEM, Failure, as_error, as_write_error, from_row
from connectors.salesforce.ids import full_id

ENTRY_HEADER = "X-Truce-Entry"
"""Ledger entry ids of the records in a call, in order. Salesforce ignores it; the practice account's audit keeps it."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A write that may be sent. ``record_id`` and ``losers`` are 18-character ids; a create has no id yet."""

    write: Write
    record_id: str
    body: Mapping[str, FieldValue]
    losers: tuple[str, ...] = ()


def entry_header(fit: Sequence[Fit]) -> dict[str, str]:
    return {ENTRY_HEADER: ",".join(item.write.entry_id for item in fit)}


def alone(item: Fit, answer: Reply | Failure) -> WriteOutcome:
    """The answer to a PATCH or DELETE of one record: 204 without a body is the only success there is."""
    if isinstance(answer, Failure):
        return failed(item, answer)
    if answer.status != 204:
        return unknown(item)
    return WriteOutcome(item.write.entry_id, "applied", item.write.record_id)


def collected(fit: Sequence[Fit], answer: Reply | Failure) -> list[WriteOutcome]:
    """One outcome per record of a collections call, which answers 200 even when every record failed."""
    if isinstance(answer, Failure):
        return [failed(item, answer) for item in fit]
    results = _matched(fit, answer.body)
    outcomes = [row_outcome(item, result) for item, result in zip(fit, results, strict=True)]
    ids = [outcome.record_id for outcome in outcomes if outcome.status == "applied"]
    if len(set(ids)) < len(ids) and fit[0].write.op == "create":
        return [unknown(item) for item in fit]  # two creates cannot be one record
    return outcomes


def _matched(fit: Sequence[Fit], results: Any) -> list[Any]:
    """The result that belongs to each write; None where the vendor sent none.

    Results come in the order sent. If one is missing or stands under another record's id, position proves nothing
    and only results that name their record count.
    """
    rows = results if isinstance(results, list) else []
    if len(rows) == len(fit) and all(_may_belong(item, row) for item, row in zip(fit, rows, strict=True)):
        return rows
    by_id = {full_id(str(row.get("id")), ""): row for row in rows if isinstance(row, dict)}
    is_ambiguous = len({item.record_id for item in fit}) < len(fit) or len(by_id) < len(rows)
    return [None if is_ambiguous or not item.record_id else by_id.get(item.record_id) for item in fit]


def _may_belong(item: Fit, row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    said = row.get("id")
    return said is None or not item.record_id or full_id(str(said), "") == item.record_id


def row_outcome(item: Fit, result: Any, prefix: str = "") -> WriteOutcome:
    """One ``{"id", "success", "errors"}``; a success that names no record, or a shape we do not know, is unknown."""
    if not isinstance(result, dict):
        return unknown(item)
    record_id = full_id(str(result.get("id")), item.record_id[:3] or prefix)
    if result.get("success") is True and record_id is not None:
        return WriteOutcome(item.write.entry_id, "applied", item.write.record_id or record_id)
    if result.get("success") is False and isinstance(result.get("errors"), list):
        return failed(item, from_row(result["errors"]))
    return unknown(item)


def failed(item: Fit, failure: Failure) -> WriteOutcome:
    """What a failure means for one write.

    Raises:
        AccessDenied, Unavailable: the request never left, or was answered 401, so nothing happened at all.
    """
    if failure.fate == "lost":
        return unknown(item)
    if failure.fate == "not sent":
        raise as_error(failure, f"writing {item.write.object_type}")
    if failure.status == 401:
        raise AccessDenied("Salesforce refuses our session", system=SYSTEM, why=failure.code, next_step="truce doctor")
    return rejected(item.write, as_write_error(failure, item.body.values()))


def looked_at(outcome: WriteOutcome, readout: Readout | None, *, is_new: bool) -> WriteOutcome:
    """The verdict "gone", corrected by what is there: merged away, or alive and only a record it names is gone."""
    error = outcome.error
    if error is None or error.kind != "gone":
        return outcome
    if isinstance(readout, MergedInto):
        return replace(outcome, error=merged_away(readout))
    if isinstance(readout, Record) or is_new:
        return replace(outcome, error=replace(error, kind="validation"))
    return outcome


def merged_away(readout: MergedInto) -> WriteError:
    return WriteError("moved", "MERGED", "the record was merged into another", other_id=readout.survivor.id)


def unsent(item: Fit, why: str) -> WriteOutcome:
    return rejected(item.write, WriteError("throttled", "NOT_SENT", f"not sent: {why}"))


def unknown(item: Fit) -> WriteOutcome:
    return WriteOutcome(item.write.entry_id, "unknown", item.write.record_id)


def rejected(write: Write, error: WriteError) -> WriteOutcome:
    return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)
