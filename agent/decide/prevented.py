"""Whether a change that another sync copied over is one the policies would not have made. Pure."""

from __future__ import annotations

from typing import Literal

from agent.decide.ladder import UNMAPPED, Ladder
from agent.decide.owners import OwnerCodec
from agent.decide.policy import FieldRule
from agent.decide.prepared import OPT_OUT
from agent.decide.reconcile import FIRST_VALUE
from agent.decide.values import YES, Codec
from agent.records import FieldValue

Harm = Literal["opt-out lifted", "stage moved back", "blank over a value", "winning value overwritten"]

HARMS: tuple[Harm, ...] = ("opt-out lifted", "stage moved back", "blank over a value", "winning value overwritten")
"""The gravest first."""


def harm_to_field(
    rule: FieldRule, codec: Codec | OwnerCodec, system: str, before: FieldValue, after: FieldValue
) -> Harm | None:
    """``before`` was replaced by ``after`` in ``system``, which the other side held. None: the policy agrees.

    A line with cases counts only where every case says the same: what held then is not known any more.
    """
    was, now = codec.read(system, before), codec.read(system, after)
    if rule.wins == OPT_OUT:
        return "opt-out lifted" if YES in was.forms and YES not in now.forms else None
    if was.is_blank or codec.agree(was, now):
        return None
    if now.is_blank:
        return None if rule.may_clear else "blank over a value"
    keeps = {winner.side for winner in rule.winners} <= {system, FIRST_VALUE}
    return "winning value overwritten" if (rule.wins is not None and keeps) or rule.protected else None


def harm_to_stage(ladder: Ladder, key: str, before: FieldValue, after: FieldValue) -> Harm | None:
    """As ``harm_to_field`` for the stage of a lifecycle: nothing moves back without a person."""
    was, now = ladder.stage_of(key, before), ladder.stage_of(key, after)
    if was is None or now is None or UNMAPPED in (was, now):
        return None
    return "stage moved back" if now < was else None
