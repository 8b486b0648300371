"""Nouns of the CRM side: where a record is, what it held, and what became of it.

A field that is *absent* from ``Record.fields`` was not visible to us; a field that is present with ``None`` is
blank. The two are never the same thing (facts: Salesforce drops fields hidden by field-level security, HubSpot
drops sensitive properties), so nothing in the agent may turn one into the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

FieldValue = str | int | float | bool | None
"""One vendor value as JSON carries it. HubSpot sends text or None only; Salesforce sends every JSON scalar."""


class Ref(NamedTuple):
    """Where one record lives. The only key used across modules; a tuple, for it is hashed and compared all the time."""

    system: str
    object_type: str
    id: str

    def __str__(self) -> str:
        return f"{self.system}:{self.object_type}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read what ``str(ref)`` wrote.

        Raises:
            ValueError: the text is not ``system:object_type/id``.
        """
        system, colon, rest = text.partition(":")
        object_type, slash, record_id = rest.partition("/")
        if not (colon and slash and system and object_type and record_id):
            raise ValueError(f"not a record reference: {text!r}")
        return cls(system, object_type, record_id)


@dataclass(frozen=True, slots=True)
class Record:
    """One vendor's copy of a record at one moment, under the vendor's own field names.

    ``version`` is what a conditional write sends back (opaque); ``modified_at`` is the vendor's stamp (UTC, the
    vendor's clock); ``seen_at`` is when we read it (vendor clock too, from the reply's Date header).
    """

    ref: Ref
    fields: Mapping[str, FieldValue]
    version: str | None = None
    modified_at: datetime | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The vendor says this record was deleted (and may still be restored there).

    ``is_erased``: erased for good, as when a person asks to be forgotten; nothing may bring it back.
    """

    ref: Ref
    deleted_at: datetime | None = None
    is_erased: bool = False


@dataclass(frozen=True, slots=True)
class MergedInto:
    """The vendor says this record was merged; ``survivor`` carries on."""

    ref: Ref
    survivor: Ref
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """A read by id found nothing: deleted, archived or never there. ``for_good``: it is in no recycle bin either."""

    ref: Ref
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A read by id could not tell (no permission, row error). Never the same as ``Gone``."""

    ref: Ref
    reason: str


Pulled = Record | Tombstone | MergedInto
Readout = Record | Gone | MergedInto | Unreadable


@dataclass(frozen=True, slots=True)
class Owner:
    """A person or queue that may own records in one system. ``email`` is lower case or None.

    ``login`` is the user name where the system has one that is not the e-mail (Salesforce).
    """

    system: str
    id: str
    email: str | None
    name: str
    active: bool
    is_queue: bool = False
    login: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """What the crosswalk believes is one person or company: its members in each system.

    ``members`` are linked records; ``active`` names the one per system that is read and written.
    """

    id: str
    entity_type: str
    members: frozenset[Ref] = frozenset()
    active: Mapping[str, Ref] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one object type of one system has been pulled, inclusive; on the vendor's clock (UTC)."""

    system: str
    object_type: str
    watermark: datetime
