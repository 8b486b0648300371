"""Very many writes as one job of the Bulk API, against the emulator: noted first, every row accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from salesforce_office import Office, connect, edit, held, kinds
from scripted_salesforce import CONTACT, OTHER_CONTACT, Answer, Asked, ScriptedSalesforce, Ticks, scripted_salesforce
from scripted_salesforce import connect as connect_scripted

from agent.connector import Write, WriteOutcome
from agent.errors import BadReply, StorageFull, Unavailable
from agent.records import Record, Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.salesforce.bulk import rows_of
from connectors.salesforce.connector import Salesforce

JOBS = "/jobs/ingest"


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    found = connect(emulator, clock, sleep=clock.advance)
    yield found
    found.close()


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


def switch(office: Office, name: str, value: Any) -> None:
    office.admin.post("/settings", system="salesforce", name=name, value=value)


def started(connector: Salesforce, writes: list[Write]) -> str:
    noted: list[str] = []
    assert connector.start_bulk(writes, noted.append) == []
    [job] = noted
    return job


def harvested(connector: Salesforce, job: str, writes: list[Write]) -> list[WriteOutcome]:
    while (outcomes := connector.harvest(job, writes)) is None:
        pass
    assert [outcome.entry_id for outcome in outcomes] == [write.entry_id for write in writes]
    return outcomes


def in_bulk(connector: Salesforce, writes: list[Write]) -> list[WriteOutcome]:
    return harvested(connector, started(connector, writes), writes)


def create(number: int, **fields: Any) -> Write:
    body = {"LastName": f"Person {number}", **fields}
    return Write(f"E-{number}", "create", "Contact", None, body, ("Truce_Key__c", f"person-{number}-1"))


def test_values_arrive_as_they_were_meant(connector: Salesforce, office: Office) -> None:
    """An empty cell would leave the field alone: a clear is #N/A."""
    first, second = office.make(Title="old", FirstName="Ada"), office.make(Title="old", FirstName="Bob")
    text = 'a "quoted", text\nof two lines'
    outcomes = in_bulk(
        connector,
        [
            edit(1, first, Title=None, Description=text, HasOptedOutOfEmail=True),
            edit(2, second, FirstName="", Birthdate="2001-02-03"),
        ],
    )
    assert kinds(outcomes) == ["applied", "applied"]
    found = held(connector, first, "Title", "Description", "HasOptedOutOfEmail", "FirstName")
    assert found == {"Title": None, "Description": text, "HasOptedOutOfEmail": True, "FirstName": "Ada"}
    found = held(connector, second, "FirstName", "Birthdate", "Title")
    assert found == {"FirstName": None, "Birthdate": "2001-02-03", "Title": "old"}


def test_a_create_is_an_upsert_by_its_key_and_belongs_to_its_parent(connector: Salesforce, office: Office) -> None:
    account = office.make("Account", Name="Engines")
    writes = [create(1), create(2)]
    writes.append(Write("E-3", "create", "Contact", None, {"LastName": "C"}, ("Truce_Key__c", "person-3-1"),
                        parents={"company": account.id}))  # fmt: skip
    first = in_bulk(connector, writes)
    assert kinds(first) == ["applied"] * 3
    [child] = connector.read([Ref("salesforce", "Contact", str(first[2].record_id))], ["AccountId"])
    assert isinstance(child, Record)
    assert child.fields == {"AccountId": account.id}
    again = in_bulk(connector, writes)
    assert [outcome.record_id for outcome in again] == [outcome.record_id for outcome in first]


def test_children_of_one_parent_travel_beside_each_other(connector: Salesforce, office: Office) -> None:
    """Batches run in parallel, and each child locks its parent."""
    one, other = office.make("Account", Name="A"), office.make("Account", Name="B")
    writes = [replace(create(number), parents={"company": (one, other)[number % 2].id}) for number in range(6)]
    assert kinds(in_bulk(connector, writes)) == ["applied"] * 6
    made = [line["after"]["AccountId"] for line in office.our_changes() if line["op"] == "create"]
    assert made == [one.id] * 3 + [other.id] * 3


