"""Where each policy field stands in each system: the bridge between a ledger cell and the pair it belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.changes import Entry
from agent.decide.policy import PolicySet
from agent.decide.view import Base
from agent.records import FieldValue, Record, Ref

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Places:
    """{(entity type, field): {system: {object type: vendor field}}}, and what each of these lines wants today."""

    by_field: Mapping[tuple[str, str], Mapping[str, Mapping[str, str]]]
    aims: Mapping[tuple[str, str], str | None] = dataclasses.field(default_factory=dict)
    parts: Mapping[tuple[str, str], tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """The lines that a line is made of, where it is."""

    def vendor_field(self, entity_type: str, field: str, ref: Ref) -> str | None:
        return self.by_field.get((entity_type, field), {}).get(ref.system, {}).get(ref.object_type)


def places_of(policies: PolicySet) -> Places:
    """Every field of every policy; a lifecycle is the field ``lifecycle`` with one place per object type."""
    found: dict[tuple[str, str], Mapping[str, Mapping[str, str]]] = {}
    for policy in policies.fields:
        for rule in policy.rules:
            found[policy.about, rule.name] = rule.where
    for lifecycle in policies.lifecycle:
        merged: dict[str, dict[str, str]] = {}
        for sides in lifecycle.where.values():
            for system, by_type in sides.items():
                merged.setdefault(system, {}).update(by_type)
        found[lifecycle.about, "lifecycle"] = merged
    aims = {(policy.about, rule.name): rule.aim for policy in policies.fields for rule in policy.rules}
    parts = {(policy.about, rule.name): rule.made_of for policy in policies.fields for rule in policy.rules}
    return Places(found, aims, {line: made_of for line, made_of in parts.items() if made_of})


def settled_bases(
    entry: Entry, entity_type: str, places: Places, sides: Mapping[str, Record | None]
) -> dict[str, Base]:
    """The base of every field this entry settled: what the vendor holds now, and what the other sides hold.

    ``sides`` are the active records per system as the mirror holds them at this moment.
    """
    if entry.change.is_halfway:
        return {}
    wanted: dict[str, FieldValue] = {cell.field: cell.after for cell in entry.change.cells}
    observed = dict(wanted)
    for cell in entry.change.cells:
        if cell.vendor_field in entry.observed:
            observed[cell.field] = entry.observed[cell.vendor_field]
    bases: dict[str, Base] = {}
    for name, value in observed.items():
        values: dict[str, FieldValue] = {entry.change.system: value}
        for system, record in sides.items():
            if record is None or system == entry.change.system:
                continue
            if (entity_type, name) in places.parts:
                values[system] = wanted[name]  # what the parts made, as the vendor was told
                continue
            vendor_field = places.vendor_field(entity_type, name, record.ref)
            if vendor_field is not None and vendor_field in record.fields:
                values[system] = record.fields[vendor_field]
        bases[name] = Base(values, entry.id, places.aims.get((entity_type, name)))
    return bases


def entity_type_of(entity_id: str) -> str:
    """``person-57`` → ``person``."""
    return entity_id.rpartition("-")[0]


def in_chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
