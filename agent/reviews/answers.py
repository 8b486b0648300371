"""What an answer to a question does beyond being remembered.

A lost or converted record has answers that move links; every other question takes a person's own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.decide.creation import CREATE
from agent.errors import UsageError
from agent.forgetting import forgetting
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.pairing import decisions
from agent.places import entity_type_of
from agent.records import Ref
from agent.reviews.reviews import NEVER, Review

KEEP, CREATE_AGAIN, RELINK, TAKE_OVER = "keep", "create again", "relink", "take over"
FORGET, ALLOW = "forget", "allow again"

CHOICES: Mapping[str, tuple[str, ...]] = {
    "lost": (KEEP, CREATE_AGAIN, f"{RELINK} RECORD", FORGET),
    "erased": (KEEP, ALLOW),
    "converted": (KEEP, TAKE_OVER),
    "duplicate": (NEVER,),
}
"""Kind of question → answers that do something. A duplicate takes any other words too."""

NOTED: Mapping[str, str] = {
    "unclear": "noted, and not asked again; they stay unpaired until truce pair join ONE OTHER",
    "conflict": "noted, and not asked again; both values stay until somebody changes one in a CRM",
    "first difference": "noted, and not asked again; both values stay until somebody changes one in a CRM",
    "overwritten": "noted, and not asked again; the value stays overwritten",
    "unmapped": "noted, and not asked again; the value stays until its policy line maps it",
    "missing": "noted, and not asked again; the record is made once the CRM has what it needs",
}
"""What a person's own words come to, by the kind of question: nothing is written because of them."""

RELEASED = "released"
"""State of a link to a record that is gone and that a person let go: its place may be filled anew."""


def carry_out(installation: Installation, review: Review, answer: str, person: str) -> str:
    """Do what the answer says, in Truce's own books; returns it in a sentence. Writes to no CRM.

    Raises:
        UsageError: this question has no such answer, or it cannot be done as things stand.
    """
    if review.kind == "lost":
        return _lost(installation, review, answer, person)
    if review.kind == "erased":
        return _erased(installation, review, answer, person)
    if review.kind == "converted":
        return _converted(installation, review, answer, person)
    return (
        "the two are kept apart for good" if answer == NEVER else NOTED.get(review.kind, "noted, and not asked again")
    )


def _lost(installation: Installation, review: Review, answer: str, person: str) -> str:
    gone = review.refs[0]
    verb, _, name = answer.partition(" ")
    if answer == KEEP:
        _keep_counterpart(installation, review, gone, person)
        return f"{gone} stays lost: nothing is created or written in its place"
    if answer == CREATE_AGAIN:
        _require_create(installation, review, gone.system)
        installation.crosswalk.mark(gone, RELEASED)
        return f"{gone} is let go; the policy that creates it decides again, in its own mode"
    if answer == FORGET:
        forgetting.forget(installation, review.entity_id, person)
        return "its values are forgotten, and nothing of Truce creates it again"
    if verb == RELINK and name:
        partner = _counterpart(installation, review, gone.system)
        other = _ref(name)
        if other.system != gone.system:
            raise UsageError(f"{other} is not in {gone.system}", next_step=f"truce review {review.id}")
        decisions.join(installation, partner, other, person)
        return f"{partner} is paired with {other} now"
    raise _no_such_answer(review, answer)


def _erased(installation: Installation, review: Review, answer: str, person: str) -> str:
    if answer == KEEP:
        return "its counterpart stays as it is: nothing is written to it, and nothing is created for it"
    if answer == ALLOW:
        forgetting.allow(installation, review.entity_id, person)
        if installation.mirror.is_deleted(review.refs[0]):
            installation.crosswalk.mark(review.refs[0], RELEASED)
        return "the policies decide again, in their own mode; what was forgotten stays so"
    raise _no_such_answer(review, answer)


def _keep_counterpart(installation: Installation, review: Review, gone: Ref, person: str) -> None:
    """Where the policy would take the counterpart off, the person's word keeps it."""
    entity_type = installation.policies.policies.entity_types[entity_type_of(review.entity_id)]
    systems = [system for system in entity_type.records if system != gone.system]
    if entity_type.follows_removals:
        reason = f"{person} keeps it although {gone} was removed"
        installation.freezes.add(
            [Freeze(review.entity_id, CREATE, system, "", "person", reason) for system in systems], person
        )


def _converted(installation: Installation, review: Review, answer: str, person: str) -> str:
    lead, contact = review.refs
    if answer == KEEP:
        return f"{contact} stays with whom it is paired; nothing follows {lead} any more"
    if answer != TAKE_OVER:
        raise _no_such_answer(review, answer)
    partner = _counterpart(installation, review, contact.system)
    entity_id = installation.crosswalk.entity_of(contact)
    links = installation.crosswalk.members([entity_id]).get(entity_id, ()) if entity_id else ()
    if any(link.ref.system != contact.system and link.role == "active" and link.state == "linked" for link in links):
        decisions.split(installation, contact, person)
    decisions.join(installation, partner, contact, person)
    return f"{contact} is paired with {partner} now"


def _require_create(installation: Installation, review: Review, system: str) -> None:
    entity_type = installation.policies.policies.entity_types[entity_type_of(review.entity_id)]
    if system not in entity_type.creates:
        raise UsageError(
            f"no policy creates a {entity_type.name} in {system}",
            why="without a `create:` line nothing would come of it",
            next_step=f'truce review {review.id} --answer "keep"',
        )


def _counterpart(installation: Installation, review: Review, system: str) -> Ref:
    """The active record of the question's entity on the other side."""
    links = installation.crosswalk.members([review.entity_id]).get(review.entity_id, ())
    found = [
        link.ref for link in links if link.ref.system != system and link.role == "active" and link.state == "linked"
    ]
    if not found:
        raise UsageError(f"{review.entity_id} has no counterpart any more", next_step="truce review")
    return found[0]


def _ref(text: str) -> Ref:
    try:
        return Ref.parse(text)
    except ValueError as error:
        raise UsageError(
            str(error), why="write it as system:object/id, as reports print it", next_step="truce pair --csv pairs"
        ) from None


def _no_such_answer(review: Review, answer: str) -> UsageError:
    return UsageError(
        f"{review.id} has no answer {answer!r}",
        why=f"it can be {', '.join(CHOICES[review.kind])}",
        next_step=f'truce review {review.id} --answer "{KEEP}"',
    )
