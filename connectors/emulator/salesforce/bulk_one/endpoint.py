"""``/services/async/65.0/job…``: the paths of Bulk API 1.0. The session comes in a header of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.emulator.salesforce import describing, limits, sessions
from connectors.emulator.salesforce.bulk.csv_text import BadCsv
from connectors.emulator.salesforce.bulk_one import formats
from connectors.emulator.salesforce.bulk_one.chunking import asked_for
from connectors.emulator.salesforce.bulk_one.formats import JSON, XML
from connectors.emulator.salesforce.bulk_one.jobs import ABORTED, CLOSED, COMPLETED, OPEN, QUERIES, Batch, Job
from connectors.emulator.salesforce.bulk_one.running import catch_up
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType

PATH = re.compile(
    r"/services/async/(?P<version>\d+\.0)/job(?:/(?P<job>\w+)(?P<batches>/batch(?:/(?P<batch>\w+)"
    r"(?:/(?P<part>request|result)(?:/(?P<result>\w+))?)?)?)?)?"
)
ROUTE = "/services/async/{version}/job"
OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete", *QUERIES)
CONCURRENCY = {"Parallel": "Parallel", "Serial": "Serial", 0: "Parallel", 1: "Serial", "0": "Parallel", "1": "Serial"}
ENDING = {CLOSED: "Closing", ABORTED: "Aborting"}
CREATED = 201

Places = dict[str, str | None]


def answer_to(call: Call, places: Places) -> Answer:
    """``call`` has no user yet. Refusals are told in the form the request is in."""
    form = formats.form_of(call.headers.get("content-type", ""))
    try:
        user_id = sessions.user_behind(call.org, call.headers.get("x-sfdc-session", ""))
        if user_id is None:
            raise Refusal(400, "InvalidSessionId", "Invalid session id")
        call.user_id = user_id
        if int(call.version.partition(".")[0]) not in describing.VERSIONS:
            raise Refusal(400, "InvalidVersion", f"Invalid Api version specified on URL: {call.version}")
        if limits.used(call.org) >= limits.most(call.org, limits.REQUESTS):
            raise Refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        limits.count(call.org, 1)
        catch_up(call.org)
        answer = _handler(call, places)(call, places, form)
        catch_up(call.org)
    except Refusal as refusal:
        told = {"exceptionCode": refusal.code, "exceptionMessage": refusal.message}
        answer = formats.document(form, "error", told, refusal.status)
    return answer


def _handler(call: Call, places: Places) -> Callable[[Call, Places, str], Answer]:
    """Raises Refusal: no such path with this method."""
    writes = call.method == "POST"
    if call.method not in ("GET", "POST") or (writes and places["batch"]):
        raise Refusal(405, "InvalidOperation", f"HTTP method {call.method} not allowed here")
    if places["batch"]:
        return {None: _batch, "request": _request, "result": _result}[places["part"]]
    if places["batches"]:
        return _add_batch if writes else _batches
    if places["job"]:
        return _change if writes else _details
    if not writes:
        raise Refusal(405, "InvalidOperation", "HTTP method GET not allowed here")
    return _create


def _create(call: Call, places: Places, form: str) -> Answer:
    body = _body(call, form)
    operation = body.get("operation")
    if operation not in OPERATIONS:
        raise Refusal(400, "InvalidJob", f"Unknown operation: {operation}")
    content_type = str(body.get("contentType") or XML)
    if content_type not in formats.MEDIA:
        raise Refusal(400, "InvalidJob", f"Content type {content_type} is not supported here")
    kind = call.org.find_kind(str(body.get("object") or ""))
    if kind is None:
        raise Refusal(400, "InvalidJob", f"Unable to find object: {body.get('object')}")
    if operation == "hardDelete" and not call.org.setting("may_hard_delete"):
        message = "hardDelete operation requires special user profile permission, please contact your administrator"
        raise Refusal(400, "FeatureNotEnabled", message)
    job = Job(
        id=new_id("750", call.org.space.next_number("750")),
        operation=operation,
        object_name=kind.name,
        content_type=content_type,
        concurrency=CONCURRENCY.get(body.get("concurrencyMode", "Parallel"), "Parallel"),
        version=call.version,
        user_id=call.user_id,
        created_at=call.org.now,
        external_id=_key(kind, body.get("externalIdFieldName")) if operation == "upsert" else None,
        assignment_rule=body.get("assignmentRuleId") or None,
        chunking=asked_for(call.headers.get("sforce-enable-pkchunking")) if operation in QUERIES else None,
    )
    call.org.old_jobs.add(job)
    return formats.document(form, "jobInfo", job.info(), CREATED)


def _key(kind: ObjectType, given: Any) -> str:
    item = kind.find(str(given)) if given else None
    if item is None or not item.id_lookup:
        raise Refusal(400, "InvalidJob", f"Field name provided, {given} does not match an External ID for {kind.name}")
    return item.name


def _details(call: Call, places: Places, form: str) -> Answer:
    return formats.document(form, "jobInfo", _job(call, places).info())


def _change(call: Call, places: Places, form: str) -> Answer:
    """Close or abort."""
    job, wanted = _job(call, places), _body(call, form).get("state")
    if wanted not in ENDING:
        raise Refusal(400, "InvalidJobState", f"Invalid job state: {wanted}")
    if job.state != OPEN:
        raise Refusal(400, "InvalidJobState", f"{ENDING[wanted]} already {job.state} Job not allowed")
    job.move(wanted, call.org.now)
    return formats.document(form, "jobInfo", job.info())


def _add_batch(call: Call, places: Places, form: str) -> Answer:
    job = _job(call, places)
    if job.state != OPEN:
        raise Refusal(400, "InvalidJobState", f"Job is not open: {job.state}")
    if limits.used(call.org, limits.BULK_BATCHES) >= limits.most(call.org, limits.BULK_BATCHES):
        raise Refusal(400, "ExceededQuota", "ApiBatchItems Limit exceeded for organization.")
    try:
        text = call.plain_body().decode()
    except UnicodeDecodeError:
        raise Refusal(400, "ClientInputError", "The request is not UTF-8") from None
    batch = Batch(new_id("751", call.org.space.next_number("751")), job.id, call.org.now, text)
    job.batches[batch.id] = batch
    return formats.document(_told_in(job), "batchInfo", batch.info(), CREATED)


def _batches(call: Call, places: Places, form: str) -> Answer:
    job = _job(call, places)
    return formats.document(
        _told_in(job), "batchInfoList", {"batchInfo": [batch.info() for batch in job.batches.values()]}
    )


def _batch(call: Call, places: Places, form: str) -> Answer:
    job = _job(call, places)
    return formats.document(_told_in(job), "batchInfo", _found(job, places).info())


def _request(call: Call, places: Places, form: str) -> Answer:
    """What the caller sent, word for word."""
    job = _job(call, places)
    return Answer(200, headers={"Content-Type": formats.MEDIA[job.content_type]}, text=_found(job, places).request)


def _result(call: Call, places: Places, form: str) -> Answer:
    """Rows of a write, or the ids of a query's results and then each of them."""
    job = _job(call, places)
    batch = _found(job, places)
    if batch.state != COMPLETED:
        raise Refusal(400, "InvalidBatch", f"Batch is not completed: {batch.state}")
    if not job.is_query:
        return formats.outcomes(job.content_type, batch.outcomes)
    if not places["result"]:
        return formats.result_ids(_told_in(job), [batch.result_id])
    if batch.result is None or places["result"] not in (batch.result_id, batch.result_id[:15]):
        raise Refusal(400, "InvalidBatch", f"Unable to find result: {places['result']}")
    return formats.query_result(job.content_type, batch.result)


def _told_in(job: Job) -> str:
    """Batches of a JSON job are told of in JSON, all others in XML."""
    return JSON if job.content_type == JSON else XML


def _job(call: Call, places: Places) -> Job:
    found = call.org.old_jobs.by_id(str(places["job"]), call.org.now)
    if found is None:
        raise Refusal(400, "InvalidJob", f"Unable to find job: {places['job']}")
    return found


def _found(job: Job, places: Places) -> Batch:
    wanted = str(places["batch"])
    found = next((batch for batch in job.batches.values() if wanted in (batch.id, batch.id[:15])), None)
    if found is None:
        raise Refusal(400, "InvalidBatch", f"Unable to find batch: {wanted}")
    return found


def _body(call: Call, form: str) -> dict[str, Any]:
    try:
        return formats.fields_of(form, call.plain_body())
    except BadCsv as error:
        code = "InvalidXML" if form == XML else "InvalidJob"
        raise Refusal(400, code, f"Unable to parse the request: {error}") from None
