"""Rows by an external id or another lookup field: read, upsert, delete."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.naming import rows_by_key
from connectors.emulator.salesforce.refusals import not_found
from connectors.emulator.salesforce.removing import delete as delete_row
from connectors.emulator.salesforce.rows import (
    asked_fields,
    check_conditions,
    named_field,
    read_one,
    record,
    refuse_key_in_body,
)
from connectors.emulator.salesforce.saving import create, update
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Row

TELLS_UPDATES = 46.0
"""Before this version an upsert that updated answered 204."""


def read(call: Call) -> Answer:
    """A row by its key; or, when the key's place holds an id, what that row is related to."""
    if full_id(call.places["field"]) is not None:
        return _related(call)
    kind, rows = _found(call)
    if len(rows) > 1:
        return _several(call, kind, rows)
    if not rows:
        raise not_found()
    return read_one(call, kind, rows[0])


def _related(call: Call) -> Answer:
    """``/sobjects/Contact/003…/Account``: the parent, or a list of children. Raises Refusal (404)."""
    kind, name = call.org.sobject(call.places["object"]), call.places["value"].lower()
    row = call.org.find_row(kind, call.places["field"])
    link = kind.relationships.get(name)
    if link is not None and not link.hidden:
        parent_id = row.values.get(link.name) or ""
        target = call.org.catalogue.with_prefix(parent_id)
        if target is None:
            raise not_found()
        return read_one(call, target, call.org.find_row(target, parent_id))
    child = next(
        (each for each in call.org.catalogue.children_of(kind.name) if (each.relationship or "").lower() == name), None
    )
    if child is None:
        raise not_found()
    child_kind = call.org.kind(child.kind)
    found = call.org.rows_with(child_kind, child_kind.fields[child.field], row.id)
    items = asked_fields(call, child_kind)
    records = [
        record(call, child_kind, each, items) for each in sorted(found, key=attrgetter("id")) if not each.deleted
    ]
    return Answer(200, {"done": True, "totalSize": len(records), "records": records})


def upsert(call: Call) -> Answer:
    """``PATCH /sobjects/Lead/Email/ada@example.com``; several matches are 300 and nothing is written."""
    kind, rows = _found(call)
    if len(rows) > 1:
        return _several(call, kind, rows)
    item = named_field(kind, call.places["field"])
    sent = call.fields()
    refuse_key_in_body(sent, item.name)
    if rows:
        row = call.org.row_to_write(kind, rows[0].id)
        check_conditions(call, kind, row)
        with call.transaction() as transaction:
            update(call.org, transaction, kind, row, sent, call.terms())
        if float(call.version.removeprefix("v")) < TELLS_UPDATES:
            return Answer(204)
        return Answer(200, _result(row, created=False))
    if item.type == "id" or call.query.get("updateOnly", "").lower() == "true":
        raise not_found()
    with call.transaction() as transaction:
        row = create(call.org, transaction, kind, {**sent, item.name: call.places["value"]}, call.terms())
    return Answer(201, _result(row, created=True), {"Location": call.url("sobjects", kind.name, row.id)})


def delete(call: Call) -> Answer:
    kind, rows = _found(call)
    if len(rows) > 1:
        return _several(call, kind, rows)
    if not rows:
        raise not_found()
    row = call.org.row_to_write(kind, rows[0].id)
    with call.transaction() as transaction:
        delete_row(call.org, transaction, kind, row)
    return Answer(204)


def _found(call: Call) -> tuple[ObjectType, list[Row]]:
    kind = call.org.sobject(call.places["object"])
    return kind, rows_by_key(call.org, kind, call.places["field"], call.places["value"])


def _several(call: Call, kind: ObjectType, rows: list[Row]) -> Answer:
    return Answer(300, [call.url("sobjects", kind.name, row.id) for row in rows])


def _result(row: Row, *, created: bool) -> dict[str, Any]:
    return {"id": row.id, "success": True, "errors": [], "created": created}
