"""The emulator's Bulk API 2.0, through the library's own bulk2 client."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from practice_org import Org, code, refusal
from simple_salesforce.bulk2 import ColumnDelimiter, LineEnding, Operation
from simple_salesforce.exceptions import SalesforceError, SalesforceOperationError

from connectors.emulator.serve import Emulator

MINUTE = 60


@pytest.fixture
def org(emulator: Emulator) -> Org:
    return Org(emulator)


def load(org: Org, operation: str, records: list[dict[str, Any]], object_type: str = "Contact", **options: Any) -> Any:
    """One job from start to end; what the library tells of it."""
    bulk = getattr(getattr(org.sf.bulk2, object_type), operation)
    [told] = bulk(records=records, wait=0, **options)
    return told


def rows_of(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


def outcomes(org: Org, job_id: str, object_type: str = "Contact") -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = getattr(org.sf.bulk2, object_type).get_all_ingest_records(job_id)
    return found


def client(org: Org, object_type: str = "Contact") -> Any:
    return getattr(org.sf.bulk2, object_type)._client


def opened(org: Org, data: str | None, operation: Operation = Operation.insert, **options: Any) -> tuple[Any, str]:
    """A job that has its data and is not closed."""
    bulk = client(org)
    job_id = str(bulk.create_job(operation, **options)["id"])
    if data is not None:
        bulk.upload_job_data(job_id, data)
    return bulk, job_id


def state(org: Org, job_id: str) -> str:
    return str(client(org).get_job(job_id, False)["state"])


def error_of(org: Org, data: str, operation: Operation = Operation.insert, **options: Any) -> str:
    """Why a job failed as a whole."""
    bulk, job_id = opened(org, data, operation, **options)
    bulk.close_job(job_id)
    told = bulk.get_job(job_id, False)
    assert told["state"] == "Failed"
    return str(told["errorMessage"])


# The life of a job ----------------------------------------------------------------------------------------------------


def test_a_job_goes_through_its_states_as_time_passes(org: Org) -> None:
    """50"""
    org.switch("bulk_delay_seconds", MINUTE)
    bulk, job_id = opened(org, None)
    told = bulk.get_job(job_id, False)
    assert (told["state"], told["jobType"], told["numberRecordsProcessed"]) == ("Open", "V2Ingest", 0)
    assert told["contentUrl"] == f"services/data/v65.0/jobs/ingest/{job_id}/batches"
    assert told["apiVersion"] == 65.0
    assert told["concurrencyMode"] == "Parallel"
    bulk.upload_job_data(job_id, "LastName\nByron\n")
    closed = bulk.close_job(job_id)
    assert closed["state"] == "UploadComplete"
    assert "contentUrl" not in closed
    assert state(org, job_id) == "UploadComplete"
    org.advance(MINUTE / 2)
    assert state(org, job_id) == "InProgress"
    assert org.query("SELECT Id FROM Contact") == []
    org.advance(MINUTE)
    assert state(org, job_id) == "JobComplete"
    assert org.query("SELECT LastName FROM Contact") == [{"LastName": "Byron"}]


def test_an_upload_answers_201_and_a_second_one_spoils_the_job(org: Org) -> None:
    """50: the second is noticed when the job is closed, as recorded; a switch refuses it at once"""
    bulk, job_id = opened(org, "LastName\nByron\n")
    answer = org.raw(
        "PUT", f"jobs/ingest/{job_id}/batches", data="LastName\nAda\n", headers={"Content-Type": "text/csv"}
    )
    assert (answer.status_code, answer.content) == (201, b"")
    status, error = refusal(bulk.close_job, job_id)
    assert (status, error["errorCode"]) == (400, "INVALIDJOB")
    assert f"Found multipe contents for job: <{job_id[:15]}>" in error["message"]
    org.switch("bulk_second_upload", "at once")
    bulk, job_id = opened(org, "LastName\nByron\n")
    assert code(bulk.upload_job_data, job_id, "LastName\nAda\n") == (400, "INVALIDJOB")


def test_a_closed_job_takes_no_more_data_and_is_not_closed_twice(org: Org) -> None:
    """50"""
    bulk, job_id = opened(org, "LastName\nByron\n")
    bulk.close_job(job_id)
    assert code(bulk.upload_job_data, job_id, "LastName\nAda\n") == (400, "INVALIDJOBSTATE")
    assert code(bulk.close_job, job_id) == (400, "INVALIDJOBSTATE")
    assert code(bulk.abort_job, job_id, False) == (400, "INVALIDJOBSTATE")


def test_an_upload_is_csv_and_has_a_largest_size(org: Org) -> None:
    """50"""
    _, job_id = opened(org, None)
    wrong = org.raw("PUT", f"jobs/ingest/{job_id}/batches", data="{}", headers={"Content-Type": "application/json"})
    assert wrong.status_code == 415
    org.switch("bulk_upload_bytes", 40)
    big = org.raw("PUT", f"jobs/ingest/{job_id}/batches", data="x" * 31, headers={"Content-Type": "text/csv"})
    assert big.status_code == 413
    fits = org.raw("PUT", f"jobs/ingest/{job_id}/batches", data="x" * 30, headers={"Content-Type": "text/csv"})
    assert fits.status_code == 201


def test_an_aborted_job_keeps_what_it_saved_and_names_the_rest(org: Org) -> None:
    """50, 52: batch by batch"""
    org.switch("bulk_delay_seconds", MINUTE)
    org.switch("bulk_batch_rows", 2)
    bulk, job_id = opened(org, "LastName\na\nb\nc\nd\ne\n")
    bulk.close_job(job_id)
    org.advance(MINUTE * 1.5)
    assert bulk.get_job(job_id, False)["numberRecordsProcessed"] == 2
    assert bulk.abort_job(job_id, False)["state"] == "Aborted"
    org.advance(MINUTE * 10)
    found = outcomes(org, job_id)
    assert [row["LastName"] for row in found["successfulRecords"]] == ["a", "b"]
    assert found["unprocessedRecords"] == [{"LastName": "c"}, {"LastName": "d"}, {"LastName": "e"}]
    assert len(org.query("SELECT Id FROM Contact")) == 2


def test_a_job_can_be_deleted_once_it_is_closed(org: Org) -> None:
    """54: 204 without a body, over which the library stumbles"""
    bulk, job_id = opened(org, "LastName\nByron\n")
    assert org.raw("DELETE", f"jobs/ingest/{job_id}").status_code == 400
    bulk.close_job(job_id)
    answer = org.raw("DELETE", f"jobs/ingest/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert code(bulk.get_job, job_id, False) == (404, "NOT_FOUND")


def test_results_are_read_in_the_version_of_the_job(org: Org) -> None:
    """54"""
    job_id = load(org, "insert", [{"LastName": "Byron"}])["job_id"]
    path = f"jobs/ingest/{job_id}/successfulResults"
    assert org.raw("GET", f"/services/data/v64.0/{path}").status_code == 409
    assert org.raw("GET", path).status_code == 200


def test_a_job_is_forgotten_after_a_week_and_listed_before(org: Org) -> None:
    """50"""
    job_id = load(org, "insert", [{"LastName": "Byron"}])["job_id"]
    assert [job["id"] for job in org.sf.restful("jobs/ingest")["records"]] == [job_id]
    org.advance(8 * 24 * 3600)
    org.query("SELECT Id FROM Contact")  # logs in again; a bulk handler never does
    assert code(client(org).get_job, job_id, False) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"object": "Nothing", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Contact", "operation": "upsert"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "upsert", "externalIdFieldName": "Phone"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "hardDelete"}, "FEATURENOTENABLED"),
        ({"object": "Contact", "operation": "merge"}, "JSON_PARSER_ERROR"),
        ({"object": "Contact", "operation": "insert", "lineEnding": "CR"}, "JSON_PARSER_ERROR"),
        ({"object": "Contact"}, "INVALIDJOB"),
    ],
)
def test_a_job_that_cannot_be_is_refused(org: Org, body: dict[str, str], error: str) -> None:
    """50"""
    answer = org.raw("POST", "jobs/ingest", json=body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, error)


# CSV ------------------------------------------------------------------------------------------------------------------


def test_an_empty_cell_changes_nothing_and_n_a_empties(org: Org) -> None:
    """51: so the library's None is lost"""
    contact = org.make(Title="Countess", Phone="1", MailingCity="London")
    load(org, "update", [{"id": contact, "Title": None, "PHONE": "#N/A", "MailingCity": "Ockham"}])
    found = org.read("Contact", contact, "Title", "Phone", "MailingCity")
    assert found == {"Title": "Countess", "Phone": None, "MailingCity": "Ockham"}


