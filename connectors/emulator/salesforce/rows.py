"""Single rows: create, read, change, delete; and the conditions a caller may set on them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from zlib import crc32

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.fields import reading, shown
from connectors.emulator.salesforce.refusals import Refusal, UnknownColumn
from connectors.emulator.salesforce.removing import delete as delete_row
from connectors.emulator.salesforce.saving import create as create_row
from connectors.emulator.salesforce.saving import update as update_row
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.world import Row


def create(call: Call) -> Answer:
    kind = call.org.sobject(call.places["object"])
    sent = call.fields()
    with call.transaction() as transaction:
        row = create_row(call.org, transaction, kind, sent, call.terms())
    location = call.url("sobjects", kind.name, row.id)
    return Answer(201, {"id": row.id, "success": True, "errors": []}, {"Location": location})


def read(call: Call) -> Answer:
    kind = call.org.sobject(call.places["object"])
    return read_one(call, kind, call.org.find_row(kind, call.places["id"]))


def change(call: Call) -> Answer:
    kind = call.org.sobject(call.places["object"])
    row = call.org.row_to_write(kind, call.places["id"])
    sent = call.fields()
    refuse_key_in_body(sent, "Id")
    check_conditions(call, kind, row)
    with call.transaction() as transaction:
        update_row(call.org, transaction, kind, row, sent, call.terms())
    return Answer(204, headers=_tag(kind, row))


def delete(call: Call) -> Answer:
    """``If-Unmodified-Since`` does not hold for DELETE."""
    kind = call.org.sobject(call.places["object"])
    row = call.org.row_to_write(kind, call.places["id"])
    with call.transaction() as transaction:
        delete_row(call.org, transaction, kind, row)
    return Answer(204)


def read_one(call: Call, kind: ObjectType, row: Row) -> Answer:
    """A row, whole or the fields asked for; 304 when nothing changed since."""
    items = asked_fields(call, kind)
    headers = {**_tag(kind, row), "Last-Modified": http_date(row.modified_at)}
    check_conditions(call, kind, row)
    if kind.name == "Account" and etag(row) in _tags(call, "if-none-match"):
        return Answer(304, headers=headers)
    since = call.headers.get("if-modified-since")
    if since is not None and row.modified_at <= read_date(since, "If-Modified-Since"):
        return Answer(304, headers=headers)
    return Answer(200, record(call, kind, row, items), headers)


def asked_fields(call: Call, kind: ObjectType) -> list[Field]:
    """Those of ``?fields=``, or all. Raises Refusal (INVALID_FIELD)."""
    names = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    return [named_field(kind, name) for name in names] or list(kind.visible.values())


def record(call: Call, kind: ObjectType, row: Row, items: list[Field]) -> dict[str, Any]:
    found: dict[str, Any] = {"attributes": attributes(kind, row.id, call.version)}
    reading((item.name, shown(item)) for item in items)(row, found)
    return found


def attributes(kind: ObjectType, record_id: str, version: str) -> dict[str, str]:
    return {"type": kind.name, "url": f"/services/data/{version}/sobjects/{kind.name}/{record_id}"}


def named_field(kind: ObjectType, name: str) -> Field:
    """Raises Refusal (INVALID_FIELD): not there, or hidden from the API user."""
    item = kind.find(name)
    if item is None:
        raise UnknownColumn(name, kind.name)
    return item


def refuse_key_in_body(sent: dict[str, Any], name: str) -> None:
    """The key stands in the path and nowhere else. Raises Refusal."""
    if any(key.lower() == name.lower() for key in sent):
        message = f"The {name} field should not be specified in the sobject data."
        raise Refusal(400, "INVALID_FIELD", message, (name,))


def check_conditions(call: Call, kind: ObjectType, row: Row) -> None:
    """``If-Unmodified-Since`` against the last modification, in whole seconds; ``If-Match`` on Account only.

    Raises:
        Refusal: 412 when the condition does not hold, 400 for a date that is none.
    """
    header = call.headers.get("if-unmodified-since")
    if header is not None and row.modified_at > read_date(header, "If-Unmodified-Since"):
        raise Refusal(412, "PRECONDITION_FAILED", f"{kind.label} was modified after {header}")
    tags = _tags(call, "if-match")
    if tags and kind.name == "Account" and etag(row) not in tags:
        raise Refusal(412, "PRECONDITION_FAILED", f"the ETag of this {kind.label} is another one")


def _tags(call: Call, header: str) -> list[str]:
    return [tag.strip() for tag in call.headers.get(header, "").split(",") if tag.strip()]


def read_date(header: str, name: str) -> datetime:
    """Raises Refusal (400): no HTTP date."""
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        raise Refusal(400, "INVALID_HEADER", f"Invalid value for header {name}: {header}") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


def etag(row: Row) -> str:
    return f'"{crc32(f"{row.id}{row.stamp.isoformat()}".encode()):08x}--gzip"'


def _tag(kind: ObjectType, row: Row) -> dict[str, str]:
    return {"ETag": etag(row)} if kind.name == "Account" else {}