def test_every_refused_row_says_why_and_the_others_are_written(connector: Salesforce, office: Office) -> None:
    good, bad, gone, loser, survivor = (office.make() for _ in range(5))
    office.delete(gone)
    office.merge(survivor, loser)
    outcomes = in_bulk(
        connector,
        [
            edit(1, good, Title="CTO"),
            edit(2, bad, Email="no address"),
            edit(3, gone, Title="CTO"),
            edit(4, loser, Title="CTO"),
        ],
    )
    assert kinds(outcomes) == ["applied", "validation", "gone", "moved"]
    assert outcomes[1].error is not None
    assert outcomes[1].error.code == "INVALID_EMAIL_ADDRESS"
    assert outcomes[1].error.fields == ("Email",)
    assert "no address" not in outcomes[1].error.message
    assert outcomes[3].error is not None
    assert outcomes[3].error.other_id == survivor.id


def test_a_job_that_finds_more_deleted_than_one_look_takes_tells_each_of_them(
    connector: Salesforce, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mass deletion while the job ran; a look takes 2,000 records."""
    monkeypatch.setattr("connectors.salesforce.reading.READ_CHUNK", 2)
    survivor, *gone = (office.make() for _ in range(6))
    for ref in gone[:-1]:
        office.delete(ref)
    office.merge(survivor, gone[-1])
    outcomes = in_bulk(connector, [edit(number, ref, Title="new") for number, ref in enumerate([survivor, *gone])])
    assert kinds(outcomes) == ["applied", *["gone"] * 4, "moved"]


def test_what_a_job_cannot_take_is_left_to_the_usual_way(connector: Salesforce, office: Office) -> None:
    """A record twice, whose rows could run in any order; a text that would clear; a create without a key."""
    one, other = office.make(), office.make()
    writes = [edit(1, one, Title="a"), edit(2, one, Title="b"), edit(3, other, Title="#N/A")]
    assert connector.bulk_fit(writes) == {"E-1"}
    assert connector.bulk_fit([Write("E-9", "create", "Contact", None, {"LastName": "X"})]) == frozenset()


def test_a_row_too_long_for_a_job_is_left_to_the_usual_way(connector: Salesforce, office: Office) -> None:
    """One such row would be an invalid batch, and all the others with it."""
    long, longer = edit(1, office.make(), Description="é" * 32_000), edit(2, office.make(), Description="e" * 32_001)
    wide = edit(3, office.make(), **{f"Note_{number}__c": "n" * 31_000 for number in range(13)})
    assert connector.bulk_fit([long, longer, wide]) == {"E-1"}
    assert kinds(in_bulk(connector, [long])) == ["applied"]
    assert kinds(in_bulk(connector, [long, longer]))[0] != "applied", "so strict is the vendor"


def test_no_job_is_larger_than_an_upload_may_be(
    connector: Salesforce, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Salesforce counts the upload in base64, quotes are doubled in a CSV, and an umlaut is two bytes."""
    switch(office, "bulk_upload_bytes", 30_000)
    monkeypatch.setattr("connectors.salesforce.writing.MOST_BYTES", 20_000)
    writes = [edit(number, office.make(), Description='ü"' * 500) for number in range(1, 15)]
    fit = connector.bulk_fit(writes)
    assert fit == {f"E-{number}" for number in range(1, 10)}
    assert kinds(in_bulk(connector, [write for write in writes if write.entry_id in fit])) == ["applied"] * 9


def test_a_write_that_cannot_be_sent_is_refused_before_there_is_a_job(connector: Salesforce, office: Office) -> None:
    noted: list[str] = []
    outcomes = connector.start_bulk([edit(1, office.make(), No_Such__c="x")], noted.append)
    assert (kinds(outcomes), noted) == (["validation"], [])


def test_no_assignment_rule_takes_a_lead_that_a_job_writes(connector: Salesforce, office: Office) -> None:
    lead = office.make("Lead")
    owner = held(connector, lead, "OwnerId")
    assert kinds(in_bulk(connector, [edit(1, lead, Title="CTO")])) == ["applied"]
    assert held(connector, lead, "OwnerId") == owner


def test_however_many_records_a_job_is_seven_calls(connector: Salesforce, office: Office) -> None:
    refs = [office.make() for _ in range(300)]
    connector.schema("Contact")
    before = len(office.requests())
    outcomes = in_bulk(connector, [edit(number, ref, Title="CTO") for number, ref in enumerate(refs)])
    assert kinds(outcomes) == ["applied"] * 300
    assert len(office.requests()) - before == 7


# Lost on the way ------------------------------------------------------------------------------------------------------


def test_the_job_is_noted_before_anything_is_uploaded(connector: Salesforce, office: Office) -> None:
    """A note that cannot be written stops everything: a full disk costs nothing but an empty job."""
    ref = office.make()

    def full(job: str) -> None:
        raise StorageFull("the disk is full")

    with pytest.raises(StorageFull):
        connector.start_bulk([edit(1, ref, Title="CTO")], full)
    assert [line["method"] for line in office.requests() if JOBS in line["path"]] == ["POST"]
    assert office.our_changes() == []


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "status", "html_200"])
def test_a_job_that_could_not_be_opened_is_no_unknown(connector: Salesforce, office: Office, action: str) -> None:
    office.fault(action, "POST", JOBS, **({"status": 503} if action == "status" else {}))
    with pytest.raises((Unavailable, BadReply)):
        connector.start_bulk([edit(1, office.make(), Title="CTO")], lambda job: None)
    assert office.our_changes() == []


