"""What Truce would write now and what it would not yet, object by object: where the first hour ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.changes import Mode
from agent.connector import Capabilities, ObjectSchema
from agent.decide.policy import EntityType, PolicySet
from agent.policy_files.rights import written_by
from agent.words import counted

By = Literal["itself", "a person", "nobody yet"]
Spot = tuple[str, str]
"""(system, object type)."""

NEW_RECORDS = "new records"
_DECIDES: Mapping[Mode, By] = {"act": "itself", "ask": "a person", "watch": "nobody yet"}


@dataclass(frozen=True, slots=True)
class Prospect:
    """``what`` is written to an object type, ``by`` whom each write is decided now, and ``why`` nobody does yet."""

    system: str
    object_type: str
    what: str
    by: By
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at both CRMs found: ``capabilities`` of those that let us in, ``schemas`` of the object types that
    can be read, and the vendor's names of rights that are ``missing``."""

    capabilities: Mapping[str, Capabilities]
    schemas: Mapping[Spot, ObjectSchema]
    missing: Mapping[Spot, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Prospects:
    """``modes``: what each policy may do now. ``accepted``: entity types of which a person accepted who is the same."""

    policies: PolicySet
    sight: Sight
    modes: Mapping[str, Mode]
    accepted: Collection[str]

    def all(self) -> Iterator[Prospect]:
        """In the order of the policies; object types that are only read are left out."""
        for entity_type in self.policies.entity_types.values():
            for system, object_types in entity_type.records.items():
                for object_type in object_types:
                    yield from self._changes(entity_type, (system, object_type))
                if system in entity_type.creates:
                    yield self._creates(entity_type, (system, entity_type.creates[system].as_type))

    def _changes(self, entity_type: EntityType, spot: Spot) -> Iterator[Prospect]:
        fields: dict[tuple[By, str], set[str]] = {}
        for policy, written in written_by(self.policies, entity_type.name, *spot).items():
            fields.setdefault(self._decided(policy, self._why_no_change(spot)), set()).update(written)
        for (by, why), written in fields.items():
            yield Prospect(*spot, counted(len(written), "field"), by, why)

    def _creates(self, entity_type: EntityType, spot: Spot) -> Prospect:
        why = self._why_no_create(spot)
        if not why and entity_type.name not in self.accepted:
            why = f"nobody has accepted who is the same {entity_type.name}: truce pair"
        by, why = self._decided(entity_type.policy, why)
        has_no_key = by == "itself" and _link_key(self.sight.capabilities[spot[0]], spot[1]) is None
        return Prospect(*spot, NEW_RECORDS, "a person" if has_no_key else by, why)

    def _decided(self, policy: str, why_not: str) -> tuple[By, str]:
        mode = self.modes[policy]
        why = why_not or (f"{policy} only watches" if mode == "watch" else "")
        return ("nobody yet" if why else _DECIDES[mode]), why

    def _why_no_change(self, spot: Spot) -> str:
        if spot[0] not in self.sight.capabilities:
            return f"there is no way into {spot[0]} at present"
        if spot not in self.sight.schemas:
            return "it cannot be read"
        if missing := self.sight.missing.get(spot):
            return f"missing: {', '.join(missing)}"
        return "" if self.sight.schemas[spot].can_update else "Truce's user may not change it"

    def _why_no_create(self, spot: Spot) -> str:
        why = self._why_no_change(spot)
        if why:
            return why
        schema = self.sight.schemas[spot]
        key = _link_key(self.sight.capabilities[spot[0]], spot[1])
        if not schema.can_create:
            return "Truce's user may not create it"
        if key and not (key in schema.fields and schema.fields[key].unique):
            return f"its link key {key} is not set up"
        return ""


def _link_key(capabilities: Capabilities, object_type: str) -> str | None:
    """What makes a create safe to repeat: its field, nothing at all where it needs none, None if it has none."""
    return "" if object_type in capabilities.natural_ids else capabilities.link_keys.get(object_type)
