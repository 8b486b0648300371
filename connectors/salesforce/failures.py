"""What a failed request means: nothing was sent, the vendor said no, or nobody knows.

The vendor's texts and the library's exceptions quote values, tokens and whole queries. None of that leaves this
module inside an exception; a refused write keeps the vendor's sentence with our values and e-mail addresses blotted.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, cast

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError

from agent.connector import WriteError
from agent.errors import AccessDenied, BadReply, ConnectorError, NotPermitted, Unavailable
from connectors.salesforce.declaration import CALLS_USED_UP
from connectors.salesforce.ids import full_id
from connectors.salesforce.session import EgressRefused
from connectors.transport import in_plain_words

SYSTEM = "salesforce"

Fate = Literal["not sent", "refused", "lost"]
"""``refused``: a definite no, nothing changed. ``lost``: it may have happened."""

Kind = Literal["validation", "permission", "conflict", "gone", "moved", "duplicate", "throttled", "locked", "other"]

_TABLE = json.loads(files(__package__).joinpath("error_kinds.json").read_text(encoding="utf-8"))
_KINDS = cast(dict[str, Kind], _TABLE["kinds"])
_STATUS_KINDS = cast(dict[str, Kind], _TABLE["statuses"])
_TRY_LATER = frozenset(_TABLE["try_later"])

_REQUEST_TIMEOUT = 408
_API_OFF = ("API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG")
_API_WAY_OUT = "let an administrator switch the API on again; editions below Enterprise have it only as an add-on"
_GONE = 410
"""Of an API version that Salesforce has retired (those below 31.0)."""
_VERSION_WAY_OUT = "in config.yaml under salesforce: remove api_version, so that Truce uses a version it knows"
_EXPIRED_CODE = "INVALID_SESSION_ID"
_EXPIRED_TEXT = "Session expired or invalid"
_VANISHED_TEXT = "invalid cross reference id"
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,79}")
_EMAIL = re.compile(r"[^\s@<>:;,'\"()\[\]]+@[^\s@<>:;,'\"()\[\]]+")
_OTHER_ID = re.compile(r"\bid: ([0-9A-Za-z]{15,18})\b")
_LONGEST_MESSAGE = 500
_SHORTEST_SECRET = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no answer. ``text`` is the vendor's and may hold values: never put it in an exception."""

    fate: Fate
    code: str
    status: int | None = None
    text: str = ""
    fields: tuple[str, ...] = ()
    other_id: str | None = None
    words: str = ""
    """Ours, where the vendor said nothing."""

    @property
    def why(self) -> str:
        """For people: our words, else the vendor's status and code."""
        if self.words or self.status is None:
            return self.words or self.code
        return f"HTTP {self.status}" + (f", {self.code}" if self.code != f"HTTP_{self.status}" else "")

    @property
    def is_expired_session(self) -> bool:
        """Only this 401 is cured by a new login; others (high assurance, agent apps) would loop for ever."""
        return self.status == 401 and self.code == _EXPIRED_CODE and _EXPIRED_TEXT in self.text

    @property
    def is_about_all(self) -> bool:
        """Whether nothing at all would be answered: the session, the API switched off, or somebody in between."""
        return self.status == 401 or self.code in _API_OFF or self.code == f"HTTP_{self.status}"

    @property
    def is_definite(self) -> bool:
        """Whether the same request would be refused again in a moment."""
        return self.kind not in ("throttled", "locked") and self.code not in _TRY_LATER

    @property
    def kind(self) -> Kind:
        if self.code == "INVALID_CROSS_REFERENCE_KEY" and self.text.strip().lower() == _VANISHED_TEXT:
            return "gone"
        return _KINDS.get(self.code) or _STATUS_KINDS.get(str(self.status), "other")


def from_transport(error: requests.RequestException | EgressRefused) -> Failure:
    """A request that ended without an HTTP answer."""
    if isinstance(error, EgressRefused):
        return Failure("not sent", "EGRESS_REFUSED", text=str(error))
    if isinstance(error, requests.exceptions.ConnectTimeout) or _never_connected(error):
        return Failure("not sent", "NOT_CONNECTED", words=in_plain_words(error))
    if isinstance(error, requests.exceptions.Timeout):
        return Failure("lost", "TIMED_OUT", words="no answer came in time")
    return Failure("lost", "CONNECTION_LOST", words=in_plain_words(error))


