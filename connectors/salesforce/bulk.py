"""Very many writes as one job of the Bulk API 2.0: about seven calls, however many records.

A job is created, given its CSV, closed, watched, and its three result files say what became of each row. Only a closed
job does anything. So whatever is lost on the way is settled by looking: a job that is still open is called off and
nothing of it can happen any more; a closed one is waited for. Its id is enough for that, so the engine notes the id
before the upload, and a process that starts after a crash harvests what the one before it sent.

Rows are matched by record id or link key, never by position: batches run in parallel and in any order. An empty cell
means "leave it", ``#N/A`` clears (the client library writes an empty cell for None, which silently changes nothing).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from agent.connector import Write, WriteError, WriteOutcome
from agent.errors import BadReply, ConnectorError
from agent.records import FieldValue
from connectors.salesforce.accounting import Fit, rejected, unknown
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error, as_write_error, from_row, redacted
from connectors.salesforce.ids import full_id

CLEAR = "#N/A"
LONGEST_CELL, LONGEST_ROW = 32_000, 400_000
"""Characters. One row too long is an invalid batch: it would take all the others with it."""
MOST_BYTES = 100_000_000
"""In one upload: 150 MB at the most, as base64 counts them."""
ENDED = ("JobComplete", "Failed", "Aborted")
LONGEST_PAUSE = 15.0
_BYTES_OF_IDS = 100
_JOB_ID = re.compile(r"750[0-9A-Za-z]{12}(?:[0-9A-Z]{3})?")
_ERROR = re.compile(r"(?P<code>[A-Z][A-Z0-9_]{2,79}):(?P<message>.*?)(?::(?P<fields>[^:]*?)\s*--)?\s*", re.DOTALL)

_USED_UP = ("EXCEEDEDQUOTA", "LIMIT_EXCEEDED")
"""The org's bulk allowance of 24 hours, which is not that of its calls."""

_USED_UP_ON_THE_WAY = re.compile(r"ExceededQuota|LimitExceeded|ApiBatchItems Limit exceeded")
"""How a job says so that was opened while there was some left."""

Sleep = Callable[[float], object]
Cells = dict[str, str]


class NoJob(Exception):
    """Salesforce opens no bulk job, now or any more; nothing was sent. The text says why, in no one's values."""


def opens_none(failure: Failure) -> bool:
    """Whether Salesforce refuses the job and nothing else: the usual calls may still do the work."""
    if failure.code in _USED_UP:
        return True
    return failure.fate == "refused" and failure.is_definite


class Bulk:
    """``sleep`` waits seconds between two looks at a job."""

    def __init__(self, calls: Calls, sleep: Sleep) -> None:
        self._calls = calls
        self._sleep = sleep

    def start(self, fit: Sequence[Fit], key: str, note: Callable[[str], None]) -> None:
        """Hand the writes over. ``key`` is the link key of creates, empty for updates. ``note`` gets the job's id
        before anything is uploaded. Once noted nothing raises: ``harvest`` finds out how far it came.

        Raises:
            NoJob, AccessDenied, Unavailable, BadReply: there is no job.
        """
        object_type = fit[0].write.object_type
        body = {"object": object_type, "operation": "update", "contentType": "CSV", "lineEnding": "LF"}
        if key:
            body |= {"operation": "upsert", "externalIdFieldName": key}
        rows = _as_csv(fit)
        answer = self._calls.send(Request("POST", "jobs/ingest", body=body))
        if isinstance(answer, Failure):
            if opens_none(answer) and not answer.is_about_all:
                raise NoJob(answer.why)
            raise as_error(answer, "opening a bulk job")
        job_id = answer.body.get("id") if isinstance(answer.body, dict) else None
        if not isinstance(job_id, str) or _JOB_ID.fullmatch(job_id) is None:
            raise BadReply("Salesforce opened a bulk job without an id", system=SYSTEM)
        note(job_id)
        with suppress(ConnectorError):
            upload = self._calls.send(Request("PUT", f"jobs/ingest/{job_id}/batches", csv=rows))
            if isinstance(upload, Reply) and upload.status == 201:
                self._calls.send(Request("PATCH", f"jobs/ingest/{job_id}", body={"state": "UploadComplete"}))

    def harvest(self, job_id: str, fit: Sequence[Fit], key: str) -> list[WriteOutcome] | None:
        """One outcome per write, or None while the job is at work (after a pause that grows with its age).

        Raises:
            AccessDenied, Unavailable, BadReply: Salesforce does not tell; look again later.
        """
        if _JOB_ID.fullmatch(job_id) is None:
            raise ValueError("this is no id of a bulk job")
        job = self._calls.send(Request("GET", f"jobs/ingest/{job_id}"))
        if isinstance(job, Failure) and job.status == 404:
            return [unknown(item) for item in fit]  # jobs are kept for seven days; reading must tell
        state = _state(job)
        if state == "Open":
            self._calls.ask(Request("PATCH", f"jobs/ingest/{job_id}", body={"state": "Aborted"}), "ending a bulk job")
            return None
        if state not in ENDED:
            self._sleep(pause_for(job))
            return None
        return self._results(job_id, fit, key, job)

    def _results(self, job_id: str, fit: Sequence[Fit], key: str, job: Reply | Failure) -> list[WriteOutcome]:
        """Every row stands in exactly one of three files; one that stands in none, or in two, is unknown.

        A job that ended before any row was tried may have no files: then nothing happened.
        """
        told: dict[str, WriteOutcome | None] = {}
        by_name = {_name(item, key): item for item in fit}
        for file, outcome in (
            ("successfulResults", _applied),
            ("failedResults", _refused),
            ("unprocessedrecords", _not_tried(job)),
        ):
            for row in self._rows(job_id, file):
                name = _name_of(row, key)
                item = by_name.get(name)
                if item is not None:
                    told[name] = None if name in told else outcome(item, row)
        if not told and _tried(job) == 0:
            return [_not_tried(job)(item, {}) for item in fit]
        return [told.get(name) or unknown(item) for name, item in by_name.items()]

    def _rows(self, job_id: str, file: str) -> Iterator[Cells]:
        request = Request("GET", f"jobs/ingest/{job_id}/{file}", wants_csv=True)
        reply = self._calls.ask(request, "fetching the results of a bulk job")
        return rows_of(reply.csv or "")


