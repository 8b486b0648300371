"""A field made of several lines: their values, joined. In one direction only, for no value is ever taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.decide.normalise import as_text
from agent.decide.owners import NoCounterpart
from agent.decide.prepared import FieldPlan
from agent.decide.values import Reading, Unmapped

if TYPE_CHECKING:
    from agent.decide.desk import Desk


class NotMade(Exception):
    """The value cannot be made now; the message says of which part."""


def made_value(desk: Desk, plan: FieldPlan) -> str | None:
    """What the line's field should hold: the values of its parts, blank ones left out; None when all are blank.

    Raises:
        NotMade: a part is not visible, not settled, or has no word in the system to be written.
    """
    (target,) = plan.rule.where
    parts = [_part(desk, desk.plan.by_name.get(name), name, target) for name in plan.rule.made_of]
    return plan.rule.between.join(part for part in parts if part) or None


def _part(desk: Desk, plan: FieldPlan | None, name: str, target: str) -> str | None:
    """One part as the target system would write it."""
    if plan is None:
        raise NotMade(f"there is no line {name}")
    translator = desk.translator(plan)
    reading = _chosen(desk, plan, name)
    if reading is None or reading.is_blank:
        return None
    if not reading.is_mapped:
        raise NotMade(f"{name} is {translator.show(reading)}, which cannot be read")
    try:
        return as_text(translator.write(target, reading))
    except (Unmapped, NoCounterpart):
        raise NotMade(f"there is no word for {name} {translator.show(reading)}") from None


def _chosen(desk: Desk, plan: FieldPlan, name: str) -> Reading | None:
    """The value that the part's own line wants on both sides; None for a blank.

    Raises:
        NotMade: no side shows it, or both differ and none of them wins outright.
    """
    translator, rule = desk.translator(plan), desk.rule(plan)
    shown = {
        system: translator.read(system, record.fields[field])
        for system, record, field in zip(plan.systems, desk.records, plan.fields, strict=True)
        if record is not None and field is not None and field in record.fields
    }
    if not shown:
        raise NotMade(f"{name} is not visible")
    filled = [reading for reading in shown.values() if not reading.is_blank]
    winner = shown.get(rule.wins or "")
    if winner is not None and not (winner.is_blank and rule.unless_blank):
        return winner
    if len(filled) > 1 and not translator.agree(*filled):
        raise NotMade(f"both sides differ in {name}, and neither wins it outright")
    return filled[0] if filled else None
