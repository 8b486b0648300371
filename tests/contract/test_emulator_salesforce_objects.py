"""The emulator's Salesforce, object by object: cases, campaigns, events, custom objects, and how rows hang together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from practice_org import Org, bare, code, ids_of, refusal

from connectors.emulator.practice import Options, Practice
from connectors.emulator.serve import Emulator

DAY = 24 * 3600
PROJECT = {
    "objects": {
        "Project__c": {
            "label": "Project",
            "fields": {
                "Account__c": {"type": "reference", "to": ["Account"], "children": "Projects"},
                "Phase__c": {"type": "picklist", "choices": ["Plan", "Build"], "restricted": True},
                "Code__c": {"type": "string", "length": 20, "externalId": True, "unique": True},
            },
        },
        "Task_Line__c": {
            "label": "Line",
            "fields": {
                "Project__c": {"type": "reference", "to": ["Project__c"], "children": "Lines", "required": True,
                               "cascade": True},
            },
        },
    },
    "fields": {"Contact": {"Shoe_Size__c": {"type": "double"}}},
}  # fmt: skip


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def live(org: Org, object_type: str) -> list[str]:
    return ids_of(org.query(f"SELECT Id FROM {object_type} ORDER BY Id"))


# Cases ----------------------------------------------------------------------------------------------------------------


def test_a_case_has_a_number_an_account_and_a_closing(org: Org) -> None:
    """14, 35"""
    account = org.make("Account", Name="Engines")
    contact = org.make(AccountId=account)
    case = org.make("Case", Subject="Smoke", ContactId=contact)
    found = org.read("Case", case, "CaseNumber", "AccountId", "Status", "Priority", "IsClosed", "ClosedDate")
    assert found == {
        "CaseNumber": "00000001",
        "AccountId": account,
        "Status": "New",
        "Priority": "Medium",
        "IsClosed": False,
        "ClosedDate": None,
    }
    org.change("Case", case, Status="Closed")
    assert org.read("Case", case, "IsClosed", "ClosedDate") == {
        "IsClosed": True,
        "ClosedDate": "2026-11-02T09:00:00.000+0000",
    }
    assert code(org.make, "Case", CaseNumber="7") == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert org.value("Case", org.make("Case"), "CaseNumber") == "00000002"


def test_an_account_or_contact_with_cases_cannot_be_deleted(org: Org) -> None:
    """56: restrictedDelete"""
    account = org.make("Account", Name="Engines")
    contact = org.make(AccountId=account)
    case = org.make("Case", ContactId=contact)
    for kind, row in (("Account", account), ("Contact", contact)):
        status, error = refusal(org.call, "DELETE", f"sobjects/{kind}/{row}")
        assert (status, error["errorCode"]) == (400, "DELETE_FAILED")
        assert "because it is associated with the following cases.: 00000001" in error["message"]
    assert live(org, "Contact") == [contact]
    org.call("DELETE", f"sobjects/Case/{case}")
    org.call("DELETE", f"sobjects/Account/{account}")
    assert live(org, "Contact") == []


def test_the_assignment_rule_takes_cases_without_the_header(org: Org) -> None:
    """39"""
    del org.session.headers["Sforce-Auto-Assign"]
    case = org.make("Case", Subject="Smoke")
    assert org.value("Case", case, "OwnerId") == org.setting("assigned_to")["Case"]
    owners = org.query("SELECT Owner.Name, Owner.Type FROM Case")
    assert owners[0]["Owner"]["Name"] == "Support"
    assert owners[0]["Owner"]["Type"] == "Queue"


def test_a_queue_serves_only_its_own_objects(org: Org) -> None:
    """43"""
    served = org.query("SELECT Queue.Name, SobjectType FROM QueueSobject ORDER BY SobjectType")
    assert [(each["Queue"]["Name"], each["SobjectType"]) for each in served] == [
        ("Support", "Case"),
        ("Inbound", "Lead"),
    ]
    assert code(org.make, "Case", OwnerId=org.setting("assigned_to")["Lead"]) == (400, "INVALID_CROSS_REFERENCE_KEY")
    assert code(org.make, "Contact", OwnerId=org.setting("assigned_to")["Lead"]) == (400, "MALFORMED_ID")


# Campaigns ------------------------------------------------------------------------------------------------------------


def test_a_campaign_brings_its_answers_and_counts_its_members(org: Org) -> None:
    """24, 26: a roll-up moves SystemModstamp only"""
    campaign = org.make("Campaign", Name="Spring")
    answers = org.query("SELECT Label, IsDefault, HasResponded FROM CampaignMemberStatus ORDER BY SortOrder")
    assert [tuple(each.values()) for each in answers] == [("Sent", True, False), ("Responded", False, True)]
    org.advance(60)
    lead = org.make("Lead")
    member = org.make("CampaignMember", CampaignId=campaign, LeadId=lead)
    org.make("CampaignMember", CampaignId=campaign, ContactId=org.make(), Status="Responded")
    found = org.read("Campaign", campaign, "NumberOfLeads", "NumberOfContacts", "NumberOfResponses", "LastModifiedDate",
                     "SystemModstamp")  # fmt: skip
    assert found == {
        "NumberOfLeads": 1,
        "NumberOfContacts": 1,
        "NumberOfResponses": 1,
        "LastModifiedDate": "2026-11-02T09:00:00.000+0000",
        "SystemModstamp": "2026-11-02T09:01:00.000+0000",
    }
    assert org.read("CampaignMember", member, "Status", "HasResponded", "Type", "LeadOrContactId") == {
        "Status": "Sent",
        "HasResponded": False,
        "Type": "Lead",
        "LeadOrContactId": lead,
    }
    org.change("CampaignMember", member, Status="Responded")
    assert org.value("CampaignMember", member, "FirstRespondedDate") == "2026-11-02"
    org.call("DELETE", f"sobjects/CampaignMember/{member}")
    assert org.value("Campaign", campaign, "NumberOfLeads") == 0


def test_a_person_is_once_in_a_campaign_with_one_of_its_answers(org: Org) -> None:
    """34, 37"""
    campaign, contact = org.make("Campaign", Name="Spring"), org.make()
    member = org.make("CampaignMember", CampaignId=campaign, ContactId=contact)
    _, error = refusal(org.make, "CampaignMember", CampaignId=campaign, ContactId=contact)
    assert (error["errorCode"], error["message"]) == ("DUPLICATE_VALUE", "Already a campaign member.")
    wrong = code(org.change, "CampaignMember", member, Status="Delighted")
    assert wrong == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    org.make("CampaignMemberStatus", CampaignId=campaign, Label="Delighted", HasResponded=True)
    org.change("CampaignMember", member, Status="Delighted")
    assert code(org.make, "CampaignMember", CampaignId=campaign) == (400, "REQUIRED_FIELD_MISSING")
    moved = code(org.change, "CampaignMember", member, CampaignId=campaign)
    assert moved == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")


def test_members_go_with_their_campaign_and_do_not_come_back(org: Org) -> None:
    """56"""
    campaign = org.make("Campaign", Name="Spring")
    org.make("CampaignMember", CampaignId=campaign, ContactId=org.make())
    org.call("DELETE", f"sobjects/Campaign/{campaign}")
    org.person("undelete", object="Campaign", id=campaign)
    assert live(org, "Campaign") == [campaign]
    assert live(org, "CampaignMember") == []


# Events ---------------------------------------------------------------------------------------------------------------


def test_an_event_has_a_start_and_an_end_or_a_duration(org: Org) -> None:
    """31, 33"""
    event = org.make("Event", Subject="Tea", StartDateTime="2026-11-03T16:00:00+01:00", DurationInMinutes=30)
    assert org.read("Event", event, "EndDateTime", "ActivityDate", "ActivityDateTime") == {
        "EndDateTime": "2026-11-03T15:30:00.000+0000",
        "ActivityDate": "2026-11-03",
        "ActivityDateTime": "2026-11-03T15:00:00.000+0000",
    }
    org.change("Event", event, EndDateTime="2026-11-03T16:00:00Z")
    assert org.value("Event", event, "DurationInMinutes") == 60
    _, error = refusal(org.make, "Event", Subject="Tea")
    assert error["message"] == "Required fields are missing: [DurationInMinutes, ActivityDateTime]"


def test_events_follow_their_people_like_tasks(org: Org) -> None:
    """15, 60"""
    lead = org.make("Lead")
    event = org.make("Event", WhoId=lead, StartDateTime="2026-11-03T16:00:00Z", DurationInMinutes=30)
    [found] = org.query("SELECT Who.Name, Who.Type FROM Event")
    assert (found["Who"]["Name"], found["Who"]["Type"]) == ("Lovelace", "Lead")
    org.person("convert", id=lead, converted_status="Closed - Converted", owner_id=org.setting("users")["anna"])
    contact = live(org, "Contact")[0]
    assert org.value("Event", event, "WhoId") == contact
    assert org.query("SELECT (SELECT Subject FROM Events) FROM Contact")[0]["Events"]["totalSize"] == 1


# Products -------------------------------------------------------------------------------------------------------------


def price(org: Org, product: str, amount: float) -> str:
    [book] = org.query("SELECT Id FROM Pricebook2 WHERE IsStandard = true")
    return org.make("PricebookEntry", Pricebook2Id=book["Id"], Product2Id=product, UnitPrice=amount, IsActive=True)


def deal(org: Org, **values: Any) -> str:
    return org.make("Opportunity", Name="D", StageName="Value Proposition", CloseDate="2026-12-01", **values)


def test_the_lines_of_a_deal_make_its_amount(org: Org) -> None:
    """41, 44: an amount of one's own is ignored without a word then"""
    opportunity = deal(org, Amount=1)
    entry = price(org, org.make("Product2", Name="Engine", ProductCode="E-1"), 100)
    first = org.make("OpportunityLineItem", OpportunityId=opportunity, PricebookEntryId=entry, Quantity=2)
    org.make("OpportunityLineItem", OpportunityId=opportunity, PricebookEntryId=entry, Quantity=1, TotalPrice=50)
    assert org.read("OpportunityLineItem", first, "UnitPrice", "TotalPrice", "ListPrice", "ProductCode") == {
        "UnitPrice": 100.0,
        "TotalPrice": 200.0,
        "ListPrice": 100.0,
        "ProductCode": "E-1",
    }
    totals = ("Amount", "TotalOpportunityQuantity", "ExpectedRevenue", "HasOpportunityLineItem")
    assert list(org.read("Opportunity", opportunity, *totals).values()) == [250.0, 3.0, 125.0, True]
    org.change("Opportunity", opportunity, Amount=7, NextStep="Call")
    assert org.read("Opportunity", opportunity, "Amount", "NextStep") == {"Amount": 250.0, "NextStep": "Call"}
    org.change("OpportunityLineItem", first, Quantity=1)
    assert org.value("Opportunity", opportunity, "Amount") == 150.0
    soql = "SELECT Pricebook2.IsStandard, (SELECT Product2.Name FROM OpportunityLineItems) FROM Opportunity"
    [found] = org.query(soql)
    assert found["Pricebook2"]["IsStandard"] is True
    assert [line["Product2"]["Name"] for line in found["OpportunityLineItems"]["records"]] == ["Engine"] * 2


