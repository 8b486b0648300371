"""Suspected duplicates of the records at hand, certain or likely: each one question for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from agent.apply import Progress, silent
from agent.changes import ReviewRequest
from agent.decide.match import MOST_CANDIDATES, Judge, Judgement, equality_kinds, judge_pair
from agent.decide.policy import DedupePolicy, EntityType
from agent.installation import Installation
from agent.mirror.comparing import Group
from agent.records import Record, Ref

SLICE = 1000
"""Records held at a time to be compared with each other."""

Question = tuple[str, str]
"""(entity, topic)."""


def expect_rules(installation: Installation) -> None:
    """Whoever is pending is compared again when what makes two records the same was changed."""
    policies = installation.policies.policies
    for entity_type in policies.entity_types.values():
        rules = policies.keys_revision(entity_type.name)
        installation.mirror.comparing.expect(entity_type.name, rules, entity_type.records.items())


def ask(installation: Installation, entity_type: EntityType, progress: Progress = silent) -> set[Question]:
    """One question per pair of records of one system that a line calls the same; whoever is pending is compared once.

    The equality parts of the lines are the index: who shares none of them is never compared. Questions of some records
    are on the disk before these count as compared, so a pass that was interrupted goes on where it stopped.
    """
    comparing, asked = installation.mirror.comparing, set[Question]()
    policies = [policy for policy in installation.policies.policies.dedupe if policy.about == entity_type.name]
    kinds = list(dict.fromkeys(kind for policy in policies for kind in equality_kinds(policy)))
    places = list(entity_type.records.items()) if kinds else []
    total = sum(comparing.count(place) for place in places)
    done = 0
    for place in places:
        for count, groups in comparing.groups(place, kinds, MOST_CANDIDATES):
            installation.give_way("looking for duplicates of records")
            for some in _some_at_a_time(groups):
                requests = _requests(installation, policies, some)
                installation.reviews.open_or_refresh(requests)
                asked.update((request.entity_id, request.topic) for request in requests)
            done += count
            progress(done, total)
    return asked


def _some_at_a_time(groups: Sequence[Group]) -> Iterator[list[Group]]:
    some: list[Group] = []
    held = 0
    for group in groups:
        if some and held + len(group.refs) > SLICE:
            yield some
            some, held = [], 0
        some.append(group)
        held += len(group.refs)
    if some:
        yield some


def _requests(
    installation: Installation, policies: Sequence[DedupePolicy], groups: Sequence[Group]
) -> list[ReviewRequest]:
    """What is to be asked about these groups. Of two policies that call a pair the same, the first one's line is told.

    Two that are one entity already are left out (as a Lead beside its Contact: that question was asked then).
    """
    involved = {ref for group in groups for ref in group.refs}
    records = _standing(installation, involved)
    entities = installation.crosswalk.entities_of(involved)
    found: dict[tuple[Ref, Ref], ReviewRequest] = {}
    for policy in policies:
        judge, kinds = Judge(policy, installation.policies), equality_kinds(policy)
        for one, other in _pairs(group for group in groups if group.kind in kinds):
            is_one = one in entities and entities[one] == entities.get(other)
            if one not in records or other not in records or is_one or (one, other) in found:
                continue
            judgement = judge.judge(records[one], records[other])
            if judgement is not None and not installation.reviews.is_never_pair(one, other):
                pair = (records[one], records[other])
                found[one, other] = _request(installation, pair, entities.get(one, ""), judgement)
    return list(found.values())


def _pairs(groups: Iterable[Group]) -> Iterator[tuple[Ref, Ref]]:
    """In order; one of the two at least was not compared yet."""
    for group in groups:
        for one, other in combinations(group.refs, 2):
            if one in group.fresh or other in group.fresh:
                yield one, other


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


def _request(
    installation: Installation, pair: tuple[Record, Record], entity_id: str, judgement: Judgement
) -> ReviewRequest:
    """``pair`` in the order of its refs."""
    names = " and ".join(f"{installation.display_name(item)} ({item.ref})" for item in pair)
    one, other = (item.ref for item in pair)
    sentence = f"{names}: {judgement.sentence}"
    return ReviewRequest("duplicate", entity_id, pair_topic(one, other), sentence, (one, other), str(judgement.place))


def pair_topic(one: Ref, other: Ref) -> str:
    """The topic of the one question about two records."""
    first, second = _ordered(one, other)
    return f"{first}={second}"


def _ordered(here: Ref, there: Ref) -> tuple[Ref, Ref]:
    return (here, there) if here < there else (there, here)
