"""The list views of an object: all of it, one's own, new this week. A view is a query; describe tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.emulator.salesforce import querying
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.ids import full_id, new_id
from connectors.emulator.salesforce.layouts import layoutable
from connectors.emulator.salesforce.refusals import Refusal, not_found
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.stamps import read

USUAL_ROWS, MOST_ROWS = 25, 2_000
MOST_COLUMNS = 5
VIEWS_OF_AN_OBJECT = 10
"""Room for the numbers of one object's views."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListView:
    """``condition`` is (field, operator, values) in the vendor's words; ``scope`` is mine, or none."""

    id: str
    name: str
    label: str
    where: str = ""
    condition: tuple[str, str, list[str]] | None = None
    scope: str | None = None


def every(call: Call) -> Answer:
    kind = layoutable(call)
    views = _views(call, kind)
    listed = [_entry(call, kind, view) for view in views]
    return Answer(
        200,
        {"done": True, "listviews": listed, "nextRecordsUrl": None, "size": len(listed), "sobjectType": kind.name},
    )


def one(call: Call) -> Answer:
    """Raises Refusal (404): no such view, as all of these do. Nobody looked at any lately."""
    kind = layoutable(call)
    if call.places["view"].lower() == "recent":
        nothing = {"done": True, "listviews": [], "nextRecordsUrl": None, "size": 0, "sobjectType": kind.name}
        return Answer(200, nothing)
    return Answer(200, _entry(call, kind, _view(call, kind)))


def described(call: Call) -> Answer:
    kind = layoutable(call)
    view = _view(call, kind)
    order = [
        {"fieldNameOrPath": name, "nullsPosition": "first", "sortDirection": "ascending"}
        for name in (_sorted_by(kind), "Id")
    ]
    return Answer(
        200,
        {
            "columns": _columns(kind),
            "id": view.id,
            "orderBy": order,
            "query": _query(kind, view),
            "relatedEntityId": None,
            "scope": view.scope,
            "scopeEntityId": None,
            "sobjectType": kind.name,
            "whereCondition": _condition(view),
        },
    )


def results(call: Call) -> Answer:
    """Rows as columns of text, times spelled out, 25 of them unless asked for otherwise."""
    kind = layoutable(call)
    view = _view(call, kind)
    limit, offset = _number(call, "limit", USUAL_ROWS), _number(call, "offset", 0)
    soql = f"{_query(kind, view)} LIMIT {min(limit, MOST_ROWS)} OFFSET {offset}"
    headers = {"sforce-query-options": f"batchSize={MOST_ROWS}"}
    found = querying.query(replace(call, query={"q": soql}, headers=headers)).document
    columns = _columns(kind)
    rows = [_cells(columns, record) for record in found["records"]]
    return Answer(
        200,
        {
            "columns": columns,
            "developerName": view.name,
            "done": True,
            "id": view.id,
            "label": view.label,
            "records": rows,
            "size": len(rows),
        },
    )


def _number(call: Call, name: str, usual: int) -> int:
    given = call.query.get(name, str(usual))
    if not given.isdecimal():
        raise Refusal(400, "INVALID_QUERY_FILTER_OPERATOR", f"{name} must be a whole number: {given}")
    return int(given)


def _views(call: Call, kind: ObjectType) -> list[ListView]:
    plural = kind.label_plural.replace(" ", "")
    first = 1 + list(call.org.catalogue.objects).index(kind.name) * VIEWS_OF_AN_OBJECT
    week = ("CreatedDate", "equals", ["THIS_WEEK"])
    views = [
        ListView(new_id("00B", first), f"All{plural}", f"All {kind.label_plural}"),
        ListView(new_id("00B", first + 1), "NewThisWeek", "New This Week", "CreatedDate = THIS_WEEK", week),
    ]
    if "OwnerId" in kind.fields:
        mine = ListView(new_id("00B", first + 2), f"My{plural}", f"My {kind.label_plural}", scope="mine")
        views.append(mine)
    return views


def _view(call: Call, kind: ObjectType) -> ListView:
    wanted = full_id(call.places["view"])
    found = next((view for view in _views(call, kind) if view.id == wanted), None)
    if found is None:
        raise not_found()
    return found


def _entry(call: Call, kind: ObjectType, view: ListView) -> Document:
    url = call.url("sobjects", kind.name, "listviews", view.id)
    return {
        "describeUrl": f"{url}/describe",
        "developerName": view.name,
        "id": view.id,
        "label": view.label,
        "resultsUrl": f"{url}/results",
        "soqlCompatible": True,
        "url": url,
    }


def _shown(kind: ObjectType) -> list[Field]:
    """The name, some fields of the record, and what every view asks for unseen."""
    named = kind.fields[kind.name_field]
    plain = [
        item
        for item in kind.visible.values()
        if item.type not in ("id", "reference", "address", "boolean", "datetime")
        and item.is_sortable
        and item.name != named.name
        and item.compound is None
    ]
    unseen = [item for name in ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp") if (item := kind.find(name))]
    return [named, *plain[: MOST_COLUMNS - 1], *(item for item in unseen if item.name != named.name)]


def _columns(kind: ObjectType) -> list[Document]:
    hidden = ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp")
    return [
        {
            "ascendingLabel": "Z-A" if item.name == kind.name_field else None,
            "descendingLabel": "A-Z" if item.name == kind.name_field else None,
            "fieldNameOrPath": item.name,
            "hidden": item.name in hidden,
            "label": item.label,
            "searchable": False,
            "selectListItem": item.name,
            "sortDirection": "ascending" if item.name == _sorted_by(kind) else None,
            "sortIndex": 0 if item.name == _sorted_by(kind) else None,
            "sortable": item.is_sortable,
            "type": item.type,
        }
        for item in _shown(kind)
    ]


def _sorted_by(kind: ObjectType) -> str:
    return kind.name_field if kind.fields[kind.name_field].is_sortable else "Id"


def _query(kind: ObjectType, view: ListView) -> str:
    names = ", ".join(item.name for item in _shown(kind))
    scope = ("USING SCOPE", view.scope) if view.scope else ()
    where = ("WHERE", view.where) if view.where else ()
    order = ", ".join(f"{name} ASC NULLS FIRST" for name in dict.fromkeys((_sorted_by(kind), "Id")))
    return " ".join(("SELECT", names, "FROM", kind.name, *scope, *where, "ORDER BY", order))


def _condition(view: ListView) -> Document:
    if view.condition is None:
        return {"conditions": [], "conjunction": "and"}
    field, operator, values = view.condition
    return {"field": field, "operator": operator, "values": values}


def _cells(columns: Sequence[Document], record: Document) -> Document:
    names = [(column["fieldNameOrPath"], column["type"]) for column in columns]
    return {"columns": [{"fieldNameOrPath": name, "value": _text(record[name], kind)} for name, kind in names]}


def _text(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    return _spoken(str(value)) if kind == "datetime" else str(value)


def _spoken(moment: str) -> str:
    """``Fri Aug 01 21:15:46 GMT 2014``, as the vendor writes it here."""
    at = read(moment)
    return moment if at is None else at.strftime("%a %b %d %H:%M:%S GMT %Y")
