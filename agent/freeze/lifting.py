"""A frozen field as it would be decided if its freeze were lifted: as if both sides had been edited just now.

An undo leaves a difference on purpose, and a difference that nobody touched is left alone. Whoever lifts the freeze
wants the field settled again, by the rule as it stands today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.decide.view import Base, View
from agent.places import Places
from agent.records import FieldValue

Cells = frozenset[tuple[str, str]]
"""(field or ``create``, system)."""


def as_if_lifted(view: View, cells: Cells, places: Places) -> View:
    """The view without these freezes, and with the bases of their fields such that both sides have moved."""
    frozen = tuple(each for each in view.frozen if (each.field, each.system) not in cells)
    bases = dict(view.bases)
    for field in {field for field, _ in cells} & bases.keys():
        moved = _moved(view, field, places)
        if moved is None:
            del bases[field]
        else:
            bases[field] = moved
    return replace(view, frozen=frozen, bases=bases)


def _moved(view: View, field: str, places: Places) -> Base | None:
    """Each side's base is what the other holds; None when a side is blank: that is filled as at a first meeting."""
    live: dict[str, FieldValue] = {}
    for system, record in view.sides.items():
        name = places.vendor_field(view.entity_type, field, record.ref) if record is not None else None
        if record is not None and name is not None and record.fields.get(name) not in (None, ""):
            live[system] = record.fields[name]
    return Base(_crossed(live)) if len(live) == len(view.sides) else None


def _crossed(live: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    here, there = live
    return {here: live[there], there: live[here]}
