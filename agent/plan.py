"""A plan: exactly what would be written, kept so that a person can read it, and apply precisely that, once.

It binds to the account ids, the ledger, the policy revision and, per record, the values it writes over or decided
from. If one of the first three changed, or it was used: refused whole. A record that moved drops out; more than a
tenth moved: refused whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from agent import apply, cycle, guard, planner, proposals
from agent.changes import Batch, Change, Entry, State, Verdict
from agent.errors import ApprovalNeeded, PlanStale
from agent.installation import Installation
from agent.ledger import Intent
from agent.proposals import title_of
from agent.records import Record, Ref

DRIFT_LIMIT = 0.10
VALID_FOR = timedelta(days=7)

_CHANGES = TypeAdapter(list[Change])
_VERDICTS = TypeAdapter(list[Verdict])


@dataclass(frozen=True, slots=True)
class Plan:
    """``judged`` is what the guard said when the plan was shown; ``draft`` is there only right after planning."""

    id: str
    made_at: datetime
    judged: tuple[tuple[Change, Verdict], ...]
    binding: Mapping[str, Any]
    policies: frozenset[str]
    lifts: tuple[tuple[str, str, str], ...] = ()
    draft: planner.Draft | None = None

    @property
    def changes(self) -> list[Change]:
        """What applying would write if nothing holds it."""
        return [change for change, verdict in self.judged if verdict.decision != "refuse"]

    @property
    def held(self) -> list[tuple[Change, Verdict]]:
        return [(change, verdict) for change, verdict in self.judged if verdict.decision == "hold"]


def make(installation: Installation, *, pull: bool = True, only: Sequence[str] = ()) -> Plan:
    """Pull, decide over the whole mirror and keep the result. Writes to no CRM.

    ``only`` names policies; changes of others are left out.
    """
    if pull:
        cycle.pull_all(installation)
    cycle.identify_pending(installation)
    entities = list(installation.crosswalk.entities())
    draft = planner.draft(installation, entities, by_person=True)
    cycle.remember(installation, draft)
    cycle.dispose(installation, draft.waiting)
    judged = [(change, verdict) for change, verdict in draft.judged if not only or change.policies & set(only)]
    lifts = tuple((entity_id, step.field, step.system) for entity_id, step in draft.frozen)
    binding = _binding(installation)
    body = {
        "binding": binding,
        "changes": _CHANGES.dump_python([change for change, _ in judged], mode="json"),
        "verdicts": _VERDICTS.dump_python([verdict for _, verdict in judged], mode="json"),
        "lifts": [list(cell) for cell in lifts],
    }
    plan_id = installation.ledger.save_plan(body, expires_at=installation.clock() + VALID_FOR)
    policies = frozenset(name for change, _ in judged for name in change.policies)
    return Plan(plan_id, installation.clock(), tuple(judged), binding, policies, lifts, draft)


def load(installation: Installation, plan_id: str) -> Plan:
    """A plan as it was kept.

    Raises:
        NotFound: no such plan. PlanStale: used already or expired.
    """
    stored = installation.ledger.plan(plan_id)
    if stored.used_at is not None:
        raise PlanStale(f"{plan_id} was applied already", why="a plan is used once", next_step="truce plan")
    if stored.expires_at is not None and stored.expires_at < installation.clock():
        raise PlanStale(f"{plan_id} has expired", next_step="truce plan")
    changes = _CHANGES.validate_python(stored.body["changes"])
    verdicts = _VERDICTS.validate_python(stored.body["verdicts"])
    judged = tuple(zip(changes, verdicts, strict=True))
    policies = frozenset(name for change in changes for name in change.policies)
    lifts = tuple((cell[0], cell[1], cell[2]) for cell in stored.body["lifts"])
    return Plan(plan_id, stored.created_at, judged, stored.body["binding"], policies, lifts)


def apply_plan(
    installation: Installation,
    plan: Plan,
    actor: str,
    *,
    confirm_count: int | None = None,
    progress: apply.Progress = apply.silent,
) -> tuple[Batch, apply.Tally]:
    """Write a plan: 25, read back, 250, the rest. ``confirm_count`` equal to the plan's size lifts volume limits.

    Raises:
        PlanStale: bound to something that changed, used, or too much moved.
        ApprovalNeeded: a limit holds changes; the held batch is named, nothing was written.
    """
    _check_binding(installation, plan)
    confirmed = confirm_count is not None
    if confirm_count is not None and confirm_count != len(plan.changes):
        raise PlanStale(
            f"{plan.id} holds {len(plan.changes)} changes, not {confirm_count}",
            next_step=f"truce plan --show {plan.id}",
        )
    changes = plan.changes
    circumstances = planner.circumstances(installation, by_person=True, confirmed=confirmed)
    limits = installation.policies.policies.limits
    verdicts = guard.judge(changes, limits, circumstances)
    held = [(c, v) for c, v in zip(changes, verdicts, strict=True) if v.decision == "hold"]
    allowed = [c for c, v in zip(changes, verdicts, strict=True) if v.decision == "allow"]
    _check_drift(installation, allowed, plan.id)
    proposals.hold(installation, held, actor=actor, kind="plan")
    if not allowed:
        _raise_held(installation, held)
    batch = installation.ledger.open_batch(
        "plan",
        title_of(allowed) if allowed else "nothing to write",
        actor,
        [Intent(change, State.PLANNED) for change in cycle.with_keys(installation, allowed)],
        plan_id=plan.id,
        counted=guard.limit_uses(allowed),
    )
    tally = apply.write(installation, batch.id, canary=True, progress=progress)
    return installation.ledger.batch(batch.id), tally


def _raise_held(installation: Installation, held: Sequence[tuple[Change, Verdict]]) -> None:
    """Name the waiting batch these changes are in."""
    if not held:
        return
    batch = proposals.standing_batch(installation, held[0][0])
    count = len(installation.ledger.entries(batch_id=batch.id, states=(State.HELD,)))
    raise ApprovalNeeded(
        f"nothing was written: {batch.id} with {count} changes waits for approval",
        where=batch.id,
        why=batch.hold_reason or "",
        next_step=f"truce approve {batch.id} --count {count}",
    )


def _binding(installation: Installation) -> dict[str, Any]:
    return {
        "accounts": {
            system: connector.identity().account_id for system, connector in sorted(installation.connectors.items())
        },
        "ledger": installation.ledger.ledger_id,
        "policies": installation.policies.policies.revision,
    }


def _check_binding(installation: Installation, plan: Plan) -> None:
    now = _binding(installation)
    names = {"accounts": "another account", "ledger": "another ledger", "policies": "other policies"}
    for key, what in names.items():
        if now[key] != plan.binding[key]:
            raise PlanStale(f"{plan.id} was made for {what}", why="what it rests on changed", next_step="truce plan")


def _check_drift(installation: Installation, changes: Sequence[Change], plan_id: str) -> None:
    """Compare every record with what the plan saw, before the first write."""
    probes = [Entry("", 0, "", change, State.PLANNED, installation.clock()) for change in changes if change.step == 0]
    live = _read_all(installation, [probe.change for probe in probes])
    moved = sum(1 for probe in probes if apply.drift(probe, live) is not None)
    if probes and moved > len(probes) * DRIFT_LIMIT:
        raise PlanStale(
            f"{moved} of {len(probes)} records changed since {plan_id} was made",
            why=f"more than {DRIFT_LIMIT:.0%} moved",
            next_step="truce plan",
        )


def _read_all(installation: Installation, changes: Sequence[Change]) -> dict[Ref, Record]:
    wanted: dict[tuple[str, str], set[Ref]] = {}
    fields: dict[tuple[str, str], set[str]] = {}
    for change in changes:
        if change.ref is None:
            continue
        place = (change.system, change.object_type)
        wanted.setdefault(place, set()).add(change.ref)
        named = {cell.vendor_field for cell in change.cells} | set(change.decided_from)
        fields.setdefault(place, set()).update(named)
    live: dict[Ref, Record] = {}
    for place, refs in sorted(wanted.items()):
        connector = installation.connectors[place[0]]
        ordered = sorted(refs)
        size = connector.capabilities.read_chunk
        for start in range(0, len(ordered), size):
            for readout in connector.read(ordered[start : start + size], sorted(fields[place])):
                if isinstance(readout, Record):
                    live[readout.ref] = readout
    return live
