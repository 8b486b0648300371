"""Approval of a held batch: valid only for the exact list shown, once, before it expires, by people who may.

Where two are asked, the author of the change is not one of them. A list that rests on a rule which changed since, or
on a field that was frozen since, is not written: what is left of it must be shown again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent import apply, confirm, guard
from agent.approval import proposals
from agent.changes import Batch, Entry, State
from agent.decide.policy import PolicySet
from agent.decide.prepared import Prepared
from agent.errors import ApprovalNeeded, PlanStale, UsageError
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.plan import binding as plan_binding
from agent.plan import planner
from agent.schema import watch as schema_watch
from agent.words import counted

OPT_IN_PEOPLE = 2
"""At least so many approve an opt-in, whatever the limits say."""


@dataclass(frozen=True, slots=True)
class Given:
    """Who has approved so far and how many are still asked for."""

    by: tuple[str, ...]
    still_needed: int


@dataclass(frozen=True, slots=True)
class Demand:
    """So many people must say yes; ``allowed`` empty: anybody who is mapped. ``needs_reason``: in their own words."""

    people: int
    allowed: frozenset[str] = frozenset()
    needs_reason: bool = False

    def missing(self, by: frozenset[str]) -> int:
        counted = by & self.allowed if self.allowed else by
        return max(self.people - len(counted), 0)


def approve(installation: Installation, batch_id: str, person: str, count: int, reason: str = "") -> Given:
    """Add one person's approval; the last one asked for opens the batch for writing.

    Raises:
        UsageError: the batch does not wait. PlanStale: expired or the list is another than the one shown.
        ApprovalNeeded: this person may not approve this, or not without a reason, or a policy of it is paused.
        ConnectorError: a vendor cannot be asked whether it still takes what waits.
    """
    batch = installation.ledger.batch(batch_id)
    schema_watch.look_again(installation, at_once=True)  # a value may have left a picklist while this waited
    entries = _still_wanted(installation, batch, waiting_entries(installation, batch))
    if len(entries) != count:
        raise PlanStale(
            f"{batch_id} holds {counted(len(entries), 'change')}, not {count}", next_step=f"truce show {batch_id}"
        )
    demands = demands_of(installation, entries)
    _require_may(installation, batch, entries, person, demands, reason)
    installation.approvals.record(batch_id, person, batch.hash, count, reason)
    by = _approvers(installation, batch, count)
    missing = max(demand.missing(frozenset(by)) for demand in demands)
    if missing:
        return Given(by, missing)
    installation.ledger.approve_batch(batch_id, by)
    installation.ledger.use_limits(guard.limit_uses([entry.change for entry in entries]))
    return Given(by, 0)


def write(installation: Installation, batch_id: str, progress: apply.Progress = apply.silent) -> apply.Tally:
    """Write an approved batch; what moved since it was proposed, on either side, is left alone as drifted."""
    entries = installation.ledger.entries(batch_id=batch_id, states=(State.HELD,))
    changes = [entry.change for entry in entries]
    gone = plan_binding.moved(installation, changes, plan_binding.sources_of(installation, changes))
    confirm.record(
        installation,
        [Settlement(entries[position].id, State.DRIFTED, error=reason) for position, reason in gone.items()],
    )
    tally = apply.write(installation, batch_id, progress=progress)
    tally.drifted += len(gone)
    return tally


def reject(installation: Installation, batch_id: str, person: str, reason: str) -> int:
    """Close a held batch without writing. Returns how many changes it held."""
    batch = installation.ledger.batch(batch_id)
    entries = waiting_entries(installation, batch)
    note = f"rejected by {person}" + (f": {reason}" if reason else "")
    confirm.record(installation, [Settlement(entry.id, State.REFUSED, error=note) for entry in entries])
    installation.ledger.close_batch(batch_id, "rejected", actor=person)
    return len(entries)


def waiting_entries(installation: Installation, batch: Batch) -> list[Entry]:
    """The list an approval is about.

    Raises:
        UsageError: the batch does not wait for anybody. PlanStale: it waited too long.
    """
    if batch.state != "held":
        raise UsageError(
            f"{batch.id} does not wait for approval", why=f"it is {batch.state}", next_step="truce batches"
        )
    if batch.expires_at is not None and batch.expires_at <= installation.clock():
        raise PlanStale(f"{batch.id} expired", next_step="truce plan")
    return installation.ledger.entries(batch_id=batch.id, states=(State.HELD,))


def demands_of(installation: Installation, entries: Sequence[Entry]) -> list[Demand]:
    """What the limits policy asks for each class touched and a lifecycle policy for moves back; all must hold."""
    policies = installation.policies.policies
    approve_lines = policies.limits.approve if policies.limits is not None else {}
    classes = {name for entry in entries for name in guard.limit_uses([entry.change])}
    lines = [approve_lines[name] for name in sorted(classes) if name in approve_lines]
    if not lines and "otherwise" in approve_lines:
        lines = [approve_lines["otherwise"]]
    least = OPT_IN_PEOPLE if "opt_in" in classes else 1
    demands = [Demand(max(people, least), _members(policies, groups)) for people, groups in lines]
    moved_back = {cell.why.policy for entry in entries for cell in entry.change.cells if cell.meaning == "stage_back"}
    for lifecycle in policies.lifecycle:
        if lifecycle.header.name in moved_back and lifecycle.back_approve is not None:
            allowed = _members(policies, (lifecycle.back_approve,))
            demands.append(Demand(1, allowed, needs_reason=lifecycle.back_reason == "required"))
    return demands or [Demand(least)]


def _members(policies: PolicySet, groups: Sequence[str]) -> frozenset[str]:
    known = policies.people.groups if policies.people is not None else {}
    return frozenset(email for group in groups for email in known.get(group, (group,)))


def _require_may(
    installation: Installation,
    batch: Batch,
    entries: Sequence[Entry],
    person: str,
    demands: Sequence[Demand],
    reason: str,
) -> None:
    """Raises ApprovalNeeded unless this person's word counts here."""
    batch_id = batch.id
    if person == batch.actor and any(entry.change.is_opt_in for entry in entries):
        raise ApprovalNeeded(
            f"{person} asked for it and cannot approve {batch_id} too", why="two other people are asked for"
        )
    if not any(not demand.allowed or person in demand.allowed for demand in demands):
        asked = sorted({email for demand in demands for email in demand.allowed})
        raise ApprovalNeeded(f"{person} may not approve {batch_id}", why="asked for is one of " + ", ".join(asked))
    if any(demand.people > 1 for demand in demands) and person == _author(installation):
        raise ApprovalNeeded(f"{person} changed the policy and cannot approve it too", why="two people are asked for")
    if any(demand.needs_reason for demand in demands) and not reason:
        raise ApprovalNeeded(
            f"{batch_id} moves stages back, which needs a reason",
            next_step=f'truce approve {batch_id} --count {len(entries)} --reason "…"',
        )


