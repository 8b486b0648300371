"""Who in the other system is the same person: by the people table, then by e-mail.

A Salesforce user name is not an e-mail, and the users of a sandbox have ``.invalid`` appended to theirs.
Somebody inactive, a queue, or an e-mail that two owners share is nobody's counterpart: the policy's
``otherwise`` decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.decide.normalise import as_text
from agent.decide.values import Reading, display
from agent.decide.view import OwnerMap
from agent.records import FieldValue, Owner

SANDBOX_SUFFIX = ".invalid"


@dataclass(frozen=True, slots=True)
class Counterpart:
    """``owner_id`` in the other system, or None with the reason in plain words."""

    owner_id: str | None
    reason: str = ""


class NoCounterpart(LookupError):
    """This owner is nobody in the other system; the message says why."""


class OwnerCodec:
    """Reads and writes owner ids as the people behind them; the counterpart of ``values.Codec``."""

    __slots__ = ("_otherwise", "_owner_map")

    def __init__(self, owner_map: OwnerMap, otherwise: str | None = None) -> None:
        self._owner_map = owner_map
        self._otherwise = otherwise

    def read(self, system: str, raw: FieldValue) -> Reading:
        if not isinstance(raw, str):
            return self._reading(system, raw)
        known = self._owner_map.readings.get((system, raw))
        if known is None:
            known = self._owner_map.readings[system, raw] = self._reading(system, raw)
        return known

    def _reading(self, system: str, raw: FieldValue) -> Reading:
        owner_id = as_text(raw)
        if owner_id is None:
            return Reading(raw)
        owner = find_owner(self._owner_map, system, owner_id)
        email = person_email(self._owner_map, owner) if owner is not None else None
        form = email or f"{system}:{self._owner_map.systems[system].id_of(owner_id)}"
        return Reading(raw, email or owner_id, owner_id, frozenset((form,)), system=system)

    def agree(self, here: Reading, there: Reading) -> bool:
        return here.forms == there.forms

    def is_spelling(self, here: Reading, there: Reading) -> bool:
        return False

    def called(self, system: str) -> str:
        return self._owner_map.systems[system].name

    def show(self, reading: Reading) -> str:
        owner = find_owner(self._owner_map, reading.system, reading.text) if reading.text else None
        return display(owner.name if owner is not None else reading.raw)

    def write(self, system: str, reading: Reading) -> FieldValue:
        """The id of the same person in this system, or of whom the policy names ``otherwise``.

        Raises:
            NoCounterpart: inactive, unknown, a queue, or ambiguous, and nobody else is named.
        """
        if reading.text is None:
            return None
        if reading.system == system:
            return reading.raw
        found = counterpart(self._owner_map, reading.text, reading.system, system)
        if found.owner_id is not None:
            return found.owner_id
        if self._otherwise is None or "@" not in self._otherwise:
            raise NoCounterpart(found.reason)
        instead = _active_owner(self._owner_map, system, self._otherwise.strip().lower())
        if instead.owner_id is None:
            raise NoCounterpart(f"{found.reason}; and {instead.reason}")
        return instead.owner_id


def counterpart(owner_map: OwnerMap, owner_id: str, here: str, there: str) -> Counterpart:
    """The owner in ``there`` who is the person ``owner_id`` is in ``here``."""
    owner = find_owner(owner_map, here, owner_id)
    if owner is None:
        return Counterpart(None, f"{owner_map.systems[here].name} owner {owner_id} is unknown")
    if owner.is_queue:
        return Counterpart(
            None, f"{owner.name} is a queue; people in {owner_map.systems[there].name} cannot belong to it"
        )
    if not owner.active:
        return Counterpart(None, f"{owner.name} is inactive in {owner_map.systems[here].name}")
    email = person_email(owner_map, owner)
    if email is None:
        return Counterpart(None, f"{owner.name} has no e-mail in {owner_map.systems[here].name}")
    return _active_owner(owner_map, there, email)


def _active_owner(owner_map: OwnerMap, there: str, email: str) -> Counterpart:
    found = [
        other
        for (system, _), other in owner_map.owners.items()
        if system == there and not other.is_queue and person_email(owner_map, other) == email
    ]
    active = sorted({other.id for other in found if other.active})
    if len(active) == 1:
        return Counterpart(active[0])
    if active:
        return Counterpart(None, f"{len(active)} owners in {owner_map.systems[there].name} have the e-mail {email}")
    state = "is inactive" if found else "is not an owner"
    return Counterpart(None, f"{email} {state} in {owner_map.systems[there].name}")


def is_same_person(owner_map: OwnerMap, here: str, owner_id: str, there: str, other_id: str) -> bool:
    """Do both ids belong to one person? Says nothing about being active."""
    owner, other = find_owner(owner_map, here, owner_id), find_owner(owner_map, there, other_id)
    if owner is None or other is None:
        return False
    email = person_email(owner_map, owner)
    return email is not None and email == person_email(owner_map, other)


def find_owner(owner_map: OwnerMap, system: str, owner_id: str) -> Owner | None:
    """By id; where ids come in two forms, in either."""
    found = owner_map.owners.get((system, owner_id))
    named = owner_map.systems[system]
    if found is not None or named.short_id is None:
        return found
    return next(
        (
            owner
            for (name, known), owner in owner_map.owners.items()
            if name == system and named.id_of(known) == named.id_of(owner_id)
        ),
        None,
    )


def person_email(owner_map: OwnerMap, owner: Owner) -> str | None:
    """The e-mail of the person behind an owner: what the people table says, else the owner's own."""
    for reference in (owner.id, owner.login, owner.email, owner.name):
        if reference and (listed := owner_map.table.get(reference)) is not None:
            return listed.strip().lower()
    if owner.email is None:
        return None
    return owner.email.strip().lower().removesuffix(SANDBOX_SUFFIX) or None
