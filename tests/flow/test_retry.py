"""What a vendor refuses row by row: shown with its words, sent no more, and tried again when a person asks."""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import Stage

from agent import failures
from agent.changes import OPEN, State
from agent.errors import NotFound

TITLE = "Head of Sales"


def refuse_one_row(stage: Stage, system: str, route: str) -> None:
    stage.admin.fault(action="bad_row", system=system, route=route)


TOGETHER, ONE_ON_CONDITION, SOME_ON_CONDITION = (
    ("PATCH", "*/composite/sobjects*", 1),
    ("PATCH", "*/sobjects/Contact/*", 1),
    ("POST", "*/composite", 2),
)
"""How Salesforce is written (method, route, which of them): what nobody edited for ten minutes in collections, the rest
on condition. The first composite call of a cycle asks for what changed."""


def lock_one_row(stage: Stage, times: int | str = 1, call: tuple[str, str, int] = TOGETHER) -> None:
    stage.advance(700 if call is TOGETHER else 60)
    method, route, nth = call
    stage.admin.fault(action="bad_row", system="salesforce", route=route, method=method, nth=nth, times=times)


def fired(stage: Stage) -> list[int]:
    return [fault["fired_count"] for fault in stage.admin.get("/faults")]


def refused_title(stage: Stage) -> dict[str, Any]:
    """Three titles travel to HubSpot, which takes two of them. Returns what the cycle came to."""
    stage.pairs(3, {"Title": TITLE}, {"jobtitle": "Sales"})
    stage.go_live()
    refuse_one_row(stage, "hubspot", "*/batch/update")
    return stage.cycle()


def standing(stage: Stage) -> list[str]:
    return [entry.id for entry in failures.standing(stage.installation)]


def titles(stage: Stage) -> list[object]:
    rows = stage.emulator.world.spaces["hubspot"].table("contacts").values()
    return sorted(str(row.values.get("jobtitle")) for row in rows)


def test_one_refused_row_of_a_207_leaves_the_others_written(stage: Stage) -> None:
    found = refused_title(stage)
    assert (found["written"], found["failed"]) == (2, 1)
    assert titles(stage) == [TITLE, TITLE, "Sales"]


def test_a_refused_row_of_a_collection_is_locked_and_written_in_the_next_cycle(stage: Stage) -> None:
    stage.pairs(3, {"Phone": "1"}, {"phone": "+12125550100"})
    stage.go_live()
    lock_one_row(stage)
    stage.cycle()
    assert fired(stage) == [1]
    stage.advance(60)
    stage.cycle()
    rows = stage.emulator.world.spaces["salesforce"].table("Contact").values()
    assert {row.values["Phone"] for row in rows} == {"+12125550100"}
    assert standing(stage) == []


@pytest.mark.parametrize(
    ("count", "call"), [(1, TOGETHER), (3, TOGETHER), (1, ONE_ON_CONDITION), (3, SOME_ON_CONDITION)]
)
def test_a_locked_row_holds_up_nobody_and_is_written_in_the_next_cycle(
    stage: Stage, count: int, call: tuple[str, str, int]
) -> None:
    """Also when it is alone in its call: the cycle goes on, in HubSpot too, and ends well."""
    people = stage.pairs(count, {"Phone": "1", "Title": TITLE}, {"phone": "+12125550100", "jobtitle": "Sales"})
    stage.go_live()
    lock_one_row(stage, call=call)
    assert stage.cycle()["written"] == 2 * count - 1
    assert fired(stage) == [1]
    assert titles(stage) == [TITLE] * count
    assert standing(stage) == []
    stage.advance(60)
    stage.cycle()
    assert {stage.value(pair.contact, "Phone") for pair in people} == {"+12125550100"}
    tries = [entry.attempts for entry in stage.installation.ledger.entries() if entry.change.system == "salesforce"]
    assert sorted(tries) == [1] * (count - 1) + [2], "one entry, sent again"
    mark = stage.mark()
    for _ in range(3):
        stage.advance(700)
        stage.cycle()
    assert stage.written(mark) == []
    assert stage.installation.ledger.batches(states=OPEN) == []


