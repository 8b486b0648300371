"""Which addresses to look at, and the writes that carry an opt-out to every record with that address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from agent.changes import Change
from agent.decide.consent import ADDRESS, OPTED_OUT, ConsentPlace, consent_places, stricter
from agent.duplicates import is_converted
from agent.installation import Installation
from agent.records import Ref
from agent.views import SLICE

Address = tuple[str, list[Ref]]
"""(address, every live record that holds it, in every system)."""


def opted_out_of_pending(installation: Installation) -> Iterator[Address]:
    """Every address that opted out and that a record to be decided shares with another one."""
    return installation.mirror.pending_key_groups(ADDRESS, OPTED_OUT)


def all_opted_out(installation: Installation) -> Iterator[Address]:
    """Every address that opted out and that two or more records hold."""
    return installation.mirror.key_groups(ADDRESS, OPTED_OUT)


def opt_outs(installation: Installation, addresses: Iterable[Address]) -> Iterator[Change]:
    """What must be written so that nobody who opted out is opted in anywhere."""
    places = consent_places(installation.policies)
    if not places:
        return
    by_operation = frozenset(
        (system, object_type)
        for system, connector in installation.connectors.items()
        for object_type in connector.capabilities.opt_out_fields
    )
    remaining = iter(addresses)
    while some := list(islice(remaining, SLICE)):
        yield from _of_some(installation, some, places, by_operation)


def _of_some(
    installation: Installation,
    addresses: Sequence[Address],
    places: dict[tuple[str, str], ConsentPlace],
    by_operation: frozenset[tuple[str, str]],
) -> Iterator[Change]:
    refs = [ref for _, holders in addresses for ref in holders if (ref.system, ref.object_type) in places]
    records = installation.mirror.records(refs)
    entities = installation.crosswalk.entities_of(refs)
    converted = {ref for ref, record in records.items() if is_converted(installation, record)}
    for address, holders in addresses:
        held = [records[ref] for ref in holders if ref in records]
        yield from stricter(address, held, places, entities, by_operation, converted)
