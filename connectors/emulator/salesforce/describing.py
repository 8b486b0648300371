"""Describe: the full 57-key field entries, made from the compact schema; versions, limits and record counts."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.replies import reply
from connectors.emulator.salesforce.schema import Field, ObjectType, objects

VERSIONS = {
    59: "Winter '24", 60: "Spring '24", 61: "Summer '24", 62: "Winter '25", 63: "Spring '25", 64: "Summer '25",
    65: "Winter '26", 66: "Spring '26", 67: "Summer '26",
}  # fmt: skip

SOAP_TYPES = {
    "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double",
    "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "id": "tns:ID", "reference": "tns:ID",
}  # fmt: skip


async def versions(request: Request) -> Response:
    """Open to everybody."""
    listed = [
        {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number, label in VERSIONS.items()
    ]
    return reply(request, listed)


async def all_objects(request: Request) -> Response:
    org: Org = request.app.state.org
    version = request.path_params["version"]
    listed = [_object_entry(kind, version) for kind in objects(org.space).values()]
    return reply(request, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})


async def one_object(request: Request) -> Response:
    """``/sobjects/Lead/describe``; 304 when nothing changed since ``If-Modified-Since``."""
    org: Org = request.app.state.org
    kind = org.kind(request.path_params["object"])
    changed_at = datetime.fromisoformat(org.space.settings["schema_changed_at"])
    stamp = {"Last-Modified": format_datetime(changed_at.astimezone(UTC), usegmt=True)}
    since = request.headers.get("if-modified-since")
    if since and parsedate_to_datetime(since) >= changed_at.replace(microsecond=0):
        return Response(status_code=304, headers=stamp)
    document = {
        **_object_entry(kind, request.path_params["version"]),
        "actionOverrides": [],
        "childRelationships": [],
        "compactLayoutable": True,
        "fields": [field_entry(kind, item) for item in kind.visible()],
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [_master_record_type(kind)],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {kind.label}s", "name": "everything"}],
    }
    return reply(request, document, headers=stamp)


async def limits(request: Request) -> Response:
    org: Org = request.app.state.org
    most = int(org.setting("daily_requests"))
    used = int(org.space.settings.get("requests_used", 0))
    names = (
        "DailyBulkApiBatches",
        "DailyBulkV2QueryJobs",
        "DataStorageMB",
        "FileStorageMB",
        "SingleEmail",
        "MassEmail",
    )
    others = {name: {"Max": 15000, "Remaining": 15000} for name in names}
    return reply(request, {"DailyApiRequests": {"Max": most, "Remaining": max(0, most - used)}, **others})


async def record_count(request: Request) -> Response:
    """Approximate in the vendor; objects without rows are missing."""
    org: Org = request.app.state.org
    asked = [name for name in request.query_params.get("sObjects", "").split(",") if name]
    kinds = [org.kind(name) for name in asked] or list(objects(org.space).values())
    counts = {kind.name: sum(not row.deleted for row in org.space.table(kind.name).values()) for kind in kinds}
    return reply(request, {"sObjects": [{"count": count, "name": name} for name, count in counts.items() if count]})


def field_entry(kind: ObjectType, item: Field) -> dict[str, Any]:
    """One field with every key the vendor sends."""
    nillable = not item.required and item.type != "boolean" and not (item.system and item.name != "MasterRecordId")
    owner = item.name == "OwnerId"
    return {
        "aggregatable": item.filterable,
        "aiPredictionField": False,
        "autoNumber": False,
        "byteLength": item.length * 3,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": False,
        "compoundFieldName": "Name"
        if kind.fields.get("Name")
        and kind.fields["Name"].computed
        and item.name in ("FirstName", "LastName", "Salutation")
        else None,
        "controllerName": None,
        "createable": item.createable and not kind.is_admin,
        "custom": item.name.endswith("__c"),
        "defaultValue": item.default if item.type == "boolean" else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": item.default is not None or item.type == "boolean" or owner or item.system,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": 9 if item.type == "int" else 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": item.external_id,
        "extraTypeInfo": None,
        "filterable": item.filterable,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": item.filterable and item.type not in ("datetime", "double", "currency", "percent"),
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": item.id_lookup,
        "inlineHelpText": None,
        "label": item.label,
        "length": item.length,
        "mask": None,
        "maskType": None,
        "name": item.name,
        "nameField": item.name_field,
        "namePointing": False,
        "nillable": nillable and not owner,
        "permissionable": not item.required and not item.system,
        "picklistValues": [
            {"active": True, "defaultValue": value == item.default, "label": value, "validFor": None, "value": value}
            for value in item.choices
        ],
        "polymorphicForeignKey": len(item.to) > 1,
        "precision": 18 if item.type in ("double", "currency", "percent") else 0,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": item.to,
        "relationshipName": item.relationship,
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": item.restricted,
        "scale": 2 if item.type in ("double", "currency", "percent") else 0,
        "searchPrefilterable": item.type == "reference",
        "soapType": SOAP_TYPES.get(item.type, "xsd:string"),
        "sortable": item.filterable,
        "type": item.type,
        "unique": item.unique,
        "updateable": item.updateable and not kind.is_admin,
        "writeRequiresMasterRead": False,
    }


def _object_entry(kind: ObjectType, version: str) -> dict[str, Any]:
    base = f"/services/data/{version}/sobjects/{kind.name}"
    writable = not kind.is_admin
    return {
        "activateable": False, "associateEntityType": None, "associateParentEntity": None, "createable": writable,
        "custom": kind.name.endswith("__c"), "customSetting": False, "deepCloneable": False, "deletable": writable,
        "deprecatedAndHidden": False, "feedEnabled": writable, "hasSubtypes": False, "isInterface": False,
        "isSubtype": False, "keyPrefix": kind.prefix, "label": kind.label, "labelPlural": f"{kind.label}s",
        "layoutable": writable, "mergeable": kind.mergeable, "mruEnabled": writable, "name": kind.name,
        "queryable": True, "replicateable": True, "retrieveable": True, "searchable": writable,
        "triggerable": writable, "undeletable": kind.undeletable, "updateable": writable,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": base + "/{ID}"},
    }  # fmt: skip


def _master_record_type(kind: ObjectType) -> dict[str, Any]:
    return {
        "active": True, "available": True, "defaultRecordTypeMapping": True, "developerName": "Master",
        "master": True, "name": "Master", "recordTypeId": "012000000000000AAA", "urls": {},
    }  # fmt: skip
