"""Engagements, as v1 calls tasks, notes, calls, meetings and e-mails: all in one list, by the moment of change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.legacy_calls import live_rows
from connectors.emulator.hubspot.refusals import bad_request, text
from connectors.emulator.hubspot.replies import reply
from connectors.emulator.hubspot.times import milliseconds, read_moment
from connectors.emulator.world import Row

Document = dict[str, Any]
Place = tuple[int, int]
"""(milliseconds of the last change, id): where a page ends. Ids of all five types are apart from each other."""

PAGE, MOST_PER_PAGE = 100, 1_000
ASSOCIATED = {"contactIds": "contacts", "companyIds": "companies", "dealIds": "deals", "ticketIds": "tickets"}
TYPES = {"tasks": "TASK", "notes": "NOTE", "calls": "CALL", "meetings": "MEETING", "emails": "EMAIL"}
METADATA: dict[str, dict[str, str]] = {
    "tasks": {
        "body": "hs_task_body", "subject": "hs_task_subject", "status": "hs_task_status",
        "priority": "hs_task_priority", "taskType": "hs_task_type",
    },
    "notes": {"body": "hs_note_body"},
    "calls": {
        "body": "hs_call_body", "title": "hs_call_title", "status": "hs_call_status",
        "durationMilliseconds": "hs_call_duration", "toNumber": "hs_call_to_number",
        "fromNumber": "hs_call_from_number", "disposition": "hs_call_disposition",
        "recordingUrl": "hs_call_recording_url",
    },
    "meetings": {
        "body": "hs_meeting_body", "title": "hs_meeting_title", "startTime": "hs_meeting_start_time",
        "endTime": "hs_meeting_end_time", "meetingOutcome": "hs_meeting_outcome", "location": "hs_meeting_location",
    },
    "emails": {
        "subject": "hs_email_subject", "text": "hs_email_text", "html": "hs_email_html", "status": "hs_email_status",
    },
}  # fmt: skip
"""{type: {key of v1: property}}"""
NUMBERS = ("durationMilliseconds", "startTime", "endTime")
EMAIL_SCOPE = "sales-email-read"


def modified_after(call: Call) -> Response:
    """``after`` is a moment in milliseconds or the cursor of an earlier page; the oldest change comes first.

    Without the scope for e-mails they come without what is in them.
    """
    call.require(call.portal.kinds["contacts"].scopes("read"))
    after, limit = _place(call.one("after") or "0"), call.number("limit", PAGE, MOST_PER_PAGE)
    rows = sorted((row for row in live_rows(call, tuple(TYPES)) if _of(row) > after), key=_of)
    shown = rows[:limit]
    end = _of(shown[-1]) if shown else after
    results = [_engagement(call, row) for row in shown]
    return reply({"results": results, "hasMore": len(rows) > limit, "after": f"{end[0]}-{end[1]}"})


def _of(row: Row) -> Place:
    return milliseconds(row.stamp), int(row.id)


def _place(given: str) -> Place:
    """Of a moment alone the whole millisecond is over. Raises Refusal 400."""
    at, dash, record_id = given.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in (at, record_id or "0")):
        raise bad_request(text("bad_after", value=given))
    return int(at), int(record_id) if dash and record_id else 10**18


def _engagement(call: Call, row: Row) -> Document:
    owner = row.values.get("hubspot_owner_id")
    return {
        "engagement": {
            "id": int(row.id),
            "portalId": call.portal.portal_id,
            "active": True,
            "createdAt": milliseconds(row.created_at),
            "lastUpdated": milliseconds(row.stamp),
            "type": TYPES[row.object_type],
            "timestamp": _milliseconds(row.values.get("hs_timestamp")),
            **({"ownerId": int(owner)} if owner else {}),
        },
        "associations": {
            **{key: _near(call, row, name) for key, name in ASSOCIATED.items()},
            "ownerIds": [],
            "workflowIds": [],
        },
        "attachments": [],
        "metadata": _metadata(call, row),
    }


def _near(call: Call, row: Row, name: str) -> Sequence[int]:
    ends = call.records.associations.of((row.object_type, row.id), call.portal.kinds[name])
    return [int(other_id) for other_id, _ in ends]


def _metadata(call: Call, row: Row) -> Document:
    if row.object_type == "emails" and EMAIL_SCOPE not in call.access.scopes:
        return {}
    told = {key: row.values.get(name) for key, name in METADATA[row.object_type].items()}
    found: Document = {
        key: _milliseconds(value) if key in NUMBERS else value for key, value in told.items() if value is not None
    }
    return {**found, "forObjectType": "CONTACT"} if row.object_type == "tasks" else found


def _milliseconds(value: Any) -> int | None:
    at = read_moment(str(value)) if value else None
    return milliseconds(at) if at is not None else None
