"""What goes around a SOAP call: headers in, result or fault out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from connectors.emulator.salesforce.soap.xml_text import BadXml, Element, parsed, written

OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns{what} '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)
PARTNER = '="urn:partner.soap.sforce.com"'
FAULT = ':sf="urn:fault.partner.soap.sforce.com"'


class Fault(Exception):
    """A call that came to nothing: HTTP 500. ``detail`` is the fault's type in the WSDL."""

    def __init__(self, code: str, message: str, detail: str = "UnexpectedErrorFault") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail

    def text(self) -> str:
        code, message = escape(self.code), escape(self.message)
        return (
            OPENING.format(what=FAULT)
            + f"<soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode>"
            + f"<faultstring>{code}: {message}</faultstring>"
            + f'<detail><sf:{self.detail} xsi:type="sf:{self.detail}"><sf:exceptionCode>{code}</sf:exceptionCode>'
            + f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{self.detail}></detail>"
            + "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        )


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
