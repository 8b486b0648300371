"""A plan: exactly what would be written, kept so that a person can read it, and apply precisely that, once.

It binds to the account ids, the ledger, the policy revision and, per record, the values it writes over or decided
from (``agent.plan.binding``). A plan also says which frozen fields it would write if their freeze were lifted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from agent import apply, confirm, cycle, guard, unsettled
from agent.approval import proposals
from agent.approval.proposals import title_of
from agent.changes import OPEN, Batch, Change, State, Verdict
from agent.consent import consent
from agent.errors import ApprovalNeeded, PlanStale
from agent.installation import Installation
from agent.ledger.ledger import Intent, Settlement
from agent.plan import binding as plan_binding
from agent.plan import planner
from agent.plan.binding import Sources
from agent.records import Ref
from agent.schema import watch as schema_watch
from agent.suspended import leave_suspended
from agent.words import counted

VALID_FOR = timedelta(days=7)

FrozenCell = tuple[str, str, str]
"""(entity, field or ``create``, system)."""

_CHANGE, _CHANGES = TypeAdapter(Change), TypeAdapter(list[Change])
_VERDICT, _VERDICTS = TypeAdapter(Verdict), TypeAdapter(list[Verdict])


@dataclass(frozen=True, slots=True)
class Plan:
    """``judged`` is what the guard said when the plan was shown; ``draft`` is there only right after planning.

    ``lifts`` are cells frozen after an undo that it would write otherwise; ``lifting`` holds, for their entities, the
    changes it would make instead if they were lifted. ``sources`` run beside ``judged`` followed by ``lifting``.
    """

    id: str
    made_at: datetime
    judged: tuple[tuple[Change, Verdict], ...]
    binding: Mapping[str, Any]
    policies: frozenset[str]
    lifts: tuple[FrozenCell, ...] = ()
    lifting: tuple[Change, ...] = ()
    sources: tuple[Sources, ...] = ()
    only: tuple[str, ...] = ()
    draft: planner.Draft | None = None

    @property
    def changes(self) -> list[Change]:
        """What applying would write if nothing holds it."""
        return [change for change, verdict in self.judged if verdict.decision != "refuse"]

    @property
    def held(self) -> list[tuple[Change, Verdict]]:
        return [(change, verdict) for change, verdict in self.judged if verdict.decision == "hold"]

    def to_write(self, *, lift: bool) -> list[tuple[Change, Sources]]:
        """What applying writes, each with the values it was decided from."""
        behind = [*self.sources]
        paired = [
            (change, behind[position])
            for position, (change, verdict) in enumerate(self.judged)
            if verdict.decision != "refuse"
        ]
        if not lift:
            return paired
        lifted = {change.entity_id for change in self.lifting}
        kept = [(change, values) for change, values in paired if change.entity_id not in lifted]
        return [*kept, *zip(self.lifting, behind[len(self.judged) :], strict=True)]


def make(
    installation: Installation,
    *,
    pull: bool = True,
    only: Sequence[str] = (),
    progress: apply.Progress = apply.silent,
) -> Plan:
    """Pull, decide over the whole mirror and keep the result. Writes to no CRM.

    ``only`` names policies; changes of others are left out. What was pulled stays pending: a plan that nobody applies
    takes nothing away from the next cycle.
    """
    if pull:
        cycle.pull_all(installation, progress=progress)
        cycle.read_owners(installation)
    cycle.identify_pending(installation, progress)
    entities = list(installation.crosswalk.entities())
    draft = planner.draft(
        installation,
        entities,
        by_person=True,
        addresses=consent.all_opted_out(installation),
        learn=partial(cycle.learn, installation),
        progress=progress,
    )
    cycle.remember(installation, draft)
    wanted = [change for change, _ in draft.judged]
    proposals.withdraw(installation, set(entities) - draft.busy, wanted, word_for_word=True)
    judged = _of_policies(installation, draft.judged, only) if only else list(draft.judged)
    lifts, lifting = _if_lifted(installation, entities, only)
    changes = [change for change, _ in judged] + lifting
    sources = plan_binding.sources_of(installation, changes)
    binding = plan_binding.binding_of(installation)
    body = {
        "binding": binding,
        "changes": (_CHANGE.dump_python(change, mode="json") for change, _ in judged),
        "verdicts": (_VERDICT.dump_python(verdict, mode="json") for _, verdict in judged),
        "lifts": [list(cell) for cell in lifts],
        "lifting": (_CHANGE.dump_python(change, mode="json") for change in lifting),
        "sources": ({str(ref): dict(values) for ref, values in each.items()} for each in sources),
        "only": list(only),
    }
    plan_id = installation.ledger.save_plan(body, expires_at=installation.clock() + VALID_FOR)
    policies = frozenset(name for change, _ in judged for name in change.policies)
    return Plan(
        plan_id, installation.clock(), tuple(judged), binding, policies, tuple(lifts), tuple(lifting),
        tuple(sources), tuple(only), draft,
    )  # fmt: skip


def _of_policies(
    installation: Installation, judged: Sequence[tuple[Change, Verdict]], only: Sequence[str]
) -> list[tuple[Change, Verdict]]:
    """What these policies would write, judged as ``apply`` will: without the changes of others beside it."""
    changes = [change for change, _ in judged if change.policies & set(only)]
    verdicts = guard.judge(
        changes, installation.policies.policies.limits, planner.circumstances(installation, by_person=True)
    )
    return list(zip(changes, verdicts, strict=True))


def _if_lifted(
    installation: Installation, entities: Sequence[str], only: Sequence[str]
) -> tuple[list[FrozenCell], list[Change]]:
    """The cells an undo froze that would be written otherwise, and their entities' changes without those freezes."""
    frozen = {
        entity_id: frozenset((freeze.field, freeze.system) for freeze in freezes if freeze.kind == "rollback")
        for entity_id, freezes in installation.freezes.by_entity(entities).items()
    }
    undone = {entity_id: cells for entity_id, cells in frozen.items() if cells}
    draft = planner.draft(installation, sorted(undone), by_person=True, lifted=undone)
    wanted = [
        change
        for change, verdict in draft.judged
        if verdict.decision != "refuse" and (not only or change.policies & set(only))
    ]
    lifts = {
        (change.entity_id, field, change.system)
        for change in wanted
        for field in (["create"] if change.op == "create" else [cell.field for cell in change.cells])
        if (field, change.system) in undone[change.entity_id]
    }
    entities_lifted = {entity_id for entity_id, _, _ in lifts}
    return sorted(lifts), [change for change in wanted if change.entity_id in entities_lifted]


