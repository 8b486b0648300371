"""What can be read over the emulator's SOAP API: queries, records, searches, changes, descriptions.

With ``TRUCE_SALESFORCE_WSDL`` naming a copy of the vendor's partner WSDL, which this repository does not keep, zeep
reads every answer strictly by it.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
import requests
import zeep
from practice_org import Org
from soap_calls import Reply, merge_request, soap, sobject, success, tags, texts

from connectors.emulator.salesforce.soap.xml_text import Element
from connectors.emulator.serve import Emulator

WSDL = os.environ.get("TRUCE_SALESFORCE_WSDL", "")
OPTIONS = "<p:QueryOptions><p:batchSize>{}</p:batchSize></p:QueryOptions>"
SPAN = "<p:startDate>2026-11-02T08:00:00Z</p:startDate><p:endDate>2026-11-02T10:00:00Z</p:endDate>"


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def asked(org: Org, soql: str, operation: str = "query", size: int | None = None) -> Element:
    header = "" if size is None else OPTIONS.format(size)
    return soap(org, operation, "".join(tags("queryString", [soql])), header=header).only


def people(org: Org, count: int) -> None:
    rows = [{"attributes": {"type": "Contact"}, "LastName": f"Person {number:04}"} for number in range(count)]
    for start in range(0, count, 200):
        body = {"records": rows[start : start + 200]}
        org.sf.restful("composite/sobjects", method="POST", json=body)


def inside(element: Element) -> list[tuple[str, str | None]]:
    return [(child.name, None if child.is_nil else child.text) for child in element.children]


def test_a_record_tells_its_type_and_id_first_and_the_id_again_where_it_was_selected(org: Org) -> None:
    """soap"""
    contact = org.make(HasOptedOutOfEmail=True)
    soql = "SELECT LastName, Id, Title, HasOptedOutOfEmail, CreatedDate FROM Contact"
    found = asked(org, soql)
    assert [(name, text) for name, text in inside(found) if name != "records"] == [
        ("done", "true"), ("queryLocator", None), ("size", "1"),
    ]  # fmt: skip
    [record] = found.all("records")
    assert inside(record) == [
        ("type", "Contact"), ("Id", contact), ("LastName", "Lovelace"), ("Id", contact), ("Title", None),
        ("HasOptedOutOfEmail", "true"), ("CreatedDate", "2026-11-02T09:00:00.000Z"),
    ]  # fmt: skip
    [without] = asked(org, "SELECT LastName FROM Contact").all("records")
    assert inside(without)[1] == ("Id", None)


def test_elements_that_are_records_addresses_or_sums_name_their_type(org: Org) -> None:
    """soap: as recorded, clients tell children and parents by it"""
    account = org.make("Account", Name="A & B", BillingCity="Turin")
    org.make(AccountId=account)
    text = soap(
        org, "query", tags("queryString", ["SELECT BillingAddress, (SELECT Id FROM Contacts) FROM Account"])
    ).text
    assert '<result xsi:type="QueryResult">' in text
    assert '<records xsi:type="sf:sObject"><sf:type>Account</sf:type><sf:Id xsi:nil="true"/>' in text
    assert '<sf:BillingAddress xsi:type="address">' in text
    assert '<sf:Contacts xsi:type="QueryResult"><done>true</done>' in text
    parent = soap(org, "query", tags("queryString", ["SELECT Account.Name, Owner.Name FROM Contact"])).text
    assert '<sf:Account xsi:type="sf:sObject"><sf:type>Account</sf:type>' in parent
    assert "<sf:Name>A &amp; B</sf:Name>" in parent
    sums = soap(org, "query", tags("queryString", ["SELECT COUNT(Id), MAX(Name) FROM Account"])).text
    assert '<sf:expr0 xsi:type="xsd:int">1</sf:expr0>' in sums
    counted = asked(org, "SELECT COUNT() FROM Account")
    assert (counted.value("size"), list(counted.all("records"))) == ("1", [])


def test_a_page_over_soap_has_five_hundred_records_and_a_locator_for_the_rest(org: Org) -> None:
    """soap: REST's page has 2,000"""
    people(org, 750)
    first = asked(org, "SELECT LastName FROM Contact ORDER BY LastName")
    assert (first.value("done"), first.value("size"), len(list(first.all("records")))) == ("false", "750", 500)
    rest = soap(org, "queryMore", tags("queryLocator", [str(first.value("queryLocator"))])).only
    assert (rest.value("done"), len(list(rest.all("records")))) == ("true", 250)
    assert [len(list(asked(org, "SELECT Id FROM Contact", size=size).all("records"))) for size in (1, 300, 9_000)] == [
        200, 300, 750,
    ]  # fmt: skip
    lost = soap(org, "queryMore", tags("queryLocator", ["01g000000000001AAA-500"]))
    assert lost.fault == ("sf:INVALID_QUERY_LOCATOR", "INVALID_QUERY_LOCATOR: invalid query locator")
    assert "<sf:InvalidQueryLocatorFault " in lost.text


