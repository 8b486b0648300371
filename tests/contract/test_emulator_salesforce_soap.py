"""The emulator's SOAP API: merge, undelete, convertLead and the plain writes, over the library's session."""

from __future__ import annotations

from typing import Any

import pytest
from practice_org import Org, code, ids_of
from soap_calls import error_code, merge, merge_request, soap, sobject, success, tags, texts

from connectors.emulator.serve import Emulator


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def live(org: Org, object_type: str) -> list[str]:
    return ids_of(org.query(f"SELECT Id FROM {object_type} ORDER BY Id"))


def convert(org: Org, lead: str, status: str | None = "Closed - Converted", **options: Any) -> Any:
    fields = {"leadId": lead, **({"convertedStatus": status} if status else {}), **options}
    inside = "".join(tags(name, [str(value)]) for name, value in fields.items())
    return soap(org, "convertLead", f"<p:leadConverts>{inside}</p:leadConverts>").only


# Around a call --------------------------------------------------------------------------------------------------------


def test_a_soap_call_without_a_session_is_a_fault(org: Org) -> None:
    """4, 5"""
    reply = soap(org, "getUserInfo", "", token="nobody")
    assert (reply.status, reply.content_type) == (500, "text/xml;charset=UTF-8")
    assert reply.fault is not None
    assert reply.fault[0] == "sf:INVALID_SESSION_ID"
    assert "<sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode>" in reply.text
    org.admin.post("/tokens/revoke", system="salesforce")
    assert soap(org, "getUserInfo", "").fault is not None


def test_soap_does_not_take_a_token_in_the_form_of_a_jwt(org: Org, emulator: Emulator) -> None:
    """61: REST does"""
    org.switch("token_format", "jwt")
    other = Org(emulator)
    assert other.sf.session_id.startswith("eyJ")
    assert other.query("SELECT Id FROM Lead") == []
    reply = soap(other, "getUserInfo", "")
    assert (reply.status, (reply.fault or ("", ""))[0]) == (500, "sf:INVALID_SESSION_ID")


def test_soap_calls_count_and_tell_the_usage(org: Org) -> None:
    """9, 10"""
    reply = soap(org, "getServerTimestamp", "")
    assert reply.only.value("timestamp") == "2026-11-02T09:00:00.000Z"
    assert "<current>1</current><limit>100000</limit>" in reply.text
    org.switch("daily_requests", 1)
    assert soap(org, "getServerTimestamp", "").fault == (
        "sf:REQUEST_LIMIT_EXCEEDED",
        "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.",
    )


@pytest.mark.parametrize("version", ["30.0", "99.0", "59.5"])
def test_soap_has_the_versions_that_rest_has(org: Org, version: str) -> None:
    """6"""
    reply = soap(org, "getServerTimestamp", "", version=version)
    assert (reply.status, (reply.fault or ("", ""))[0]) == (500, "sf:UNSUPPORTED_API_VERSION")


def test_an_operation_nobody_built_is_a_fault_and_noted(org: Org) -> None:
    """65"""
    assert soap(org, "describeSoftphoneLayout", "").status == 500
    assert org.admin.get("/unknown")[-1] == {
        "system": "salesforce",
        "method": "SOAP",
        "path": "describeSoftphoneLayout",
    }


@pytest.mark.parametrize(("api", "fault"), [("m", "sf:INSUFFICIENT_ACCESS"), ("s", "sf:UNKNOWN_EXCEPTION")])
def test_the_other_soap_apis_refuse_in_a_fault_of_theirs_and_are_noted(org: Org, api: str, fault: str) -> None:
    """65: metadata, Apex"""
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<describeMetadata xmlns="http://soap.sforce.com/2006/04/metadata"/></e:Body></e:Envelope>'
    )
    answer = org.raw("POST", f"/services/Soap/{api}/65.0", data=envelope, headers={"Content-Type": "text/xml"})
    assert (answer.status_code, f"<faultcode>{fault}</faultcode>" in answer.text) == (500, True)
    assert 'xmlns:sf="http://soap.sforce.com/2006/04/metadata"' in answer.text
    assert org.admin.get("/unknown")[-1]["path"] == f"{api}/describeMetadata"


