"""Sessions: whose token a call carries, and how long it lives."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal

SCHEMES = ("bearer", "oauth")
LIGHTNING = ".lightning.force.com"
PROFILE_ID = "00e5g000001AbCdAAK"


def opened(org: Org, user_id: str) -> str:
    """A new access token. Its form is opaque, or JWT-like by the switch: SOAP takes only the opaque one."""
    org_id = org.space.settings["org_id"]
    seed = f"{org_id}{org.space.next_number('token')}"
    digest = hashlib.sha256(seed.encode()).hexdigest()
    if org.setting("token_format") == "jwt":
        head, body = (_base64(json.dumps(part)) for part in ({"alg": "RS256", "typ": "JWT"}, {"sub": user_id}))
        access = f"{head}.{body}.{digest}"
    else:
        access = f"{org_id[:15]}!practice.{digest[:60]}"
    org.space.settings["tokens"][access] = [(org.now + _life(org)).isoformat(), user_id]
    return access


def closed(org: Org, token: str) -> bool:
    """Whether there was such a session."""
    return org.space.settings["tokens"].pop(token, None) is not None


def user_behind(org: Org, token: str) -> str | None:
    """The user of a live session; use keeps it alive."""
    tokens, now = org.space.settings["tokens"], org.now
    found = tokens.get(token)
    if found is None:
        return None
    until, user_id = datetime.fromisoformat(found[0]), str(found[1])
    if until <= now:
        return None
    if until - now < _life(org) / 2:
        tokens[token] = [(now + _life(org)).isoformat(), user_id]
    return user_id


def user_of(org: Org, headers: Mapping[str, str]) -> str:
    """The user behind a request.

    Raises:
        Refusal: 401 INVALID_SESSION_ID, also for a Lightning host, whose sessions are no API sessions.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    is_lightning = headers.get("x-original-host", "").endswith(LIGHTNING)
    user_id = user_behind(org, value) if scheme.lower() in SCHEMES and not is_lightning else None
    if user_id is None:
        raise Refusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
    return user_id


def is_jwt(token: str) -> bool:
    return token.startswith("eyJ") and token.count(".") == 2


def _life(org: Org) -> timedelta:
    return timedelta(seconds=float(org.setting("token_seconds")))


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
