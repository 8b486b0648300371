"""Somebody edits between Truce's last look and its write: found afterwards, told, and put back by an undo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flow_stage import Pair, Stage, limits_policy, person_policy

from agent.connector import Write, WriteOutcome
from agent.cycle import pull_all
from agent.events import OVERWRITTEN
from agent.ledger.erasure import Erasure
from agent.overwritten import look, way_back
from agent.records import Record
from agent.reports.timeline import timeline
from agent.reviews.reviews import Review
from agent.versions import Landed
from connectors.hubspot.connector import HubSpot


def before_each_write(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None], times: int = 1) -> None:
    """It happens after Truce's last look and right before its request."""
    plain = HubSpot.write
    left = [times]

    def write(self: HubSpot, writes: list[Write]) -> list[WriteOutcome]:
        if left[0]:
            left[0] -= 1
            happens()
        return plain(self, writes)

    monkeypatch.setattr(HubSpot, "write", write)


def about_to_be_written(stage: Stage) -> Pair:
    """Salesforce says Chair; HubSpot, where nobody was for an hour, says CEO."""
    stage.go_live()
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.advance(3_600)
    stage.edit(pair.contact, Title="Chair")
    return pair


def overwrites(stage: Stage, monkeypatch: pytest.MonkeyPatch, **unseen: str) -> Pair:
    """Salesforce says Chair over HubSpot's CEO; a moment before, a person writes what is ``unseen``."""
    pair = about_to_be_written(stage)
    before_each_write(monkeypatch, lambda: stage.edit(pair.hub, **unseen))
    stage.advance(60)
    stage.cycle()
    return pair


def questions(stage: Stage) -> list[Review]:
    return stage.installation.reviews.list(kind="overwritten")


def test_an_edit_in_the_moments_before_a_write_is_told_with_who_made_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = overwrites(stage, monkeypatch, jobtitle="Founder")
    assert stage.value(pair.hub, "jobtitle") == "Chair"
    (question,) = questions(stage)
    assert "“Founder”" in question.sentence
    assert "“Chair”" in question.sentence
    assert "Kim" in question.sentence
    assert question.refs == (pair.hub,)
    (event,) = stage.installation.ledger.events(kind=OVERWRITTEN)
    assert event.body["value"] == "Founder"
    stage.installation.ledger.verify()


def test_it_is_told_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    overwrites(stage, monkeypatch, jobtitle="Founder")
    (question,) = questions(stage)
    stage.order("review", review=question.id, answer="let it be")
    for _ in range(3):
        stage.advance(60)
        stage.cycle()
    assert questions(stage) == []
    assert len(stage.installation.ledger.events(kind=OVERWRITTEN)) == 1


