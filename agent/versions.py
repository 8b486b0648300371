"""Values that a field had before, and who wrote them, as far as a CRM tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.records import FieldValue, Ref


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a value. ``signs``: every id, login or kind of source by which a config may name it."""

    name: str
    signs: frozenset[str]
    is_person: bool = True


@dataclass(frozen=True, slots=True)
class Landed:
    """A write of ours that a record shows: ``field`` got ``value`` with this ``version`` of the record."""

    ref: Ref
    field: str
    value: FieldValue
    version: str


@dataclass(frozen=True, slots=True)
class Version:
    """A value that a field had from ``at`` on, by the vendor's clock, and who wrote it."""

    value: FieldValue
    at: datetime
    author: Author


def people_of(authors: Mapping[tuple[Ref, str], Author]) -> dict[tuple[Ref, str], str]:
    """The names of those authors who are people."""
    return {cell: author.name for cell, author in authors.items() if author.is_person}
