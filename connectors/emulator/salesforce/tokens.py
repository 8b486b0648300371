"""The token endpoint (client credentials) and the check of every other request."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.salesforce.org import API_USER, Org, expiry
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.replies import reply


async def token(request: Request) -> Response:
    """``POST /services/oauth2/token``; client id and secret as Basic or as form fields."""
    org: Org = request.app.state.org
    form = dict(parse_qsl((await request.body()).decode()))
    host = request.headers.get("x-original-host", request.headers.get("host", ""))
    if form.get("grant_type") != "client_credentials":
        return _refused(request, "unsupported_grant_type", "grant type not supported")
    if host.startswith(("login.", "test.")):
        return _refused(request, "invalid_grant", "request not supported on this domain")
    client_id, secret = _credentials(request, form)
    known = org.space.settings["clients"]
    if client_id not in known:
        return _refused(request, "invalid_client_id", "client identifier invalid")
    if known[client_id] != secret:
        return _refused(request, "invalid_client", "invalid client credentials")
    return reply(request, _granted(org, request))


def check_token(org: Org, request: Request) -> None:
    """Raises Refusal (401 INVALID_SESSION_ID)."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    until = org.space.settings["tokens"].get(value) if scheme in ("Bearer", "OAuth") else None
    if until is None or datetime.fromisoformat(until) <= org.world.clock.now():
        raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _granted(org: Org, request: Request) -> dict[str, Any]:
    now = org.world.clock.now()
    number = org.space.next_number("token")
    org_id, user_id = org.space.settings["org_id"], org.user_id(API_USER)
    access = f"{org_id[:15]}!practice.{number}.{hashlib.sha256(f'{org_id}{number}'.encode()).hexdigest()[:40]}"
    org.space.settings["tokens"][access] = (now + expiry(org)).isoformat()
    return {
        "access_token": access,
        "signature": base64.b64encode(hashlib.sha256(access.encode()).digest()).decode(),
        "scope": "api",
        "instance_url": f"https://{org.space.settings['domain']}.salesforce.com",
        "id": f"https://login.salesforce.com/id/{org_id}/{user_id}",
        "token_type": "Bearer",
        "issued_at": str(int(now.timestamp() * 1000)),
        "api_instance_url": "https://api.salesforce.com",
    }


def _refused(request: Request, error: str, description: str) -> Response:
    return reply(request, {"error": error, "error_description": description}, 400)
