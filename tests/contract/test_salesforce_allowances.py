"""What the organization may use up in a day besides calls, and what becomes of work when it is used up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from salesforce_office import Office, connect, window
from scripted_salesforce import CONTACT, Answer, Asked, ScriptedSalesforce, Ticks, scripted_salesforce
from scripted_salesforce import connect as connect_scripted
from structlog.testing import capture_logs

from agent.connector import Allowance, Window, Write, WriteOutcome
from agent.errors import BadReply, NotPermitted, Unavailable
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.salesforce.connector import Salesforce

JOBS, BATCHES, STORED = "bulk query jobs", "bulk batches", "MB of bulk query results"
JOB = "750000000000001AAA"


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    """More than three records are much."""
    found = connect(emulator, clock, bulk_above=3, sleep=clock.advance)
    yield found
    found.close()


def switch(office: Office, name: str, value: Any) -> None:
    office.admin.post("/settings", system="salesforce", name=name, value=value)


def refuse_jobs(office: Office, status: int, code: str) -> None:
    body, headers = f'[{{"errorCode": "{code}", "message": "text"}}]', {"Content-Type": "application/json"}
    office.fault("status", "POST", "/jobs/ingest", status=status, times="always", body=body, headers=headers)


def edit(number: int, ref: Ref) -> Write:
    return Write(f"E-{number}", "update", ref.object_type, ref.id, {"LastName": "Hopper"})


def in_bulk(connector: Salesforce, office: Office, count: int) -> list[WriteOutcome]:
    jobs: list[str] = []
    outcomes = connector.start_bulk([edit(number, office.make()) for number in range(count)], jobs.append)
    assert jobs == []
    return outcomes


def load(connector: Salesforce) -> int:
    asked = window(connector, None)
    return sum(len(page.items) for page in connector.changed("Contact", ["Title"], Window(None, asked.until)))


def test_a_load_and_a_job_are_seen_in_what_is_left(connector: Salesforce, office: Office) -> None:
    before = connector.allowances()
    assert {name: each.used for name, each in before.items()} == {JOBS: 0, BATCHES: 0, STORED: 0}
    refs = [office.make(Description="x" * 30_000) for _ in range(40)]
    asked = window(connector, None)
    list(connector.changed("Contact", ["Description"], Window(None, asked.until)))
    jobs: list[str] = []
    connector.start_bulk([edit(number, ref) for number, ref in enumerate(refs)], jobs.append)
    used = {name: each.used for name, each in connector.allowances().items()}
    assert used == {JOBS: 1, BATCHES: 1, STORED: 2}, "1.2 million letters are two begun megabytes"
    office.admin.post("/clock/advance", seconds=86_400)
    assert connector.allowances() == before


def test_asking_is_one_call(connector: Salesforce, office: Office) -> None:
    connector.identity()
    before = len(office.requests())
    connector.allowances()
    assert [line["path"].rstrip("/").rpartition("/")[2] for line in office.requests()[before:]] == ["limits"]


def test_a_user_who_may_not_know_is_told_which_right_it_takes(connector: Salesforce, office: Office) -> None:
    switch(office, "may_view_setup", False)
    with pytest.raises(NotPermitted) as refused:
        connector.allowances()
    assert "View Setup and Configuration" in refused.value.why


@pytest.mark.parametrize(("action", "error"), [("drop_before", Unavailable), ("html_200", Unavailable)])
def test_a_lost_answer_is_no_answer(connector: Salesforce, office: Office, action: str, error: type[Exception]) -> None:
    connector.identity()
    office.fault(action, "GET", "/limits/")
    with pytest.raises(error):
        connector.allowances()


@pytest.mark.parametrize(
    ("status", "code"), [(400, "EXCEEDEDQUOTA"), (400, "FEATURENOTENABLED"), (403, "INSUFFICIENT_ACCESS")]
)
def test_a_job_that_is_refused_is_written_by_the_usual_calls_and_the_log_says_so(
    connector: Salesforce, office: Office, status: int, code: str
) -> None:
    refuse_jobs(office, status, code)
    with capture_logs() as log:
        outcomes = in_bulk(connector, office, 5)
    assert [outcome.status for outcome in outcomes] == ["applied"] * 5
    assert [(line["event"], line["writes"], line["why"]) for line in log] == [
        ("no bulk job: written by the usual calls", 5, f"HTTP {status}, {code}")
    ]


def test_a_vendor_too_busy_for_a_job_is_not_pressed_with_more_calls(connector: Salesforce, office: Office) -> None:
    refuse_jobs(office, 403, "REQUEST_LIMIT_EXCEEDED")
    with pytest.raises(Unavailable):
        in_bulk(connector, office, 5)
    assert office.our_changes() == []


def test_a_load_without_a_query_job_left_is_whole_and_the_log_says_so(connector: Salesforce, office: Office) -> None:
    switch(office, "daily_query_jobs", 0)
    for number in range(5):
        office.make(LastName=f"Person {number}")
    with capture_logs() as log:
        assert load(connector) == 5
    assert [(line["event"], line["object"], line["why"]) for line in log] == [
        ("no query job: loaded by the usual query", "Contact", "HTTP 400, LIMIT_EXCEEDED")
    ]


# Answers no emulator gives --------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedSalesforce]:
    with scripted_salesforce() as script:
        yield script


def scripted(server: ScriptedSalesforce, body: Any) -> Salesforce:
    server.answer_by = lambda asked: Answer(200, body)
    return connect_scripted(server, Ticks())


def test_a_limit_that_is_not_told_is_left_out(server: ScriptedSalesforce) -> None:
    told = {"DailyBulkV2QueryJobs": {"Max": 10, "Remaining": 12}, "DailyBulkApiBatches": {"Max": "many"}}
    connector = scripted(server, told)
    assert connector.allowances() == {JOBS: Allowance(10, 0)}
    connector.close()
    connector = scripted(server, [])
    with pytest.raises(BadReply):
        connector.allowances()
    connector.close()


def test_a_job_that_found_the_day_s_batches_used_up_is_sent_again(server: ScriptedSalesforce) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.endswith(JOB):
            said = "ExceededQuota : ApiBatchItems Limit exceeded for organization."
            return Answer(200, {"id": JOB, "state": "Failed", "numberRecordsProcessed": 0, "errorMessage": said})
        return Answer(200, b"", {"Content-Type": "text/csv"})

    server.answer_by = answer
    connector = connect_scripted(server, Ticks())
    [outcome] = connector.harvest(JOB, [edit(1, Ref("salesforce", "Contact", CONTACT))]) or []
    connector.close()
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.code) == ("throttled", "NOT_SENT")