def test_lines_go_with_their_deal_and_come_back(org: Org) -> None:
    """56, 57"""
    opportunity, entry = deal(org), price(org, org.make("Product2", Name="Engine"), 100)
    lines = [
        org.make("OpportunityLineItem", OpportunityId=opportunity, PricebookEntryId=entry, Quantity=1) for _ in "ab"
    ]
    org.sf.OpportunityLineItem.delete(lines[0])
    assert org.value("Opportunity", opportunity, "Amount") == 100.0
    org.person("undelete", object="OpportunityLineItem", id=lines[0])
    assert org.value("Opportunity", opportunity, "Amount") == 200.0
    org.sf.Opportunity.delete(opportunity)
    assert live(org, "OpportunityLineItem") == []
    org.person("undelete", object="Opportunity", id=opportunity)
    assert live(org, "OpportunityLineItem") == lines


def test_a_price_needs_the_standard_one_and_is_once_in_a_book(org: Org) -> None:
    """37, 40"""
    product, book = org.make("Product2", Name="Engine"), org.make("Pricebook2", Name="Partners", IsActive=True)
    partner = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 80}
    assert code(org.make, "PricebookEntry", **partner) == (400, "STANDARD_PRICE_NOT_DEFINED")
    standard = price(org, product, 100)
    assert code(price, org, product, 90) == (400, "DUPLICATE_VALUE")
    cheap = org.make("PricebookEntry", **partner)
    line = {"OpportunityId": deal(org, Pricebook2Id=book), "Quantity": 1}
    assert code(org.make, "OpportunityLineItem", PricebookEntryId=standard, **line) == (
        400,
        "FIELD_INTEGRITY_EXCEPTION",
    )
    assert org.make("OpportunityLineItem", PricebookEntryId=cheap, **line)


