"""The token endpoint: four ways to a session, and their refusals."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import jwt

from connectors.emulator.salesforce import sessions
from connectors.emulator.salesforce.calls import Answer
from connectors.emulator.salesforce.org import Org

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE, SANDBOX_AUDIENCE = "https://login.salesforce.com", "https://test.salesforce.com"
Form = Mapping[str, str]


class Ungranted(Exception):
    """``error`` and its description, as OAuth has them; the description may be missing."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def token(org: Org, headers: Mapping[str, str], body: bytes) -> Answer:
    """``POST /services/oauth2/token``; client id and secret as Basic or as form fields."""
    form = dict(parse_qsl(body.decode("utf-8", "replace")))
    host = headers.get("x-original-host") or headers.get("host", "")
    try:
        match form.get("grant_type"):
            case "client_credentials":
                return Answer(200, _by_client(org, host, *_client(headers, form)))
            case "refresh_token":
                return Answer(200, _by_refresh_token(org, headers, form))
            case "password":
                return Answer(200, _by_password(org, headers, form))
            case grant if grant == JWT_BEARER:
                return Answer(200, _by_jwt(org, form))
        raise Ungranted("unsupported_grant_type", "grant type not supported")
    except Ungranted as refused:
        status = int(org.setting("token_error_status"))
        return Answer(status, {"error": refused.error, "error_description": refused.description})


def revoke(org: Org, body: bytes) -> Answer:
    """``POST /services/oauth2/revoke``"""
    given = dict(parse_qsl(body.decode("utf-8", "replace"))).get("token", "")
    if sessions.closed(org, given) or org.space.settings["refresh_tokens"].pop(given, None):
        return Answer(200, {})
    return Answer(400, {"error": "unsupported_token_type", "error_description": "this token is not known"})


def user_with_password(org: Org, username: str, password: str) -> tuple[str | None, str]:
    """(user id, "") or (None, the login problem's code). From outside the trusted network a token must follow."""
    known = org.space.settings["passwords"].get(username.lower())
    user = org.space.row("User", known[0]) if known is not None else None
    if known is None or user is None or not user.values["IsActive"]:
        return None, "INVALID_LOGIN"
    user_id, secret, security_token = known
    if password == secret + security_token or (password == secret and org.setting("trusted_network")):
        return str(user_id), ""
    return None, "LOGIN_MUST_USE_SECURITY_TOKEN" if password == secret else "INVALID_LOGIN"


def _by_client(org: Org, host: str, client_id: str, secret: str) -> dict[str, Any]:
    """On My Domain only, as the app's run-as user. Raises Ungranted."""
    if host.startswith(("login.", "test.")):
        raise Ungranted("invalid_grant", "request not supported on this domain")
    _check_client(org, client_id, secret)
    if org.setting("run_as") not in org.space.settings["users"]:
        raise Ungranted("invalid_grant", "no client credentials user enabled")
    granted = _granted(org, org.user_id(org.setting("run_as")))
    return {**granted, "api_instance_url": "https://api.salesforce.com"}


def _by_refresh_token(org: Org, headers: Mapping[str, str], form: Form) -> dict[str, Any]:
    """With rotation a new refresh token comes along and the old one is dead. Raises Ungranted."""
    _check_client(org, *_client(headers, form))
    known: dict[str, str] = org.space.settings["refresh_tokens"]
    given = form.get("refresh_token", "")
    if given not in known:
        raise Ungranted("invalid_grant", "expired access/refresh token")
    user_id = known[given]
    granted = _granted(org, user_id)
    if org.setting("refresh_rotation"):
        del known[given]
        fresh = hashlib.sha256(f"{given}{org.space.next_number('refresh')}".encode()).hexdigest()
        known[fresh] = user_id
        granted["refresh_token"] = fresh
    return granted


def _by_password(org: Org, headers: Mapping[str, str], form: Form) -> dict[str, Any]:
    """Raises Ungranted."""
    _check_client(org, *_client(headers, form))
    user_id, _ = user_with_password(org, form.get("username", ""), form.get("password", ""))
    if user_id is None or not org.setting("password_flow"):
        raise Ungranted("invalid_grant", "authentication failure")
    return _granted(org, user_id)


def _by_jwt(org: Org, form: Form) -> dict[str, Any]:
    """Signed by the key whose certificate the app holds; ``exp`` may be a text, as simple-salesforce sends it.

    Raises:
        Ungranted: another key, audience or user than agreed, or too late.
    """
    assertion = form.get("assertion", "")
    client_id = _unverified(assertion).get("iss")
    certificate = org.space.settings["certificates"].get(client_id)
    if client_id not in org.space.settings["clients"]:
        raise Ungranted("invalid_client_id", "client identifier invalid")
    if certificate is None:
        raise Ungranted("invalid_grant", "invalid assertion")
    domain = str(org.space.settings["domain"])
    login = SANDBOX_AUDIENCE if ".sandbox." in domain else AUDIENCE
    audiences = [login, f"https://{domain}.salesforce.com"]
    try:
        claims = jwt.decode(
            assertion,
            certificate,
            algorithms=["RS256"],
            audience=audiences,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},  # by the emulator's own clock
        )
        expires = float(claims.get("exp", 0))
    except jwt.InvalidAudienceError:
        raise Ungranted("invalid_grant", "audience is invalid") from None
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise Ungranted("invalid_grant", "invalid assertion") from None
    if expires <= org.now.timestamp():
        raise Ungranted("invalid_grant", "assertion is expired")
    user_id = _user_named(org, str(claims.get("sub", "")))
    if user_id is None or not org.setting("app_is_approved"):
        raise Ungranted("invalid_grant", "user hasn't approved this consumer")
    granted = _granted(org, user_id)
    return {name: granted[name] for name in ("access_token", "scope", "instance_url", "id", "token_type")}


def _unverified(assertion: str) -> dict[str, Any]:
    """Raises Ungranted: no JWT."""
    try:
        found: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise Ungranted("invalid_grant", "invalid assertion") from None
    return found


def _user_named(org: Org, username: str) -> str | None:
    users = org.space.table("User").values()
    return next((row.id for row in users if row.values["Username"] == username and row.values["IsActive"]), None)


def _client(headers: Mapping[str, str], form: Form) -> tuple[str, str]:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _check_client(org: Org, client_id: str, secret: str) -> None:
    """Raises Ungranted."""
    known = org.space.settings["clients"]
    if client_id not in known:
        raise Ungranted("invalid_client_id", "client identifier invalid")
    if known[client_id] != secret:
        raise Ungranted("invalid_client", "invalid client credentials")


def _granted(org: Org, user_id: str) -> dict[str, Any]:
    settings = org.space.settings
    access = sessions.opened(org, user_id)
    return {
        "access_token": access,
        "signature": base64.b64encode(hashlib.sha256(access.encode()).digest()).decode(),
        "scope": "api",
        "instance_url": f"https://{settings['domain']}.salesforce.com",
        "id": org.identity_address(user_id),
        "token_type": "Bearer",
        "issued_at": str(int(org.now.timestamp() * 1000)),
    }
