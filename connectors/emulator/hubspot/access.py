"""Whose request it is: service keys and OAuth access tokens, with their scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.refusals import Refusal, text


@dataclass(frozen=True, slots=True)
class Access:
    """What a token stands for."""

    app_id: str
    scopes: frozenset[str]
    is_oauth: bool


NOBODY = Access("", frozenset(), is_oauth=False)
"""Who asks for a token."""


def access_of(portal: Portal, authorization: str) -> Access:
    """Raises Refusal: 401, no token, one that nobody knows, or one that expired."""
    scheme, _, token = authorization.partition(" ")
    found: dict[str, Any] | None = portal.space.settings["tokens"].get(token.strip())
    if scheme.lower() != "bearer" or found is None:
        raise Refusal(401, text("no_token"), "INVALID_AUTHENTICATION")
    if is_expired(portal, found):
        raise Refusal(401, text("expired_token"), "EXPIRED_AUTHENTICATION")
    return Access(found["app_id"], frozenset(found["scopes"]), found["expires_at"] is not None)


def is_expired(portal: Portal, token: dict[str, Any]) -> bool:
    """A service key has no end; an access token has."""
    return token["expires_at"] is not None and datetime.fromisoformat(token["expires_at"]) <= portal.now()
