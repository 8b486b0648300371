"""Three hundred opportunities become deals while everything goes wrong: rows refused, a lost reply, a 429 to wait for,
a kill in the middle of a transaction, and a search that lags. Nothing twice, nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deal_stage import CLOSES, DealStage
from policy_stage import EDITOR, acting, shipped

from agent import apply
from agent.changes import Entry, State
from agent.errors import Unavailable
from agent.orders.orders import ORDERS
from connectors.emulator.serve import Emulator

DEALS, REFUSED, CHUNK, WAIT, LAG = 300, 17, 50, 7, 90.0
WRONG = {number - 1 for number in sorted(range(1, DEALS + 1), key=str)[CHUNK : CHUNK + REFUSED]}
"""They stand in the second call: entities are written in the order of their names (deal-1, deal-10, deal-100 …)."""


class Strict(DealStage):
    """The API version that enforces the account's rules for single records."""

    api_version = "2026-09"


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
    """Limits wide enough for the day's work, chunks of fifty, a search that lags."""
    sources = acting(shipped())
    sources["daily-limits.yaml"] = (
        sources["daily-limits.yaml"]
        .replace("batch: {records: 200, percent: 5}", "batch: {records: 1000}")
        .replace("creates: 200", "creates: 2000")
    )
    with Strict(emulator, tmp_path, sources) as stage:
        yield stage


def in_chunks(stage: DealStage) -> None:
    hubspot: Any = stage.installation.connectors["hubspot"]
    hubspot.capabilities = replace(hubspot.capabilities, write_chunk=CHUNK)


def entries(stage: DealStage, *states: State) -> list[Entry]:
    found = stage.installation.ledger.entries(states=states)
    return [entry for entry in found if entry.change.object_type == "deals"]


def opportunities(stage: DealStage) -> None:
    """Some are of a type for which HubSpot's account asks for a description, which nobody wrote."""
    rule = {"when": "dealtype", "is": "newbusiness", "needs": "description"}
    stage.admin.post("/settings", system="hubspot", name="conditional_required", value={"deals": [rule]})
    for number in range(DEALS):
        wrong = {"Type": "New Customer"} if number in WRONG else {}
        stage.opportunity(f"Deal {number:03}", Amount=number, CloseDate=CLOSES, **wrong)


def killed_in_the_transaction_of(stage: DealStage, chunk: int) -> None:
    """The process ends while the intents of this chunk are being written."""
    ledger = stage.installation.ledger
    intend, calls = ledger.intend, Counter[str]()

    def intend_or_die(entry_ids: Any) -> Any:
        calls["intend"] += 1
        if calls["intend"] == chunk:
            with ledger.store.write():
                raise Killed
        return intend(entry_ids)

    ledger.intend = intend_or_die  # type: ignore[method-assign]


def test_partial_failure_and_crash_lose_nothing_and_make_nothing_twice(stage: DealStage) -> None:
    opportunities(stage)
    stage.admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=LAG)
    in_chunks(stage)
    batch_create = {"system": "hubspot", "method": "POST", "route": "*/deals/batch/create"}
    stage.admin.fault(**batch_create, nth=3, action="drop_after")
    stage.admin.fault(**batch_create, nth=4, action="status", status=429, headers={"Retry-After": str(WAIT)})

    with pytest.raises(Unavailable) as asked, stage.installation.side_by_side.one_after_the_other():
        stage.cycle()
    assert asked.value.retry_after == WAIT
    first = Counter(entry.state for entry in entries(stage, *State))
    assert first[State.CONFIRMED] == 2 * CHUNK - REFUSED
    assert first[State.FAILED] == REFUSED
    assert first[State.UNKNOWN] == CHUNK

    killed_in_the_transaction_of(stage, 2)
    with pytest.raises(Killed), stage.installation.side_by_side.one_after_the_other():
        stage.cycle()
    stage.change_policies({})  # another process takes over, with its calls side by side
    in_chunks(stage)
    stage.cycle()
    stage.cycle()

    made = [stage.values(ref) for ref in stage.refs("hubspot", "deals")]
    assert Counter(deal["dealname"] for deal in made).most_common(1)[0][1] == 1
    assert len(made) == DEALS - REFUSED
    assert {deal["amount"] for deal in made} == {str(number) for number in range(DEALS) if number not in WRONG}
    confirmed = entries(stage, State.CONFIRMED)
    assert len({entry.record_id for entry in confirmed}) == len(confirmed) == DEALS - REFUSED
    creates = [
        line
        for line in stage.admin.audit()
        if (line["cause"], line["op"], line["object"]) == ("api", "create", "deals")
    ]
    assert {line["entry_id"] for line in creates} == {entry.id for entry in confirmed}
    failed = entries(stage, State.FAILED)
    assert len({entry.change.entity_id for entry in failed}) == REFUSED
    assert all("MISSING_CONDITIONAL_REQUIRED_PROPERTY" in str(entry.error) for entry in failed)
    assert entries(stage, State.INTENDED, State.UNKNOWN, State.PLANNED) == []

    batches = sorted({entry.batch_id for entry in confirmed})
    undo = ORDERS["preview-rollback"](stage.installation, {"batches": batches}, EDITOR, apply.silent)
    assert undo["restore"] + undo["keep"] == DEALS - REFUSED
    assert undo["blocked"] == undo["skip"] == 0
