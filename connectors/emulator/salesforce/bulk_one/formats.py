"""The three forms of Bulk API 1.0: what a caller sends, and what is told in the form it uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.emulator.salesforce.bulk import csv_text
from connectors.emulator.salesforce.bulk.csv_text import BadCsv
from connectors.emulator.salesforce.bulk.jobs import Result
from connectors.emulator.salesforce.bulk.writing import failure, from_cells
from connectors.emulator.salesforce.bulk_one.jobs import Outcome
from connectors.emulator.salesforce.calls import Answer
from connectors.emulator.salesforce.one_row import Sent
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.soap.xml_text import BadXml, Element, parsed, written

JSON, CSV, XML = "JSON", "CSV", "XML"
MEDIA = {JSON: "application/json;charset=UTF-8", CSV: "text/csv", XML: "application/xml"}
NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
NOTHING_FOUND = "Records not found for this query"

Rows = tuple[list[str], list[Sent]]
"""(the names of all fields sent, the rows)"""


def form_of(headers_content_type: str) -> str:
    """The form a request about a job is in, and its answer."""
    return JSON if headers_content_type.startswith("application/json") else XML


def document(form: str, name: str, content: Any, status: int = 200) -> Answer:
    """``content`` under the element ``name``; JSON has no name."""
    if form == JSON:
        return Answer(status, content, {"Content-Type": MEDIA[JSON]})
    text = written(name, content).replace(f"<{name}>", f'<{name} xmlns="{NAMESPACE}">', 1)
    return Answer(status, headers={"Content-Type": MEDIA[XML]}, text=f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def fields_of(form: str, body: bytes) -> dict[str, Any]:
    """A job as it is asked for: JSON, or the children of ``jobInfo``. Raises BadCsv: it cannot be read."""
    try:
        if form == XML:
            return {child.name: child.text for child in parsed(body).children}
        found = orjson.loads(body)
    except (BadXml, orjson.JSONDecodeError) as error:
        raise BadCsv(str(error)) from None
    if not isinstance(found, dict):
        raise BadCsv("not one JSON object")
    return found


def rows_of(form: str, kind: ObjectType, body: bytes) -> Rows:
    """Raises BadCsv: it cannot be read."""
    if form == CSV:
        columns, cells = csv_text.read(body, "COMMA", "CRLF" if b"\r\n" in body else "LF")
        return columns, [from_cells(kind, columns, each) for each in cells]
    rows = _json_rows(body) if form == JSON else [_sobject(each) for each in _sobjects(body)]
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(_columns(row)))
    return list(names), rows


def _columns(row: Sent) -> Iterator[str]:
    """The names a CSV would have: a parent named by its key is one, ``Account.Key__c``."""
    for name, value in row.items():
        if isinstance(value, dict) and name != "attributes":
            yield from (f"{name}.{inner}" for inner in value)
        elif name != "attributes":
            yield name


def _json_rows(body: bytes) -> list[Sent]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadCsv(f"InvalidBatch : Unable to parse JSON. {error.msg}") from None
    if not isinstance(found, list) or any(not isinstance(row, dict) for row in found):
        raise BadCsv("InvalidBatch : Unable to parse JSON. The batch is no list of records")
    return found


def _sobjects(body: bytes) -> Iterator[Element]:
    try:
        return parsed(body).all("sObject")
    except BadXml as error:
        raise BadCsv(f"InvalidBatch : Failed to parse XML. {error}") from None


def _sobject(item: Element) -> Sent:
    """A nil element empties its field, an empty one leaves it."""
    return {
        child.name: None if child.is_nil else _parent(child) if child.children else child.text
        for child in item.children
        if child.is_nil or child.text or child.children
    }


def _parent(item: Element) -> Sent:
    """A parent named by its key: the fields of the record inside."""
    inner = item.first("sObject") or item
    return {child.name: child.text for child in inner.children}


def outcomes(form: str, found: Sequence[Outcome]) -> Answer:
    """What became of each row, in the order of the request."""
    if form == CSV:
        rows = [
            [each.record_id, str(each.refusal is None).lower(), str(each.created).lower(), _why(each.refusal)]
            for each in found
        ]
        text = csv_text.write(["Id", "Success", "Created", "Error"], rows, "COMMA", "LF")
        return Answer(200, headers={"Content-Type": MEDIA[CSV]}, text=text)
    results = [
        {
            "success": each.refusal is None,
            "created": each.created,
            "id": each.record_id or None,
            "errors": [] if each.refusal is None else [_error(each.refusal)],
        }
        for each in found
    ]
    if form == XML:
        return document(XML, "results", {"result": [_told(each) for each in results]})
    return document(JSON, "results", results)


def _told(result: dict[str, Any]) -> dict[str, Any]:
    """XML leaves out what is not there."""
    return {name: value for name, value in result.items() if value is not None}


def _why(refusal: Refusal | None) -> str:
    return "" if refusal is None else failure(refusal)


def _error(refusal: Refusal) -> dict[str, Any]:
    told = refusal.of_text()
    return {"message": told.message, "fields": list(told.fields or ()), "statusCode": told.code}


def result_ids(form: str, ids: list[str]) -> Answer:
    return document(JSON, "", ids) if form == JSON else document(XML, "result-list", {"result": ids})


def query_result(form: str, found: Result) -> Answer:
    """Every row there is. JSON tells days and moments in milliseconds since 1970 [K]."""
    if form == JSON:
        return document(JSON, "", [_with_numbers(found, each) for each in found.cursor.records(0, len(found))])
    if form == XML:
        records = [_named(found, cells) for cells in found.page(0, len(found))]
        answer = document(XML, "queryResult", {"records": records})
        answer.text = (answer.text or "").replace(" xmlns=", f' xmlns:xsi="{INSTANCE}" xmlns=', 1)
        return answer
    if not len(found):
        return Answer(200, headers={"Content-Type": MEDIA[CSV]}, text=NOTHING_FOUND + "\n")
    text = csv_text.write(found.columns, found.page(0, len(found)), "COMMA", "LF")
    return Answer(200, headers={"Content-Type": MEDIA[CSV]}, text=text)


def _named(found: Result, cells: list[str]) -> dict[str, Any]:
    return {name: cell or None for name, cell in zip(found.columns, cells, strict=True)}


def _with_numbers(found: Result, record: dict[str, Any]) -> dict[str, Any]:
    for name, kind in zip(found.columns, found.types, strict=True):
        if kind in ("date", "datetime"):
            *steps, last = name.split(".")
            inside: Any = record
            for step in steps:
                inside = (inside or {}).get(step)
            if inside and inside[last] is not None:
                inside[last] = _milliseconds(str(inside[last]))
    return record


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() * 1000)
