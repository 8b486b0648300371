"""What happens to a job while nobody looks: batch after batch, each row on its own.

A batch takes ``bulk_delay_seconds`` of the emulator's clock. Work that is due is done before the next call is
answered; without a delay it is done when the job is closed.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from connectors.emulator.salesforce import limits, one_row
from connectors.emulator.salesforce.bulk import csv_text
from connectors.emulator.salesforce.bulk.jobs import COMPLETE, FAILED, RUNNING, Cells, Job
from connectors.emulator.salesforce.bulk.results import result_of
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.one_row import Saved, Sent
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.world import Actor, Transaction

NOTHING_SAID = ""
SET_NULL = "#N/A"
ROWS_PER_TRANSACTION = 200
TRUE, FALSE = ("yes", "y", "true", "on", "1"), ("no", "n", "false", "off", "0")


def catch_up(org: Org) -> None:
    for job in org.jobs.at_work():
        proceed(org, job)


def proceed(org: Org, job: Job) -> None:
    """Do the batches that are due by now."""
    seconds = float(org.setting("bulk_delay_seconds"))
    elapsed = (org.now - (job.closed_at or org.now)).total_seconds()
    if seconds and not elapsed:
        return
    if job.state != RUNNING:
        job.move(RUNNING, org.now)
        if not job.is_query:
            if not _is_readable(org, job):
                return
            limits.count(org, ceil(len(job.rows) / int(org.setting("bulk_batch_rows"))), limits.BULK_BATCHES)
    batches = elapsed // seconds if seconds else None
    if job.is_query:
        if batches is None or batches >= 1:
            _query(org, job)
        return
    size = int(org.setting("bulk_batch_rows"))
    due = len(job.rows) if batches is None else min(len(job.rows), int(batches) * size)
    while job.done < due:
        _save(org, job, job.rows[job.done : min(job.done + ROWS_PER_TRANSACTION, due)])
    if job.done == len(job.rows):
        job.move(COMPLETE, org.now)


def _is_readable(org: Org, job: Job) -> bool:
    """A job of one broken file fails as a whole, before any row."""
    try:
        job.columns, job.rows = csv_text.read(job.uploads[0] if job.uploads else b"", job.delimiter, job.line_ending)
        _check_columns(org.kind(job.object_name), job)
    except (csv_text.BadCsv, Refusal) as error:
        job.error = str(error)
        job.move(FAILED, org.now)
        return False
    return True


def _check_columns(kind: ObjectType, job: Job) -> None:
    """Raises BadCsv: a column that is no field, the key missing, more than ids for a delete."""
    lower = [name.lower() for name in job.columns]
    for name in job.columns:
        if _field(kind, name) is None:
            raise csv_text.BadCsv(f"InvalidBatch : Field name not found : {name}")
    if job.operation in ("delete", "hardDelete") and lower != ["id"]:
        raise csv_text.BadCsv(f"InvalidBatch : The '{job.operation}' batch must contain only ids")
    key = {"update": "Id", "upsert": job.external_id}.get(job.operation)
    if key is not None and key.lower() not in lower:
        raise csv_text.BadCsv(f"InvalidBatch : Field name not found : {key}")


def _field(kind: ObjectType, column: str) -> Field | None:
    """``Email``, or ``Account.Truce_Key__c`` for a parent named by its key."""
    first, dot, _ = column.partition(".")
    if not dot:
        return kind.find(column)
    link = kind.relationships.get(first.lower())
    return None if link is None or link.hidden else link


def _save(org: Org, job: Job, rows: list[Cells]) -> None:
    kind = org.kind(job.object_name)
    terms = Terms(job.user_id, assigns=job.assignment_rule is not None, in_collection=True)
    actor = Actor(job.user_id, "api", org.user_name(job.user_id))
    with org.committed(actor) as transaction:
        for cells in rows:
            job.done += 1
            try:
                with org.world.attempt(transaction) as attempt:
                    record_id, created = _save_one(org, attempt, kind, job, _sent(kind, job.columns, cells), terms)
                job.succeeded.append((record_id, created, cells))
            except Refusal as refusal:
                job.failed.append((_known_id(job, cells), failure(refusal), cells))


def _save_one(org: Org, transaction: Transaction, kind: ObjectType, job: Job, sent: Sent, terms: Terms) -> Saved:
    match job.operation:
        case "insert":
            return one_row.create(org, transaction, kind, sent, terms)
        case "update":
            return one_row.update(org, transaction, kind, sent, terms, job.seen)
        case "upsert":
            return one_row.upsert(org, transaction, kind, sent, str(job.external_id), terms, job.seen)
        case "delete":
            return one_row.delete(org, transaction, one_row.given_id(sent)).id, False
    row = one_row.delete(org, transaction, one_row.given_id(sent))
    transaction.purge(row)
    return row.id, False


def _sent(kind: ObjectType, columns: Cells, cells: Cells) -> Sent:
    """An empty cell leaves the field as it is, ``#N/A`` empties it."""
    sent: Sent = {}
    for name, cell in zip(columns, cells, strict=True):
        if cell == NOTHING_SAID:
            continue
        value: Any = None if cell == SET_NULL else cell
        first, dot, rest = name.partition(".")
        if dot:
            sent[first] = None if value is None else {rest: value}
            continue
        item = kind.find(name)
        if item is not None and item.type == "boolean" and isinstance(value, str):
            value = True if value.lower() in TRUE else False if value.lower() in FALSE else value
        sent[name] = value
    return sent


def _known_id(job: Job, cells: Cells) -> str:
    """The id the row named itself; a row that is new has none."""
    lower = [name.lower() for name in job.columns]
    return cells[lower.index("id")] if "id" in lower and job.operation != "insert" else ""


def failure(refusal: Refusal) -> str:
    """``CODE:message:Field Other --``, the ``sf__Error`` of a row."""
    told = refusal.of_text()
    named = " ".join((*(told.fields or ()), "--"))
    return f"{told.code}:{told.message}:{named}"


def _query(org: Org, job: Job) -> None:
    try:
        job.result = result_of(org, job)
    except SoqlError as error:
        job.error = error.message
        job.move(FAILED, org.now)
    else:
        job.move(COMPLETE, org.now)
