"""Mode is a ceiling for everything, meaning is what is approved, and a typed count lifts volume alone."""

from __future__ import annotations

import pytest
from flow_stage import HEADER, Stage, limits_policy, person_policy

from agent.errors import ApprovalNeeded

TITLES = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce}
"""


@pytest.fixture
def titles(stage: Stage) -> Stage:
    stage.write_policies(person=person_policy(fields=TITLES))
    return stage


def is_nothing_written(stage: Stage, since: int) -> bool:
    return stage.written(since) == []


class TestCeiling:
    @pytest.fixture
    def waiting(self, titles: Stage) -> str:
        """A batch that waits for approval."""
        titles.write_policies(person=person_policy(mode="ask", fields=TITLES))
        titles.pair({"Title": "VP"})
        (held,) = titles.cycle()["held"]
        return str(held)

    def test_an_approval_writes_nothing_while_everything_only_watches(self, titles: Stage, waiting: str) -> None:
        titles.order("mode", mode="watch")
        mark = titles.mark()
        with pytest.raises(ApprovalNeeded) as refused:
            titles.approve(waiting)
        assert refused.value.what == f"person-basics only watches, so {waiting} is not written"
        assert is_nothing_written(titles, mark)
        titles.order("mode", mode="ask")
        assert titles.approve(waiting)["written"] == 1

    def test_a_plan_of_a_paused_policy_says_so(self, titles: Stage, waiting: str) -> None:
        titles.order("pause", policy="person-basics")
        assert titles.plan()["refused_reasons"] == ["person-basics is paused"]
        titles.order("resume", policy="person-basics")
        assert titles.plan()["refused_reasons"] == []

    def test_an_approval_writes_nothing_of_a_policy_that_only_watches_now(self, titles: Stage, waiting: str) -> None:
        titles.write_policies(person=person_policy(mode="watch", fields=TITLES))
        mark = titles.mark()
        with pytest.raises(ApprovalNeeded, match="only watches"):
            titles.approve(waiting)
        assert is_nothing_written(titles, mark)

    def test_an_expired_policy_writes_nothing_by_plan_cycle_or_approval(self, titles: Stage, waiting: str) -> None:
        text = person_policy(fields=TITLES).replace(HEADER, f"{HEADER}expires: 2026-01-31\n")
        titles.write_policies(person=text)
        titles.go_live()
        mark = titles.mark()
        titles.cycle()
        assert titles.apply()["written"] == 0
        assert is_nothing_written(titles, mark)

    def test_a_plan_made_before_writes_nothing_once_everything_only_watches(self, titles: Stage) -> None:
        titles.pair({"Title": "VP"})
        plan = titles.plan()
        titles.order("mode", mode="watch")
        mark = titles.mark()
        with pytest.raises(ApprovalNeeded, match="nothing was written"):
            titles.apply(plan, confirm=1)
        assert is_nothing_written(titles, mark)

    def test_the_installation_asks_though_a_live_policy_may_act(self, titles: Stage) -> None:
        titles.go_live()
        titles.order("mode", mode="ask")
        titles.pair({"Title": "VP"})
        mark = titles.mark()
        assert len(titles.cycle()["held"]) == 1
        assert is_nothing_written(titles, mark)


class TestMeaning:
    def test_comments_purpose_and_dates_do_not_count(self, titles: Stage) -> None:
        titles.go_live()
        text = (
            person_policy(fields=TITLES).replace("2027-03-01", "2028-03-01").replace("Both CRMs agree", "Other words")
        )
        titles.write_policies(person=f"# a comment\n{text}")
        pair = titles.pair({"Title": "VP"})
        titles.cycle()
        assert titles.value(pair.hub, "jobtitle") == "VP"

    def test_a_changed_rule_with_nothing_to_write_acts_after_its_empty_plan(self, titles: Stage) -> None:
        titles.go_live()
        titles.write_policies(person=person_policy(fields=TITLES.replace("wins: salesforce}", "wins: hubspot}")))
        assert titles.plan()["changes"] == 0
        titles.apply()
        pair = titles.pair({"Title": "VP"}, {"jobtitle": "Boss"})
        titles.cycle()
        assert titles.value(pair.contact, "Title") == "Boss"

    def test_a_plan_of_another_policy_approves_no_meaning(self, titles: Stage) -> None:
        titles.go_live()
        titles.write_policies(person=person_policy(fields=TITLES.replace("wins: salesforce}", "wins: hubspot}")))
        titles.apply(titles.plan("sales-team"))
        pair = titles.pair({"Title": "VP"}, {"jobtitle": "Boss"})
        titles.cycle()
        assert titles.value(pair.contact, "Title") == "VP"


def test_a_typed_count_lifts_volume_and_never_meaning(titles: Stage) -> None:
    fields = TITLES.replace("wins: salesforce}", "wins: salesforce, may_clear: true}")
    titles.write_policies(
        person=person_policy(fields=fields), limits=limits_policy(batch="{records: 1}", day="{blanks: 0}")
    )
    first, second, third = titles.pairs(3, {"Title": "VP"}, {"jobtitle": "VP"})
    titles.cycle()
    titles.edit(first.contact, Title="CEO")
    titles.edit(second.contact, Title="CTO")
    titles.edit(third.contact, Title=None)
    titles.advance(700)
    plan = titles.plan()
    result = titles.apply(plan, confirm=plan["changes"])
    assert result["written"] == 2
    assert titles.value(third.hub, "jobtitle") == "VP"
