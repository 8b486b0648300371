"""When calls grow scarce, a new lead and an opt-out still get through; what may wait stays pending and is not lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_stage import EDITOR, PolicyStage, acting, shipped

from agent.calls.budget import Lane
from agent.connector import Allowance
from agent.orders.orders import ORDERS
from agent.records import Ref
from connectors.emulator.serve import Emulator

A_DAY = 2_000
"""Calls that the accounts allow here: so few that they are soon gone, enough for what must not wait."""


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[PolicyStage]:
    """The shipped policies, live, over an account with few calls."""
    with PolicyStage(emulator, tmp_path, acting(shipped())) as stage:
        stage.go_live()
        for system, name in (("salesforce", "daily_requests"), ("hubspot", "daily_limit")):
            stage.admin.post("/settings", system=system, name=name, value=A_DAY)
        yield stage


def in_salesforce(stage: PolicyStage, name: str, title: str = "CEO") -> Ref:
    return stage.create("salesforce", "Contact", LastName=name, Email=f"{name}@acme.com", Title=title)


def in_hubspot(stage: PolicyStage, name: str) -> list[Ref]:
    found = stage.refs("hubspot", "contacts")
    return [ref for ref in found if stage.values(ref)["email"] == f"{name}@acme.com"]


def title_there(stage: PolicyStage, name: str) -> object:
    (there,) = in_hubspot(stage, name)
    return stage.values(there)["jobtitle"]


def use_up(stage: PolicyStage, system: str, lane: Lane = "update") -> None:
    """Truce has made so many calls today that none is left for this."""
    meter = stage.installation.calls.meters[system]
    meter.told(Allowance(A_DAY, 0))
    with stage.installation.calls.lane("cycle"):
        while meter.left(lane):
            meter.enter()


def cycle(stage: PolicyStage) -> dict[str, object]:
    """As the daemon runs it."""
    stage.wait(300)
    with stage.installation.calls.lane("cycle"):
        return ORDERS["cycle"](stage.installation, {}, "truce", lambda done, total: None)


def test_a_new_lead_is_created_when_the_calls_for_changes_are_gone(stage: PolicyStage) -> None:
    ann = in_salesforce(stage, "ann")
    cycle(stage)
    use_up(stage, "hubspot")
    stage.edit(ann, Title="Chair")
    in_salesforce(stage, "ben")
    report = cycle(stage)
    assert report["waiting_for_calls"] == 1
    assert title_there(stage, "ben") == "CEO"
    assert title_there(stage, "ann") == "CEO", "this one waits"


def test_what_waits_for_calls_is_written_when_there_are_calls_again(stage: PolicyStage) -> None:
    ann = in_salesforce(stage, "ann")
    cycle(stage)
    use_up(stage, "hubspot")
    stage.edit(ann, Title="Chair")
    cycle(stage)
    stage.wait(24 * 3600)
    assert cycle(stage)["waiting_for_calls"] == 0
    assert title_there(stage, "ann") == "Chair"


def test_what_waits_for_calls_opens_no_batch_however_often_it_is_decided(stage: PolicyStage) -> None:
    ann = in_salesforce(stage, "ann")
    cycle(stage)
    cycle(stage)
    use_up(stage, "hubspot")
    stage.edit(ann, Title="Chair")
    before = len(stage.installation.ledger.batches())
    assert [cycle(stage)["waiting_for_calls"] for _ in range(3)] == [1, 1, 1]
    assert len(stage.installation.ledger.batches()) == before


def test_an_opt_out_does_not_wait_for_calls(stage: PolicyStage) -> None:
    ann = in_salesforce(stage, "ann")
    cycle(stage)
    use_up(stage, "hubspot")
    stage.edit(ann, HasOptedOutOfEmail=True)
    cycle(stage)
    journal = [line for line in stage.admin.get("/journal?since=0") if line["system"] == "hubspot"]
    assert any("unsubscribe" in line["path"] for line in journal)


def test_one_crm_without_calls_does_not_hold_up_the_other(stage: PolicyStage) -> None:
    ann = in_salesforce(stage, "ann")
    cycle(stage)
    (there,) = in_hubspot(stage, "ann")
    use_up(stage, "hubspot")
    stage.edit(ann, Title="Chair")
    stage.edit(there, lifecyclestage="opportunity")
    report = cycle(stage)
    assert report["waiting_for_calls"] == 1
    assert stage.values(ann)["Customer_Stage__c"] == "Opportunity"


def test_calls_that_run_out_within_a_batch_end_neither_the_cycle_nor_the_batch_s_truth(
    stage: PolicyStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [in_salesforce(stage, f"p{number}") for number in range(3)]
    cycle(stage)
    for person in people:
        stage.edit(person, Title="Chair")
    meter = stage.installation.calls.meters["hubspot"]
    enter = meter.enter

    def gone_at_the_first_change() -> None:
        if meter.lane == "update":
            use_up(stage, "hubspot")
        enter()

    with monkeypatch.context() as patch:
        patch.setattr(meter, "enter", gone_at_the_first_change)
        cycle(stage)
    in_salesforce(stage, "new")
    assert cycle(stage)["waiting_for_calls"] == 3
    assert [title_there(stage, name) for name in ("p0", "p1", "p2", "new")] == ["CEO"] * 4
    stage.wait(24 * 3600)
    assert cycle(stage)["waiting_for_calls"] == 0
    assert [title_there(stage, name) for name in ("p0", "p1", "p2")] == ["Chair"] * 3


def test_a_new_lead_goes_before_a_mass_change_of_companies(stage: PolicyStage) -> None:
    companies = [
        stage.create("salesforce", "Account", Name=f"Acme {n}", Website=f"acme{n}.com", Industry="Energy")
        for n in range(5)
    ]
    cycle(stage)
    for company in companies:
        stage.edit(company, Industry="Banking")
    in_salesforce(stage, "new")
    before = len(stage.api_writes())
    cycle(stage)
    in_hubs = [object_type for _, object_type, _ in stage.api_writes()[before:] if object_type.islower()]
    assert in_hubs == ["contacts", *["companies"] * 5]


def test_an_undo_left_unfinished_goes_on_when_not_even_people_have_calls_left(stage: PolicyStage) -> None:
    ann = in_salesforce(stage, "ann")
    cycle(stage)
    stage.edit(ann, Title="Chair")
    batch = cycle(stage)["batch"]
    order = {"batches": [batch]}
    stop = stage.installation.stop
    stage.installation.stop = lambda: True
    with pytest.raises(Exception, match="nothing is half written"):
        ORDERS["rollback"](stage.installation, order, EDITOR, lambda done, total: None)
    stage.installation.stop = stop
    assert title_there(stage, "ann") == "Chair"
    use_up(stage, "hubspot", "people")
    cycle(stage)
    assert title_there(stage, "ann") == "CEO"
