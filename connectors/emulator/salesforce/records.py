"""sObject rows: create, read, update, delete, upsert, and the updated and deleted lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.salesforce.org import Org, api_actor
from connectors.emulator.salesforce.querying import attributes
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.replies import no_content, reply
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.stamps import read, wire
from connectors.emulator.world import Row


async def body_of(request: Request) -> dict[str, Any]:
    """Raises Refusal (JSON_PARSER_ERROR)."""
    try:
        document = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Refusal(
            400, "JSON_PARSER_ERROR", f"Unexpected character at [line:{error.lineno}, column:{error.colno}]"
        ) from None
    if not isinstance(document, dict):
        raise Refusal(
            400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."
        )
    return document


def wants_assignment(request: Request) -> bool:
    """Assignment rules run unless the header says FALSE."""
    return request.headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE"


def actor_of(request: Request) -> Any:
    org: Org = request.app.state.org
    return api_actor(org, request.headers.get("x-request-id"), request.headers.get("x-truce-entry"))


async def collection(request: Request) -> Response:
    """``POST /sobjects/Lead``: create one."""
    org: Org = request.app.state.org
    kind = org.kind(request.path_params["object"])
    sent = await body_of(request)
    with org.world.transaction("salesforce", actor_of(request)) as transaction:
        row = org.create(transaction, kind, sent, assign=wants_assignment(request))
    location = f"/services/data/{request.path_params['version']}/sobjects/{kind.name}/{row.id}"
    return reply(request, {"id": row.id, "success": True, "errors": []}, 201, {"Location": location})


async def single(request: Request) -> Response:
    """``/sobjects/Lead/{id}``."""
    org: Org = request.app.state.org
    kind = org.kind(request.path_params["object"])
    row = org.live_row(kind, request.path_params["id"])
    if request.method == "GET":
        return reply(request, record(org, kind, row, request))
    if request.method == "DELETE":
        with org.world.transaction("salesforce", actor_of(request)) as transaction:
            org.delete(transaction, kind, row)
        return no_content()
    sent = await body_of(request)
    org.check_unmodified(row, request.headers.get("if-unmodified-since"))
    with org.world.transaction("salesforce", actor_of(request)) as transaction:
        org.update(transaction, kind, row, sent, assign=wants_assignment(request))
    return no_content()


def record(org: Org, kind: ObjectType, row: Row, request: Request) -> dict[str, Any]:
    """A whole record, or the fields asked for."""
    asked = [name for name in request.query_params.get("fields", "").split(",") if name]
    names = [_named(kind, name) for name in asked] or [item.name for item in kind.visible()]
    version = request.path_params["version"]
    return {"attributes": attributes(kind, row, version), **{name: org.value_of(kind, row, name) for name in names}}


def _named(kind: ObjectType, name: str) -> str:
    item = kind.find(name.strip())
    if item is None:
        raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
    return item.name


async def by_key(request: Request) -> Response:
    """``PATCH /sobjects/Lead/Ext__c/value``: upsert; GET reads by the same key."""
    org: Org = request.app.state.org
    kind = org.kind(request.path_params["object"])
    name, value = request.path_params["field"], unquote(request.path_params["value"])
    rows = rows_by_key(org, kind, name, value)
    version = request.path_params["version"]
    if len(rows) > 1:
        return reply(request, [f"/services/data/{version}/sobjects/{kind.name}/{row.id}" for row in rows], 300)
    if request.method == "GET":
        if not rows:
            raise not_found()
        return reply(request, record(org, kind, rows[0], request))
    sent = await body_of(request)
    with org.world.transaction("salesforce", actor_of(request)) as transaction:
        if rows:
            org.check_unmodified(rows[0], request.headers.get("if-unmodified-since"))
            org.update(transaction, kind, rows[0], sent, assign=wants_assignment(request))
            row = rows[0]
        elif request.query_params.get("updateOnly", "").lower() == "true":
            raise not_found()
        else:
            row = org.create(transaction, kind, {**sent, _named(kind, name): value}, assign=wants_assignment(request))
    document = {"id": row.id, "success": True, "errors": [], "created": not rows}
    return reply(request, document, 200 if rows else 201)


def rows_by_key(org: Org, kind: ObjectType, name: str, value: str) -> list[Row]:
    """Live rows with this key, case-insensitive. Raises Refusal when the field is no key."""
    item = kind.find(name)
    if item is None or not item.id_lookup:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    ids = org.space.lookup(kind.name, item.name, value)
    found = [org.space.row(kind.name, row_id) for row_id in sorted(ids)]
    return [row for row in found if row is not None and not row.deleted]


async def replication(request: Request) -> Response:
    """``/updated`` and ``/deleted`` with ``latestDateCovered``."""
    org: Org = request.app.state.org
    kind = org.kind(request.path_params["object"])
    start, end = (read(request.query_params.get(name, "")) for name in ("start", "end"))
    now = org.world.clock.now()
    deleted = request.path_params["what"] == "deleted"
    oldest = now - timedelta(days=15 if deleted else 30)
    if start is None or end is None or end - start <= timedelta(minutes=1) or start < oldest or start > now:
        raise Refusal(400, "INVALID_REPLICATION_DATE", "startDate should be at least one minute before endDate")
    covered = min(end, now - timedelta(seconds=org.space.visible_delay_seconds))
    rows = [
        row
        for row in org.space.table(kind.name).values()
        if row.deleted is deleted and start <= row.stamp < covered and org.is_visible(row)
    ]
    if deleted:
        listed = [{"id": row.id, "deletedDate": wire(row.deleted_at or row.stamp)} for row in rows]
        return reply(
            request,
            {"deletedRecords": listed, "earliestDateAvailable": wire(oldest), "latestDateCovered": wire(covered)},
        )
    return reply(request, {"ids": [row.id for row in rows], "latestDateCovered": wire(covered)})
