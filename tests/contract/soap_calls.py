"""SOAP calls as a client of Salesforce makes them, over the library's own session: it has none itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from practice_org import Org

from connectors.emulator.salesforce.soap.xml_text import Element, parsed

ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="urn:partner.soap.sforce.com" '
    'xmlns:s="urn:sobject.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<e:Header>{header}</e:Header><e:Body><p:{operation}>{body}</p:{operation}></e:Body></e:Envelope>"
)


@dataclass(frozen=True)
class Reply:
    """``results`` are the result elements; ``fault`` is (code, message) of a call that came to nothing."""

    status: int
    content_type: str
    results: list[Element]
    fault: tuple[str, str] | None
    text: str

    @property
    def only(self) -> Element:
        [result] = self.results
        return result


def soap(
    org: Org, operation: str, body: str, *, version: str = "65.0", token: str | None = None, header: str = ""
) -> Reply:
    session = token if token is not None else org.sf.session_id
    blocks = f"<p:SessionHeader><p:sessionId>{escape(session)}</p:sessionId></p:SessionHeader>{header}"
    answer = org.session.post(
        f"https://practice.my.salesforce.com/services/Soap/u/{version}",
        data=ENVELOPE.format(header=blocks, operation=operation, body=body).encode(),
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
    )
    inside = parsed(answer.content).first("Body")
    assert inside is not None
    fault, results = inside.first("Fault"), []
    if fault is None:
        results = list(inside.children[0].all("result"))
    told = None if fault is None else (str(fault.value("faultcode")), str(fault.value("faultstring")))
    return Reply(answer.status_code, answer.headers["Content-Type"], results, told, answer.text)


def tags(name: str, values: Iterable[str]) -> str:
    return "".join(f"<p:{name}>{escape(value)}</p:{name}>" for value in values)


def sobject(object_type: str, record_id: str | None = None, *, tag: str = "p:sObjects", null: Iterable[str] = (),
            **fields: Any) -> str:  # fmt: skip
    inside = f"<s:type>{object_type}</s:type>"
    inside += "".join(f"<s:fieldsToNull>{name}</s:fieldsToNull>" for name in null)
    inside += f"<s:Id>{record_id}</s:Id>" if record_id else ""
    inside += "".join(f"<s:{name}>{escape(str(value))}</s:{name}>" for name, value in fields.items())
    return f"<{tag}>{inside}</{tag}>"


def merge(org: Org, object_type: str, master: str, *losers: str, null: Iterable[str] = (), **fields: Any) -> Reply:
    return soap(org, "merge", merge_request(object_type, master, *losers, null=null, **fields))


def merge_request(object_type: str, master: str, *losers: str, null: Iterable[str] = (), **fields: Any) -> str:
    record = sobject(object_type, master, tag="p:masterRecord", null=null, **fields)
    return f"<p:request>{record}{tags('recordToMergeIds', losers)}</p:request>"


def texts(element: Element, name: str) -> list[str]:
    return [each.text for each in element.all(name)]


def error_code(element: Element) -> str | None:
    error = element.first("errors")
    return None if error is None else error.value("statusCode")


def success(element: Element) -> bool:
    return element.is_true("success")
