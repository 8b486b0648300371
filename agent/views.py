"""Assemble what decide may see: one View per entity, from mirror, crosswalk, freezes and open reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from agent import moments
from agent.crosswalk import Link
from agent.decide.decide import decide
from agent.decide.policy import EntityType
from agent.decide.view import ERASED, FORGOTTEN, Frozen, OwnerMap, View
from agent.forgetting.forgotten import forgotten_among
from agent.installation import Installation
from agent.ledger.erasure import Erasure
from agent.links import links_of
from agent.pairing import pairing
from agent.places import entity_type_of
from agent.records import Record, Ref

SLICE = 200
"""Entities assembled at a time: memory stays flat however large the mirror is."""

BLOCKING_REVIEWS = {
    "duplicate": "suspected duplicate",
    "unclear": "unclear",
    "lost": "lost",
    "converted": "unclear",
    "erased": ERASED,
}
"""Open review kind → flag that keeps parts of deciding away from the entity."""

_GONE = {"lost": "lost", "duplicate": "converted"}
_NO_FLAGS: frozenset[str] = frozenset()


def views(installation: Installation, entity_ids: Iterable[str]) -> Iterator[View]:
    """One View per entity, in order; entities without any live record are left out."""
    owners = owner_map(installation)
    now = installation.clock()
    pages = installation.reviews.pages(kind="duplicate")
    suspected = frozenset(ref for some in pages for review in some for ref in review.refs)
    remaining = iter(entity_ids)
    while some := list(islice(remaining, SLICE)):
        yield from _slice(installation, some, owners, suspected, now)


def _slice(
    installation: Installation,
    entity_ids: Sequence[str],
    owners: OwnerMap,
    suspected: frozenset[Ref],
    now: datetime,
) -> Iterator[View]:
    members = installation.crosswalk.members(entity_ids)
    records = installation.mirror.records([link.ref for links in members.values() for link in links])
    bases = installation.mirror.bases(entity_ids)
    freezes = installation.freezes.by_entity(entity_ids)
    flags = _flags(installation, entity_ids, members, suspected)
    clears_first = frozenset(
        pair
        for connector in installation.connectors.values()
        for pair in connector.capabilities.clears_before_moving_back
    )
    present = {entity_id: _present(links) for entity_id, links in members.items()}
    sides_of = {
        entity_id: sides
        for entity_id in entity_ids
        if any((sides := _active_sides(installation, entity_id, present.get(entity_id, {}), records)).values())
    }
    pointed = links_of(installation, sides_of, bases)
    lacking = {entity_id: sides for entity_id, sides in sides_of.items() if None in sides.values()}
    for entity_id in _answering_to_forgotten(installation, lacking):
        flags[entity_id].add(FORGOTTEN)
    families = {entity_id: _family(installation, sides) for entity_id, sides in lacking.items()}
    coming = _coming(installation, families.values(), owners, suspected, now)
    accepted = pairing.accepted(installation)
    for entity_id, sides in sides_of.items():
        links, family = members.get(entity_id, ()), families.get(entity_id, _NO_FAMILY)
        entity_type = installation.policies.policies.entity_types[entity_type_of(entity_id)]
        asked, left = flags.get(entity_id, _NO_FLAGS), _link_flags(links, present[entity_id])
        yield View(
            entity_id=entity_id,
            entity_type=entity_type.name,
            sides=sides,
            now=now,
            others=tuple(records[link.ref] for link in links if link.role != "active" and link.ref in records),
            bases=bases.get(entity_id, {}),
            frozen=tuple(
                Frozen(item.field, item.system, item.rule, item.reason) for item in freezes.get(entity_id, ())
            ),
            owners=owners,
            links=pointed,
            flags=frozenset(asked | left),
            is_pairing_accepted=entity_type.name in accepted,
            parents=family.parents,
            coming=coming.get(family.company, frozenset()) - family.parents.keys(),
            link_key=_link_keys(installation, entity_id, entity_type, sides) if entity_id in lacking else {},
            may_create=not asked - {FORGOTTEN} and not left,
            clears_first=clears_first,
            set_between=moments.set_between(installation, entity_type, sides, bases.get(entity_id, {})),
        )


def _present(links: Sequence[Link]) -> dict[str, Ref]:
    """{system: the active record there}."""
    return {link.ref.system: link.ref for link in links if link.role == "active" and link.state == "linked"}


def _active_sides(
    installation: Installation, entity_id: str, present: Mapping[str, Ref], records: Mapping[Ref, Record]
) -> dict[str, Record | None]:
    """{system: active record or None}; empty for an entity no policy is about any more."""
    entity_type = installation.policies.policies.entity_types.get(entity_type_of(entity_id))
    if entity_type is None:
        return {}
    sides: dict[str, Record | None] = dict.fromkeys(entity_type.records)
    for system, ref in present.items():
        sides[system] = records.get(ref)
    return sides


def _link_flags(links: Sequence[Link], present: Mapping[str, Ref]) -> frozenset[str]:
    """An entity that lost its record in a system, or whose Lead there became somebody else's, gets no new one.

    A create of ours that was undone is no loss: its freeze keeps it from being repeated until a person lifts it.
    """
    if len(links) == len(present):
        return _NO_FLAGS
    gone = {link.state for link in links if link.ref.system not in present}
    return frozenset(flag for state, flag in _GONE.items() if state in gone)


def _flags(
    installation: Installation,
    entity_ids: Sequence[str],
    members: Mapping[str, Sequence[Link]],
    suspected: frozenset[Ref],
) -> dict[str, set[str]]:
    """What open questions say of each entity; a question about two records concerns both."""
    found: dict[str, set[str]] = defaultdict(set)
    for review in installation.reviews.open_for(entity_ids):
        flag = BLOCKING_REVIEWS.get(review.kind)
        if flag is not None:
            found[review.entity_id].add(flag)
    for entity_id in Erasure(installation.ledger).entities().intersection(entity_ids):
        found[entity_id].add(ERASED)
    for entity_id, links in members.items() if suspected else ():
        if any(link.ref in suspected and link.state == "linked" for link in links):
            found[entity_id].add("suspected duplicate")
    return found


def _answering_to_forgotten(
    installation: Installation, sides_of: Mapping[str, Mapping[str, Record | None]]
) -> Iterator[str]:
    """Entities whose only record has the e-mail (or domain) of somebody forgotten."""
    alone = {
        living[0].ref: (entity_id, living[0])
        for entity_id, sides in sides_of.items()
        if len(living := [record for record in sides.values() if record is not None]) == 1
    }
    for ref in forgotten_among(installation, [record for _, record in alone.values()]):
        yield alone[ref][0]


def owner_map(installation: Installation) -> OwnerMap:
    """Who owns records in both systems, and which of them are one person."""
    return OwnerMap(installation.owners, _owner_table(installation), installation.systems)


def _owner_table(installation: Installation) -> dict[str, str]:
    """{owner reference: person's e-mail} from the people policy."""
    people = installation.policies.policies.people
    if people is None:
        return {}
    return {reference: email for email, by_system in people.owner_table.items() for reference in by_system.values()}


@dataclass(frozen=True, slots=True)
class _Family:
    """The company of an entity that lacks a record: {system: its record}, and the entity it is."""

    parents: Mapping[str, str] = field(default_factory=dict)
    company: str = ""


_NO_FAMILY = _Family()


def _family(installation: Installation, sides: Mapping[str, Record | None]) -> _Family:
    """Found through the one live record's parent field and the crosswalk; only creates ask for it."""
    living = [record for record in sides.values() if record is not None]
    if len(living) != 1:
        return _Family()
    record = living[0]
    relations = installation.connectors[record.ref.system].capabilities.parent_fields.get(record.ref.object_type, {})
    place = relations.get("company")
    parent_id = record.fields.get(place.field) if place else None
    if place is None or not parent_id:
        return _Family()
    parents = {record.ref.system: str(parent_id)}
    entity_id = installation.crosswalk.entity_of(Ref(record.ref.system, place.object_type, str(parent_id)))
    if entity_id is None:
        return _Family(parents)
    for link in installation.crosswalk.members([entity_id]).get(entity_id, ()):
        if link.role == "active" and link.state == "linked" and link.ref.system != record.ref.system:
            parents[link.ref.system] = link.ref.id
    return _Family(parents, entity_id)


def _coming(
    installation: Installation, families: Iterable[_Family], owners: OwnerMap, suspected: frozenset[Ref], now: datetime
) -> dict[str, frozenset[str]]:
    """{company: systems where the policies would create it now}, for companies that lack a record somewhere."""
    companies = sorted({family.company for family in families if family.company and len(family.parents) == 1})
    seen = _slice(installation, companies, owners, suspected, now) if companies else ()
    decisions = [decide(view, installation.policies) for view in seen]
    return {
        decision.entity_id: frozenset(change.system for change in decision.changes if change.op == "create")
        for decision in decisions
    }


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
