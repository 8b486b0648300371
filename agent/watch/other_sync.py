"""Another sync at work: who else wrote, lately and by machine, the fields that our policies write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.decide.policy import PolicySet
from agent.installation import Installation
from agent.records import Ref

ROUND = timedelta(minutes=20)
"""HubSpot's own integration looks every 15 minutes (facts: "polling every 15 min"); after this it would have shown."""

MOST_ASKED = 200
"""The latest changed cells per system whose authors are asked for: enough to see whether a sync is still at work."""


@dataclass(frozen=True, slots=True)
class OtherWrite:
    """A value in a field of ours that another sync wrote; ``field`` is the policy's name of it."""

    ref: Ref
    field: str
    vendor_field: str
    author: str
    at: datetime


def other_writes(installation: Installation, entity_type: str, since: datetime) -> list[OtherWrite]:
    """What the syncs named in the config wrote since then into fields of this entity type, the latest first.

    Raises:
        ConnectorError: a vendor could not be asked; nothing is known then.
    """
    ours = written_fields(installation.policies.policies, entity_type)
    signs = {sign.casefold() for sign in installation.config.other_syncs}
    found: list[OtherWrite] = []
    for system, cells in _latest(installation, ours, since).items():
        authors = installation.connectors[system].authors([(ref, name) for ref, name, _ in cells])
        for ref, vendor_field, at in cells:
            author = authors.get((ref, vendor_field))
            if author is not None and signs & {sign.casefold() for sign in author.signs}:
                name = ours[ref.system, ref.object_type, vendor_field]
                found.append(OtherWrite(ref, name, vendor_field, author.name, at))
    return sorted(found, key=lambda each: (each.at, each.ref), reverse=True)


def written_fields(policies: PolicySet, entity_type: str) -> dict[tuple[str, str, str], str]:
    """{(system, object type, vendor field): the policy's name} of all that our policies may write."""
    return dict(_written_fields(policies, entity_type))


def _written_fields(policies: PolicySet, entity_type: str) -> Iterator[tuple[tuple[str, str, str], str]]:
    for rule in policies.rules_for(entity_type):
        for system, by_type in rule.where.items():
            if len(rule.where) < 2 or not any(w.side != system or w.unless_blank for w in rule.winners):
                continue
            for object_type, vendor_field in by_type.items():
                yield (system, object_type, vendor_field), rule.name
    for lifecycle in policies.lifecycle:
        if lifecycle.about == entity_type:
            for by_system in lifecycle.where.values():
                for system, by_type in by_system.items():
                    for object_type, vendor_field in by_type.items():
                        yield (system, object_type, vendor_field), "lifecycle"


def _latest(
    installation: Installation, ours: Mapping[tuple[str, str, str], str], since: datetime
) -> dict[str, Sequence[tuple[Ref, str, datetime]]]:
    """{system: the latest cells that still hold what somebody else wrote}."""
    found: dict[str, list[tuple[Ref, str, datetime]]] = defaultdict(list)
    for ref, vendor_field in installation.mirror.edits.cells_since(since):
        if (ref.system, ref.object_type, vendor_field) not in ours:
            continue
        latest = installation.mirror.history(ref, vendor_field)[-1]
        at = latest.modified_at or latest.first_seen
        if latest.by is None and at >= since:
            found[ref.system].append((ref, vendor_field, at))
    return {
        system: sorted(cells, key=lambda cell: cell[2], reverse=True)[:MOST_ASKED] for system, cells in found.items()
    }
