"""What a vendor refuses row by row: shown with its words, sent no more, and tried again when a person asks."""

from __future__ import annotations

from typing import Any

import pytest
from flow_stage import Stage

from agent import failures
from agent.errors import NotFound

TITLE = "Head of Sales"


def refuse_one_row(stage: Stage, system: str, route: str) -> None:
    stage.admin.fault(action="bad_row", system=system, route=route)


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
    refuse_one_row(stage, "salesforce", "*/composite/sobjects*")
    stage.cycle()
    stage.advance(60)
    stage.cycle()
    rows = stage.emulator.world.spaces["salesforce"].table("Contact").values()
    assert {row.values["Phone"] for row in rows} == {"+12125550100"}
    assert standing(stage) == []


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
