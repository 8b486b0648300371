"""Suspected duplicates of the records at hand, certain or likely: each one question for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from agent.changes import ReviewRequest
from agent.decide.match import MOST_CANDIDATES, Judgement, equality_kinds, judge_pair
from agent.decide.policy import DedupePolicy, EntityType
from agent.installation import Installation
from agent.records import Record, Ref

SLICE = 500
"""Records compared at a time, each with up to so many others: many people share a name."""


def suspects(installation: Installation, entity_type: EntityType, refs: Sequence[Ref]) -> list[ReviewRequest]:
    """One review request per pair of records of one system that a line calls the same.

    The equality parts of the lines are the index: who shares none of them is never compared.
    """
    found: dict[tuple[Ref, Ref], ReviewRequest] = {}
    at_hand = set(refs)
    for policy in installation.policies.policies.dedupe:
        if policy.about != entity_type.name:
            continue
        for start in range(0, len(refs), SLICE):
            installation.give_way("looking for duplicates")
            for record, other in _sharing(installation, entity_type, policy, refs[start : start + SLICE], at_hand):
                pair = _ordered(record.ref, other.ref)
                request = None if pair in found else _request(installation, policy, record, other)
                if request is not None and not installation.reviews.is_never_pair(*pair):
                    found[pair] = request
    return list(found.values())


def _sharing(
    installation: Installation,
    entity_type: EntityType,
    policy: DedupePolicy,
    refs: Sequence[Ref],
    at_hand: Collection[Ref],
) -> Iterator[tuple[Record, Record]]:
    """Pairs of live records of one system, the first of them among ``refs``, that share an equality part and are not
    one entity already (as a Lead beside its Contact: that question was asked then).

    Two that are both ``at_hand`` meet once, at the lower of them.
    """
    shared: dict[Ref, list[Ref]] = {}
    for system, object_types in entity_type.records.items():
        ours = [ref for ref in refs if ref.system == system]
        shared |= installation.mirror.sharing(ours, object_types, equality_kinds(policy), MOST_CANDIDATES)
    involved = {*shared, *(other for others in shared.values() for other in others)}
    records = _standing(installation, involved)
    entities = installation.crosswalk.entities_of(involved)
    for ref in refs:
        for other in shared.get(ref, ()) if ref in records else ():
            is_met_later = other < ref and other in at_hand
            is_one = ref in entities and entities[ref] == entities.get(other)
            if other in records and not is_met_later and not is_one:
                yield records[ref], records[other]


def judged(installation: Installation, record: Record, other: Record) -> Judgement | None:
    """What the first dedupe policy says that calls two records of one system the same; None when none does."""
    policies = installation.policies.policies.dedupe
    found = (judge_pair(record, other, policy, installation.policies) for policy in policies)
    return next((judgement for judgement in found if judgement is not None), None)


def is_converted(installation: Installation, record: Record) -> bool:
    """A converted Lead lives on as its Contact; it is nobody's duplicate."""
    conversion = installation.connectors[record.ref.system].capabilities.conversions.get(record.ref.object_type)
    return conversion is not None and record.fields.get(conversion.flag) is True


def _standing(installation: Installation, refs: Iterable[Ref]) -> dict[Ref, Record]:
    records = installation.mirror.records(refs)
    return {ref: record for ref, record in records.items() if not is_converted(installation, record)}


def _request(installation: Installation, policy: DedupePolicy, record: Record, other: Record) -> ReviewRequest | None:
    judged = judge_pair(record, other, policy, installation.policies)
    if judged is None:
        return None
    pair = _ordered(record.ref, other.ref)
    entity_id = installation.crosswalk.entity_of(pair[0]) or ""
    names = " and ".join(
        f"{installation.display_name(item)} ({item.ref})" for item in sorted((record, other), key=lambda item: item.ref)
    )
    return ReviewRequest(
        "duplicate", entity_id, pair_topic(*pair), f"{names}: {judged.sentence}", pair, str(judged.place)
    )


def pair_topic(one: Ref, other: Ref) -> str:
    """The topic of the one question about two records."""
    first, second = _ordered(one, other)
    return f"{first}={second}"


def _ordered(here: Ref, there: Ref) -> tuple[Ref, Ref]:
    return (here, there) if here < there else (there, here)
