"""Questions that went away by themselves: a duplicate was merged, a record came back, two sides agree again.

A question that stands keeps Truce away from a record, so one that nobody needs to answer any more must not stay open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from agent.changes import ReviewRequest
from agent.decide.alignment import FIRST_DIFFERENCE
from agent.decide.view import Base
from agent.installation import Installation
from agent.pairing.duplicates import Question, is_converted, judged
from agent.places import entity_type_of
from agent.records import Ref
from agent.reviews.reviews import Review

DECIDED_KINDS = frozenset({"conflict", "unmapped"})
"""Asked anew at every decision, so one that was not asked again is settled."""

UNCLEAR_TOGETHER = "unclear together with a record that changed"


def reconsider(installation: Installation) -> None:
    """Look again at records that were unclear together with a pending one: what changed may tell them apart now."""
    for some in installation.reviews.pages(kind="unclear"):
        pending = installation.mirror.waiting.among(ref for review in some for ref in review.refs)
        beside = {ref for review in some if not pending.isdisjoint(review.refs) for ref in review.refs} - pending
        if beside:
            installation.mirror.pend(beside, UNCLEAR_TOGETHER, installation.clock())


def close_settled(installation: Installation, entities: Collection[str], asked: Collection[Question]) -> None:
    """Close what pairing asked earlier of pending records and touched entities, and would not ask today."""
    touched = set(entities)
    for kind, is_gone in _IS_GONE.items():
        for some in installation.reviews.pages(kind=kind):
            pending = installation.mirror.waiting.among(ref for review in some for ref in review.refs)
            for review in some:
                is_touched = review.entity_id in touched or not pending.isdisjoint(review.refs)
                if is_touched and (review.entity_id, review.topic) not in asked and is_gone(installation, review):
                    installation.reviews.close(review.entity_id, review.topic)


def suspected(installation: Installation) -> list[Review]:
    """Suspected duplicates that were asked about earlier and are to be compared again: one of the two has changed."""
    return [
        review
        for some in installation.reviews.pages(kind="duplicate")
        for fresh in [installation.mirror.comparing.fresh(ref for review in some for ref in review.refs)]
        for review in some
        if not fresh.isdisjoint(review.refs)
    ]


def close_unsuspected(installation: Installation, suspected: Iterable[Review], asked: Collection[Question]) -> None:
    """Close what is no suspicion any more."""
    for review in suspected:
        if (review.entity_id, review.topic) not in asked and _is_no_duplicate(installation, review):
            installation.reviews.close(review.entity_id, review.topic)


def close_decided(installation: Installation, entities: Collection[str], asked: Sequence[ReviewRequest]) -> None:
    """Close what deciding asked earlier of these entities and did not ask again."""
    again = {(request.entity_id, request.topic) for request in asked}
    for review in _open(installation, DECIDED_KINDS):
        if review.entity_id in entities and (review.entity_id, review.topic) not in again:
            installation.reviews.close(review.entity_id, review.topic)


def close_aligned(installation: Installation, entities: Collection[str]) -> None:
    """Close questions about first differences that are none any more: somebody wrote, or both sides agree."""
    for review in _open(installation, (FIRST_DIFFERENCE,)):
        if review.entity_id in entities and _has_moved_on(installation, review):
            installation.reviews.close(review.entity_id, review.topic)


def _open(installation: Installation, kinds: Iterable[str]) -> Iterator[Review]:
    return (review for kind in sorted(kinds) for some in installation.reviews.pages(kind=kind) for review in some)


def _has_moved_on(installation: Installation, review: Review) -> bool:
    field = review.topic.partition(":")[2]
    base = installation.mirror.bases([review.entity_id]).get(review.entity_id, {}).get(field)
    if base is None or base.entry is not None:
        return True
    here, there = (_meaning(installation, review, ref, field, base) for ref in review.refs)
    return here is not None and here == there


def _meaning(installation: Installation, review: Review, ref: Ref, field: str, base: Base) -> frozenset[str] | None:
    readers = installation.policies.readers(entity_type_of(review.entity_id), ref.system, ref.object_type)
    reader = readers.get(field)
    return reader.codec.read(ref.system, base.values.get(ref.system)).forms if reader is not None else None


def _is_clear(installation: Installation, review: Review) -> bool:
    """All of its records were placed again in this pass, and nobody had to ask."""
    return True


def _is_no_duplicate(installation: Installation, review: Review) -> bool:
    """One of the two is gone or was converted, or no line calls them the same any more."""
    records = installation.mirror.records(review.refs)
    if any(ref not in records or is_converted(installation, records[ref]) for ref in review.refs):
        return True
    entities = {installation.crosswalk.entity_of(ref) for ref in review.refs}
    here, there = (records[ref] for ref in review.refs)
    return len(entities) > 1 and judged(installation, here, there) is None


def _is_back(installation: Installation, review: Review) -> bool:
    """The entity has an active record on that side again."""
    system = review.refs[0].system
    links = installation.crosswalk.members([review.entity_id]).get(review.entity_id, ())
    return any(link.ref.system == system and link.role == "active" and link.state == "linked" for link in links)


def _is_any_gone(installation: Installation, review: Review) -> bool:
    return any(installation.mirror.is_deleted(ref) for ref in review.refs)


def _is_all_gone(installation: Installation, review: Review) -> bool:
    """The other CRM has erased or deleted the person too."""
    links = installation.crosswalk.members([review.entity_id]).get(review.entity_id, ())
    return not installation.mirror.living(link.ref for link in links)


_IS_GONE: Mapping[str, Callable[[Installation, Review], bool]] = {
    "unclear": _is_clear,
    "lost": _is_back,
    "converted": _is_any_gone,
    "erased": _is_all_gone,
}
