"""Property definitions: the shipped ones in the form of the wire, and a fast view of one object type's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.emulator.hubspot.kinds import Kind, shipped_kinds
from connectors.emulator.hubspot.refusals import load
from connectors.emulator.hubspot.times import wire
from connectors.emulator.world import Row, Space

Definition = dict[str, Any]
DEFAULT_WIDGET = {
    "string": "text",
    "number": "number",
    "date": "date",
    "datetime": "date",
    "enumeration": "select",
    "bool": "booleancheckbox",
    "phone_number": "phonenumber",
}
SHIPPED_AT = "2019-08-06T02:41:08.029Z"
COMPUTED: dict[str, Callable[[Row], str]] = {
    "createdate": lambda row: wire(row.created_at),
    "hs_createdate": lambda row: wire(row.created_at),
    "lastmodifieddate": lambda row: wire(row.stamp),
    "hs_lastmodifieddate": lambda row: wire(row.stamp),
    "hs_object_id": lambda row: row.id,
}
"""Properties that the row itself tells, where the object type has them."""


def shipped_properties() -> dict[str, dict[str, Definition]]:
    """{object type: {name: definition}} of the practice account."""
    data = load("properties")
    return {
        kind.name: {name: shipped(kind, name, facts) for name, facts in {**data["every"], **data[kind.name]}.items()}
        for kind in shipped_kinds().values()
    }


def custom_object_properties(kind: Kind) -> dict[str, Definition]:
    """What a custom object has before anybody defines a property of it."""
    data = load("properties")
    return {name: shipped(kind, name, facts) for name, facts in {**data["every"], **data["custom object"]}.items()}


def shipped(kind: Kind, name: str, facts: str | dict[str, Any]) -> Definition:
    """One line of ``schema/properties.json``: a label alone is plain text."""
    told = {"label": facts} if isinstance(facts, str) else facts
    options = load("options")[told["options"]] if "options" in told else []
    custom, read_only = told.get("custom", False), told.get("read_only", False)
    external = told.get("external")
    definition = new_definition(kind, {"name": name, "type": "string", **told, "options": listed(options)}, SHIPPED_AT)
    definition.update(
        hubspotDefined=not custom,
        calculated=told.get("calculated", False),
        externalOptions=bool(external) or told.get("externalOptions", False),
        modificationMetadata={
            "archivable": custom,
            "readOnlyDefinition": not custom,
            "readOnlyValue": read_only,
        },
    )
    if external == "OWNER":
        definition["referencedObjectType"] = "OWNER"
    if not custom:
        del definition["archived"]
    return definition


def listed(options: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"label": label, "value": value, "displayOrder": order, "hidden": False}
        for order, (value, label) in enumerate(options)
    ]


def new_definition(kind: Kind, told: dict[str, Any], at: str) -> Definition:
    """A custom property from what a caller said of it."""
    return {
        "name": told["name"],
        "label": told.get("label", told["name"]),
        "type": told["type"],
        "fieldType": told.get("fieldType") or DEFAULT_WIDGET.get(told["type"], "text"),
        "groupName": told.get("groupName") or usual_group(kind),
        "description": told.get("description", ""),
        "options": told.get("options") or [],
        "displayOrder": told.get("displayOrder", -1),
        "calculated": False,
        "externalOptions": told.get("externalOptions", False),
        "hasUniqueValue": told.get("hasUniqueValue", False),
        "hidden": told.get("hidden", False),
        "formField": told.get("formField", True),
        "hubspotDefined": False,
        "dataSensitivity": told.get("dataSensitivity", "non_sensitive"),
        "archived": False,
        "createdAt": at,
        "updatedAt": at,
        "modificationMetadata": {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": False},
    }


def usual_group(kind: Kind) -> str:
    return f"{kind.singular}information" if not kind.is_custom else f"{kind.name}_information"


def is_read_only(definition: Definition) -> bool:
    return bool(definition["modificationMetadata"]["readOnlyValue"])


def may_be_set_by_people(kind: Kind, name: str) -> bool:
    """Some of what the API only reads people change: a contact unsubscribes, an administrator closed a field."""
    data = load("properties")
    facts = data.get(kind.name, {}).get(name, data["every"].get(name, {}))
    return isinstance(facts, str) or facts.get("by_people", False) or not facts.get("read_only", False)


@dataclass(frozen=True)
class Schema:
    """The live properties of one object type as one version of the account's schema has them."""

    kind: Kind
    definitions: dict[str, Definition]

    @cached_property
    def computed(self) -> dict[str, Callable[[Row], str]]:
        return {name: compute for name, compute in COMPUTED.items() if name in self.definitions}

    @cached_property
    def unique_names(self) -> list[str]:
        return [name for name, definition in self.definitions.items() if definition["hasUniqueValue"]]

    def value(self, row: Row, name: str) -> str | None:
        compute = self.computed.get(name)
        if compute is not None:
            return compute(row)
        found = row.values.get(name)
        return found if found is None or isinstance(found, str) else str(found)

    def type_of(self, name: str) -> str:
        return str(self.definitions[name]["type"])

    def selected(self, asked: Iterable[str]) -> list[str]:
        """What a read shows: the asked ones that exist, and those that are always there; defaults when none asked."""
        names = dict.fromkeys(asked) or dict.fromkeys(self.kind.shown)
        return [name for name in {**names, **dict.fromkeys(self.kind.always)} if name in self.definitions]


def live_definitions(space: Space, kind: Kind, *, with_sensitive: bool) -> dict[str, Definition]:
    """Neither archived nor, as the API sees them, sensitive."""
    found: dict[str, Definition] = space.settings["properties"][kind.name]
    return {
        name: definition
        for name, definition in found.items()
        if not definition.get("archived") and (with_sensitive or definition["dataSensitivity"] == "non_sensitive")
    }
