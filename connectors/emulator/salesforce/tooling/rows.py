"""What the practice org has to tell over the Tooling API, made from its metadata when somebody asks.

Code, flows and packages it has none of: those objects are there, and empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce.describing import field_entry
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.stamps import wire
from connectors.emulator.world import Row

LICENSES = 100
NO_ID = "000000000000000AAA"
FIELDS_OF_AN_OBJECT = 1_000
"""Room for the numbers of one object's fields."""

Values = dict[str, Any]


def entities(org: Org) -> list[Row]:
    return [_row(org, "EntityDefinition", durable_id(org, kind), _entity(org, kind)) for kind in _kinds(org)]


def fields(org: Org) -> list[Row]:
    return [
        _row(org, "FieldDefinition", _field_id(org, kind, item), _field(org, kind, item))
        for kind in _kinds(org)
        for item in kind.visible.values()
    ]


def custom_objects(org: Org) -> list[Row]:
    return [
        _row(org, "CustomObject", _object_id(org, kind), {**_nameless(kind.name), "SharingModel": "ReadWrite"})
        for kind in _kinds(org)
        if _is_custom(kind.name)
    ]


def custom_fields(org: Org) -> list[Row]:
    return [
        _row(org, "CustomField", _number_of(org, kind, item), _custom_field(org, kind, item))
        for kind in _kinds(org)
        for item in kind.visible.values()
        if item.is_custom
    ]


def validation_rules(org: Org) -> list[Row]:
    found = []
    for number, rule in enumerate(org.setting("validation_rules"), 1):
        kind = org.catalogue.objects.get(rule["object"])
        values = {
            "ValidationName": f"Rule_{number}",
            "NamespacePrefix": None,
            "ManageableState": "unmanaged",
            "EntityDefinitionId": None if kind is None else durable_id(org, kind),
            "Active": True,
            "ErrorDisplayField": rule["field"] if rule.get("pinned", True) else None,
            "ErrorMessage": rule["message"],
        }
        found.append(_row(org, "ValidationRule", new_id("03d", number), values))
    return found


def page_layouts(org: Org) -> list[Row]:
    return [
        _row(
            org,
            "Layout",
            new_id("00h", 1 + _place(org, kind)),
            {
                "Name": f"{kind.label} Layout",
                "ManageableState": "unmanaged",
                "TableEnumOrId": durable_id(org, kind),
                "EntityDefinitionId": durable_id(org, kind),
                "LayoutType": "Standard",
            },
        )
        for kind in _kinds(org)
        if kind.is_layoutable
    ]


def licenses(org: Org) -> list[Row]:
    """One kind, of which every active person has one."""
    active = sum(bool(user.values.get("IsActive")) for user in org.space.table("User").values())
    name = {"Name": "Salesforce", "MasterLabel": "Salesforce", "LicenseDefinitionKey": "SFDC", "Status": "Active"}
    numbers = {"TotalLicenses": LICENSES, "UsedLicenses": active}
    return [_row(org, "UserLicense", new_id("100", 1), {**name, **numbers})]


MAKERS: dict[str, Callable[[Org], list[Row]]] = {
    "EntityDefinition": entities,
    "FieldDefinition": fields,
    "CustomObject": custom_objects,
    "CustomField": custom_fields,
    "ValidationRule": validation_rules,
    "Layout": page_layouts,
    "UserLicense": licenses,
}


def durable_id(org: Org, kind: ObjectType) -> str:
    """The name of a standard object, the id of a custom one."""
    return _object_id(org, kind)[:15] if _is_custom(kind.name) else kind.name


def _kinds(org: Org) -> Iterable[ObjectType]:
    return org.catalogue.listed()


def _is_custom(name: str) -> bool:
    return name.endswith("__c")


def _place(org: Org, kind: ObjectType) -> int:
    return list(org.catalogue.objects).index(kind.name)


def _object_id(org: Org, kind: ObjectType) -> str:
    return new_id("01I", 1 + _place(org, kind))


def _number_of(org: Org, kind: ObjectType, item: Field) -> str:
    return new_id("00N", 1 + _place(org, kind) * FIELDS_OF_AN_OBJECT + list(kind.fields).index(item.name))


def _field_id(org: Org, kind: ObjectType, item: Field) -> str:
    last = _number_of(org, kind, item)[:15] if item.is_custom else item.name
    return f"{durable_id(org, kind)}.{last}"


def _row(org: Org, object_type: str, record_id: str, values: Values) -> Row:
    at = datetime.fromisoformat(org.space.settings["schema_changed_at"])
    author = org.user_id("automated")
    stamps = {"CreatedById": author, "LastModifiedById": author, "Id": record_id}
    return Row(record_id, object_type, {**stamps, **values}, at, at, at, at)


def _nameless(name: str) -> Values:
    return {"DeveloperName": name.removesuffix("__c"), "NamespacePrefix": None, "ManageableState": "unmanaged"}


