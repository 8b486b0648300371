"""One request through the client library, and what became of it. The only place that touches the library's client.

A 401 "session expired" answer is cured once: one login for however many threads, then the same request with all
its headers again. That request had no effect, so this repeats nothing. No other request is ever sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import orjson
import requests
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import SalesforceError

from agent.errors import AccessDenied
from connectors.salesforce.failures import SYSTEM, Failure, as_error, from_transport, from_vendor
from connectors.salesforce.login import Login
from connectors.salesforce.session import EgressRefused

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class Reply:
    """A success with its decoded JSON (None for 204), or the text of a CSV (None for everything else).

    ``at`` is the vendor's clock, from the Date header; ``locator`` is that of the next page of a bulk result.
    """

    status: int
    body: Any
    at: datetime | None
    last_modified: str | None = None
    csv: str | None = None
    locator: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` is relative to the versioned API root, or absolute when it starts with a slash.

    ``body`` is sent as JSON, ``csv`` as it is; ``wants_csv`` says that nothing but a CSV is an answer.
    """

    method: Method
    path: str
    params: Mapping[str, str] | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    csv: bytes | None = None
    wants_csv: bool = False


class Calls:
    def __init__(self, login: Login) -> None:
        self._login = login
        self.root = login.root

    def ask(self, request: Request, doing: str) -> Reply:
        """A request that changes nothing. ``doing`` completes the sentence "Salesforce refused …".

        Raises:
            AccessDenied, Unavailable, BadReply: by what the failure means.
        """
        answer = self.send(request)
        if isinstance(answer, Failure):
            raise as_error(answer, doing)
        return answer

    def send(self, request: Request) -> Reply | Failure:
        """Any request.

        Raises:
            AccessDenied, Unavailable, BadReply: there is no valid session, so nothing took effect.
        """
        client = self._login.client()
        answer = _attempt(client, request)
        if not (isinstance(answer, Failure) and answer.is_expired_session):
            return answer
        answer = _attempt(self._login.renew(client), request)
        if isinstance(answer, Failure) and answer.is_expired_session:
            raise AccessDenied(
                "Salesforce refuses a fresh session",
                system=SYSTEM,
                why="HTTP 401 right after a successful login",
                next_step="truce doctor",
            )
        return answer


def _attempt(client: Client, request: Request) -> Reply | Failure:
    """One request, no exception: the library's exceptions hold the address and with it the query."""
    root = f"https://{client.sf_instance}"
    url = root + request.path if request.path.startswith("/") else client.base_url + request.path
    try:
        response = client._call_salesforce(
            request.method,
            url,
            params=dict(request.params) if request.params else None,
            data=_payload(request),
            headers=dict(request.headers) if request.csv is None else {**request.headers, "Content-Type": CSV},
        )
    except SalesforceError as error:
        return from_vendor(error.status, error.content)
    except (requests.RequestException, EgressRefused) as error:
        return from_transport(error)
    return _decoded_csv(response) if request.wants_csv else _decoded(response, may_be_empty=request.method == "PUT")


def _payload(request: Request) -> bytes | None:
    return request.csv if request.body is None else orjson.dumps(request.body)


def _decoded(response: requests.Response, *, may_be_empty: bool) -> Reply | Failure:
    """A success must be JSON or empty; anything else is a portal's page or a cut-off reply."""
    body: Any = None
    if response.content:
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            return Failure("lost", "NOT_JSON", response.status_code, words="the answer was not Salesforce's: no JSON")
    elif response.status_code != 204 and not (may_be_empty and response.status_code == 201):
        return Failure("lost", "EMPTY_REPLY", response.status_code, words="the answer was empty")
    last_modified = response.headers.get("Last-Modified")
    return Reply(response.status_code, body, _vendor_time(response), last_modified)


def _decoded_csv(response: requests.Response) -> Reply | Failure:
    if not response.headers.get("Content-Type", "").startswith(CSV):
        return Failure("lost", "NOT_CSV", response.status_code, words="the answer was not Salesforce's: no CSV")
    try:
        text = response.content.decode("utf-8")
    except UnicodeDecodeError:
        return Failure("lost", "NOT_CSV", response.status_code, words="the answer was not Salesforce's: no CSV")
    locator = response.headers.get("Sforce-Locator")
    following = None if locator in (None, "", "null") else locator
    return Reply(response.status_code, None, _vendor_time(response), csv=text, locator=following)


def _vendor_time(response: requests.Response) -> datetime | None:
    try:
        stamp = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return None
    return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
