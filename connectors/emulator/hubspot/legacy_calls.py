"""What v1 and v2 still answer to readers of before: companies, deals, their properties, deal pipelines.

Every value stands with its moment and where it came from; moments are numbers of milliseconds. HubSpot takes these
paths away in 2027; singer-io/tap-hubspot asks for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.pipelines import pipelines_of
from connectors.emulator.hubspot.properties import Definition, is_read_only
from connectors.emulator.hubspot.refusals import not_found
from connectors.emulator.hubspot.replies import reply
from connectors.emulator.hubspot.times import milliseconds, read_moment
from connectors.emulator.world import Line, Row

Document = dict[str, Any]
PAGE, MOST_PER_PAGE = 100, 250
MOMENTS = ("date", "datetime")
ASSOCIATED = {
    "associatedVids": "contacts",
    "associatedCompanyIds": "companies",
    "associatedDealIds": "deals",
    "associatedTicketIds": "tickets",
}


def list_companies(call: Call) -> Response:
    """No property but those asked for."""
    kind, rows, page = _page(call, "companies")
    page["has-more"] = page.pop("hasMore")
    return reply({"companies": [_company(call, row, _asked(call, kind, row)) for row in rows], **page})


def read_company(call: Call) -> Response:
    """Every value it has."""
    kind = _kind(call, "companies")
    row = call.portal.resolve(kind, call.params["id"])
    if row is None or row.deleted:
        raise not_found()
    return reply(_company(call, row, _shown(call, kind, row, _all_names(call, kind, row), whole=True)))


def list_deals(call: Call) -> Response:
    """``includeAllProperties`` shows every value; ids of others only with ``includeAssociations``."""
    kind, rows, page = _page(call, "deals")
    deals = [
        {
            "portalId": call.portal.portal_id,
            "dealId": int(row.id),
            "isDeleted": False,
            "associations": _associated(call, row),
            "properties": _asked(call, kind, row),
        }
        for row in rows
    ]
    return reply({"deals": deals, **page})


def list_properties(call: Call) -> Response:
    """A list and no object."""
    kind = call.portal.kind(call.params.get("object_type", "companies"))
    call.require(kind.schema_scopes("read"))
    return reply([_definition(one) for one in call.portal.schema(kind).definitions.values()])


def list_deal_pipelines(call: Call) -> Response:
    kind = _kind(call, "deals")
    return reply(
        [
            {
                "pipelineId": one["id"],
                "label": one["label"],
                "active": True,
                "displayOrder": one["displayOrder"],
                "stages": [_stage(stage) for stage in one["stages"]],
            }
            for one in pipelines_of(call.portal, kind) or []
        ]
    )


def _kind(call: Call, name: str) -> Kind:
    kind = call.portal.kinds[name]
    call.require(kind.scopes("read"))
    return kind


def _page(call: Call, name: str) -> tuple[Kind, list[Row], Document]:
    """(object type, live records after ``offset``, hasMore and the next offset). The offset is the last id shown."""
    kind, limit = _kind(call, name), call.number("limit", PAGE, MOST_PER_PAGE)
    offset, table, ids = call.whole("offset"), call.portal.space.table(name), call.portal.sorted_ids(kind)
    live = (table[str(number)] for number in ids[bisect_right(ids, offset) :])
    found: list[Row] = []
    for row in live:
        if row.deleted:
            continue
        if len(found) == limit:
            return kind, found, {"hasMore": True, "offset": int(found[-1].id)}
        found.append(row)
    return kind, found, {"hasMore": False, "offset": int(found[-1].id) if found else offset}


def _company(call: Call, row: Row, properties: Document) -> Document:
    return {
        "portalId": call.portal.portal_id,
        "companyId": int(row.id),
        "isDeleted": False,
        "properties": properties,
        "additionalDomains": [],
        "stateChanges": [],
        "mergeAudits": [],
    }


def _associated(call: Call, row: Row) -> dict[str, list[int]]:
    if not call.flag("includeAssociations"):
        return {name: [] for name in ASSOCIATED}
    here = (row.object_type, row.id)
    return {
        name: [int(other_id) for other_id, _ in call.records.associations.of(here, call.portal.kinds[other])]
        for name, other in ASSOCIATED.items()
    }


def _asked(call: Call, kind: Kind, row: Row) -> Document:
    if call.flag("includeAllProperties"):
        whole = call.one("allPropertiesFetchMode") != "latest_version"
        return _shown(call, kind, row, _all_names(call, kind, row), whole=whole)
    latest = _shown(call, kind, row, call.many("properties"), whole=False)
    return {**latest, **_shown(call, kind, row, call.many("propertiesWithHistory"), whole=True)}


def _all_names(call: Call, kind: Kind, row: Row) -> list[str]:
    schema = call.portal.schema(kind)
    return [name for name in schema.definitions if schema.value(row, name) is not None]


def _shown(call: Call, kind: Kind, row: Row, names: Sequence[str], *, whole: bool) -> Document:
    """{property: value, moment, source, versions}: the latest version alone, or all; none for what has no value."""
    schema, found = call.portal.schema(kind), dict[str, Document]()
    told = {name: list[Line]() for name in names}
    for line in row.history:
        if line[0] in told:
            told[line[0]].append(line)
    for name in names:
        value = schema.value(row, name) if name in schema.definitions else None
        if value is None:
            continue
        lines = told[name] or [(name, value, _since(row, name), "")]
        versions = [_version(call, schema.definitions[name], line) for line in lines]
        newest = {**versions[0], "value": _text(schema.definitions[name], value)}
        kept = {key: newest[key] for key in ("value", "timestamp", "source", "sourceId")}
        found[name] = {**kept, "versions": [newest, *versions[1:]] if whole else [newest]}
    return found


def _since(row: Row, name: str) -> Any:
    """When HubSpot worked out a value that nobody set."""
    return row.stamp if name.endswith("lastmodifieddate") else row.created_at


def _version(call: Call, definition: Definition, line: Line) -> Document:
    name, value, at, actor_id = line
    source = call.portal.source(actor_id) if actor_id else None
    return {
        "name": name,
        "value": _text(definition, value),
        "timestamp": milliseconds(at),
        "source": source.type if source is not None else "CALCULATED",
        "sourceId": source.id if source is not None else None,
        "sourceVid": [],
    }


def _text(definition: Definition, value: Any) -> str:
    """Moments and days as milliseconds, as v1 has them."""
    at = read_moment(str(value)) if value and definition["type"] in MOMENTS else None
    return str(milliseconds(at)) if at is not None else str(value or "")


def _definition(told: Definition) -> Document:
    """The keys of v1."""
    same = ("name", "label", "description", "groupName", "type", "fieldType", "displayOrder", "formField", "hidden")
    more = ("calculated", "externalOptions", "hubspotDefined")
    return {
        **{key: told[key] for key in (*same, *more)},
        "options": [{**option, "description": "", "readOnly": False} for option in told["options"]],
        "readOnlyValue": is_read_only(told),
        "readOnlyDefinition": told["modificationMetadata"]["readOnlyDefinition"],
        "mutableDefinitionNotDeletable": False,
        "favorited": False,
        "favoritedOrder": -1,
        "displayMode": "current_value",
        "deleted": False,
    }


def _stage(stage: Document) -> Document:
    probability = float(stage["metadata"]["probability"])
    return {
        "stageId": stage["id"],
        "label": stage["label"],
        "active": True,
        "displayOrder": stage["displayOrder"],
        "probability": probability,
        "closedWon": probability == 1.0,
    }


def live_rows(call: Call, names: Sequence[str]) -> Iterator[Row]:
    """Records of several types that are in no bin."""
    for name in names:
        for row in call.portal.space.table(name).values():
            if not row.deleted:
                yield row