def test_users_have_a_profile_and_perhaps_a_role(org: Org) -> None:
    """15"""
    found = org.query("SELECT Profile.Name, UserRole.Name FROM User WHERE FirstName IN ('Anna', 'Integration')")
    assert [bare(each["Profile"]) for each in found] == [{"Name": "System Administrator"}, {"Name": "Standard User"}]
    assert [each["UserRole"] and bare(each["UserRole"]) for each in found] == [None, {"Name": "Sales"}]
    org.make("Lead", LastName="A")
    org.make("Lead", LastName="B", OwnerId=org.setting("assigned_to")["Lead"])
    mine, queued = org.query("SELECT Owner.Profile.Name FROM Lead ORDER BY LastName")
    assert mine["Owner"]["Profile"]["Name"] == "System Administrator"
    assert queued["Owner"]["Profile"] is None
    assert org.query("SELECT Id, DeveloperName FROM RecordType WHERE SobjectType = 'Account'") == []


# Lookups --------------------------------------------------------------------------------------------------------------


def test_a_deleted_parent_empties_lookups_and_an_undelete_fills_some(org: Org) -> None:
    """57: the parent account comes back, the campaign of a deal does not"""
    parent, campaign = org.make("Account", Name="Holding"), org.make("Campaign", Name="Spring")
    child = org.make("Account", Name="Works", ParentId=parent)
    deal = org.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", CampaignId=campaign)
    org.call("DELETE", f"sobjects/Account/{parent}")
    org.call("DELETE", f"sobjects/Campaign/{campaign}")
    assert org.value("Account", child, "ParentId") is None
    assert org.value("Opportunity", deal, "CampaignId") is None
    org.person("undelete", object="Account", id=parent)
    org.person("undelete", object="Campaign", id=campaign)
    assert org.value("Account", child, "ParentId") == parent
    assert org.value("Opportunity", deal, "CampaignId") is None


