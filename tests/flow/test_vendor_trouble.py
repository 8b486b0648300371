"""Bad hours at a vendor (docs/faults.md): afterwards everything is as it should be, and nothing was done twice."""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import Stage, person_policy

from agent.changes import OPEN_STATES
from agent.connector import Write, WriteOutcome
from agent.errors import ConnectorError
from connectors.hubspot.connector import HubSpot

CREATES = person_policy(create="{hubspot: {from: [Contact]}}")


def cycles(stage: Stage, count: int = 4) -> None:
    for _ in range(count):
        stage.advance(120)
        try:
            stage.cycle()
        except ConnectorError:
            continue


# The table's own tests ------------------------------------------------------------------------------------------------

LIMIT = '[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]'
LOCKED = '[{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access to this record"}]'
JSON = {"Content-Type": "application/json"}
TROUBLE: list[tuple[str, dict[str, Any]]] = [
    *(("hubspot", {"status": status}) for status in (423, 429, 477, 500, 502, 503, 504, 521, 523, 524)),
    ("salesforce", {"status": 403, "body": LIMIT, "headers": JSON}),
    ("salesforce", {"status": 400, "body": LOCKED, "headers": JSON}),
    *(("salesforce", {"status": status}) for status in (406, 420, 429, 500, 503)),
]


@pytest.mark.parametrize(("system", "fault"), TROUBLE, ids=lambda each: str(each)[:40])
def test_after_a_bad_hour_everything_is_written_once(stage: Stage, system: str, fault: dict[str, Any]) -> None:
    people = [stage.pair({"Title": "CEO", "Phone": "1"}) for _ in range(3)]
    stage.agree()
    stage.go_live()
    route = "*/batch/update" if system == "hubspot" else "*/composite/sobjects*"
    stage.admin.fault(system=system, route=route, action="status", times="always", **fault)
    for pair in people:
        if system == "hubspot":
            stage.edit(pair.contact, Title="CFO")
        else:
            stage.edit(pair.hub, phone="2")
    mark = stage.mark()
    cycles(stage, 2)
    assert stage.written(mark) == []
    stage.admin.delete("/faults")
    stage.advance(700)
    cycles(stage)
    changed = [stage.value(pair.hub, "jobtitle") for pair in people]
    changed += [stage.value(pair.contact, "Phone") for pair in people]
    assert changed == (["CFO"] * 3 + ["1"] * 3 if system == "hubspot" else ["CEO"] * 3 + ["2"] * 3)
    assert len(stage.written(mark)) == 3
    assert stage.installation.ledger.entries(states=OPEN_STATES) == []


@pytest.fixture
def newcomer(stage: Stage) -> str:
    """A Contact that is to be created in HubSpot by the next cycle."""
    stage.write_policies(person=CREATES)
    stage.go_live()
    return stage.make_contact(Email="new@acme.example", Title="CEO")


def people_in_hubspot(stage: Stage) -> int:
    return len(stage.ids("hubspot", "contacts"))


@pytest.mark.usefixtures("newcomer")
@pytest.mark.parametrize("lag", [0.0, 60.0])
def test_a_lost_create_is_found_by_its_key_while_the_search_lags(stage: Stage, lag: float) -> None:
    stage.admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=lag)
    stage.admin.fault(system="hubspot", method="POST", route="*/batch/create", action="drop_after")
    cycles(stage)
    assert people_in_hubspot(stage) == 1
    assert stage.installation.ledger.entries(states=OPEN_STATES) == []


@pytest.mark.usefixtures("newcomer")
def test_a_create_that_lands_after_all_is_the_one_there_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first request was given up and lands just before the second, which is refused as a duplicate."""
    late: list[Write] = []
    plain = HubSpot.write

    def write(self: HubSpot, writes: list[Write]) -> list[WriteOutcome]:
        if not late:
            late.extend(writes)
            return [WriteOutcome(each.entry_id, "unknown") for each in writes]
        if writes[0].op == "create":
            plain(self, late)
        return plain(self, writes)

    monkeypatch.setattr(HubSpot, "write", write)
    cycles(stage)
    assert people_in_hubspot(stage) == 1
    creates = [each for each in stage.installation.ledger.entries() if each.change.op == "create"]
    assert [each.state for each in creates][-1] == "confirmed"
    assert {each.record_id for each in creates if each.record_id} == set(stage.ids("hubspot", "contacts"))
    assert len({each.change.key for each in creates}) == 1


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_commit_nine_minutes_late_is_seen_by_the_overlap(stage: Stage, system: str) -> None:
    pair = stage.pair({"Title": "CEO", "Phone": "1"})
    stage.agree()
    stage.go_live()
    stage.admin.post("/settings", system=system, name="visible_delay_seconds", value=540.0)
    if system == "salesforce":
        stage.edit(pair.contact, Title="CFO")
    else:
        stage.edit(pair.hub, phone="2")
    stage.admin.post("/settings", system=system, name="visible_delay_seconds", value=0.0)
    for _ in range(6):
        stage.cycle()
        stage.advance(100)
    stage.cycle()
    held = stage.value(pair.hub, "jobtitle"), stage.value(pair.contact, "Phone")
    assert held == (("CFO", "1") if system == "salesforce" else ("CEO", "2"))


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_record_merged_between_plan_and_apply_is_not_written_elsewhere(stage: Stage, system: str) -> None:
    """Twelve others are written: under a tenth moved, so the plan is good."""
    loser, *others = stage.pairs(13, {"Title": "CEO"}, {"jobtitle": "Boss"})
    survivor = stage.pair({"Title": "COO"}, {"jobtitle": "COO"})
    plan = stage.plan()
    if system == "salesforce":
        stage.merge(survivor.contact, loser.contact)
    else:
        stage.merge(survivor.hub, loser.hub)
    mark = stage.mark()
    stage.apply(plan, confirm=plan["changes"])
    assert {line["id"] for line in stage.written(mark)} == {pair.hub.id for pair in others}


def test_a_merge_is_refused_by_the_vendor_and_not_followed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merged after the last look before the write: the entry moved, and the survivor keeps its value."""
    pair, other = stage.pair({"Title": "CEO"}), stage.pair({"Title": "COO"})
    stage.agree()
    stage.go_live()
    stage.edit(pair.contact, Title="CFO")
    plain = HubSpot.write

    def write(self: HubSpot, writes: list[Write]) -> list[WriteOutcome]:
        monkeypatch.undo()
        stage.merge(other.hub, pair.hub)
        return plain(self, writes)

    monkeypatch.setattr(HubSpot, "write", write)
    mark = stage.mark()
    stage.cycle()
    assert stage.written(mark) == []
    [entry] = stage.installation.ledger.entries(batch_id=stage.installation.ledger.batches(limit=1)[0].id)
    assert entry.state == "drifted"
