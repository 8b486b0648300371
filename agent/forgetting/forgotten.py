"""Who was forgotten: known again by the keyed hash of an e-mail, or of a company's domain, and by nothing else.

Kept so that no policy and no undo creates somebody again who asked to be forgotten; HubSpot lets its API do so.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.decide.match import keys_of
from agent.installation import Installation
from agent.ledger.erasure import Erasure
from agent.places import entity_type_of
from agent.records import Record, Ref

IDENTITIES = ("email", "domain")
"""Kinds of match key that tell who somebody is, the better one first."""


def forgotten_among(installation: Installation, records: Iterable[Record]) -> set[Ref]:
    """Those of the records that somebody forgotten answers to."""
    erasure = Erasure(installation.ledger)
    if not erasure.has_any():
        return set()
    return {
        record.ref
        for record in records
        for kind, value in identities(installation, record)
        if erasure.is_erased(erasure.fingerprint(_words(_type_of(installation, record.ref), kind, value)))
    }


def question_of_erased(ref: Ref, others: Iterable[Ref]) -> str:
    """What a person asked one CRM to erase, the other may have to erase too: that is for people to do."""
    return (
        f"{ref} was erased for good, and Truce forgets its values; {' and '.join(map(str, others))} is still there:"
        " erase it there too, or say that it stays"
    )


def identities(installation: Installation, record: Record) -> list[tuple[str, str]]:
    """The record's e-mails as match keys, or its domains where it has none."""
    entity_type = installation.policies.policies.entity_types.get(_type_of(installation, record.ref))
    if entity_type is None:
        return []
    capabilities = installation.connectors[record.ref.system].capabilities
    keys = [key for key in keys_of(record, entity_type, installation.policies, capabilities) if key[0] in IDENTITIES]
    best = min((IDENTITIES.index(kind) for kind, _ in keys), default=0)
    return [key for key in keys if key[0] == IDENTITIES[best]]


def fingerprints(installation: Installation, entity_id: str, keys: Iterable[tuple[str, str]]) -> list[bytes]:
    """Of these identities of one entity."""
    erasure, about = Erasure(installation.ledger), entity_type_of(entity_id)
    return sorted({erasure.fingerprint(_words(about, kind, value)) for kind, value in keys})


def _type_of(installation: Installation, ref: Ref) -> str:
    types = installation.policies.policies.entity_types.values()
    return next((each.name for each in types if ref.object_type in each.records.get(ref.system, ())), "")


def _words(entity_type: str, kind: str, value: str) -> str:
    return f"{entity_type} {kind} {value}"
