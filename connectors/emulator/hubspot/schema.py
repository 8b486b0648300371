"""The practice portal's properties: compact JSON beside this file.

``crm_source``, ``jobtitle_import_2019``, ``salesforcecontactid``, ``salesforceleadid``, ``salesforceaccountid``,
``lead_score`` and ``truce_key`` are custom properties of the practice portal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.emulator.hubspot.refusals import Refusal, invalid
from connectors.emulator.world import Space

FIELD_TYPES = {
    "string": "text",
    "number": "number",
    "bool": "booleancheckbox",
    "datetime": "date",
    "date": "date",
    "enumeration": "select",
}


@dataclass(slots=True)
class Property:
    """One property of one object type."""

    name: str
    type: str
    field_type: str
    options: list[tuple[str, str]] = field(default_factory=list)
    readonly: bool = False
    unique: bool = False
    required: bool = False
    is_email: bool = False
    is_domain: bool = False
    is_owner: bool = False
    is_stage: bool = False
    custom: bool = False
    archived: bool = False
    hidden: bool = False


@dataclass(slots=True)
class Kind:
    """One object type."""

    name: str
    id: str
    singular: str
    stamp: str
    defaults: list[str]
    properties: dict[str, Property]

    def find(self, name: str) -> Property | None:
        found = self.properties.get(name)
        return found if found is not None and not found.archived else None


def shipped() -> dict[str, Kind]:
    raw = json.loads((Path(__file__).parent / "schema" / "properties.json").read_text(encoding="utf-8"))
    return {name: _kind(name, entry) for name, entry in raw.items()}


def kinds(space: Space) -> dict[str, Kind]:
    found: dict[str, Kind] = space.settings["kinds"]
    return found


def kind_of(space: Space, text: str) -> Kind:
    """By plural, singular, any case, or type id. Raises Refusal 400."""
    wanted = text.lower()
    for kind in kinds(space).values():
        if wanted in (kind.name, kind.singular, kind.id):
            return kind
    raise Refusal(400, f"Unable to infer object type from: {text}", "VALIDATION_ERROR")


def make_property(name: str, kind: str, extra: dict[str, Any]) -> Property:
    labels = extra.get("labels") or extra.get("options", [])
    return Property(
        name=name,
        type=kind,
        field_type=extra.get("fieldType", FIELD_TYPES.get(kind, "text")),
        options=list(zip(extra.get("options", []), labels, strict=True)),
        readonly=extra.get("readonly", False),
        unique=extra.get("unique", False),
        required=extra.get("required", False),
        is_email=extra.get("email", False),
        is_domain=extra.get("domain", False),
        is_owner=extra.get("owner", False),
        is_stage=extra.get("stages", False),
        custom=extra.get("custom", False),
    )


def _kind(name: str, entry: dict[str, Any]) -> Kind:
    always = [
        ["createdate", "datetime"],
        [entry["stamp"], "datetime"],
        ["hs_object_id", "number"],
        ["hs_createdate", "datetime"],
    ]
    if entry["stamp"] != "hs_lastmodifieddate":
        always.append(["hs_lastmodifieddate", "datetime"])
    properties = {each[0]: make_property(each[0], each[1], {"readonly": True}) for each in always}
    properties |= {each[0]: make_property(*each) for each in entry["properties"]}
    return Kind(name, entry["id"], entry["singular"], entry["stamp"], entry["defaults"], properties)


def no_such_property(name: str) -> Refusal:
    return invalid(f'Property "{name}" does not exist')
