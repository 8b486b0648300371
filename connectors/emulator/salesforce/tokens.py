"""The token endpoint (client credentials), revocation, and whose token a call carries."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from connectors.emulator.salesforce.calls import Answer
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal

SCHEMES = ("bearer", "oauth")
LIGHTNING = ".lightning.force.com"


def token(org: Org, headers: Mapping[str, str], body: bytes) -> Answer:
    """``POST /services/oauth2/token``; client id and secret as Basic or as form fields, on My Domain only."""
    form = _form(body)
    host = headers.get("x-original-host") or headers.get("host", "")
    if form.get("grant_type") != "client_credentials":
        return _refused("unsupported_grant_type", "grant type not supported")
    if host.startswith(("login.", "test.")):
        return _refused("invalid_grant", "request not supported on this domain")
    client_id, secret = _credentials(headers, form)
    known = org.space.settings["clients"]
    if client_id not in known:
        return _refused("invalid_client_id", "client identifier invalid")
    if known[client_id] != secret:
        return _refused("invalid_client", "invalid client credentials")
    if org.setting("run_as") not in org.space.settings["users"]:
        return _refused("invalid_grant", "no client credentials user enabled")
    return Answer(200, _granted(org))


def revoke(org: Org, body: bytes) -> Answer:
    """``POST /services/oauth2/revoke``"""
    found = org.space.settings["tokens"].pop(_form(body).get("token", ""), None)
    return Answer(200, {}) if found is not None else _refused("unsupported_token_type", "this token is not known")


def user_of(org: Org, headers: Mapping[str, str]) -> str:
    """The user behind a request's token; use keeps a token alive.

    Raises:
        Refusal: 401 INVALID_SESSION_ID, also for a Lightning host, whose sessions are no API sessions.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    tokens = org.space.settings["tokens"]
    found = tokens.get(value) if scheme.lower() in SCHEMES else None
    now = org.now
    if found is None or headers.get("x-original-host", "").endswith(LIGHTNING):
        raise _expired()
    until, user_id = datetime.fromisoformat(found[0]), str(found[1])
    if until <= now:
        raise _expired()
    life = timedelta(seconds=float(org.setting("token_seconds")))
    if until - now < life / 2:
        tokens[value] = [(now + life).isoformat(), user_id]
    return user_id


def _expired() -> Refusal:
    return Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _credentials(headers: Mapping[str, str], form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _granted(org: Org) -> dict[str, Any]:
    settings, now = org.space.settings, org.now
    org_id, user_id = settings["org_id"], org.user_id(org.setting("run_as"))
    seed = f"{org_id}{org.space.next_number('token')}"
    access = f"{org_id[:15]}!practice.{hashlib.sha256(seed.encode()).hexdigest()[:60]}"
    life = timedelta(seconds=float(org.setting("token_seconds")))
    settings["tokens"][access] = [(now + life).isoformat(), user_id]
    return {
        "access_token": access,
        "signature": base64.b64encode(hashlib.sha256(access.encode()).digest()).decode(),
        "scope": "api",
        "instance_url": f"https://{settings['domain']}.salesforce.com",
        "id": f"https://login.salesforce.com/id/{org_id}/{user_id}",
        "token_type": "Bearer",
        "issued_at": str(int(now.timestamp() * 1000)),
        "api_instance_url": "https://api.salesforce.com",
    }


def _refused(error: str, description: str) -> Answer:
    return Answer(400, {"error": error, "error_description": description})