def test_blanks_around_a_text_go_unless_switched(org: Org) -> None:
    """33, 51 [K]"""
    load(org, "insert", [{"LastName": " Byron ", "Email": " ada@example.com "}])
    org.switch("bulk_keeps_blanks", True)
    load(org, "insert", [{"LastName": " King ", "Email": " may@example.com ", "Title": "  "}])
    assert org.query("SELECT LastName, Email, Title FROM Contact ORDER BY Email") == [
        {"LastName": "Byron", "Email": "ada@example.com", "Title": None},
        {"LastName": " King ", "Email": "may@example.com", "Title": None},
    ]


def test_an_unknown_column_fails_the_whole_job(org: Org) -> None:
    """51"""
    assert error_of(org, "LastName,Foo\nByron,x\n") == "InvalidBatch : Field name not found : Foo"
    assert error_of(org, "LastName;Phone\nByron;1\n") == "InvalidBatch : Field name not found : LastName;Phone"
    assert error_of(org, "LastName\nByron\n", Operation.update) == "InvalidBatch : Field name not found : Id"
    org.person("permissions", object="Contact", hide="Title")
    assert error_of(org, "LastName,Title\nByron,x\n") == "InvalidBatch : Field name not found : Title"
    assert org.query("SELECT Id FROM Contact") == []


