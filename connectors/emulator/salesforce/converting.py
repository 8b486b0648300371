"""A Lead becomes a Contact of an Account, perhaps with an Opportunity. There is no way back."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.emulator.salesforce.campaigns import member_of, recount
from connectors.emulator.salesforce.checks import Terms
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.saving import create, new_row, update
from connectors.emulator.world import Row, Transaction

TO_CONTACT = {
    name: name
    for name in (
        "FirstName", "LastName", "Salutation", "Title", "Email", "Phone", "MobilePhone", "Fax", "LeadSource",
        "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall",
    )
} | {part: f"Mailing{part}" for part in ("Street", "City", "State", "PostalCode", "Country")}  # fmt: skip
TO_ACCOUNT = {
    "Company": "Name", "Phone": "Phone", "Website": "Website", "Industry": "Industry", "Rating": "Rating",
    "NumberOfEmployees": "NumberOfEmployees", "AnnualRevenue": "AnnualRevenue", "LeadSource": "AccountSource",
} | {part: f"Billing{part}" for part in ("Street", "City", "State", "PostalCode", "Country")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """The options of ``convertLead``, under their own names in Python's spelling."""

    converted_status: str | None = None
    account_id: str | None = None
    contact_id: str | None = None
    opportunity_id: str | None = None
    do_not_create_opportunity: bool = False
    opportunity_name: str | None = None
    overwrite_lead_source: bool = False
    owner_id: str | None = None


def convert(org: Org, transaction: Transaction, lead: Row, wanted: Conversion) -> dict[str, Any]:
    """Raises Refusal: no converted status, converted already, owned by a queue and nobody named."""
    if lead.values.get("IsConverted"):
        raise Refusal(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    status = _status(org, wanted)
    owner_id = wanted.owner_id or lead.values["OwnerId"]
    if owner_id[:3] != "005":
        message = "invalid owner: a lead of a queue needs an owner to be converted"
        raise Refusal(400, "INVALID_CROSS_REFERENCE_KEY", message, ("OwnerId",))
    terms = Terms(owner_id, is_person=True)
    account = _account(org, transaction, lead, wanted, terms)
    contact = _contact(org, transaction, lead, wanted, account.id, terms)
    opportunity = _opportunity(org, transaction, lead, wanted, account, contact, terms)
    _move_activities(org, transaction, lead, contact)
    transaction.update(
        lead,
        {
            "Status": status,
            "IsConverted": True,
            "ConvertedDate": transaction.at.date().isoformat(),
            "ConvertedAccountId": account.id,
            "ConvertedContactId": contact.id,
            "ConvertedOpportunityId": opportunity.id if opportunity is not None else None,
            "LastModifiedById": org.author(transaction.actor),
        },
        op="convert",
    )
    _move_memberships(org, transaction, lead, contact)
    return {
        "accountId": account.id,
        "contactId": contact.id,
        "leadId": lead.id,
        "opportunityId": opportunity.id if opportunity is not None else None,
        "success": True,
        "errors": [],
    }


def _status(org: Org, wanted: Conversion) -> str:
    found = [row.values["ApiName"] for row in org.space.table("LeadStatus").values() if row.values["IsConverted"]]
    status = wanted.converted_status or found[0]
    if status not in found:
        raise Refusal(400, "INVALID_STATUS", f"invalid convertedStatus: {status}", ("convertedStatus",))
    return str(status)


def _account(org: Org, transaction: Transaction, lead: Row, wanted: Conversion, terms: Terms) -> Row:
    kind, values = org.kind("Account"), _taken(lead, TO_ACCOUNT)
    contact = org.space.row("Contact", wanted.contact_id) if wanted.contact_id else None
    account_id = wanted.account_id or (contact.values.get("AccountId") if contact is not None else None)
    if account_id is None:
        return create(org, transaction, kind, {**values, "OwnerId": terms.user_id}, terms)
    account = org.row_to_write(kind, account_id)
    _fill(org, transaction, account, values, terms)
    return account


def _contact(org: Org, transaction: Transaction, lead: Row, wanted: Conversion, account_id: str, terms: Terms) -> Row:
    """Into an existing contact only what is empty there goes; the lead source also on demand."""
    kind, values = org.kind("Contact"), _taken(lead, TO_CONTACT)
    if wanted.contact_id is None:
        owned = {**values, "AccountId": account_id, "OwnerId": terms.user_id}
        return create(org, transaction, kind, owned, terms)
    contact = org.row_to_write(kind, wanted.contact_id)
    source = {"LeadSource": values["LeadSource"]} if wanted.overwrite_lead_source and "LeadSource" in values else {}
    _fill(org, transaction, contact, {**values, "AccountId": account_id}, terms, source)
    return contact


def _opportunity(
    org: Org, transaction: Transaction, lead: Row, wanted: Conversion, account: Row, contact: Row, terms: Terms
) -> Row | None:
    if wanted.opportunity_id is not None:
        found = org.row_to_write(org.kind("Opportunity"), wanted.opportunity_id)
    elif wanted.do_not_create_opportunity:
        return None
    else:
        values = {
            "Name": wanted.opportunity_name or account.values["Name"],
            "AccountId": account.id,
            "StageName": org.kind("Opportunity").fields["StageName"].choices[0],
            "CloseDate": _quarter_end(transaction.at.date()).isoformat(),
            "LeadSource": lead.values.get("LeadSource"),
            "OwnerId": terms.user_id,
        }
        found = create(org, transaction, org.kind("Opportunity"), values, terms)
    role = {"OpportunityId": found.id, "ContactId": contact.id, "IsPrimary": True}
    new_row(org, transaction, org.kind("OpportunityContactRole"), role)
    return found


def _fill(
    org: Org,
    transaction: Transaction,
    row: Row,
    values: dict[str, Any],
    terms: Terms,
    forced: dict[str, Any] | None = None,
) -> None:
    blanks = {name: value for name, value in values.items() if row.values.get(name) is None}
    changes = {**blanks, **(forced or {})}
    if changes:
        update(org, transaction, org.kind(row.object_type), row, changes, terms)


def _move_activities(org: Org, transaction: Transaction, lead: Row, contact: Row) -> None:
    for kind in ("Task", "Event"):
        for activity in _live(org, kind, "WhoId", lead):
            transaction.update(activity, {"WhoId": contact.id, "AccountId": contact.values.get("AccountId")})


def _move_memberships(org: Org, transaction: Transaction, lead: Row, contact: Row) -> None:
    """A membership names both then; where the contact was a member already, the lead's goes [K]."""
    for member in _live(org, "CampaignMember", "LeadId", lead):
        if member_of(org, member.values["CampaignId"], "ContactId", contact.id) is None:
            transaction.update(member, {"ContactId": contact.id})
        else:
            transaction.mark(member, op="delete", deleted=True)
        recount(org, transaction, member.values["CampaignId"])


def _live(org: Org, kind: str, field: str, lead: Row) -> list[Row]:
    found = (org.space.row(kind, each) for each in sorted(org.space.lookup(kind, field, lead.id)))
    return [row for row in found if row is not None and not row.deleted]


def _taken(lead: Row, names: dict[str, str]) -> dict[str, Any]:
    return {there: value for here, there in names.items() if (value := lead.values.get(here)) is not None}


def _quarter_end(day: date) -> date:
    month = (day.month - 1) // 3 * 3 + 3
    return date(day.year, month, calendar.monthrange(day.year, month)[1])
