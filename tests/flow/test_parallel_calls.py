"""Calls that do not depend on each other are under way together; everything that must not be, is not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from flow_stage import BEN, Pair, Stage, limits_policy, person_policy

from agent.changes import State
from agent.connector import Write, WriteOutcome
from agent.errors import AccessDenied, Unavailable
from agent.ledger.ledger import Ledger
from connectors.hubspot.connector import HubSpot

PEOPLE = 18
AT_ONCE = 4
UPDATES = {"system": "hubspot", "method": "POST", "route": "*/batch/update"}


class Traffic:
    """Watches the writes to HubSpot: who is under way with whom. Two records go to a call."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch, *, meet: bool = False) -> None:
        self.most = 0
        self.threads_of_outcomes: set[int] = set()
        self._records: list[str | None] = []
        self._lock = threading.Lock()
        self._calls = self._begun = 0
        self._meet = threading.Barrier(AT_ONCE, timeout=60) if meet else None
        hubspot: Any = stage.installation.connectors["hubspot"]
        hubspot.capabilities = replace(hubspot.capabilities, write_chunk=2, read_chunk=2, conditional_chunk=2)
        write, settle, ledger = HubSpot.write, Ledger.settle, stage.installation.ledger

        def watched(connector: HubSpot, writes: Sequence[Write]) -> list[WriteOutcome]:
            names = [each.record_id or each.entry_id for each in writes]
            assert all(ledger.entry(each.entry_id).state is State.INTENDED for each in writes)
            with self._lock:
                assert not set(names) & set(self._records), "one record in two calls"
                self._records += names
                self._calls += 1
                self._begun += 1
                is_first_block = self._begun <= AT_ONCE  # its first call goes alone, so its others are one too few
                self.most = max(self.most, self._calls)
            try:
                is_in_a_wave = threading.current_thread() is not threading.main_thread()
                if self._meet is not None and is_in_a_wave and not is_first_block:
                    self._meet.wait()
                return write(connector, writes)
            finally:
                with self._lock:
                    self._calls -= 1
                    self._records = [name for name in self._records if name not in names]

        def noted(here: Ledger, *args: Any) -> int:
            self.threads_of_outcomes.add(threading.get_ident())
            return settle(here, *args)

        patch.setattr(HubSpot, "write", watched)
        patch.setattr(Ledger, "settle", noted)


@pytest.fixture
def people(stage: Stage) -> list[Pair]:
    """Eighteen people whose title is to come from Salesforce: nine calls of two records."""
    stage.write_policies(person=person_policy(), limits=limits_policy())
    stage.parallel_calls = AT_ONCE
    made = stage.pairs(PEOPLE, {}, {})
    stage.agree()
    stage.go_live()
    for number, pair in enumerate(made):
        stage.edit(pair.contact, Title=f"Title {number}")
    return made


def titles(stage: Stage, people: Sequence[Pair]) -> list[Any]:
    return [stage.value(pair.hub, "jobtitle") for pair in people]


def wanted() -> list[str]:
    return [f"Title {number}" for number in range(PEOPLE)]


def states(stage: Stage) -> dict[str, int]:
    return dict(stage.installation.ledger.batches(limit=1)[0].counts)


def test_four_calls_are_under_way_together_and_one_thread_records(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = Traffic(stage, monkeypatch, meet=True)
    stage.cycle()
    assert titles(stage, people) == wanted()
    assert traffic.most == AT_ONCE
    assert traffic.threads_of_outcomes == {threading.get_ident()}
    assert states(stage) == {"confirmed": PEOPLE}


def test_with_parallel_calls_1_there_is_one_at_a_time(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.close()
    stage.parallel_calls = 1
    traffic = Traffic(stage, monkeypatch)
    stage.cycle()
    assert titles(stage, people) == wanted()
    assert traffic.most == 1


def test_the_first_slices_of_a_plan_go_one_after_the_other(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = Traffic(stage, monkeypatch)
    assert stage.apply()["written"] == PEOPLE
    assert traffic.most == 1


def test_creates_that_nobody_could_look_up_go_one_after_the_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.link_keys = False
    stage.parallel_calls = AT_ONCE
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"), limits=limits_policy())
    stage.go_live()
    stage.pair({})
    stage.agree()
    for number in range(6):
        stage.make_contact(FirstName="Ada", LastName=f"Nr{number}", Email=f"ada{number}@acme.example")
    stage.advance(60)
    (batch,) = stage.cycle()["held"]
    traffic = Traffic(stage, monkeypatch)
    assert stage.approve(batch, BEN)["written"] == 6
    assert traffic.most == 1
    assert len(stage.ids("hubspot", "contacts")) == 7


@pytest.mark.parametrize("action", ["drop_after", "drop_before"])
def test_replies_of_several_calls_lost_at_once_are_settled_by_reading(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    Traffic(stage, monkeypatch)
    stage.admin.fault(action=action, nth=2, times=AT_ONCE - 1, **UPDATES)
    stage.cycle()
    for _ in range(3):
        stage.advance(70)
        stage.cycle()
    assert titles(stage, people) == wanted()
    written = [line["id"] for line in stage.written() if line["system"] == "hubspot" and line["op"] == "update"]
    assert len(written) == len(set(written)), "something was written twice"


@pytest.mark.parametrize("action", ["drop_after", "drop_before"])
def test_a_vendor_that_loses_one_write_after_the_other_is_not_sent_the_rest(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """A wave of three was lost, then the single call after it: the other four calls are not begun."""
    Traffic(stage, monkeypatch)
    stage.admin.fault(action=action, nth=2, times=AT_ONCE, **UPDATES)
    with pytest.raises(Unavailable, match="does not answer any more"):
        stage.cycle()
    assert states(stage) == {"confirmed": 2, "unknown": 2 * AT_ONCE, "planned": PEOPLE - 2 - 2 * AT_ONCE}
    for _ in range(3):
        stage.advance(70)
        stage.cycle()
    assert titles(stage, people) == wanted()
    written = [line["id"] for line in stage.written() if line["system"] == "hubspot" and line["op"] == "update"]
    assert len(written) == len(set(written)), "something was written twice"


def test_a_vendor_that_asks_to_wait_is_not_asked_for_the_rest(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wave that was under way is settled, what was refused in it stays planned, and no further one follows."""
    Traffic(stage, monkeypatch)
    stage.admin.fault(action="status", status=429, headers={"Retry-After": "3"}, nth=3, **UPDATES)
    with pytest.raises(Unavailable, match="asks us to wait"):
        stage.cycle()
    assert states(stage) == {"confirmed": 6, "planned": 12}
    stage.advance(60)
    stage.cycle()
    assert titles(stage, people) == wanted()


def test_of_a_vendor_that_refuses_writes_only_one_is_asked_again(
    stage: Stage, people: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write is given up after some attempts: what holds for all may not use up those of many records at once."""
    Traffic(stage, monkeypatch)
    stage.admin.fault(action="status", status=401, nth=2, times="always", **UPDATES)
    for tried in (2 * AT_ONCE, 2):
        with pytest.raises(AccessDenied):
            stage.cycle()
        entries = stage.installation.ledger.entries(batch_id=stage.installation.ledger.batches(limit=1)[0].id)
        assert sum(entry.attempts > 0 for entry in entries) == tried
        stage.advance(600)
