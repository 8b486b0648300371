"""The same work on every version of HubSpot's API, and not one request to another version's address."""

from __future__ import annotations

import re

import pytest
from flow_stage import Stage, person_policy

from agent import cycle
from agent.records import Ref

VERSIONED = re.compile(r"/(v\d|20\d\d-\d\d)(?:/|$)")


@pytest.fixture(params=["v3", "2026-03", "2026-09"])
def stage(stage: Stage, request: pytest.FixtureRequest) -> Stage:
    stage.hubspot_version = request.param
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"))
    return stage


def versions_asked(stage: Stage) -> set[str]:
    lines = stage.admin.get("/journal?since=0")
    found = (VERSIONED.search(line["path"]) for line in lines if line["system"] == "hubspot")
    return {match.group(1) for match in found if match}


def test_creates_updates_opt_outs_undo_and_sweep_work_on_each_version(stage: Stage) -> None:
    contact = Ref("salesforce", "Contact", stage.make_contact(Email="ann@acme.example", Title="CEO"))
    pair = stage.pair({"Title": "COO"}, {"jobtitle": "Boss"})
    stage.advance(60)
    first = stage.apply()["batch"]
    made = next(ref for ref in stage.ids("hubspot", "contacts") if ref != pair.hubspot)
    assert stage.value(Ref("hubspot", "contacts", made), "jobtitle") == "CEO"
    assert stage.value(pair.hub, "jobtitle") == "COO"
    stage.go_live()
    stage.edit(contact, Title="CFO")
    stage.advance(700)
    stage.cycle()
    assert stage.value(Ref("hubspot", "contacts", made), "jobtitle") == "CFO"
    cycle.pull_all(stage.installation, sweep=True)
    stage.advance(700)
    assert stage.preview(first)["restore"] >= 1
    stage.rollback(first)
    assert stage.value(pair.hub, "jobtitle") == "Boss"
    expected = {"v3": {"v3", "v4"}, "2026-03": {"2026-03"}, "2026-09": {"2026-09"}}[stage.hubspot_version]
    assert versions_asked(stage) <= expected


def test_a_rule_that_only_the_newest_version_enforces_is_told_in_words(stage: Stage) -> None:
    stage.admin.post("/settings", system="hubspot", name="required_properties", value={"contacts": ["company"]})
    stage.make_contact(Email="ann@acme.example", Title="CEO")
    stage.advance(60)
    batch = stage.apply()["batch"]
    [entry] = stage.installation.ledger.entries(batch_id=batch)
    if stage.hubspot_version == "2026-09":
        assert entry.state == "failed"
        assert "HubSpot demands a value here (company)" in (entry.error or "")
    else:
        assert entry.state == "confirmed"