def _approvers(installation: Installation, batch: Batch, count: int) -> tuple[str, ...]:
    """Who approved exactly this list."""
    given = installation.approvals.of(batch.id)
    return tuple(sorted({each.person for each in given if each.hash == batch.hash and each.count == count}))


def _still_wanted(installation: Installation, batch: Batch, entries: Sequence[Entry]) -> list[Entry]:
    """The waiting entries, if all of them may still be written.

    Raises:
        ApprovalNeeded: a policy of theirs is paused or only watches. PlanStale: some rest on a rule or a field that is
        no longer open; those are taken back, and what is left must be shown again.
    """
    modes = planner.effective_modes(installation, by_person=True)
    for name in sorted({name for entry in entries for name in entry.change.policies}):
        if installation.approvals.is_paused(name):
            raise ApprovalNeeded(f"{name} is paused, so {batch.id} is not written", next_step=f"truce resume {name}")
        if modes.get(name) == "watch":
            raise ApprovalNeeded(f"{name} only watches, so {batch.id} is not written", next_step="truce mode ask")
    in_force = rules_in_force(installation.policies)
    changed = [entry for entry in entries if any(cell.why.rule not in in_force for cell in entry.change.cells)]
    freezes = installation.freezes.in_the_way_of([entry.change for entry in entries])
    frozen = [
        entry
        for entry, freeze in zip(entries, freezes, strict=True)
        if freeze and entry not in changed and not entry.change.is_opt_in
    ]
    proposals.drop(installation, changed, "the rule changed since this was proposed, or is suspended")
    proposals.drop(installation, frozen, "frozen since this was proposed")
    if not changed and not frozen:
        return list(entries)
    left = len(entries) - len(changed) - len(frozen)
    raise PlanStale(
        f"{batch.id} is no longer the list that was shown: {left} of {len(entries)} changes are left",
        why=f"{len(changed)} rest on a rule that changed or is suspended, {len(frozen)} on a field that was frozen",
        next_step=f"truce show {batch.id}" if left else "truce plan",
    )


def rules_in_force(prepared: Prepared) -> frozenset[str]:
    """The hash of every rule that a cell can name as its reason, without those suspended."""
    policies, out = prepared.policies, prepared.suspended

    def holds(policy: str, line: str) -> bool:
        return (policy, line) not in out and (policy, "") not in out

    rules = {rule.rule for policy in policies.fields for rule in policy.rules if holds(rule.policy, rule.name)}
    rules.update(
        create.rule
        for kind in policies.entity_types.values()
        for create in kind.creates.values()
        if holds(kind.policy, f"create {create.system}")
    )
    for lifecycle in policies.lifecycle:
        if not holds(lifecycle.header.name, ""):
            continue
        rules.add(lifecycle.header.meaning)
        rules.update(move.rule for move in lifecycle.moves)
    return frozenset(rules)


def _author(installation: Installation) -> str:
    revisions = installation.ledger.revisions(1)
    return revisions[0].editor if revisions else ""
