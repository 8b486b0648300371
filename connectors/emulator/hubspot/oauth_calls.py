"""OAuth tokens: refresh, introspection, revocation, and what a service key may do."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response

from connectors.emulator.hubspot.access import is_expired
from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.portal import correlation_id
from connectors.emulator.hubspot.provisioning import new_token
from connectors.emulator.hubspot.refusals import text
from connectors.emulator.hubspot.replies import no_content, reply

TOKEN_SECONDS = 1_800


def token(call: Call) -> Response:
    """``POST /oauth/{version}/token`` with ``grant_type=refresh_token``.

    The refresh token stays good; with the switch ``refresh_rotation`` a new one comes and the old one is dead.
    """
    form, settings = _form(call), call.portal.space.settings
    app = settings["apps"].get(form.get("client_id", ""))
    if form.get("grant_type") != "refresh_token":
        return _refused(call, "unsupported_grant_type", "BAD_GRANT_TYPE", "bad_grant")
    if app is None:
        return _refused(call, "invalid_client", "BAD_CLIENT_ID", "bad_client")
    if app["secret"] != form.get("client_secret"):
        return _refused(call, "invalid_client", "BAD_CLIENT_SECRET", "bad_secret")
    refresh = form.get("refresh_token", "")
    if settings["refresh_tokens"].get(refresh) != form["client_id"]:
        return _refused(call, "invalid_grant", "BAD_REFRESH_TOKEN", "bad_refresh")
    expires_at = call.portal.now() + timedelta(seconds=TOKEN_SECONDS)
    number = call.portal.space.next_number("access token")
    access = "CO" + hashlib.sha256(f"{refresh} {number}".encode()).hexdigest()
    if call.portal.setting("refresh_rotation"):
        del settings["refresh_tokens"][refresh]
        refresh = f"practice-refresh-{hashlib.sha256(f'{refresh} {number}'.encode()).hexdigest()[:32]}"
        settings["refresh_tokens"][refresh] = form["client_id"]
    settings["tokens"][access] = new_token(app["app_id"], app["scopes"], expires_at.isoformat())
    granted = {
        "token_type": "bearer",
        "access_token": access,
        "refresh_token": refresh,
        "expires_in": TOKEN_SECONDS,
        "hub_id": call.portal.portal_id,
        "scopes": app["scopes"],
        "token_use": "access_token",
    }
    return reply(granted)


def introspect(call: Call) -> Response:
    """Unknown and expired tokens are not active; nothing else is said of them."""
    value, settings = _form(call).get("token", ""), call.portal.space.settings
    found: dict[str, Any] | None = settings["tokens"].get(value)
    if found is None and value in settings["refresh_tokens"]:
        app = settings["apps"][settings["refresh_tokens"][value]]
        return reply(_described(call, app["app_id"], app["scopes"], "refresh_token"))
    if found is None or is_expired(call.portal, found):
        return reply({"active": False})
    described = _described(call, found["app_id"], found["scopes"], "access_token")
    return reply({**described, "expires_in": _seconds_left(call, found)})


def revoke(call: Call) -> Response:
    """204, whether the token was known or not."""
    value, settings = _form(call).get("token", ""), call.portal.space.settings
    settings["refresh_tokens"].pop(value, None)
    settings["tokens"].pop(value, None)
    return no_content()


def describe_access_token(call: Call) -> Response:
    """``GET /oauth/v1/access-tokens/{token}``, deprecated."""
    found = call.portal.space.settings["tokens"].get(call.params["token"])
    if found is None or is_expired(call.portal, found):
        return _refused(call, "invalid_token", "BAD_ACCESS_TOKEN", "bad_access", 404)
    described = _described(call, found["app_id"], found["scopes"], "access")
    return reply({**described, "token": call.params["token"], "expires_in": _seconds_left(call, found)})


def describe_service_key(call: Call) -> Response:
    """``POST /oauth/v2/private-apps/get/access-token-info`` with the key in the body."""
    found = call.portal.space.settings["tokens"].get(str(call.body.get("tokenKey", "")))
    if found is None:
        return _refused(call, "invalid_token", "BAD_ACCESS_TOKEN", "bad_access", 404)
    first_user = next(iter(call.portal.owners.values()))["userIdIncludingInactive"]
    described = {"userId": first_user, "hubId": call.portal.portal_id, "appId": int(found["app_id"])}
    return reply({**described, "scopes": found["scopes"]})


def _described(call: Call, app_id: str, scopes: list[str], use: str) -> dict[str, Any]:
    return {
        "active": True,
        "hub_id": call.portal.portal_id,
        "app_id": int(app_id),
        "scopes": scopes,
        "token_type": use,
    }


def _seconds_left(call: Call, found: dict[str, Any]) -> int:
    if found["expires_at"] is None:
        return 0
    return int((datetime.fromisoformat(found["expires_at"]) - call.portal.now()).total_seconds())


def _form(call: Call) -> dict[str, str]:
    """Parameters are in the body, never in the query."""
    return dict(parse_qsl(call.raw.decode("utf-8", "replace"), keep_blank_values=True))


def _refused(call: Call, error: str, status: str, message: str, code: int = 400) -> Response:
    said = text(message)
    body = {"status": status, "message": said, "correlationId": correlation_id(call.request_id)}
    return reply({**body, "error": error, "error_description": said}, code)
