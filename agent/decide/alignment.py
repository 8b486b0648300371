"""First differences: fields of a pair that were never settled and do not mean the same, by pattern.

Pure. A person decides per group (field and pattern); the decision turns each difference into a write, a question, or
values to remember as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from agent.changes import Cell, Meaning, ReviewRequest, Why
from agent.decide.currency import currencies_of
from agent.decide.decide import NEVER_WRITTEN
from agent.decide.desk import Desk
from agent.decide.owners import NoCounterpart
from agent.decide.policy import FieldRule
from agent.decide.prepared import FieldPlan, Prepared
from agent.decide.reconcile import ASK, Translator
from agent.decide.values import Reading, Unmapped
from agent.decide.view import View
from agent.records import FieldValue, Record, Ref

FIRST_DIFFERENCE: Final = "first difference"
"""The kind of question that ``ask`` opens; its topic ends with the field's name."""
BLANK_IN = "blank in "
CANNOT_FILL = "cannot fill "
"""Blank there, and what the other side has cannot be written: its owner is nobody there, its value has no word."""
SPELLING, UNMAPPED, DIFFERENT = "spelling", "unmapped", "different"
FILL, LEAVE = "fill", "leave"
MEANS = {
    FILL: "write the filled side into the blank one",
    ASK: "one question for each; nothing is written",
    LEAVE: "keep both as they are; only later changes count",
}
"""Decision → what it does. Beside these a system's name: that side is right for all of the group."""


class Group(NamedTuple):
    """What is decided together: one field of one policy, and ``blank in SYSTEM``, ``cannot fill SYSTEM``, ``spelling``,
    ``unmapped`` or ``different``."""

    policy: str
    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a difference; ``shown`` is the value in a sentence, ``name`` what people call the system."""

    record: Record
    value: Reading
    shown: str
    name: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one pair that was never settled and differs. ``obstacle`` says why a blank cannot be filled."""

    group: Group
    entity_id: str
    rule: FieldRule
    sides: tuple[Side, Side]
    translator: Translator
    obstacle: str = ""

    @property
    def as_they_are(self) -> dict[str, FieldValue]:
        return {side.record.ref.system: side.value.raw for side in self.sides}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a decision makes of one difference: a cell to write, or values to adopt (and a question), or neither with
    the reason why nothing can be written."""

    ref: Ref | None = None
    cell: Cell | None = None
    adopt: Mapping[str, FieldValue] | None = None
    question: ReviewRequest | None = None
    reason: str = ""


def first_differences(view: View, prepared: Prepared) -> Iterator[Difference]:
    """Fields both sides show, never settled and not frozen, whose values do not mean the same."""
    desk = Desk(view, prepared)
    here, there = desk.records
    if here is None or there is None or view.flags.intersection(NEVER_WRITTEN):
        return
    for policy in desk.plan.policies:
        for plan in policy.fields if desk.left_out(policy.header) is None else ():
            if plan.constant is None and plan.rule.wins is not None and plan.rule.name not in view.bases:
                difference = _difference(desk, plan, (here, there))
                if difference is not None:
                    yield difference


def patterns(rule: FieldRule) -> tuple[str, ...]:
    """All patterns in which this field can differ."""
    blanks = [f"{words}{system}" for words in (BLANK_IN, CANNOT_FILL) for system in rule.where]
    return (*blanks, SPELLING, DIFFERENT, UNMAPPED)


def suggested(rule: FieldRule, pattern: str) -> str:
    """What the policy's own lines come to for this pattern; only a suggestion, nothing is decided by it."""
    if pattern == UNMAPPED or rule.wins == ASK:
        return ASK
    if pattern.startswith(CANNOT_FILL):
        return LEAVE
    if pattern.startswith(BLANK_IN):
        is_written = rule.wins != pattern.removeprefix(BLANK_IN) or rule.unless_blank
        return FILL if is_written else LEAVE
    if rule.wins is None or rule.wins not in rule.where:
        return ASK if rule.first_time == ASK else LEAVE
    if pattern == SPELLING or rule.first_time == "winner":
        return rule.wins
    return ASK if rule.first_time == ASK else LEAVE


def choices(rule: FieldRule, pattern: str) -> tuple[str, ...]:
    """What may be decided: a blank never wins over a value, and an unmapped value has no word to be written with."""
    if pattern == UNMAPPED or pattern.startswith(CANNOT_FILL):
        return (ASK, LEAVE)
    if pattern.startswith(BLANK_IN):
        return (FILL, ASK, LEAVE)
    return (*rule.where, ASK, LEAVE)