def test_a_failed_job_leaves_every_row_unprocessed(org: Org) -> None:
    """52"""
    bulk, job_id = opened(org, "LastName,Foo\nByron,x\nAda,y\n")
    bulk.close_job(job_id)
    found = outcomes(org, job_id)
    assert [row["LastName"] for row in found["unprocessedRecords"]] == ["Byron", "Ada"]
    assert found["successfulRecords"] == found["failedRecords"] == []
    with pytest.raises(SalesforceOperationError, match="Field name not found"):
        load(org, "insert", [{"Foo": "x"}])


def test_line_endings_must_be_those_of_the_job(org: Org) -> None:
    """51"""
    told = error_of(org, "LastName\r\nByron\r\n")
    assert told == "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"
    assert error_of(org, "LastName\nByron\n", line_ending=LineEnding.CRLF).endswith("setting is CRLF")
    load(org, "insert", [{"LastName": "Byron"}], line_ending=LineEnding.CRLF)
    assert org.query("SELECT LastName FROM Contact") == [{"LastName": "Byron"}]


@pytest.mark.parametrize(
    ("delimiter", "char"),
    [("SEMICOLON", ";"), ("TAB", "\t"), ("PIPE", "|"), ("CARET", "^"), ("BACKQUOTE", "`")],
)
def test_six_delimiters_part_columns_there_and_back(org: Org, delimiter: str, char: str) -> None:
    """51"""
    bulk, job_id = opened(org, f"LastName{char}Title\nByron{char}a,b\n", column_delimiter=ColumnDelimiter(delimiter))
    bulk.close_job(job_id)
    text = org.sf.bulk2.Contact.get_successful_records(job_id)
    assert [(row["LastName"], row["Title"]) for row in rows_of(text, char)] == [("Byron", "a,b")]


