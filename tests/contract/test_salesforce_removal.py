"""What only Salesforce's SOAP API has, and the copy taken before: merges, the recycle bin, children by relationship."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_office import Office, connect, held, kinds
from scripted_salesforce import CONTACT, OTHER_CONTACT, Answer, Asked, ScriptedSalesforce, Ticks, scripted_salesforce
from scripted_salesforce import connect as connect_scripted

from agent.connector import FullCopy, Tie, Write
from agent.errors import AccessDenied
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.xml_text import BadXml, parsed


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    found = connect(emulator, clock)
    yield found
    found.close()


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


def merge(number: int, survivor: Ref, *losers: Ref, **fields: Any) -> Write:
    ids = tuple(loser.id for loser in losers)
    return Write(f"E-{number}", "merge", survivor.object_type, survivor.id, fields, losers=ids)


def undelete(number: int, ref: Ref) -> Write:
    return Write(f"E-{number}", "undelete", ref.object_type, ref.id, {})


def test_a_merge_moves_the_children_and_names_them(connector: Salesforce, office: Office) -> None:
    survivor, loser = office.make("Account", Name="A", Website="a.example"), office.make("Account", Name="B")
    child = office.make(AccountId=loser.id)
    [outcome] = connector.write([merge(1, survivor, loser, Name='A & <"B">', Website=None)])
    assert (outcome.status, outcome.related) == ("applied", (child.id,))
    assert held(connector, child, "AccountId") == {"AccountId": survivor.id}
    assert held(connector, survivor, "Name", "Website") == {"Name": 'A & <"B">', "Website": None}


def test_what_a_merge_moved_stays_moved_when_the_loser_comes_back(connector: Salesforce, office: Office) -> None:
    survivor, loser = office.make("Account", Name="A"), office.make("Account", Name="B")
    child = office.make(AccountId=loser.id)
    connector.write([merge(1, survivor, loser)])
    assert kinds(connector.write([undelete(2, loser)])) == ["applied"]
    assert held(connector, loser, "Name") == {"Name": "B"}
    assert held(connector, child, "AccountId") == {"AccountId": survivor.id}


def test_many_merges_share_a_call_and_each_stands_alone(connector: Salesforce, office: Office) -> None:
    people = [office.make(LastName=f"Person {number}") for number in range(6)]
    office.delete(people[3])
    before = len(office.requests())
    writes = [merge(number, people[number], people[number + 1]) for number in (0, 2, 4)]
    assert kinds(connector.write(writes)) == ["applied", "validation", "applied"]
    soap = [line for line in office.requests()[before:] if "/Soap/" in line["path"]]
    assert len(soap) == 1
    assert {line["entry_id"] for line in office.our_changes() if line["op"] == "merge"} == {"E-0", "E-4"}


def test_an_object_that_cannot_be_merged_says_so(connector: Salesforce, office: Office) -> None:
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-01"}
    one, other = office.make("Opportunity", **deal), office.make("Opportunity", **deal)
    assert connector.schema("Opportunity").can_merge is False
    assert connector.schema("Opportunity").can_undelete is True
    [outcome] = connector.write([merge(1, one, other)])
    assert outcome.error is not None
    assert outcome.error.code == "INVALID_TYPE_FOR_OPERATION"


def test_a_record_that_is_back_already_was_undeleted(connector: Salesforce, office: Office) -> None:
    ref = office.make()
    office.delete(ref)
    assert kinds(connector.write([undelete(1, ref)])) == ["applied"]
    assert kinds(connector.write([undelete(1, ref)])) == ["applied"]


def test_what_left_the_bin_is_gone(connector: Salesforce, office: Office) -> None:
    ref = office.make()
    office.delete(ref)
    office.admin.post("/clock/advance", seconds=16 * 86_400)
    assert kinds(connector.write([undelete(1, ref)])) == ["gone"]


def test_an_expired_session_is_renewed_once_for_soap_too(connector: Salesforce, office: Office) -> None:
    ref = office.make()
    office.delete(ref)
    connector.schema("Contact")
    office.admin.post("/tokens/revoke", system="salesforce")
    assert kinds(connector.write([undelete(1, ref)])) == ["applied"]
    logins = [line for line in office.requests() if line["path"].endswith("/oauth2/token")]
    assert len(logins) == 2


def test_access_tokens_that_soap_does_not_take_are_told(connector: Salesforce, office: Office) -> None:
    office.admin.post("/settings", system="salesforce", name="token_format", value="jwt")
    ref = office.make()
    office.delete(ref)
    with pytest.raises(AccessDenied, match="SOAP") as told:
        connector.write([undelete(1, ref)])
    assert "opaque" in told.value.why


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "html_200", "truncate", "status"])
def test_an_answer_that_does_not_come_whole_is_unknown(connector: Salesforce, office: Office, action: str) -> None:
    survivor, loser = office.make(), office.make()
    office.fault(action, "POST", "/Soap/u/*", **({"status": 503} if action == "status" else {}))
    assert kinds(connector.write([merge(1, survivor, loser)])) == ["unknown"]


def test_a_merge_of_a_parent_into_its_child_is_refused_and_nothing_moves(connector: Salesforce, office: Office) -> None:
    parent = office.make("Account", Name="A")
    child = office.make("Account", Name="B", ParentId=parent.id)
    [outcome] = connector.write([merge(1, child, parent)])
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.code) == ("other", "CIRCULAR_DEPENDENCY")
    assert held(connector, child, "ParentId") == {"ParentId": parent.id}


# The full copy --------------------------------------------------------------------------------------------------------


def test_a_copy_lists_children_of_every_kind_with_the_field_they_hang_by(connector: Salesforce, office: Office) -> None:
    account = office.make("Account", Name="Engines")
    contact = office.make(AccountId=account.id)
    deal = office.make(
        "Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2026-12-01", AccountId=account.id
    )
    task = office.make("Task", Subject="Call", WhatId=account.id)
    copy = connector.full_copy(account)
    assert isinstance(copy, FullCopy)
    assert {(tie.ref, tie.by) for tie in copy.ties} >= {(contact, "AccountId"), (deal, "AccountId"), (task, "WhatId")}
    assert copy.unread == ()


def test_a_copy_costs_few_calls(connector: Salesforce, office: Office) -> None:
    account = office.make("Account", Name="Engines")
    connector.schema("Account")
    before = len(office.requests())
    connector.full_copy(account)
    assert len(office.requests()) - before <= 3


def test_a_copy_lists_more_children_than_come_on_one_page(
    connector: Salesforce, office: Office, emulator: Emulator
) -> None:
    account = office.make("Account", Name="Engines")
    rows = [{"LastName": f"Person {number}", "AccountId": account.id} for number in range(2_001)]
    desk = emulator.practice.desks["salesforce"]
    emulator.call(lambda: desk.seed_many("Contact", rows, actor=Actor("seed", "system")))
    copy = connector.full_copy(account)
    assert isinstance(copy, FullCopy)
    assert len([tie for tie in copy.ties if tie.by == "AccountId"]) == 2_001
    assert copy.unread == ()


@pytest.fixture
def server() -> Iterator[ScriptedSalesforce]:
    with scripted_salesforce() as script:
        yield script


def described(server: ScriptedSalesforce, *children: tuple[str, str, str]) -> Answer:
    listed = [
        {"childSObject": kind, "field": field, "relationshipName": name, "deprecatedAndHidden": False}
        for kind, field, name in children
    ]
    return Answer(200, {**server.description("Contact"), "childRelationships": listed})


def test_what_cannot_be_listed_is_named_and_the_rest_is_copied(server: ScriptedSalesforce) -> None:
    children = [("Case", "ContactId", "Cases"), ("Odd", "ContactId", "Odds"), ("CaseHistory", "ContactId", "Histories")]

    def answer(asked: Asked) -> Answer:
        stamps = {"SystemModstamp": STAMP, "LastModifiedDate": STAMP, "IsDeleted": False}
        if "composite/sobjects" in asked.path:
            return Answer(200, [{"Id": CONTACT, **stamps, "LastName": "Hopper"}])
        if "SELECT" in asked.path and "FROM+Case+" in asked.path:
            return Answer(200, {"totalSize": 1, "done": True, "records": [{"Id": "500000000000001AAA"}]})
        return Answer(400, [{"errorCode": "MALFORMED_QUERY", "message": "text"}])

    server.describe_answer = described(server, *children)
    server.answer_by = answer
    connector = connect_scripted(server, Ticks())
    copy = connector.full_copy(Ref("salesforce", "Contact", CONTACT))
    connector.close()
    assert isinstance(copy, FullCopy)
    assert copy.ties == (Tie(Ref("salesforce", "Case", "500000000000001AAA"), "ContactId"),)
    assert copy.unread == ("Odd.ContactId",)


STAMP = "2026-11-24T09:00:00.000+0000"
RESULT = (
    "<E xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body><mergeResponse xmlns='urn:partner.soap.sforce.com'>"
    "{}</mergeResponse></Body></E>"
)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (f"<result><id>{CONTACT}</id><mergedRecordIds>{OTHER_CONTACT}</mergedRecordIds><success>true</success></result>",
         "applied"),
        (f"<result><id>{CONTACT}</id><success>true</success></result>", "unknown"),
        (f"<result><id>{OTHER_CONTACT}</id><mergedRecordIds>{OTHER_CONTACT}</mergedRecordIds>"
         "<success>true</success></result>", "unknown"),
        ("<result><success>maybe</success></result>", "unknown"),
        ("", "unknown"),
        ("<result><success>false</success><errors><statusCode>MERGE_FAILED</statusCode></errors></result>", "other"),
    ],
)  # fmt: skip
def test_only_a_result_that_names_both_records_is_a_merge(
    server: ScriptedSalesforce, results: str, expected: str
) -> None:
    server.script(Answer(200, RESULT.format(results).encode(), {"Content-Type": "text/xml"}))
    connector = connect_scripted(server, Ticks())
    write = merge(1, Ref("salesforce", "Contact", CONTACT), Ref("salesforce", "Contact", OTHER_CONTACT))
    assert kinds(connector.write([write])) == [expected]
    connector.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [("UNKNOWN_EXCEPTION", "unknown"), ("SERVER_UNAVAILABLE", "unknown"), ("INVALID_TYPE", "permission")],
)
def test_a_fault_that_says_nothing_of_what_was_done_is_unknown(
    server: ScriptedSalesforce, code: str, expected: str
) -> None:
    fault = f"<Fault><faultcode>sf:{code}</faultcode><faultstring>text</faultstring></Fault>"
    body = f"<E xmlns='http://schemas.xmlsoap.org/soap/envelope/'><Body>{fault}</Body></E>"
    server.script(Answer(500, body.encode(), {"Content-Type": "text/xml"}))
    connector = connect_scripted(server, Ticks())
    write = merge(1, Ref("salesforce", "Contact", CONTACT), Ref("salesforce", "Contact", OTHER_CONTACT))
    assert kinds(connector.write([write])) == [expected]
    connector.close()


def test_xml_that_could_grow_is_no_answer() -> None:
    bomb = b"<!DOCTYPE a [<!ENTITY x 'xxxxxxxx'>]><a>&x;</a>"
    for text in (bomb, b"<a>", b"", b"<a></b>"):
        with pytest.raises(BadXml):
            parsed(text)
