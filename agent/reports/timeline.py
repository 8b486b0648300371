"""One person, company or deal on one line of time: what each CRM held, what Truce did, what people said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from agent.changes import Batch, Entry, State
from agent.crosswalk import Link
from agent.events import OVERWRITTEN
from agent.installation import Installation
from agent.ledger.erasure import LIFTED
from agent.ledger.verify import ERASED
from agent.mirror.mirror import Observed
from agent.places import entity_type_of, places_of
from agent.records import FieldValue, Ref
from agent.reports.finding import entities_named

TRUCE = "truce"
_SAID = {ERASED: "forgotten: its values were erased", LIFTED: "may be known again"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. ``where`` is a system, or ``truce``.

    ``since``: an edit in a CRM is only known to lie between two sightings; it is the earlier one. ``field`` is the
    policy's name where a policy names the vendor's field, else the vendor's own. ``system`` is whose values they are.
    """

    at: datetime
    where: str
    what: str
    field: str = ""
    before: FieldValue = None
    after: FieldValue = None
    is_value: bool = False
    since: datetime | None = None
    system: str = ""
    batch: str = ""
    line: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """``name`` as people call it; ``refs`` are all records ever linked; ``moments`` oldest first."""

    entity_id: str
    name: str
    refs: tuple[Ref, ...]
    moments: tuple[Moment, ...]


def timeline(installation: Installation, wanted: str) -> Timeline:
    """Everything known of the entity that a reference, id, e-mail, domain or name means.

    Raises:
        NotFound: nothing answers to it, or it is not paired yet.
    """
    entity_id = entities_named(installation, wanted)[0]
    links = installation.crosswalk.members([entity_id])[entity_id]
    moments = [
        *_links(links),
        *(moment for link in links for moment in _sightings(installation, entity_id, link.ref)),
        *_writes(installation, entity_id),
        *_freezes(installation, entity_id),
        *_questions(installation, entity_id),
        *_said(installation, entity_id),
    ]
    ordered = tuple(sorted(moments, key=lambda moment: (moment.at, moment.where, moment.field)))
    return Timeline(entity_id, _name(installation, entity_id, links), tuple(link.ref for link in links), ordered)


def _name(installation: Installation, entity_id: str, links: Sequence[Link]) -> str:
    """As people call it; the entity's own name where no record is left."""
    copies = installation.mirror.records(link.ref for link in links).values()
    return installation.display_name(next(iter(copies))) if copies else entity_id


def _links(links: Sequence[Link]) -> Iterator[Moment]:
    words = {"linked": "known", "duplicate": "a second record, read only", "lost": "deleted or merged there",
             "undone": "created by Truce and taken back", "released": "gone, its place may be filled anew"}  # fmt: skip
    for link in links:
        state = "duplicate" if link.role == "duplicate" and link.state == "linked" else link.state
        yield Moment(link.since, link.ref.system, f"{link.ref.object_type} {link.ref.id}: {words.get(state, state)}")


def _sightings(installation: Installation, entity_id: str, ref: Ref) -> Iterator[Moment]:
    """Changes seen in a CRM that are not our own writes."""
    names = _policy_names(installation, entity_id, ref)
    by_field: dict[str, list[Observed]] = {}
    for observed in installation.mirror.history(ref):
        by_field.setdefault(observed.field, []).append(observed)
    for vendor_field, observations in by_field.items():
        for before, after in pairwise(observations):
            if after.by is None:
                yield Moment(
                    after.modified_at or after.first_seen,
                    ref.system,
                    _words_of(before, after),
                    names.get(vendor_field, vendor_field),
                    before.value,
                    after.value,
                    is_value=after.visible and not (before.erased or after.erased),
                    since=before.last_seen if after.modified_at is None else None,
                    system=ref.system,
                )


def _words_of(before: Observed, after: Observed) -> str:
    if not after.visible:
        return "no longer shown to Truce"
    return "changed, values erased" if before.erased or after.erased else "changed"


def _writes(installation: Installation, entity_id: str) -> Iterator[Moment]:
    batches: dict[str, Batch] = {}
    for entry in installation.ledger.entries(entity_id=entity_id):
        batch = batches.setdefault(entry.batch_id, installation.ledger.batch(entry.batch_id))
        yield from _cells(entry, batch)


def _cells(entry: Entry, batch: Batch) -> Iterator[Moment]:
    people = ", ".join(batch.approved_by) or (batch.actor if batch.kind != "cycle" else "")
    for cell in entry.change.cells:
        written = entry.state is State.CONFIRMED
        yield Moment(
            entry.settled_at or entry.recorded_at,
            TRUCE,
            _deed(entry),
            cell.field,
            cell.before,
            entry.observed.get(cell.vendor_field, cell.after) if written else cell.after,
            is_value=not entry.erased,
            system=entry.change.system,
            batch=entry.batch_id,
            line=cell.why.line,
            who=people,
        )


def _deed(entry: Entry) -> str:
    done = entry.state is State.CONFIRMED
    deed = f"written to {entry.change.system}" if done else f"{entry.change.system} {entry.state.value}"
    return f"{deed} (values erased)" if entry.erased else deed


def _freezes(installation: Installation, entity_id: str) -> Iterator[Moment]:
    for freeze in installation.freezes.by_entity([entity_id]).get(entity_id, ()):
        if freeze.made_at is not None:
            yield Moment(freeze.made_at, TRUCE, f"frozen towards {freeze.system}: {freeze.reason}", freeze.field)


def _questions(installation: Installation, entity_id: str) -> Iterator[Moment]:
    for review in installation.reviews.of_entity(entity_id):
        yield Moment(review.opened_at, TRUCE, f"{review.id} asked: {review.sentence}", line=review.line)
        if review.ended_at is not None:
            ended = f"answered “{review.answer}”" if review.answer else "went away"
            yield Moment(review.ended_at, TRUCE, f"{review.id} {ended}", who=review.person or "")


def _said(installation: Installation, entity_id: str) -> Iterator[Moment]:
    """What people said of this entity: joined, split, frozen, lifted. An overwritten edit is told by its question."""
    for event in installation.ledger.events(subject=entity_id):
        if event.kind == OVERWRITTEN:
            continue
        details = ", ".join(str(value) for value in event.body.values() if isinstance(value, str))
        yield Moment(event.at, TRUCE, f"{_SAID.get(event.kind, event.kind)} {details}".strip(), who=event.actor)


def _policy_names(installation: Installation, entity_id: str, ref: Ref) -> Mapping[str, str]:
    """{vendor field: the policies' name of it} for one record's object type."""
    entity_type = entity_type_of(entity_id)
    places = places_of(installation.policies.policies).by_field
    return {
        vendor_field: name
        for (kind, name), by_system in places.items()
        if kind == entity_type
        for object_type, vendor_field in by_system.get(ref.system, {}).items()
        if object_type == ref.object_type
    }
