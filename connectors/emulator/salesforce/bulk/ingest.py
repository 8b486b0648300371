"""``/jobs/ingest``: create a job, upload its CSV once, close it, watch it, fetch what became of each row."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce import limits
from connectors.emulator.salesforce.bulk import csv_text
from connectors.emulator.salesforce.bulk.jobs import ABORTED, COMPLETE, ENDED, OPEN, UPLOADED, Cells, Job
from connectors.emulator.salesforce.bulk.running import proceed
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.schema import ObjectType

OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
NEEDS_PERMISSION = (
    "hardDelete operation requires special user profile permission, please contact your system administrator"
)


def create(call: Call) -> Answer:
    body = call.fields()
    operation = _one_of(body, "operation", OPERATIONS, None)
    _one_of(body, "contentType", ("CSV",), "CSV")
    kind = call.org.find_kind(str(body.get("object") or ""))
    if kind is None:
        raise Refusal(400, "INVALIDENTITY", f"Unable to find object: {body.get('object')}")
    if operation == "hardDelete" and not call.org.setting("may_hard_delete"):
        raise Refusal(400, "FEATURENOTENABLED", NEEDS_PERMISSION)
    limits.require_batches(call.org)
    key = _key(kind, body.get("externalIdFieldName")) if operation == "upsert" else None
    job = new_job(call, body, is_query=False, operation=operation, object_name=kind.name, state=OPEN)
    job.external_id = key
    job.assignment_rule = body.get("assignmentRuleId")
    return Answer(200, job.summary())


def _key(kind: ObjectType, given: Any) -> str:
    """The field an upsert goes by. Raises Refusal."""
    if not given:
        message = f"External ID was blank for {kind.name}. An External ID must be specified for upsert."
        raise Refusal(400, "INVALIDJOB", message)
    item = kind.find(str(given))
    if item is None or not item.id_lookup:
        message = f"Field name provided, {given} does not match an External ID for {kind.name}"
        raise Refusal(400, "INVALIDJOB", message)
    return item.name


def new_job(call: Call, body: dict[str, Any], *, is_query: bool, operation: str, object_name: str, state: str) -> Job:
    """Raises Refusal: a delimiter or line ending that does not exist."""
    job = Job(
        id=new_id("750", call.org.space.next_number("750")),
        is_query=is_query,
        operation=operation,
        object_name=object_name,
        version=call.version,
        user_id=call.user_id,
        created_at=call.org.now,
        delimiter=_one_of(body, "columnDelimiter", tuple(csv_text.DELIMITERS), "COMMA"),
        line_ending=_one_of(body, "lineEnding", tuple(csv_text.LINE_ENDINGS), "LF"),
        state=state,
    )
    call.org.jobs.add(job)
    return job


def upload(call: Call) -> Answer:
    """``PUT …/batches`` answers 201. A second upload is noticed when the job is closed, unless switched."""
    job = _job(call)
    kind = call.headers.get("content-type", "")
    if not kind.startswith("text/csv"):
        raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-type '{kind}' not supported")
    if job.state != OPEN:
        raise Refusal(400, "INVALIDJOBSTATE", f"Uploading data to a job in state {job.state} not allowed")
    data = call.plain_body()
    if len(data) * 4 / 3 > int(call.org.setting("bulk_upload_bytes")):
        raise Refusal(413, "EXCEEDED_MAX_SIZE_REQUEST", "The uploaded data exceeds the limit of the Bulk API")
    if job.uploads and call.org.setting("bulk_second_upload") == "at once":
        raise _several_uploads(job)
    job.uploads.append(data)
    return Answer(201)


def change_state(call: Call) -> Answer:
    """``PATCH`` with ``UploadComplete`` or ``Aborted``."""
    job = _job(call)
    wanted = _one_of(call.fields(), "state", (UPLOADED, ABORTED), None)
    if wanted == ABORTED:
        abort(call, job)
        return Answer(200, job.summary())
    if job.state != OPEN:
        word = "Completed" if job.state in ENDED else "closed"
        raise Refusal(400, "INVALIDJOBSTATE", f"Closing already {word} Job not allowed")
    if len(job.uploads) > 1:
        raise _several_uploads(job)
    job.closed_at = call.org.now
    job.move(UPLOADED, call.org.now)
    answer = Answer(200, job.summary())
    if not call.org.setting("bulk_delay_seconds"):
        proceed(call.org, job)
    return answer


def abort(call: Call, job: Job) -> None:
    """What was saved stays saved. Raises Refusal: it has ended already."""
    if job.has_ended:
        word = "Completed" if job.state == COMPLETE else job.state
        raise Refusal(400, "INVALIDJOBSTATE", f"Aborting already {word} Job not allowed")
    job.move(ABORTED, call.org.now)


def details(call: Call) -> Answer:
    return Answer(200, _job(call).details())


def remove(call: Call) -> Answer:
    """An open job is aborted first; one that is being worked on cannot go."""
    return delete_job(call, _job(call))


def delete_job(call: Call, job: Job) -> Answer:
    """Raises Refusal."""
    if not job.has_ended and job.state != UPLOADED:
        raise Refusal(400, "INVALIDJOBSTATE", f"Deleting a job in state {job.state} not allowed")
    call.org.jobs.remove(job)
    return Answer(204)


def listed(call: Call) -> Answer:
    records = [{**job.summary(), "jobType": "V2Ingest"} for job in call.org.jobs.all(is_query=False)]
    return Answer(200, {"done": True, "records": records, "nextRecordsUrl": None})


def successful(call: Call) -> Answer:
    job = _ended(call)
    rows = [[record_id, str(created).lower(), *cells] for record_id, created, cells in job.succeeded]
    return _csv(job, ["sf__Id", "sf__Created", *job.columns], rows)


def failed(call: Call) -> Answer:
    job = _ended(call)
    return _csv(
        job, ["sf__Id", "sf__Error", *job.columns], [[known, error, *cells] for known, error, cells in job.failed]
    )


def unprocessed(call: Call) -> Answer:
    """The rows nobody tried: of a job that failed or was aborted."""
    job = _ended(call)
    return _csv(job, job.columns, job.rows[job.done :])


def _csv(job: Job, header: Cells, rows: list[Cells]) -> Answer:
    return csv_answer(csv_text.write(header, rows, job.delimiter, job.line_ending))


def csv_answer(text: str, **headers: str) -> Answer:
    return Answer(200, headers={"Content-Type": "text/csv", **headers}, text=text)


def _job(call: Call) -> Job:
    """Raises Refusal (404)."""
    found = call.org.jobs.find(call.places["id"], is_query=False, now=call.org.now)
    if found is None:
        raise not_found()
    return found


def _ended(call: Call) -> Job:
    """Raises Refusal: 409 for another API version than the job's, 400 while it has not ended [K for both texts]."""
    job = _job(call)
    check_readable(call, job)
    return job


def check_readable(call: Call, job: Job) -> None:
    if job.version != call.version:
        message = f"The job was created in API version {job.version.removeprefix('v')}; read it with that version"
        raise Refusal(409, "API_ERROR", message)
    if not job.has_ended:
        raise Refusal(400, "INVALIDJOBSTATE", f"The results of a job in state {job.state} cannot be read")


def _several_uploads(job: Job) -> Refusal:
    # the vendor's own spelling
    message = (
        f"Found multipe contents for job: <{job.id[:15]}>, please 'Close' / 'Abort' / 'Delete' the current Job then "
        "create a new Job and make sure you only do 'PUT' once on a given Job."
    )
    return Refusal(400, "INVALIDJOB", message)


def _one_of(body: dict[str, Any], name: str, choices: tuple[str, ...], usual: str | None) -> str:
    """Raises Refusal."""
    given = body.get(name, usual)
    if given is None:
        raise Refusal(400, "INVALIDJOB", f"{name} is required")
    if given not in choices:
        listed = ", ".join(choices)
        message = f"Unrecognized value '{given}' for {name}: not one of the values accepted: [{listed}]"
        raise Refusal(400, "JSON_PARSER_ERROR", f"{message} at [line:1, column:1]")
    return str(given)
