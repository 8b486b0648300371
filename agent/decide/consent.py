"""Consent: whoever opted out anywhere is opted out everywhere this address is kept. The stricter answer wins.

Pure. It goes by e-mail address, not by pair: a second Lead, an unclear record or one nobody paired counts as much.
Recency, ``wins`` lines, freezes and undoing have no say; nothing here ever opts anybody in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agent.changes import Cell, Change, Why
from agent.decide.policy import FieldRule, PolicySet
from agent.decide.prepared import OPT_OUT, Prepared
from agent.decide.values import YES
from agent.records import FieldValue, Record, Ref
from agent.systems import System

ADDRESS = "email"
"""The kind of match key that consent goes by: the canonical form of an e-mail address."""

OPTED_OUT = "opted out"
"""The kind of match key that tells it of an address: held by every record that has the address and says so."""


@dataclass(frozen=True, slots=True)
class ConsentPlace:
    """Where one object type keeps the consent: its rule, the field, and the fields that hold the address."""

    rule: FieldRule
    field: str
    address_fields: tuple[str, ...]
    system: System


def consent_places(prepared: Prepared) -> dict[tuple[str, str], ConsentPlace]:
    """{(system, object type): place} for every opt-out line of the policies."""
    systems = prepared.systems
    found: dict[tuple[str, str], ConsentPlace] = {}
    for rule in opt_out_rules(prepared.policies):
        entity_type = _about(prepared.policies, rule)
        for system, by_type in rule.where.items():
            for object_type, vendor_field in by_type.items():
                readers = prepared.readers(entity_type, system, object_type)
                addresses = tuple(reader.vendor_field for reader in readers.values() if reader.cleaner == ADDRESS)
                found[system, object_type] = ConsentPlace(rule, vendor_field, addresses, systems[system])
    return found


def opt_out_rules(policies: PolicySet) -> list[FieldRule]:
    return [rule for policy in policies.fields for rule in policy.rules if rule.wins == OPT_OUT]


def stricter(
    address: str,
    records: Sequence[Record],
    places: Mapping[tuple[str, str], ConsentPlace],
    entities: Mapping[Ref, str],
    by_operation: frozenset[tuple[str, str]],
    read_only: Collection[Ref] = (),
) -> list[Change]:
    """The writes that opt this address out on every record that does not say so yet; none if nobody opted out.

    ``entities``: {record: its entity}, records nobody paired left out. ``by_operation``: (system, object type) whose
    consent is not a field to write but an operation on the address. A record that hides its consent is left alone;
    ``read_only`` ones (converted Leads) are heard but not written.
    """
    shown = [record for record in records if (place := _place(places, record)) and place.field in record.fields]
    out = [record for record in shown if is_out(places, record)]
    if not out:
        return []
    return [
        _opting_out(address, record, out[0], places, entities.get(record.ref, ""), by_operation)
        for record in shown
        if not is_out(places, record) and record.ref not in read_only
    ]


def _opting_out(
    address: str,
    record: Record,
    origin: Record,
    places: Mapping[tuple[str, str], ConsentPlace],
    entity_id: str,
    by_operation: frozenset[tuple[str, str]],
) -> Change:
    """``decided_from`` holds the address: a record that got another one meanwhile drops out. ``guarded``: sent alone,
    so never in one call with another write of the same record."""
    ref = record.ref
    place = places[ref.system, ref.object_type]
    there = places[origin.ref.system, origin.ref.object_type].system.name
    sentence = (
        f"{address} opted out in {there} ({origin.ref.object_type} {origin.ref.id});"
        " the stricter answer wins everywhere"
    )
    why = Why(place.rule.policy, str(place.rule.place), place.rule.rule, sentence)
    is_operation = (ref.system, ref.object_type) in by_operation
    after: FieldValue = YES if place.system.text_only else True
    before = record.fields[place.field]
    cell = Cell(place.rule.name, place.field, before, after, "consent", why)
    return Change(
        "opt_out" if is_operation else "update",
        entity_id,
        ref.system,
        ref.object_type,
        ref.id,
        (cell,),
        key=(ADDRESS, address) if is_operation else None,
        group=f"consent:{address}",
        guarded=not is_operation,
        decided_from={name: record.fields[name] for name in place.address_fields if name in record.fields},
    )


def is_opt_out(value: FieldValue) -> bool:
    """HubSpot leaves the box blank for somebody who never opted out."""
    return value is True or str(value).strip().lower() == YES


def is_out(places: Mapping[tuple[str, str], ConsentPlace], record: Record) -> bool:
    return is_opt_out(record.fields[places[record.ref.system, record.ref.object_type].field])


def _place(places: Mapping[tuple[str, str], ConsentPlace], record: Record) -> ConsentPlace | None:
    return places.get((record.ref.system, record.ref.object_type))


def _about(policies: PolicySet, rule: FieldRule) -> str:
    return next(policy.about for policy in policies.fields if rule in policy.rules)