def from_vendor(status: int, content: Any) -> Failure:
    """An HTTP answer that is no success; ``content`` is its decoded JSON, or its text."""
    problem = _first_problem(content)
    fate: Fate = "refused" if status == 300 or (400 <= status < 500 and status != _REQUEST_TIMEOUT) else "lost"
    if problem is None:
        return Failure(fate, f"HTTP_{status}", status)
    return _from_problem(problem, fate, status)


def from_row(problems: Iterable[Any]) -> Failure:
    """The errors of one record inside a collections reply, which answers 200 for the call as a whole."""
    problem = next((item for item in problems if isinstance(item, Mapping)), {})
    return _from_problem(problem, "refused", None)


def as_error(failure: Failure, doing: str) -> ConnectorError:
    """The failure as an exception that holds no value. ``doing`` reads like "reading Contact"."""
    why = failure.why
    if failure.code == "EGRESS_REFUSED":
        return AccessDenied(f"{doing} was stopped before it left", system=SYSTEM, why=failure.text)
    if failure.fate == "not sent":
        return Unavailable("Salesforce cannot be reached", system=SYSTEM, why=f"{doing}: {why}")
    if failure.fate == "lost" or failure.kind in ("throttled", "locked") or failure.code in _TRY_LATER:
        mend = CALLS_USED_UP if failure.code == "REQUEST_LIMIT_EXCEEDED" else ""
        return Unavailable(f"Salesforce did not answer {doing}", system=SYSTEM, why=why, mend=mend)
    if failure.status == 401 or failure.kind == "permission":
        refusal = AccessDenied if failure.is_about_all else NotPermitted
        mend = _API_WAY_OUT if failure.code in _API_OFF else ""
        return refusal(f"Salesforce refused {doing}", system=SYSTEM, why=why, next_step="truce doctor", mend=mend)
    mend = _VERSION_WAY_OUT if failure.status == _GONE else ""
    return BadReply(f"Salesforce refused {doing}", system=SYSTEM, why=why, mend=mend)


def as_write_error(failure: Failure, values: Iterable[object]) -> WriteError:
    """The failure as the reason of a rejected write; ``values`` are those we sent, which the text must not repeat."""
    text = redacted(failure.text, values) or failure.words or failure.code.replace("_", " ").lower()
    return WriteError(failure.kind, failure.code, text, failure.fields, failure.other_id)


def redacted(text: str, values: Iterable[object] = ()) -> str:
    """``text`` without the given values, without e-mail addresses, and no longer than a paragraph."""
    spoken = sorted({str(value).strip() for value in values if isinstance(value, str)}, key=len, reverse=True)
    for value in spoken:
        if len(value) >= _SHORTEST_SECRET:
            text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    return _EMAIL.sub("…", text)[:_LONGEST_MESSAGE]


def _from_problem(problem: Mapping[str, Any], fate: Fate, status: int | None) -> Failure:
    # REST says errorCode, collections say statusCode
    spoken = problem.get("errorCode") or problem.get("statusCode")
    code = spoken if isinstance(spoken, str) and _CODE.fullmatch(spoken) else f"HTTP_{status}"
    text = problem.get("message")
    message = text if isinstance(text, str) else ""
    fields = problem.get("fields")
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return Failure(fate, code, status, message, names, _other_id(problem, message))


def _first_problem(content: Any) -> Mapping[str, Any] | None:
    first = content[0] if isinstance(content, list) and content else content
    return first if isinstance(first, Mapping) and ("errorCode" in first or "statusCode" in first) else None


def _other_id(problem: Mapping[str, Any], message: str) -> str | None:
    """The record in the way: named in the text of DUPLICATE_VALUE, listed by a duplicate rule."""
    found = _OTHER_ID.search(message)
    candidates = [found.group(1)] if found else []
    # Salesforce really spells the key this way
    result = problem.get("duplicateResut") or problem.get("duplicateResult")
    candidates += _match_ids(result) if isinstance(result, Mapping) else []
    return next((whole for text in candidates if (whole := full_id(text, "")) is not None), None)


def _match_ids(result: Mapping[str, Any]) -> Iterator[str]:
    for match in _mappings(result.get("matchResults")):
        for record in _mappings(match.get("matchRecords")):
            body = record.get("record")
            if isinstance(body, Mapping) and isinstance(body.get("Id"), str):
                yield body["Id"]


def _mappings(items: Any) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _never_connected(error: requests.RequestException) -> bool:
    """No connection was made, so no byte of the request left."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, NewConnectionError | ConnectTimeoutError | NameResolutionError):
        return True
    return any(isinstance(item, ssl.SSLCertVerificationError) for item in getattr(reason, "args", ()))
