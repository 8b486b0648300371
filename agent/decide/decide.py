"""Decide one entity: what to write, what to ask, what merely to remember, and a trace a person can read.

Pure and deterministic. ``STEPS`` is the order; docs/policies/deciding.md says the same in words. Every outcome
leaves a ``TraceStep``, "nothing" included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.changes import Cell, Decision, ReviewRequest, TraceStep, Why
from agent.decide.creation import decide_creation
from agent.decide.currency import apart
from agent.decide.desk import Desk
from agent.decide.lifecycle import decide_stage
from agent.decide.links import association
from agent.decide.made import NotMade, made_value
from agent.decide.policy import FieldRule, PolicySet
from agent.decide.prepared import FieldPlan, Prepared, prepared_of
from agent.decide.reconcile import Outcome, Translator, Wanted, reconcile
from agent.decide.removal import follows_removal
from agent.decide.values import NO, Reading
from agent.decide.view import ERASED, Base, View
from agent.records import FieldValue

NEVER_WRITTEN = {
    "lost": "one side was deleted; its counterpart stays as it is until a person decides",
    "unclear": "it is not clear which records belong together; nothing is written until a person decides",
}
FORGOTTEN_ENTITY = "erased on the person's wish: nothing is written or created until a person allows it"
_NO = frozenset((NO,))
_HIDDEN = object()

Fields = Mapping[str, FieldValue]


def decide(view: View, policies: PolicySet | Prepared) -> Decision:
    """Everything the policies want of this entity."""
    desk = Desk(view, prepared_of(policies))
    for step in STEPS:
        step(desk)
        if desk.is_closed:
            break
    return desk.decision()


def decide_standing(desk: Desk) -> None:
    """A forgotten, lost or unclear entity and a converted record are never written; a removal may be followed."""
    flags = desk.view.flags
    if ERASED in flags:
        desk.say(TraceStep("", "", "skipped", FORGOTTEN_ENTITY))
        desk.is_closed = True
        return
    if "lost" in flags and "unclear" not in flags and follows_removal(desk):
        desk.is_closed = True
        return
    for flag, sentence in NEVER_WRITTEN.items() if flags else ():
        if flag in flags:
            desk.say(TraceStep("", "", flag, sentence))
            desk.is_closed = True
    for record, converted in zip(desk.records, desk.plan.converted, strict=True):
        if record is not None and converted is not None and record.fields.get(converted) is True:
            sentence = f"{record.ref.object_type} {record.ref.id} was converted and is never written"
            desk.say(TraceStep("", record.ref.system, "skipped", sentence))
            desk.is_closed = True


def decide_consent(desk: Desk) -> None:
    """Compared and shown per pair. What carries an opt-out goes by address, over all records: ``decide.consent``."""
    for plan in desk.plan.consents:
        if plan.constant is not None:
            desk.say(plan.constant)
            continue
        values = _visible(desk, plan)
        if values is None:
            continue
        here, there = _consent(plan, plan.systems[0], values[0]), _consent(plan, plan.systems[1], values[1])
        if here.isdisjoint(there):
            desk.say(
                plan.step("quiet", "opted out on one side; the stricter answer goes to every record with this address")
            )
        else:
            _equal(desk, plan, values)


def decide_duplicates(desk: Desk) -> None:
    """A suspected duplicate gates stages and creates until a person has looked."""
    if "suspected duplicate" in desk.view.flags:
        desk.is_gated = True
        sentence = "suspected duplicate: no stage moves and nothing is created until a person has looked"
        desk.say(TraceStep("", "", "skipped", sentence))


def decide_fields(desk: Desk) -> None:
    """Field agreement, policy by policy."""
    here, there = desk.records
    if here is None or there is None:
        return
    for policy in desk.plan.policies:
        left_out = desk.left_out(policy.header)
        if left_out is not None:
            desk.trace += [plan.step(*left_out) for plan in policy.fields]
            continue
        for plan in policy.fields:
            if plan.constant is not None:
                desk.trace.append(plan.constant)
            elif plan.is_plain and _stands(plan, here.fields, there.fields, desk.view.bases):
                desk.trace.append(plan.equal)
            elif (values := _made(desk, plan) if plan.rule.made_of else _visible(desk, plan)) is not None:
                _compare(desk, plan, values)


STEPS: tuple[Callable[[Desk], None], ...] = (
    decide_standing,
    decide_consent,
    decide_duplicates,
    decide_stage,
    decide_fields,
    decide_creation,
)
"""The order of deciding. Zones come before consent, routing and automations after fields, once they exist."""


def _stands(plan: FieldPlan, here: Fields, there: Fields, bases: Mapping[str, Base]) -> bool:
    """The usual case, in as few steps as there can be: one value on both sides, and the one both were settled with."""
    value = here.get(plan.fields[0] or "", _HIDDEN)
    other = there.get(plan.fields[1] or "", _HIDDEN)
    base = bases.get(plan.rule.name)
    if value != other or value.__class__ is not other.__class__ or value is _HIDDEN or base is None:
        return False
    return base.values == {plan.systems[0]: value, plan.systems[1]: other}


def _compare(desk: Desk, plan: FieldPlan, values: tuple[FieldValue, FieldValue]) -> None:
    here, there = values
    if plan.is_plain and here == there and here.__class__ is there.__class__:
        _equal(desk, plan, values)
        return
    incomparable = apart(desk, plan, values)
    if incomparable is not None:
        _record(desk, plan, desk.rule(plan), incomparable, values)
        return
    (here_field, there_field), (here_system, there_system) = plan.fields, plan.systems
    translator = desk.translator(plan)
    if _means_the_same(translator, translator.read(here_system, here), translator.read(there_system, there)):
        _equal(desk, plan, values)
        return
    rule = desk.rule(plan)
    outcome = reconcile(
        rule,
        translator,
        (here_system, here_field or "", here),
        (there_system, there_field or "", there),
        desk.view.bases.get(rule.name),
        desk.view.set_between,
        desk.view.now,
    )
    _record(desk, plan, rule, outcome, values)


def _means_the_same(translator: Translator, here: Reading, there: Reading) -> bool:
    """The usual answer, whoever would win."""
    return here.is_mapped and there.is_mapped and translator.agree(here, there)


def _made(desk: Desk, plan: FieldPlan) -> tuple[FieldValue, FieldValue] | None:
    """What the parts make stands for the side without a field; None (and a trace) when it cannot be made."""
    (target,) = plan.rule.where
    record, field = desk.record(target), plan.fields[plan.systems.index(target)]
    if record is None or field is None or field not in record.fields:
        desk.say(plan.step("skipped", f"not visible: {desk.prepared.systems[target].name} does not show {field} to us"))
        return None
    try:
        made = made_value(desk, plan)
    except NotMade as reason:
        desk.say(plan.step("skipped", f"cannot be made of {' and '.join(plan.rule.made_of)}: {reason}", target))
        return None
    live = record.fields[field]
    return (live, made) if plan.systems[0] == target else (made, live)


def _visible(desk: Desk, plan: FieldPlan) -> tuple[FieldValue, FieldValue] | None:
    """Both live values; None (and a trace) when a side does not show the field: absent is never blank."""
    here, there = desk.records
    if here is None or there is None:
        return None
    try:
        return here.fields[plan.fields[0]], there.fields[plan.fields[1]]  # type: ignore[index]
    except KeyError as absent:
        side = here if plan.fields[0] not in here.fields else there
        sentence = f"not visible: {desk.prepared.systems[side.ref.system].name} does not show {absent.args[0]} to us"
        desk.say(plan.step("skipped", sentence, side.ref.system))
        return None


def _equal(desk: Desk, plan: FieldPlan, values: tuple[FieldValue, FieldValue]) -> None:
    here, there = plan.systems
    base = desk.view.bases.get(plan.rule.name)
    settled = base.values if base is not None else {}
    if here not in settled or there not in settled or (settled[here], settled[there]) != values:
        desk.adopt[plan.rule.name] = {here: values[0], there: values[1]}
    desk.trace.append(plan.equal)


def _record(
    desk: Desk, plan: FieldPlan, rule: FieldRule, outcome: Outcome, values: tuple[FieldValue, FieldValue]
) -> None:
    """Turn an outcome into cells, bases to adopt, a question, and its trace."""
    if outcome.adopt:
        desk.adopt[rule.name] = dict(zip(plan.systems, values, strict=True))
    if outcome.review is not None:
        topic = f"{outcome.review}:{rule.name}"
        refs = tuple(record.ref for record in desk.records if record is not None)
        request = ReviewRequest(outcome.review, desk.view.entity_id, topic, outcome.sentence, refs, str(rule.place))
        desk.ask(request)
    if not outcome.writes:
        desk.say(plan.step(outcome.disposition, outcome.sentence, outcome.system, outcome.until))
    for wanted in outcome.writes:
        _write(desk, plan, rule, wanted)


def _write(desk: Desk, plan: FieldPlan, rule: FieldRule, wanted: Wanted) -> None:
    frozen = desk.frozen(rule.name, wanted.system)
    if frozen is not None:
        desk.say(plan.step("frozen", f"{frozen.reason}; otherwise: {wanted.sentence}", wanted.system))
        return
    record = desk.record(wanted.system)
    if record is None:
        return
    if wanted.system in rule.set_once:
        sentence = f"{wanted.sentence}; {desk.prepared.systems[wanted.system].name} sets it with a new record alone"
        desk.say(plan.step("skipped", sentence, wanted.system))
        return
    why = Why(rule.policy, str(rule.place), rule.rule, wanted.sentence)
    cell = Cell(rule.name, wanted.vendor_field, wanted.before, wanted.after, wanted.meaning, why)
    if rule.links_to is not None:
        desk.write_apart(association(desk.view.entity_id, record.ref, cell))
    else:
        desk.write(record, cell, {})
    desk.say(plan.step("write", wanted.sentence, wanted.system))


def _consent(plan: FieldPlan, system: str, raw: FieldValue) -> frozenset[str]:
    """HubSpot leaves the box blank for somebody who never opted out."""
    if raw is None or (raw is False and plan.is_plain):
        return _NO
    reading: Reading = plan.codec.read(system, raw)
    return _NO if reading.is_blank else reading.forms
