"""What a failed call means: definitely no, perhaps, or try later. Every text here is our own.

Vendor messages quote record values and the client's exceptions carry headers and bodies, so none of them is
passed on: a complaint keeps codes, property names, record ids and the correlation id, nothing else.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import urllib3.exceptions as transport

from agent.connector import WriteError
from agent.errors import AccessDenied, BadReply, ConnectorError, NotPermitted, Unavailable
from connectors.hubspot.declaration import CALLS_USED_UP
from connectors.hubspot.ids import is_record_id
from connectors.hubspot.vendor import ERRORS, SYSTEM
from connectors.transport import in_plain_words

Kind = Literal["validation", "permission", "conflict", "gone", "moved", "duplicate", "throttled", "other"]
Fate = Literal["done", "refused", "throttled", "denied", "away", "unclear"]

DEFINITE_NO = frozenset({400, 403, 404, 405, 409, 413, 414, 415, 422, 437})
"""Statuses after which nothing was changed. Any other that is not a success leaves the outcome open."""

LOCKED, MIGRATING, TOO_MANY = 423, 477, 429
LOCKED_SECONDS = 2.0
WAIT_SECONDS = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
"""By ``policyName`` of a 429; HubSpot does not promise Retry-After there."""

_NEW_KEY = "copy the key anew (Settings > Integrations > Service keys), then: truce secrets set hubspot.token"
_LOGIN_WAYS_OUT = {
    "BAD_REFRESH_TOKEN": "install the app anew and keep its new token: truce secrets set hubspot.refresh_token",
    "BAD_CLIENT_ID": "keep the client id that the app's page shows: truce secrets set hubspot.client_id",
    "BAD_CLIENT_SECRET": "keep the client secret that the app's page shows: truce secrets set hubspot.client_secret",
}
"""By ``status`` of the token endpoint."""
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
_NAMING = ("propertyName", "properties")
_CORRELATION = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_OTHER_ID = (
    re.compile(r"Existing ID:\s*(\d{1,20})", re.ASCII),
    re.compile(r"(\d{1,20}) already has that value", re.ASCII),
)


class NothingSent(Unavailable):
    """No connection: the request never left."""


class ReplyLost(Unavailable):
    """The request left and no usable reply came: for a write the outcome is open."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error object of a reply, stripped of every value."""

    status: int
    code: str
    fields: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    other_id: str | None = None
    scopes: tuple[str, ...] = ()
    policy: str = ""
    correlation_id: str = ""

    @property
    def answer(self) -> str:
        """``HTTP 404 OBJECT_NOT_FOUND``."""
        return f"HTTP {self.status}" + (f" {self.code}" if self.code != f"HTTP_{self.status}" else "")


