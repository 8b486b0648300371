"""One row is created or changed: naming, rewriting, checks, the org's own additions, automations after the save."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.checks import Terms, check_row, require
from connectors.emulator.salesforce.fields import stage_of
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.naming import stored_values
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.stamps import wire
from connectors.emulator.world import Row, Transaction


def create(org: Org, transaction: Transaction, kind: ObjectType, sent: dict[str, Any], terms: Terms) -> Row:
    """Raises Refusal; nothing is changed then."""
    if kind.is_setup or (kind.read_only and not terms.is_person):
        raise read_only(kind, "inserted")
    values = stored_values(org, kind, sent, creating=True, is_person=terms.is_person)
    _add_defaults(kind, values)
    require(kind, values, creating=True)
    if "OwnerId" in kind.fields and values.get("OwnerId") is None:
        values["OwnerId"] = org.author(transaction.actor) if terms.is_person else terms.user_id
    check_row(org, kind, values, None, terms)
    _add_derived(org, transaction, kind, values, None)
    _assign(org, kind, values, terms)
    row = new_row(org, transaction, kind, values)
    if kind.name == "Opportunity" and values.get("ContactId"):
        _add_contact_role(org, transaction, row)
    _automate(org, transaction, kind, row, values)
    return row


def update(org: Org, transaction: Transaction, kind: ObjectType, row: Row, sent: dict[str, Any], terms: Terms) -> None:
    """Every save moves the stamps, also one that changes nothing. Raises Refusal; nothing is changed then."""
    if not kind.is_writable and not terms.is_person:
        raise read_only(kind, "updated")
    if kind.name == "Lead" and row.values.get("IsConverted"):
        raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    values = stored_values(org, kind, sent, creating=False, is_person=terms.is_person)
    require(kind, values, creating=False)
    check_row(org, kind, values, row, terms)
    _add_derived(org, transaction, kind, values, row)
    _assign(org, kind, values, terms)
    values["LastModifiedById"] = org.author(transaction.actor)
    transaction.update(row, values)
    _automate(org, transaction, kind, row, values)


def new_row(
    org: Org, transaction: Transaction, kind: ObjectType, values: dict[str, Any], record_id: str | None = None
) -> Row:
    """Put a row in with its author, without any check."""
    author = org.author(transaction.actor)
    record_id = record_id or new_id(str(kind.prefix), org.space.next_number(str(kind.prefix)))
    authors: dict[str, Any] = {name: author for name in ("CreatedById", "LastModifiedById") if name in kind.fields}
    return transaction.create(kind.name, record_id, {**kind.blank, **values, **authors})


def seeded_row(
    org: Org, transaction: Transaction, kind: ObjectType, values: dict[str, Any], record_id: str | None
) -> Row:
    """A new row as the vendor would have completed it, without any check."""
    _add_defaults(kind, values)
    _add_derived(org, transaction, kind, values, None)
    return new_row(org, transaction, kind, values, record_id)


def _add_defaults(kind: ObjectType, values: dict[str, Any]) -> None:
    for item in kind.defaulted:
        if values.get(item.name) is None:
            values[item.name] = item.default


def _assign(org: Org, kind: ObjectType, values: dict[str, Any], terms: Terms) -> None:
    """The one active assignment rule: a Lead goes to the queue, whoever was named its owner."""
    if terms.assigns and kind.name == "Lead" and org.setting("assignment_rule"):
        values["OwnerId"] = org.space.settings["queue_id"]


def _automate(org: Org, transaction: Transaction, kind: ObjectType, row: Row, saved: dict[str, Any]) -> None:
    for rule in org.setting("automations"):
        if rule["object"] == kind.name and rule.get("when_field") in (None, *saved):
            transaction.update(row, dict(rule["set"]))


def _add_derived(org: Org, transaction: Transaction, kind: ObjectType, values: dict[str, Any], row: Row | None) -> None:
    if kind.name == "Opportunity" and "StageName" in values:
        _add_stage_effects(transaction, values, row)
    if kind.name == "Task":
        _add_task_effects(org, transaction, values, row)


def _add_stage_effects(transaction: Transaction, values: dict[str, Any], row: Row | None) -> None:
    """A new stage brings its probability and forecast category, unless the same call says otherwise."""
    if row is not None and row.values.get("StageName") == values["StageName"]:
        return
    stage = stage_of(values)
    values.setdefault("Probability", float(stage["probability"]))
    values.setdefault("ForecastCategoryName", stage["forecast"])
    if row is not None:
        values["LastStageChangeDate"] = wire(transaction.at)


def _add_task_effects(org: Org, transaction: Transaction, values: dict[str, Any], row: Row | None) -> None:
    before = row.values if row is not None else {}
    if "WhoId" in values or "WhatId" in values:
        who, what = (values.get(name, before.get(name)) for name in ("WhoId", "WhatId"))
        values["AccountId"] = _account_behind(org, what) or _account_behind(org, who)
    if "Status" in values and (values["Status"] == "Completed") != (before.get("Status") == "Completed"):
        values["CompletedDateTime"] = wire(transaction.at) if values["Status"] == "Completed" else None


def _account_behind(org: Org, record_id: str | None) -> str | None:
    kind = org.catalogue.with_prefix(record_id) if record_id else None
    if kind is None or record_id is None or kind.name == "Account":
        return record_id if kind is not None else None
    row = org.space.row(kind.name, record_id)
    found: str | None = row.values.get("AccountId") if row is not None else None
    return found


def _add_contact_role(org: Org, transaction: Transaction, opportunity: Row) -> None:
    """``ContactId`` on a new opportunity makes its primary contact role."""
    role = {"OpportunityId": opportunity.id, "ContactId": opportunity.values["ContactId"], "IsPrimary": True}
    new_row(org, transaction, org.kind("OpportunityContactRole"), role)


def read_only(kind: ObjectType, doing: str) -> Refusal:
    """``doing`` is inserted, updated or deleted."""
    if kind.is_setup:
        message = f"entity type cannot be {doing}: {kind.label}"
        return Refusal(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, ())
    return Refusal(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", ())
