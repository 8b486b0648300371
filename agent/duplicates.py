"""Suspected duplicates of the records at hand: certain lines only, and only as a question for a person."""

from __future__ import annotations

from collections.abc import Sequence

from agent.changes import ReviewRequest
from agent.decide.match import dedupe_keys, judge_pair
from agent.decide.policy import DedupePolicy, EntityType
from agent.installation import Installation
from agent.records import Record, Ref

MOST_CANDIDATES = 50
"""A value shared by more records than this is a placeholder (a switchboard, 1 January), not a person."""


def suspects(installation: Installation, entity_type: EntityType, refs: Sequence[Ref]) -> list[ReviewRequest]:
    """One review request per pair of records of one system that a dedupe line calls the same."""
    found: dict[tuple[Ref, Ref], ReviewRequest] = {}
    policies = [policy for policy in installation.policies.policies.dedupe if policy.about == entity_type.name]
    for policy in policies:
        for record in installation.mirror.records(refs).values():
            for other in _candidates(installation, entity_type, policy, record):
                pair = _ordered(record.ref, other.ref)
                if pair in found or installation.reviews.is_never_pair(*pair):
                    continue
                request = _request(installation, policy, record, other)
                if request is not None:
                    found[pair] = request
    return list(found.values())


def _candidates(
    installation: Installation, entity_type: EntityType, policy: DedupePolicy, record: Record
) -> list[Record]:
    """Live records of the same system sharing an equality part of some line: those parts are the index."""
    refs: set[Ref] = set()
    for kind, value in dedupe_keys(record, policy, installation.policies.policies):
        for object_type in entity_type.records.get(record.ref.system, ()):
            shared = installation.mirror.by_key(record.ref.system, object_type, kind, value)
            if len(shared) <= MOST_CANDIDATES:
                refs.update(shared)
    refs.discard(record.ref)
    return list(installation.mirror.records(sorted(refs)).values())


def _request(installation: Installation, policy: DedupePolicy, record: Record, other: Record) -> ReviewRequest | None:
    judged = judge_pair(record, other, policy, installation.policies.policies)
    if judged is None or judged.certainty != "certain":
        return None
    pair = _ordered(record.ref, other.ref)
    entity_id = installation.crosswalk.entity_of(record.ref) or ""
    names = " and ".join(
        f"{installation.display_name(item)} ({item.ref})" for item in sorted((record, other), key=lambda item: item.ref)
    )
    return ReviewRequest(
        "duplicate", entity_id, f"{pair[0]}={pair[1]}", f"{names}: {judged.sentence}", pair, str(judged.place)
    )


def _ordered(here: Ref, there: Ref) -> tuple[Ref, Ref]:
    return (here, there) if here < there else (there, here)
