"""Communication preferences: who may be written to, by kind of e-mail and altogether.

v3 as the client library speaks it; v4 and the dated versions in a form of their own. Unsubscribing from everything is
the contact's read-only ``hs_email_optout``, too.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.batch_calls import document
from connectors.emulator.hubspot.call import Call, as_object
from connectors.emulator.hubspot.properties import SHIPPED_AT
from connectors.emulator.hubspot.refusals import Refusal, bad_request, load, text
from connectors.emulator.hubspot.replies import reply
from connectors.emulator.world import Row

OPT_OUT = "hs_email_optout"
BATCH_LIMIT = 100
READ_SCOPES = ["communication_preferences.read", "communication_preferences.read_write"]
WRITE_SCOPES = ["communication_preferences.write", "communication_preferences.read_write"]
STATES = ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED")
Document = dict[str, Any]
Subscription = dict[str, Any]


def definitions(call: Call) -> Response:
    call.require(READ_SCOPES)
    found = [{**one, "createdAt": SHIPPED_AT, "updatedAt": SHIPPED_AT} for one in subscriptions()]
    if call.version == "v3":
        return reply({"subscriptionDefinitions": found})
    return reply(document(call, found, []))


# v3 ------------------------------------------------------------------------------------------------------------------


def v3_statuses(call: Call) -> Response:
    call.require(READ_SCOPES)
    email = _email(call.params["email"])
    statuses = [_v3_status(call, email, one) for one in subscriptions()]
    return reply({"recipient": email, "subscriptionStatuses": statuses})


def v3_subscribe(call: Call) -> Response:
    """Raises Refusal: 400, subscribed already, or unsubscribed by themselves."""
    return _v3_set(call, "SUBSCRIBED")


def v3_unsubscribe(call: Call) -> Response:
    """Raises Refusal: 400, unsubscribed already."""
    return _v3_set(call, "UNSUBSCRIBED")


def _v3_set(call: Call, state: str) -> Response:
    call.require(WRITE_SCOPES)
    email = _email(str(call.body.get("emailAddress", "")))
    subscription = _subscription(call.body.get("subscriptionId"))
    before = _state(call, email, subscription)
    if before == state:
        raise bad_request(text("already_so", email=email, state=state.lower(), name=subscription["name"]))
    if before == "UNSUBSCRIBED" and not call.portal.setting("v3_resubscribes"):
        raise bad_request(text("no_resubscribing", email=email, name=subscription["name"]))
    _keep(call, email, subscription, state, call.body)
    return reply(_v3_status(call, email, subscription))


def _v3_status(call: Call, email: str, subscription: Subscription) -> Document:
    kept = _kept(call, email, subscription)
    return {
        "id": subscription["id"],
        "name": subscription["name"],
        "description": subscription["description"],
        "status": "SUBSCRIBED" if _state(call, email, subscription) == "SUBSCRIBED" else "NOT_SUBSCRIBED",
        "sourceOfStatus": "PORTAL_WIDE_STATUS" if _is_out(call, email) else "SUBSCRIPTION_STATUS",
        "preferenceGroupName": None,
        "legalBasis": kept.get("legalBasis"),
        "legalBasisExplanation": kept.get("legalBasisExplanation"),
    }


# v4 and dated --------------------------------------------------------------------------------------------------------


def statuses(call: Call) -> Response:
    call.require(READ_SCOPES)
    _require_channel(call.one("channel"))
    email = _email(call.params["email"])
    return reply(document(call, [_status(call, email, one) for one in subscriptions()], []))


def set_status(call: Call) -> Response:
    call.require(WRITE_SCOPES)
    return reply(document(call, [_set(call, _email(call.params["email"]), call.body)], []))


def read_out_of_all(call: Call) -> Response:
    """Empty for somebody who did not unsubscribe from everything."""
    call.require(READ_SCOPES)
    _require_channel(call.one("channel"))
    return reply(document(call, _wide_statuses(call, _email(call.params["email"])), []))


def unsubscribe_from_all(call: Call) -> Response:
    call.require(WRITE_SCOPES)
    _require_channel(call.one("channel"))
    email = _email(call.params["email"])
    _leave_all(call, email)
    reason = {"setStatusSuccessReason": "UNSUBSCRIBE_FROM_ALL_OCCURRED"}
    return reply(document(call, [{**_status(call, email, one), **reason} for one in subscriptions()], []))


def batch_read(call: Call) -> Response:
    call.require(READ_SCOPES)
    _require_channel(call.one("channel"))
    found = [
        {"subscriberIdString": email, "statuses": [_status(call, email, one) for one in subscriptions()]}
        for email in _emails(call)
    ]
    return reply(document(call, found, []))


def batch_write(call: Call) -> Response:
    """Each input alone."""
    call.require(WRITE_SCOPES)
    found, errors = [], []
    for one in map(as_object, call.list_of("inputs")[: _within_limit(call)]):
        try:
            found.append(_set(call, _email(str(one.get("subscriberIdString", ""))), one))
        except Refusal as refusal:
            errors.append(refusal.as_item(None))
    return reply(document(call, found, errors))


def batch_read_out_of_all(call: Call) -> Response:
    call.require(READ_SCOPES)
    _require_channel(call.one("channel"))
    found = [{"subscriberIdString": email, "wideStatuses": _wide_statuses(call, email)} for email in _emails(call)]
    return reply(document(call, found, []))


def batch_unsubscribe_from_all(call: Call) -> Response:
    """``verbose=true`` shows what became of each kind of e-mail."""
    call.require(WRITE_SCOPES)
    _require_channel(call.one("channel"))
    found: list[Document] = []
    for email in _emails(call):
        _leave_all(call, email)
        found.append({"subscriberIdString": email})
        if call.flag("verbose"):
            found[-1]["statuses"] = [_status(call, email, one) for one in subscriptions()]
    return reply(document(call, found, []))


def _set(call: Call, email: str, told: Document) -> Document:
    """Raises Refusal 400."""
    state = told.get("statusState")
    _require_channel(told.get("channel"))
    if state not in STATES:
        raise bad_request(text("bad_consent_state", value=state))
    subscription = _subscription(told.get("subscriptionId"))
    before = _state(call, email, subscription)
    reason = "NO_STATUS_CHANGE" if before == state else "REQUESTED_CHANGE_OCCURRED"
    if before == "UNSUBSCRIBED" and state == "SUBSCRIBED":
        reason = "RESUBSCRIBE_OCCURRED"
    if before != state:
        _keep(call, email, subscription, state, told)
    return {**_status(call, email, subscription), "setStatusSuccessReason": reason}


def _status(call: Call, email: str, subscription: Subscription) -> Document:
    kept = _kept(call, email, subscription)
    return {
        "subscriberIdString": email,
        "channel": "EMAIL",
        "subscriptionId": int(subscription["id"]),
        "subscriptionName": subscription["name"],
        "status": _state(call, email, subscription),
        "source": kept.get("source", "NOT_SPECIFIED"),
        "timestamp": kept.get("timestamp", SHIPPED_AT),
        "legalBasis": kept.get("legalBasis"),
        "legalBasisExplanation": kept.get("legalBasisExplanation"),
    }


def _wide_statuses(call: Call, email: str) -> list[Document]:
    if not _is_out(call, email):
        return []
    at = call.portal.space.settings["left_all"].get(email, SHIPPED_AT)
    wide = {"subscriberIdString": email, "channel": "EMAIL", "status": "UNSUBSCRIBED", "wideStatusType": "PORTAL_WIDE"}
    return [{**wide, "timestamp": at}]


# What is kept --------------------------------------------------------------------------------------------------------


def subscriptions() -> list[Subscription]:
    found: list[Subscription] = load("account")["subscriptions"]
    return found


def _subscription(number: Any) -> Subscription:
    """Raises Refusal: 400, there is no such kind of e-mail."""
    for one in subscriptions():
        if one["id"] == str(number):
            return one
    raise bad_request(text("no_subscription", id=number))


def _email(given: str) -> str:
    """Raises Refusal 400."""
    if "@" not in given.strip("@"):
        raise bad_request(text("bad_email", value=given))
    return given.lower()


def _emails(call: Call) -> list[str]:
    limit = _within_limit(call)
    return list(dict.fromkeys(_email(str(one)) for one in call.list_of("inputs")[:limit]))


def _within_limit(call: Call) -> int:
    """Raises Refusal: 400, too many inputs."""
    count = len(call.list_of("inputs"))
    if count > BATCH_LIMIT:
        raise bad_request(text("too_many_inputs", limit=BATCH_LIMIT, count=count))
    return BATCH_LIMIT


def _require_channel(given: Any) -> None:
    """Raises Refusal: 400, e-mail is the only channel."""
    if given != "EMAIL":
        raise bad_request(text("bad_channel", value=given))


def _state(call: Call, email: str, subscription: Subscription) -> str:
    if _is_out(call, email):
        return "UNSUBSCRIBED"
    return str(_kept(call, email, subscription).get("status", "NOT_SPECIFIED"))


def _kept(call: Call, email: str, subscription: Subscription) -> Document:
    found: Document = call.portal.space.settings["consent"].get(email, {}).get(subscription["id"], {})
    return found


def _keep(call: Call, email: str, subscription: Subscription, state: str, told: Document) -> None:
    """Subscribing to one kind of e-mail ends having left all of them."""
    call.portal.space.settings["consent"].setdefault(email, {})[subscription["id"]] = {
        "status": state,
        "source": f"Public API ({call.access.app_id})",
        "timestamp": call.portal.stamp_now(),
        "legalBasis": told.get("legalBasis"),
        "legalBasisExplanation": told.get("legalBasisExplanation"),
    }
    if state == "SUBSCRIBED" and _is_out(call, email):
        call.portal.space.settings["left_all"].pop(email, None)
        _mark_contact(call, email, None)


def _leave_all(call: Call, email: str) -> None:
    if not _is_out(call, email):
        call.portal.space.settings["left_all"][email] = call.portal.stamp_now()
        _mark_contact(call, email, "true")


def _contact(call: Call, email: str) -> Row | None:
    return call.portal.find_by(call.portal.kinds["contacts"], "email", email)


def _is_out(call: Call, email: str) -> bool:
    """The contact's own property counts where there is a contact: people change it, too."""
    contact = _contact(call, email)
    if contact is not None:
        return contact.values.get(OPT_OUT) == "true"
    return email in call.portal.space.settings["left_all"]


def _mark_contact(call: Call, email: str, value: str | None) -> None:
    contact = _contact(call, email)
    if contact is not None:
        with call.portal.transaction(call.actor) as transaction:
            transaction.update(contact, {OPT_OUT: value})