@pytest.mark.parametrize("text", ["no xml", "<a/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_what_is_no_envelope_is_a_fault(org: Org, text: str) -> None:
    """3"""
    answer = org.raw("POST", "/services/Soap/u/65.0", data=text, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 500
    assert "<faultcode>sf:UNKNOWN_EXCEPTION</faultcode>" in answer.text


def test_who_am_i_and_good_bye(org: Org) -> None:
    """3"""
    me = soap(org, "getUserInfo", "").only
    assert me.value("userId") == org.setting("users")["integration"]
    assert me.value("organizationId") == org.setting("org_id")
    soap(org, "logout", "")
    assert org.raw("GET", "limits").status_code == 401


# Merge ----------------------------------------------------------------------------------------------------------------


def test_a_merge_keeps_the_master_s_values_and_hands_over_the_children(org: Org) -> None:
    """58"""
    master, loser = org.make(Title="Countess", Phone=None), org.make(Title="Lady", Phone="1")
    task = org.make("Task", WhoId=loser)
    result = merge(org, "Contact", master, loser).only
    assert success(result)
    assert result.value("id") == master
    assert texts(result, "mergedRecordIds") == [loser]
    assert texts(result, "updatedRelatedIds") == [task]
    assert org.read("Contact", master, "Title", "Phone") == {"Title": "Countess", "Phone": None}
    assert org.value("Task", task, "WhoId") == master
    [gone] = org.query_deleted(f"SELECT IsDeleted, MasterRecordId FROM Contact WHERE Id = '{loser}'")
    assert gone == {"IsDeleted": True, "MasterRecordId": master}
    assert code(org.read, "Contact", loser) == (404, "ENTITY_IS_DELETED")


def test_a_merge_request_may_have_another_name(org: Org) -> None:
    """58: jsforce calls it mergeRequests, and its own tests merge at a real org"""
    master, loser = org.make(), org.make()
    body = merge_request("Contact", master, loser).replace("p:request>", "p:mergeRequests>")
    assert success(soap(org, "merge", body).only)
    assert live(org, "Contact") == [master]


def test_winning_values_go_into_the_master_record(org: Org) -> None:
    """58: there is no survivorship of fields by itself"""
    master, loser = org.make(Title="Countess", Fax="9"), org.make(Phone="1")
    merge(org, "Contact", master, loser, Phone="1", null=["Fax"])
    assert org.read("Contact", master, "Title", "Phone", "Fax") == {"Title": "Countess", "Phone": "1", "Fax": None}


def test_a_merge_takes_three_records_at_most(org: Org) -> None:
    """58"""
    one, two, three, four = (org.make(LastName=f"n{number}") for number in range(4))
    assert error_code(merge(org, "Contact", one, two, three, four).only) == "MERGE_FAILED"
    assert error_code(merge(org, "Contact", one, one).only) == "MERGE_FAILED"
    assert error_code(merge(org, "Contact", one).only) == "MERGE_FAILED"
    assert success(merge(org, "Contact", one, two, three).only)
    assert live(org, "Contact") == [one, four]


def test_only_some_objects_merge(org: Org) -> None:
    """58: as describe says"""
    deal = {"StageName": "Prospecting", "CloseDate": "2026-12-01"}
    one, two = (org.make("Opportunity", Name=name, **deal) for name in "ab")
    assert error_code(merge(org, "Opportunity", one, two).only) == "INVALID_TYPE_FOR_OPERATION"
    assert error_code(merge(org, "Contact", org.make(), org.make("Lead")).only) == "MALFORMED_ID"


def test_each_merge_request_stands_alone(org: Org) -> None:
    """58"""
    one, two, three = (org.make(LastName=f"n{number}") for number in range(3))
    body = merge_request("Contact", one, two) + merge_request("Contact", three, two)
    good, bad = soap(org, "merge", body).results
    assert success(good)
    assert error_code(bad) == "ENTITY_IS_DELETED"
    four = org.make(LastName="n4")
    body = merge_request("Contact", one, three) + merge_request("Contact", one, four)
    assert all(success(each) for each in soap(org, "merge", body).results)
    losers = {line["id"]: line["transaction"] for line in org.admin.audit() if line["op"] == "merge"}
    assert len({losers[each] for each in (two, three, four)}) == 3


def test_a_refused_value_leaves_all_records_as_they_were(org: Org) -> None:
    """58"""
    master, loser = org.make(), org.make()
    assert error_code(merge(org, "Contact", master, loser, Email="none").only) == "INVALID_EMAIL_ADDRESS"
    assert live(org, "Contact") == [master, loser]


def test_two_memberships_of_one_campaign_become_one(org: Org) -> None:
    """58 [K]"""
    campaign, other = org.make("Campaign", Name="Spring"), org.make("Campaign", Name="Fall")
    master, loser = org.make(), org.make()
    kept = org.make("CampaignMember", CampaignId=campaign, ContactId=master)
    org.make("CampaignMember", CampaignId=campaign, ContactId=loser)
    moved = org.make("CampaignMember", CampaignId=other, ContactId=loser)
    result = merge(org, "Contact", master, loser).only
    assert texts(result, "updatedRelatedIds") == [moved]
    assert live(org, "CampaignMember") == [kept, moved]


def test_two_memberships_may_also_stay_two(org: Org) -> None:
    """58 [K]: the switch"""
    org.switch("merge_collapses", False)
    campaign, master, loser = org.make("Campaign", Name="Spring"), org.make(), org.make()
    members = [org.make("CampaignMember", CampaignId=campaign, ContactId=each) for each in (master, loser)]
    assert texts(merge(org, "Contact", master, loser).only, "updatedRelatedIds") == members[1:]
    assert [row["ContactId"] for row in org.query("SELECT ContactId FROM CampaignMember")] == [master, master]


def test_accounts_hand_over_everything_that_points_at_them(org: Org) -> None:
    """58: also the account a task derives, and child accounts"""
    master, loser = org.make("Account", Name="A"), org.make("Account", Name="B")
    contact = org.make(AccountId=loser)
    task = org.make("Task", WhoId=contact)
    child = org.make("Account", Name="C", ParentId=loser)
    merge(org, "Account", master, loser)
    assert org.value("Contact", contact, "AccountId") == master
    assert org.value("Task", task, "AccountId") == master
    assert org.value("Account", child, "ParentId") == master


def test_a_merge_that_would_close_a_circle_is_refused(org: Org) -> None:
    """58: parent accounts, reporting lines"""
    parent = org.make("Account", Name="A")
    middle = org.make("Account", Name="B", ParentId=parent)
    child = org.make("Account", Name="C", ParentId=middle)
    assert error_code(merge(org, "Account", middle, parent).only) == "CIRCULAR_DEPENDENCY"
    assert error_code(merge(org, "Account", child, parent).only) == "CIRCULAR_DEPENDENCY"
    assert live(org, "Account") == [parent, middle, child]
    assert success(merge(org, "Account", parent, middle).only)
    assert org.value("Account", child, "ParentId") == parent


def test_duplicate_rules_run_on_a_merge_and_its_header_counts(org: Org) -> None:
    """38, 58"""
    master, loser, third = org.make(), org.make(), org.make(Email="ada@example.com")
    org.switch("duplicate_rule", "alert")
    assert error_code(merge(org, "Contact", master, loser, Email="ada@example.com").only) == "DUPLICATES_DETECTED"
    allow = "<p:DuplicateRuleHeader><p:allowSave>true</p:allowSave></p:DuplicateRuleHeader>"
    body = merge_request("Contact", master, loser, Email="ada@example.com")
    assert success(soap(org, "merge", body, header=allow).only)
    assert live(org, "Contact") == [master, third]


# Undelete -------------------------------------------------------------------------------------------------------------


def test_an_undelete_brings_back_what_went_along(org: Org) -> None:
    """57"""
    account = org.make("Account", Name="Engines")
    contact = org.make(AccountId=account)
    org.call("DELETE", f"sobjects/Account/{account}")
    assert live(org, "Contact") == []
    assert success(soap(org, "undelete", tags("ids", [account])).only)
    assert (live(org, "Account"), live(org, "Contact")) == ([account], [contact])


def test_what_cannot_be_undeleted_says_why(org: Org) -> None:
    """57"""
    contact = org.make()
    deal = org.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", ContactId=contact)
    [role] = live(org, "OpportunityContactRole")
    org.call("DELETE", f"sobjects/OpportunityContactRole/{role}")
    results = soap(org, "undelete", tags("ids", [contact, role, "nonsense", f"{deal[:-6]}ZZZ"])).results
    assert [error_code(each) for each in results[:3]] == ["UNDELETE_FAILED", "UNDELETE_FAILED", "MALFORMED_ID"]
    assert not success(results[3])


def test_an_undeleted_merge_loser_comes_without_its_children(org: Org) -> None:
    """59"""
    master, loser = org.make(), org.make()
    task = org.make("Task", WhoId=loser)
    merge(org, "Contact", master, loser)
    assert success(soap(org, "undelete", tags("ids", [loser])).only)
    assert live(org, "Contact") == [master, loser]
    assert org.value("Task", task, "WhoId") == master
    assert org.query_deleted(f"SELECT MasterRecordId FROM Contact WHERE Id = '{loser}'") == [{"MasterRecordId": None}]


def test_an_emptied_bin_cannot_be_undone(org: Org) -> None:
    """57"""
    contact = org.make()
    assert error_code(soap(org, "emptyRecycleBin", tags("ids", [contact])).only) == "UNDELETE_FAILED"
    org.call("DELETE", f"sobjects/Contact/{contact}")
    assert success(soap(org, "emptyRecycleBin", tags("ids", [contact])).only)
    assert org.query_deleted("SELECT Id FROM Contact") == []
    assert error_code(soap(org, "undelete", tags("ids", [contact])).only) == "INVALID_CROSS_REFERENCE_KEY"


def test_a_call_takes_two_hundred_items(org: Org) -> None:
    """57"""
    reply = soap(org, "undelete", tags("ids", [org.make()] * 201))
    assert (reply.fault or ("", ""))[0] == "sf:EXCEEDED_ID_LIMIT"


# Convert --------------------------------------------------------------------------------------------------------------


def test_a_lead_becomes_account_contact_and_opportunity(org: Org) -> None:
    """60"""
    lead = org.make("Lead", Company="Engines", Email="ada@example.com")
    campaign = org.make("Campaign", Name="Spring")
    member = org.make("CampaignMember", CampaignId=campaign, LeadId=lead)
    task = org.make("Task", WhoId=lead)
    result = convert(org, lead, opportunityName="Deal")
    assert success(result)
    account, contact, deal = (str(result.value(name)) for name in ("accountId", "contactId", "opportunityId"))
    assert org.value("Account", account, "Name") == "Engines"
    assert org.value("Contact", contact, "AccountId") == account
    assert org.value("Opportunity", deal, "Name") == "Deal"
    assert org.value("Task", task, "WhoId") == contact
    assert org.read("CampaignMember", member, "LeadId", "ContactId") == {"LeadId": lead, "ContactId": contact}
    assert org.value("Campaign", campaign, "NumberOfConvertedLeads") == 1
    names = "IsConverted, ConvertedAccountId, ConvertedContactId, ConvertedOpportunityId, ConvertedDate"
    [found] = org.query(f"SELECT {names} FROM Lead")
    assert list(found.values()) == [True, account, contact, deal, "2026-11-02"]
    assert code(org.change, "Lead", lead, Title="x") == (400, "CANNOT_UPDATE_CONVERTED_LEAD")
    assert error_code(convert(org, lead)) == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_a_conversion_needs_a_converted_status(org: Org) -> None:
    """60"""
    lead = org.make("Lead")
    assert error_code(convert(org, lead, None)) == "REQUIRED_FIELD_MISSING"
    assert error_code(convert(org, lead, "Working - Contacted")) == "INVALID_STATUS"
    assert live(org, "Contact") == []


def test_into_an_existing_contact_only_blanks_are_filled(org: Org) -> None:
    """60"""
    account = org.make("Account", Name="Engines", Phone="1")
    contact = org.make(AccountId=account, Title="Countess", LeadSource="Web")
    lead = org.make("Lead", Title="Lady", Phone="2", LeadSource="Other")
    options = {"contactId": contact, "accountId": account, "doNotCreateOpportunity": "true"}
    result = convert(org, lead, overwriteLeadSource="true", **options)
    assert success(result)
    assert result.value("opportunityId") is None
    found = org.read("Contact", contact, "Title", "Phone", "LeadSource")
    assert found == {"Title": "Countess", "Phone": "2", "LeadSource": "Other"}
    again = org.make("Lead", LeadSource="Partner")
    assert success(convert(org, again, **options))
    assert org.value("Contact", contact, "LeadSource") == "Other", "only on demand"
    assert org.value("Account", account, "Phone") == "1"


def test_an_existing_contact_comes_with_its_account(org: Org) -> None:
    """60"""
    account, other = org.make("Account", Name="Engines"), org.make("Account", Name="Mills")
    contact, lead = org.make(AccountId=account), org.make("Lead")
    assert error_code(convert(org, lead, contactId=contact)) == "REQUIRED_FIELD_MISSING"
    assert error_code(convert(org, lead, contactId=contact, accountId=other)) == "INVALID_CROSS_REFERENCE_KEY"
    assert success(convert(org, lead, contactId=contact, accountId=account))


# Plain writes ---------------------------------------------------------------------------------------------------------


def test_soap_writes_have_a_result_each(org: Org) -> None:
    """29, 48"""
    body = sobject("Contact", LastName="Byron", HasOptedOutOfEmail="true") + sobject("Contact", Email="none")
    good, bad = soap(org, "create", body).results
    assert success(good)
    assert error_code(bad) == "INVALID_EMAIL_ADDRESS"
    contact = str(good.value("id"))
    assert org.value("Contact", contact, "HasOptedOutOfEmail") is True
    changed = soap(org, "update", sobject("Contact", contact, Title="Lady", null=["Email"])).only
    assert success(changed)
    wrong = soap(org, "update", sobject("Account", org.make("Account", Name="A"), NumberOfEmployees="many")).only
    assert error_code(wrong) == "INVALID_TYPE_ON_FIELD_IN_RECORD"
    assert success(soap(org, "delete", tags("ids", [contact])).only)
    assert live(org, "Contact") == []


def test_soap_upserts_by_key_or_id(org: Org) -> None:
    """30"""
    key = "<p:externalIDFieldName>Truce_Key__c</p:externalIDFieldName>"
    body = key + sobject("Contact", Truce_Key__c="p-1", LastName="Byron")
    first, again = (soap(org, "upsert", body).only for _ in range(2))
    assert (first.is_true("created"), again.is_true("created")) == (True, False)
    by_id = "<p:externalIDFieldName>Id</p:externalIDFieldName>" + sobject("Contact", LastName="Ada")
    assert soap(org, "upsert", by_id).only.is_true("created")


def test_all_or_none_over_soap(org: Org) -> None:
    """48"""
    header = "<p:AllOrNoneHeader><p:allOrNone>true</p:allOrNone></p:AllOrNoneHeader>"
    body = sobject("Contact", LastName="Byron") + sobject("Contact", Title="x")
    results = soap(org, "create", body, header=header).results
    assert [error_code(each) for each in results] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert live(org, "Contact") == []


def test_over_soap_the_assignment_rule_runs_on_demand(org: Org) -> None:
    """39"""
    lead = sobject("Lead", LastName="Byron", Company="Engines")
    header = "<p:AssignmentRuleHeader><p:useDefaultRule>true</p:useDefaultRule></p:AssignmentRuleHeader>"
    mine = str(soap(org, "create", lead).only.value("id"))
    queued = str(soap(org, "create", lead, header=header).only.value("id"))
    assert org.value("Lead", mine, "OwnerId") == org.setting("users")["integration"]
    assert org.value("Lead", queued, "OwnerId") == org.setting("assigned_to")["Lead"]
