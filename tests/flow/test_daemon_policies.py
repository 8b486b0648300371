"""Policies that change while the daemon runs: whole sets only, the last good one kept, a changed rule proposes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_stage import BROKEN, BROKEN_LINE, LIMITS, POLICY, Bench
from structlog.testing import capture_logs

from agent.changes import Decision
from agent.daemon.daemon import Daemon
from agent.decide import Prepared, decide
from agent.decide.view import View
from agent.errors import PolicyError, Unavailable
from agent.policy_files.policy_files import FolderWatch

OTHER_WINNER = POLICY.replace("jobtitle, wins: salesforce", "jobtitle, wins: hubspot")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def daemon(bench: Bench) -> Iterator[Daemon]:
    """Live and ready."""
    with bench.daemon() as daemon:
        daemon.turn()
        bench.live(daemon.installation)
        yield daemon


def look(daemon: Daemon) -> None:
    """Two glances: a change counts once it stands still."""
    daemon.glance()
    daemon.glance()


def order(daemon: Daemon, kind: str, **body: object) -> dict[str, object]:
    number = daemon.installation.commands.queue(kind, body, "anna@example.com")
    daemon.glance()
    result = daemon.installation.commands.collect(number)
    assert result is not None
    return result


def test_a_broken_set_is_named_and_the_old_one_goes_on(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    bench.write_policy(BROKEN)
    with capture_logs() as log:
        look(daemon)
        look(daemon)
    (line,) = [line for line in log if line["log_level"] == "error"]
    assert line["problems"][0].startswith(f"person.yaml:{BROKEN_LINE}:")
    assert "truce check" in line["next"]
    daemon.turn()
    assert bench.titles() == {"CEO"}
    trouble = daemon.health.policy_trouble
    assert trouble is not None
    assert trouble.problems[0]["line"] == BROKEN_LINE


def test_a_mended_set_is_taken_over_by_itself(bench: Bench, daemon: Daemon) -> None:
    bench.write_policy(BROKEN)
    look(daemon)
    bench.write_policy(POLICY)
    with capture_logs() as log:
        look(daemon)
    assert daemon.health.policy_trouble is None
    assert "policies are sound again" in [line["event"] for line in log]


def test_a_file_still_being_saved_is_not_read(bench: Bench, daemon: Daemon) -> None:
    half = POLICY[: POLICY.index("  job_title")]
    look(daemon)
    for text in (half, half + "  job", POLICY + "# done\n"):
        bench.write_policy(text)
        daemon.glance()
    assert daemon.installation.policy_problem is None
    assert daemon.installation.policies.policies.sources["person.yaml"] == POLICY
    daemon.glance()
    assert daemon.installation.policies.policies.sources["person.yaml"].endswith("# done\n")


def test_truncated_at_any_line_the_policies_decide_as_before_or_are_refused_whole(bench: Bench, daemon: Daemon) -> None:
    lines = POLICY.splitlines(keepends=True)
    for count in range(len(lines)):
        before = daemon.installation.policies
        bench.write_policy("".join(lines[:count]))
        look(daemon)
        assert daemon.installation.policies is before or daemon.installation.policy_problem is None
        assert set(daemon.installation.policies.policies.headers) >= {"limits"}


def test_a_changed_rule_proposes_until_its_plan_is_applied(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(2)
    daemon.turn()
    assert bench.titles() == {"CEO"}
    bench.write_policy(OTHER_WINNER)
    look(daemon)
    for ref in bench.hubspot.rows:
        bench.hubspot.person_edit(ref, {"jobtitle": "Founder"})
    bench.watch.advance(minutes=2)
    daemon.turn()
    assert {row["Title"] for row in bench.salesforce.live("Contact").values()} == {"CEO"}
    assert daemon.health.last_cycle is not None
    assert len(daemon.health.last_cycle.held) == 1
    applied = order(daemon, "apply", plan=order(daemon, "plan")["plan"])
    assert applied["written"] == 2
    bench.hubspot.person_edit(next(iter(bench.hubspot.rows)), {"jobtitle": "Chair"})
    bench.watch.advance(minutes=2)
    daemon.turn()
    assert "Chair" in {row["Title"] for row in bench.salesforce.live("Contact").values()}


def test_a_plan_ordered_right_after_a_change_sees_it(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    bench.write_policy(OTHER_WINNER)
    plan = order(daemon, "plan")
    assert json.dumps(plan["lines"]).count('"system": "salesforce"') == 1


def test_a_plan_ordered_under_broken_policies_is_refused_with_every_mistake(bench: Bench, daemon: Daemon) -> None:
    bench.write_policy(BROKEN)
    error = order(daemon, "plan")["error"]
    assert isinstance(error, dict)
    assert error["kind"] == PolicyError.__name__
    assert error["problems"][0]["line"] == BROKEN_LINE


def test_an_undo_works_under_broken_policies(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(1)
    daemon.turn()
    bench.write_policy(BROKEN)
    (batch,) = daemon.installation.ledger.batches()
    assert order(daemon, "rollback", batches=[batch.id])["written"] == 1
    assert bench.titles() == {"boss"}


def test_a_vendor_that_is_down_when_policies_change_is_not_asked_every_second(bench: Bench, daemon: Daemon) -> None:
    bench.write_policy(POLICY + "# a remark\n")
    bench.salesforce.go_down(error=Unavailable("salesforce is down", system="salesforce"))
    look(daemon)
    asked = bench.salesforce.calls.total()
    for _ in range(10):
        daemon.glance()
    assert bench.salesforce.calls.total() == asked
    daemon.turn()
    assert daemon.installation.policies.policies.sources["person.yaml"].endswith("# a remark\n")


def test_what_was_never_checked_against_the_vendors_is_not_remembered_as_good(bench: Bench) -> None:
    with bench.daemon() as daemon:
        daemon.turn()
    bench.write_policy(POLICY.replace("salesforce: Title", "salesforce: Titel"))
    with bench.open(asks_vendors=False) as installation:
        assert installation.policies.policies.sources["person.yaml"] != POLICY
    with bench.daemon() as daemon:
        daemon.turn()
        assert daemon.health.policy_trouble is not None
        assert daemon.installation.policies.policies.sources["person.yaml"] == POLICY


def test_a_new_file_and_a_removed_one_are_changes(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    watch.remember()
    assert not watch.glance()
    path = tmp_path / "limits.yaml"
    path.write_text(LIMITS, encoding="utf-8")
    assert not watch.glance()
    assert watch.glance()
    watch.remember()
    assert not watch.glance()
    path.unlink()
    assert [watch.glance(), watch.glance()] == [False, True]


def test_the_whole_mirror_is_decided_again_when_a_policy_goes_live(bench: Bench) -> None:
    with bench.daemon() as daemon:
        bench.pairs(3)
        daemon.turn()
        assert bench.titles() == {"boss"}
        _go_live(daemon)
        daemon.turn()
        assert bench.titles() == {"CEO"}


def test_the_whole_mirror_is_decided_again_when_a_changed_policy_was_applied(bench: Bench, daemon: Daemon) -> None:
    bench.pairs(3)
    daemon.turn()
    bench.write_policy(OTHER_WINNER)
    look(daemon)
    applied = order(daemon, "apply", plan=order(daemon, "plan")["plan"])
    assert applied["written"] == 0
    bench.hubspot.person_edit(next(iter(bench.hubspot.rows)), {"jobtitle": "Chair"})
    bench.watch.advance(minutes=2)
    applied = order(daemon, "apply", plan=order(daemon, "plan")["plan"])
    assert applied["written"] == 1
    assert len(daemon.installation.mirror.pending()) == 6
    daemon.turn()
    assert daemon.installation.mirror.pending() == []


def test_deciding_a_large_mirror_gives_way_to_an_order_and_begins_again(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.plan.planner.SLICE", 5)
    bench.pairs(20)
    decided = []

    def count_and_order(view: View, policies: Prepared) -> Decision:
        decided.append(view.entity_id)
        if len(decided) == 7:
            daemon.installation.commands.queue("pause", {"policy": "limits"}, "anna@example.com")
        return decide(view, policies)

    monkeypatch.setattr("agent.plan.planner.decide", count_and_order)
    daemon.turn()
    assert len(decided) == 10
    assert bench.titles() == {"boss"}
    daemon.glance()
    daemon.turn()
    assert bench.titles() == {"CEO"}


def _go_live(daemon: Daemon) -> None:
    header = daemon.installation.policies.policies.headers["person-basics"]
    order(daemon, "go-live", policy=header.name, meaning=header.meaning)
