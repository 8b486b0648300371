"""Somebody is to be forgotten: their values leave the ledger and the mirror, and nothing of ours creates them again.

Where a CRM tells an erasure from a deletion (``Capabilities.tells_erasures_for``) this happens by itself; elsewhere a
person orders it (``truce forget``). What stays is which field was written when and by which policy line, that the
person was erased, and a keyed hash of their e-mail (a company's: of its domain), by which a new record of theirs is
known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.approval import proposals
from agent.changes import Entry, ReviewRequest, State
from agent.crosswalk import Link
from agent.errors import UsageError
from agent.forgetting.forgotten import IDENTITIES, fingerprints, identities
from agent.installation import Installation
from agent.ledger.erasure import WITHOUT_VALUES, Erasure
from agent.records import Ref
from agent.reports.finding import entities_named
from agent.unsettled import may_still_land
from agent.views import SLICE

BY_ITSELF = "truce"
NOT_WRITTEN = (State.PLANNED, State.HELD)
DROPPED = "the person is forgotten"
DOUBTED = "erasures doubted"
"""Kind of the event that says so much was erased at once that a person is asked; its subject is the system."""

MOST_BY_ITSELF = 25
"""Erasures noticed at once that are believed without a person. Forgetting cannot be undone, people ask for it one by
one, and a vendor that shows neither records nor their bin for an hour would look just like it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about, and what Truce holds of them. ``there``: records that their CRM still has."""

    entity_id: str
    records: tuple[Ref, ...]
    there: tuple[Ref, ...]
    entries: int
    waiting: int
    questions: int
    was_forgotten: bool


def find(installation: Installation, wanted: str) -> Subject:
    """The one person or company that a reference, an entity, an id, an e-mail or a domain names.

    Raises:
        NotFound: nobody answers to it. UsageError: more than one does.
    """
    entities = entities_named(installation, wanted)
    if len(entities) != 1:
        raise UsageError(
            f"{wanted} names {len(entities)} entities",
            why=", ".join(entities),
            next_step=f"truce forget {entities[0]}",
        )
    return subject(installation, entities[0])


def subject(installation: Installation, entity_id: str) -> Subject:
    entries = installation.ledger.entries(entity_id=entity_id)
    refs = tuple(link.ref for link in _links(installation, entity_id))
    there = installation.mirror.living(refs)
    return Subject(
        entity_id,
        refs,
        tuple(ref for ref in refs if ref in there),
        sum(not entry.erased for entry in entries),
        sum(entry.state in NOT_WRITTEN for entry in entries),
        len(installation.reviews.of_entity(entity_id)),
        entity_id in Erasure(installation.ledger).entities(),
    )


def forget(installation: Installation, entity_id: str, actor: str) -> Subject:
    """Forget one entity; safe to repeat. Returns what was held of it until now.

    Raises:
        UsageError: a write of it is not settled yet, and without its values nobody could settle it any more.
    """
    entries = installation.ledger.entries(entity_id=entity_id)
    open_ones = {entry.id for entry in may_still_land(installation)}.intersection(entry.id for entry in entries)
    if open_ones:
        raise UsageError(
            f"{min(open_ones)} about {entity_id} is not settled yet",
            why="it is read back first: without its values nobody could tell whether it was made",
            next_step="truce run --once, then the same command again",
        )
    held = subject(installation, entity_id)
    copies = [copy for ref in held.records if (copy := installation.mirror.last_copy(ref)) is not None]
    keys = [key for copy in copies for key in identities(installation, copy)]
    _drop_waiting(installation, entries, keys)
    _close_questions(installation, entity_id)
    prints = fingerprints(installation, entity_id, keys)
    Erasure(installation.ledger).erase(entity_id, prints, actor, [str(ref) for ref in held.records])
    installation.mirror.erased.forget(entity_id, held.records)
    installation.mirror.pend(held.there, "erased", installation.clock())
    if held.there and actor != BY_ITSELF:
        _ask_about_the_rest(installation, held, actor)
    return held


def forget_erased(installation: Installation) -> int:
    """Forget whoever was erased in a CRM, and what is gone by now of those forgotten before. Returns how many.

    One with a write that is not settled yet comes next time. More than ``MOST_BY_ITSELF`` count as deleted: their
    questions offer to forget them.
    """
    waiting = _believed(installation)
    entity_of = installation.crosswalk.entities_of(waiting)
    busy = {entry.change.entity_id for entry in may_still_land(installation)} if waiting else set()
    due = {entity_of[ref] for ref in waiting if ref in entity_of} | _followed(installation)
    for entity_id in sorted(due - busy):
        forget(installation, entity_id, BY_ITSELF)
    installation.mirror.erased.forget("", [ref for ref in waiting if ref not in entity_of])
    return len(due - busy)


def allow(installation: Installation, entity_id: str, actor: str) -> None:
    """A person's word that somebody erased may be known, written and created again, with their own consent."""
    refs = [link.ref for link in _links(installation, entity_id)]
    records = installation.mirror.records(refs).values()
    keys = [key for record in records for key in identities(installation, record)]
    Erasure(installation.ledger).lift(entity_id, fingerprints(installation, entity_id, keys), actor)


