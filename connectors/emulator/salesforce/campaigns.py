"""Campaigns: the answers one may give to each, who is a member of it once, and the counts it keeps of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal, missing_fields
from connectors.emulator.world import Row, Transaction

ANSWERS = (("Sent", True, False), ("Responded", False, True))
"""(label, is the default, counts as a response) of a new campaign."""

Values = dict[str, Any]
NewRow = Callable[[str, Values], Row]


def add_answers(campaign: Row, new_row: NewRow) -> None:
    for order, (label, is_default, responded) in enumerate(ANSWERS, 3):
        answer = {"CampaignId": campaign.id, "Label": label, "SortOrder": order}
        new_row("CampaignMemberStatus", {**answer, "IsDefault": is_default, "HasResponded": responded})


def member_values(org: Org, transaction: Transaction, values: Values, row: Row | None) -> None:
    """The default answer, and what the answer says.

    Raises:
        Refusal: nobody named, there already, or an answer this campaign does not know [K for the texts].
    """
    before = row.values if row is not None else {}
    campaign_id = values.get("CampaignId") or before["CampaignId"]
    if row is None:
        if not values.get("LeadId") and not values.get("ContactId"):
            raise missing_fields(["LeadId", "ContactId"])
        for name in ("LeadId", "ContactId"):
            if values.get(name) and member_of(org, campaign_id, name, values[name]) is not None:
                raise Refusal(400, "DUPLICATE_VALUE", "Already a campaign member.", ())
    answers = _live(org, "CampaignMemberStatus", "CampaignId", campaign_id)
    if row is None and values.get("Status") is None:
        values["Status"] = next((each.values["Label"] for each in answers if each.values.get("IsDefault")), None)
    if "Status" not in values:
        return
    answer = next((each for each in answers if each.values["Label"] == values["Status"]), None)
    if answer is None:
        message = f"Status: bad value for restricted picklist field: {values['Status']}"
        raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, ("Status",))
    values["HasResponded"] = bool(answer.values.get("HasResponded"))
    if values["HasResponded"] and not before.get("FirstRespondedDate"):
        values["FirstRespondedDate"] = transaction.at.date().isoformat()


def member_of(org: Org, campaign_id: str, name: str, person_id: str) -> Row | None:
    """``name`` is LeadId or ContactId."""
    members = _live(org, "CampaignMember", name, person_id)
    return next((each for each in members if each.values["CampaignId"] == campaign_id), None)


def recount(org: Org, transaction: Transaction, campaign_id: str) -> None:
    """The roll-ups of a campaign. The system does it: the stamp moves, the last modification does not."""
    campaign = org.space.row("Campaign", campaign_id)
    if campaign is None or campaign.deleted:
        return
    members = [each.values for each in _live(org, "CampaignMember", "CampaignId", campaign_id)]
    leads = [org.space.row("Lead", each["LeadId"]) for each in members if each.get("LeadId")]
    counts = {
        "NumberOfLeads": len(leads),
        "NumberOfConvertedLeads": sum(lead is not None and bool(lead.values.get("IsConverted")) for lead in leads),
        "NumberOfContacts": sum(bool(each.get("ContactId")) for each in members),
        "NumberOfResponses": sum(bool(each.get("HasResponded")) for each in members),
    }
    if any(campaign.values.get(name) != number for name, number in counts.items()):
        transaction.update(campaign, counts, system_only=True)


def _live(org: Org, kind: str, field: str, value: str) -> list[Row]:
    found = (org.space.row(kind, each) for each in sorted(org.space.lookup(kind, field, value)))
    return [row for row in found if row is not None and not row.deleted]
