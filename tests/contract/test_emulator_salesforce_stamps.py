"""The emulator's Salesforce over time: stamps, late commits, what replication tells, rows that go and come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from practice_org import Org, code, ids_of, refusal

from connectors.emulator.admin_client import AdminRefusedError
from connectors.emulator.serve import Emulator

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def stamp(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def stamps(org: Org, object_type: str, record_id: str) -> tuple[str, str]:
    """(SystemModstamp, LastModifiedDate), of deleted rows too."""
    soql = f"SELECT SystemModstamp, LastModifiedDate FROM {object_type} WHERE Id = '{record_id}'"
    [found] = org.query_deleted(soql)
    return found["SystemModstamp"], found["LastModifiedDate"]


def changed_since(org: Org, seconds: float) -> list[str]:
    since = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    soql = f"SELECT Id FROM Contact WHERE SystemModstamp >= {since} ORDER BY SystemModstamp, Id"
    return ids_of(org.query_deleted(soql))


def test_all_rows_of_a_call_share_one_stamp_of_whole_seconds(org: Org) -> None:
    """24"""
    org.advance(5.9)
    records = [{"attributes": {"type": "Contact"}, "LastName": f"P{number}"} for number in range(200)]
    org.sf.restful("composite/sobjects", method="POST", json={"records": records})
    found = org.query("SELECT SystemModstamp, LastModifiedDate, CreatedDate FROM Contact")
    assert len(found) == 200
    assert {value for record in found for value in record.values()} == {stamp(5)}
    assert len(org.query("SELECT Id FROM Contact WHERE SystemModstamp = 2026-11-02T09:00:05Z")) == 200


def test_a_save_without_a_change_moves_both_stamps(org: Org) -> None:
    """24"""
    contact_id = org.make(Title="CTO")
    org.advance(10)
    org.change("Contact", contact_id, Title="CTO")
    assert stamps(org, "Contact", contact_id) == (stamp(10), stamp(10))
    assert org.value("Contact", contact_id, "CreatedDate") == stamp(0)


def test_a_late_commit_is_stamped_early_and_seen_late(org: Org) -> None:
    """25"""
    contact_id = org.person_makes("Contact", Title="before")
    org.advance(100)
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 300
    org.person_edits("Contact", contact_id, Title="after")
    created = org.person_makes("Contact")
    org.advance(200)
    assert changed_since(org, 100) == []
    assert org.value("Contact", contact_id, "Title") == "before"
    assert code(org.read, "Contact", created) == (404, "NOT_FOUND")
    org.advance(100)
    assert changed_since(org, 100) == [contact_id, created]
    assert stamps(org, "Contact", contact_id) == (stamp(100), stamp(100))


def test_a_late_deletion_shows_the_row_until_then(org: Org) -> None:
    """25"""
    contact_id = org.person_makes("Contact", Email="ada@example.com")
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 60
    org.person("delete", object="Contact", id=contact_id)
    assert ids_of(org.query("SELECT Id FROM Contact WHERE Email = 'ada@example.com'")) == [contact_id]
    org.advance(60)
    assert org.query("SELECT Id FROM Contact WHERE Email = 'ada@example.com'") == []


def test_a_key_finds_the_row_of_before_the_commit(org: Org) -> None:
    """25"""
    contact_id = org.person_makes("Contact", Truce_Key__c="old")
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 60
    org.person_edits("Contact", contact_id, Truce_Key__c="new")

    def by_key(key: str) -> list[str]:
        return ids_of(org.query("SELECT Id FROM Contact WHERE Truce_Key__c = {}", key))

    assert (by_key("old"), by_key("new")) == ([contact_id], [])
    assert org.call("GET", "sobjects/Contact/Truce_Key__c/OLD").json()["Id"] == contact_id
    org.advance(60)
    assert (by_key("old"), by_key("new")) == ([], [contact_id])


def test_a_row_with_an_outstanding_commit_is_held_by_its_writer(org: Org) -> None:
    """25, 47"""
    contact_id = org.person_makes("Contact")
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 60
    org.person_edits("Contact", contact_id, Title="open")
    assert code(org.change, "Contact", contact_id, Title="CTO") == (400, "UNABLE_TO_LOCK_ROW")
    org.advance(60)
    org.change("Contact", contact_id, Title="CTO")


def test_what_the_api_wrote_is_there_when_it_answers(org: Org) -> None:
    """25"""
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 300
    contact_id = org.make(Title="CTO")
    assert changed_since(org, 0) == [contact_id]
    assert org.value("Contact", contact_id, "Title") == "CTO"
    [line] = [line for line in org.admin.audit() if line["cause"] == "api"]
    assert line["visible_at"] == line["time"]


def test_late_commits_survive_a_snapshot(org: Org) -> None:
    """25"""
    contact_id = org.person_makes("Contact", Title="before")
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 60
    org.person_edits("Contact", contact_id, Title="after")
    org.admin.put("/snapshot", org.admin.get("/snapshot"))
    assert org.value("Contact", contact_id, "Title") == "before"
    org.advance(60)
    assert org.value("Contact", contact_id, "Title") == "after"


def test_a_background_job_moves_system_modstamp_only(org: Org) -> None:
    """26"""
    contact_id = org.make()
    org.advance(10)
    org.person("edit", object="Contact", id=contact_id, values={}, actor={"id": "job", "cause": "system"})
    assert stamps(org, "Contact", contact_id) == (stamp(10), stamp(0))


def test_updated_and_deleted_list_a_span_up_to_what_is_covered(org: Org) -> None:
    """27"""
    kept, gone = org.make(), org.make()
    org.advance(600)
    org.sf.Contact.delete(gone)
    org.advance(100)
    end = START + timedelta(seconds=3_600)
    updated = org.sf.Contact.updated(START, end)
    assert updated == {"ids": [kept], "latestDateCovered": stamp(700)}
    deleted = org.sf.Contact.deleted(START, end)
    assert deleted["deletedRecords"] == [{"id": gone, "deletedDate": stamp(600)}]
    assert deleted["latestDateCovered"] == stamp(700)
    assert deleted["earliestDateAvailable"] == stamp(700 - 15 * 86_400)


def test_what_is_gone_for_good_is_still_told_of(org: Org) -> None:
    """27: the log of deletions outlives the recycle bin"""
    binned, erased = org.make(), org.make()
    org.advance(600)
    org.sf.Contact.delete(binned)
    org.advance(60)
    org.person("purge", object="Contact", id=binned)
    org.switch("may_hard_delete", True)
    org.sf.bulk2.Contact.hard_delete(records=[{"Id": erased}], wait=0)
    org.advance(60)
    assert org.query_deleted("SELECT Id FROM Contact") == []
    told = org.sf.Contact.deleted(START, START + timedelta(hours=1))["deletedRecords"]
    assert told == [{"id": binned, "deletedDate": stamp(600)}, {"id": erased, "deletedDate": stamp(660)}]


def test_what_is_covered_stays_behind_open_transactions(org: Org) -> None:
    """27"""
    org.advance(600)
    org.emulator.world.spaces["salesforce"].visible_delay_seconds = 120
    org.switch("replication_lag_seconds", 60)
    assert org.sf.Contact.updated(START, START + timedelta(hours=1))["latestDateCovered"] == stamp(420)


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 60), (600, 0), (-31 * 86_400, 600)],
)
def test_a_span_too_short_reversed_or_too_old_is_refused(org: Org, start: int, end: int) -> None:
    """27"""
    span = [START + timedelta(seconds=seconds) for seconds in (start, end)]
    assert code(org.sf.Contact.updated, *span) == (400, "INVALID_REPLICATION_DATE")
    assert code(org.sf.Contact.deleted, *span) == (400, "INVALID_REPLICATION_DATE")


def test_deletions_are_told_of_for_fifteen_days_and_changes_for_thirty(org: Org) -> None:
    """27"""
    for days, of_updated, of_deleted in ((14, True, True), (16, True, False), (29, True, False)):
        span = START - timedelta(days=days), START + timedelta(hours=1)
        for ask, is_told in ((org.sf.Contact.updated, of_updated), (org.sf.Contact.deleted, of_deleted)):
            if is_told:
                assert ask(*span)["latestDateCovered"] == stamp(0)
            else:
                assert code(ask, *span) == (400, "INVALID_REPLICATION_DATE")


def test_more_ids_than_can_be_told_are_refused(org: Org) -> None:
    """27"""
    org.make()
    org.make()
    org.advance(120)
    org.switch("replication_ids", 1)
    span = {"start": "2026-11-02T08:00:00Z", "end": "2026-11-02T09:02:00Z"}
    assert code(org.sf.restful, "sobjects/Contact/updated", params=span) == (400, "EXCEEDED_ID_LIMIT")


def test_the_library_s_naive_times_are_refused(org: Org) -> None:
    """27"""
    naive = datetime(2026, 11, 2, 8, tzinfo=UTC).replace(tzinfo=None)  # the library makes a malformed text of it
    assert code(org.sf.Contact.updated, naive, naive) == (400, "INVALID_REPLICATION_DATE")


def test_delete_undelete_and_merge_move_the_stamp_of_all_they_touch(org: Org) -> None:
    """28"""
    account, other = org.make("Account", Name="A"), org.make("Account", Name="B")
    child = org.make(AccountId=other)
    org.advance(10)
    org.person("merge", object="Account", survivor=account, loser=other)
    assert [stamps(org, "Account", each)[0] for each in (account, other)] == [stamp(10), stamp(10)]
    assert stamps(org, "Contact", child)[0] == stamp(10)
    org.advance(10)
    org.sf.Contact.delete(child)
    assert stamps(org, "Contact", child)[0] == stamp(20)
    org.advance(10)
    org.person("undelete", object="Contact", id=child)
    assert stamps(org, "Contact", child)[0] == stamp(30)
    org.switch("undelete_moves_stamp", False)
    org.sf.Contact.delete(child)
    org.advance(10)
    org.person("undelete", object="Contact", id=child)
    assert stamps(org, "Contact", child)[0] == stamp(30)


def family(org: Org) -> dict[str, str]:
    """An account with everything that hangs on it."""
    account = org.make("Account", Name="Engines")
    contact = org.make(AccountId=account)
    deal = org.make("Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", AccountId=account)
    return {
        "Account": account,
        "Contact": contact,
        "Opportunity": deal,
        "OpportunityContactRole": org.make("OpportunityContactRole", OpportunityId=deal, ContactId=contact),
        "Task": org.make("Task", Subject="Call", WhatId=account),
    }


def fates(org: Org, ids: dict[str, str]) -> dict[str, bool]:
    return {name: org.query_deleted(f"SELECT IsDeleted FROM {name}")[0]["IsDeleted"] for name in ids}


def test_an_account_takes_its_children_along_and_back_except_roles(org: Org) -> None:
    """56, 57"""
    ids = family(org)
    org.sf.Account.delete(ids["Account"])
    assert set(fates(org, ids).values()) == {True}
    org.person("undelete", object="Account", id=ids["Account"])
    assert fates(org, ids) == {name: name == "OpportunityContactRole" for name in ids}
    assert org.value("Contact", ids["Contact"], "AccountId") == ids["Account"]


def test_a_child_deleted_before_its_parent_stays_deleted(org: Org) -> None:
    """57"""
    ids = family(org)
    org.sf.Task.delete(ids["Task"])
    org.advance(1)
    org.sf.Account.delete(ids["Account"])
    org.person("undelete", object="Account", id=ids["Account"])
    assert fates(org, ids)["Task"] is True


def test_a_contact_role_cannot_be_undeleted(org: Org) -> None:
    """56"""
    ids = family(org)
    org.sf.OpportunityContactRole.delete(ids["OpportunityContactRole"])
    with pytest.raises(AdminRefusedError, match="cannot be undeleted"):
        org.person("undelete", object="OpportunityContactRole", id=ids["OpportunityContactRole"])


def test_the_recycle_bin_forgets_after_fifteen_days(org: Org) -> None:
    """57"""
    contact_id = org.make()
    org.sf.Contact.delete(contact_id)
    org.advance(15 * 86_400)
    assert code(org.read, "Contact", contact_id) == (404, "ENTITY_IS_DELETED")
    org.advance(1)
    assert org.query_deleted("SELECT Id FROM Contact") == []
    assert code(org.read, "Contact", contact_id) == (404, "NOT_FOUND")
    with pytest.raises(AdminRefusedError, match="recycle bin"):
        org.person("undelete", object="Contact", id=contact_id)


def test_a_merge_keeps_the_survivor_s_values_and_moves_children(org: Org) -> None:
    """58"""
    survivor, loser = org.make(Title="CTO"), org.make(Title="CEO", Phone="1")
    task = org.make("Task", Subject="Call", WhoId=loser)
    org.person("merge", object="Contact", survivor=survivor, loser=loser)
    assert org.read("Contact", survivor, "Title", "Phone") == {"Title": "CTO", "Phone": None}
    assert org.value("Task", task, "WhoId") == survivor
    assert org.query_deleted("SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = TRUE") == [
        {"Id": loser, "MasterRecordId": survivor}
    ]
    merges = "SELECT Id FROM Contact WHERE IsDeleted = TRUE AND MasterRecordId != null AND SystemModstamp >= TODAY"
    assert ids_of(org.query_deleted(merges)) == [loser]
    assert code(org.read, "Contact", loser) == (404, "ENTITY_IS_DELETED")


def test_a_merge_makes_one_role_of_two_on_one_opportunity(org: Org) -> None:
    """58"""
    ids = family(org)
    other = org.make(AccountId=ids["Account"])
    org.make("OpportunityContactRole", OpportunityId=ids["Opportunity"], ContactId=other)
    org.person("merge", object="Contact", survivor=ids["Contact"], loser=other)
    assert [record["ContactId"] for record in org.query("SELECT ContactId FROM OpportunityContactRole")] == [
        ids["Contact"]
    ]


def test_only_some_objects_merge_and_none_with_itself(org: Org) -> None:
    """58"""
    ids = family(org)
    for name, text in (("Opportunity", "cannot be merged"), ("Contact", "into itself")):
        with pytest.raises(AdminRefusedError, match=text):
            org.person("merge", object=name, survivor=ids[name], loser=ids[name])


def test_an_undeleted_merge_loser_comes_without_its_children(org: Org) -> None:
    """59"""
    survivor, loser = org.make(), org.make()
    task = org.make("Task", Subject="Call", WhoId=loser)
    org.person("merge", object="Contact", survivor=survivor, loser=loser)
    org.person("undelete", object="Contact", id=loser)
    assert org.query("SELECT MasterRecordId FROM Contact WHERE Id = {}", loser) == [{"MasterRecordId": None}]
    assert org.value("Task", task, "WhoId") == survivor


def converted(org: Org, lead: str, **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = org.person("convert", id=lead, **options)
    return answer


def test_a_converted_lead_becomes_an_account_a_contact_and_an_opportunity(org: Org) -> None:
    """60"""
    lead = org.make("Lead", FirstName="Ada", Email="ada@example.com", Title="CTO", Country="UK", LeadSource="Web")
    task = org.make("Task", Subject="Call", WhoId=lead)
    made = converted(org, lead)
    contact = org.read("Contact", made["contactId"], "Name", "Email", "Title", "MailingCountry", "AccountId")
    assert contact == {
        "Name": "Ada Lovelace",
        "Email": "ada@example.com",
        "Title": "CTO",
        "MailingCountry": "UK",
        "AccountId": made["accountId"],
    }
    assert org.read("Account", made["accountId"], "Name", "AccountSource") == {
        "Name": "Engines",
        "AccountSource": "Web",
    }
    assert org.value("Opportunity", made["opportunityId"], "CloseDate") == "2026-12-31"
    assert org.query("SELECT ContactId FROM OpportunityContactRole") == [{"ContactId": made["contactId"]}]
    assert org.value("Task", task, "WhoId") == made["contactId"]
    names = ("IsConverted", "Status", "ConvertedDate", "ConvertedContactId", "ConvertedAccountId")
    assert org.read("Lead", lead, *names) == {
        "IsConverted": True,
        "Status": "Closed - Converted",
        "ConvertedDate": "2026-11-02",
        "ConvertedContactId": made["contactId"],
        "ConvertedAccountId": made["accountId"],
    }


def test_converting_into_an_existing_contact_fills_only_what_is_empty(org: Org) -> None:
    """60"""
    contact = org.make(Title="CTO", LeadSource="Other")
    lead = org.make("Lead", Title="CEO", Phone="1", LeadSource="Web")
    made = converted(org, lead, contact_id=contact, do_not_create_opportunity=True, overwrite_lead_source=True)
    assert made["opportunityId"] is None
    assert org.read("Contact", contact, "Title", "Phone", "LeadSource", "AccountId") == {
        "Title": "CTO",
        "Phone": "1",
        "LeadSource": "Web",
        "AccountId": made["accountId"],
    }


def test_a_conversion_needs_a_converted_status_an_owner_and_happens_once(org: Org) -> None:
    """60"""
    lead = org.make("Lead", OwnerId=org.setting("assigned_to")["Lead"])
    with pytest.raises(AdminRefusedError, match="needs an owner"):
        converted(org, lead)
    with pytest.raises(AdminRefusedError, match="INVALID_STATUS"):
        converted(org, lead, converted_status="Working - Contacted")
    made = converted(org, lead, owner_id=org.setting("users")["ben"])
    assert org.value("Contact", made["contactId"], "OwnerId") == org.setting("users")["ben"]
    with pytest.raises(AdminRefusedError, match="CANNOT_UPDATE_CONVERTED_LEAD"):
        converted(org, lead)
    assert refusal(org.change, "Lead", lead, Title="x")[1]["message"] == "cannot reference converted lead"


def test_a_failed_conversion_leaves_nothing_behind(org: Org) -> None:
    """60"""
    org.switch("validation_rules", [{"object": "Opportunity", "field": "Amount", "op": "blank", "message": "no"}])
    lead = org.make("Lead")
    with pytest.raises(AdminRefusedError, match="FIELD_CUSTOM_VALIDATION_EXCEPTION"):
        converted(org, lead)
    assert org.query("SELECT Id FROM Account") == org.query("SELECT Id FROM Contact") == []
    assert org.value("Lead", lead, "IsConverted") is False
