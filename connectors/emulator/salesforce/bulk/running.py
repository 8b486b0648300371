"""What happens to a job while nobody looks: batch after batch, each row on its own.

A batch takes ``bulk_delay_seconds`` of the emulator's clock. Work that is due is done before the next call is
answered; without a delay it is done when the job is closed.
"""

from __future__ import annotations

from math import ceil

from connectors.emulator.salesforce import limits
from connectors.emulator.salesforce.bulk import csv_text
from connectors.emulator.salesforce.bulk.jobs import COMPLETE, FAILED, RUNNING, Cells, Job
from connectors.emulator.salesforce.bulk.results import result_of
from connectors.emulator.salesforce.bulk.writing import Writing, check_columns, failure, from_cells, terms_of
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.world import Actor

ROWS_PER_TRANSACTION = 200


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
        check_columns(org.kind(job.object_name), job.operation, job.external_id, job.columns)
    except (csv_text.BadCsv, Refusal) as error:
        job.error = str(error)
        job.move(FAILED, org.now)
        return False
    return True


def _save(org: Org, job: Job, rows: list[Cells]) -> None:
    kind = org.kind(job.object_name)
    terms = terms_of(org, job.user_id, job.assignment_rule)
    writing = Writing(kind, job.operation, job.external_id, terms, job.seen)
    actor = Actor(job.user_id, "api", org.user_name(job.user_id))
    with org.committed(actor) as transaction:
        for cells in rows:
            job.done += 1
            try:
                with org.world.attempt(transaction) as attempt:
                    record_id, created = writing.save(org, attempt, from_cells(kind, job.columns, cells))
                job.succeeded.append((record_id, created, cells))
            except Refusal as refusal:
                job.failed.append((_known_id(job, cells), failure(refusal), cells))


def _known_id(job: Job, cells: Cells) -> str:
    """The id the row named itself; a row that is new has none."""
    lower = [name.lower() for name in job.columns]
    return cells[lower.index("id")] if "id" in lower and job.operation != "insert" else ""


def _query(org: Org, job: Job) -> None:
    try:
        job.result = result_of(org, job.query, job.user_id, with_deleted=job.operation == "queryAll")
    except SoqlError as error:
        job.error = error.message
        job.move(FAILED, org.now)
    else:
        job.move(COMPLETE, org.now)
