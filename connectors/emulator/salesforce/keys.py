"""Rows by an external id or another lookup field: read, upsert, delete."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.naming import rows_by_key
from connectors.emulator.salesforce.refusals import not_found
from connectors.emulator.salesforce.removing import delete as delete_row
from connectors.emulator.salesforce.rows import check_conditions, named_field, read_one, refuse_key_in_body
from connectors.emulator.salesforce.saving import create, update
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Row


def read(call: Call) -> Answer:
    kind, rows = _found(call)
    if len(rows) > 1:
        return _several(call, kind, rows)
    if not rows:
        raise not_found()
    return read_one(call, kind, rows[0])


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