def test_quoted_cells_hold_anything(org: Org) -> None:
    """51: quotes doubled, line breaks kept"""
    bulk, job_id = opened(org, 'LastName,Description\n"O""Neil, Jr","two\r\nlines"\n')
    bulk.close_job(job_id)
    [found] = org.query("SELECT LastName, Description FROM Contact")
    assert found == {"LastName": 'O"Neil, Jr', "Description": "two\r\nlines"}
    [row] = rows_of(org.sf.bulk2.Contact.get_successful_records(job_id))
    assert row["LastName"] == 'O"Neil, Jr'


def test_a_row_of_another_length_or_broken_quotes_fail_the_job(org: Org) -> None:
    """51 [K for the texts]"""
    assert "2 columns" in error_of(org, "LastName\nByron,x\n")
    assert "Failed to parse CSV" in error_of(org, 'LastName\n"Byron\n')
    assert "too large" in error_of(org, f"LastName\n{'x' * 32_001}\n")


@pytest.mark.parametrize(
    ("cell", "stored"), [("yes", True), ("1", True), ("TRUE", True), ("off", False), ("0", False), ("n", False)]
)
def test_checkboxes_are_written_in_many_ways(org: Org, cell: str, stored: bool) -> None:
    """51"""
    load(org, "insert", [{"LastName": "Byron", "HasOptedOutOfEmail": cell}])
    assert org.query("SELECT HasOptedOutOfEmail FROM Contact") == [{"HasOptedOutOfEmail": stored}]


def test_a_parent_may_be_named_by_its_key(org: Org) -> None:
    """51"""
    account = org.make("Account", Name="Engines", Truce_Key__c="a-1")
    load(org, "insert", [{"LastName": "Byron", "Account.Truce_Key__c": "a-1"}])
    assert org.query("SELECT AccountId FROM Contact") == [{"AccountId": account}]


# What became of the rows ----------------------------------------------------------------------------------------------


def test_a_complete_job_may_have_failed_rows_counted_as_processed(org: Org) -> None:
    """52"""
    told = load(org, "insert", [{"LastName": "Byron", "Email": "b@x.io"}, {"LastName": "", "Email": "none"}])
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (2, 1)
    assert state(org, told["job_id"]) == "JobComplete"
    text = org.sf.bulk2.Contact.get_successful_records(told["job_id"])
    [good] = rows_of(text)
    assert text.startswith('"sf__Id","sf__Created",')
    assert (good["sf__Created"], good["LastName"], good["Email"]) == ("true", "Byron", "b@x.io")
    assert good["sf__Id"] == org.query("SELECT Id FROM Contact")[0]["Id"]
    [bad] = rows_of(org.sf.bulk2.Contact.get_failed_records(told["job_id"]))
    assert (bad["sf__Id"], bad["Email"]) == ("", "none")
    assert bad["sf__Error"] == "INVALID_EMAIL_ADDRESS:Email: invalid email address: none:Email --"
    assert org.sf.bulk2.Contact.get_unprocessed_records(told["job_id"]).count("\n") == 1


def test_a_missing_field_is_named_in_the_row_s_error(org: Org) -> None:
    """52"""
    told = load(org, "insert", [{"LastName": "", "Company": "", "Title": "Countess"}], "Lead")
    [bad] = rows_of(org.sf.bulk2.Lead.get_failed_records(told["job_id"]))
    expected = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName, Company]:LastName Company --"
    assert bad["sf__Error"] == expected


def test_a_cell_of_the_wrong_type_fails_its_row_only(org: Org) -> None:
    """52"""
    told = load(
        org, "insert", [{"Name": "A", "NumberOfEmployees": "many"}, {"Name": "B", "NumberOfEmployees": "7"}], "Account"
    )
    [bad] = rows_of(org.sf.bulk2.Account.get_failed_records(told["job_id"]))
    assert bad["sf__Error"].startswith("INVALID_TYPE_ON_FIELD_IN_RECORD:")
    assert org.query("SELECT Name, NumberOfEmployees FROM Account") == [{"Name": "B", "NumberOfEmployees": 7}]


