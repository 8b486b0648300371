"""A batch too large for single calls goes as one job, and whatever happens on the way every entry is settled once."""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import Pair, Stage, limits_policy, person_policy

from agent.connector import Allowance, Write, WriteOutcome
from agent.cycle import pull_all
from agent.reports.standing import status
from agent.unsettled import settle_open
from connectors.salesforce.connector import Salesforce

COUNT = 12
JOBS = "*/jobs/ingest*"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def pairs(stage: Stage) -> list[Pair]:
    """Twelve people whose phone is to come from HubSpot; more than five writes are a job here."""
    stage.bulk_above = 5
    stage.write_policies(person=person_policy(), limits=limits_policy())
    made = stage.pairs(COUNT, {}, {})
    stage.agree()
    stage.go_live()
    for number, pair in enumerate(made):
        stage.edit(pair.hub, phone=f"+4930{number:04}")
    return made


def phones(stage: Stage, pairs: list[Pair]) -> list[Any]:
    return [stage.value(pair.contact, "Phone") for pair in pairs]


def wanted() -> list[str]:
    return [f"+4930{number:04}" for number in range(COUNT)]


def calls(stage: Stage, since: int = 0) -> list[str]:
    lines = stage.admin.get(f"/journal?since={since}")
    ours = [line for line in lines if "jobs/ingest" in line["path"]]
    return [f"{line['method']} {line['path'].partition('/v65.0/')[2]}" for line in ours]


def states(stage: Stage) -> dict[str, int]:
    batch = stage.installation.ledger.batches(limit=1)[0]
    return dict(batch.counts)


def test_a_large_batch_is_one_job_and_every_entry_tells_what_is_stored(stage: Stage, pairs: list[Pair]) -> None:
    mark = stage.mark()
    stage.cycle()
    assert phones(stage, pairs) == wanted()
    assert len(stage.written(mark)) == COUNT
    assert [call.partition(" ")[0] for call in calls(stage)] == ["POST", "PUT", "PATCH", "GET", "GET", "GET", "GET"]
    assert states(stage) == {"confirmed": COUNT}
    assert stage.installation.jobs.open() == []
    mark = stage.mark()
    stage.cycle()
    assert stage.written(mark) == []


def test_with_the_day_s_jobs_used_up_the_batch_goes_the_usual_way(stage: Stage, pairs: list[Pair]) -> None:
    stage.admin.post("/settings", system="salesforce", name="daily_bulk_batches", value=0)
    stage.cycle()
    assert phones(stage, pairs) == wanted()
    assert calls(stage) == ["POST jobs/ingest"]
    assert states(stage) == {"confirmed": COUNT}
    assert stage.installation.jobs.open() == []


def limits_asked(stage: Stage) -> int:
    return sum(line["path"].rstrip("/").endswith("/limits") for line in stage.admin.get("/journal?since=0"))


def test_the_day_s_first_job_asks_what_is_left_of_them_and_status_shows_it(stage: Stage, pairs: list[Pair]) -> None:
    stage.cycle()
    assert limits_asked(stage) == 1
    stage.advance(3_600)
    for pair in pairs:
        stage.edit(pair.hub, phone="+4930111")
    stage.cycle()
    assert [call for call in calls(stage) if call.startswith("POST")] == ["POST jobs/ingest"] * 2
    assert limits_asked(stage) == 1, "an answer is good for a day"
    [told] = status(stage.installation, stage.folder / "state" / "writer.lock").allowances
    assert (told.system, told.refused) == ("salesforce", "")
    assert told.allowances["bulk batches"] == Allowance(15_000, 0)


def test_the_daily_comparison_asks_what_is_left_and_idle_cycles_do_not(stage: Stage, pairs: list[Pair]) -> None:
    pull_all(stage.installation, sweep=True)
    stage.cycle()
    stage.advance(60)
    stage.cycle()
    assert limits_asked(stage) == 1
    stage.advance(60)
    pull_all(stage.installation, sweep=True)
    assert limits_asked(stage) == 2
    [told] = status(stage.installation, stage.folder / "state" / "writer.lock").allowances
    assert (told.at, told.allowances["bulk batches"].used) == (stage.clock.now(), 1)


