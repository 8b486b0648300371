"""Describe: every object, one object with complete field entries, made from the compact schema."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.rows import http_date, read_date
from connectors.emulator.salesforce.schema import Catalogue, Field, ObjectType, defaults
from connectors.emulator.salesforce.tooling.catalogue import catalogue, in_both

VERSIONS = range(31, 68)
"""Older ones are retired, younger ones in preview."""

SEASONS = ("Winter", "Spring", "Summer")
WINTER_2015 = 32
RESOURCES = (
    "appMenu", "composite", "jobs", "limits", "query", "queryAll", "quickActions", "recent", "search", "sobjects",
    "tabs", "theme", "tooling",
)  # fmt: skip


def serves(version: str) -> bool:
    """``v65.0``"""
    number, _, minor = version.removeprefix("v").partition(".")
    return int(number) in VERSIONS and minor == "0"


def versions() -> list[dict[str, str]]:
    """Open to everybody."""
    return [
        {"label": _release(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in VERSIONS
    ]


def _release(number: int) -> str:
    """``Summer '26``: three releases a year, named ahead of their year in winter."""
    years, season = divmod(number - WINTER_2015, len(SEASONS))
    return f"{SEASONS[season]} '{15 + years}"


def resources(call: Call) -> Answer:
    """The identity address among them is where jsforce looks for who it is."""
    found = {name: call.url(name) for name in RESOURCES}
    return Answer(200, {**found, "identity": call.org.identity_address(call.user_id)})


def all_objects(call: Call) -> Answer:
    unchanged = _unchanged(call)
    if unchanged is not None:
        return unchanged
    return Answer(200, listed(call, call.org.catalogue), _stamp(call))


def listed(call: Call, catalogue: Catalogue) -> dict[str, Any]:
    kinds = sorted(catalogue.listed(), key=lambda kind: kind.name)
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [object_entry(kind, call) for kind in kinds]}


def one_object(call: Call) -> Answer:
    """304 when the org's metadata did not change since ``If-Modified-Since``; permissions count as metadata."""
    metadata = None if call.org.catalogue.knows(call.places["object"]) else in_both(call.places["object"])
    kind = metadata or call.org.sobject(call.places["object"])
    unchanged = _unchanged(call)
    if unchanged is not None:
        return unchanged
    known = call.org.catalogue if metadata is None else catalogue()
    return Answer(200, description(call, kind, known), _stamp(call))


def description(call: Call, kind: ObjectType, catalogue: Catalogue) -> dict[str, Any]:
    return {
        **object_entry(kind, call),
        **defaults()["describe"],
        "childRelationships": _child_relationships(catalogue, kind),
        "fields": [field_entry(item, kind) for item in kind.visible.values()],
        "recordTypeInfos": _record_types(kind, call),
        "supportedScopes": [{"label": f"All {kind.label_plural.lower()}", "name": "everything"}],
    }


def basic_information(call: Call) -> Answer:
    """``GET /sobjects/Lead``: the object's entry, and the rows last viewed, of which there are none here."""
    kind = call.org.sobject(call.places["object"])
    return Answer(200, {"objectDescribe": object_entry(kind, call), "recentItems": []})


def recent(call: Call) -> Answer:
    """``GET /recent``: nobody looks at rows in a browser here, and the API's own reads do not count."""
    return Answer(200, [])


def object_entry(kind: ObjectType, call: Call) -> dict[str, Any]:
    entry = dict(defaults()["object"])
    if kind.is_setup:
        entry.update(defaults()["setup object"])
    for operation, key in (("create", "createable"), ("edit", "updateable"), ("delete", "deletable")):
        entry[key] = entry[key] and kind.may(operation)
    url = call.url("sobjects", kind.name)
    entry.update(
        custom=kind.name.endswith("__c"),
        keyPrefix=kind.prefix,
        label=kind.label,
        labelPlural=kind.label_plural,
        mergeable=kind.mergeable,
        name=kind.name,
        undeletable=kind.undeletable,
        urls=_urls(kind, url),
    )
    return entry


def _urls(kind: ObjectType, url: str) -> dict[str, str]:
    found = {"rowTemplate": f"{url}/{{ID}}", "describe": f"{url}/describe", "sobject": url}
    if not kind.is_layoutable:
        return found
    layouts = {name: f"{url}/describe/{name}" for name in ("compactLayouts", "approvalLayouts", "layouts")}
    return {**layouts, **found, "listviews": f"{url}/listviews", "quickActions": f"{url}/quickActions"}


def _record_types(kind: ObjectType, call: Call) -> list[dict[str, Any]]:
    """The master alone."""
    url = call.url("sobjects", kind.name, "describe", "layouts")
    return [
        {**each, "urls": {"layout": f"{url}/{each['recordTypeId']}"} if kind.is_layoutable else {}}
        for each in defaults()["describe"]["recordTypeInfos"]
    ]


def field_entry(item: Field, kind: ObjectType) -> dict[str, Any]:
    """One field with every key the vendor sends."""
    shared = defaults()
    entry = dict(shared["field"])
    entry.update(shared["types"].get("long textarea" if item.is_long_text else item.type, {}))
    entry.update(
        name=item.name,
        label=item.label,
        type=item.type,
        length=item.length,
        byteLength=item.length if item.is_id else item.length * 3,
        custom=item.name.endswith("__c"),
        calculated=False,
        cascadeDelete=item.cascade,
        restrictedDelete=item.restricts,
        createable=item.createable and not item.read_only and kind.may("create"),
        updateable=item.updateable and not item.read_only and kind.may("edit"),
        compoundFieldName=item.compound,
        externalId=item.external_id,
        idLookup=item.id_lookup,
        permissionable=not item.required and not item.is_id and item.computed is None,
        restrictedPicklist=item.restricted,
        unique=item.unique,
        referenceTo=item.to,
        relationshipName=item.relationship,
        polymorphicForeignKey=len(item.to) > 1,
        namePointing=len(item.to) > 1,
        picklistValues=_picklist_values(item),
    )
    if item.required:
        entry["nillable"] = False
    if item.default is not None:
        entry["defaultedOnCreate"] = True
    entry.update(item.describe)
    return entry


def _picklist_values(item: Field) -> list[dict[str, Any]]:
    return [
        {"active": True, "defaultValue": choice == item.default, "label": choice, "validFor": None, "value": choice}
        for choice in item.choices
    ]


def _child_relationships(catalogue: Catalogue, kind: ObjectType) -> list[dict[str, Any]]:
    return [
        {
            "cascadeDelete": child.cascade,
            "childSObject": child.kind,
            "deprecatedAndHidden": False,
            "field": child.field,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": child.relationship,
            "restrictedDelete": child.restricted,
        }
        for child in catalogue.children_of(kind.name)
    ]


def _changed_at(call: Call) -> datetime:
    return datetime.fromisoformat(call.org.space.settings["schema_changed_at"]).replace(microsecond=0)


def _stamp(call: Call) -> dict[str, str]:
    return {"Last-Modified": http_date(_changed_at(call))}


def _unchanged(call: Call) -> Answer | None:
    since = call.headers.get("if-modified-since")
    if since is not None and read_date(since, "If-Modified-Since") >= _changed_at(call):
        return Answer(304, headers=_stamp(call))
    return None
