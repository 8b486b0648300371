"""A record that somebody removed on one side: its counterpart follows where the policy says so.

Only for what says who belongs to whom (a contact role), and only while everything it joins is still there in both
systems: a role that went with its deal, or moved with a merged person, was not taken off by anybody.
"""

from __future__ import annotations

from agent.changes import Cell, Change, TraceStep, Why
from agent.decide.creation import CREATE
from agent.decide.desk import Desk
from agent.decide.match import TOGETHER
from agent.decide.normalise import as_text
from agent.decide.owners import NoCounterpart
from agent.decide.policy import EntityType
from agent.records import Record


def follows_removal(desk: Desk) -> bool:
    """Whether the removal is dealt with here; otherwise it stays a question."""
    entity_type = desk.prepared.policies.entity_types[desk.view.entity_type]
    left = [record for record in desk.records if record is not None]
    if not entity_type.follows_removals or len(left) != 1 or not desk.view.is_pairing_accepted:
        return False
    (record,) = left
    gone_from = next(system for system in desk.plan.systems if system != record.ref.system)
    if not _joins_what_is_there(desk, entity_type, record, gone_from):
        return False
    step = TraceStep(CREATE, record.ref.system, "", "", entity_type.policy, str(entity_type.place))
    header = desk.prepared.policies.headers[entity_type.policy]
    sentence = f"{desk.prepared.systems[gone_from].name} has it no more, so it is taken off too"
    if (left_out := desk.left_out(header)) is not None:
        desk.say(step._replace(disposition=left_out[0], said=left_out[1]))
    elif (frozen := desk.frozen(CREATE, record.ref.system)) is not None:
        desk.say(step._replace(disposition="frozen", said=f"{frozen.reason}; otherwise: {sentence}"))
    else:
        desk.write_apart(_removal(desk, entity_type, record, sentence))
        desk.say(step._replace(disposition="write", said=sentence))
    return True


def _joins_what_is_there(desk: Desk, entity_type: EntityType, record: Record, gone_from: str) -> bool:
    """What it joins has the same records there as when both sides last agreed."""
    for name in {part for kind in entity_type.match for part in kind.split(TOGETHER)}:
        plan, base = desk.plan.by_name.get(name), desk.view.bases.get(name)
        field = plan.rule.vendor_field(record.ref.system, record.ref.object_type) if plan is not None else None
        if plan is None or base is None or field is None:
            return False
        translator = desk.translator(plan)
        try:
            now = translator.write(gone_from, translator.read(record.ref.system, record.fields.get(field)))
        except NoCounterpart:
            return False
        if now is None or as_text(now) != as_text(base.values.get(gone_from)):
            return False
    return True


def _removal(desk: Desk, entity_type: EntityType, record: Record, sentence: str) -> Change:
    """``decided_from`` keeps what it held: an undo makes it again of that."""
    why = Why(entity_type.policy, str(entity_type.place), "when_removed", sentence)
    ref = record.ref
    rules = [plan.rule for plan in desk.plan.by_name.values() if plan.rule.wins is not None]
    names = [rule.vendor_field(ref.system, ref.object_type) for rule in rules]
    held = {name: record.fields[name] for name in names if name is not None and name in record.fields}
    cell = Cell(CREATE, "Id", ref.id, None, "delete", why)
    return Change(
        "delete", desk.view.entity_id, ref.system, ref.object_type, ref.id, (cell,), decided_from=held, guarded=True
    )
