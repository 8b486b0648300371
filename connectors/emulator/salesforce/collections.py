"""sObject Collections: up to 200 records in one call, each with its own result, HTTP 200 even if all failed."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.querying import attributes
from connectors.emulator.salesforce.records import _named, actor_of, body_of, rows_by_key, wants_assignment
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.replies import reply
from connectors.emulator.world import Transaction

MOST_WRITTEN = 200
MOST_READ = 2000
MOST_CHUNKS = 10
ROLLED_BACK = "Record rolled back because not all records were valid and the request was using AllOrNone header"


class _AllOrNone(Exception):
    """Undo the whole request."""


async def write(request: Request) -> Response:
    """POST creates, PATCH updates (or upserts under an external id path), DELETE deletes."""
    org: Org = request.app.state.org
    if request.method == "DELETE":
        ids = [each for each in request.query_params.get("ids", "").split(",") if each]
        records: list[dict[str, Any]] = [{"id": each} for each in ids]
        all_or_none = request.query_params.get("allOrNone", "false").lower() == "true"
    else:
        document = await body_of(request)
        records, all_or_none = document.get("records") or [], bool(document.get("allOrNone", False))
    _check_envelope(records, request.method)
    entries = [each.strip() for each in request.headers.get("x-truce-entry", "").split(",")]
    results: list[dict[str, Any]] = []
    try:
        with org.world.transaction("salesforce", actor_of(request)) as transaction:
            for index, record in enumerate(records):
                entry = entries[index] if len(entries) == len(records) else None
                results.append(_one(org, request, transaction, record, entry))
            if all_or_none and not all(result["success"] for result in results):
                raise _AllOrNone
    except _AllOrNone:
        results = [_rolled_back(result) for result in results]
    return reply(request, results)


async def read(request: Request) -> Response:
    """Many records by id, in order; null for one that cannot be read."""
    org: Org = request.app.state.org
    kind = org.kind(request.path_params["object"])
    if request.method == "POST":
        document = await body_of(request)
        ids, names = document.get("ids") or [], document.get("fields") or []
    else:
        ids = [each for each in request.query_params.get("ids", "").split(",") if each]
        names = [each for each in request.query_params.get("fields", "").split(",") if each]
    if not ids or not names or len(ids) > MOST_READ:
        raise Refusal(400, "INVALID_INPUT", f"between 1 and {MOST_READ} ids and at least one field are needed")
    fields = [_named(kind, name) for name in names]
    version = request.path_params["version"]
    found: list[dict[str, Any] | None] = []
    for text in ids:
        identity = full_id(str(text))
        row = org.space.row(kind.name, identity) if identity else None
        if row is None or row.deleted or not org.is_visible(row):
            found.append(None)
        else:
            values = {name: org.value_of(kind, row, name) for name in fields}
            found.append({"attributes": attributes(kind, row, version), **values})
    return reply(request, found)


def _check_envelope(records: Any, method: str) -> None:
    if not isinstance(records, list) or not records:
        raise Refusal(400, "INVALID_INPUT", "The request must contain at least one record")
    if len(records) > MOST_WRITTEN:
        raise Refusal(
            400,
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MOST_WRITTEN} records in this call",
        )
    if method == "DELETE":
        return
    types = [(record.get("attributes") or {}).get("type") for record in records]
    if any(not each for each in types):
        raise Refusal(400, "INVALID_INPUT", "attributes.type is missing")
    if len(list(groupby(types))) > MOST_CHUNKS:
        raise Refusal(400, "INVALID_INPUT", f"cannot have more than {MOST_CHUNKS} chunks in a single operation")


def _one(
    org: Org, request: Request, transaction: Transaction, record: dict[str, Any], entry: str | None
) -> dict[str, Any]:
    try:
        with org.world.attempt(transaction) as attempt:
            row_id, created = _apply(org, request, attempt, dict(record))
            if entry:
                for key in attempt.touched:
                    attempt.entry_ids[key] = entry
    except Refusal as refusal:
        result: dict[str, Any] = {"success": False, "errors": [refusal.row()]}
        if record.get("id") and request.method != "POST":
            result = {"id": record["id"], **result}
        return result
    result = {"id": row_id, "success": True, "errors": []}
    if "field" in request.path_params:
        result["created"] = created
    return result


def _apply(org: Org, request: Request, transaction: Transaction, record: dict[str, Any]) -> tuple[str, bool]:
    """Returns (id, created)."""
    assign = wants_assignment(request)
    if request.method == "DELETE":
        return _delete(org, transaction, str(record["id"])), False
    kind = org.kind(record.pop("attributes")["type"])
    if "field" in request.path_params:
        name = _named(kind, request.path_params["field"])
        key = next((each for each in record if each.lower() == name.lower()), None)
        if key is None or record[key] in (None, ""):
            raise Refusal(400, "MISSING_ARGUMENT", f"{name} not specified", ())
        value = str(record[key])
        rows = rows_by_key(org, kind, name, value)
        if len(rows) > 1:
            raise Refusal(
                400, "DUPLICATE_EXTERNAL_ID", f"{name}: more than one record found for external id field", (name,)
            )
        if rows:
            del record[key]
            org.update(transaction, kind, rows[0], record, assign=assign)
            return rows[0].id, False
        return org.create(transaction, kind, record, assign=assign).id, True
    if request.method == "POST":
        return org.create(transaction, kind, record, assign=assign).id, True
    row_id = str(record.pop("id", record.pop("Id", "")))
    row = org.live_row(kind, row_id)
    org.update(transaction, kind, row, record, assign=assign)
    return row.id, False


def _delete(org: Org, transaction: Transaction, record_id: str) -> str:
    from connectors.emulator.salesforce.schema import objects

    for kind in objects(org.space).values():
        if record_id.startswith(kind.prefix):
            row = org.live_row(kind, record_id)
            org.delete(transaction, kind, row)
            return row.id
    raise Refusal(400, "MALFORMED_ID", f"bad id {record_id}", ())


def _rolled_back(result: dict[str, Any]) -> dict[str, Any]:
    if not result["success"]:
        return result
    error = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": ROLLED_BACK, "fields": []}
    return {**result, "success": False, "errors": [error]}