def test_updates_upserts_and_deletes_name_their_rows(org: Org) -> None:
    """52"""
    ada = org.make(Truce_Key__c="p-1")
    told = load(
        org,
        "upsert",
        [{"Truce_Key__c": "p-1", "LastName": "King"}, {"Truce_Key__c": "p-2", "LastName": "Noel"}],
        external_id_field="Truce_Key__c",
    )
    good = rows_of(org.sf.bulk2.Contact.get_successful_records(told["job_id"]))
    assert [row["sf__Created"] for row in good] == ["false", "true"]
    assert good[0]["sf__Id"] == ada
    gone = org.make()
    org.call("DELETE", f"sobjects/Contact/{gone}")
    told = load(org, "delete", [{"Id": ada}, {"Id": gone}])
    [bad] = rows_of(org.sf.bulk2.Contact.get_failed_records(told["job_id"]))
    assert (bad["sf__Id"], bad["sf__Error"]) == (gone, "ENTITY_IS_DELETED:entity is deleted:--")
    assert org.query_deleted(f"SELECT IsDeleted FROM Contact WHERE Id = '{ada}'") == [{"IsDeleted": True}]


def test_a_hard_delete_skips_the_recycle_bin(org: Org) -> None:
    """50"""
    contact = org.make()
    org.switch("may_hard_delete", True)
    load(org, "hard_delete", [{"Id": contact}])
    assert org.query_deleted("SELECT Id FROM Contact") == []


def test_bulk_runs_the_assignment_rule_only_when_the_job_names_it(org: Org) -> None:
    """55"""
    me = org.setting("users")["integration"]
    load(org, "insert", [{"LastName": "Byron", "Company": "Engines"}], "Lead")
    assert org.query("SELECT OwnerId FROM Lead") == [{"OwnerId": me}]
    body = {"object": "Lead", "operation": "insert", "assignmentRuleId": "01Q000000000001AAA"}
    job_id = org.sf.restful("jobs/ingest", method="POST", json=body)["id"]
    bulk = client(org, "Lead")
    bulk.upload_job_data(job_id, "LastName,Company\nAda,Engines\n")
    bulk.close_job(job_id)
    [lead] = org.query("SELECT OwnerId FROM Lead WHERE LastName = 'Ada'")
    assert lead["OwnerId"] == org.setting("assigned_to")["Lead"]


def test_bulk_ignores_the_duplicate_header_and_stops_at_alerts(org: Org) -> None:
    """38"""
    org.switch("duplicate_rule", "alert")
    org.make(Email="ada@example.com")
    org.session.headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"
    told = load(org, "insert", [{"LastName": "King", "Email": "ada@example.com"}])
    [bad] = rows_of(org.sf.bulk2.Contact.get_failed_records(told["job_id"]))
    assert bad["sf__Error"].startswith("DUPLICATES_DETECTED:Use one of these records?")


# Query jobs -----------------------------------------------------------------------------------------------------------


def fill(org: Org, number: int) -> None:
    org.sf.bulk2.Contact.insert(records=[{"LastName": f"n{each:03}"} for each in range(number)], wait=0)


def test_a_query_job_is_read_page_by_page_to_the_word_null(org: Org) -> None:
    """53"""
    fill(org, 5)
    pages = list(org.sf.bulk2.Contact.query("SELECT LastName FROM Contact ORDER BY LastName", max_records=2, wait=0))
    assert [[row["LastName"] for row in rows_of(page)] for page in pages] == [
        ["n000", "n001"],
        ["n002", "n003"],
        ["n004"],
    ]
    job_id = org.sf.restful("jobs/query")["records"][0]["id"]
    first = org.raw("GET", f"jobs/query/{job_id}/results", params={"maxRecords": 2})
    assert first.headers["Sforce-NumberOfRecords"] == "2"
    assert first.headers["Content-Type"].startswith("text/csv")
    last = org.raw("GET", f"jobs/query/{job_id}/results")
    assert (last.headers["Sforce-Locator"], last.headers["Sforce-NumberOfRecords"]) == ("null", "5")


