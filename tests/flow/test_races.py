"""People and Truce at the same record within a minute: what is recorded as overwritten is what was there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flow_stage import FIELDS, Stage, person_policy

from agent.as_decided import fresh
from agent.changes import Cell, Change, Entry, State, Why
from agent.errors import Unavailable
from agent.records import Ref


def test_a_second_edit_within_the_minute_is_seen_before_it_is_overwritten(stage: Stage) -> None:
    """The copy of the last pull is a minute old, its cycle failed, and a search does not show the edit yet."""
    stage.go_live()
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.advance(3_600)
    stage.edit(pair.hub, jobtitle="Boss")
    stage.advance(60)
    stage.admin.fault(system="hubspot", route="/crm/v3/owners", action="status", status=503, times=9)
    with pytest.raises(Unavailable):
        stage.cycle()
    stage.admin.delete("/faults")
    stage.advance(50)
    stage.admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=20)
    stage.edit(pair.hub, jobtitle="Chief")
    for _ in range(3):
        stage.cycle()
        stage.advance(60)
    assert stage.value(pair.hub, "jobtitle") == "CEO"
    overwritten = [line["before"]["jobtitle"] for line in stage.written() if "jobtitle" in line["before"]]
    confirmed = stage.installation.ledger.entries(states=(State.CONFIRMED,))
    assert overwritten == [cell.before for entry in confirmed for cell in entry.change.cells] == ["Chief"]


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_a_copy_two_minutes_old_is_read_anew_however_wrong_our_clock_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Its age is told by the vendor's clock: by ours, a day behind, every copy would be of the last minute."""
    installation = stage.installation
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    monkeypatch.setattr(installation, "clock", lambda: stage.clock.now() + timedelta(days=days))
    stage.advance(3_600)
    stage.cycle()
    cell = Cell("job_title", "jobtitle", "Boss", "CEO", "different", Why("person-basics", "person.yaml:1", "r", "x"))
    change = Change("update", "person-1", "hubspot", "contacts", pair.hub.id, (cell,))
    entry = Entry("E-1", 1, "B-1", change, State.PLANNED, datetime.now(UTC))
    stage.edit(pair.hub, jobtitle="Mine")
    seen = []
    for seconds in (10, 110):
        stage.advance(seconds)
        seen.append(fresh(installation, installation.connectors["hubspot"], [entry])[pair.hub].fields["jobtitle"])
    assert seen == ["Boss", "Mine"], "the copy at hand first, then what is there"


@pytest.mark.parametrize("days", [-1, 1])
def test_what_our_own_write_left_is_as_old_as_the_vendor_says(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """With a stamp of ours, a day ahead, the copy would count as fresh until tomorrow."""
    stage.go_live()
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "Boss"})
    monkeypatch.setattr(stage.installation, "clock", lambda: stage.clock.now() + timedelta(days=days))
    stage.advance(3_600)
    stage.cycle()
    copy = stage.installation.mirror.record(pair.hub)
    assert copy is not None
    assert copy.fields["jobtitle"] == "CEO"
    assert copy.seen_at is not None
    assert abs(copy.seen_at - stage.clock.now()) < timedelta(minutes=1)


def test_a_record_that_went_is_missed_at_the_write_and_not_tried_again(stage: Stage) -> None:
    """HubSpot's search never shows a deletion, and the next sweep may be a day away."""
    stage.go_live()
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.advance(3_600)
    stage.delete(pair.hub)
    stage.edit(pair.contact, Title="Chair")
    stage.advance(60)
    stage.cycle()
    (entry,) = stage.installation.ledger.entries()
    assert entry.state is State.DRIFTED
    stage.advance(60)
    stage.cycle()
    seq = stage.installation.ledger.last_seq
    for _ in range(2):
        stage.advance(60)
        stage.cycle()
    assert stage.installation.ledger.last_seq == seq, "a cycle after it was missed still records"
    record = stage.installation.mirror.record(pair.hub)
    assert record is None or record.deleted


def test_a_full_recycle_bin_is_no_emptied_crm(stage: Stage) -> None:
    """A policy that names one more field reads everything again, the bin of the last 90 days included."""
    stage.pairs(21, {"Title": "CEO"}, {"jobtitle": "CEO"})
    for number in range(10):
        stage.delete(Ref("hubspot", "contacts", stage.make_hub(email=f"old{number}@example.com")))
    stage.advance(60)
    stage.cycle()
    more = "  department: {salesforce: {Lead: Industry, Contact: Department}, hubspot: industry, wins: salesforce}\n"
    stage.write_policies(person=person_policy(fields=FIELDS + more))
    stage.advance(60)
    assert stage.cycle()["pulled"] >= 42