def load(installation: Installation, plan_id: str) -> Plan:
    """A plan as it was kept.

    Raises:
        NotFound: no such plan. PlanStale: used already or expired.
    """
    stored = installation.ledger.plan(plan_id)
    if stored.used_at is not None:
        raise PlanStale(f"{plan_id} was applied already", why="a plan is used once", next_step="truce plan")
    if stored.expires_at < installation.clock():
        raise PlanStale(f"{plan_id} has expired", next_step="truce plan")
    return read(installation, plan_id)


def read(installation: Installation, plan_id: str) -> Plan:
    """A plan for looking at, used or expired though it may be.

    Raises:
        NotFound: no such plan.
    """
    stored = installation.ledger.plan(plan_id)
    changes = _CHANGES.validate_python(stored.body["changes"])
    verdicts = _VERDICTS.validate_python(stored.body["verdicts"])
    return Plan(
        id=plan_id,
        made_at=stored.created_at,
        judged=tuple(zip(changes, verdicts, strict=True)),
        binding=stored.body["binding"],
        policies=frozenset(name for change in changes for name in change.policies),
        lifts=tuple((cell[0], cell[1], cell[2]) for cell in stored.body["lifts"]),
        lifting=tuple(_CHANGES.validate_python(stored.body["lifting"])),
        sources=tuple({Ref.parse(ref): values for ref, values in each.items()} for each in stored.body["sources"]),
        only=tuple(stored.body["only"]),
    )


def unfinished(installation: Installation, plan_id: str) -> Batch | None:
    """The batch of this plan whose writing was interrupted, if any."""
    return next((batch for batch in installation.ledger.batches(states=OPEN) if batch.plan_id == plan_id), None)


def resume(
    installation: Installation, batch: Batch, progress: apply.Progress = apply.silent
) -> tuple[Batch, apply.Tally]:
    """Go on with an interrupted plan: settle what is open, write what is still planned."""
    unsettled.settle_open(installation)
    leave_suspended(installation, batch.id)
    tally = apply.write(installation, batch.id, canary=True, progress=progress)
    return installation.ledger.batch(batch.id), tally


