"""The inbox: one standing question per entity and topic, never asked twice in the same words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from recording import START, Watch, open_ledger

from agent.changes import ReviewRequest
from agent.errors import NotFound, UsageError
from agent.ledger.ledger import Ledger
from agent.records import Ref
from agent.reviews.reviews import Reviews

ONE, OTHER = Ref("hubspot", "contacts", "51"), Ref("hubspot", "contacts", "52")
CONFLICT = ReviewRequest(
    "conflict", "person-1", "job_title", "Salesforce says VP, HubSpot says CEO", (ONE,), "a.yaml:17"
)
TWINS = ReviewRequest("duplicate", "person-1", "51=52", "the same e-mail", (ONE, OTHER))


@pytest.fixture
def clock() -> Watch:
    return Watch()


@pytest.fixture
def ledger(tmp_path: Path, clock: Watch) -> Ledger:
    return open_ledger(tmp_path, clock)


@pytest.fixture
def reviews(ledger: Ledger) -> Reviews:
    return Reviews(ledger)


def test_a_question_waits_in_the_inbox(reviews: Reviews) -> None:
    assert reviews.open_or_refresh([CONFLICT, TWINS]) == 2
    first, second = reviews.list()
    assert (first.id, first.kind, first.entity_id, first.topic) == ("R-1", "conflict", "person-1", "job_title")
    assert (first.sentence, first.refs, first.line, first.opened_at) == (CONFLICT.sentence, (ONE,), "a.yaml:17", START)
    assert second.refs == (ONE, OTHER)
    assert [review.id for review in reviews.list(kind="duplicate")] == ["R-2"]
    assert [review.id for review in reviews.list(limit=1)] == ["R-1"]


def test_a_standing_question_is_refreshed_not_stacked(reviews: Reviews, clock: Watch) -> None:
    reviews.open_or_refresh([CONFLICT])
    clock.advance(hours=1)
    assert reviews.open_or_refresh([replace(CONFLICT, sentence="now HubSpot says CTO")]) == 0
    (review,) = reviews.list()
    assert (review.sentence, review.opened_at, review.refreshed_at) == ("now HubSpot says CTO", START, clock.now)


def test_questions_about_an_entity_are_found(reviews: Reviews) -> None:
    reviews.open_or_refresh([CONFLICT, replace(CONFLICT, entity_id="person-2"), replace(TWINS, entity_id="")])
    assert [r.entity_id for r in reviews.open_for(["person-1", "person-3", ""])] == ["person-1", ""]


def test_a_question_that_went_away_is_closed_and_may_come_back(reviews: Reviews, clock: Watch) -> None:
    reviews.open_or_refresh([CONFLICT])
    assert reviews.close("person-1", "job_title")
    assert not reviews.close("person-1", "job_title")
    assert reviews.list() == []
    assert reviews.find("R-1").state == "closed"
    assert reviews.open_or_refresh([CONFLICT]) == 1
    assert [review.id for review in reviews.list()] == ["R-2"]
    assert len(reviews.list(state=None)) == 2


def test_questions_not_asked_again_are_closed(reviews: Reviews) -> None:
    reviews.open_or_refresh([CONFLICT, replace(CONFLICT, topic="phone"), TWINS])
    assert reviews.close_others("person-1", ["phone"], kinds=["conflict"]) == 1
    assert [review.topic for review in reviews.list()] == ["phone", "51=52"]
    assert reviews.close_others("person-1", ["phone"], kinds=["conflict"]) == 0


def test_an_answer_is_kept_with_its_person(reviews: Reviews, ledger: Ledger) -> None:
    reviews.open_or_refresh([CONFLICT])
    answered = reviews.resolve("R-1", "salesforce", "anna")
    assert (answered.state, answered.answer, answered.person, answered.ended_at) == (
        "answered",
        "salesforce",
        "anna",
        START,
    )
    (event,) = ledger.events(kind="review answered")
    assert (event.subject, event.actor, event.body["answer"]) == ("R-1", "anna", "salesforce")
    with pytest.raises(UsageError, match="answered already"):
        reviews.resolve("R-1", "hubspot", "ben")


def test_an_answered_question_is_not_asked_again_in_the_same_words(reviews: Reviews) -> None:
    reviews.open_or_refresh([CONFLICT])
    reviews.resolve("R-1", "leave as it is", "anna")
    assert reviews.open_or_refresh([CONFLICT]) == 0
    assert reviews.list() == []
    assert reviews.open_or_refresh([replace(CONFLICT, sentence="HubSpot says CTO")]) == 1


def test_what_does_not_exist_cannot_be_answered(reviews: Reviews) -> None:
    for name in ("R-1", "1", "B-1"):
        with pytest.raises(NotFound):
            reviews.resolve(name, "x", "anna")


def test_never_is_remembered_for_the_pair(reviews: Reviews) -> None:
    reviews.open_or_refresh([TWINS])
    assert not reviews.is_never_pair(ONE, OTHER)
    reviews.resolve("R-1", "never", "anna")
    assert reviews.is_never_pair(ONE, OTHER)
    assert reviews.is_never_pair(OTHER, ONE)
    assert not reviews.is_never_pair(ONE, OTHER._replace(id="53"))


def test_another_answer_says_nothing_about_the_pair(reviews: Reviews) -> None:
    reviews.open_or_refresh([TWINS])
    reviews.resolve("R-1", "later", "anna")
    assert not reviews.is_never_pair(ONE, OTHER)
