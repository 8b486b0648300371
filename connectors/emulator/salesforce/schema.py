"""The practice org's metadata: compact JSON beside this file, expanded to what describe and validation need.

``Truce_Key__c`` and ``Customer_Stage__c`` are custom fields of the practice org; opt-outs are visible to the
integration user here, although a fresh org hides them by default.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.emulator.salesforce.refusals import unknown_type
from connectors.emulator.world import Space

SYSTEM_FIELDS: list[list[Any]] = [
    ["Id", "id", {"system": True, "length": 18, "idLookup": True}],
    ["IsDeleted", "boolean", {"system": True}],
    ["MasterRecordId", "reference", {"system": True, "to": [], "nillable": True}],
    ["CreatedDate", "datetime", {"system": True}],
    ["CreatedById", "reference", {"system": True, "to": ["User"], "relationship": "CreatedBy"}],
    ["LastModifiedDate", "datetime", {"system": True}],
    ["LastModifiedById", "reference", {"system": True, "to": ["User"], "relationship": "LastModifiedBy"}],
    ["SystemModstamp", "datetime", {"system": True}],
]


@dataclass(slots=True)
class Field:
    """One field. ``hidden`` is field-level security: it then does not exist for the API."""

    name: str
    type: str
    length: int = 0
    choices: list[str] = field(default_factory=list)
    restricted: bool = False
    required: bool = False
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    filterable: bool = True
    createable: bool = True
    updateable: bool = True
    system: bool = False
    computed: bool = False
    default: Any = None
    to: list[str] = field(default_factory=list)
    relationship: str | None = None
    name_field: bool = False
    hidden: bool = False
    label: str = ""

    @property
    def is_text(self) -> bool:
        return self.type in ("string", "textarea", "email", "phone", "url", "picklist", "combobox", "multipicklist")


@dataclass
class ObjectType:
    """One sObject. Field lookup is case-insensitive, as the API is."""

    name: str
    prefix: str
    label: str
    mergeable: bool
    undeletable: bool
    is_admin: bool
    fields: dict[str, Field]

    @cached_property
    def _by_lower(self) -> dict[str, Field]:
        return {name.lower(): item for name, item in self.fields.items()}

    def find(self, name: str) -> Field | None:
        found = self._by_lower.get(name.lower())
        return found if found is not None and not found.hidden else None

    def visible(self) -> list[Field]:
        return [item for item in self.fields.values() if not item.hidden]

    def changed(self) -> None:
        """Field names were added or removed."""
        self.__dict__.pop("_by_lower", None)


def shipped() -> dict[str, ObjectType]:
    raw = json.loads((Path(__file__).parent / "schema" / "objects.json").read_text(encoding="utf-8"))
    return {name: _object_type(name, entry) for name, entry in raw.items()}


def objects(space: Space) -> dict[str, ObjectType]:
    found: dict[str, ObjectType] = space.settings["objects"]
    return found


def object_type(space: Space, name: str) -> ObjectType:
    """Case-insensitive. Raises Refusal (INVALID_TYPE)."""
    known = objects(space)
    if name in known:
        return known[name]
    for candidate, found in known.items():
        if candidate.lower() == name.lower():
            return found
    raise unknown_type(name)


def _object_type(name: str, entry: dict[str, Any]) -> ObjectType:
    system = (
        copy.deepcopy(SYSTEM_FIELDS)
        if not entry.get("admin")
        else [each for each in SYSTEM_FIELDS if each[0] in ("Id", "SystemModstamp", "LastModifiedDate", "CreatedDate")]
    )
    fields = {item[0]: make_field(*item) for item in [*system, *entry["fields"]]}
    if "OwnerId" in fields:
        fields["OwnerId"].required = False
    return ObjectType(
        name, entry["prefix"], entry["label"], entry["merge"], entry["undelete"], bool(entry.get("admin")), fields
    )


def make_field(name: str, kind: str, extra: dict[str, Any]) -> Field:
    """A field from its compact JSON form."""
    readonly = bool(extra.get("system") or extra.get("readonly") or extra.get("computed"))
    return Field(
        name=name,
        type=kind,
        length=extra.get("length", 18 if kind in ("reference", "id") else 0),
        choices=list(extra.get("choices", [])),
        restricted=extra.get("restricted", False),
        required=extra.get("required", False),
        unique=extra.get("unique", False),
        external_id=extra.get("externalId", False),
        id_lookup=extra.get("idLookup", False),
        filterable=extra.get("filterable", True),
        createable=not readonly,
        updateable=not readonly and extra.get("updateable", True),
        system=extra.get("system", False),
        computed=extra.get("computed", False),
        default=extra.get("default", False if kind == "boolean" else None),
        to=list(extra.get("to", [])),
        relationship=extra.get("relationship"),
        name_field=extra.get("nameField", False),
        label=extra.get("label", name.removesuffix("__c").replace("_", " ")),
    )