def test_a_lookup_filled_since_stays_as_it_is(org: Org) -> None:
    """57"""
    boss, other, contact = org.make(LastName="Boss"), org.make(LastName="Other"), org.make()
    org.change("Contact", contact, ReportsToId=boss)
    org.call("DELETE", f"sobjects/Contact/{boss}")
    org.change("Contact", contact, ReportsToId=other)
    org.person("undelete", object="Contact", id=boss)
    assert org.value("Contact", contact, "ReportsToId") == other


def test_a_bin_too_full_loses_its_oldest_after_two_hours(org: Org) -> None:
    """57: capacity"""
    org.switch("bin_rows", 2)
    first, second, third, fourth = (org.make(LastName=f"n{number}") for number in range(4))
    for contact in (first, second, third):
        org.call("DELETE", f"sobjects/Contact/{contact}")
        org.advance(60)
    assert ids_of(org.query_deleted("SELECT Id FROM Contact WHERE IsDeleted = true")) == [first, second, third]
    org.advance(2 * 3600)
    org.call("DELETE", f"sobjects/Contact/{fourth}")
    assert ids_of(org.query_deleted("SELECT Id FROM Contact WHERE IsDeleted = true")) == [third, fourth]
    assert org.person_cannot("undelete", object="Contact", id=first) != ""
    causes = {line["cause"] for line in org.admin.get("/audit") if line["op"] == "purge"}
    assert causes == {"system"}


