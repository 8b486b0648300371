"""Pairing seen as a whole: who found a counterpart and by what, who is alone, who is unclear.

The report reads the mirror and the crosswalk alone, so it runs beside a daemon and asks no vendor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from agent.connector import Capabilities
from agent.crosswalk import Link
from agent.decide.match import TOGETHER, keys_of, linked_elsewhere
from agent.decide.policy import EntityType
from agent.errors import NotFound, UsageError
from agent.events import Event
from agent.installation import Installation
from agent.links import counterpart
from agent.pairing.decisions import JOINED
from agent.records import FieldValue, Record, Ref

ACCEPTED = "pairing accepted"
HEADINGS = {
    "paired": "the same in both CRMs",
    "one side": "in one CRM only",
    "unclear": "two or more candidates; never written until a person decides",
    "beside": "a second record of somebody paired already; read, never written",
    "converted": "a Lead that became a Contact",
    "lost": "the counterpart was deleted or merged; left alone",
}
BY_PERSON = "a person"
BY_EARLIER_KEY = "an earlier key"
SLICE = 500

Progress = Callable[[int, int], None]


class Line(NamedTuple):
    """One line of the report. ``heading`` is one of HEADINGS; ``detail`` is the key that paired them or the object
    type that is alone."""

    entity_type: str
    heading: str
    detail: str


@dataclass(frozen=True, slots=True)
class Found:
    """Records that belong to one line of the report, by system. ``entity_id`` is empty while nobody knows."""

    line: Line
    entity_id: str
    sides: Mapping[str, tuple[Record, ...]]


def survey(installation: Installation, progress: Progress = lambda done, total: None) -> Iterator[Found]:
    """Every entity, every unclear record and every converted one, one type after the other."""
    types = installation.policies.policies.entity_types.values()
    total = sum(_population(installation, entity_type) for entity_type in types)
    done = 0
    joined = {event.subject for event in installation.ledger.events(kind=JOINED)}
    for entity_type in types:
        for found in _of_type(installation, entity_type, joined):
            done += sum(len(records) for records in found.sides.values())
            progress(min(done, total), total)
            yield found


def accept(installation: Installation, entity_type: str, person: str) -> Counter[Line]:
    """A person has seen the report: from now on records may be created for those who are alone.

    Raises:
        NotFound: no policy defines this type. UsageError: nothing of it was read yet.
    """
    if entity_type not in installation.policies.policies.entity_types:
        known = ", ".join(sorted(installation.policies.policies.entity_types))
        raise NotFound(f"no policy defines {entity_type}", why=f"known are {known}", next_step="truce pair")
    counts = Counter(
        {line: count for line, count in tally(survey(installation)).items() if line.entity_type == entity_type}
    )
    if not counts:
        raise UsageError(f"no {entity_type} was read yet, so there is no pairing to accept", next_step="truce pair")
    body = {f"{line.heading}: {line.detail}": count for line, count in sorted(counts.items())}
    installation.ledger.record_event(ACCEPTED, entity_type, person, body)
    return counts


def accepted(installation: Installation) -> dict[str, Event]:
    """The latest acceptance of each entity type."""
    latest: dict[str, Event] = {}
    for event in installation.ledger.events(kind=ACCEPTED):
        latest.setdefault(event.subject, event)
    return latest


def tally(survey: Iterable[Found]) -> Counter[Line]:
    """How many of each line."""
    return Counter(found.line for found in survey)


def _of_type(installation: Installation, entity_type: EntityType, joined: set[str]) -> Iterator[Found]:
    ids = installation.crosswalk.entities(entity_type.name)
    while chunk := list(islice(ids, SLICE)):
        members = installation.crosswalk.members(chunk)
        records = installation.mirror.records([link.ref for links in members.values() for link in links])
        for entity_id in chunk:
            yield from _of_entity(installation, entity_type, entity_id, members.get(entity_id, ()), records, joined)
    yield from _unclear(installation, entity_type)
    yield from _converted_before(installation, entity_type)


def _of_entity(
    installation: Installation,
    entity_type: EntityType,
    entity_id: str,
    links: Sequence[Link],
    records: Mapping[Ref, Record],
    joined: set[str],
) -> Iterator[Found]:
    active = [link.ref for link in links if link.role == "active" and link.state == "linked"]
    alive = {ref.system: (records[ref],) for ref in active if ref in records}
    if len(alive) > 1:
        by = _paired_by(installation, entity_type, [found[0] for found in alive.values()])
        person = BY_PERSON if entity_id in joined else BY_EARLIER_KEY
        yield Found(Line(entity_type.name, "paired", by or person), entity_id, alive)
    elif alive:
        heading = "lost" if any(link.state == "lost" for link in links) else "one side"
        ((alone,),) = alive.values()
        yield Found(Line(entity_type.name, heading, _place(alone.ref)), entity_id, alive)
    for link in links:
        record = records.get(link.ref)
        if link.ref not in active and record is not None:
            heading = "converted" if _is_converted(installation, record) else "beside"
            yield Found(Line(entity_type.name, heading, _place(link.ref)), entity_id, {link.ref.system: (record,)})


def _paired_by(installation: Installation, entity_type: EntityType, pair: Sequence[Record]) -> str | None:
    """The first key in the order of ``match`` that both share now, or None."""
    shared = set.intersection(*(_keys(installation, entity_type, record) for record in pair))
    kinds = {kind for kind, _ in shared} | _by_links(installation, entity_type, pair)
    return next((kind for kind in entity_type.match if kind in kinds), None)


def _keys(installation: Installation, entity_type: EntityType, record: Record) -> set[tuple[str, str]]:
    return set(keys_of(record, entity_type, installation.policies, _capabilities(installation, record.ref)))


def _by_links(installation: Installation, entity_type: EntityType, pair: Sequence[Record]) -> set[str]:
    """Kinds of key that name other records: each side has ids of its own for those."""
    here, there = pair[0], pair[-1]
    readers = installation.policies.readers(entity_type.name, here.ref.system, here.ref.object_type)
    others = _keys(installation, entity_type, there)
    own = ((kind, value) for kind, value in _keys(installation, entity_type, here) if TOGETHER in kind)

    def elsewhere(thing: str, record_id: str) -> str | None:
        return counterpart(installation, thing, here.ref.system, record_id)

    return {kind for kind, value in own if (kind, linked_elsewhere(kind, value, readers, elsewhere)) in others}


def _unclear(installation: Installation, entity_type: EntityType) -> Iterator[Found]:
    for review in installation.reviews.list(kind="unclear"):
        ours = [ref for ref in review.refs if ref.object_type in entity_type.records.get(ref.system, ())]
        if len(ours) < len(review.refs):
            continue
        records = installation.mirror.records(ours)
        sides: dict[str, tuple[Record, ...]] = {}
        for ref in ours:
            if ref in records:
                sides[ref.system] = (*sides.get(ref.system, ()), records[ref])
        if sides:
            same = review.topic.partition(":")[0]
            yield Found(Line(entity_type.name, "unclear", f"same {same}"), "", sides)


def _converted_before(installation: Installation, entity_type: EntityType) -> Iterator[Found]:
    """Leads converted before Truce knew them; their Contacts speak for them."""
    for system, types in entity_type.records.items():
        conversions = installation.connectors[system].capabilities.conversions
        for object_type in (name for name in types if name in conversions):
            for record in installation.mirror.scan(system, object_type):
                if _is_converted(installation, record) and installation.crosswalk.entity_of(record.ref) is None:
                    yield Found(Line(entity_type.name, "converted", _place(record.ref)), "", {system: (record,)})


def _population(installation: Installation, entity_type: EntityType) -> int:
    return sum(
        installation.mirror.count(system, object_type)
        for system, types in entity_type.records.items()
        for object_type in types
    )


def _is_converted(installation: Installation, record: Record) -> bool:
    conversion = _capabilities(installation, record.ref).conversions.get(record.ref.object_type)
    return conversion is not None and record.fields.get(conversion.flag) is True


def _capabilities(installation: Installation, ref: Ref) -> Capabilities:
    return installation.connectors[ref.system].capabilities


def _place(ref: Ref) -> str:
    return f"{ref.system} {ref.object_type}"


def shown_fields(installation: Installation, record: Record, entity_type: EntityType) -> dict[str, FieldValue]:
    """The values a person needs to recognise a record: the fields that pairing looks at, by their policy names."""
    readers = installation.policies.readers(entity_type.name, record.ref.system, record.ref.object_type)
    named = {name for kind in entity_type.match for name in kind.split(TOGETHER)}
    return {
        name: record.fields.get(reader.vendor_field)
        for name, reader in readers.items()
        if name in named or reader.cleaner in ("email", "domain", "phone")
    }