@pytest.mark.parametrize(
    ("method", "action", "expected"),
    [
        ("PUT", "drop_before", "throttled"),
        ("PUT", "drop_after", "throttled"),  # what was uploaded does nothing before the job is closed
        ("PATCH", "drop_before", "throttled"),
        ("PATCH", "drop_after", "applied"),
    ],
)
def test_a_lost_reply_is_settled_by_looking_at_the_job(
    connector: Salesforce, office: Office, method: str, action: str, expected: str
) -> None:
    writes = [edit(number, office.make(), Title="CTO") for number in range(3)]
    office.fault(action, method, f"{JOBS}/*")
    assert kinds(in_bulk(connector, writes)) == [expected] * 3
    assert len(office.our_changes()) == (3 if expected == "applied" else 0)


def test_another_process_harvests_what_this_one_sent(
    connector: Salesforce, office: Office, emulator: Emulator, clock: Clock
) -> None:
    writes = [edit(1, office.make(), Title="CTO"), edit(2, office.make(), Email="no address")]
    job = started(connector, writes)
    other = connect(emulator, clock, sleep=clock.advance)
    assert kinds(harvested(other, job, writes)) == ["applied", "validation"]
    other.close()


def test_a_job_at_work_is_asked_again_after_a_growing_pause(
    connector: Salesforce, office: Office, clock: Clock
) -> None:
    switch(office, "bulk_delay_seconds", 100)
    writes = [edit(1, office.make(), Title="CTO")]
    job = started(connector, writes)
    looks = 0
    began = clock.now()
    while connector.harvest(job, writes) is None:
        looks += 1
    assert 100 <= (clock.now() - began).total_seconds() < 130
    assert looks < 25


def test_a_job_that_an_administrator_ended_tells_what_was_done_and_what_not(
    connector: Salesforce, office: Office
) -> None:
    switch(office, "bulk_delay_seconds", 10)
    switch(office, "bulk_batch_rows", 2)
    writes = [edit(number, office.make(), Title="CTO") for number in range(5)]
    job = started(connector, writes)
    office.admin.post("/clock/advance", seconds=21)
    assert connector.harvest(job, writes) is None
    connector._calls.send(abort(job))
    outcomes = harvested(connector, job, writes)
    assert sorted(kinds(outcomes)) == ["applied"] * 4 + ["throttled"]
    assert len(office.our_changes()) == 4


def abort(job: str) -> Any:
    from connectors.salesforce.calls import Request

    return Request("PATCH", f"jobs/ingest/{job}", body={"state": "Aborted"})


def test_a_job_that_failed_as_a_whole_wrote_nothing_and_says_why(connector: Salesforce, office: Office) -> None:
    ref = office.make()
    connector.schema("Contact")
    office.admin.post("/permissions", system="salesforce", object="Contact", hide="Title")  # after it was described
    [outcome] = in_bulk(connector, [edit(1, ref, Title="CTO")])
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.kind) == ("BULK_JOB_FAILED", "other")
    assert "Title" in outcome.error.message


def test_a_job_nobody_knows_any_more_leaves_its_writes_to_be_read(connector: Salesforce, office: Office) -> None:
    writes = [edit(1, office.make(), Title="CTO")]
    job = started(connector, writes)
    office.admin.post("/clock/advance", seconds=8 * 86_400)
    assert kinds(harvested(connector, job, writes)) == ["unknown"]


@pytest.mark.parametrize("file", ["successfulResults", "failedResults", "unprocessedrecords"])
@pytest.mark.parametrize("action", ["drop_before", "drop_after", "html_200", "truncate"])
def test_results_that_do_not_come_whole_prove_nothing(
    connector: Salesforce, office: Office, file: str, action: str
) -> None:
    writes = [edit(1, office.make(), Title="CTO"), edit(2, office.make(), Email="no address")]
    job = started(connector, writes)
    office.fault(action, "GET", f"{JOBS}/*/{file}")
    with pytest.raises((Unavailable, BadReply)):
        connector.harvest(job, writes)
    assert kinds(harvested(connector, job, writes)) == ["applied", "validation"]


