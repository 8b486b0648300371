"""``/jobs/query``: a query runs as a job; its result is read page by page."""

from __future__ import annotations

import base64
import binascii

from connectors.emulator.salesforce import limits
from connectors.emulator.salesforce.bulk import csv_text
from connectors.emulator.salesforce.bulk.ingest import abort, check_readable, csv_answer, delete_job, new_job
from connectors.emulator.salesforce.bulk.jobs import ABORTED, UPLOADED, Job, Result
from connectors.emulator.salesforce.bulk.results import checked_scope
from connectors.emulator.salesforce.bulk.running import proceed
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.querying import refusal_of
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.soql.lexer import SoqlError

OPERATIONS = ("query", "queryAll")
LINKS_PER_PAGE = 5
NO_MORE = "null"


def create(call: Call) -> Answer:
    """A query that cannot run is refused here and makes no job."""
    body = call.fields()
    operation, text = body.get("operation"), body.get("query")
    if operation not in OPERATIONS or not isinstance(text, str):
        raise Refusal(400, "INVALIDJOB", "operation (query or queryAll) and query are required")
    try:
        scope = checked_scope(call.org, text, call.user_id, with_deleted=operation == "queryAll")
    except SoqlError as error:
        raise refusal_of(call.org, text, error) from None
    limits.require_query_jobs(call.org)
    kind = scope.kind.name
    job = new_job(call, body, is_query=True, operation=operation, object_name=kind, state=UPLOADED)
    job.query, job.closed_at = text, call.org.now
    answer = Answer(200, job.summary())
    limits.count(call.org, 1, limits.QUERY_JOBS)
    if not call.org.setting("bulk_delay_seconds"):
        proceed(call.org, job)
    return answer


def details(call: Call) -> Answer:
    return Answer(200, _job(call).details())


def listed(call: Call) -> Answer:
    records = [{**job.summary(), "jobType": "V2Query"} for job in call.org.jobs.all(is_query=True)]
    return Answer(200, {"done": True, "records": records, "nextRecordsUrl": None})


def change_state(call: Call) -> Answer:
    job = _job(call)
    if call.fields().get("state") != ABORTED:
        raise Refusal(400, "INVALIDJOBSTATE", "A query job can only be aborted")
    abort(call, job)
    return Answer(200, job.summary())


def remove(call: Call) -> Answer:
    return delete_job(call, _job(call))


def results(call: Call) -> Answer:
    """One page, its header line included; ``Sforce-Locator`` is the text ``null`` on the last one."""
    job, result = _complete(call)
    start = _offset(call.query.get("locator"))
    asked = call.query.get("maxRecords", "")
    size = int(asked) if asked.isdecimal() and int(asked) else int(call.org.setting("bulk_result_rows"))
    page = result.page(start, start + size)
    following = locator(start + size) if start + size < len(result) else NO_MORE
    text = csv_text.write(result.columns, page, job.delimiter, job.line_ending)
    return csv_answer(text, **{"Sforce-Locator": following, "Sforce-NumberOfRecords": str(len(page))})


def result_pages(call: Call) -> Answer:
    """Links for reading pages side by side, five at a time."""
    job, result = _complete(call)
    size = int(call.org.setting("bulk_result_rows"))
    first = _offset(call.query.get("locator"))
    path = call.url("jobs", "query", job.id).removeprefix(f"/services/data/{call.version}")
    starts = list(range(first, max(len(result), 1), size))
    links = [
        {"resultLink": f"{path}/results?locator={locator(start)}" if start else f"{path}/results"}
        for start in starts[:LINKS_PER_PAGE]
    ]
    found: dict[str, object] = {"resultPages": links, "done": len(starts) <= LINKS_PER_PAGE}
    if len(starts) > LINKS_PER_PAGE:
        found["nextRecordsUrl"] = f"{path}/resultPages?locator={locator(starts[LINKS_PER_PAGE])}"
    return Answer(200, found)


def locator(offset: int) -> str:
    """Nothing a caller should read anything into."""
    return base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def _offset(given: str | None) -> int:
    """Raises Refusal: no locator of ours."""
    if not given:
        return 0
    try:
        return int(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode())
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator") from None


def _job(call: Call) -> Job:
    """Raises Refusal (404)."""
    found = call.org.jobs.find(call.places["id"], is_query=True, now=call.org.now)
    if found is None:
        raise not_found()
    return found


def _complete(call: Call) -> tuple[Job, Result]:
    """Raises Refusal: another API version, or not complete."""
    job = _job(call)
    check_readable(call, job)
    if job.result is None:
        raise Refusal(400, "INVALIDJOBSTATE", f"The results of a job in state {job.state} cannot be read")
    return job, job.result