def settle(difference: Difference, decision: str, person: str) -> Settlement:
    """What the decision of ``person`` makes of this difference."""
    if decision == ASK:
        return Settlement(adopt=difference.as_they_are, question=_question(difference))
    if decision == LEAVE:
        return Settlement(adopt=difference.as_they_are)
    source, target = _direction(difference, decision)
    ref = target.record.ref
    vendor_field = difference.rule.vendor_field(ref.system, ref.object_type)
    try:
        after = difference.translator.write(ref.system, source.value)
    except (Unmapped, NoCounterpart) as nothing:
        return Settlement(reason=str(nothing))
    if vendor_field is None or after == target.value.raw:
        return Settlement(adopt=difference.as_they_are)
    why = Why(
        difference.rule.policy, str(difference.rule.place), difference.rule.rule, _sentence(difference, source, person)
    )
    cell = Cell(difference.rule.name, vendor_field, target.value.raw, after, _meaning(difference, target), why)
    return Settlement(ref, cell)


def _difference(desk: Desk, plan: FieldPlan, records: tuple[Record, Record]) -> Difference | None:
    if any(desk.frozen(plan.rule.name, system) is not None for system in plan.systems):
        return None
    currencies = currencies_of(plan, desk.plan, desk.records)
    if currencies is not None and currencies.agreed is None:
        return None
    translator = desk.translator(plan)
    sides = []
    for record, vendor_field in zip(records, plan.fields, strict=True):
        if vendor_field is None or vendor_field not in record.fields:
            return None
        value = translator.read(record.ref.system, record.fields[vendor_field])
        sides.append(Side(record, value, translator.show(value), translator.called(record.ref.system)))
    here, there = sides
    if translator.agree(here.value, there.value):
        return None
    obstacle = _obstacle(plan.rule, translator, here, there)
    group = Group(plan.rule.policy, plan.rule.name, _pattern(translator, here, there, obstacle))
    return Difference(group, desk.view.entity_id, plan.rule, (here, there), translator, obstacle)


def _obstacle(rule: FieldRule, translator: Translator, here: Side, there: Side) -> str:
    """Why the filled side cannot be written into the blank one. A record that is not paired yet may be soon, so it is
    no obstacle."""
    source, target = (there, here) if here.value.is_blank else (here, there)
    if rule.links_to is not None or not target.value.is_blank or not source.value.is_mapped:
        return ""
    try:
        translator.write(target.record.ref.system, source.value)
    except NoCounterpart as nobody:
        return str(nobody)
    except Unmapped:
        return f"the value map has no word of {target.name} for {source.shown}"
    return ""


def _pattern(translator: Translator, here: Side, there: Side, obstacle: str) -> str:
    if not (here.value.is_mapped and there.value.is_mapped):
        return UNMAPPED
    for side in (here, there):
        if side.value.is_blank:
            return f"{CANNOT_FILL if obstacle else BLANK_IN}{side.record.ref.system}"
    return SPELLING if translator.is_spelling(here.value, there.value) else DIFFERENT


def _direction(difference: Difference, decision: str) -> tuple[Side, Side]:
    """(source, target): the filled side fills the blank one; else the side decided for overwrites the other."""
    here, there = difference.sides
    if decision == FILL:
        return (there, here) if here.value.is_blank else (here, there)
    return (here, there) if here.record.ref.system == decision else (there, here)


def _meaning(difference: Difference, target: Side) -> Meaning:
    if target.value.is_blank:
        return "fill"
    if difference.rule.is_owner:
        return "owner"
    return "spelling" if difference.group.pattern == SPELLING else "different"


def _sentence(difference: Difference, source: Side, person: str) -> str:
    return (
        f"first differences of {difference.rule.name} ({difference.group.pattern}): {person} decided that"
        f" {source.name}, which has {source.shown}, is right"
    )


def _question(difference: Difference) -> ReviewRequest:
    values = "; ".join(f"{side.name} has {side.shown}" for side in difference.sides)
    refs = tuple(side.record.ref for side in difference.sides)
    sentence = f"{difference.rule.name} differed when first compared: {values}"
    topic = f"{FIRST_DIFFERENCE}:{difference.rule.name}"
    return ReviewRequest(FIRST_DIFFERENCE, difference.entity_id, topic, sentence, refs, str(difference.rule.place))