def _ask_about_the_rest(installation: Installation, held: Subject, actor: str) -> None:
    """Also the way back, should the person be taken up again."""
    there = " and ".join(map(str, held.there))
    sentence = (
        f"{held.entity_id} is forgotten, says {actor}; {there} is still there: erase it there, or say that it stays"
    )
    request = ReviewRequest("erased", held.entity_id, f"forgotten:{held.entity_id}", sentence, held.there)
    installation.reviews.open_or_refresh([request])


def _links(installation: Installation, entity_id: str) -> Sequence[Link]:
    return installation.crosswalk.members([entity_id]).get(entity_id, ())


def _believed(installation: Installation) -> list[Ref]:
    waiting = installation.mirror.erased.waiting()
    if len(waiting) <= MOST_BY_ITSELF:
        return waiting
    installation.mirror.erased.doubt(waiting)
    for system, count in sorted(Counter(ref.system for ref in waiting).items()):
        installation.ledger.record_event(DOUBTED, system, BY_ITSELF, {"records": count})
    return []


def _followed(installation: Installation) -> set[str]:
    """Entities forgotten before of which a record has gone just now: its copy goes too."""
    erased = Erasure(installation.ledger).entities()
    if not erased:
        return set()
    followed: set[str] = set()
    for part in installation.mirror.waiting.parts(SLICE):
        known = installation.crosswalk.entities_of(part)
        entities = {ref: entity_id for ref, entity_id in known.items() if entity_id in erased}
        living = installation.mirror.living(entities)
        if living:
            installation.mirror.erased.forget("", living)  # what changed there just now becomes no history
        gone = entities.keys() - living
        followed.update(entities[ref] for ref in gone if not installation.mirror.erased.has(ref))
    return followed


def _drop_waiting(installation: Installation, entries: Sequence[Entry], keys: Collection[tuple[str, str]]) -> None:
    """Nothing that waits is written any more, and nobody else's record with that e-mail is created either."""
    refs = {
        ref
        for kind in IDENTITIES
        for refs in installation.mirror.holders(kind, [value for its_kind, value in keys if its_kind == kind]).values()
        for ref in refs
    }
    others = set(installation.crosswalk.entities_of(refs).values())
    waiting = [entry for entry in entries if entry.state in NOT_WRITTEN]
    waiting += [
        entry
        for entry in installation.ledger.entries(states=NOT_WRITTEN)
        if entry.change.op == "create" and entry.change.entity_id in others and entry not in waiting
    ]
    proposals.drop(installation, waiting, DROPPED)
    installation.mirror.pend(refs, DROPPED, installation.clock())


def _close_questions(installation: Installation, entity_id: str) -> None:
    for review in installation.reviews.open_for([entity_id]):
        if review.kind not in WITHOUT_VALUES:
            installation.reviews.close(entity_id, review.topic)
