"""The few calls that exist in Salesforce's SOAP API alone. The client library has none of them.

The session id stands in the envelope and not in a header, and an expired one is told by a fault, so the renewal of
``calls`` is done here a second time. SOAP takes no access token in the form of a JWT.
"""

from __future__ import annotations

from collections.abc import Mapping

import requests
from simple_salesforce.api import Salesforce as Client

from agent.errors import AccessDenied
from connectors.salesforce.failures import SYSTEM, Failure, Fate, from_transport
from connectors.salesforce.login import Login
from connectors.salesforce.session import EgressRefused
from connectors.salesforce.xml_text import BadXml, Element, parsed, tag, text_tag

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
    'xmlns:s="urn:sobject.partner.soap.sforce.com">'
    "<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
)
_HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
_EXPIRED = "INVALID_SESSION_ID"
_NO_ONE_KNOWS = frozenset({"UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG"})
"""Faults after which the call may have had its effect. Any other says why nothing was done."""


class Soap:
    def __init__(self, login: Login, api_version: str) -> None:
        self._login = login
        self._version = api_version

    def call(self, operation: str, body: str, headers: Mapping[str, str]) -> list[Element] | Failure:
        """The result elements of one call, sent once; once more after an expired session, which had no effect.

        Raises:
            AccessDenied, Unavailable, BadReply: there is no session that SOAP takes, so nothing took effect.
        """
        client = self._login.client()
        answer = self._attempt(client, operation, body, headers)
        if not _is_expired(answer):
            return answer
        answer = self._attempt(self._login.renew(client), operation, body, headers)
        if _is_expired(answer):
            raise AccessDenied(
                "Salesforce's SOAP API refuses a fresh session",
                system=SYSTEM,
                why="it takes no JWT-based access tokens; the external client app must issue opaque ones",
                next_step="truce doctor",
            )
        return answer

    def _attempt(
        self, client: Client, operation: str, body: str, headers: Mapping[str, str]
    ) -> list[Element] | Failure:
        header = tag("SessionHeader", text_tag("sessionId", client.session_id))
        text = _ENVELOPE.format(header=header, body=tag(operation, body))
        try:
            response = client.session.post(
                f"https://{client.sf_instance}/services/Soap/u/{self._version}",
                data=text.encode(),
                headers={**_HEADERS, **headers},
            )
        except (requests.RequestException, EgressRefused) as error:
            return from_transport(error)
        return _read(response, operation)


def _read(response: requests.Response, operation: str) -> list[Element] | Failure:
    try:
        body = parsed(response.content).first("Body") if response.content else None
    except BadXml:
        body = None
    fault = body.first("Fault") if body is not None else None
    if fault is not None:
        code = fault.value("faultcode").rpartition(":")[2]
        fate: Fate = "lost" if code in _NO_ONE_KNOWS else "refused"
        return Failure(fate, code, response.status_code, fault.value("faultstring"))
    answer = body.first(f"{operation}Response") if body is not None else None
    if response.status_code != 200 or answer is None:
        return Failure("lost", "NOT_SOAP", response.status_code, words="the answer was not Salesforce's: no SOAP")
    return list(answer.all("result"))


def _is_expired(answer: list[Element] | Failure) -> bool:
    return isinstance(answer, Failure) and answer.code == _EXPIRED