def test_only_query_all_sees_deleted_rows_over_soap_too(org: Org) -> None:
    """soap, 19"""
    org.sf.Contact.delete(org.make())
    soql = "SELECT Id FROM Contact"
    assert [asked(org, soql, each).value("size") for each in ("query", "queryAll")] == ["0", "1"]


@pytest.mark.parametrize(
    ("soql", "fault", "kind", "column"),
    [
        ("SELECT Foo FROM Contact", "sf:INVALID_FIELD", "InvalidFieldFault", "8"),
        ("SELECT Id FROM Nothing", "sf:INVALID_TYPE", "InvalidSObjectFault", "16"),
        ("SELECT Id FORM Contact", "sf:MALFORMED_QUERY", "MalformedQueryFault", "16"),
        ("", "sf:MALFORMED_QUERY", "MalformedQueryFault", "-1"),
    ],
)
def test_a_wrong_query_is_a_fault_that_tells_its_place(org: Org, soql: str, fault: str, kind: str, column: str) -> None:
    """soap, 20"""
    reply = soap(org, "query", tags("queryString", [soql]))
    assert (reply.status, (reply.fault or ("", ""))[0]) == (500, fault)
    assert f'<sf:{kind} xsi:type="sf:{kind}">' in reply.text
    assert f"<sf:column>{column}</sf:column></sf:{kind}>" in reply.text


def test_records_are_retrieved_in_the_order_asked_and_nil_where_there_is_none(org: Org) -> None:
    """soap"""
    kept, gone = org.make(Title="CTO"), org.make()
    org.sf.Contact.delete(gone)
    fields = tags("fieldList", ["Id, Title"]) + tags("sObjectType", ["Contact"])
    first, second = soap(org, "retrieve", fields + tags("ids", [gone, kept])).results
    assert first.is_nil
    assert inside(second) == [("type", "Contact"), ("Id", kept), ("Id", kept), ("Title", "CTO")]
    wrong = tags("fieldList", ["Foo"]) + tags("sObjectType", ["Contact"]) + tags("ids", [kept])
    assert (soap(org, "retrieve", wrong).fault or ("", ""))[0] == "sf:INVALID_FIELD"
    many = soap(org, "retrieve", fields + tags("ids", [kept] * 2_001))
    assert (many.fault or ("", ""))[0] == "sf:EXCEEDED_ID_LIMIT"


def test_searches_and_changes_come_over_soap_too(org: Org) -> None:
    """soap, 27"""
    contact, gone = org.make(LastName="Byron"), org.make()
    org.sf.Contact.delete(gone)
    org.advance(3600)
    found = soap(org, "search", tags("searchString", ["FIND {byron} RETURNING Contact(Id)"])).only
    [record] = [hit.first("record") for hit in found.all("searchRecords")]
    assert record is not None
    assert record.value("Id") == contact
    about = tags("sObjectType", ["Contact"]) + SPAN
    changed = soap(org, "getUpdated", about).only
    assert (texts(changed, "ids"), changed.value("latestDateCovered")) == ([contact], "2026-11-02T10:00:00.000Z")
    [told] = soap(org, "getDeleted", about).only.all("deletedRecords")
    assert inside(told) == [("deletedDate", "2026-11-02T09:00:00.000Z"), ("id", gone)]
    nothing = soap(org, "getUpdated", tags("sObjectType", ["Nothing"]) + SPAN)
    assert (nothing.fault or ("", ""))[0] == "sf:INVALID_TYPE"


def test_objects_are_described_over_soap_as_over_rest(org: Org) -> None:
    """soap, 62"""
    everything = soap(org, "describeGlobal", "").only
    listed = org.sf.describe()["sobjects"]
    assert [each.value("name") for each in everything.all("sobjects")] == [each["name"] for each in listed]
    over_rest = org.sf.Contact.describe()
    contact = soap(org, "describeSObject", tags("sObjectType", ["contact"])).only
    assert [each.value("name") for each in contact.all("fields")] == [each["name"] for each in over_rest["fields"]]
    assert [name for name, _ in inside(contact)] == sorted(name for name, _ in inside(contact))
    lead, account = soap(org, "describeSObjects", tags("sObjectType", ["Lead", "Account"])).results
    assert (lead.value("keyPrefix"), account.value("urlNew")) == ("00Q", "https://practice.my.salesforce.com/001/e")
    unknown = soap(org, "describeSObject", tags("sObjectType", ["Nothing"]))
    assert "<sf:InvalidSObjectFault " in unknown.text
    many = soap(org, "describeSObjects", tags("sObjectType", ["Lead"] * 101))
    assert (many.fault or ("", ""))[0] == "sf:EXCEEDED_ID_LIMIT"


def test_apps_and_their_tabs_are_told_over_soap(org: Org) -> None:
    """soap, screens"""
    first, *others = soap(org, "describeTabs", "").results
    assert (first.value("label"), first.is_true("selected"), len(others)) == ("Sales", True, 2)
    assert "standard-Account" in [each.value("name") for each in first.all("tabs")]


