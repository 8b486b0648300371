"""``/sobjects/User/{id}/password``: whether it has run out, a new one of the caller's, or one made up."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.world import Row

SHORTEST = 8


def told(call: Call) -> Answer:
    user_of(call, call.places["id"])
    return Answer(200, {"isExpired": False})


def change(call: Call) -> Answer:
    user = user_of(call, call.places["id"])
    renew(call, user, call.fields().get("NewPassword"))
    return Answer(204)


def renew(call: Call, user: Row, given: Any) -> None:
    """Raises Refusal: too short."""
    if not isinstance(given, str) or len(given) < SHORTEST:
        message = f"Your password must be at least {SHORTEST} characters long."
        raise Refusal(400, "INVALID_NEW_PASSWORD", message)
    _keep(call, user, given)


def reset(call: Call) -> Answer:
    return Answer(200, {"NewPassword": made_up(call, user_of(call, call.places["id"]))})


def made_up(call: Call, user: Row) -> str:
    made = hashlib.sha256(f"{user.id}{call.org.space.next_number('password')}".encode()).hexdigest()[:12]
    _keep(call, user, made)
    return made


def user_of(call: Call, user_id: str) -> Row:
    """Raises Refusal (404)."""
    return call.org.find_row(call.org.kind("User"), user_id)


def _keep(call: Call, user: Row, password: str) -> None:
    """A new password brings a new security token, which the vendor sends by e-mail and which nobody sees here."""
    known: dict[str, Any] = call.org.space.settings["passwords"]
    token = hashlib.sha256(password.encode()).hexdigest()[:24]
    known[str(user.values["Username"]).lower()] = [user.id, password, token]