def test_cells_are_quoted_with_times_in_z_and_blanks_for_null(org: Org) -> None:
    """53"""
    account = org.make("Account", Name="Engines")
    org.make(AccountId=account)
    soql = "SELECT Id, Title, Account.Name, CreatedDate, HasOptedOutOfEmail FROM Contact"
    [text] = org.sf.bulk2.Contact.query(soql, wait=0)
    header, line = text.splitlines()
    assert header == '"Id","Title","Account.Name","CreatedDate","HasOptedOutOfEmail"'
    assert line.endswith(',"","Engines","2026-11-02T09:00:00.000Z","false"')
    org.switch("bulk_times", "+0000")
    [text] = org.sf.bulk2.Contact.query(soql, wait=0)
    assert ',"2026-11-02T09:00:00.000+0000",' in text


def test_a_result_stays_as_it_was_when_the_job_ran(org: Org) -> None:
    """53"""
    contact = org.make(LastName="Byron")
    job_id = client(org).create_job(Operation.query, "SELECT LastName FROM Contact")["id"]
    org.change("Contact", contact, LastName="Ada")
    org.call("DELETE", f"sobjects/Contact/{contact}")
    assert rows_of(org.raw("GET", f"jobs/query/{job_id}/results").text) == [{"LastName": "Byron"}]
    assert client(org).get_job(job_id, True)["numberRecordsProcessed"] == 1


def test_query_all_jobs_see_deleted_rows(org: Org) -> None:
    """19, 53"""
    org.call("DELETE", f"sobjects/Contact/{org.make()}")
    [all_rows] = org.sf.bulk2.Contact.query_all("SELECT IsDeleted FROM Contact", wait=0)
    [live_rows] = org.sf.bulk2.Contact.query("SELECT IsDeleted FROM Contact", wait=0)
    assert (rows_of(all_rows), rows_of(live_rows)) == ([{"IsDeleted": "true"}], [])


@pytest.mark.parametrize(
    ("soql", "error"),
    [
        ("SELECT MailingAddress FROM Contact", "FEATURENOTENABLED"),
        ("SELECT COUNT() FROM Contact", "FEATURENOTENABLED"),
        ("SELECT Title, COUNT(Id) FROM Contact GROUP BY Title", "FEATURENOTENABLED"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "FEATURENOTENABLED"),
        ("SELECT Id FROM Contact OFFSET 5", "FEATURENOTENABLED"),
        ("SELECT Foo FROM Contact", "INVALID_FIELD"),
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
    ],
)
def test_a_query_the_bulk_api_cannot_run_makes_no_job(org: Org, soql: str, error: str) -> None:
    """53"""
    assert code(client(org).create_job, Operation.query, soql) == (400, error)
    assert org.sf.restful("jobs/query")["records"] == []


def test_compound_fields_are_refused_in_the_vendor_s_words(org: Org) -> None:
    """53"""
    _, error = refusal(client(org).create_job, Operation.query, "SELECT MailingAddress FROM Contact")
    assert error["message"] == "Selecting compound data not supported in Bulk Query"


def test_a_query_job_takes_its_time_and_can_be_aborted(org: Org) -> None:
    """50, 53"""
    org.switch("bulk_delay_seconds", MINUTE)
    bulk = client(org)
    job_id = bulk.create_job(Operation.query, "SELECT Id FROM Contact")["id"]
    assert bulk.get_job(job_id, True)["state"] == "UploadComplete"
    assert org.raw("GET", f"jobs/query/{job_id}/results").status_code == 400
    org.advance(MINUTE / 2)
    assert bulk.get_job(job_id, True)["state"] == "InProgress"
    assert bulk.abort_job(job_id, True)["state"] == "Aborted"
    assert org.raw("GET", f"jobs/query/{job_id}/results").status_code == 400
    assert org.raw("DELETE", f"jobs/query/{job_id}").status_code == 204


