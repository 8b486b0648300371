"""Answers that people give to questions; each has the shape of ``agent.orders.orders``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent import apply, cycle
from agent.errors import UsageError
from agent.installation import Installation
from agent.reviews import answers as review_answers
from agent.reviews.reviews import Review
from agent.words import counted

Body = Mapping[str, Any]
Result = dict[str, Any]


def answer_review(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    done = _answered(installation, installation.reviews.find(body["review"]), body["answer"], actor)
    return {"review": body["review"], "answer": body["answer"], "by": actor, "done": done}


def answer_reviews(installation: Installation, body: Body, actor: str, progress: apply.Progress) -> Result:
    """One answer to every open question of a kind and policy line; ``count`` is how many the person was shown."""
    wanted = [each for each in installation.reviews.list(kind=body["about"]) if each.line == body["line"]]
    if len(wanted) != body["count"]:
        raise UsageError(
            f"open there: {counted(len(wanted), 'question')}, not {body['count']}",
            why="an answer for many counts for exactly those that were shown",
            next_step=f"truce review --kind {body['about']} --line {body['line'] or 'none'}",
        )
    for position, review in enumerate(wanted):
        _answered(installation, review, body["answer"], actor)
        progress(position + 1, len(wanted))
    return {"answered": len(wanted), "answer": body["answer"], "by": actor}


def _answered(installation: Installation, review: Review, answer: str, actor: str) -> str:
    """Done before it is noted: a crash between the two leaves a question whose answer is done already."""
    entities = {installation.crosswalk.entity_of(ref) for ref in review.refs} | {review.entity_id}
    cycle.decide_again(installation, [name for name in entities if name], "answered")
    done = review_answers.carry_out(installation, review, answer, actor) if review.state == "open" else ""
    installation.reviews.resolve(review.id, answer, actor)
    return done


REVIEW_ORDERS = {"review": answer_review, "review-many": answer_reviews}
