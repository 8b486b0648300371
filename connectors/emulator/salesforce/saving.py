"""One row is created or changed: naming, rewriting, checks, the org's own additions, automations after the save."""

from __future__ import annotations

from typing import Any

from connectors.emulator.bad_rows import is_bad_row
from connectors.emulator.salesforce.additions import add_derived
from connectors.emulator.salesforce.campaigns import add_answers, recount
from connectors.emulator.salesforce.checks import Terms, check_row, require
from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.naming import stored_values
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.products import sum_up
from connectors.emulator.salesforce.refusals import Refusal, locked
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Row, Transaction


def create(org: Org, transaction: Transaction, kind: ObjectType, sent: dict[str, Any], terms: Terms) -> Row:
    """Raises Refusal; nothing is changed then."""
    if is_bad_row():
        raise locked(kind.name)
    if kind.is_setup or not (terms.is_person or kind.may("create")):
        raise read_only(kind, "inserted")
    if any(name.lower() == "id" for name in sent):
        message = "cannot specify Id in an insert call"
        raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, ("Id",))
    values = stored_values(org, kind, sent, creating=True, is_person=terms.is_person, keeps_blanks=terms.keeps_blanks)
    _add_defaults(kind, values)
    require(kind, values, creating=True)
    if "OwnerId" in kind.fields and values.get("OwnerId") is None:
        values["OwnerId"] = org.author(transaction.actor) if terms.is_person else terms.user_id
    check_row(org, kind, values, None, terms)
    add_derived(org, transaction, kind, values, None)
    _assign(org, kind, values, terms)
    row = new_row(org, transaction, kind, values)
    _add_companions(org, transaction, kind, row)
    _automate(org, transaction, kind, row, values)
    return row


def update(org: Org, transaction: Transaction, kind: ObjectType, row: Row, sent: dict[str, Any], terms: Terms) -> None:
    """Every save moves the stamps, also one that changes nothing. Raises Refusal; nothing is changed then."""
    if is_bad_row():
        raise locked(row.id)
    if not kind.may("edit") and not terms.is_person:
        raise read_only(kind, "updated")
    if kind.name == "Lead" and row.values.get("IsConverted"):
        raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    values = stored_values(org, kind, sent, creating=False, is_person=terms.is_person, keeps_blanks=terms.keeps_blanks)
    require(kind, values, creating=False)
    check_row(org, kind, values, row, terms)
    add_derived(org, transaction, kind, values, row)
    _assign(org, kind, values, terms)
    values["LastModifiedById"] = org.author(transaction.actor)
    transaction.update(row, values)
    _settle_siblings(org, transaction, kind, row)
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
    for name in kind.decimals:
        if values.get(name) is not None:
            values[name] = float(values[name])
    add_derived(org, transaction, kind, values, None)
    return new_row(org, transaction, kind, values, record_id)


def _add_defaults(kind: ObjectType, values: dict[str, Any]) -> None:
    for item in kind.defaulted:
        if values.get(item.name) is None:
            values[item.name] = item.default


def _assign(org: Org, kind: ObjectType, values: dict[str, Any], terms: Terms) -> None:
    """The active assignment rules: Leads and Cases go to a queue, whoever was named their owner."""
    queue_id = org.space.settings["assigned_to"].get(kind.name)
    if terms.assigns and queue_id is not None and org.setting("assignment_rule"):
        values["OwnerId"] = queue_id


def _automate(org: Org, transaction: Transaction, kind: ObjectType, row: Row, saved: dict[str, Any]) -> None:
    for rule in org.setting("automations"):
        if rule["object"] == kind.name and rule.get("when_field") in (None, *saved):
            transaction.update(row, dict(rule["set"]))


def _add_companions(org: Org, transaction: Transaction, kind: ObjectType, row: Row) -> None:
    """Rows that come into being, or change, along with a new one."""
    if kind.name.endswith("__c") and row.values.get("Name") is None and "Name" in kind.fields:
        transaction.update(row, {"Name": row.id})
    if kind.name == "Opportunity" and row.values.get("ContactId"):
        role = {"OpportunityId": row.id, "ContactId": row.values["ContactId"], "IsPrimary": True}
        new_row(org, transaction, org.kind("OpportunityContactRole"), role)
    if kind.name == "Campaign":
        add_answers(row, lambda name, values: new_row(org, transaction, org.catalogue.objects[name], values))
    _settle_siblings(org, transaction, kind, row)


def _settle_siblings(org: Org, transaction: Transaction, kind: ObjectType, row: Row) -> None:
    """What a saved row does to its parent: counts of a campaign, a deal's amount and its one primary role [K]."""
    if kind.name == "CampaignMember":
        recount(org, transaction, row.values["CampaignId"])
    if kind.name == "OpportunityLineItem":
        sum_up(org, transaction, row.values["OpportunityId"])
    if kind.name != "OpportunityContactRole" or not row.values.get("IsPrimary") or not org.setting("one_primary_role"):
        return
    for other_id in sorted(org.space.lookup(kind.name, "OpportunityId", row.values["OpportunityId"])):
        other = org.space.row(kind.name, other_id)
        if other is not None and other is not row and not other.deleted and other.values.get("IsPrimary"):
            transaction.update(other, {"IsPrimary": False})


def read_only(kind: ObjectType, doing: str) -> Refusal:
    """``doing`` is inserted, updated or deleted."""
    if kind.is_setup:
        message = f"entity type cannot be {doing}: {kind.label}"
        return Refusal(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, ())
    return Refusal(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", ())
