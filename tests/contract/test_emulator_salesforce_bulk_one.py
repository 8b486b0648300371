"""The emulator's Bulk API 1.0, through the library's own ``bulk``; CSV and XML as other clients send them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
import requests
from practice_org import VERSION, Org

from connectors.emulator.serve import Emulator

NAMESPACE = "{http://www.force.com/2009/06/asyncapi/dataload}"
JOB = f"/services/async/{VERSION}/job"
CHUNKED = 10


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def people(number: int, **more: Any) -> list[dict[str, Any]]:
    return [{"LastName": f"Bulk {each}", "Email": f"b{each}@acme.example", **more} for each in range(number)]


def count(org: Org, condition: str) -> int:
    return len(org.query(f"SELECT Id FROM Contact WHERE {condition}"))


def ids_of(results: list[dict[str, Any]]) -> list[str]:
    assert all(each["success"] for each in results), results
    return [each["id"] for each in results]


def send(org: Org, path: str, body: str = "", kind: str = "application/xml", method: str = "POST") -> requests.Response:
    headers = {"X-SFDC-Session": org.sf.session_id, "Content-Type": f"{kind}; charset=UTF-8"}
    return org.raw(method, JOB + path, token=None, headers=headers, data=body.encode())


def text_of(answer: requests.Response, name: str) -> str:
    found = ElementTree.fromstring(answer.text).find(f".//{NAMESPACE}{name}")
    assert found is not None, answer.text
    return found.text or ""


def opened(org: Org, operation: str, content_type: str, object_type: str = "Contact", more: str = "") -> str:
    body = (
        f'<jobInfo xmlns="{NAMESPACE[1:-1]}"><operation>{operation}</operation><object>{object_type}</object>'
        f"{more}<contentType>{content_type}</contentType></jobInfo>"
    )
    answer = send(org, "", body)
    assert (answer.status_code, text_of(answer, "state")) == (201, "Open")
    return text_of(answer, "id")


def test_the_librarys_bulk_inserts_updates_upserts_deletes_and_reads(org: Org) -> None:
    bulk = org.sf.bulk.Contact
    ids = ids_of(bulk.insert(people(25), batch_size=CHUNKED, use_serial=True))
    assert count(org, "LastName LIKE 'Bulk %'") == 25
    changed = bulk.update([{"Id": each, "Title": "CEO", "Email": None} for each in ids], batch_size=CHUNKED)
    assert {each["created"] for each in changed} == {False}
    assert count(org, "Title = 'CEO' AND Email = null AND LastName LIKE 'Bulk %'") == 25
    keyed = [{"Truce_Key__c": f"k{each}", "LastName": f"Keyed {each}"} for each in range(3)]
    assert [each["created"] for each in bulk.upsert(keyed, "Truce_Key__c")] == [True] * 3
    assert [each["created"] for each in bulk.upsert(keyed, "Truce_Key__c")] == [False] * 3
    found = bulk.query("SELECT Id, Title FROM Contact WHERE LastName LIKE 'Bulk %'")
    assert {(each["Id"], each["Title"]) for each in found} == {(each, "CEO") for each in ids}
    assert found[0]["attributes"]["type"] == "Contact"
    ids_of(bulk.delete([{"Id": each} for each in ids]))
    assert bulk.query("SELECT Id FROM Contact WHERE LastName LIKE 'Bulk %'") == []
    gone = bulk.query_all("SELECT Id FROM Contact WHERE LastName LIKE 'Bulk %'")
    assert {each["Id"] for each in gone} == set(ids)


def test_every_row_has_a_result_in_its_place_and_a_bad_one_harms_no_other(org: Org) -> None:
    rows = [*people(1), {"FirstName": "Nameless"}, *people(1, Phone="1")]
    good, bad, also_good = org.sf.bulk.Contact.insert(rows)
    assert (good["success"], also_good["success"]) == (True, True)
    assert (bad["success"], bad["created"], bad["id"]) == (False, False, None)
    assert bad["errors"] == [
        {
            "message": "Required fields are missing: [LastName]",
            "fields": ["LastName"],
            "statusCode": "REQUIRED_FIELD_MISSING",
        }
    ]


def test_results_can_come_with_the_rows_that_were_sent(org: Org) -> None:
    [told] = org.sf.bulk.Contact.insert(people(1), include_detailed_results=True)
    assert (told["success"], told["LastName"], told["Email"]) == (True, "Bulk 0", "b0@acme.example")


def test_a_field_that_is_not_there_fails_its_batch_before_any_row(org: Org) -> None:
    job = opened(org, "insert", "CSV")
    batch = text_of(send(org, f"/{job}/batch", "LastName,Nonsense\nBulk,x\n", "text/csv"), "id")
    told = send(org, f"/{job}/batch/{batch}", method="GET")
    assert (text_of(told, "state"), text_of(told, "stateMessage")) == (
        "Failed", "InvalidBatch : Field name not found : Nonsense",
    )  # fmt: skip
    assert count(org, "LastName = 'Bulk'") == 0


def test_a_parent_is_named_by_its_key(org: Org) -> None:
    ids_of(org.sf.bulk.Account.insert([{"Name": "Keyed Inc", "Truce_Key__c": "a-1"}]))
    ids_of(org.sf.bulk.Contact.insert(people(1, Account={"Truce_Key__c": "a-1"})))
    [row] = org.query("SELECT Account.Name FROM Contact WHERE LastName = 'Bulk 0'")
    assert row["Account"]["Name"] == "Keyed Inc"


def test_json_tells_moments_as_numbers_and_csv_as_text(org: Org) -> None:
    ids_of(org.sf.bulk.Contact.insert(people(1)))
    [row] = org.sf.bulk.Contact.query("SELECT CreatedDate FROM Contact WHERE LastName = 'Bulk 0'")
    moment = org.query("SELECT CreatedDate FROM Contact WHERE LastName = 'Bulk 0'")[0]["CreatedDate"]
    assert isinstance(row["CreatedDate"], int)
    text = csv_result(org, "SELECT CreatedDate FROM Contact WHERE LastName = 'Bulk 0'")
    assert text == f'"CreatedDate"\n"{moment.replace("+0000", "Z")}"\n'


def csv_result(org: Org, soql: str) -> str:
    """As the Singer tap does it: a job in JSON, the query and its result in CSV, what is between in XML."""
    headers = {"X-SFDC-Session": org.sf.session_id, "Content-Type": "application/json"}
    wanted = {"operation": "queryAll", "object": "Contact", "contentType": "CSV"}
    job = org.raw("POST", JOB, token=None, headers=headers, json=wanted).json()["id"]
    batch = text_of(send(org, f"/{job}/batch", soql, "text/csv"), "id")
    closed = org.raw("POST", f"{JOB}/{job}", token=None, headers=headers, json={"state": "Closed"}).json()
    assert (closed["state"], closed["numberBatchesTotal"]) == ("Closed", 1)
    assert text_of(send(org, f"/{job}/batch/{batch}", method="GET"), "state") == "Completed"
    result = text_of(send(org, f"/{job}/batch/{batch}/result", method="GET"), "result")
    return send(org, f"/{job}/batch/{batch}/result/{result}", method="GET").text


def test_a_csv_query_that_finds_nothing_says_so(org: Org) -> None:
    assert csv_result(org, "SELECT Id FROM Contact WHERE LastName = 'Nobody'") == "Records not found for this query\n"


def test_csv_rows_come_back_with_their_outcome(org: Org) -> None:
    job = opened(org, "insert", "CSV")
    batch = text_of(send(org, f"/{job}/batch", "LastName,Title\nBulk,CEO\n,x\n", "text/csv"), "id")
    lines = send(org, f"/{job}/batch/{batch}/result", method="GET").text.splitlines()
    assert lines[0] == '"Id","Success","Created","Error"'
    assert lines[1].endswith('","true","true",""')
    assert lines[2].startswith('"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]')


def test_xml_rows_come_back_with_their_outcome_and_a_nil_empties(org: Org) -> None:
    [record_id] = ids_of(org.sf.bulk.Contact.insert(people(1, Title="CEO")))
    job = opened(org, "update", "XML")
    rows = (
        f'<sObjects xmlns="{NAMESPACE[1:-1]}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<sObject><Id>{record_id}</Id><Title xsi:nil="true"/><Phone>1</Phone></sObject></sObjects>'
    )
    batch = text_of(send(org, f"/{job}/batch", rows), "id")
    told = send(org, f"/{job}/batch/{batch}/result", method="GET")
    assert (text_of(told, "id"), text_of(told, "success"), text_of(told, "created")) == (record_id, "true", "false")
    [row] = org.query("SELECT Title, Phone FROM Contact WHERE Id = {}", record_id)
    assert (row["Title"], row["Phone"]) == (None, "1")


def test_a_bad_session_is_told_as_clients_recognise_it(org: Org) -> None:
    """jsforce logs in again on status 400 with this code, so the status is not 401."""
    headers = {"X-SFDC-Session": "no", "Content-Type": "application/json"}
    answer = org.raw("POST", JOB, token=None, headers=headers, json={})
    assert (answer.status_code, answer.json()["exceptionCode"]) == (400, "InvalidSessionId")
    told = org.raw("GET", f"{JOB}/750", token=None, headers={**headers, "Content-Type": "application/xml"})
    assert (told.status_code, text_of(told, "exceptionCode")) == (400, "InvalidSessionId")


def test_a_job_ends_once_and_takes_no_batch_afterwards(org: Org) -> None:
    job = opened(org, "insert", "CSV")
    state = f'<jobInfo xmlns="{NAMESPACE[1:-1]}"><state>Closed</state></jobInfo>'
    assert text_of(send(org, f"/{job}", state), "state") == "Closed"
    assert text_of(send(org, f"/{job}", state), "exceptionMessage") == "Closing already Closed Job not allowed"
    assert text_of(send(org, f"/{job}/batch", "LastName\nx\n", "text/csv"), "exceptionCode") == "InvalidJobState"
    assert text_of(send(org, "/750000000000000AAA", method="GET"), "exceptionCode") == "InvalidJob"


def test_batches_take_their_time_and_an_aborted_job_leaves_them(org: Org) -> None:
    org.switch("bulk_delay_seconds", 60)
    job = opened(org, "insert", "CSV")
    first = text_of(send(org, f"/{job}/batch", "LastName\nBulk\n", "text/csv"), "id")
    assert text_of(send(org, f"/{job}/batch/{first}", method="GET"), "state") == "Queued"
    assert text_of(send(org, f"/{job}/batch/{first}/result", method="GET"), "exceptionCode") == "InvalidBatch"
    org.advance(61)
    assert text_of(send(org, f"/{job}/batch/{first}", method="GET"), "state") == "Completed"
    second = text_of(send(org, f"/{job}/batch", "LastName\nLater\n", "text/csv"), "id")
    send(org, f"/{job}", f'<jobInfo xmlns="{NAMESPACE[1:-1]}"><state>Aborted</state></jobInfo>')
    assert text_of(send(org, f"/{job}/batch/{second}", method="GET"), "state") == "NotProcessed"
    assert count(org, "LastName = 'Later'") == 0


def test_batches_share_the_days_allowance_with_the_newer_api(org: Org) -> None:
    before = org.call("GET", "limits").json()["DailyBulkApiBatches"]["Remaining"]
    org.sf.bulk.Contact.insert(people(3), batch_size=1)
    assert org.call("GET", "limits").json()["DailyBulkApiBatches"]["Remaining"] == before - 3
    org.switch("daily_bulk_batches", 3)
    job = opened(org, "insert", "CSV")
    assert text_of(send(org, f"/{job}/batch", "LastName\nx\n", "text/csv"), "exceptionCode") == "ExceededQuota"


# PK chunking ----------------------------------------------------------------------------------------------------------


def chunked(org: Org, soql: str, header: str, object_type: str = "Contact") -> tuple[str, list[tuple[str, str]]]:
    """(job, [(id, state) of each batch, the one that was sent first]), as tap-salesforce asks for it."""
    headers = {"X-SFDC-Session": org.sf.session_id, "Content-Type": "application/json",
               "Sforce-Enable-PKChunking": header}  # fmt: skip
    job = {"operation": "queryAll", "object": object_type, "contentType": "CSV"}
    answer = org.raw("POST", JOB, token=None, headers=headers, json=job)
    assert answer.status_code == 201, answer.text
    job_id = str(answer.json()["id"])
    assert text_of(send(org, f"/{job_id}/batch", soql, "text/csv"), "id")
    return job_id, batches_of(org, job_id)


def batches_of(org: Org, job: str) -> list[tuple[str, str]]:
    root = ElementTree.fromstring(send(org, f"/{job}/batch", method="GET").text)
    return [(str(each.findtext(f"{NAMESPACE}id")), str(each.findtext(f"{NAMESPACE}state"))) for each in root]


def lines_of(org: Org, job: str, batch: str) -> list[str]:
    result = text_of(send(org, f"/{job}/batch/{batch}/result", method="GET"), "result")
    return send(org, f"/{job}/batch/{batch}/result/{result}", method="GET").text.splitlines()


def test_a_chunked_query_leaves_the_first_batch_unprocessed_and_has_one_for_each_range_of_ids(org: Org) -> None:
    """pk"""
    ids = ids_of(org.sf.bulk.Contact.insert(people(25)))
    org.sf.Contact.delete(ids[0])
    job, batches = chunked(org, "SELECT Id FROM Contact WHERE LastName LIKE 'Bulk %'", "true; chunkSize=10")
    (first, state), *chunks = batches
    assert (state, [each for _, each in chunks]) == ("NotProcessed", ["Completed"] * 3)
    found = [lines_of(org, job, batch)[1:] for batch, _ in chunks]
    assert [len(each) for each in found] == [10, 10, 5]
    assert [line.strip('"') for lines in found for line in lines] == ids
    assert text_of(send(org, f"/{job}/batch/{first}/result", method="GET"), "exceptionCode") == "InvalidBatch"
    asked = send(org, f"/{job}/batch/{chunks[1][0]}/request", method="GET").text
    assert asked == (
        f"SELECT Id FROM Contact WHERE (LastName LIKE 'Bulk %') AND Id >= '{ids[10][:15]}' AND Id < '{ids[20][:15]}'"
    )


def test_chunks_begin_at_a_row_that_is_named_and_count_as_batches(org: Org) -> None:
    """pk"""
    ids = ids_of(org.sf.bulk.Contact.insert(people(25)))
    before = org.sf.limits()["DailyBulkApiBatches"]["Remaining"]
    job, (_, *chunks) = chunked(org, "SELECT Id FROM Contact", f"chunkSize=10; startRow={ids[15]}; parent=Account")
    assert [line for batch, _ in chunks for line in lines_of(org, job, batch)[1:]] == [f'"{each}"' for each in ids[15:]]
    assert org.sf.limits()["DailyBulkApiBatches"]["Remaining"] == before - 1


def test_chunks_wait_for_their_turn(org: Org) -> None:
    """pk"""
    org.sf.bulk.Contact.insert(people(3))
    org.switch("bulk_delay_seconds", 60)
    job, batches = chunked(org, "SELECT Id FROM Contact", "TRUE")
    assert [state for _, state in batches] == ["Queued"]
    org.advance(60)
    assert [state for _, state in batches_of(org, job)] == ["NotProcessed", "Queued"]
    org.advance(60)
    assert [state for _, state in batches_of(org, job)] == ["NotProcessed", "Completed"]


@pytest.mark.parametrize("rest", ["ORDER BY LastName", "LIMIT 2", "WHERE AccountId != null", "WHERE Id > ''"])
def test_a_query_that_is_sorted_limited_or_filtered_by_an_id_is_not_chunked(org: Org, rest: str) -> None:
    """pk: the vendor says that this disables it"""
    org.sf.bulk.Contact.insert(people(3))
    _, batches = chunked(org, f"SELECT Id FROM Contact {rest}", "chunkSize=1")
    assert [state for _, state in batches] == ["Completed"]


def test_what_cannot_be_chunked_fails_or_makes_no_job(org: Org) -> None:
    """pk [K for the words]"""
    _, batches = chunked(org, "SELECT Id FROM Profile", "true", "Profile")
    assert [state for _, state in batches] == ["Failed"]
    _, batches = chunked(org, "SELECT Foo FROM Contact", "true")
    assert [state for _, state in batches] == ["Failed"]
    body = {"operation": "query", "object": "Contact", "contentType": "CSV"}
    for header in ("chunkSize=250001", "chunkSize=x", "chunkSize=5; startRow=x"):
        headers = {"X-SFDC-Session": org.sf.session_id, "Sforce-Enable-PKChunking": header}
        answer = org.raw("POST", JOB, token=None, headers=headers, json=body)
        assert (answer.status_code, answer.json()["exceptionCode"]) == (400, "InvalidJob")
