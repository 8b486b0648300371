"""``/sobjects/User/{id}/password``: whether it has run out, a new one of the caller's, or one made up."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.world import Row

SHORTEST = 8


def told(call: Call) -> Answer:
    _user(call)
    return Answer(200, {"isExpired": False})


def change(call: Call) -> Answer:
    """Raises Refusal: too short."""
    user, given = _user(call), call.fields().get("NewPassword")
    if not isinstance(given, str) or len(given) < SHORTEST:
        message = f"Your password must be at least {SHORTEST} characters long."
        raise Refusal(400, "INVALID_NEW_PASSWORD", message)
    _keep(call, user, given)
    return Answer(204)


def reset(call: Call) -> Answer:
    user = _user(call)
    made = hashlib.sha256(f"{user.id}{call.org.space.next_number('password')}".encode()).hexdigest()[:12]
    _keep(call, user, made)
    return Answer(200, {"NewPassword": made})


def _user(call: Call) -> Row:
    """Raises Refusal (404)."""
    return call.org.find_row(call.org.kind("User"), call.places["id"])


def _keep(call: Call, user: Row, password: str) -> None:
    """A new password brings a new security token, which the vendor sends by e-mail and which nobody sees here."""
    known: dict[str, Any] = call.org.space.settings["passwords"]
    token = hashlib.sha256(password.encode()).hexdigest()[:24]
    known[str(user.values["Username"]).lower()] = [user.id, password, token]
