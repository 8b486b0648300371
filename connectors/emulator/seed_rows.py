"""What each vendor calls the fields of a copy, and in which form it keeps them."""

from __future__ import annotations

from typing import Any

from connectors.emulator.seed_copies import Copy
from connectors.emulator.seed_truth import Deal, load_data

Values = dict[str, Any]


def stage_of(copy: Copy) -> dict[str, Any]:
    return dict(load_data("practice")["stages"][copy["stage"]])


def account_values(copy: Copy, owners: list[str]) -> Values:
    return {
        "Name": copy["name"],
        "Website": copy["website"],
        "Phone": copy["phone"],
        "BillingCountry": copy["country"],
        "Industry": load_data("practice")["industries"][copy["industry"]][0],
        "NumberOfEmployees": copy["employees"],
        "OwnerId": owners[copy["owner"]],
    }


def salesforce_person(copy: Copy, owners: list[str]) -> Values:
    """What a Lead and a Contact have in common."""
    return {
        "FirstName": copy["first"],
        "LastName": copy["last"],
        "Email": copy["email"],
        "Title": copy["title"],
        "Phone": copy["phone"],
        "LeadSource": copy["source"],
        "HasOptedOutOfEmail": copy["opted_out"],
        "OwnerId": owners[copy["owner"]],
    }


def contact_values(copy: Copy, owners: list[str], account_id: str | None) -> Values:
    return {
        **salesforce_person(copy, owners),
        "MailingCountry": copy["country"],
        "MailingState": copy["state"],
        "AccountId": account_id,
        "Customer_Stage__c": stage_of(copy)["contact"],
    }


def lead_values(copy: Copy, owners: list[str]) -> Values:
    return {
        **salesforce_person(copy, owners),
        "Country": copy["country"],
        "State": copy["state"],
        "Company": copy["company"].full_name if copy["company"] else "Unknown",
        "Status": copy["lead_status"],
    }


def converted_lead_values(copy: Copy, owners: list[str], contact_id: str, account_id: str | None, day: str) -> Values:
    return {
        **lead_values(copy, owners),
        "Status": "Closed - Converted",
        "IsConverted": True,
        "ConvertedDate": day,
        "ConvertedContactId": contact_id,
        "ConvertedAccountId": account_id,
    }


def hubspot_contact_values(copy: Copy, owners: list[str], stored: Values, score: int) -> Values:
    """HubSpot keeps text only; ``stored`` are the ids that another integration once left here."""
    return filled(
        {
            "firstname": copy["first"],
            "lastname": copy["last"],
            "email": copy["email"],
            "jobtitle": copy["title"],
            "phone": copy["phone"],
            "country": copy["country"],
            "state": copy["state"],
            "lifecyclestage": stage_of(copy)["hubspot"] if copy["stage"] is not None else None,
            "hs_lead_status": lead_status(copy),
            "hubspot_owner_id": owners[copy["owner"]] if copy["owner"] is not None else None,
            "crm_source": copy["source"],
            "jobtitle_import_2019": copy["imported_title"],
            "lead_score": str(score),
            "hs_email_optout": "true" if copy["opted_out"] else None,
            **stored,
        }
    )


def lead_status(copy: Copy) -> str | None:
    """Only people who are being worked on have one."""
    known = load_data("practice")["lead_statuses_hubspot"]
    return known[copy["stage"] % len(known)] if copy["stage"] in {0, 1, 2} else None


def hubspot_company_values(copy: Copy, owners: list[str], stored: Values) -> Values:
    return filled(
        {
            "name": copy["name"],
            "domain": copy["domain"],
            "website": copy["website"],
            "phone": copy["phone"],
            "country": copy["country"],
            "industry": load_data("practice")["industries"][copy["industry"]][1],
            "numberofemployees": str(copy["employees"]),
            "hubspot_owner_id": owners[copy["owner"]],
            **stored,
        }
    )


def opportunity_values(deal: Deal, owners: list[str], account_id: str, close_day: str) -> Values:
    stage = load_data("practice")["deal_stages"][deal.stage][0]
    return {
        "Name": deal.name,
        "AccountId": account_id,
        "StageName": stage,
        "IsClosed": stage.startswith("Closed"),
        "IsWon": stage == "Closed Won",
        "Probability": {"Closed Won": 100.0, "Closed Lost": 0.0}.get(stage, 50.0),
        "Amount": deal.amount,
        "CloseDate": close_day,
        "OwnerId": owners[deal.company.owner],
    }


def hubspot_deal_values(deal: Deal, owners: list[str], close_moment: str) -> Values:
    return {
        "dealname": deal.name,
        "pipeline": "default",
        "dealstage": load_data("practice")["deal_stages"][deal.stage][1],
        "amount": str(deal.amount),
        "closedate": close_moment,
        "hubspot_owner_id": owners[deal.company.owner],
    }


def filled(values: Values) -> Values:
    """HubSpot has no property where nobody ever set one."""
    return {name: value for name, value in values.items() if value is not None}
