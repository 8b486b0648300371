"""What the policies do with each object type, and so what Truce's user must be granted there and no more.

Asked again after every change of the policies: ``truce doctor --permissions``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from agent.connector import Capabilities
from agent.decide.policy import EntityType, PolicySet
from agent.decide.schema_check import CONSENT, written_systems
from agent.declaration import Declaration, Rights, Use


def rights_for(
    policies: PolicySet, declared: Mapping[str, Declaration[Any]], capabilities: Mapping[str, Capabilities]
) -> dict[str, Rights]:
    """{system: what to grant there}; systems whose connector says nothing about rights are left out."""
    uses = uses_of(policies, capabilities)
    found = {system: declared[system].rights(list(uses[system].values())) for system in uses}
    return {
        system: replace(rights, steps=(*rights.steps, *_link_key_steps(policies, system, uses[system])))
        for system, rights in found.items()
        if rights is not None
    }


def uses_of(policies: PolicySet, capabilities: Mapping[str, Capabilities]) -> dict[str, dict[str, Use]]:
    """{system: {object type: what the policies do with it}}, in the order in which policies name them; for the systems
    whose ``capabilities`` are given."""
    found: dict[str, dict[str, Use]] = {}
    for entity_type in policies.entity_types.values():
        for system, object_types in entity_type.records.items():
            for object_type in object_types if system in capabilities else ():
                use = _use(policies, entity_type, system, object_type, capabilities[system])
                found.setdefault(system, {})[object_type] = use
    return found


def identity_fields(capabilities: Capabilities, object_type: str) -> set[str]:
    """Fields no policy names but pairing needs: stored ids, link key, conversion, parent, display name."""
    fields = set(capabilities.stored_ids.get(object_type, {}))
    fields.update(capabilities.name_fields.get(object_type, ()))
    fields.update(place.field for place in capabilities.parent_fields.get(object_type, {}).values())
    if object_type in capabilities.link_keys:
        fields.add(capabilities.link_keys[object_type])
    if (conversion := capabilities.conversions.get(object_type)) is not None:
        fields.update((conversion.flag, conversion.id_field))
    return fields


def _link_key_steps(policies: PolicySet, system: str, uses: Mapping[str, Use]) -> Iterator[str]:
    """How a field of ours is made on every object type that policies create."""
    for object_type, use in uses.items():
        steps = policies.systems[system].link_key_setup(object_type) if use.creates else ()
        for number, step in enumerate(steps, start=1):
            yield f"link key of {object_type} ({number} of {len(steps)}): {step}"


def _use(
    policies: PolicySet, entity_type: EntityType, system: str, object_type: str, capabilities: Capabilities
) -> Use:
    reads = {*policies.vendor_fields(system, object_type), *identity_fields(capabilities, object_type)}
    create = entity_type.creates.get(system)
    creates = create is not None and create.as_type == object_type
    writes = set().union(*written_by(policies, entity_type.name, system, object_type).values())
    consent = {
        name
        for rule in policies.rules_for(entity_type.name)
        if rule.wins == CONSENT and (name := rule.vendor_field(system, object_type)) is not None
    }
    by_operation = object_type in capabilities.opt_out_fields and bool(consent)
    if creates:
        writes |= {place.field for place in capabilities.parent_fields.get(object_type, {}).values()}
        writes |= {capabilities.link_keys[object_type]} if object_type in capabilities.link_keys else set()
        if entity_type.follows_removals:  # an undo makes it again as it was
            writes |= reads & capabilities.only_one.get(object_type, {}).keys()
    return Use(
        object_type, frozenset(reads), frozenset(writes - consent if by_operation else writes), creates, by_operation
    )


def written_by(policies: PolicySet, entity_type: str, system: str, object_type: str) -> dict[str, set[str]]:
    """{policy: the fields it writes there}, opt-outs among them; policies that write none are left out."""
    found: dict[str, set[str]] = {}
    for policy in policies.fields:
        for rule in policy.rules if policy.about == entity_type else ():
            writes = rule.wins == CONSENT or system in written_systems(rule)
            if writes and (name := rule.vendor_field(system, object_type)) is not None:
                found.setdefault(policy.header.name, set()).add(name)
    for lifecycle in policies.lifecycle:
        if lifecycle.about == entity_type and lifecycle.wins != system:
            places = [sides.get(system, {}).get(object_type) for sides in lifecycle.where.values()]
            if names := {name for name in places if name is not None}:
                found[lifecycle.header.name] = names
    return found
