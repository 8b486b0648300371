"""The people named in policies against the owners both CRMs have: do they exist, once, and are they active?"""

from __future__ import annotations

from collections.abc import Sequence

from agent.decide.kinds.header import Document
from agent.decide.owners import SANDBOX_SUFFIX
from agent.decide.policy import FieldRule, FieldsPolicy, PeoplePolicy
from agent.decide.schema_check import written_systems
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import MapNode, Node
from agent.records import Owner


def check_people(document: Document, policy: PeoplePolicy, owners: Sequence[Owner]) -> None:
    """Every line of the people table names one active owner."""
    people = document.find("people")
    for person, by_system in policy.owner_table.items():
        for system, reference in by_system.items():
            node = _reference_node(people, person, document.systems[system].owner_word) or document.key("people")
            found = [owner for owner in owners if owner.system == system and _answers_to(owner, reference)]
            _require_one(document, node, f"`{reference}`", system, found, _known(document, owners, system, reference))


def check_otherwise(document: Document, policy: FieldsPolicy, owners: Sequence[Owner]) -> None:
    """Whoever takes a record ``otherwise`` is one active owner wherever the line may write."""
    for rule in policy.rules:
        if not rule.is_owner or rule.owner_otherwise is None:
            continue
        email = rule.owner_otherwise.lower()
        for system in written_systems(rule):
            found = [owner for owner in owners if owner.system == system and _email(owner) == email]
            advice = did_you_mean(email, sorted({_email(owner) for owner in owners if owner.system == system} - {""}))
            _require_one(document, _otherwise_node(document, rule), f"`{email}`", system, found, advice)


def _require_one(document: Document, node: Node, named: str, system: str, found: list[Owner], advice: str) -> None:
    where, reader = document.systems[system].name, document.reader
    active = [owner for owner in found if owner.active and not owner.is_queue]
    if len(active) == 1:
        return
    if len(active) > 1:
        shown = ", ".join(f"`{owner.id}` ({owner.name})" for owner in active)
        reader.error(node, f"{named} is {len(active)} owners in {where}", f"Write one of their ids: {shown}.")
    elif any(owner.is_queue for owner in found):
        reader.error(
            node, f"{named} is a queue in {where}", "People, companies and deals belong to a person. Name one."
        )
    elif found:
        reader.error(node, f"{named} is inactive in {where}", "Name somebody active, or remove the line.")
    else:
        reader.warn(node, f"{named} is no owner in {where}, so the line has no effect there", advice)


def _answers_to(owner: Owner, reference: str) -> bool:
    return reference.casefold() in {word.casefold() for word in (owner.id, owner.login, owner.email) if word}


def _email(owner: Owner) -> str:
    return (owner.email or "").lower().removesuffix(SANDBOX_SUFFIX)


def _known(document: Document, owners: Sequence[Owner], system: str, reference: str) -> str:
    """What could have been meant, after what the system has to say of such mistakes."""
    logins = [owner.login or owner.email or "" for owner in owners if owner.system == system and not owner.is_queue]
    advice = did_you_mean(reference, sorted(filter(None, logins)))
    return f"{document.systems[system].owner_note} {advice}".strip()


def _reference_node(people: Node | None, person: str, word: str) -> Node | None:
    for key, value in people.pairs if isinstance(people, MapNode) else ():
        if key.text.strip().lower() == person and isinstance(value, MapNode):
            return value.find(word)
    return None


def _otherwise_node(document: Document, rule: FieldRule) -> Node:
    fields = document.find("fields")
    line = fields.find(rule.name) if isinstance(fields, MapNode) else None
    return (line.find("otherwise") if isinstance(line, MapNode) else None) or line or document.node