def transport_failure(error: Exception) -> Unavailable:
    """Turn an error of the transport into ``NothingSent`` or ``ReplyLost``; unsure counts as lost."""
    cause: object = error
    while isinstance(cause, transport.MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    before_sending = (
        transport.NewConnectionError,
        transport.ConnectTimeoutError,
        transport.NameResolutionError,
        transport.LocationValueError,
    )
    if isinstance(cause, before_sending) or _is_bad_certificate(cause):
        return NothingSent("no connection to HubSpot", system=SYSTEM, why=in_plain_words(error))
    return ReplyLost("HubSpot's reply was lost", system=SYSTEM, why=in_plain_words(error))


def _is_bad_certificate(cause: object) -> bool:
    return isinstance(cause, transport.SSLError) and any(
        isinstance(part, ssl.SSLCertVerificationError) for part in cause.args
    )


def fate(status: int) -> Fate:
    """What an HTTP status says about a write."""
    if 200 <= status < 300:
        return "done"
    if status == 401:
        return "denied"
    if status in (TOO_MANY, LOCKED):
        return "throttled"
    if status == MIGRATING:
        return "away"
    return "refused" if status in DEFINITE_NO else "unclear"


def complaints_of(status: int, body: Any) -> Iterator[Complaint]:
    """Each error object of a batch reply; the object itself when it is a single refusal."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, Mapping):
            yield complaint(status, error)


def complaint(status: int, body: Any) -> Complaint:
    """Read one error object, every part of it optional: HubSpot answers HTML, too."""
    if not isinstance(body, Mapping):
        return Complaint(status, f"HTTP_{status}")
    details = [*_parts(body.get("errors")), *_embedded(body.get("message"))]
    contexts = [part["context"] for part in (body, *details) if isinstance(part.get("context"), Mapping)]
    names = [name for part in details for name in _texts(part.get("name"))]
    names += [name for context in contexts for key in _NAMING for name in _texts(context.get(key))]
    codes = [code for part in details for code in (*_texts(part.get("code")), *_texts(part.get("error")))]
    codes += [*_texts(body.get("category")), *_texts(body.get("errorType"))]
    messages = " ".join(text for part in (body, *details) for text in _texts(part.get("message")))
    found = Complaint(
        status=status,
        code=next((code for code in codes if _CODE.fullmatch(code)), f"HTTP_{status}"),
        fields=tuple(dict.fromkeys(name for name in names if _NAME.fullmatch(name))),
        trace_ids=tuple(item for context in contexts for item in _texts(context.get("objectWriteTraceId"))),
        ids=tuple(item for context in contexts for item in _texts(context.get("ids")) if is_record_id(item)),
        other_id=_other_id(messages),
        scopes=tuple(
            scope
            for context in contexts
            for scope in _texts(context.get("requiredGranularScopes"))
            if _CODE.fullmatch(scope)
        ),
        policy=next((text for text in _texts(body.get("policyName")) if _CODE.fullmatch(text)), ""),
        correlation_id=next((text for text in _texts(body.get("correlationId")) if _CORRELATION.fullmatch(text)), ""),
    )
    if found.other_id is not None and status in (400, 409, 207):
        return replace(found, code="CONFLICT" if found.code == "VALIDATION_ERROR" else found.code)
    return found


def write_error(found: Complaint) -> WriteError:
    """A rejected write's reason in our own words."""
    known = ERRORS.get(found.code, {})
    kind = known.get("kind") or _kind_by_status(found)
    says = known.get("says", "HubSpot refused the write")
    about = f" ({', '.join(found.fields)})" if found.fields else ""
    reference = f"; HubSpot's reference {found.correlation_id}" if found.correlation_id else ""
    return WriteError(
        kind=cast("Kind", kind if kind in get_args(Kind) else "other"),
        code=found.code,
        message=f"{says}{about}{reference}",
        fields=found.fields,
        other_id=found.other_id,
    )


def read_error(found: Complaint, doing: str, retry_after: float | None) -> ConnectorError:
    """The exception for a read that was answered with an error status."""
    reference = f"HubSpot's reference {found.correlation_id}" if found.correlation_id else ""
    if found.status == 401:
        return AccessDenied(
            "HubSpot refused the key",
            system=SYSTEM,
            where=doing,
            why=found.code,
            next_step="truce doctor",
            mend=_NEW_KEY,
        )
    if found.status == 403:
        needed = f"one of these scopes is needed: {', '.join(found.scopes)}" if found.scopes else found.code
        return NotPermitted("HubSpot refused access", system=SYSTEM, where=doing, why=needed, next_step="truce doctor")
    if fate(found.status) in ("throttled", "away", "unclear"):
        return Unavailable(
            f"HubSpot cannot answer now while {doing}",
            system=SYSTEM,
            retry_after=waiting_seconds(found, retry_after),
            why=f"HTTP {found.status} {found.policy}" if found.policy else found.answer,
            mend=CALLS_USED_UP if found.policy == "DAILY" else "",
        )
    return BadReply(
        f"HubSpot refused {doing}",
        system=SYSTEM,
        where=doing,
        why=" ".join(part for part in (found.answer, *found.fields, reference) if part),
    )


def oauth_refusal(status: int, body: Any) -> ConnectorError:
    """Why the token endpoint gave no token; it answers in OAuth's own shape, whose codes hold no value."""
    said = body if isinstance(body, Mapping) else {}
    codes = [text for name in ("error", "status") for text in _texts(said.get(name)) if _CODE.fullmatch(text)]
    if not codes or fate(status) in ("throttled", "away", "unclear"):
        return NothingSent("HubSpot did not answer the login", system=SYSTEM, why=f"HTTP {status}")
    return AccessDenied(
        "HubSpot refused the login",
        system=SYSTEM,
        why=", ".join(codes),
        next_step="truce doctor",
        mend=next((_LOGIN_WAYS_OUT[code] for code in codes if code in _LOGIN_WAYS_OUT), ""),
    )


def waiting_seconds(found: Complaint, retry_after: float | None) -> float | None:
    """What the vendor said, else what its limit's name tells; None when neither does."""
    if retry_after is not None:
        return retry_after
    if found.status == LOCKED:
        return LOCKED_SECONDS
    return WAIT_SECONDS.get(found.policy) if found.status == TOO_MANY else None


def _kind_by_status(found: Complaint) -> Kind:
    by_status: dict[int, Kind] = {
        403: "permission",
        409: "conflict",
        LOCKED: "throttled",
        TOO_MANY: "throttled",
        MIGRATING: "throttled",
    }
    return by_status.get(found.status, "validation" if found.fields else "other")


def _parts(errors: object) -> list[Mapping[str, Any]]:
    return [part for part in errors if isinstance(part, Mapping)] if isinstance(errors, list) else []


def _embedded(message: object) -> list[Mapping[str, Any]]:
    """The JSON array that HubSpot writes into a validation message."""
    if not isinstance(message, str) or "[{" not in message:
        return []
    try:
        found, _ = json.JSONDecoder().raw_decode(message[message.index("[{") :])
    except ValueError:
        return []
    return _parts(found)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _other_id(messages: str) -> str | None:
    for pattern in _OTHER_ID:
        if (found := pattern.search(messages)) is not None:
            return found.group(1)
    return None
