"""What the org checks before it saves a row: uniqueness, owners, references, its own rules, duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.emulator.salesforce import hierarchies
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, is_deleted, locked, missing_fields, text, wrong_id
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.world import Row

MATCHED = {"Contact": ("Contact",), "Lead": ("Lead", "Contact")}
"""Which records the standard duplicate rule of an object compares a new one with."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Who saves, and what the caller's headers ask for. A person at the screen sees every field.

    ``keeps_blanks``: around texts of a bulk job, as the switch has it.
    """

    user_id: str
    assigns: bool = False
    allows_duplicates: bool = False
    shows_duplicates: bool = False
    in_collection: bool = False
    is_person: bool = False
    keeps_blanks: bool = False


def check_row(org: Org, kind: ObjectType, values: dict[str, Any], row: Row | None, terms: Terms) -> None:
    """``values`` are those about to be stored; ``row`` is what they change, None for a new one. Raises Refusal."""
    _check_unique(org, kind, values, row)
    _check_references(org, kind, values, row)
    if row is not None:
        hierarchies.check_save(org, kind, values, row)
    _check_rules(org, kind, values, row)
    _check_duplicates(org, kind, values, row, terms)


def require(kind: ObjectType, values: dict[str, Any], *, creating: bool) -> None:
    """Every missing required field in one message. Raises Refusal."""
    missing = [
        item.name for item in kind.required if (creating or item.name in values) and values.get(item.name) is None
    ]
    if missing:
        raise missing_fields(missing)


def _check_unique(org: Org, kind: ObjectType, values: dict[str, Any], row: Row | None) -> None:
    for item in kind.unique:
        value = values.get(item.name)
        if value is None:
            continue
        for other_id in sorted(org.space.lookup(kind.name, item.name, value)):
            other = org.space.row(kind.name, other_id)
            if other is not None and not other.deleted and other is not row:
                message = f"duplicate value found: {item.name} duplicates value on record with id: {other.id[:15]}"
                raise Refusal(400, "DUPLICATE_VALUE", message, ())


def _check_references(org: Org, kind: ObjectType, values: dict[str, Any], row: Row | None) -> None:
    """What a row points at already is not looked at again: its owner may have left since."""
    for item in kind.references:
        value = values.get(item.name)
        if value is None or (row is not None and row.values.get(item.name) == value):
            continue
        if item.name == "OwnerId":
            _check_owner(org, kind, item, value)
            continue
        target = next((each for name in item.to if (each := org.kind(name)).prefix == value[:3]), None)
        if target is None:
            raise wrong_id(item.label, value, item.name)
        found = org.row(target.name, value)
        if found is None:
            raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
        if found.deleted:
            raise is_deleted()
        if org.is_held(found.id):
            raise locked(found.id)


def _check_owner(org: Org, kind: ObjectType, item: Field, owner_id: str) -> None:
    """A user must be active; a queue must be one for this object."""
    if owner_id[:3] not in {org.kind(name).prefix for name in item.to}:
        raise wrong_id(item.label, owner_id, item.name)
    if owner_id[:3] == org.kind("Group").prefix:
        served = (each.values for each in org.space.table("QueueSobject").values())
        if not any(each["QueueId"] == owner_id and each["SobjectType"] == kind.name for each in served):
            message = "Queue not associated with this SObject type"
            raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", message, (item.name,))
        return
    user = org.space.row("User", owner_id)
    if user is None:
        raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
    if not user.values.get("IsActive"):
        raise Refusal(400, "INACTIVE_OWNER_OR_USER", "operation performed with inactive user", ())


def _check_rules(org: Org, kind: ObjectType, values: dict[str, Any], row: Row | None) -> None:
    for rule in org.setting("validation_rules"):
        if rule["object"] != kind.name or not _holds(rule, values, row):
            continue
        if rule.get("flow"):
            message = text("flow failed").format(flow=rule["flow"], message=rule["message"])
            raise Refusal(400, "CANNOT_EXECUTE_FLOW_TRIGGER", message, ())
        pinned = (rule["field"],) if rule.get("pinned", True) else ()
        raise Refusal(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], pinned)


def _holds(rule: dict[str, Any], values: dict[str, Any], row: Row | None) -> bool:
    name = rule["field"]
    value = values[name] if name in values else row.values.get(name) if row is not None else None
    match rule.get("op", "="):
        case "blank":
            return value is None
        case "filled":
            return value is not None
        case "!=":
            return bool(value != rule.get("value"))
        case _:
            return bool(value == rule.get("value"))


def _check_duplicates(org: Org, kind: ObjectType, values: dict[str, Any], row: Row | None, terms: Terms) -> None:
    """An alert rule stops an API save too, unless the header allows it; a person may save after an alert."""
    rule, email = org.setting("duplicate_rule"), values.get("Email")
    if not rule or not email or kind.name not in ("Contact", "Lead"):
        return
    if rule == "alert" and (terms.allows_duplicates or terms.is_person):
        return
    same = {name: _with_email(org, name, email, row) for name in MATCHED[kind.name]}
    if not any(same.values()):
        return
    if terms.in_collection:
        raise Refusal(400, "DUPLICATES_DETECTED", text("duplicates"), ())
    # Salesforce really spells the key without the second l
    result = _duplicate_result(kind, same, rule == "alert", terms)
    raise Refusal(400, "DUPLICATES_DETECTED", text("duplicates"), None, duplicateResut=result)


def _with_email(org: Org, object_name: str, email: str, row: Row | None) -> list[Row]:
    """Live records other than the one being saved. A converted lead is nobody's duplicate."""
    ids = sorted(org.space.lookup(object_name, "Email", email))
    found = (org.space.row(object_name, each_id) for each_id in ids)
    return [
        each
        for each in found
        if each is not None and not each.deleted and each is not row and not each.values.get("IsConverted")
    ]


def _duplicate_result(kind: ObjectType, same: dict[str, list[Row]], allow_save: bool, terms: Terms) -> dict[str, Any]:
    return {
        "allowSave": allow_save,
        "duplicateRule": f"Standard_{kind.name}_Duplicate_Rule",
        "duplicateRuleEntityType": kind.name,
        "errorMessage": text("duplicates"),
        "matchResults": [_match_result(name, rows, terms) for name, rows in same.items() if rows],
    }


def _match_result(object_name: str, same: list[Row], terms: Terms) -> dict[str, Any]:
    matches = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {
                "attributes": {"type": object_name, "url": f"/services/data/v59.0/sobjects/{object_name}/{row.id}"},
                "Id": row.id,
                **({"Email": row.values.get("Email")} if terms.shows_duplicates else {}),
            },
        }
        for row in same
    ]
    return {
        "entityType": object_name,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": matches,
        "rule": f"Standard_{object_name}_Match_Rule_v1_1",
        "size": len(matches),
        "success": True,
    }
