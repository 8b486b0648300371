"""A person's word on pairs: join, split, never. It outlives every key.

What was split is remembered as never the same, so no e-mail or stored id can pair it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.errors import NotFound, UsageError
from agent.installation import Installation
from agent.places import entity_type_of
from agent.records import Ref

JOINED = "pair joined"
SPLIT = "pair split"
NEVER = "never a pair"


def join(installation: Installation, one: Ref, other: Ref, person: str) -> str:
    """Say that two records are the same. Returns the entity they share.

    Raises:
        NotFound: Truce does not know one of them. UsageError: they cannot be paired as they stand.
    """
    entity_type = _common_type(installation, one, other)
    _require_free(installation, one, other.system)
    _require_free(installation, other, one.system)
    entities = [installation.crosswalk.entity_of(ref) for ref in (one, other)]
    entity_id = next((found for found in entities if found), None) or installation.crosswalk.new_entity(entity_type)
    rivals = _rivals(installation, one, other)
    _decide_again(installation, [one, other, *rivals])
    with installation.ledger.store.write():
        installation.crosswalk.regroup([(one, entity_id), (other, entity_id)], entity_type)
        for rival in rivals:
            stranger = other if rival.system == one.system else one
            installation.reviews.never(rival, stranger, person)
        installation.ledger.record_event(JOINED, entity_id, person, {"records": [str(one), str(other)]})
        _answer_unclear(installation, one, other, person)
    installation.mirror.drop_bases([each for each in entities if each])
    return entity_id


def split(installation: Installation, ref: Ref, person: str) -> str:
    """Take a record out of its pair for good. Returns its new entity.

    Raises:
        NotFound: Truce does not know it. UsageError: it has no counterpart.
    """
    entity_id = installation.crosswalk.entity_of(ref)
    partners = [each for each in _active(installation, entity_id) if each.system != ref.system] if entity_id else []
    if entity_id is None or ref not in _active(installation, entity_id):
        raise NotFound(f"{ref} is not the active record of any pair", next_step="truce pair")
    if not partners:
        raise UsageError(f"{ref} has no counterpart to be split from", next_step="truce pair")
    fresh = installation.crosswalk.new_entity(entity_type_of(entity_id))
    _decide_again(installation, [ref, *partners])
    with installation.ledger.store.write():
        installation.crosswalk.regroup([(ref, fresh)], entity_type_of(entity_id))
        for partner in partners:
            installation.reviews.never(ref, partner, person)
        installation.ledger.record_event(SPLIT, entity_id, person, {"out": str(ref), "into": fresh})
    installation.mirror.drop_bases([entity_id])
    return fresh


def never(installation: Installation, one: Ref, other: Ref, person: str) -> None:
    """Say that two records are never the same.

    Raises:
        UsageError: they are paired now.
    """
    entity_id = installation.crosswalk.entity_of(one)
    if entity_id is not None and {one, other} <= set(_active(installation, entity_id)):
        raise UsageError(f"{one} and {other} are paired", next_step=f"truce pair split {one}")
    _decide_again(installation, [one, other])
    installation.reviews.never(one, other, person)
    installation.ledger.record_event(NEVER, str(one), person, {"other": str(other)})


def _common_type(installation: Installation, one: Ref, other: Ref) -> str:
    if one.system == other.system:
        raise UsageError(
            f"{one} and {other} are both in {one.system}",
            why="a pair has one record in each CRM",
            next_step="truce pair",
        )
    for ref in (one, other):
        if installation.mirror.record(ref) is None:
            raise NotFound(f"there is no {ref} in what Truce has read", next_step="truce pair")
    for entity_type in installation.policies.policies.entity_types.values():
        if all(ref.object_type in entity_type.records.get(ref.system, ()) for ref in (one, other)):
            return entity_type.name
    raise UsageError(f"no policy pairs {one.object_type} with {other.object_type}", next_step="truce check")


def _require_free(installation: Installation, ref: Ref, system: str) -> None:
    entity_id = installation.crosswalk.entity_of(ref)
    if entity_id is None:
        return
    partner = next((each for each in _active(installation, entity_id) if each.system == system), None)
    if partner is not None:
        raise UsageError(f"{ref} is paired with {partner}", next_step=f"truce pair split {ref}")


def _active(installation: Installation, entity_id: str) -> list[Ref]:
    links = installation.crosswalk.members([entity_id]).get(entity_id, ())
    return [link.ref for link in links if link.role == "active" and link.state == "linked"]


def _rivals(installation: Installation, one: Ref, other: Ref) -> list[Ref]:
    """The further candidates of unclear questions about these two."""
    found: set[Ref] = set()
    for review in installation.reviews.list(kind="unclear"):
        if one in review.refs or other in review.refs:
            found.update(review.refs)
    return sorted(found - {one, other})


def _answer_unclear(installation: Installation, one: Ref, other: Ref, person: str) -> None:
    for review in installation.reviews.list(kind="unclear"):
        if one in review.refs and other in review.refs:
            installation.reviews.resolve(review.id, f"{one} is {other}", person)


def _decide_again(installation: Installation, refs: Sequence[Ref]) -> None:
    """Marked before the decision is recorded, so that a crash between the two can only decide once too often."""
    installation.mirror.pend(refs, "paired by a person", installation.clock())