def test_a_write_that_fails_has_all_parts_of_its_result(org: Org) -> None:
    """soap, 29: ``created`` of an upsert, no ``id`` of a conversion"""
    key = tags("externalIDFieldName", ["Truce_Key__c"])
    upserted = soap(org, "upsert", key + "<p:sObjects><s:type>Contact</s:type></p:sObjects>").only
    assert [name for name, _ in inside(upserted)] == ["created", "errors", "id", "success"]
    converted = soap(org, "convertLead", "<p:leadConverts><p:leadId>x</p:leadId></p:leadConverts>").only
    assert [name for name, _ in inside(converted)] == [
        "accountId", "contactId", "errors", "leadId", "opportunityId", "success",
    ]  # fmt: skip


# By the vendor's own description of it --------------------------------------------------------------------------------


@cache
def client() -> Any:
    return zeep.Client(WSDL, settings=zeep.Settings(strict=True))


def strictly(org: Org, operation: str, body: str) -> Reply:
    """The answer of a call, read by zeep too where it has the WSDL: nothing is missing, strange or out of order."""
    reply = soap(org, operation, body)
    assert reply.status == 200, reply.text
    if WSDL:
        answer = requests.Response()
        answer.status_code, answer._content = reply.status, reply.text.encode()
        answer.headers["Content-Type"] = reply.content_type
        binding = client().service._binding
        binding.process_reply(client(), binding.get(operation), answer)
    return reply


def test_every_description_has_the_parts_that_the_wsdl_says(org: Org) -> None:
    """soap"""
    names = [each.value("name") for each in strictly(org, "describeGlobal", "").only.all("sobjects")]
    for name in names:
        described = strictly(org, "describeSObject", tags("sObjectType", [str(name)])).only
        told = [part for part, _ in inside(described)]
        assert {"implementedBy", "networkScopeFieldName", "urlDetail"} <= set(told)
        assert told == sorted(told)
    strictly(org, "describeSObjects", tags("sObjectType", ["Lead", "Account"]))
    strictly(org, "describeTabs", "")
    for name in ("Account", "Lead", "Opportunity", "Task"):
        layout = strictly(org, "describeLayout", tags("sObjectType", [name])).only
        assert [each.value("recordTypeId") for each in layout.all("recordTypeMappings")] == ["012000000000000AAA"]
    none = soap(org, "describeLayout", tags("sObjectType", ["Profile"]))
    assert (none.fault or ("", ""))[0] == "sf:INVALID_TYPE_FOR_OPERATION"


def test_reads_have_the_parts_that_the_wsdl_says(org: Org) -> None:
    """soap"""
    account = org.make("Account", Name="Engines", BillingCity="Turin")
    org.make(AccountId=account)
    for soql in (
        "SELECT Id, Owner.Name, BillingAddress, CreatedDate, (SELECT Name FROM Contacts) FROM Account",
        "SELECT COUNT(Id), MAX(Name) FROM Account",
        "SELECT COUNT() FROM Account",
    ):
        assert strictly(org, "query", tags("queryString", [soql])).only.value("size") == "1"
    asked_for = tags("fieldList", ["Id"]) + tags("sObjectType", ["Account"])
    strictly(org, "retrieve", asked_for + tags("ids", [account, "0015g00000zzzzzAAA"]))
    strictly(org, "search", tags("searchString", ["FIND {engines} RETURNING Account(Id)"]))
    for operation in ("getUpdated", "getDeleted"):
        strictly(org, operation, tags("sObjectType", ["Account"]) + SPAN)
    for operation in ("getUserInfo", "getServerTimestamp"):
        strictly(org, operation, "")


def test_writes_have_the_parts_that_the_wsdl_says(org: Org) -> None:
    """soap: of those that fail too"""
    bad = sobject("Contact")
    made, failed = strictly(org, "create", sobject("Contact", LastName="Byron") + bad).results
    assert (success(made), success(failed)) == (True, False)
    contact = str(made.value("id"))
    key = tags("externalIDFieldName", ["Truce_Key__c"])
    new, _ = strictly(org, "upsert", key + sobject("Contact", LastName="Ada", Truce_Key__c="p-1") + bad).results
    strictly(org, "update", sobject("Contact", contact, Title="Lord") + bad)
    merging = merge_request("Contact", contact, str(new.value("id"))) + merge_request("Contact", contact, contact)
    strictly(org, "merge", merging)
    lead = f"<p:leadId>{org.make('Lead')}</p:leadId><p:convertedStatus>Closed - Converted</p:convertedStatus>"
    converting = f"<p:leadConverts>{lead}</p:leadConverts><p:leadConverts><p:leadId>x</p:leadId></p:leadConverts>"
    strictly(org, "convertLead", converting)
    for operation in ("delete", "undelete", "delete", "emptyRecycleBin"):
        strictly(org, operation, tags("ids", [contact, "nonsense"]))
    user = tags("userId", [org.setting("users")["integration"]])
    strictly(org, "setPassword", user + tags("password", ["another-password"]))
    made = strictly(org, "resetPassword", user).only.value("password")
    assert made
    short = soap(org, "setPassword", user + tags("password", ["short"]))
    assert (short.fault or ("", ""))[0] == "sf:INVALID_NEW_PASSWORD"
    strictly(org, "logout", "")
