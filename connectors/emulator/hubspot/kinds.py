"""Object types: their names, ids, scopes and what each has of its own.

HubSpot's own are in ``schema/objects.json``; custom objects are described in the account's settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from connectors.emulator.hubspot.refusals import load

WHOLE_SCOPES = ("tickets", "e-commerce")
"""For reading and writing alike."""
CUSTOM_SCOPE = "crm.objects.custom"
FIRST_CUSTOM_ID = 5_001


@dataclass(frozen=True, slots=True)
class Kind:
    """One object type. ``created`` and ``stamp`` name its two date properties; ``versions`` of history are shown."""

    name: str
    type_id: str
    singular: str
    created: str
    stamp: str
    first_id: int
    versions: int
    mergeable: bool
    scope: str
    schema_scope: str
    shown: tuple[str, ...]
    searchable: tuple[str, ...]
    needs: tuple[str, ...] = ()
    needs_one_of: tuple[str, ...] = ()
    pipeline: str | None = None
    stage: str | None = None
    long_name: str = ""

    @property
    def upper(self) -> str:
        return self.singular.upper()

    @property
    def always(self) -> tuple[str, ...]:
        """Properties in every answer."""
        return (self.created, self.stamp, "hs_object_id")

    @property
    def has_lifecycle(self) -> bool:
        return self.name in {"contacts", "companies"}

    @property
    def is_custom(self) -> bool:
        return self.scope == CUSTOM_SCOPE

    def scopes(self, verb: str) -> list[str]:
        """Any of these allows reading or writing records."""
        return [self.scope] if self.scope in WHOLE_SCOPES else [f"{self.scope}.{verb}"]

    def schema_scopes(self, verb: str) -> list[str]:
        """Any of these allows reading or writing property definitions."""
        if self.schema_scope in WHOLE_SCOPES:
            return [self.schema_scope]
        found = [f"{self.schema_scope}.{verb}"]
        return [*found, f"{self.scope}.read"] if verb == "read" and self.scope != self.schema_scope else found


@cache
def shipped_kinds() -> dict[str, Kind]:
    """{plural name: kind} of HubSpot's own object types."""
    return {name: shipped_kind(name, facts) for name, facts in load("objects").items()}


@cache
def foreign_names() -> dict[str, str]:
    """{every spelling in lower case: plural name} of HubSpot's object types that this account has no scope for."""
    return {
        spelling: name
        for name, facts in load("other_objects").items()
        for spelling in (name, facts["singular"], facts["type_id"])
    }


def shipped_kind(name: str, facts: dict[str, Any]) -> Kind:
    """One line of ``schema/objects.json``, whose keys are those of ``Kind``."""
    told: dict[str, Any] = {key: tuple(fact) if isinstance(fact, list) else fact for key, fact in facts.items()}
    return Kind(name=name, **told)


def custom_kind(described: Mapping[str, Any]) -> Kind:
    """A custom object from its schema as the wire shows it."""
    name = described["name"]
    return Kind(
        name=name,
        type_id=described["objectTypeId"],
        singular=name,
        created="hs_createdate",
        stamp="hs_lastmodifieddate",
        first_id=FIRST_CUSTOM_ID,
        versions=20,
        mergeable=False,
        scope=CUSTOM_SCOPE,
        schema_scope="crm.schemas.custom",
        shown=tuple(described["requiredProperties"]),
        searchable=tuple(described["searchableProperties"]),
        needs=tuple(described["requiredProperties"]),
        long_name=described["fullyQualifiedName"],
    )


def spelled(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """{every spelling in lower case: kind}: plural, singular, type id, a custom object's full name and ``p_name``."""
    found = {}
    for kind in kinds:
        short = f"p_{kind.name}" if kind.is_custom else ""
        for name in (kind.name, kind.singular, kind.type_id, kind.long_name, short):
            found[name.lower()] = kind
    found.pop("", None)
    return found