def test_a_row_that_stays_locked_is_given_up_after_twelve_tries_and_shown(stage: Stage) -> None:
    (pair,) = stage.pairs(1, {"Phone": "1"}, {"phone": "+12125550100"})
    stage.go_live()
    lock_one_row(stage, "always")
    for _ in range(15):
        stage.advance(60)
        stage.cycle()
    (entry,) = stage.installation.ledger.entries()
    assert (entry.state, entry.attempts) == (State.FAILED, 12)
    assert standing(stage) == [entry.id]
    stage.admin.delete("/faults")
    stage.order("retry")
    stage.advance(60)
    stage.cycle()
    assert stage.value(pair.contact, "Phone") == "+12125550100"


def test_what_somebody_edits_while_its_record_is_locked_is_not_overwritten_with_the_older_value(stage: Stage) -> None:
    (pair,) = stage.pairs(1, {"Phone": "1"}, {"phone": "+12125550100"})
    stage.go_live()
    lock_one_row(stage)
    stage.cycle()
    stage.edit(pair.hub, phone="+12125550199")
    for _ in range(3):
        stage.advance(60)
        stage.cycle()
    assert stage.value(pair.contact, "Phone") == "+12125550199"


def test_a_plan_goes_on_after_a_locked_row_and_its_batch_ends_with_the_next_cycle(stage: Stage) -> None:
    people = stage.pairs(3, {"Phone": "1"}, {"phone": "+12125550100"})
    lock_one_row(stage)
    done = stage.apply()
    assert (done["written"], done["failed"], done["state"]) == (2, 0, "open")
    stage.advance(60)
    stage.cycle()
    assert {stage.value(pair.contact, "Phone") for pair in people} == {"+12125550100"}
    assert stage.installation.ledger.batch(done["batch"]).state == "done"


def test_a_refused_row_is_not_sent_again_by_itself(stage: Stage) -> None:
    refused_title(stage)
    mark = stage.mark()
    for _ in range(3):
        stage.advance(60)
        stage.cycle()
    assert stage.written(mark) == []
    assert len(standing(stage)) == 1


def test_a_retry_writes_it_in_the_next_cycle_and_closes_the_case(stage: Stage) -> None:
    refused_title(stage)
    result = stage.order("retry", batch=None)
    assert (result["entries"], result["records"], result["undos"]) == (1, 1, [])
    assert standing(stage) == []
    assert stage.cycle()["written"] == 1
    assert titles(stage) == [TITLE] * 3


def test_a_retry_of_another_batch_finds_nothing(stage: Stage) -> None:
    refused_title(stage)
    stage.pairs(1, {"Title": TITLE}, {"jobtitle": "Sales"})
    other = stage.cycle()["batch"]
    with pytest.raises(NotFound, match="no write that failed still stands"):
        stage.order("retry", batch=other)
    assert len(standing(stage)) == 1


def test_what_a_later_cycle_wrote_no_longer_stands(stage: Stage) -> None:
    refused_title(stage)
    [entry] = failures.standing(stage.installation)
    hub = entry.change.ref
    assert hub is not None
    links = stage.installation.crosswalk.members([entry.change.entity_id])[entry.change.entity_id]
    contact = next(link.ref for link in links if link.ref.system == "salesforce")
    stage.edit(contact, Title="VP Sales")
    stage.cycle()
    assert stage.value(hub, "jobtitle") == "VP Sales"
    assert standing(stage) == []


def test_an_undo_that_failed_in_part_is_named_and_ordered_again(stage: Stage) -> None:
    stage.pairs(3, {"Title": TITLE}, {"jobtitle": "Sales"})
    stage.go_live()
    batch = stage.cycle()["batch"]
    refuse_one_row(stage, "hubspot", "*/batch/update")
    assert stage.rollback(batch)["failed"] == 1
    result = stage.order("retry", batch=None)
    assert (result["records"], [list(names) for names in result["undos"]]) == (0, [[batch]])
    stage.rollback(batch)
    assert titles(stage) == ["Sales"] * 3
