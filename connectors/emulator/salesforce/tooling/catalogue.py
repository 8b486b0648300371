"""The objects of the Tooling API: those of ``schema/tooling.json``, and of the org those that both APIs know.

The file names a field's type, or where it leads. ``stamped`` objects have creation and modification stamps; a
``filter`` names the fields one of which a query must be filtered by.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from connectors.emulator.salesforce.schema import Catalogue, ObjectType, shipped, spoken, tooling_definitions

SHARED = ("Group", "GroupMember", "Organization", "Profile", "QueueSobject", "RecordType", "User", "UserRole", "Name")
IN_BOTH = (
    "ApexClass", "ApexComponent", "ApexLog", "ApexPage", "ApexTestQueueItem", "ApexTestResult", "ApexTestRunResult",
    "ApexTestSuite", "ApexTrigger", "AsyncApexJob", "AuraDefinitionBundle", "EntityDefinition", "FieldDefinition",
    "LightningComponentBundle", "PermissionSet", "PermissionSetAssignment", "PermissionSetLicense",
    "PermissionSetLicenseAssign", "StaticResource", "TestSuiteMembership", "UserLicense",
)  # fmt: skip
"""What the API for records answers queries about too."""

STAMPS = ("Id", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
LONG = {"type": "textarea", "length": 131_072}
TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "length": 255},
    "id": {"type": "id", "readonly": True},
    "long": LONG,
    "complex": LONG,
}
NAMES = ("Name", "DeveloperName", "QualifiedApiName", "ValidationName", "TestSuiteName", "MasterLabel")
"""The first of these that an object has is what its records are called."""


@cache
def catalogue() -> Catalogue:
    from_org = {name: body for name, body in shipped().items() if name in SHARED}
    from_org["RecordType"]["fields"]["FullName"] = {"type": "string", "length": 255, "label": "Full Name"}
    return Catalogue.of({**{name: _definition(body) for name, body in tooling_definitions().items()}, **from_org})


def in_both(name: str) -> ObjectType | None:
    """An object that the API for records answers queries about too, and describes."""
    found = catalogue().find(name)
    return found if found is not None and found.name in IN_BOTH else None


def filters(name: str) -> list[str]:
    found: list[str] = tooling_definitions().get(name, {}).get("filter", [])
    return found


def _definition(body: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: _field(name, told) for name, told in body["fields"].items()}
    named = next((name for name in NAMES if name in fields), None)
    if named is not None:
        fields[named]["describe"] = {"nameField": True}
    return {
        "label": body["label"],
        "labelPlural": f"{body['label']}s",
        "prefix": body.get("prefix"),
        "setup": True,
        "systemFields": list(STAMPS) if body.get("stamped") else [],
        "fields": fields,
    }


def _field(name: str, told: Any) -> dict[str, Any]:
    label = {"label": spoken(name)}
    if isinstance(told, str):
        return {**TYPES.get(told, {"type": told}), **label}
    leads = {key: told[key] for key in ("to", "relationship", "children") if key in told}
    kind = {"type": "string", "length": 255} if told.get("text") else {"type": "reference"}
    return {**kind, **leads, **label}