# Answers no emulator should give --------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedSalesforce]:
    with scripted_salesforce() as script:
        yield script


BOTH = [edit(1, Ref("salesforce", "Contact", CONTACT), LastName="Hopper"),
        edit(2, Ref("salesforce", "Contact", OTHER_CONTACT), LastName="Hopper")]  # fmt: skip
JOB = "750000000000001AAA"


def told(server: ScriptedSalesforce, processed: int = 2, **files: str) -> list[str]:
    def answer(asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        if name == JOB:
            return Answer(200, {"id": JOB, "state": "JobComplete", "numberRecordsProcessed": processed})
        return Answer(200, files.get(name, "").encode(), {"Content-Type": "text/csv"})

    server.answer_by = answer
    connector = connect_scripted(server, Ticks())
    outcomes = connector.harvest(JOB, BOTH)
    connector.close()
    assert outcomes is not None
    return kinds(outcomes)


def test_a_row_in_no_file_is_unknown(server: ScriptedSalesforce) -> None:
    rows = f'"sf__Id","sf__Created","Id"\n"{CONTACT}","false","{CONTACT}"\n'
    assert told(server, successfulResults=rows) == ["applied", "unknown"]


def test_a_row_in_two_files_is_unknown(server: ScriptedSalesforce) -> None:
    done = f'"sf__Id","sf__Created","Id"\n"{CONTACT}","false","{CONTACT}"\n'
    refused = f'"sf__Id","sf__Error","Id"\n"","X_Y:text:--","{CONTACT}"\n"","X_Y:text:--","{OTHER_CONTACT}"\n'
    assert told(server, successfulResults=done, failedResults=refused) == ["unknown", "other"]


def test_a_row_written_under_another_id_is_unknown(server: ScriptedSalesforce) -> None:
    rows = f'"sf__Id","sf__Created","Id"\n"{OTHER_CONTACT}","false","{CONTACT}"\n'
    assert told(server, successfulResults=rows) == ["unknown", "unknown"]


def test_a_finished_job_without_any_row_is_unknown_and_one_that_tried_none_did_nothing(
    server: ScriptedSalesforce,
) -> None:
    assert told(server) == ["unknown", "unknown"]
    assert told(server, processed=0) == ["throttled", "throttled"]


def test_a_row_that_does_not_fit_its_header_is_no_answer() -> None:
    assert list(rows_of('"a","b"\n"1","x\ny"\n')) == [{"a": "1", "b": "x\ny"}]
    for text in ('"a","b"\n"1"\n', '"a"\n"1","2"\n', '"a"\n"1'):
        with pytest.raises(BadReply):
            list(rows_of(text))
    assert list(rows_of("")) == []


@pytest.mark.parametrize("job", ["", "../jobs", "003000000000001AAA", "750/../x"])
def test_only_an_id_of_a_job_becomes_part_of_an_address(server: ScriptedSalesforce, job: str) -> None:
    connector = connect_scripted(server, Ticks())
    with pytest.raises(ValueError, match="no id of a bulk job"):
        connector.harvest(job, BOTH)
    connector.close()


def test_without_a_job_left_today_the_usual_calls_write_everything(connector: Salesforce, office: Office) -> None:
    """The allowance of jobs is the org's, and other tools may have used it up."""
    switch(office, "daily_bulk_batches", 0)
    writes = [edit(number, office.make(), Title="CTO") for number in range(201)]
    outcomes = connector.start_bulk(writes, _never)
    assert kinds(outcomes) == ["applied"] * 201
    assert len(office.our_changes()) == 201


def test_without_a_job_left_and_the_line_cut_what_did_not_leave_waits(connector: Salesforce, office: Office) -> None:
    switch(office, "daily_bulk_batches", 0)
    writes = [edit(number, office.make(), Title="CTO") for number in range(201)]
    office.fault("status", "PATCH", "/composite/sobjects", nth=2, status=401, times="always")
    outcomes = connector.start_bulk(writes, _never)
    assert kinds(outcomes) == ["applied"] * 200 + ["throttled"]
    assert len(office.our_changes()) == 200


def _never(job: str) -> None:
    raise AssertionError("there is no job to note")
