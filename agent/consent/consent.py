"""Which addresses to look at, and the writes that carry an opt-out to every record with that address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from agent import moments
from agent.changes import Change
from agent.decide.consent import ADDRESS, OPTED_OUT, ConsentPlace, consent_places, is_out, stricter
from agent.events import OPT_IN_ASKED
from agent.installation import Installation
from agent.pairing.duplicates import is_converted
from agent.records import Record, Ref
from agent.views import SLICE

Address = tuple[str, list[Ref]]
"""(address, every live record that holds it, in every system)."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One address whose records do not say the same of it. ``said``: (record, whether it is opted out there)."""

    address: str
    said: tuple[tuple[Ref, bool], ...]


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
    answered = answered_by_opt_ins(installation)
    by_operation = frozenset(
        (system, object_type)
        for system, connector in installation.connectors.items()
        for object_type in connector.capabilities.opt_out_fields
    )
    remaining = iter(addresses)
    while some := list(islice(remaining, SLICE)):
        yield from _of_some(installation, some, places, by_operation, answered)


def _of_some(
    installation: Installation,
    addresses: Sequence[Address],
    places: dict[tuple[str, str], ConsentPlace],
    by_operation: frozenset[tuple[str, str]],
    answered: Mapping[Ref, datetime],
) -> Iterator[Change]:
    refs = [ref for _, holders in addresses for ref in holders if (ref.system, ref.object_type) in places]
    records = installation.mirror.records(refs)
    entities = installation.crosswalk.entities_of(refs)
    converted = {ref for ref, record in records.items() if is_converted(installation, record)}
    for address, holders in addresses:
        held = [
            records[ref]
            for ref in holders
            if ref in records and not _is_answered(installation, records[ref], places, answered.get(ref))
        ]
        yield from stricter(address, held, places, entities, by_operation, converted)


def conflicts(installation: Installation) -> Iterator[Conflict]:
    """Every address that is opted out on one record and not on another, with all its records; by address."""
    places = consent_places(installation.policies)
    remaining = iter(all_opted_out(installation)) if places else iter(())
    while some := list(islice(remaining, SLICE)):
        records = installation.mirror.records({ref for _, holders in some for ref in holders})
        for address, holders in some:
            shown = {
                ref: is_out(places, records[ref]) for ref in holders if ref in records and _shows(places, records[ref])
            }
            standing = {out for ref, out in shown.items() if out or not is_converted(installation, records[ref])}
            if len(standing) > 1:
                yield Conflict(address, tuple(sorted(shown.items())))


def _shows(places: Mapping[tuple[str, str], ConsentPlace], record: Record) -> bool:
    place = places.get((record.ref.system, record.ref.object_type))
    return place is not None and place.field in record.fields


def answered_by_opt_ins(installation: Installation) -> dict[Ref, datetime]:
    """{record whose old opt-out an approved opt-in answers: since when}; a later opt-out there counts again."""
    found: dict[Ref, datetime] = {}
    for event in installation.ledger.events(kind=OPT_IN_ASKED):
        batch = installation.ledger.batch(event.subject)
        if batch.state in ("open", "done") and batch.approved_by:
            for text in event.body.get("answers", ()):
                found.setdefault(Ref.parse(text), event.at)
    return found


def _is_answered(
    installation: Installation, record: Record, places: Mapping[tuple[str, str], ConsentPlace], since: datetime | None
) -> bool:
    """Is this record's opt-out an old one that an approved opt-in has answered?"""
    place = places.get((record.ref.system, record.ref.object_type))
    if since is None or place is None or place.field not in record.fields or not is_out(places, record):
        return False
    set_at = moments.present_since(installation, record.ref, place.field)
    return set_at is not None and set_at.until <= since
