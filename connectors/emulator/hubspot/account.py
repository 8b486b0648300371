"""Account info, owners, properties and pipelines."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.gate import body_of, no_content, portal_of, reply
from connectors.emulator.hubspot.portal import wire
from connectors.emulator.hubspot.schema import Kind, Property, make_property
from connectors.emulator.hubspot.shapes import flag


async def details(request: Request) -> Response:
    portal = portal_of(request)
    return reply(
        {
            "portalId": int(portal.space.settings["portal_id"]),
            "accountType": portal.setting("account_type"),
            "timeZone": "US/Eastern",
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": "-05:00",
            "utcOffsetMilliseconds": -18_000_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )


async def owners(request: Request) -> Response:
    portal = portal_of(request)
    _check_owner_scope(request)
    archived, email = flag(request, "archived"), request.query_params.get("email")
    listed = [
        owner
        for owner in portal.space.settings["owners"].values()
        if owner["archived"] is archived and (not email or owner["email"] == email.lower())
    ]
    limit, after = int(request.query_params.get("limit", "100")), int(request.query_params.get("after") or 0)
    page = [owner for owner in listed if int(owner["id"]) >= after][:limit]
    answer: dict[str, Any] = {"results": page}
    rest = [owner for owner in listed if int(owner["id"]) >= after][limit:]
    if rest:
        answer["paging"] = {"next": {"after": rest[0]["id"]}}
    return reply(answer)


async def owner(request: Request) -> Response:
    portal = portal_of(request)
    _check_owner_scope(request)
    found = portal.space.settings["owners"].get(request.path_params["id"])
    if found is None:
        raise refusals.not_found()
    return reply(found)


def _check_owner_scope(request: Request) -> None:
    granted = portal_of(request).space.settings["tokens"][request.state.token]["scopes"]
    if "crm.objects.owners.read" not in granted:
        raise refusals.missing_scopes(["crm.objects.owners.read"])


async def properties(request: Request) -> Response:
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    if request.method == "POST":
        document = await body_of(request)
        name = str(document["name"])
        if kind.find(name) is not None:
            message = f"A property named '{name}' already exists."
            raise refusals.Refusal(
                409, message, "OBJECT_ALREADY_EXISTS", subCategory="Properties.PROPERTY_WITH_NAME_EXISTS"
            )
        extra = {
            "fieldType": document.get("fieldType", "text"),
            "unique": bool(document.get("hasUniqueValue")),
            "options": [option["value"] for option in document.get("options") or []],
            "custom": True,
        }
        kind.properties[name] = make_property(name, str(document["type"]), extra)
        return reply(_entry(portal.now(), kind, kind.properties[name]), 201)
    archived = flag(request, "archived")
    listed = [
        _entry(portal.now(), kind, item)
        for item in kind.properties.values()
        if item.archived is archived and not item.hidden
    ]
    return reply({"results": listed})


async def one_property(request: Request) -> Response:
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    item = kind.find(request.path_params["name"])
    if item is None:
        raise refusals.not_found()
    if request.method == "DELETE":
        item.archived = True
        return no_content()
    if request.method == "PATCH":
        document = await body_of(request)
        if "options" in document:
            item.options = [(option["value"], option.get("label", option["value"])) for option in document["options"]]
    return reply(_entry(portal.now(), kind, item))


async def pipelines(request: Request) -> Response:
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    item = kind.find("dealstage") or kind.find("lifecyclestage")
    stages = [
        {"id": value, "label": label, "displayOrder": order, "metadata": {}, "archived": False}
        for order, (value, label) in enumerate(item.options if item else [])
    ]
    return reply(
        {"results": [{"id": "default", "label": "Default", "displayOrder": 0, "stages": stages, "archived": False}]}
    )


def _entry(now: Any, kind: Kind, item: Property) -> dict[str, Any]:
    return {
        "name": item.name,
        "label": item.name.replace("_", " ").capitalize(),
        "type": item.type,
        "fieldType": item.field_type,
        "groupName": f"{kind.singular}information",
        "description": "",
        "options": [
            {"label": label, "value": value, "displayOrder": order, "hidden": False}
            for order, (value, label) in enumerate(item.options)
        ],
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": item.is_owner or item.is_stage,
        **({"referencedObjectType": "OWNER"} if item.is_owner else {}),
        "hasUniqueValue": item.unique,
        "hidden": False,
        "formField": not item.readonly,
        "hubspotDefined": not item.custom,
        "dataSensitivity": "non_sensitive",
        "archived": item.archived,
        "createdAt": wire(now),
        "updatedAt": wire(now),
        "modificationMetadata": {
            "archivable": item.custom,
            "readOnlyDefinition": not item.custom,
            "readOnlyValue": item.readonly,
        },
    }
