"""Records that took the place of another one: a Contact after its Lead, the survivor of a merge."""

from __future__ import annotations

from collections.abc import Mapping

from agent.decide.policy import EntityType
from agent.decide.view import Base
from agent.installation import Installation
from agent.records import Ref


def forget_blanks(installation: Installation, entity_type: EntityType, successors: Mapping[str, Ref]) -> None:
    """A record that took another one's place cleared nothing: where it is blank, nothing was ever settled with it."""
    records = installation.mirror.records(successors.values())
    rules = installation.policies.policies.rules_for(entity_type.name)
    forgotten: dict[str, dict[str, Base]] = {}
    for entity_id, bases in installation.mirror.bases(successors).items():
        ref = successors[entity_id]
        fields = records[ref].fields if ref in records else {}
        blank = {
            rule.name for rule in rules if fields.get(rule.vendor_field(ref.system, ref.object_type) or "") is None
        }
        forgotten[entity_id] = {
            name: base._replace(values={key: value for key, value in base.values.items() if key != ref.system})
            for name, base in bases.items()
            if name in blank
        }
    installation.mirror.set_bases(forgotten)
