"""HubSpot's own metadata that no API tells: loaded once from the JSON files beside this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agent.connector import ParentField

SYSTEM = "hubspot"
HUBSPOT_DEFINED = "HUBSPOT_DEFINED"

_HERE = Path(__file__).parent
VENDOR: dict[str, Any] = json.loads((_HERE / "vendor.json").read_text(encoding="utf-8"))
ERRORS: dict[str, dict[str, str]] = json.loads((_HERE / "errors.json").read_text(encoding="utf-8"))

MERGED_IDS: str = VENDOR["merged_ids"]


def stamp_field(object_type: str) -> str:
    """The property that moves with every change: contacts keep it under a name of their own."""
    return str(VENDOR["stamp"].get(object_type, VENDOR["stamp_elsewhere"]))


def also_unique(object_type: str, key: str) -> str | None:
    """The property with further values of a field that is unique by rule (a contact's other e-mails)."""
    found: str | None = VENDOR["also_unique"].get(object_type, {}).get(key)
    return found


def association_types(object_type: str, relation: str) -> list[int] | None:
    """Association type ids that tie a new record to its parent, or None for an unknown relation."""
    place = VENDOR["parents"].get(object_type, {}).get(relation)
    return list(place["types"]) if place else None


@dataclass(frozen=True, slots=True)
class Association:
    """A field whose value is kept as an association: that with the one record of ``object_type`` that has ``label``.

    ``plain`` is the label that every pair of the two types has. Both are (category, type id).
    """

    field: str
    title: str
    object_type: str
    label: tuple[str, int]
    plain: tuple[str, int]


@cache
def association_fields(object_type: str) -> dict[str, Association]:
    """{relation: field} of those that are no properties of the record."""
    return {
        relation: Association(
            place["field"],
            place["label"],
            place["object_type"],
            (HUBSPOT_DEFINED, place["types"][0]),
            (HUBSPOT_DEFINED, place["plain"]),
        )
        for relation, place in VENDOR["parents"].get(object_type, {}).items()
        if place.get("is_association")
    }


@dataclass(frozen=True, slots=True)
class PairType:
    """Associations between two object types, seen as records: ``ends`` name their two ids, ``label`` what people call
    the one for the other; ``plain`` is the type id that every pair has."""

    name: str
    title: str
    here: str
    there: str
    plain: int
    ends: tuple[str, str]
    label: str


@cache
def pair_types() -> dict[str, PairType]:
    """{object type of ours: pair}."""
    return {name: PairType(name, **{**facts, "ends": tuple(facts["ends"])}) for name, facts in VENDOR["pairs"].items()}


def parent_fields() -> dict[str, dict[str, ParentField]]:
    """Where a parent's id can be read, as the capabilities publish it."""
    pairs = {
        name: dict(zip(pair.ends, map(ParentField, pair.ends, (pair.here, pair.there)), strict=True))
        for name, pair in pair_types().items()
    }
    return pairs | {
        object_type: {
            relation: ParentField(place["field"], place["object_type"]) for relation, place in relations.items()
        }
        for object_type, relations in VENDOR["parents"].items()
    }


def tied_types() -> list[str]:
    """Object types a record may be associated with, for its full copy."""
    return list(VENDOR["tied_types"])


def erasable_types() -> frozenset[str]:
    """Object types that have a GDPR delete."""
    return frozenset(VENDOR["erasable"])


def mergeable_types() -> frozenset[str]:
    return frozenset(VENDOR["mergeable"])


def name_fields() -> dict[str, tuple[str, ...]]:
    return {object_type: tuple(names) for object_type, names in VENDOR["names"].items()}


def clears_before_moving_back() -> frozenset[tuple[str, str]]:
    return frozenset(
        (object_type, name) for object_type, names in VENDOR["clears_before_moving_back"].items() for name in names
    )
