"""Whatever is asked about one record takes its name too: deals and companies have no e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deal_stage import DealStage
from policy_stage import acting, shipped

from agent.errors import NotFound, UsageError
from agent.reports import explain
from agent.reports.finding import find_records
from agent.reports.timeline import timeline
from connectors.emulator.serve import Emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path) -> Iterator[DealStage]:
    with DealStage(emulator, tmp_path, acting(shipped())) as stage:
        yield stage


def test_why_and_timeline_find_a_deal_by_its_name(stage: DealStage) -> None:
    opportunity = stage.opportunity("Acme Renewal")
    stage.cycle()
    deal = stage.only("hubspot", "deals")
    (story,) = explain.why(stage.installation, "acme  renewal", "amount")
    assert (story.name, set(story.refs)) == ("Acme Renewal", {opportunity, deal})
    assert set(timeline(stage.installation, "Acme Renewal").refs) == {opportunity, deal}


def test_a_company_is_found_by_its_name_in_one_crm(stage: DealStage) -> None:
    account, _ = stage.companies("Acme")["Acme"]
    stage.cycle()
    assert account in {record.ref for record in find_records(stage.installation, "Acme")}


def test_of_several_with_that_name_none_is_guessed(stage: DealStage) -> None:
    made = stage.companies("Acme", "Globex")
    for name in made:
        stage.opportunity("Renewal", AccountId=made[name][0].id)
    stage.cycle()
    with pytest.raises(UsageError, match="2 things are called Renewal") as refused:
        explain.why(stage.installation, "Renewal")
    assert len(refused.value.where.split(", ")) == 2
    assert refused.value.next_step.startswith("the same command with a reference, such as ")


def test_a_name_that_is_not_quite_right_is_answered_with_those_like_it(stage: DealStage) -> None:
    stage.opportunity("Acme Renewal")
    stage.cycle()
    with pytest.raises(NotFound, match="no record answers to Renewal") as refused:
        find_records(stage.installation, "Renewal")
    assert "Did you mean “Acme Renewal”?" in refused.value.why
    with pytest.raises(NotFound) as mistyped:
        find_records(stage.installation, "Acme Renewla")
    assert "Did you mean `Acme Renewal`?" in mistyped.value.why
