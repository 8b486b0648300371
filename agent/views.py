"""Assemble what decide may see: one View per entity, from mirror, crosswalk, freezes and open reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from agent.crosswalk import Link
from agent.decide.policy import EntityType
from agent.decide.view import Frozen, OwnerMap, View
from agent.installation import Installation
from agent.places import entity_type_of
from agent.records import Record, Ref

SLICE = 1000
"""Entities assembled at a time: memory stays flat however large the mirror is."""

BLOCKING_REVIEWS = {
    "duplicate": "suspected duplicate",
    "unclear": "unclear",
    "lost": "lost",
    "converted": "unclear",
}
"""Open review kind → flag that keeps parts of deciding away from the entity."""


def views(
    installation: Installation, entity_ids: Sequence[str], lifted: frozenset[tuple[str, str, str]] = frozenset()
) -> Iterator[View]:
    """One View per entity, in order; entities without any live record are left out.

    ``lifted``: frozen cells (entity, field, system) that are shown as not frozen.
    """
    owners = OwnerMap(installation.owners, _owner_table(installation))
    now = installation.clock()
    for start in range(0, len(entity_ids), SLICE):
        yield from _slice(installation, entity_ids[start : start + SLICE], owners, now, lifted)


def _slice(
    installation: Installation,
    entity_ids: Sequence[str],
    owners: OwnerMap,
    now: datetime,
    lifted: frozenset[tuple[str, str, str]],
) -> Iterator[View]:
    members = installation.crosswalk.members(entity_ids)
    records = installation.mirror.records([link.ref for links in members.values() for link in links])
    bases = installation.mirror.bases(entity_ids)
    freezes = installation.freezes.by_entity(entity_ids)
    flags = _flags(installation, entity_ids)
    clears_first = frozenset(
        pair
        for connector in installation.connectors.values()
        for pair in connector.capabilities.clears_before_moving_back
    )
    for entity_id in entity_ids:
        links = members.get(entity_id, ())
        entity_type = installation.policies.policies.entity_types.get(entity_type_of(entity_id))
        if entity_type is None:
            continue
        sides = _active_sides(links, records, entity_type)
        if not any(sides.values()):
            continue
        yield View(
            entity_id=entity_id,
            entity_type=entity_type.name,
            sides=sides,
            now=now,
            others=tuple(records[link.ref] for link in links if link.role != "active" and link.ref in records),
            bases=bases.get(entity_id, {}),
            frozen=tuple(
                Frozen(item.field, item.system, item.rule, item.reason)
                for item in freezes.get(entity_id, ())
                if (entity_id, item.field, item.system) not in lifted
            ),
            owners=owners,
            flags=frozenset(flags.get(entity_id, set()) | _link_flags(links)),
            parents=_parents(installation, sides),
            link_key=_link_keys(installation, entity_id, entity_type, sides),
            may_create=not flags.get(entity_id) and not _link_flags(links),
            clears_first=clears_first,
        )


def _active_sides(
    links: Sequence[Link], records: Mapping[Ref, Record], entity_type: EntityType
) -> dict[str, Record | None]:
    sides: dict[str, Record | None] = dict.fromkeys(entity_type.records)
    for link in links:
        if link.role == "active" and link.state == "linked":
            sides[link.ref.system] = records.get(link.ref)
    return sides


def _link_flags(links: Sequence[Link]) -> set[str]:
    """A pair that lost one side stays alone: nothing is created again for it. Our own undone create likewise."""
    states = {link.state for link in links if link.role == "active"}
    flags = {"lost"} if "lost" in states and not _has_both(links) else set()
    return flags | ({"undone"} if "undone" in states else set())


def _has_both(links: Sequence[Link]) -> bool:
    return len({link.ref.system for link in links if link.role == "active" and link.state == "linked"}) > 1


def _flags(installation: Installation, entity_ids: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for review in installation.reviews.open_for(entity_ids):
        flag = BLOCKING_REVIEWS.get(review.kind)
        if flag is not None:
            found[review.entity_id].add(flag)
    return found


def _owner_table(installation: Installation) -> dict[str, str]:
    """{owner reference: person's e-mail} from the people policy."""
    people = installation.policies.policies.people
    if people is None:
        return {}
    return {reference: email for email, by_system in people.owner_table.items() for reference in by_system.values()}


def _parents(installation: Installation, sides: Mapping[str, Record | None]) -> dict[str, str]:
    """{system: id of the company there} for the side a create would add: parents first.

    The company is found through the live side's own parent field and the crosswalk.
    """
    found: dict[str, str] = {}
    for system, record in sides.items():
        if record is None:
            continue
        relations = installation.connectors[system].capabilities.parent_fields.get(record.ref.object_type, {})
        place = relations.get("company")
        parent_id = record.fields.get(place.field) if place else None
        if place is None or not parent_id:
            continue
        found[system] = str(parent_id)
        entity_id = installation.crosswalk.entity_of(Ref(system, place.object_type, str(parent_id)))
        if entity_id is None:
            continue
        for link in installation.crosswalk.members([entity_id]).get(entity_id, ()):
            if link.role == "active" and link.state == "linked" and link.ref.system != system:
                found[link.ref.system] = link.ref.id
    return found


def _link_keys(
    installation: Installation, entity_id: str, entity_type: EntityType, sides: Mapping[str, Record | None]
) -> dict[str, tuple[str, str]]:
    """The (unique field, value) a create in each empty system would carry; peeked at, not yet used up."""
    keys: dict[str, tuple[str, str]] = {}
    for system, rule in entity_type.creates.items():
        field = installation.connectors[system].capabilities.link_keys.get(rule.as_type)
        if field and sides.get(system) is None:
            keys[system] = (field, installation.crosswalk.peek_key(entity_id))
    return keys
