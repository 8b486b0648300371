"""Account information, API usage and owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.refusals import bad_request, not_found, text
from connectors.emulator.hubspot.replies import reply
from connectors.emulator.hubspot.times import wire

MOST_OWNERS = 500
OWNER_SCOPES = ["crm.objects.owners.read"]


def details(call: Call) -> Response:
    """Any key may ask. The offset is the time zone's of today."""
    account = call.portal.space.settings["account"]
    offset = call.portal.now().astimezone(ZoneInfo(account["timeZone"])).utcoffset() or timedelta()
    sign, minutes = ("-" if offset < timedelta() else "+"), abs(offset) // timedelta(minutes=1)
    shift = {
        "utcOffset": f"{sign}{minutes // 60:02d}:{minutes % 60:02d}",
        "utcOffsetMilliseconds": offset // timedelta(milliseconds=1),
    }
    return reply({"portalId": call.portal.portal_id, **account, **shift})


def daily_usage(call: Call) -> Response:
    """Calls of today. A service key's are not counted here: HubSpot reports zero for it."""
    now, limit = call.portal.now(), int(call.portal.setting("daily_limit"))
    zone = ZoneInfo(call.portal.space.settings["account"]["timeZone"])
    midnight = (now.astimezone(zone) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    usage = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": limit,
        "currentUsage": 0,
        "collectedAt": wire(now),
        "fetchStatus": "SUCCESS",
        "resetsAt": midnight.isoformat(),
    }
    return reply({"results": [usage]})


def list_owners(call: Call) -> Response:
    """In the order of ids; ``after`` is the id the next page begins with."""
    call.require(OWNER_SCOPES)
    limit, after = call.number("limit", 100, MOST_OWNERS), call.after() or 0
    archived, email = call.flag("archived"), (call.one("email") or "").lower()
    owners = sorted(call.portal.owners.values(), key=lambda owner: int(owner["id"]))
    listed = [
        owner
        for owner in owners
        if owner["archived"] == archived and int(owner["id"]) >= after and email in ("", owner["email"].lower())
    ]
    document: dict[str, Any] = {"results": listed[:limit]}
    if len(listed) > limit:
        document["paging"] = call.next_page(listed[limit]["id"])
    return reply(document)


def read_owner(call: Call) -> Response:
    """By owner id, or with ``idProperty=userId`` by the user behind it."""
    call.require(OWNER_SCOPES)
    id_property, archived = call.one("idProperty") or "id", call.flag("archived")
    if id_property not in {"id", "userId"}:
        raise bad_request(text("bad_owner_key", name=id_property))
    key = "id" if id_property == "id" else "userIdIncludingInactive"
    for owner in call.portal.owners.values():
        if str(owner[key]) == call.params["id"] and owner["archived"] == archived:
            return reply(owner)
    raise not_found()