# Custom objects -------------------------------------------------------------------------------------------------------


def test_custom_objects_and_fields_come_from_a_schema(org: Org) -> None:
    """62, 63"""
    org.person("schema", **PROJECT)
    described = org.sf.Project__c.describe()
    assert (described["custom"], described["label"], described["keyPrefix"][0]) == (True, "Project", "a")
    account = org.make("Account", Name="Engines")
    project = org.make("Project__c", Name="Mill", Account__c=account, Phase__c="Plan", Code__c="m-1")
    assert project.startswith(described["keyPrefix"])
    assert org.query("SELECT Account__r.Name FROM Project__c")[0]["Account__r"]["Name"] == "Engines"
    found = org.query("SELECT (SELECT Name FROM Projects__r) FROM Account")
    assert found[0]["Projects__r"]["records"][0]["Name"] == "Mill"
    assert code(org.make, "Project__c", Phase__c="Party") == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert code(org.make, "Project__c", Code__c="M-1") == (400, "DUPLICATE_VALUE")
    org.change("Project__c/Code__c", "m-1", Phase__c="Build")
    assert org.value("Project__c", project, "Phase__c") == "Build"
    unnamed = org.make("Project__c")
    assert org.value("Project__c", unnamed, "Name") == unnamed
    assert org.value("Contact", org.make(Shoe_Size__c=38.5), "Shoe_Size__c") == 38.5


def test_details_go_with_their_master_and_lookups_come_back(org: Org) -> None:
    """56, 57"""
    org.person("schema", **PROJECT)
    account = org.make("Account", Name="Engines")
    project = org.make("Project__c", Account__c=account)
    line = org.make("Task_Line__c", Project__c=project)
    assert "OwnerId" not in {field["name"] for field in org.sf.Task_Line__c.describe()["fields"]}
    org.call("DELETE", f"sobjects/Project__c/{project}")
    assert live(org, "Task_Line__c") == []
    org.person("undelete", object="Project__c", id=project)
    assert live(org, "Task_Line__c") == [line]
    org.call("DELETE", f"sobjects/Account/{account}")
    assert org.value("Project__c", project, "Account__c") is None
    org.person("undelete", object="Account", id=account)
    assert org.value("Project__c", project, "Account__c") == account


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({"tables": {}}, "tables"),
        ({"objects": {"Project": {}}}, "__c"),
        ({"objects": {"Project__c": {"colour": "red"}}}, "colour"),
        ({"objects": {"Project__c": {"fields": {"A__c": {"type": "wish"}}}}}, "wish"),
        ({"objects": {"Project__c": {"fields": {"A__c": {"type": "reference", "to": ["Moon__c"]}}}}}, "Moon__c"),
        ({"fields": {"Contact": {"Email": {"type": "email"}}}}, "Email"),
    ],
)
def test_a_schema_that_cannot_be_changes_nothing(org: Org, schema: dict[str, Any], wrong: str) -> None:
    """65"""
    assert wrong in org.person_cannot("schema", **schema)
    assert "Project__c" not in {entry["name"] for entry in org.sf.describe()["sobjects"]}


def test_a_schema_file_shapes_a_new_world(tmp_path: Path) -> None:
    """65"""
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(PROJECT), encoding="utf-8")
    practice = Practice(Options(clock="virtual", salesforce_schema=path, state=tmp_path / "state.db"))
    practice.close()
    again = Practice(Options(clock="virtual", salesforce_schema=path, state=tmp_path / "state.db"))
    changes = again.world.spaces["salesforce"].settings["schema_changes"]
    again.close()
    assert [next(iter(change)) for change in changes] == ["object"] * 3
