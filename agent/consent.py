"""Which addresses to look at, and the writes that carry an opt-out to every record with that address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.changes import Change
from agent.decide.consent import ADDRESS, consent_places, stricter
from agent.decide.match import keys_of
from agent.duplicates import is_converted
from agent.installation import Installation
from agent.records import Ref

Addresses = dict[str, list[Ref]]
"""{address: every live record that holds it, in every system}."""


def shared_by(installation: Installation, refs: Iterable[Ref]) -> Addresses:
    """The addresses of these records, with everybody who holds them."""
    found: Addresses = {}
    for record in installation.mirror.records(refs).values():
        for address in _addresses(installation, record.ref):
            if address not in found:
                found[address] = _holders(installation, address)
    return {address: holders for address, holders in found.items() if len(holders) > 1}


def all_shared(installation: Installation) -> Iterator[tuple[str, list[Ref]]]:
    """Every address that two or more records hold."""
    return installation.mirror.key_groups(ADDRESS)


def opt_outs(installation: Installation, addresses: Iterable[tuple[str, list[Ref]]]) -> Iterator[Change]:
    """What must be written so that nobody who opted out is opted in anywhere."""
    places = consent_places(installation.policies)
    if not places:
        return
    by_operation = frozenset(
        (system, object_type)
        for system, connector in installation.connectors.items()
        for object_type in connector.capabilities.opt_out_fields
    )
    for address, refs in addresses:
        records = list(installation.mirror.records(refs).values())
        entities = {ref: entity for ref in refs if (entity := installation.crosswalk.entity_of(ref)) is not None}
        converted = {record.ref for record in records if is_converted(installation, record)}
        yield from stricter(address, records, places, entities, by_operation, converted)


def _addresses(installation: Installation, ref: Ref) -> set[str]:
    record = installation.mirror.record(ref)
    if record is None:
        return set()
    return {
        value
        for entity_type in installation.policies.policies.entity_types.values()
        if ref.object_type in entity_type.records.get(ref.system, ())
        for kind, value in keys_of(record, entity_type, installation.policies)
        if kind == ADDRESS
    }


def _holders(installation: Installation, address: str) -> list[Ref]:
    places = {
        (system, object_type): None
        for entity_type in installation.policies.policies.entity_types.values()
        for system, types in entity_type.records.items()
        for object_type in types
    }
    return [
        ref
        for system, object_type in places
        for ref in installation.mirror.by_key(system, object_type, ADDRESS, address)
    ]
