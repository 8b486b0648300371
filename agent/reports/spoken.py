"""Values as people say them: an owner and a linked record by name, everything else as it is."""

from __future__ import annotations

from collections.abc import Mapping

from agent.installation import Installation
from agent.records import FieldValue, Ref


class Spoken:
    """Names of the owners and records that the lines of the policies hold by id. For reading only: writes need ids."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        rules = [rule for policy in installation.policies.policies.fields for rule in policy.rules]
        self._owners = {rule.name for rule in rules if rule.is_owner}
        self._links: Mapping[str, str] = {rule.name: rule.links_to for rule in rules if rule.links_to is not None}

    def value(self, system: str, field: str, value: FieldValue) -> FieldValue:
        """The name behind an id of this system; the value itself for any other line, and for an id nobody knows."""
        if value is None or value == "":
            return value
        if field in self._owners:
            owner = self._installation.owners.get((system, str(value)))
            return owner.name if owner is not None else value
        if field in self._links:
            return self._linked(system, self._links[field], str(value)) or value
        return value

    def _linked(self, system: str, entity_type: str, record_id: str) -> str | None:
        known = self._installation.policies.policies.entity_types.get(entity_type)
        for object_type in known.records.get(system, ()) if known is not None else ():
            copy = self._installation.mirror.last_copy(Ref(system, object_type, record_id))
            if copy is not None:
                return self._installation.display_name(copy)
        return None
