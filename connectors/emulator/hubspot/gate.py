"""What every request passes: token, scopes, rate limits; errors in HubSpot's own form."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.refusals import Refusal

Handler = Callable[[Request], Awaitable[Response]]
CONTENT_TYPE = "application/json;charset=utf-8"


def reply(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), status, {"Content-Type": CONTENT_TYPE, **(headers or {})})


def no_content() -> Response:
    return Response(status_code=204)


def portal_of(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal


def gated(handler: Handler, *, is_search: bool = False) -> Handler:
    """``handler`` behind the gate."""

    async def handle(request: Request) -> Response:
        portal = portal_of(request)
        try:
            request.state.token = _token(portal, request)
            limited = _over_limit(portal, is_search=is_search)
            if limited is not None:
                return limited
            answer = await handler(request)
        except Refusal as refusal:
            portal.answered += 1
            answer = reply(refusal.body(portal.answered), refusal.status)
        if not is_search:
            answer.headers.update(_limit_headers(portal))
        return answer

    return handle


async def body_of(request: Request) -> dict[str, Any]:
    """Raises Refusal: malformed JSON has no category."""
    try:
        document = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Refusal(
            400, f"Invalid input JSON on line {error.lineno}, column {error.colno}: {error.msg}", None
        ) from None
    if not isinstance(document, dict):
        raise Refusal(400, "Invalid input JSON on line 1, column 1: expected an object", None)
    return document


def check_scope(request: Request, kind_name: str, *, writing: bool) -> None:
    """Raises Refusal 403 MISSING_SCOPES. Tasks ride on the contacts scopes."""
    portal = portal_of(request)
    granted = portal.space.settings["tokens"][request.state.token]["scopes"]
    name = "contacts" if kind_name == "tasks" else kind_name
    wanted = f"crm.objects.{name}.{'write' if writing else 'read'}"
    if wanted not in granted:
        raise refusals.missing_scopes([wanted])


def _token(portal: Portal, request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or token not in portal.space.settings["tokens"]:
        raise refusals.unauthenticated()
    return token


def _over_limit(portal: Portal, *, is_search: bool) -> Response | None:
    now = portal.now()
    if (
        is_search
        and portal.setting("search_rate_limit")
        and _full(portal.searches, now, 1, portal.setting("search_rate_limit"))
    ):
        return _too_many(portal, "You have reached your secondly limit.", "SECONDLY")
    if portal.setting("ten_seconds_limit") and _full(portal.recent, now, 10, portal.setting("ten_seconds_limit")):
        return _too_many(portal, "You have reached your ten_secondly_rolling limit.", "TEN_SECONDLY_ROLLING")
    used = portal.space.settings
    day = now.date().isoformat()
    if used.get("day") != day:
        used["day"], used["requests_today"] = day, 0
    if used["requests_today"] >= portal.setting("daily_limit"):
        return _too_many(portal, "You have reached your daily limit.", "DAILY")
    used["requests_today"] += 1
    return None


def _full(window: deque[datetime], now: datetime, seconds: float, most: int) -> bool:
    while window and now - window[0] >= timedelta(seconds=seconds):
        window.popleft()
    if len(window) >= most:
        return True
    window.append(now)
    return False


def _too_many(portal: Portal, message: str, policy: str) -> Response:
    portal.answered += 1
    number = portal.answered
    body = {
        "status": "error",
        "message": message,
        "errorType": "RATE_LIMIT",
        "correlationId": refusals.correlation(number),
        "policyName": policy,
        "requestId": refusals.correlation(number + 1),
    }
    return reply(body, 429)


def _limit_headers(portal: Portal) -> dict[str, str]:
    most, daily = int(portal.setting("ten_seconds_limit") or 190), int(portal.setting("daily_limit"))
    used = int(portal.space.settings.get("requests_today", 0))
    return {
        "X-HubSpot-RateLimit-Daily": str(daily),
        "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, daily - used)),
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Max": str(most),
        "X-HubSpot-RateLimit-Remaining": str(max(0, most - len(portal.recent))),
    }
