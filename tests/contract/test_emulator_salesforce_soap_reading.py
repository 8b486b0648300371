"""What can be read over the emulator's SOAP API: queries, records, searches, changes, descriptions.

With ``TRUCE_SALESFORCE_WSDL`` naming a copy of the vendor's partner WSDL, which this repository does not keep, zeep
reads every answer strictly by it.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import zeep
from lxml import etree
from practice_org import Org
from soap_calls import soap, tags, texts
from zeep.transports import Transport

from connectors.emulator.salesforce.soap.xml_text import Element
from connectors.emulator.serve import Emulator

WSDL = os.environ.get("TRUCE_SALESFORCE_WSDL", "")
PARTNER, SOBJECT = "{urn:partner.soap.sforce.com}", "{urn:sobject.partner.soap.sforce.com}"
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


class Strict:
    """zeep, which refuses what the WSDL does not allow."""

    def __init__(self, org: Org) -> None:
        self.client = zeep.Client(WSDL, transport=Transport(session=org.session), settings=zeep.Settings(strict=True))
        address = "https://practice.my.salesforce.com/services/Soap/u/59.0"
        self.service = self.client.create_service(f"{PARTNER}SoapBinding", address)
        self.session = self.client.get_element(f"{PARTNER}SessionHeader")(sessionId=org.sf.session_id)

    def __call__(self, operation: str, *args: Any) -> Any:
        return getattr(self.service, operation)(*args, _soapheaders={"SessionHeader": self.session}).body.result

    def record(self, **known: str) -> Any:
        fields = [self.field(name, value) for name, value in known.items() if name not in ("type", "Id")]
        named = {name: known[name] for name in ("type", "Id") if name in known}
        return self.client.get_type(f"{SOBJECT}sObject")(_value_1=fields, **named)

    def field(self, name: str, value: str) -> Any:
        element = etree.Element(SOBJECT + name)
        element.text = value
        return element

    def convert(self, lead: str, status: str) -> Any:
        flags = ("doNotCreateOpportunity", "overwriteLeadSource", "sendNotificationEmail",
                 "bypassAccountDedupeCheck", "bypassContactDedupeCheck")  # fmt: skip
        made = self.client.get_type(f"{PARTNER}LeadConvert")
        return made(leadId=lead, convertedStatus=status, **dict.fromkeys(flags, False))


@pytest.fixture
def strict(org: Org) -> Strict:
    if not WSDL:
        pytest.skip("TRUCE_SALESFORCE_WSDL names no copy of the partner WSDL")
    return Strict(org)


def test_every_description_is_as_the_wsdl_says(strict: Strict) -> None:
    """soap, 62"""
    for entry in strict("describeGlobal").sobjects:
        assert strict("describeSObject", entry.name).name == entry.name


def test_reads_and_writes_are_as_the_wsdl_says(strict: Strict, org: Org) -> None:
    """soap"""
    org.make("Account", Name="Engines", BillingCity="Turin")
    good, bad = strict("create", [strict.record(type="Contact", LastName="Byron"), strict.record(type="Contact")])
    assert (good.success, bad.errors[0].statusCode) == (True, "REQUIRED_FIELD_MISSING")
    new, keyless = strict("upsert", "Truce_Key__c", [
        strict.record(type="Contact", LastName="Ada", Truce_Key__c="p-1"), strict.record(type="Contact"),
    ])  # fmt: skip
    assert (new.created, keyless.created) == (True, False)
    assert strict("update", [strict.record(type="Contact", Id=good.id, Title="Lord")])[0].success
    assert strict("query", "SELECT Id, Owner.Name, BillingAddress, CreatedDate FROM Account").size == 1
    assert strict("query", "SELECT COUNT(Id), MAX(Name) FROM Account").records[0].type == "AggregateResult"
    assert [each and each.Id for each in strict("retrieve", "Id", "Contact", [good.id, "0035g00000zzzzzAAA"])] == [
        good.id, None,
    ]  # fmt: skip
    merging = strict.client.get_type(f"{PARTNER}MergeRequest")
    master = strict.record(type="Contact", Id=good.id)
    assert strict("merge", [merging(masterRecord=master, recordToMergeIds=[new.id])])[0].mergedRecordIds == [new.id]
    lead, late = org.make("Lead"), org.make("Lead")
    done, refused = strict("convertLead", [strict.convert(lead, "Closed - Converted"), strict.convert(late, "x")])
    assert (done.leadId, refused.errors[0].statusCode) == (lead, "INVALID_STATUS")
    assert strict("delete", [good.id])[0].success
    assert strict("undelete", [good.id])[0].success
    assert strict("describeTabs")[0].selected
    assert strict("getUserInfo").userName == "integration@practice.example.com"
    with pytest.raises(zeep.exceptions.Fault) as told:
        strict("query", "SELECT Foo FROM Contact")
    assert told.value.code == "sf:INVALID_FIELD"
