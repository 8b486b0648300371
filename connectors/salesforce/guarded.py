"""Conditional writes: nothing is overwritten that somebody changed since it was read.

A PATCH with If-Unmodified-Since, which Salesforce compares with LastModifiedDate in whole seconds: an edit in the very
second of the one we read cannot be told from it. Up to 25 of them share one composite call. Salesforce documents the
header for records and headers for sub-requests, but not the two together. So before the first such call one sub-request
that changes nothing asks for a record "if unmodified since 1990": only the answer 412 proves that the header holds
there. Without that proof every conditional write is a call of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from agent.connector import WriteError, WriteOutcome
from agent.records import Gone, MergedInto, Readout, Record, Ref
from connectors.salesforce.accounting import Fit, alone, collected, entry_header, failed, merged_away, rejected, unknown
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_write_error, from_vendor
from connectors.salesforce.reading import Reading, version_date
from connectors.salesforce.schema import http_date
from connectors.salesforce.session import MANDATORY_HEADERS

_CONDITION = "If-Unmodified-Since"
_LONG_AGO = http_date(datetime(1990, 1, 1, tzinfo=UTC))
_STALE = 412
_OWN_HEADERS = {name: text for name, text in MANDATORY_HEADERS.items() if name.startswith("Sforce-")}
"""A sub-request inherits nothing from the call around it."""


class Guarded:
    def __init__(self, calls: Calls, reading: Reading) -> None:
        self._calls = calls
        self._reading = reading
        self._holds_in_composites: bool | None = None
        self._probing = Lock()

    def groups(self, fit: Sequence[Fit]) -> list[list[Fit]]:
        """Which updates may share a call. Raises AccessDenied, Unavailable, BadReply: nothing was sent yet."""
        if len(fit) == 1 or not self._may_share(fit[0]):
            return [[item] for item in fit]
        return [list(fit)]

    def update(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        """One call for one of ``groups``."""
        dated = [(item, _conditions(item)) for item in fit]
        sent = {f"r{number}": (item, headers) for number, (item, headers) in enumerate(dated) if headers is not None}
        refused = [rejected(item.write, _no_version()) for item, headers in dated if headers is None]
        if not sent:
            return refused
        if len(sent) == 1:
            [(item, headers)] = sent.values()
            request = Request("PATCH", _path(item), body=item.body, headers={**headers, **entry_header([item])})
            return [alone(item, self._calls.send(request)), *refused]
        subs = [
            _sub(self._calls.root, "PATCH", item, name, headers, item.body) for name, (item, headers) in sent.items()
        ]
        items = {name: item for name, (item, _) in sent.items()}
        request = _composite(subs, headers=entry_header(list(items.values())))
        return [*_each(items, self._calls.send(request)), *refused]

    def delete(self, fit: Sequence[Fit]) -> list[WriteOutcome]:
        """Read, compare, delete: the condition does not hold for DELETE. The window is one round trip."""
        refs = [Ref(SYSTEM, item.write.object_type, item.record_id) for item in fit]
        readouts = self._reading.read(refs, ())
        errors = [(item, _moved(item, readout)) for item, readout in zip(fit, readouts, strict=True)]
        refused = [rejected(item.write, error) for item, error in errors if error is not None]
        ready = [item for item, error in errors if error is None]
        if not ready:
            return refused
        params = {"ids": ",".join(item.record_id for item in ready), "allOrNone": "false"}
        request = Request("DELETE", "composite/sobjects", params=params, headers=entry_header(ready))
        return [*collected(ready, self._calls.send(request)), *refused]

    def _may_share(self, item: Fit) -> bool:
        """Asked once per connection, and again while the answer says nothing."""
        with self._probing:
            if self._holds_in_composites is None:
                probe = _sub(self._calls.root, "GET", item, "probe", {_CONDITION: _LONG_AGO}, None)
                answer = self._calls.send(_composite([probe]))
                status = _statuses(answer).get("probe")
                if status not in (_STALE, 200):
                    return False
                self._holds_in_composites = status == _STALE
            return self._holds_in_composites


def _conditions(item: Fit) -> dict[str, str] | None:
    moment = version_date(item.write.expects_version or "")
    return None if moment is None else {_CONDITION: http_date(moment)}


def _no_version() -> WriteError:
    return WriteError("other", "BAD_VERSION", "the expected version is not one of ours")


def _path(item: Fit) -> str:
    return f"sobjects/{item.write.object_type}/{item.record_id}"


def _sub(root: str, method: str, item: Fit, name: str, headers: dict[str, str], body: Any) -> dict[str, Any]:
    url = f"{root}{_path(item)}" + ("?fields=Id" if method == "GET" else "")
    sub = {"method": method, "url": url, "referenceId": name, "httpHeaders": {**_OWN_HEADERS, **headers}}
    return sub if body is None else {**sub, "body": body}


def _composite(subs: list[dict[str, Any]], headers: dict[str, str] | None = None) -> Request:
    """Not all or none, and not collated: each sub-request stands for itself, in the order given."""
    body = {"allOrNone": False, "collateSubrequests": False, "compositeRequest": subs}
    return Request("POST", "composite", body=body, headers=headers or {})


def _each(items: dict[str, Fit], answer: Reply | Failure) -> list[WriteOutcome]:
    """By reference id, never by position; a sub-request without an answer is unknown."""
    if isinstance(answer, Failure):
        return [failed(item, answer) for item in items.values()]
    responses = _responses(answer)
    return [_outcome(item, responses.get(name)) for name, item in items.items()]


def _outcome(item: Fit, response: dict[str, Any] | None) -> WriteOutcome:
    status = response.get("httpStatusCode") if response is not None else None
    if response is None or not isinstance(status, int):
        return unknown(item)
    if status >= 300:
        failure = from_vendor(status, response.get("body"))
        is_lost = failure.fate == "lost"
        return unknown(item) if is_lost else rejected(item.write, as_write_error(failure, item.body.values()))
    return alone(item, Reply(status, response.get("body"), None))


def _responses(answer: Reply | Failure) -> dict[str, dict[str, Any]]:
    body = answer.body if isinstance(answer, Reply) else None
    listed = body.get("compositeResponse") if isinstance(body, dict) else None
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    names = [str(each.get("referenceId")) for each in found]
    return {} if len(set(names)) < len(names) else dict(zip(names, found, strict=True))


def _statuses(answer: Reply | Failure) -> dict[str, Any]:
    return {name: response.get("httpStatusCode") for name, response in _responses(answer).items()}


def _moved(item: Fit, readout: Readout) -> WriteError | None:
    """Why the record is not the one that was read, or None."""
    if isinstance(readout, Gone):
        return WriteError("gone", "ENTITY_IS_DELETED", "the record is deleted already")
    if isinstance(readout, MergedInto):
        return merged_away(readout)
    if not isinstance(readout, Record):
        return WriteError("permission", "UNREADABLE", readout.reason)
    if readout.version != item.write.expects_version:
        return WriteError("moved", "CHANGED", "the record changed since it was read")
    return None
