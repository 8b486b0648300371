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
from connectors.emulator.hubspot.times import milliseconds

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
        client_id = settings["refresh_tokens"][value]
        app = settings["apps"][client_id]
        use = {"active": True, "client_id": client_id, "token_use": "refresh_token"}
        return reply({**_described(call, value, app["app_id"], app["scopes"]), **use})
    if found is None or is_expired(call.portal, found):
        return reply({"active": False})
    client_id = next((name for name, app in settings["apps"].items() if app["app_id"] == found["app_id"]), "")
    use = {"active": True, "client_id": client_id, "token_use": "access_token"}
    return reply({**_described(call, value, found["app_id"], found["scopes"]), **use, **_signed(call, found)})


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
    described = _described(call, call.params["token"], found["app_id"], found["scopes"])
    return reply({**described, **_signed(call, found), "token_type": "access"})


def describe_service_key(call: Call) -> Response:
    """``POST /oauth/v2/private-apps/get/access-token-info`` with the key in the body."""
    found = call.portal.space.settings["tokens"].get(str(call.body.get("tokenKey", "")))
    if found is None:
        return _refused(call, "invalid_token", "BAD_ACCESS_TOKEN", "bad_access", 404)
    described = {"userId": _installer(call), "hubId": call.portal.portal_id, "appId": int(found["app_id"])}
    return reply({**described, "scopes": found["scopes"]})


def _described(call: Call, value: str, app_id: str, scopes: list[str]) -> dict[str, Any]:
    return {
        "token": value,
        "token_type": "bearer",
        "hub_id": call.portal.portal_id,
        "app_id": int(app_id),
        "user_id": _installer(call),
        "scopes": scopes,
    }


def _signed(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """What only an access token has: how long it lives, and itself once more in a signed form that nobody reads."""
    expires_at = datetime.fromisoformat(found["expires_at"]) if found["expires_at"] is not None else call.portal.now()
    signed = {
        **dict.fromkeys(("scopes", "scopeToScopeGroupPks", "trialScopes", "trialScopeToScopeGroupPks"), ""),
        **dict.fromkeys(("signature", "newSignature", "appInstallId", "audience"), ""),
        **dict.fromkeys(("isServiceAccount", "isUserLevel"), False),
        "isPrivateDistribution": True,
        "appId": int(found["app_id"]),
        "expiresAt": milliseconds(expires_at),
        "hubId": call.portal.portal_id,
        "hublet": call.portal.space.settings["account"]["dataHostingLocation"],
        "installingUserId": _installer(call),
        "userId": _installer(call),
    }
    left = {"expires_in": _seconds_left(call, found), "is_private_distribution": True}
    return {**left, "signed_access_token": signed}


def _installer(call: Call) -> int:
    """The user who installed every app here."""
    return int(next(iter(call.portal.owners.values()))["userIdIncludingInactive"])


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
