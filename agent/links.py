"""Records that belong to others: what their lines with ``links_to`` point at, and who waits for whom.

The id that a record holds is turned into an entity by the crosswalk, and that into the other system's id. When a
thing finds its counterpart, whatever belongs to it is decided again: it may be paired, created or filled only now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from agent.decide.match import LINKED
from agent.decide.normalise import as_text
from agent.decide.policy import EntityType, FieldRule, PolicySet
from agent.decide.view import Base, Links
from agent.installation import Installation
from agent.places import entity_type_of
from agent.records import Record, Ref

PAIRED = "what it belongs to is paired"

Sides = Mapping[str, Record | None]
Pointed = dict[tuple[str, str, str], list[Ref]]
"""{(kind, system, record id): the records that may be meant}."""

Demanded = Mapping[tuple[str, str], str]
"""{(kind, system): the one object type that a line takes}."""


def links_of(
    installation: Installation, sides_of: Mapping[str, Sides], bases: Mapping[str, Mapping[str, Base]]
) -> Links:
    """Everything that the live and the settled values of these entities point at."""
    pointed: Pointed = {}
    linking = installation.policies.linking
    demanded = _demanded(installation, {entity_type_of(entity_id) for entity_id in sides_of})
    for entity_id, sides in sides_of.items():
        for rule in linking[entity_type_of(entity_id)]:
            base = bases.get(entity_id, {}).get(rule.name)
            for system, record_id in _ids(rule, sides, base):
                key = (str(rule.links_to), system, record_id)
                pointed.setdefault(key, _meant(installation, *key))
    if not pointed:
        return Links(systems=installation.systems)
    entity_of = installation.crosswalk.entities_of([ref for refs in pointed.values() for ref in refs])
    entities = {
        key: entity_of[ref]
        for key, refs in pointed.items()
        for ref in refs
        if ref in entity_of and entity_type_of(entity_of[ref]) == key[0]
    }
    records = {key: ref for key, ref in _active(installation, entities.values()).items() if _fits(key, ref, demanded)}
    copies = installation.mirror.records(records.values())
    names = {
        entity_id: installation.display_name(copies[ref]) for (entity_id, _), ref in records.items() if ref in copies
    }
    return Links(entities, {key: ref.id for key, ref in records.items()}, names, installation.systems)


def counterpart(installation: Installation, kind: str, system: str, record_id: str) -> str | None:
    """The id that this thing has in the other system; None while it has none."""
    refs = _meant(installation, kind, system, record_id)
    found = [entity_id for ref in refs if (entity_id := installation.crosswalk.entity_of(ref)) is not None]
    active = _active(installation, found[:1])
    return next((ref.id for (_, there), ref in active.items() if there != system), None)


def await_pairing(installation: Installation, refs: Iterable[Ref], kind: str) -> set[Ref]:
    """Have everything that belongs to these records decided again; to be called before they are paired."""
    policies = installation.policies.policies
    children = [
        entity_type
        for entity_type in policies.entity_types.values()
        if any(rule.links_to == kind for rule in policies.rules_for(entity_type.name))
    ]
    found = {child for ref in refs if children for child in _belonging(installation, ref, kind, children)}
    installation.mirror.pend(found, PAIRED, installation.clock())
    return found


def linked_first(policies: PolicySet) -> list[EntityType]:
    """Companies before the people and deals that belong to them, those before what belongs to them in turn."""
    kinds = policies.entity_types
    needs = {name: {str(rule.links_to) for rule in _rules(policies, name)} & kinds.keys() - {name} for name in kinds}
    placed: list[str] = []
    while len(placed) < len(kinds):
        ready = [name for name in kinds if name not in placed and needs[name] <= set(placed)]
        left = sorted(ready or kinds.keys() - set(placed))
        placed.append(min(left, key=lambda name: (name != "company", name)))
    return [kinds[name] for name in placed]


def _demanded(installation: Installation, kinds: Iterable[str]) -> Demanded:
    """A contact role takes a Contact and no Lead, although both are a person."""
    return {
        (str(rule.links_to), system): place.object_type
        for kind in kinds
        for rule in installation.policies.linking[kind]
        for system, by_type in rule.where.items()
        for object_type, field in by_type.items()
        for place in installation.connectors[system].capabilities.parent_fields.get(object_type, {}).values()
        if place.field == field
    }


def _fits(key: tuple[str, str], ref: Ref, demanded: Demanded) -> bool:
    entity_id, system = key
    return demanded.get((entity_type_of(entity_id), system), ref.object_type) == ref.object_type


def _rules(policies: PolicySet, kind: str) -> list[FieldRule]:
    return [rule for rule in policies.rules_for(kind) if rule.links_to is not None]


def _ids(rule: FieldRule, sides: Sides, base: Base | None) -> Iterator[tuple[str, str]]:
    """(system, record id) of what a line points at now and pointed at when last settled."""
    for system, record in sides.items():
        field = rule.vendor_field(system, record.ref.object_type) if record is not None else None
        if record is not None and field is not None and (now := as_text(record.fields.get(field))) is not None:
            yield system, now
    for system, value in base.values.items() if base is not None else ():
        if (settled := as_text(value)) is not None:
            yield system, settled


def _meant(installation: Installation, kind: str, system: str, record_id: str) -> list[Ref]:
    """A person's id may be a Contact's or a Lead's."""
    entity_type = installation.policies.policies.entity_types.get(kind)
    types = entity_type.records.get(system, ()) if entity_type is not None else ()
    return [Ref(system, object_type, record_id) for object_type in types]


def _active(installation: Installation, entity_ids: Iterable[str]) -> dict[tuple[str, str], Ref]:
    """{(entity, system): its active record}."""
    members = installation.crosswalk.members(list(dict.fromkeys(entity_ids)))
    return {
        (entity_id, link.ref.system): link.ref
        for entity_id, links in members.items()
        for link in links
        if link.role == "active" and link.state == "linked"
    }


def _belonging(installation: Installation, ref: Ref, kind: str, children: Sequence[EntityType]) -> Iterator[Ref]:
    for object_type in [name for entity_type in children for name in entity_type.records.get(ref.system, ())]:
        yield from installation.mirror.by_key(ref.system, object_type, f"{LINKED}{kind}", ref.id)
