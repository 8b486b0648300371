"""Approval of a held batch: valid only for the exact list shown, once, before it expires, by people who may.

Where two are asked, the author of the change is not one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent import confirm, guard
from agent.changes import HELD, Batch, Entry, State
from agent.errors import ApprovalNeeded, PlanStale, UsageError
from agent.installation import Installation
from agent.ledger import Settlement


@dataclass(frozen=True, slots=True)
class Given:
    """Who has approved so far and how many are still asked for."""

    by: tuple[str, ...]
    still_needed: int


def approve(installation: Installation, batch_id: str, person: str, count: int) -> Given:
    """Add one person's approval; the last one asked for opens the batch for writing.

    Raises:
        UsageError: the batch does not wait. PlanStale: expired or the list is another than the one shown.
        ApprovalNeeded: this person may not approve this.
    """
    batch = installation.ledger.batch(batch_id)
    entries = waiting_entries(installation, batch)
    if len(entries) != count:
        raise PlanStale(f"{batch_id} holds {len(entries)} changes, not {count}", next_step=f"truce show {batch_id}")
    people, allowed = _asked_for(installation, entries)
    if allowed and person not in allowed:
        raise ApprovalNeeded(
            f"{person} may not approve {batch_id}", why="asked for is one of " + ", ".join(sorted(allowed))
        )
    if people > 1 and person == _author(installation):
        raise ApprovalNeeded(f"{person} changed the policy and cannot approve it too", why="two people are asked for")
    installation.approvals.record(batch_id, person, batch.hash, count)
    by = tuple(sorted({given.person for given in installation.approvals.of(batch_id) if given.hash == batch.hash}))
    if len(by) < people:
        return Given(by, people - len(by))
    installation.ledger.approve_batch(batch_id, by)
    installation.ledger.use_limits(guard.limit_uses([entry.change for entry in entries]))
    return Given(by, 0)


def reject(installation: Installation, batch_id: str, person: str, reason: str) -> int:
    """Close a held batch without writing. Returns how many changes it held."""
    batch = installation.ledger.batch(batch_id)
    entries = waiting_entries(installation, batch)
    note = f"rejected by {person}" + (f": {reason}" if reason else "")
    confirm.record(installation, [Settlement(entry.id, State.REFUSED, error=note) for entry in entries])
    installation.ledger.close_batch(batch_id, "rejected", actor=person)
    return len(entries)


def expire(installation: Installation) -> int:
    """Close held batches nobody decided in time. Returns how many."""
    now = installation.clock()
    late = [
        batch
        for batch in installation.ledger.batches(states=HELD)
        if batch.expires_at is not None and batch.expires_at <= now
    ]
    for batch in late:
        entries = installation.ledger.entries(batch_id=batch.id, states=(State.HELD,))
        confirm.record(installation, [Settlement(entry.id, State.REFUSED, error="expired") for entry in entries])
        installation.ledger.close_batch(batch.id, "expired")
    return len(late)


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


def _asked_for(installation: Installation, entries: list[Entry]) -> tuple[int, set[str]]:
    """(how many people, who may): the strictest of what the limits policy asks for any class touched."""
    limits = installation.policies.policies.limits
    people_policy = installation.policies.policies.people
    if limits is None or not limits.approve:
        return 1, set()
    classes = {name for entry in entries for name in guard.limit_uses([entry.change]) if name != "records"}
    rules = [limits.approve[name] for name in sorted(classes) if name in limits.approve]
    if not rules and "otherwise" in limits.approve:
        rules = [limits.approve["otherwise"]]
    if not rules:
        return 1, set()
    people, groups = max(rules, key=lambda rule: rule[0])
    known = people_policy.groups if people_policy else {}
    return people, {email for group in groups for email in known.get(group, (group,))}


def _author(installation: Installation) -> str:
    revisions = installation.ledger.revisions(1)
    return revisions[0].editor if revisions else ""