def can_travel(write: Write) -> bool:
    """Whether a CSV can say it: a text that is ``#N/A`` itself would clear the field."""
    lengths = [len(_cell(value)) for value in write.fields.values()]
    is_short = max(lengths, default=0) <= LONGEST_CELL and sum(lengths) <= LONGEST_ROW
    return is_short and CLEAR not in write.fields.values()


def bytes_of(write: Write) -> int:
    """What its row adds to an upload, with every quote doubled and a few bytes around each cell."""
    cells = [_cell(value) for value in write.fields.values()]
    return sum(len(cell.encode()) + cell.count('"') + 3 for cell in cells) + _BYTES_OF_IDS


def rows_of(text: str) -> Iterator[Cells]:
    """The rows of a CSV as {column: cell}. Raises BadReply: a row that does not fit its header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        for row in reader:
            if row:
                yield dict(zip(header, row, strict=True))
    except (csv.Error, ValueError):
        raise BadReply("a CSV from Salesforce is broken", system=SYSTEM) from None


def _as_csv(fit: Sequence[Fit]) -> bytes:
    """Sorted by parent: batches that run in parallel then seldom wait for each other's account."""
    columns = list(dict.fromkeys(name for item in fit for name in item.body))
    has_ids = any(item.record_id for item in fit)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(["Id"] if has_ids else []), *columns])
    for item in sorted(fit, key=lambda each: sorted(each.write.parents.values())):
        cells = [_cell(item.body[name]) if name in item.body else "" for name in columns]
        writer.writerow([*([item.record_id] if has_ids else []), *cells])
    return buffer.getvalue().encode()


def _cell(value: FieldValue) -> str:
    if value is None or value == "":
        return CLEAR
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _name(item: Fit, key: str) -> str:
    return str(item.body[key]).lower() if key else item.record_id


def _name_of(row: Mapping[str, str], key: str) -> str:
    cells = {column.lower(): cell for column, cell in row.items()}
    if key:
        return cells.get(key.lower(), "").lower()
    return full_id(cells.get("id", ""), "") or ""


def _applied(item: Fit, row: Cells) -> WriteOutcome:
    record_id = full_id(row.get("sf__Id", ""), item.record_id[:3])
    if record_id is None or record_id != (item.record_id or record_id):
        return unknown(item)
    return WriteOutcome(item.write.entry_id, "applied", item.write.record_id or record_id)


def _refused(item: Fit, row: Cells) -> WriteOutcome:
    """``CODE:message:Field Other --``, as a row of a collection tells it in JSON."""
    found = _ERROR.fullmatch(row.get("sf__Error", ""))
    code, message, fields = found.group("code", "message", "fields") if found else ("BULK_ROW_FAILED", "", "")
    problem: dict[str, Any] = {"statusCode": code, "message": message, "fields": (fields or "").split()}
    return rejected(item.write, as_write_error(from_row([problem]), item.body.values()))


def _not_tried(job: Reply | Failure) -> Callable[[Fit, Cells], WriteOutcome]:
    """Called off, or no batch left for it: it may be sent again. Failed as a whole for another reason: once more would
    not help."""
    body = job.body if isinstance(job, Reply) and isinstance(job.body, dict) else {}
    has_failed = body.get("state") == "Failed"
    said = redacted(str(body.get("errorMessage") or "the bulk job failed as a whole"))

    def outcome(item: Fit, row: Cells) -> WriteOutcome:
        if has_failed and _USED_UP_ON_THE_WAY.search(said):
            return rejected(item.write, WriteError("throttled", "NOT_SENT", said))
        if has_failed:
            return rejected(item.write, WriteError("other", "BULK_JOB_FAILED", said))
        return rejected(item.write, WriteError("throttled", "NOT_SENT", "the bulk job was called off before this row"))

    return outcome


def _tried(job: Reply | Failure) -> int | None:
    count = job.body.get("numberRecordsProcessed") if isinstance(job, Reply) and isinstance(job.body, dict) else None
    return count if isinstance(count, int) else None


def _state(job: Reply | Failure) -> str:
    """Raises AccessDenied, Unavailable, BadReply."""
    if isinstance(job, Failure):
        raise as_error(job, "watching a bulk job")
    state = job.body.get("state") if isinstance(job.body, dict) else None
    if not isinstance(state, str):
        raise BadReply("a bulk job has no state", system=SYSTEM)
    return state


def pause_for(job: Reply | Failure) -> float:
    """A quarter of the job's age on Salesforce's clock: few looks at a long job, quick ones at a short."""
    if not isinstance(job, Reply) or not isinstance(job.body, dict) or job.at is None:
        return 1.0
    try:
        born = datetime.fromisoformat(str(job.body.get("createdDate")))
        age = (job.at - born).total_seconds()
    except (ValueError, TypeError):
        return 1.0
    return min(LONGEST_PAUSE, max(1.0, age / 4))