def apply_plan(
    installation: Installation,
    plan: Plan,
    actor: str,
    *,
    confirm_count: int | None = None,
    lift_freezes: bool = False,
    progress: apply.Progress = apply.silent,
) -> tuple[Batch, apply.Tally] | None:
    """Write a plan: 25, read back, 250, the rest; None when there is nothing to write.

    ``confirm_count`` equal to the plan's size lifts limits of volume.

    Raises:
        PlanStale: bound to something that changed, used, or too much moved.
        ApprovalNeeded: a limit holds changes; the held batch is named, nothing was written.
    """
    schema_watch.look_again(installation, at_once=True)  # a value may have left a picklist since the plan was shown
    plan_binding.check_binding(installation, plan.id, plan.binding)
    wanted = plan.to_write(lift=lift_freezes)
    _check_count(plan, wanted, confirm_count)
    if not wanted:
        _renew_meanings(installation, plan, actor)
        return None
    changes = [change for change, _ in wanted]
    verdicts = guard.judge(
        changes,
        installation.policies.policies.limits,
        planner.circumstances(installation, by_person=True, confirmed=confirm_count is not None),
    )
    held = [(change, verdict) for change, verdict in zip(changes, verdicts, strict=True) if verdict.decision == "hold"]
    allowed = [pair for pair, verdict in zip(wanted, verdicts, strict=True) if verdict.decision == "allow"]
    gone = _moved(installation, allowed, plan.lifts if lift_freezes else ())
    plan_binding.check_drift(plan.id, [change for change, _ in allowed], gone)
    proposals.hold(installation, held, actor=actor, kind="plan")
    if not allowed:
        _raise_held(installation, held, verdicts)
    batch = _open_batch(installation, plan, [change for change, _ in allowed], actor, lift=lift_freezes)
    proposals.supersede(installation, [change for change, _ in allowed])
    dropped = _drop(installation, batch, gone)
    tally = apply.write(installation, batch.id, canary=True, progress=progress)
    tally.drifted += dropped
    if not held:
        _renew_meanings(installation, plan, actor)
    return installation.ledger.batch(batch.id), tally


def _check_count(plan: Plan, wanted: Sequence[tuple[Change, Sources]], count: int | None) -> None:
    if count is not None and count != len(wanted):
        raise PlanStale(
            f"{plan.id} holds {counted(len(wanted), 'change')}, not {count}", next_step=f"truce show {plan.id}"
        )


def _moved(
    installation: Installation, allowed: Sequence[tuple[Change, Sources]], lifted: Sequence[FrozenCell]
) -> dict[int, str]:
    """Which of these cannot be written any more: the record moved, or a field was frozen since."""
    changes = [change for change, _ in allowed]
    gone = plan_binding.moved(installation, changes, [values for _, values in allowed])
    for position, freeze in enumerate(installation.freezes.in_the_way_of(changes)):
        if freeze is not None and (freeze.entity_id, freeze.field, freeze.system) not in lifted:
            gone.setdefault(position, f"frozen since the plan was made: {freeze.reason}")
    return gone


def _open_batch(installation: Installation, plan: Plan, changes: Sequence[Change], actor: str, *, lift: bool) -> Batch:
    """The plan is used up, its freezes are lifted and its writes are recorded, in one commit."""
    with installation.ledger.store.write():
        if lift:
            written = {change.entity_id for change in changes}
            installation.freezes.lift_cells([cell for cell in plan.lifts if cell[0] in written], actor)
        return installation.ledger.open_batch(
            "plan",
            title_of(changes),
            actor,
            [Intent(change, State.PLANNED) for change in cycle.with_keys(installation, changes)],
            plan_id=plan.id,
            counted=guard.limit_uses(changes),
        )


def _drop(installation: Installation, batch: Batch, gone: Mapping[int, str]) -> int:
    """Entries stand in the order of the changes they were made from."""
    entries = installation.ledger.entries(batch_id=batch.id)
    confirm.record(
        installation,
        [Settlement(entries[position].id, State.DRIFTED, error=reason) for position, reason in gone.items()],
    )
    return len(gone)


def _renew_meanings(installation: Installation, plan: Plan, actor: str) -> None:
    """A live policy whose rules changed proposed until now; with its whole plan applied it may act again.

    A plan in which it writes nothing shows its meaning as well as any other; one in which it only watches does not.
    """
    watched = {name for change, verdict in plan.judged if verdict.decision == "refuse" for name in change.policies}
    for name, header in installation.policies.policies.headers.items():
        active = installation.approvals.active_meaning(name)
        was_shown = (name in plan.only or not plan.only) and name not in watched
        if active not in (None, header.meaning) and was_shown:
            cycle.decide_all_again(installation, f"{name} changed and its plan was applied")
            installation.approvals.activate(name, header.meaning, actor)
            cycle.decide_all_again(installation, "live again")


def _raise_held(
    installation: Installation, held: Sequence[tuple[Change, Verdict]], verdicts: Sequence[Verdict]
) -> None:
    """Name the waiting batch these changes are in, or why nothing may be written at all."""
    if not held:
        raise ApprovalNeeded("nothing was written", why=verdicts[0].sentence, next_step="truce status")
    batch = proposals.standing_batch(installation, held[0][0])
    count = len(installation.ledger.entries(batch_id=batch.id, states=(State.HELD,)))
    raise ApprovalNeeded(
        f"nothing was written: {batch.id} with {counted(count, 'change')} waits for approval",
        where=batch.id,
        why=batch.hold_reason or "",
        next_step=f"truce approve {batch.id} --count {count}",
    )