def test_pages_of_a_query_job_can_be_read_side_by_side(org: Org) -> None:
    """53"""
    fill(org, 6)
    org.switch("bulk_result_rows", 1)
    job_id = client(org).create_job(Operation.query, "SELECT LastName FROM Contact")["id"]
    first = org.sf.restful(f"jobs/query/{job_id}/resultPages")
    assert (len(first["resultPages"]), first["done"]) == (5, False)
    rest = org.sf.restful(first["nextRecordsUrl"].lstrip("/"))
    assert rest["done"]
    links = [page["resultLink"] for page in (*first["resultPages"], *rest["resultPages"])]
    names = [rows_of(org.raw("GET", link.lstrip("/")).text)[0]["LastName"] for link in links]
    assert sorted(names) == [f"n{each:03}" for each in range(6)]


def test_query_results_are_read_in_the_version_of_the_job(org: Org) -> None:
    """54"""
    job_id = client(org).create_job(Operation.query, "SELECT Id FROM Contact")["id"]
    assert org.raw("GET", f"/services/data/v64.0/jobs/query/{job_id}/results").status_code == 409


def test_jobs_use_up_their_own_allowances(org: Org) -> None:
    """64"""
    fill(org, 1)
    list(org.sf.bulk2.Contact.query("SELECT Id FROM Contact", wait=0))
    limits = org.sf.limits()
    assert limits["DailyBulkV2QueryJobs"]["Remaining"] == limits["DailyBulkV2QueryJobs"]["Max"] - 1
    assert limits["DailyBulkApiBatches"]["Remaining"] == limits["DailyBulkApiBatches"]["Max"] - 1


def test_results_of_query_jobs_take_up_storage_for_a_day(org: Org) -> None:
    """64"""
    fill(org, 3)
    before = org.sf.limits()["DailyBulkV2QueryFileStorageMB"]
    assert before["Remaining"] == before["Max"]
    list(org.sf.bulk2.Contact.query("SELECT Id, LastName FROM Contact", wait=0))
    assert org.sf.limits()["DailyBulkV2QueryFileStorageMB"]["Remaining"] == before["Max"] - 1
    org.admin.post("/clock/advance", seconds=86_400)
    assert Org(org.emulator).sf.limits()["DailyBulkV2QueryFileStorageMB"] == before


def test_limits_are_told_to_who_may_see_the_setup(org: Org) -> None:
    """64"""
    org.switch("may_view_setup", False)
    with pytest.raises(SalesforceError) as refused:
        org.sf.limits()
    assert refused.value.status == 403


def test_batches_are_counted_by_their_rows(org: Org) -> None:
    """64"""
    org.admin.post("/settings", system="salesforce", name="bulk_batch_rows", value=2)
    before = org.sf.limits()["DailyBulkApiBatches"]["Remaining"]
    fill(org, 5)
    assert org.sf.limits()["DailyBulkApiBatches"]["Remaining"] == before - 3


@pytest.mark.parametrize(
    ("switch", "said"),
    [
        ("daily_bulk_batches", "EXCEEDEDQUOTA: ExceededQuota : ApiBatchItems Limit exceeded for organization."),
        ("daily_query_jobs", "LIMIT_EXCEEDED: Max bulk v2 query jobs (1) per 24 hrs has been reached (1)"),
    ],
)
def test_an_allowance_used_up_opens_no_more_jobs_until_a_day_has_passed(org: Org, switch: str, said: str) -> None:
    """64"""
    org.admin.post("/settings", system="salesforce", name=switch, value=1)

    def work() -> None:
        if switch == "daily_query_jobs":
            list(org.sf.bulk2.Contact.query("SELECT Id FROM Contact", wait=0))
        else:
            fill(org, 1)

    work()
    with pytest.raises(SalesforceError) as refused:
        work()
    [problem] = refused.value.content
    assert f"{problem['errorCode']}: {problem['message']}" == said
    org.admin.post("/clock/advance", seconds=86_400)
    org = Org(org.emulator)  # the login did not live for a day
    work()
