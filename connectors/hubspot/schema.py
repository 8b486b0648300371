"""Properties → ``ObjectSchema``: what our key may see and write, and which values HubSpot takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.connector import Choice, FieldSchema, FieldType, ObjectSchema
from connectors.hubspot.vendor import SYSTEM, VENDOR, also_unique, association_fields, mergeable_types

LONGEST_TEXT = 65_536


def object_schema(object_type: str, properties: Sequence[Mapping[str, Any]]) -> ObjectSchema:
    """Archived properties are left out; hidden ones stay, the API serves them."""
    fields = [field_schema(object_type, item) for item in properties if item.get("archived") is not True]
    fields += [
        FieldSchema(place.field, place.title, "reference", writable=True)
        for place in association_fields(object_type).values()
    ]
    return ObjectSchema(
        system=SYSTEM,
        object_type=object_type,
        label=object_type.replace("_", " ").title(),
        fields={field.name: field for field in fields},
        can_merge=object_type in mergeable_types(),
    )


def field_schema(object_type: str, item: Mapping[str, Any]) -> FieldSchema:
    """One property. Read-only and calculated ones are neither writable nor creatable."""
    name = str(item["name"])
    metadata = item.get("modificationMetadata") or {}
    writable = not (metadata.get("readOnlyValue") or item.get("calculated"))
    kind = field_type(name, item)
    choices = tuple(_choices(item))
    return FieldSchema(
        name=name,
        label=str(item.get("label") or name),
        type=kind,
        writable=writable,
        creatable=writable,
        required=name in VENDOR["required_on_create"].get(object_type, ()),
        unique=bool(item.get("hasUniqueValue")) or also_unique(object_type, name) is not None,
        length=LONGEST_TEXT if kind == "text" else None,
        choices=choices,
        restricted=bool(choices) and kind in ("choice", "choices"),
    )


def field_type(name: str, item: Mapping[str, Any]) -> FieldType:
    """The type decides, the widget refines it (checkboxes hold several values); an owner is a reference."""
    if name == "hs_object_id":
        return "id"
    if item.get("referencedObjectType"):
        return "reference"
    kind: FieldType = VENDOR["types"].get(item.get("type"), "text")
    if kind == "choice":
        kind = VENDOR["choice_widgets"].get(item.get("fieldType"), "choice")
    return kind


def _choices(item: Mapping[str, Any]) -> list[Choice]:
    return [
        Choice(str(option["value"]), str(option.get("label") or option["value"]), not option.get("hidden"))
        for option in item.get("options") or ()
    ]
