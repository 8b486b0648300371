"""The day's calls of both vendors: counted, shared out, held back; through the real clients on a virtual clock."""

from __future__ import annotations

import pytest
from flow_stage import Stage

from agent.calls.calls import STEP
from agent.connector import Allowance
from agent.errors import HeldBack, Unavailable
from agent.reports.standing import status


def allow(stage: Stage, system: str, calls: int) -> None:
    name = "daily_requests" if system == "salesforce" else "daily_limit"
    stage.admin.post("/settings", system=system, name=name, value=calls)


def counted_by(stage: Stage, system: str) -> int:
    """What the vendor itself has counted today."""
    settings = stage.emulator.world.spaces[system].settings
    if system == "salesforce":
        return sum(settings["requests"].values())
    return int(settings["calls_today"]["count"])


def refused(stage: Stage) -> int:
    """Calls that a vendor refused because there were too many."""
    systems = stage.admin.get("/counters")["systems"]
    return sum(
        count
        for side in systems.values()
        for by_status in side["routes"].values()
        for code, count in by_status.items()
        if code in ("403", "429")
    )


def cycle_until_held(stage: Stage) -> HeldBack:
    for _ in range(500):
        try:
            stage.cycle()
        except HeldBack as error:
            return error
        stage.advance(60)
    raise AssertionError("nothing was ever held back")


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_our_count_is_the_vendor_s_count(stage: Stage, system: str) -> None:
    stage.pairs(3, {"Title": "CEO"}, {"jobtitle": "boss"})
    stage.go_live()
    stage.cycle()
    stage.advance(60)
    stage.cycle()
    assert stage.installation.calls.meters[system].standing().ours == counted_by(stage, system)


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_cycles_stop_before_the_share_is_gone_and_an_undo_still_goes(stage: Stage, system: str) -> None:
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "boss"})
    stage.go_live()
    stage.cycle()
    [batch] = [found.id for found in stage.installation.ledger.batches()]
    allow(stage, system, 200)
    stage.admin.delete("/counters")
    error = cycle_until_held(stage)
    assert error.system == system
    assert counted_by(stage, system) <= 100 * 0.8 + 2
    assert stage.value(pair.hub, "jobtitle") == "CEO"
    result = stage.rollback(batch)
    assert result["written"] == 1
    assert stage.value(pair.hub, "jobtitle") == "boss"
    assert refused(stage) == 0


def test_people_s_orders_go_on_when_the_changes_of_cycles_are_held_back(stage: Stage) -> None:
    stage.pair({"Title": "CEO"}, {"jobtitle": "boss"})
    stage.go_live()
    meter = stage.installation.calls.meters["hubspot"]
    allow(stage, "hubspot", 1_000)
    meter.told(Allowance(1_000, 0))
    while meter.left("update"):
        meter.enter()
    assert stage.cycle()["waiting_for_calls"] == 1
    assert stage.apply()["written"] == 1


def test_other_tools_that_use_the_account_up_stop_our_cycles_first(stage: Stage) -> None:
    stage.cycle()
    allow(stage, "salesforce", 1000)
    stage.emulator.world.spaces["salesforce"].settings["requests"] = {
        str(int(stage.clock.now().timestamp() // 3600)): 900
    }
    error = cycle_until_held(stage)
    assert "all tools together made" in error.why
    assert stage.installation.calls.meters["salesforce"].standing().ours < 50


@pytest.mark.parametrize(("system", "hours"), [("salesforce", 25), ("hubspot", 24)])
def test_with_the_new_day_cycles_go_on_by_themselves(stage: Stage, system: str, hours: int) -> None:
    stage.cycle()
    allow(stage, system, 100)
    cycle_until_held(stage)
    stage.advance(hours * 3600)
    stage.cycle()


def test_the_count_of_a_day_survives_a_restart(stage: Stage) -> None:
    stage.cycle()
    made = stage.installation.calls.meters["hubspot"].standing().ours
    stage.close()
    with stage.started_reading() as looking:
        [hubspot, _] = status(looking, stage.folder / "state" / "writer.lock").calls
        assert (hubspot.system, hubspot.ours, hubspot.limit) == ("hubspot", made, 625_000)
        assert hubspot.share == 312_500
    with stage.started() as restarted:
        assert restarted.calls.meters["hubspot"].standing().ours >= made


def test_a_killed_process_is_counted_a_little_too_high(stage: Stage) -> None:
    stage.cycle()
    stage.installation.calls.meters["hubspot"].enter()
    with stage.started_reading() as looking:
        seen = looking.calls.meters["hubspot"].standing().ours
    assert counted_by(stage, "hubspot") < seen <= counted_by(stage, "hubspot") + STEP


def test_what_was_sent_is_read_back_whatever_is_held_back(stage: Stage) -> None:
    stage.pair({"Phone": "1"}, {"phone": "2"})
    stage.go_live()
    meter = stage.installation.calls.meters["salesforce"]
    before = meter.enter

    def last_call_of_the_day() -> None:
        if meter.lane != "undo" and any(line["system"] == "salesforce" for line in stage.written()):
            raise HeldBack("no calls left", system="salesforce")
        before()

    meter.enter = last_call_of_the_day  # type: ignore[method-assign]
    report = stage.cycle()
    assert (report["written"], report["unknown"]) == (1, 0)


def test_a_vendor_that_says_the_day_is_used_up_is_not_asked_again_at_once(stage: Stage) -> None:
    stage.cycle()
    allow(stage, "hubspot", 1)
    with pytest.raises(Unavailable):
        stage.cycle()
    stage.admin.delete("/counters")
    for _ in range(5):
        with pytest.raises(HeldBack):
            stage.cycle()
        stage.advance(60)
    routes = stage.admin.get("/counters")["systems"].get("hubspot", {"routes": {}})["routes"]
    assert not routes
