"""What one cycle asks the vendors: nothing that is not needed."""

from __future__ import annotations

from typing import Any

from flow_stage import Stage


def asked(stage: Stage) -> dict[str, int]:
    """{route: calls} of one cycle, both systems together."""
    stage.admin.delete("/counters")
    stage.cycle()
    systems: dict[str, Any] = stage.admin.get("/counters")["systems"]
    return {route: sum(by_status.values()) for side in systems.values() for route, by_status in side["routes"].items()}


def test_a_cycle_with_nothing_to_decide_asks_salesforce_once_and_for_no_owners(stage: Stage) -> None:
    stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.advance(3_600)
    stage.cycle()
    assert asked(stage) == {
        "GET /account-info/v3/details": 1,
        "POST /crm/v3/objects/{object_type}/search": 1,
        "GET /services/data": 1,
        "POST /services/data/{version}/composite": 1,
    }


def test_whoever_decides_knows_todays_owners(stage: Stage) -> None:
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.edit(pair.contact, Title="Chair")
    assert asked(stage)["GET /crm/v3/owners"] == 2, "active ones and archived ones"


def test_an_hour_of_idle_minutes_costs_salesforce_sixty_calls(stage: Stage) -> None:
    """Descriptions of its objects, looked at every quarter of an hour, come along with the question what changed."""
    stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.advance(3_600)
    stage.cycle()
    stage.admin.delete("/counters")
    for _ in range(60):
        stage.advance(60)
        stage.cycle()
    routes = stage.admin.get("/counters")["systems"]["salesforce"]["routes"]
    assert {route: sum(by_status.values()) for route, by_status in routes.items()} == {
        "GET /services/data": 60,
        "POST /services/data/{version}/composite": 60,
    }
