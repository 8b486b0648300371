"""The permission set that the integration user needs for what the policies do, as a file that Salesforce can deploy.

It sees all records of the objects named, for a record that sharing hides would look deleted. It deletes only where
policies create, because undoing a create deletes. Nothing else: no Modify All, no View Setup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.resources import files

from agent.declaration import Retiring, Rights, Use

_FIELDS = json.loads(files(__package__).joinpath("permission_fields.json").read_text(encoding="utf-8"))
"""``always``: fields every user of an object has, which a permission set must not name (required and system fields);
``parts``: parts of an address, whose permission is that of the whole."""

_LAST_DAYS = {30.0: date(2025, 5, 31), 40.0: date(2027, 5, 31)}
"""{newest version: its last day of support}. help.salesforce.com: 21.0 to 30.0 answer 410 since Summer '25; 31.0 to
40.0 lose support in Summer '27 and answer 410 from Summer '28. Summer releases come in June."""

FILE = "Truce.permissionset-meta.xml"
STEPS = (
    f"put {FILE} into force-app/main/default/permissionsets/ and run: sf project deploy start",
    "give the integration user the licence Salesforce Integration and the profile Minimum Access - API Only "
    "Integrations",
    "assign it the permission set license Salesforce API Integration and the permission set Truce",
    "in the external client app: client credentials flow, run as that user, scope api, and an IP range",
)


def rights(uses: Sequence[Use]) -> Rights:
    """Salesforce does not list what a user has been granted; descriptions tell it field by field."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += ['<PermissionSet xmlns="http://soap.sforce.com/2006/04/metadata">']
    lines += ["    <description>What the policies of Truce read and write, and no more.</description>"]
    for use in uses:
        lines += [line for field in fields_of(use) for line in _field(use, field)]
    lines += ["    <hasActivationRequired>false</hasActivationRequired>", "    <label>Truce</label>"]
    for use in uses:
        lines += _object(use)
    lines += ["    <userPermissions>", "        <enabled>true</enabled>", "        <name>ApiEnabled</name>"]
    lines += ["    </userPermissions>", "</PermissionSet>"]
    return Rights((), FILE, "\n".join(lines) + "\n", STEPS)


def retiring(api_version: str) -> Sequence[Retiring]:
    """What Salesforce has announced of this version; nothing is known of those from 41.0 on."""
    for newest, last_day in _LAST_DAYS.items():
        if float(api_version) <= newest:
            step = "in config.yaml under salesforce: remove api_version, so that Truce uses one it knows"
            return [Retiring(f"version {api_version} of Salesforce's API", last_day, step)]
    return []


def fields_of(use: Use) -> list[str]:
    """The fields that a permission set has to name, sorted; an address as a whole."""
    always = {*_FIELDS["always"]["*"], *_FIELDS["always"].get(use.object_type, ())}
    parts = _FIELDS["parts"].get(use.object_type, {})
    return sorted({parts.get(name, name) for name in (use.reads | use.writes) - always})


def _field(use: Use, name: str) -> Iterator[str]:
    parts = _FIELDS["parts"].get(use.object_type, {})
    is_written = any(parts.get(written, written) == name for written in use.writes)
    yield "    <fieldPermissions>"
    yield f"        <editable>{_word(is_written)}</editable>"
    yield f"        <field>{use.object_type}.{name}</field>"
    yield "        <readable>true</readable>"
    yield "    </fieldPermissions>"


def _object(use: Use) -> Iterator[str]:
    yield "    <objectPermissions>"
    yield f"        <allowCreate>{_word(use.creates)}</allowCreate>"
    yield f"        <allowDelete>{_word(use.creates)}</allowDelete>"
    yield f"        <allowEdit>{_word(use.creates or bool(use.writes))}</allowEdit>"
    yield "        <allowRead>true</allowRead>"
    yield "        <modifyAllRecords>false</modifyAllRecords>"
    yield f"        <object>{use.object_type}</object>"
    yield "        <viewAllRecords>true</viewAllRecords>"
    yield "    </objectPermissions>"


def _word(value: bool) -> str:
    return "true" if value else "false"