def _entity(org: Org, kind: ObjectType) -> Values:
    site = f"https://{org.space.settings['domain']}.salesforce.com"
    pages = {"DetailUrl": f"{site}/{{ID}}", "EditUrl": f"{site}/{{ID}}/e", "NewUrl": f"{site}/{kind.prefix}/e"}
    own, writable = not kind.is_setup, [kind.may(verb) for verb in ("create", "edit", "delete")]
    return {
        "Id": NO_ID,
        "DurableId": durable_id(org, kind),
        "QualifiedApiName": kind.name,
        "DeveloperName": kind.name.removesuffix("__c"),
        "MasterLabel": kind.label,
        "Label": kind.label,
        "PluralLabel": kind.label_plural,
        "KeyPrefix": kind.prefix,
        "PublisherId": "<local>" if _is_custom(kind.name) else "System",
        "InternalSharingModel": "ReadWrite" if own else "Private",
        "ExternalSharingModel": "Private",
        "DeploymentStatus": "Deployed" if _is_custom(kind.name) else None,
        "LastModifiedDate": _changed_at(org) if _is_custom(kind.name) else None,
        **(pages if kind.is_layoutable else {}),
        **dict.fromkeys(("IsEverCreatable", "IsEverUpdatable", "IsEverDeletable"), False),
        "IsEverCreatable": writable[0],
        "IsEverUpdatable": writable[1],
        "IsEverDeletable": writable[2],
        **dict.fromkeys(("IsQueryable", "IsRetrieveable", "IsReplicateable", "IsIdEnabled"), True),
        **dict.fromkeys(
            (
                "IsApexTriggerable", "IsTriggerable", "IsCompactLayoutable", "IsCustomizable", "IsFeedEnabled",
                "IsLayoutable", "IsMruEnabled", "IsSearchable", "IsSearchLayoutable", "IsWorkflowEnabled",
            ),
            own,
        ),
    }  # fmt: skip


def _field(org: Org, kind: ObjectType, item: Field) -> Values:
    entry = field_entry(item, kind)
    return {
        "Id": NO_ID,
        "DurableId": _field_id(org, kind, item),
        "QualifiedApiName": item.name,
        "EntityDefinitionId": durable_id(org, kind),
        "DeveloperName": item.name.removesuffix("__c"),
        "MasterLabel": item.label,
        "Label": item.label,
        "Length": item.length,
        "DataType": data_type(item, entry),
        "ValueTypeId": item.type,
        "Precision": entry["precision"] or entry["digits"],
        "Scale": entry["scale"],
        "PublisherId": "<local>" if item.is_custom else "System",
        "ReferenceTo": {"referenceTo": item.to or None},
        "RelationshipName": item.relationship,
        "LastModifiedDate": _changed_at(org) if item.is_custom else None,
        "IsApiFilterable": entry["filterable"],
        "IsApiGroupable": entry["groupable"],
        "IsApiSortable": entry["sortable"],
        "IsCalculated": entry["calculated"],
        "IsCompactLayoutable": item.type != "address",
        "IsCompound": item.type == "address" or item.computed == "person name",
        "IsEverApiAccessible": True,
        "IsFlsEnabled": entry["permissionable"],
        "IsHighScaleNumber": entry["highScaleNumber"],
        "IsHtmlFormatted": entry["htmlFormatted"],
        "IsIndexed": item.is_id or item.id_lookup or item.unique,
        "IsListFilterable": entry["filterable"],
        "IsListSortable": entry["sortable"],
        "IsListVisible": True,
        "IsNameField": bool(entry["nameField"]),
        "IsNillable": entry["nillable"],
        "IsPolymorphicForeignKey": entry["polymorphicForeignKey"],
        "IsSearchPrefilterable": entry["searchPrefilterable"],
        "IsWorkflowFilterable": entry["filterable"],
    }


def _custom_field(org: Org, kind: ObjectType, item: Field) -> Values:
    entry, table = field_entry(item, kind), durable_id(org, kind)
    return {
        **_nameless(item.name),
        "TableEnumOrId": table,
        "EntityDefinitionId": table,
        "Length": item.length or None,
        "Precision": entry["precision"] or None,
        "Scale": entry["scale"] if entry["precision"] else None,
        "InlineHelpText": entry["inlineHelpText"],
    }


def _changed_at(org: Org) -> str:
    return wire(datetime.fromisoformat(org.space.settings["schema_changed_at"]))


SPOKEN = {
    "address": "Address", "boolean": "Checkbox", "combobox": "Picklist", "date": "Date", "datetime": "Date/Time",
    "email": "Email", "id": "Lookup()", "multipicklist": "Picklist (Multi-Select)", "phone": "Phone",
    "picklist": "Picklist",
}  # fmt: skip
NUMBERS = {"currency": "Currency", "double": "Number", "percent": "Percent"}


def data_type(item: Field, entry: Values) -> str:
    """A type as the setup pages write it: ``Text(80)``, ``Currency(16, 2)``, ``Lookup(Account)``."""
    if item.auto_number:
        return "Auto Number"
    if item.type == "reference":
        return f"{'Master-Detail' if item.cascade and item.is_custom else 'Lookup'}({','.join(item.to)})"
    if item.type == "int":
        return f"Number({entry['digits']}, 0)"
    if item.type in NUMBERS:
        return f"{NUMBERS[item.type]}({entry['precision'] - entry['scale']}, {entry['scale']})"
    if item.type == "textarea":
        return f"Long Text Area({item.length})" if item.is_long_text else f"Text Area({item.length})"
    return SPOKEN.get(item.type) or f"{'URL' if item.type == 'url' else 'Text'}({item.length})"