def test_the_command_it_names_puts_the_unseen_edit_back_and_not_the_value_before(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = overwrites(stage, monkeypatch, jobtitle="Founder")
    (question,) = questions(stage)
    words = way_back(question.topic, pair.hub).split()
    batch, record, field = words[2], words[4], words[6]
    assert words == ["truce", "rollback", batch, "--record", str(pair.hub), "--field", "job_title"]
    stage.rollback(batch, record=record, field=field)
    assert stage.value(pair.hub, "jobtitle") == "Founder"
    for _ in range(3):
        stage.advance(60)
        stage.cycle()
    assert stage.value(pair.hub, "jobtitle") == "Founder", "what was put back stays"
    assert questions(stage) == [], "nobody needs to answer any more"


def test_an_undo_of_everything_since_goes_back_to_the_unseen_edit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = overwrites(stage, monkeypatch, jobtitle="Founder")
    stage.advance(3_600)
    stage.edit(pair.contact, Title="President")
    stage.advance(60)
    stage.cycle()
    assert stage.value(pair.hub, "jobtitle") == "President"
    stage.rollback(policy="person-basics")
    assert stage.value(pair.hub, "jobtitle") == "Founder"


def test_a_field_cleared_unseen_is_told_and_an_undo_clears_it_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = overwrites(stage, monkeypatch, jobtitle="")
    (question,) = questions(stage)
    assert "(blank)" in question.sentence
    stage.rollback(policy="person-basics", record=str(pair.hub))
    assert stage.value(pair.hub, "jobtitle") in (None, "")


@pytest.mark.parametrize("unseen", [{"city": "Bonn"}, {"jobtitle": "Chair"}], ids=["another field", "the same value"])
def test_an_edit_that_nothing_of_was_lost_is_no_question(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, unseen: dict[str, str]
) -> None:
    overwrites(stage, monkeypatch, **unseen)
    assert questions(stage) == []


def test_a_value_that_stands_there_already_is_not_taken_for_what_a_write_made(stage: Stage) -> None:
    """HubSpot keeps no new version of it, so the newest with this value is of another time and has another past."""
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.edit(pair.hub, jobtitle="Chair")
    stage.advance(3_600)
    (record,) = stage.installation.connectors["hubspot"].read([pair.hub], ["jobtitle"])
    assert isinstance(record, Record)
    stage.edit(pair.hub, city="Bonn")
    stage.advance(1)
    (later,) = stage.installation.connectors["hubspot"].read([pair.hub], ["jobtitle"])
    assert isinstance(later, Record)
    written = [Landed(pair.hub, "jobtitle", "Chair", str(each.version)) for each in (record, later)]
    told = stage.installation.connectors["hubspot"].stood_before(written)
    assert {each: version.value for each, version in told.items()} == {written[0]: "CEO"}


def test_there_and_back_in_the_moments_before_is_no_question(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = about_to_be_written(stage)

    def there_and_back() -> None:
        stage.edit(pair.hub, jobtitle="Founder")
        stage.edit(pair.hub, jobtitle="CEO")

    before_each_write(monkeypatch, there_and_back)
    stage.advance(60)
    stage.cycle()
    assert questions(stage) == []


def test_ordinary_edits_before_and_after_a_write_are_no_question(stage: Stage) -> None:
    stage.go_live()
    pair = stage.pair({"Title": "CEO"}, {"jobtitle": "CEO"})
    for title, back in (("Chair", "Boss"), ("President", "CEO")):
        stage.cycle()
        stage.advance(3_600)
        stage.edit(pair.contact, Title=title)
        stage.advance(60)
        stage.cycle()
        stage.edit(pair.hub, jobtitle=back)
        stage.advance(60)
    stage.cycle()
    assert questions(stage) == []
    assert len([line for line in stage.written() if "jobtitle" in line["before"]]) > 2


@pytest.mark.parametrize("how", ["the daily comparison", "the next cycle"])
def test_what_one_look_does_not_reach_the_next_one_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A cycle asks for the histories of fifty records at most, in one call."""
    stage.write_policies(person=person_policy(), limits=limits_policy())
    stage.go_live()
    pairs = stage.pairs(60, {"Title": "CEO"}, {"jobtitle": "CEO"})
    stage.cycle()
    stage.advance(3_600)

    def all_unseen() -> None:
        for pair in pairs:
            stage.edit(pair.hub, jobtitle="Founder")

    for pair in pairs:
        stage.edit(pair.contact, Title="Chair")
    before_each_write(monkeypatch, all_unseen)
    stage.advance(60)
    stage.admin.delete("/counters")
    stage.cycle()
    assert len(questions(stage)) == 50
    routes = stage.admin.get("/counters")["systems"]["hubspot"]["routes"]
    assert routes["POST /crm/v3/objects/{object_type}/batch/read"] == {"200": 2}, "the fresh look, and the histories"
    if how == "the daily comparison":
        pull_all(stage.installation, sweep=True)
    else:
        stage.cycle()
    assert len(questions(stage)) == 60


def test_histories_that_cannot_be_read_are_asked_for_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = about_to_be_written(stage)

    def unseen_and_down() -> None:
        stage.edit(pair.hub, jobtitle="Founder")
        stage.admin.fault(
            system="hubspot", route="/crm/v3/objects/contacts/batch/read", action="status", status=503, times=1
        )

    before_each_write(monkeypatch, unseen_and_down)
    stage.advance(60)
    stage.cycle()
    assert questions(stage) == []
    stage.advance(60)
    stage.cycle()
    assert len(questions(stage)) == 1


def test_the_unseen_edit_of_somebody_forgotten_is_forgotten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = overwrites(stage, monkeypatch, jobtitle="Founder")
    entity = str(stage.installation.crosswalk.entity_of(pair.hub))
    Erasure(stage.installation.ledger).erase(entity, [b"somebody"], "anna@example.com", [str(pair.hub)])
    (event,) = stage.installation.ledger.events(kind=OVERWRITTEN)
    assert event.body == {}
    assert all("Founder" not in moment.what for moment in timeline(stage.installation, str(pair.hub)).moments)
    assert stage.installation.ledger.verify().ok
    look(stage.installation)
    assert questions(stage) == [], "a question without words is over"


def test_the_unseen_edit_is_kept_no_longer_than_values_are(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    overwrites(stage, monkeypatch, jobtitle="Founder")
    stage.advance(60)
    Erasure(stage.installation.ledger).expire(stage.installation.clock(), "truce")
    (event,) = stage.installation.ledger.events(kind=OVERWRITTEN)
    assert event.body == {}
    assert stage.installation.ledger.verify().ok


def test_writes_of_longer_ago_are_not_looked_at(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("agent.cycle.overwritten.look", lambda installation, **more: None)
        overwrites(stage, patch, jobtitle="Founder")
    stage.advance(timedelta(days=8).total_seconds())
    look(stage.installation, everything=True)
    assert questions(stage) == []
