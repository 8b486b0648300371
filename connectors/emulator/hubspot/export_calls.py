"""Exports of a view: asked for, waited for, and fetched as a CSV file from a short-lived address without a token.

One at a time: the next one begins when the one before is done. Thirty in 24 hours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.association_types import directions
from connectors.emulator.hubspot.call import Call, as_object, shaped
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import SYSTEM, correlation_id
from connectors.emulator.hubspot.properties import Schema
from connectors.emulator.hubspot.refusals import Refusal, bad_request, not_found, text
from connectors.emulator.hubspot.replies import reply
from connectors.emulator.hubspot.search_calls import matching
from connectors.emulator.hubspot.times import wire
from connectors.emulator.world import Row

SCOPES = ["crm.export"]
MOST_A_DAY = 30
LINK_MINUTES = 5
REAL_SECONDS = 2.0
ASKED: dict[str, type] = {
    "exportType": str,
    "format": str,
    "exportName": str,
    "objectType": str,
    "objectProperties": list,
    "language": str,
    "exportInternalValuesOptions": list,
    "publicCrmSearchRequest": dict,
}
NEEDED = ("exportType", "format", "exportName", "objectType", "objectProperties", "language")
Export = dict[str, Any]


def start(call: Call) -> Response:
    """Raises Refusal: 400, not all that is needed; 404, no such list; 429, too many in 24 hours."""
    call.require(SCOPES)
    asked = shaped(call.body, ASKED)
    missing = [name for name in NEEDED if not asked.get(name)]
    if missing:
        raise bad_request(text("property_needs", names=", ".join(missing)))
    kind = call.portal.kind(str(asked["objectType"]))
    call.require(kind.scopes("read"))
    if asked["exportType"] == "LIST":
        raise not_found()
    if asked["format"] != "CSV":
        call.portal.world.unknown.append(
            {"system": SYSTEM, "method": "POST", "path": call.path, "format": asked["format"]}
        )
        raise bad_request(text("no_such_format", format=asked["format"]))
    _check_allowance(call)
    number = str(call.portal.space.next_number("exports"))
    now = call.portal.now()
    begins = max([now, *(datetime.fromisoformat(one["done_at"]) for one in _exports(call).values())])
    rows = matching(call, kind, as_object(asked.get("publicCrmSearchRequest", {})))
    _exports(call)[number] = {
        "id": number,
        "asked": asked,
        "kind": kind.name,
        "asked_at": now.isoformat(),
        "begins_at": begins.isoformat(),
        "done_at": (begins + timedelta(seconds=_seconds(call))).isoformat(),
        "count": len(rows),
        "file": file_of(call, kind, rows, asked),
    }
    return reply({"id": number, "links": {"status": f"{call.path}/tasks/{number}/status"}}, 202)


def status(call: Call) -> Response:
    """With the address of the file once it is done; each answer gives a new one."""
    call.require(SCOPES)
    export = _wanted(call, "task_id")
    state, now = _state(call, export), call.portal.now()
    shown = {
        "status": state,
        "requestedAt": wire(datetime.fromisoformat(export["asked_at"])),
        "startedAt": wire(datetime.fromisoformat(export["begins_at"])),
        "completedAt": wire(min(now, datetime.fromisoformat(export["done_at"]))),
    }
    if state == "COMPLETE":
        ticket = correlation_id(f"{call.request_id} export {export['id']}")
        export.setdefault("tickets", {})[ticket] = (now + timedelta(minutes=LINK_MINUTES)).isoformat()
        shown["result"] = f"http://{call.host}/export-files/{export['id']}/{ticket}"
    return reply(shown)


def describe(call: Call) -> Response:
    call.require(SCOPES)
    export = _wanted(call, "export_id")
    asked, state = export["asked"], _state(call, export)
    return reply(
        {
            "id": export["id"],
            "exportName": asked["exportName"],
            "exportType": asked["exportType"],
            "exportState": {"PENDING": "ENQUEUED", "PROCESSING": "PROCESSING", "COMPLETE": "DONE"}[state],
            "objectType": call.portal.kinds[export["kind"]].upper,
            "objectProperties": [str(name) for name in asked["objectProperties"]],
            "createdAt": wire(datetime.fromisoformat(export["asked_at"])),
            "updatedAt": wire(min(call.portal.now(), datetime.fromisoformat(export["done_at"]))),
            "recordCount": export["count"],
        }
    )


def fetch(call: Call) -> Response:
    """No token: the address is the ticket, for five minutes. Not HubSpot itself answers here."""
    export = _exports(call).get(call.params["export_id"], {})
    until = export.get("tickets", {}).get(call.params["ticket"])
    if until is None or datetime.fromisoformat(until) <= call.portal.now():
        body = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'
        return Response(body, 403, {"Content-Type": "application/xml"})
    return Response(export["file"], 200, {"Content-Type": "text/csv;charset=utf-8"})


def file_of(call: Call, kind: Kind, rows: Sequence[Row], asked: Export) -> str:
    """Labels for names and choices, unless the internal ones are asked for."""
    schema = call.portal.schema(kind)
    internal = [str(one) for one in asked.get("exportInternalValuesOptions") or ()]
    names = [str(name) for name in asked["objectProperties"] if str(name) in schema.definitions]
    others = _far_kinds(call, kind, asked.get("associatedObjectType"))
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    labels = names if "NAMES" in internal else [schema.definitions[name]["label"] for name in names]
    lines.writerow(["Record ID", *labels, *(f"Associated {other.singular.capitalize()} IDs" for other in others)])
    cell: Callable[[Schema, Row, str], str] = _stored if "VALUES" in internal else _told
    for row in rows:
        far = [call.records.associations.of((kind.name, row.id), other) for other in others]
        ids = [";".join(other_id for other_id, _ in ends) for ends in far]
        lines.writerow([row.id, *(cell(schema, row, name) for name in names), *ids])
    return out.getvalue()


def _stored(schema: Schema, row: Row, name: str) -> str:
    return schema.value(row, name) or ""


def _told(schema: Schema, row: Row, name: str) -> str:
    labels = {option["value"]: option["label"] for option in schema.definitions[name]["options"]}
    value = schema.value(row, name) or ""
    return ";".join(labels.get(part, part) for part in value.split(";")) if labels else value


def _far_kinds(call: Call, kind: Kind, asked: Any) -> list[Kind]:
    """One name, or a list of them. Raises Refusal: 400, unknown or never associated."""
    names = [asked] if isinstance(asked, str) else list(asked or ())
    found = [call.portal.kind(str(name)) for name in names]
    for other in found:
        if (kind.name, other.name) not in directions(call.portal):
            raise bad_request(text("no_association", here=kind.type_id, there=other.type_id))
    return found


def _exports(call: Call) -> dict[str, Export]:
    found: dict[str, Export] = call.portal.space.settings.setdefault("exports", {})
    return found


def _wanted(call: Call, name: str) -> Export:
    """Raises Refusal 404."""
    export = _exports(call).get(call.params[name])
    if export is None:
        raise not_found()
    return export


def _state(call: Call, export: Export) -> str:
    now = call.portal.now()
    if now < datetime.fromisoformat(export["begins_at"]):
        return "PENDING"
    return "PROCESSING" if now < datetime.fromisoformat(export["done_at"]) else "COMPLETE"


def _seconds(call: Call) -> float:
    asked = call.portal.setting("export_seconds")
    if asked is None:
        return 0.0 if call.portal.world.clock.is_virtual else REAL_SECONDS
    return float(asked)


def _check_allowance(call: Call) -> None:
    day_ago = call.portal.now() - timedelta(days=1)
    recent = [one for one in _exports(call).values() if datetime.fromisoformat(one["asked_at"]) > day_ago]
    if len(recent) >= MOST_A_DAY:
        raise Refusal(429, text("too_many_exports", limit=MOST_A_DAY), "RATE_LIMITS")
