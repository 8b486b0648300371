"""What conditions may look at: canonical values of one entity by policy name, now or as last settled."""

from __future__ import annotations

from collections.abc import Mapping

from agent.decide.conditions import FLAGS, LIFECYCLE
from agent.decide.ladder import Ladder
from agent.decide.owners import OwnerCodec
from agent.decide.prepared import FieldPlan, PairPlan
from agent.decide.values import Reading
from agent.decide.view import View
from agent.records import FieldValue, Record

Values = Mapping[str, object]
Records = tuple[Record | None, Record | None]


def values_now(plan: PairPlan, records: Records, view: View) -> Values:
    """The live values. A two-sided field shows its winner's value, or the other's where that is blank.

    What was not visible on any side is missing, which is not the same as blank.
    """
    owners = OwnerCodec(view.owners)
    found: dict[str, object] = {flag: flag in view.flags for flag in FLAGS}
    for field in plan.fields:
        readings = [
            (record.ref.system, _read(field, owners, record.ref.system, record.fields[name]))
            for record, name in zip(records, field.fields, strict=True)
            if record is not None and name is not None and name in record.fields
        ]
        _put(found, field, readings)
    for ladder in plan.ladders:
        _put_stage(found, ladder, [(record, None) for record in records if record is not None])
    return found


def values_before(plan: PairPlan, records: Records, view: View) -> Values:
    """The values as they were when each field was last settled; fields never settled are missing."""
    owners = OwnerCodec(view.owners)
    found: dict[str, object] = {}
    for field in plan.fields:
        base = view.bases.get(field.rule.name)
        if base is not None:
            known = [system for system in plan.systems if system in base.values]
            readings = [(system, _read(field, owners, system, base.values[system])) for system in known]
            _put(found, field, readings)
    settled = view.bases.get(LIFECYCLE)
    if settled is not None:
        for ladder in plan.ladders:
            present = [record for record in records if record is not None and record.ref.system in settled.values]
            _put_stage(found, ladder, [(record, settled.values) for record in present])
    return found


def _read(field: FieldPlan, owners: OwnerCodec, system: str, raw: FieldValue) -> Reading:
    return (owners if field.rule.is_owner else field.codec).read(system, raw)


def _put(found: dict[str, object], field: FieldPlan, readings: list[tuple[str, Reading]]) -> None:
    if not readings:
        return
    filled = [(system, reading) for system, reading in readings if not reading.is_blank]
    preferred = [(system, reading) for system, reading in filled if system == field.rule.wins]
    _, best = (preferred or filled or readings)[0]
    found[field.rule.name] = best.value if best.is_mapped else best.text


def _put_stage(
    found: dict[str, object], ladder: Ladder, sides: list[tuple[Record, Mapping[str, FieldValue] | None]]
) -> None:
    """The name of the furthest stage on any side; None when every visible stage is blank."""
    stages: list[int] = []
    for record, settled in sides:
        place = ladder.place_on(record)
        if place is None or place[1] not in record.fields:
            continue
        raw = record.fields[place[1]] if settled is None else settled[record.ref.system]
        found.setdefault(LIFECYCLE, None)
        stage = ladder.stage_of(place[0], raw)
        if stage is not None and stage >= 0:
            stages.append(stage)
    if stages:
        found[LIFECYCLE] = ladder.names[max(stages)]