@pytest.mark.parametrize("fault", ["drop_before", "html_200"])
def test_a_vendor_that_does_not_say_what_is_left_holds_nothing_up(stage: Stage, pairs: list[Pair], fault: str) -> None:
    stage.admin.fault(system="salesforce", method="GET", route="*/limits/", action=fault)
    stage.cycle()
    assert phones(stage, pairs) == wanted()
    assert status(stage.installation, stage.folder / "state" / "writer.lock").allowances == ()


def test_a_user_who_may_not_know_what_is_left_works_all_the_same(stage: Stage, pairs: list[Pair]) -> None:
    stage.admin.post("/settings", system="salesforce", name="may_view_setup", value=False)
    stage.cycle()
    assert phones(stage, pairs) == wanted()
    [told] = status(stage.installation, stage.folder / "state" / "writer.lock").allowances
    assert (told.allowances, "View Setup and Configuration" in told.refused) == ({}, True)


def test_a_row_that_is_refused_fails_alone(stage: Stage, pairs: list[Pair]) -> None:
    rule = {"object": "Contact", "field": "Phone", "op": "=", "value": wanted()[3], "message": "Not this one."}
    stage.admin.post("/settings", system="salesforce", name="validation_rules", value=[rule])
    stage.cycle()
    assert states(stage) == {"confirmed": COUNT - 1, "failed": 1}


def test_killed_while_the_job_runs_the_next_start_harvests_it_and_sends_nothing(
    stage: Stage, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = stage.mark()

    def killed(self: Salesforce, job: str, writes: list[Write]) -> list[WriteOutcome] | None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Salesforce, "harvest", killed)
        with pytest.raises(Killed):
            stage.cycle()
    stage.close()
    assert len(stage.written(mark)) == COUNT  # the vendor went on without us
    recovery = settle_open(stage.installation)
    assert recovery.confirmed == COUNT
    assert len(stage.written(mark)) == COUNT
    assert stage.installation.jobs.open() == []


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_killed_before_the_job_was_closed_nothing_happened_and_it_is_sent_again(
    stage: Stage, pairs: list[Pair], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = stage.mark()
    stage.admin.fault(system="salesforce", method=method, route=JOBS, action="drop_before")

    def killed(self: Salesforce, job: str, writes: list[Write]) -> list[WriteOutcome] | None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Salesforce, "harvest", killed)
        with pytest.raises(Killed):
            stage.cycle()
    stage.close()
    assert settle_open(stage.installation).still_unknown == 0
    assert stage.written(mark) == []
    stage.cycle()
    assert phones(stage, pairs) == wanted()
    assert len(stage.written(mark)) == COUNT


def test_a_job_that_takes_too_long_lets_other_work_go_on_and_is_settled_later(stage: Stage, pairs: list[Pair]) -> None:
    stage.admin.post("/settings", system="salesforce", name="bulk_delay_seconds", value=3600.0)
    mark = stage.mark()
    stage.cycle()
    assert states(stage) == {"unknown": COUNT}
    stage.cycle()  # looks once, and writes none of it a second time
    assert states(stage) == {"unknown": COUNT}
    stage.advance(3600)
    stage.cycle()
    assert states(stage) == {"confirmed": COUNT}
    assert len(stage.written(mark)) == COUNT
    assert sum(call == "POST jobs/ingest" for call in calls(stage)) == 1


def test_while_salesforce_does_not_tell_the_entries_stay_unknown(stage: Stage, pairs: list[Pair]) -> None:
    stage.admin.fault(system="salesforce", method="GET", route=JOBS, action="status", status=503, times="always")
    stage.cycle()
    assert states(stage) == {"unknown": COUNT}
    stage.admin.delete("/faults")
    stage.cycle()
    assert states(stage) == {"confirmed": COUNT}


def test_an_undo_of_a_job_writes_each_record_on_condition(stage: Stage, pairs: list[Pair]) -> None:
    """Rollback never overwrites what somebody edited: 25 to a call, each with its own condition."""
    stage.cycle()
    batch = stage.installation.ledger.batches(limit=1)[0].id
    stage.advance(3600)
    mark = stage.mark()
    before = len(stage.admin.get("/journal?since=0"))
    stage.rollback(batch)
    assert phones(stage, pairs) == [None] * COUNT
    assert len(stage.written(mark)) == COUNT
    lines = stage.admin.get(f"/journal?since={before}")
    composites = [line for line in lines if line["path"].endswith("/composite")]
    assert len(composites) == 2  # the proof that the condition holds, and the writes
