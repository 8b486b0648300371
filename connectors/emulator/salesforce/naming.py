"""From what a caller sent to stored values under describe's names: which fields, may they be written, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, UnknownColumn, Unreadable, not_found, text
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.values import Ways, stored
from connectors.emulator.world import Row

ENVELOPE = ("attributes",)


def stored_values(
    org: Org,
    kind: ObjectType,
    sent: Mapping[str, Any],
    *,
    creating: bool,
    is_person: bool,
    keeps_blanks: bool = False,
) -> dict[str, Any]:
    """The values this write stores, under describe's field names.

    Raises:
        Refusal: unknown or read-only fields, then the first value Salesforce objects to.
    """
    fields = kind.everything if is_person else kind.visible
    refused: list[str] = []
    found: dict[str, Any] = {}
    ways = Ways(org.setting("null_checkbox"), org.setting("multipicklist_order") == "sent", keeps_blanks)
    for name, value in sent.items():
        item = fields.get(name.lower())
        if item is None:
            if name in ENVELOPE:
                continue
            item, value = _by_relationship(org, kind, name, value)
        if not _is_writable(item, creating=creating, is_person=is_person):
            refused.append(item.name)
        else:
            found[item.name] = stored(item, value, ways)
    if refused:
        message = text("read-only fields").format(names=", ".join(refused))
        raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, tuple(refused))
    return found


def _is_writable(item: Field, *, creating: bool, is_person: bool) -> bool:
    allowed = item.createable if creating else item.updateable
    return allowed and (is_person or not item.read_only)


def _by_relationship(org: Org, kind: ObjectType, name: str, value: Any) -> tuple[Field, Any]:
    """``{"Account": {"Truce_Key__c": "a-1"}}`` in place of ``AccountId`` [K]."""
    item = kind.relationships.get(name.lower())
    if item is None or item.hidden or not isinstance(value, dict | None):
        raise UnknownColumn(name, kind.name)
    if value is None:
        return item, None
    keys = {key: each for key, each in value.items() if key not in ENVELOPE}
    if len(keys) != 1:
        raise Unreadable("reference", value, name)
    ((key, wanted),) = keys.items()
    target = org.kind(item.to[0])
    rows = rows_by_key(org, target, key, str(wanted))
    if len(rows) != 1:
        found = target.find(key)
        label = found.name if found is not None else key
        message = f"Foreign key external ID: {wanted} not found for field {label} in entity {target.name}"
        raise Refusal(400, "INVALID_FIELD", message)
    return item, rows[0].id


def rows_by_key(org: Org, kind: ObjectType, name: str, value: str) -> list[Row]:
    """Live rows whose key field has this value, case-insensitive, in the order of their ids.

    Raises:
        Refusal: 404, the field is no key of this object.
    """
    item = key_field(kind, name)
    if item.type == "id":
        row = org.row(kind.name, org.checked_id(kind, value))
        return [row] if row is not None and not row.deleted else []
    found = [row for row in org.rows_with(kind, item, value) if not row.deleted]
    return sorted(found, key=lambda row: row.id)


def key_field(kind: ObjectType, name: str) -> Field:
    """A field that records can be looked up by. Raises Refusal (404)."""
    item = kind.find(name)
    if item is None or not item.id_lookup:
        raise not_found(text("unknown key").format(name=name))
    return item
