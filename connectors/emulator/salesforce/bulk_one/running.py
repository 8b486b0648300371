"""What becomes of a batch while nobody looks. It takes ``bulk_delay_seconds`` of the emulator's clock."""

from __future__ import annotations

from datetime import timedelta

from connectors.emulator.salesforce import limits
from connectors.emulator.salesforce.bulk.csv_text import BadCsv
from connectors.emulator.salesforce.bulk.results import checked_scope, result_of
from connectors.emulator.salesforce.bulk.running import ROWS_PER_TRANSACTION
from connectors.emulator.salesforce.bulk.writing import Writing, check_columns, terms_of
from connectors.emulator.salesforce.bulk_one import chunking
from connectors.emulator.salesforce.bulk_one.formats import rows_of
from connectors.emulator.salesforce.bulk_one.jobs import ABORTED, COMPLETED, FAILED, NOT_PROCESSED, Batch, Job, Outcome
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.one_row import Sent
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.querying import refusal_of
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.world import Actor

MOST_ROWS = 10_000


def catch_up(org: Org) -> None:
    """Do the batches that are due by now."""
    delay = timedelta(seconds=float(org.setting("bulk_delay_seconds")))
    for job, batch in list(org.old_jobs.queued()):
        if job.state == ABORTED:
            batch.end(NOT_PROCESSED, org.now)
        elif org.now - batch.created_at >= delay:
            _proceed(org, job, batch)


def _proceed(org: Org, job: Job, batch: Batch) -> None:
    """A batch that cannot be read, or a query that cannot run, fails as a whole."""
    try:
        if _was_chunked(org, job, batch):
            return
        limits.count(org, 1, limits.BULK_BATCHES)
        if job.is_query:
            batch.result = result_of(org, batch.request, job.user_id, with_deleted=job.operation == "queryAll")
            batch.result_id = new_id("752", org.space.next_number("752"))
        else:
            _write(org, job, batch)
    except SoqlError as error:
        told = refusal_of(org, batch.request, error)
        batch.end(FAILED, org.now, f"InvalidBatch : Failed to process query: {told.code}: {told.message}")
    except Refusal as refusal:
        batch.end(FAILED, org.now, f"{refusal.code} : {refusal.message}")
    except BadCsv as error:
        batch.end(FAILED, org.now, str(error))
    else:
        batch.end(COMPLETED, org.now)


def _was_chunked(org: Org, job: Job, batch: Batch) -> bool:
    """Whether others take its place: then it is not processed, and has no result. Raises SoqlError, Refusal."""
    if job.chunking is None or batch.is_chunk:
        return False
    kind = org.kind(job.object_name)
    if not chunking.supports(kind):
        raise Refusal(400, "InvalidBatch", f"PK chunking is not supported for {kind.name}")
    checked_scope(org, batch.request, job.user_id, with_deleted=job.operation == "queryAll")
    queries = chunking.queries(org, kind, job.chunking, batch.request)
    for text in queries:
        chunk = Batch(new_id("751", org.space.next_number("751")), job.id, org.now, text, is_chunk=True)
        job.batches[chunk.id] = chunk
    if queries:
        batch.end(NOT_PROCESSED, org.now)
    return bool(queries)


def _write(org: Org, job: Job, batch: Batch) -> None:
    """Raises BadCsv."""
    kind = org.kind(job.object_name)
    names, rows = rows_of(job.content_type, kind, batch.request.encode())
    if len(rows) > MOST_ROWS:
        raise BadCsv(f"InvalidBatch : Records for batch exceeded the limit of {MOST_ROWS}")
    check_columns(kind, job.operation, job.external_id, names)
    terms = terms_of(org, job.user_id, job.assignment_rule)
    writing = Writing(kind, job.operation, job.external_id, terms, set())
    for start in range(0, len(rows), ROWS_PER_TRANSACTION):
        _write_some(org, job, batch, writing, rows[start : start + ROWS_PER_TRANSACTION])


def _write_some(org: Org, job: Job, batch: Batch, writing: Writing, rows: list[Sent]) -> None:
    with org.committed(Actor(job.user_id, "api", org.user_name(job.user_id))) as transaction:
        for sent in rows:
            try:
                with org.world.attempt(transaction) as attempt:
                    batch.outcomes.append(Outcome(*writing.save(org, attempt, sent)))
            except Refusal as refusal:
                batch.outcomes.append(Outcome("", False, refusal))
