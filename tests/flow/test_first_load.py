"""A first load that was interrupted goes on where it was; the nightly comparison finds what the change feed missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flow_stage import Stage

from agent import cycle
from agent.connector import Page, Window
from agent.errors import SafetyStop, Unavailable
from agent.records import Ref
from connectors.emulator.world import Actor
from connectors.hubspot.connector import HubSpot

MANY = 250
SEEDER = Actor("import", "system", "Import")


class Killed(BaseException):
    """The process ends here."""


def seed(stage: Stage, count: int) -> None:
    rows = [{"email": f"p{number}@acme.example", "lastname": f"P{number}"} for number in range(count)]
    stage.emulator.practice.desks["hubspot"].seed_many("contacts", rows, actor=SEEDER)


def pages_asked(stage: Stage, since: int) -> list[str]:
    lines = stage.admin.get(f"/journal?since={since}")
    return [line["query"] for line in lines if line["method"] == "GET" and line["path"].endswith("/contacts")]


def killed_after(pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = HubSpot.changed

    def changed(self: HubSpot, object_type: str, fields: Any, window: Window, *more: Any) -> Iterator[Page]:
        for number, page in enumerate(plain(self, object_type, fields, window, *more)):
            if number == pages:
                raise Killed
            yield page

    monkeypatch.setattr(HubSpot, "changed", changed)


def known(stage: Stage) -> int:
    return stage.installation.mirror.count("hubspot", "contacts")


def test_killed_in_its_middle_a_first_load_goes_on_there(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(stage, MANY)
    with monkeypatch.context() as patch:
        killed_after(2, patch)
        with pytest.raises(Killed):
            cycle.pull_all(stage.installation)
    stage.close()
    assert known(stage) == 100  # the second page was not yet known to be no last one
    mark = len(stage.admin.get("/journal?since=0"))
    cycle.pull_all(stage.installation)
    assert known(stage) == MANY
    live = [query for query in pages_asked(stage, mark) if "archived=False" in query]
    assert len(live) == 2
    assert all("after=" in query for query in live)


def test_what_changed_meanwhile_in_the_part_already_loaded_is_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor stands where the load began, not where it ended."""
    seed(stage, MANY)
    with monkeypatch.context() as patch:
        killed_after(2, patch)
        with pytest.raises(Killed):
            cycle.pull_all(stage.installation)
    first = Ref("hubspot", "contacts", min(stage.ids("hubspot", "contacts"), key=int))
    stage.advance(1)
    stage.edit(first, jobtitle="CEO")
    stage.advance(3 * 3600)
    cycle.pull_all(stage.installation)
    cycle.pull_all(stage.installation)
    record = stage.installation.mirror.record(first)
    assert record is not None
    assert record.fields["jobtitle"] == "CEO"


def test_a_load_left_alone_for_a_week_begins_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(stage, MANY)
    with monkeypatch.context() as patch:
        killed_after(2, patch)
        with pytest.raises(Killed):
            cycle.pull_all(stage.installation)
    stage.advance(8 * 86_400)
    mark = len(stage.admin.get("/journal?since=0"))
    cycle.pull_all(stage.installation)
    assert len([query for query in pages_asked(stage, mark) if "archived=False" in query]) == 3


def test_an_outage_in_a_first_load_costs_no_page_twice(stage: Stage) -> None:
    seed(stage, MANY)
    stage.admin.fault(system="hubspot", method="GET", route="*/objects/contacts", nth=3, action="status", status=503)
    with pytest.raises(Unavailable):
        cycle.pull_all(stage.installation)
    mark = len(stage.admin.get("/journal?since=0"))
    cycle.pull_all(stage.installation)
    assert known(stage) == MANY
    assert len([query for query in pages_asked(stage, mark) if "archived=False" in query]) == 1


# The comparison of a night --------------------------------------------------------------------------------------------


def late(stage: Stage, seconds: float, system: str = "salesforce") -> None:
    """From now on this system shows a change so much later than it stamps it."""
    stage.admin.post("/settings", system=system, name="visible_delay_seconds", value=seconds)


@pytest.mark.parametrize(("system", "field"), [("salesforce", "Title"), ("hubspot", "jobtitle")])
def test_a_commit_later_than_the_overlap_is_found_at_night(stage: Stage, system: str, field: str) -> None:
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    ref = pair.contact if system == "salesforce" else pair.hub
    cycle.pull_all(stage.installation)
    late(stage, 1800.0, system)
    stage.edit(ref, **{field: "CFO"})
    late(stage, 0.0, system)
    for _ in range(4):
        stage.advance(600)
        cycle.pull_all(stage.installation)
    held = stage.installation.mirror.record(ref)
    assert held is not None
    assert held.fields[field] == "CEO"  # the change feed never showed it
    cycle.pull_all(stage.installation, sweep=True)
    held = stage.installation.mirror.record(ref)
    assert held is not None
    assert held.fields[field] == "CFO"


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_what_is_erased_for_good_is_found_at_night(stage: Stage, system: str) -> None:
    pair = stage.pair({"Title": "CEO"})
    cycle.pull_all(stage.installation)
    ref = pair.contact if system == "salesforce" else pair.hub
    stage.erase_for_good(ref)
    stage.advance(3600)
    cycle.pull_all(stage.installation, sweep=True)
    assert stage.installation.mirror.is_deleted(ref)


def test_a_comparison_that_finds_nothing_reads_no_record(stage: Stage) -> None:
    stage.pairs(5, {}, {})
    stage.advance(700)
    cycle.pull_all(stage.installation)
    mark = len(stage.admin.get("/journal?since=0"))
    cycle.pull_all(stage.installation, sweep=True)
    lines = stage.admin.get(f"/journal?since={mark}")
    assert not any(line["path"].endswith("/batch/read") and "contacts" in line["path"] for line in lines)
    assert not any(line["method"] == "POST" and "composite/sobjects" in line["path"] for line in lines)


def test_a_side_that_looks_emptied_at_night_stops(stage: Stage) -> None:
    pairs = stage.pairs(25, {}, {})
    cycle.pull_all(stage.installation)
    for pair in pairs[:10]:
        stage.delete(pair.hub)
    with pytest.raises(SafetyStop):
        cycle.pull_all(stage.installation, sweep=True)


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_full_load_that_brings_much_less_than_was_known_stops(stage: Stage, system: str) -> None:
    """Nobody told of a deletion: the records are simply not listed any more."""
    pairs = stage.pairs(25, {}, {})
    cycle.pull_all(stage.installation)
    for pair in pairs[:10]:
        stage.erase_for_good(pair.contact if system == "salesforce" else pair.hub)
    stage.installation.mirror.read_anew(system, "Contact" if system == "salesforce" else "contacts")
    with pytest.raises(SafetyStop) as stopped:
        cycle.pull_all(stage.installation)
    assert stopped.value.why.startswith("a full load brought 15 records where 25 were known")
