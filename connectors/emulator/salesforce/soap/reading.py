"""SOAP calls that read: queries page by page, records by id, searches, what changed. REST's handlers do the work.

An sObject tells its type and its id before its fields, and the id again where it was selected, as recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.emulator.salesforce import collections, querying, replication, searching
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import unknown_type
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.soap.envelope import Fault, Request
from connectors.emulator.salesforce.soap.xml_text import Typed, written

USUAL_PAGE = 500
MOST_RETRIEVED = 2_000
ADDRESS = (
    "latitude", "longitude", "city", "country", "countryCode", "geocodeAccuracy", "postalCode", "state", "stateCode",
    "street",
)  # fmt: skip
XSD = {bool: "xsd:boolean", int: "xsd:int", float: "xsd:double", str: "xsd:string"}

Record = dict[str, Any]
Handler = Callable[[Call], Answer]


def query(call: Call, request: Request) -> Typed:
    return _first_page(call, request, querying.query)


def query_all(call: Call, request: Request) -> Typed:
    return _first_page(call, request, querying.query_all)


def query_more(call: Call, request: Request) -> Typed:
    locator = request.body.value("queryLocator") or ""
    asked = replace(_as_rest(call, _batch_size(request)), places={"locator": locator})
    return _query_result(call.org, querying.next_page(asked).document)


def _first_page(call: Call, request: Request, handler: Handler) -> Typed:
    """Raises Refusal: a query the org does not understand."""
    asked = _as_rest(call, _batch_size(request) or str(USUAL_PAGE))
    text = request.body.value("queryString") or ""
    return _query_result(call.org, handler(replace(asked, query={"q": text})).document)


def _batch_size(request: Request) -> str:
    return request.block("QueryOptions").value("batchSize") or ""


def _as_rest(call: Call, batch_size: str = "") -> Call:
    headers = {"sforce-query-options": f"batchSize={batch_size}"} if batch_size else {}
    return replace(call, version=f"v{call.version}", headers=headers, query={})


def retrieve(call: Call, request: Request) -> list[Typed | None]:
    """Records in the order asked, nil for one that cannot be read. Raises Fault: too many."""
    ids = [each.text for each in request.body.all("ids")]
    if len(ids) > MOST_RETRIEVED:
        message = f"record limit reached. cannot submit more than {MOST_RETRIEVED} records into this call"
        raise Fault("EXCEEDED_ID_LIMIT", message)
    names = [name.strip() for name in (request.body.value("fieldList") or "").split(",") if name.strip()]
    if not ids:
        return []
    asked = replace(_as_rest(call), method="POST", given={"ids": ids, "fields": names})
    found = collections.read(replace(asked, places={"object": _kind(call, request).name})).document
    return [None if record is None else _sobject(call.org, record) for record in found]


def search(call: Call, request: Request) -> dict[str, Any]:
    """Raises Refusal (MALFORMED_SEARCH)."""
    asked = replace(_as_rest(call), query={"q": request.body.value("searchString") or ""})
    found = searching.search(asked).document["searchRecords"]
    return {"queryId": "", "searchRecords": [{"record": _sobject(call.org, record)} for record in found]}


def updated(call: Call, request: Request) -> dict[str, Any]:
    return _zulu(replication.updated(_span(call, request)).document)


def deleted(call: Call, request: Request) -> dict[str, Any]:
    """Raises Refusal: a span that cannot be told of."""
    found = replication.deleted(_span(call, request)).document
    records = [_zulu({"deletedDate": each["deletedDate"], "id": each["id"]}) for each in found["deletedRecords"]]
    return _zulu({**found, "deletedRecords": records})


def _span(call: Call, request: Request) -> Call:
    dates = {name: request.body.value(f"{name}Date") or "" for name in ("start", "end")}
    return replace(_as_rest(call), query=dates, places={"object": _kind(call, request).name})


def _kind(call: Call, request: Request) -> ObjectType:
    """Raises Refusal (INVALID_TYPE): over SOAP an unknown object is no missing resource."""
    name = request.body.value("sObjectType") or ""
    found = call.org.find_kind(name)
    if found is None:
        raise unknown_type(name)
    return found


def _zulu(document: dict[str, Any]) -> dict[str, Any]:
    """SOAP ends its times in Z."""
    return {name: moment(value) if isinstance(value, str) else value for name, value in document.items()}


def moment(text: str) -> str:
    return text.replace("+0000", "Z")


def _query_result(org: Org, page: dict[str, Any]) -> Typed:
    locator = str(page.get("nextRecordsUrl", "")).rpartition("/")[2] or None
    records = [_sobject(org, record) for record in page["records"]]
    inside = written("done", page["done"]) + written("queryLocator", locator) + written("records", records)
    return Typed("QueryResult", inside + written("size", page["totalSize"]))


def _sobject(org: Org, record: Record) -> Typed:
    name = record["attributes"]["type"]
    kind = org.catalogue.find(name)
    parts = [written("sf:type", name), written("sf:Id", record.get("Id"))]
    for field, value in record.items():
        if field != "attributes":
            parts.append(written(f"sf:{field}", _value(org, kind, field, value)))
    return Typed("sf:sObject", "".join(parts))


def _value(org: Org, kind: ObjectType | None, field: str, value: Any) -> Any:
    """A parent, children, an address, or the field itself. Sums and counts name their type."""
    if isinstance(value, dict):
        if "attributes" in value:
            return _sobject(org, value)
        if "records" in value:
            return _query_result(org, value)
        if "city" not in value:
            return None
        return Typed("address", "".join(written(name, value.get(name)) for name in ADDRESS))
    if kind is None:
        return None if value is None else Typed(XSD[type(value)], written("x", value)[3:-4])
    item = kind.find(field)
    is_moment = item is not None and item.type == "datetime"
    return moment(value) if is_moment and isinstance(value, str) else value
