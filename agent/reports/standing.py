"""Where things stand: the figures behind ``status``, from the ledger and the mirror alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from agent.calls.allowances import Allowances, Told
from agent.calls.calls import Standing
from agent.changes import HELD, OPEN, OPEN_STATES, Batch, State
from agent.daemon import health
from agent.daemon.health import Health, Trouble
from agent.decide.drift import Suspension
from agent.installation import Installation
from agent.lock import find_holder
from agent.orders.commands import Waiting
from agent.plan import planner


@dataclass(frozen=True, slots=True)
class Status:
    """``writer`` is who holds the lock, or None. ``cursors``: {system object: watermark}.

    ``health`` is the daemon's last note and ``state`` what it amounts to (``agent.daemon.health.state_of``).
    ``free_bytes`` are left on the disk of the state folder, of which ledger and mirror take ``state_bytes``.
    """

    writer: dict[str, object] | None
    state: str
    health: Health | None
    policy_trouble: Trouble | None
    orders: tuple[Waiting, ...]
    free_bytes: int
    state_bytes: int
    mode: str
    policies: dict[str, str]
    open_entries: int
    unknown_entries: int
    waiting: tuple[Batch, ...]
    unfinished: tuple[Batch, ...]
    reviews: dict[str, int]
    freezes: dict[str, int]
    cursors: dict[str, str]
    pending: int
    last_trouble: str
    calls: tuple[Standing, ...]
    """How much of each vendor's day is used."""
    allowances: tuple[Told, ...]
    """What else each vendor allows in a day, as it last said."""
    suspended: tuple[Suspension, ...]
    """Policy lines out of force because a CRM changed."""


def status(installation: Installation, lock: Path) -> Status:
    """What is running, open, waiting and frozen. Asks no vendor."""
    ledger = installation.ledger
    allowances = Allowances(ledger.store, installation.clock)
    trouble = ledger.events(kind="cycle stopped", limit=1)
    holder = find_holder(lock)
    noted = health.read(lock.parent)
    cursors = {}
    for entity_type in installation.policies.policies.entity_types.values():
        for system, types in entity_type.records.items():
            for object_type in types:
                cursor = installation.mirror.cursor(system, object_type)
                if cursor is not None:
                    cursors[f"{system} {object_type}"] = cursor.watermark.isoformat()
    return Status(
        writer=holder,
        state=health.state_of(noted, holder),
        health=noted,
        policy_trouble=_policy_trouble(installation, noted, is_running=holder is not None),
        orders=tuple(installation.commands.waiting()),
        free_bytes=shutil.disk_usage(lock.parent).free,
        state_bytes=sum(path.stat().st_size for path in lock.parent.glob("*.db*")),
        mode=installation.mode,
        policies=dict(planner.effective_modes(installation, by_person=False)),
        open_entries=len(ledger.entries(states=tuple(OPEN_STATES))),
        unknown_entries=len(ledger.entries(states=(State.UNKNOWN,))),
        waiting=tuple(ledger.batches(states=HELD)),
        unfinished=tuple(ledger.batches(states=OPEN)),
        reviews=installation.reviews.counts(),
        freezes=installation.freezes.counts_by_age(),
        cursors=cursors,
        pending=len(installation.mirror.pending()),
        last_trouble=str(trouble[0].body.get("what", "")) if trouble else "",
        calls=tuple(installation.calls.standings()),
        allowances=tuple(told for system in sorted(installation.connectors) if (told := allowances.told(system))),
        suspended=installation.suspensions,
    )


def _policy_trouble(installation: Installation, noted: Health | None, *, is_running: bool) -> Trouble | None:
    """What the daemon could not take over, which has asked the vendors' schemas too; else what is on disk now."""
    if is_running and noted is not None and noted.policy_trouble is not None:
        return noted.policy_trouble
    problem = installation.policy_problem
    return Trouble.of(problem, installation.clock()) if problem is not None else None
