"""The practice org: who may call, what a row looks like through the API, how one row is written.

Switches in ``space.settings`` (all documented here; [K] marks behaviour nobody has confirmed on a real org):

| name | default | meaning |
| --- | --- | --- |
| token_seconds | 7200 | life of an access token |
| daily_requests | 100000 | rolling quota; above it 403 REQUEST_LIMIT_EXCEEDED |
| assignment_rule | on | creates and updates of a Lead without ``Sforce-Auto-Assign: FALSE`` go to the queue |
| duplicate_rule | off | "block" or "alert": a second Contact or Lead with the same e-mail is refused |
| validation_rules | [] | {object, field, op: "=" or "blank", value, message}: refused when it holds |
| automations | [] | {object, when_field, set: {field: value}}: changes other fields in the same transaction |
| unsettled_412_seconds | 1 | grain of If-Unmodified-Since [documented] |
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.emulator.salesforce import values
from connectors.emulator.salesforce.ids import full_id, new_id
from connectors.emulator.salesforce.refusals import Refusal, deleted, not_found
from connectors.emulator.salesforce.schema import ObjectType, object_type, objects
from connectors.emulator.salesforce.stamps import grain, wire
from connectors.emulator.world import Actor, Row, Space, Transaction, World

API_USER = "integration"
DEFAULTS: dict[str, Any] = {
    "token_seconds": 7200,
    "daily_requests": 100_000,
    "assignment_rule": True,
    "duplicate_rule": None,
    "validation_rules": [],
    "automations": [],
}


class Org:
    """One world's Salesforce side."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.space: Space = world.spaces["salesforce"]
        self.cursors: dict[str, tuple[list[dict[str, Any]], datetime, int]] = {}
        """Query locators: (all records, opened at, page size)."""

    def kind(self, name: str) -> ObjectType:
        return object_type(self.space, name)

    def setting(self, name: str) -> Any:
        return self.space.settings.get(name, DEFAULTS.get(name))

    def is_visible(self, row: Row) -> bool:
        """Late commit: a row is not there for anybody before it is visible."""
        return row.visible_at <= self.world.clock.now()

    def value_of(self, kind: ObjectType, row: Row, name: str) -> Any:
        """One field as the API shows it."""
        match name:
            case "Id":
                return row.id
            case "IsDeleted":
                return row.deleted
            case "MasterRecordId":
                return row.merged_into
            case "CreatedDate":
                return wire(row.created_at)
            case "LastModifiedDate":
                return wire(row.modified_at)
            case "SystemModstamp":
                return wire(row.stamp)
            case "Name" if kind.fields["Name"].computed:
                return " ".join(part for key in ("FirstName", "LastName") if (part := row.values.get(key))) or None
        value = row.values.get(name)
        return False if value is None and kind.fields[name].type == "boolean" else value

    def live_row(self, kind: ObjectType, record_id: str) -> Row:
        """Raises Refusal: malformed id, never existed, deleted."""
        identity = full_id(record_id)
        if identity is None or not identity.startswith(kind.prefix):
            if identity is not None and any(
                identity.startswith(other.prefix) for other in objects(self.space).values()
            ):
                raise Refusal(400, "MALFORMED_ID", f"{kind.label} ID: id value of incorrect type: {record_id}", ("Id",))
            raise not_found()
        row = self.space.row(kind.name, identity)
        if row is None or not self.is_visible(row):
            raise not_found()
        if row.deleted:
            raise deleted()
        return row

    def create(self, transaction: Transaction, kind: ObjectType, sent: dict[str, Any], *, assign: bool = False) -> Row:
        """Raises Refusal; nothing is changed then."""
        stored = values.stored_values(kind, sent, creating=True)
        for item in kind.visible():
            if item.default is not None and stored.get(item.name) is None and item.type != "boolean":
                stored[item.name] = item.default
        values.require(kind, stored)
        self._check(kind, stored, None)
        stored.setdefault("OwnerId", self.user_id(API_USER)) if "OwnerId" in kind.fields else None
        stored["CreatedById"] = stored["LastModifiedById"] = transaction.actor.id
        if assign and kind.name == "Lead" and self.setting("assignment_rule"):
            stored["OwnerId"] = self.space.settings["queue_id"]
        row_id = new_id(kind.prefix, self.space.next_number(kind.prefix))
        row = transaction.create(kind.name, row_id, {**dict.fromkeys(_own_fields(kind)), **stored})
        self._automate(transaction, kind, row, stored)
        return row

    def update(
        self, transaction: Transaction, kind: ObjectType, row: Row, sent: dict[str, Any], *, assign: bool = False
    ) -> None:
        """Raises Refusal; nothing is changed then."""
        if kind.name == "Lead" and row.values.get("IsConverted"):
            raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
        stored = values.stored_values(kind, sent, creating=False)
        merged = {**row.values, **stored}
        values.require(kind, merged)
        self._check(kind, stored, row)
        if assign and kind.name == "Lead" and self.setting("assignment_rule"):
            stored["OwnerId"] = self.space.settings["queue_id"]
        stored["LastModifiedById"] = transaction.actor.id
        if kind.name == "Opportunity" and "StageName" in stored:
            stored.update(_stage_effects(stored))
        transaction.update(row, stored)
        self._automate(transaction, kind, row, stored)

    def delete(self, transaction: Transaction, kind: ObjectType, row: Row) -> None:
        """Soft delete with cascade: contacts, opportunities and tasks of an account go with it."""
        transaction.mark(row, op="delete", deleted=True)
        children = {"Account": [("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Task", "WhatId")]}
        children |= {"Contact": [("Task", "WhoId")], "Lead": [("Task", "WhoId")]}
        for child_type, field in children.get(kind.name, []):
            for child in list(self.space.table(child_type).values()):
                if not child.deleted and child.values.get(field) == row.id:
                    self.delete(transaction, self.kind(child_type), child)

    def user_id(self, name: str) -> str:
        return str(self.space.settings["users"][name])

    def check_unmodified(self, row: Row, header: str | None) -> None:
        """``If-Unmodified-Since``, grain one second, by last modified date. Raises Refusal 412 or 400."""
        if header is None:
            return
        try:
            since = parsedate_to_datetime(header)
        except (TypeError, ValueError):
            raise Refusal(400, "INVALID_HEADER", f"Invalid date in If-Unmodified-Since: {header}") from None
        if grain(row.modified_at) > grain(since):
            raise Refusal(412, "PRECONDITION_FAILED", "the record was changed since the given date")

    def _check(self, kind: ObjectType, stored: dict[str, Any], row: Row | None) -> None:
        self._check_unique(kind, stored, row)
        self._check_owner(kind, stored)
        self._check_references(kind, stored)
        self._check_rules(kind, stored, row)
        if row is None:
            self._check_duplicates(kind, stored)

    def _check_unique(self, kind: ObjectType, stored: dict[str, Any], row: Row | None) -> None:
        for item in kind.visible():
            value = stored.get(item.name) if item.unique else None
            for other_id in sorted(self.space.lookup(kind.name, item.name, value)) if value is not None else ():
                other = self.space.row(kind.name, other_id)
                if other is not None and not other.deleted and other is not row:
                    text = f"duplicate value found: {item.name} duplicates value on record with id: {other.id[:15]}"
                    raise Refusal(400, "DUPLICATE_VALUE", text, ())

    def _check_owner(self, kind: ObjectType, stored: dict[str, Any]) -> None:
        owner_id = stored.get("OwnerId")
        if owner_id is None:
            return
        if owner_id.startswith("00G"):
            queues = {
                row.values["QueueId"]
                for row in self.space.table("QueueSobject").values()
                if row.values["SobjectType"] == kind.name
            }
            if owner_id not in queues:
                text = f"Owner ID: id value of incorrect type: {owner_id}"
                raise Refusal(
                    400,
                    "MALFORMED_ID" if "Group" not in kind.fields["OwnerId"].to else "INVALID_CROSS_REFERENCE_KEY",
                    text,
                    ("OwnerId",),
                )
            return
        user = self.space.row("User", owner_id)
        if user is None:
            raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
        if not user.values.get("IsActive"):
            raise Refusal(400, "INACTIVE_OWNER_OR_USER", "operation performed with inactive user", ())

    def _check_references(self, kind: ObjectType, stored: dict[str, Any]) -> None:
        for item in kind.visible():
            value = stored.get(item.name)
            if item.type != "reference" or value is None or item.name == "OwnerId" or not item.to:
                continue
            targets = [self.kind(name) for name in item.to]
            target = next((each for each in targets if value.startswith(each.prefix)), None)
            if target is None:
                raise Refusal(400, "MALFORMED_ID", f"{item.label}: id value of incorrect type: {value}", (item.name,))
            found = self.space.row(target.name, value)
            if found is None or found.deleted:
                raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())

    def _check_rules(self, kind: ObjectType, stored: dict[str, Any], row: Row | None) -> None:
        for rule in self.setting("validation_rules"):
            if rule["object"] != kind.name:
                continue
            value = stored.get(rule["field"], row.values.get(rule["field"]) if row else None)
            holds = value in (None, "") if rule["op"] == "blank" else value == rule.get("value")
            if holds:
                raise Refusal(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], (rule["field"],))

    def _check_duplicates(self, kind: ObjectType, stored: dict[str, Any]) -> None:
        rule = self.setting("duplicate_rule")
        email = stored.get("Email")
        if not rule or not email or kind.name not in ("Contact", "Lead"):
            return
        same = [
            row
            for row_id in self.space.lookup(kind.name, "Email", email)
            if (row := self.space.row(kind.name, row_id)) and not row.deleted
        ]
        if same:
            matches = [
                {
                    "additionalInformation": [],
                    "fieldDiffs": [],
                    "matchConfidence": 100.0,
                    "record": {"attributes": {"type": kind.name}, "Id": row.id},
                }
                for row in same
            ]
            result = {
                "allowSave": rule == "alert",
                "duplicateRule": f"Standard_{kind.name}_Duplicate_Rule",
                "duplicateRuleEntityType": kind.name,
                "errorMessage": "Use one of these records?",
                "matchResults": [
                    {
                        "entityType": kind.name,
                        "errors": [],
                        "matchEngine": "FuzzyMatchEngine",
                        "matchRecords": matches,
                        "rule": f"Standard_{kind.name}_Match_Rule_v1_1",
                        "size": len(matches),
                        "success": True,
                    }
                ],
            }
            raise Refusal(400, "DUPLICATES_DETECTED", "Use one of these records?", None, duplicateResut=result)

    def _automate(self, transaction: Transaction, kind: ObjectType, row: Row, stored: dict[str, Any]) -> None:
        for rule in self.setting("automations"):
            if rule["object"] == kind.name and rule.get("when_field") in (None, *stored):
                transaction.update(row, dict(rule["set"]))


def _own_fields(kind: ObjectType) -> list[str]:
    return [name for name, item in kind.fields.items() if not item.system and not item.computed]


def _stage_effects(stored: dict[str, Any]) -> dict[str, Any]:
    stage = stored["StageName"]
    won, lost = stage == "Closed Won", stage == "Closed Lost"
    effects: dict[str, Any] = {"IsClosed": won or lost, "IsWon": won}
    if "Probability" not in stored:
        effects["Probability"] = 100.0 if won else 0.0 if lost else 50.0
    return effects


def api_actor(org: Org, request_id: str | None, entry_id: str | None) -> Actor:
    return Actor(org.user_id(API_USER), "api", "Integration User", request_id, entry_id)


def expiry(org: Org) -> timedelta:
    return timedelta(seconds=float(org.setting("token_seconds")))
