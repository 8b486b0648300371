"""First differences through the real clients: counted in groups, decided by people, written in slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flow_stage import ANNA, Stage, person_policy

from agent.errors import UsageError
from agent.orders.orders import carry_out
from agent.records import Ref


@pytest.fixture
def met(stage: Stage) -> Stage:
    """Two filled CRMs that never met: 30 job titles differ, 2 are blank in HubSpot, 1 is only written otherwise."""
    stage.write_policies(person=person_policy(mode="ask", first_time="ask"))
    stage.pairs(30, {"Title": "CEO"}, {"jobtitle": "CFO"})
    stage.pairs(2, {"Title": "CEO"}, {})
    stage.pair({"Title": "VP Sales"}, {"jobtitle": "vp  sales"})
    return stage


def groups(stage: Stage) -> dict[str, dict[str, Any]]:
    """{pattern of job_title: group}."""
    found = stage.order("align")["groups"]
    return {group["pattern"]: group for group in found if group["field"] == "job_title"}


def decide(stage: Stage, pattern: str, decision: str) -> None:
    stage.order("align-decide", policy="person-basics", field="job_title", pattern=pattern, decision=decision)


def test_differences_are_counted_in_groups_with_what_the_policy_suggests(met: Stage) -> None:
    found = groups(met)
    assert {pattern: (group["count"], group["suggested"]) for pattern, group in found.items()} == {
        "different": (30, "ask"),
        "blank in hubspot": (2, "fill"),
        "spelling": (1, "salesforce"),
    }
    assert met.written() == []


def test_each_slice_is_a_batch_and_is_undone_alone(met: Stage) -> None:
    groups(met)
    decide(met, "different", "salesforce")
    result = met.order("align-apply")
    assert len(result["batches"]) == 2
    assert [sum(met.states(batch).values()) for batch in result["batches"]] == [25, 5]
    met.rollback(result["batches"][1])
    titles = [met.value(Ref("hubspot", "contacts", one), "jobtitle") for one in met.ids("hubspot", "contacts")]
    assert titles.count("CFO") == 5
    assert titles.count("CEO") == 25


def test_what_is_left_stays_quiet_until_somebody_changes_it(met: Stage) -> None:
    groups(met)
    decide(met, "different", "leave")
    result = met.order("align-apply")
    assert (result["left"], result["written"]) == (30, 0)
    assert "different" not in groups(met)
    assert all(line["field"] != "job_title" or line["records"] < 30 for line in met.plan()["lines"])


def test_what_is_asked_opens_one_question_each_and_they_stay_open(met: Stage) -> None:
    groups(met)
    decide(met, "different", "ask")
    assert met.order("align-apply")["asked"] == 30
    met.cycle()
    met.plan()
    asked = met.installation.reviews.list(kind="first difference")
    assert len(asked) == 30
    for ref in asked[0].refs:
        met.edit(ref, **{"Title" if ref.system == "salesforce" else "jobtitle": "Chair"})
    met.cycle()
    assert len(met.installation.reviews.list(kind="first difference")) == 29


def test_filling_writes_only_the_blank_side(met: Stage) -> None:
    groups(met)
    decide(met, "blank in hubspot", "fill")
    mark = met.mark()
    assert met.order("align-apply")["written"] == 2
    assert {line["system"] for line in met.written(mark)} == {"hubspot"}


def test_a_decision_for_another_wording_of_the_rule_does_not_count(met: Stage) -> None:
    groups(met)
    decide(met, "different", "salesforce")
    text = person_policy(mode="ask", first_time="ask").replace("wins: salesforce unless blank", "wins: hubspot")
    met.write_policies(person=text)
    assert groups(met)["different"]["decision"] is None


def test_a_decision_that_cannot_be_is_refused_with_what_can(met: Stage) -> None:
    groups(met)
    for pattern, decision in (("different", "fill"), ("blank in hubspot", "hubspot"), ("diferent", "leave")):
        with pytest.raises(UsageError) as refused:
            decide(met, pattern, decision)
        assert refused.value.next_step == "truce align"


def test_running_it_again_goes_on_with_what_is_left(met: Stage) -> None:
    groups(met)
    decide(met, "different", "salesforce")
    met.admin.fault(system="hubspot", method="POST", route="*/batch/update", nth=2, action="status", status=500)
    first = met.order("align-apply")
    met.advance(120)
    met.cycle()
    met.order("align-apply")
    assert first["written"] < 30
    assert "different" not in groups(met)


def test_an_interrupted_slice_is_finished_and_nothing_counts_as_changed_meanwhile(met: Stage) -> None:
    groups(met)
    decide(met, "different", "salesforce")
    mark = met.mark()
    met.interrupt("align-apply")
    done = met.order("align-apply")
    assert (len(done["resumed"]), done["drifted"]) == (1, 0)
    assert [batch.state for batch in met.installation.ledger.batches()] == ["done"] * 2
    assert len(met.written(mark)) == 30, "each difference was written once"


def test_every_difference_can_be_listed(met: Stage, tmp_path: Path) -> None:
    met.order("align", lists=str(tmp_path / "lists"))
    text = (tmp_path / "lists" / "person-basics-job_title-different.csv").read_text(encoding="utf-8-sig")
    assert len(text.splitlines()) == 31
    assert ANNA not in text


def test_before_it_writes_it_counts_and_then_tells_how_many_records_are_written(met: Stage) -> None:
    met.order("align")
    met.order("align-suggested")
    told: list[tuple[str, int, int]] = []
    written = carry_out(
        met.installation,
        "align-apply",
        {},
        ANNA,
        lambda done, total: told.append((met.installation.doing, done, total)),
    )
    assert told[0] == ("counting what to write, in pairs", 0, 33)
    assert {doing for doing, _, _ in told[1:]} == {"writing records"}
    assert told[-1][1] == written["written"] == told[-1][2]


@pytest.mark.parametrize("kind", ["align", "plan"])
def test_reading_says_how_many_are_here_and_comparing_how_far_it_is(met: Stage, kind: str) -> None:
    told: list[tuple[int, int]] = []
    carry_out(met.installation, kind, {}, ANNA, lambda done, total: told.append((done, total)))
    assert (met.installation.mirror.population(), 0) in told
    assert told[-1] == (0, 33)


STRANGER = "zoe"


@pytest.fixture
def owned(stage: Stage) -> Stage:
    """Three people whose owner works in both CRMs, two whose owner is nobody in HubSpot; there all have none."""
    stage.write_policies(person=person_policy(mode="ask", first_time="ask"))
    stage.admin.post("/users", system="salesforce", add={"login": STRANGER, "email": f"{STRANGER}@example.com"})
    nobody = {"hubspot_owner_id": None}
    stage.pairs(3, {"OwnerId": stage.owner("salesforce", "anna")}, nobody)
    stage.pairs(2, {"OwnerId": stage.owner("salesforce", STRANGER)}, nobody)
    return stage


def owner_groups(stage: Stage) -> dict[str, tuple[int, str, list[str]]]:
    found = stage.order("align")["groups"]
    return {
        group["pattern"]: (group["count"], group["suggested"], [each["reason"] for each in group["because"]])
        for group in found
        if group["field"] == "owner"
    }


def test_an_owner_who_is_nobody_in_the_other_crm_is_suggested_to_be_left_and_why(owned: Stage) -> None:
    assert owner_groups(owned) == {
        "blank in hubspot": (3, "fill", []),
        "cannot fill hubspot": (2, "leave", [f"{STRANGER}@example.com is not an owner in HubSpot"]),
    }


def test_as_suggested_every_owner_that_can_be_is_filled_and_nothing_is_impossible(owned: Stage) -> None:
    owned.order("align")
    owned.order("align-suggested")
    result = owned.order("align-apply")
    assert (result["written"], result["impossible"], result["problems"]) == (3, [], [])
    people = [Ref("hubspot", "contacts", one) for one in owned.ids("hubspot", "contacts")]
    owners = [owned.value(person, "hubspot_owner_id") for person in people]
    assert sorted(str(each) for each in owners if each) == [owned.owner("hubspot", "anna")] * 3
    assert owner_groups(owned) == {}


def test_what_cannot_be_filled_cannot_be_decided_to_be(owned: Stage) -> None:
    with pytest.raises(UsageError, match="cannot be decided"):
        owned.order(
            "align-decide", policy="person-basics", field="owner", pattern="cannot fill hubspot", decision="fill"
        )
