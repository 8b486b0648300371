"""What goes around a SOAP call: headers in, result or fault out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from connectors.emulator.salesforce.soap.xml_text import BadXml, Element, parsed, written

OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns{what} '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
)
PARTNER = '="urn:partner.soap.sforce.com" xmlns:sf="urn:sobject.partner.soap.sforce.com"'
FAULT = ':sf="urn:fault.partner.soap.sforce.com"'


USUAL_FAULT = "UnexpectedErrorFault"
FAULTS = {
    "INVALID_FIELD": "InvalidFieldFault",
    "INVALID_ID": "InvalidIdFault",
    "INVALID_QUERY_LOCATOR": "InvalidQueryLocatorFault",
    "INVALID_TYPE": "InvalidSObjectFault",
    "MALFORMED_ID": "InvalidIdFault",
    "MALFORMED_QUERY": "MalformedQueryFault",
    "MALFORMED_SEARCH": "MalformedSearchFault",
}
"""Codes whose fault has a type of its own in the WSDL."""

WITH_PLACE = ("InvalidFieldFault", "InvalidSObjectFault", "MalformedQueryFault", "MalformedSearchFault")
"""They say the row and column of the query; -1 when there is none."""

PLACE = re.compile(r"ERROR at Row:(\d+):Column:(\d+)")


class Fault(Exception):
    """A call that came to nothing: HTTP 500. ``detail`` is the fault's type in the WSDL."""

    def __init__(self, code: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail or FAULTS.get(code, USUAL_FAULT)

    def text(self) -> str:
        code, message = escape(self.code), escape(self.message)
        return (
            OPENING.format(what=FAULT)
            + f"<soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode>"
            + f"<faultstring>{code}: {message}</faultstring>"
            + f'<detail><sf:{self.detail} xsi:type="sf:{self.detail}"><sf:exceptionCode>{code}</sf:exceptionCode>'
            + f"<sf:exceptionMessage>{message}</sf:exceptionMessage>{self._place()}</sf:{self.detail}></detail>"
            + "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        )

    def plain(self, namespace: str) -> str:
        """Without a detail, as the other SOAP APIs have it."""
        code, message = escape(self.code), escape(self.message)
        return (
            OPENING.format(what=f':sf="{namespace}"')
            + f"<soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode>"
            + f"<faultstring>{code}: {message}</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        )

    def _place(self) -> str:
        if self.detail not in WITH_PLACE:
            return ""
        match = PLACE.search(self.message)
        row, column = match.groups() if match is not None else ("-1", "-1")
        return f"<sf:row>{row}</sf:row><sf:column>{column}</sf:column>"


@dataclass(frozen=True, slots=True)
class Request:
    """``body`` is the operation's own element; ``header`` holds the header blocks."""

    header: Element
    body: Element

    @property
    def operation(self) -> str:
        return self.body.name

    def block(self, name: str) -> Element:
        """A header block, empty when it was not sent."""
        return self.header.first(name) or Element(name)


def read(data: bytes) -> Request:
    """Raises Fault: no SOAP envelope with one operation."""
    try:
        root = parsed(data)
    except BadXml as error:
        raise Fault("UNKNOWN_EXCEPTION", f"The XML could not be read: {error}") from None
    body = root.first("Body")
    if root.name != "Envelope" or body is None or len(body.children) != 1:
        raise Fault("UNKNOWN_EXCEPTION", "No operation available for request")
    return Request(root.first("Header") or Element("Header"), body.children[0])


def answer(operation: str, results: Any, usage: tuple[int, int] | None) -> str:
    """``results`` is one result or a list of them; ``usage`` is (requests used, allowed)."""
    header = ""
    if usage is not None:
        info = {"limitInfo": {"current": usage[0], "limit": usage[1], "type": "API REQUESTS"}}
        header = f"<soapenv:Header>{written('LimitInfoHeader', info)}</soapenv:Header>"
    body = written("result", results) if results is not None else ""
    return (
        OPENING.format(what=PARTNER)
        + header
        + f"<soapenv:Body><{operation}Response>{body}</{operation}Response></soapenv:Body></soapenv:Envelope>"
    )
