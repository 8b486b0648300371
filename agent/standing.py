"""Where things stand: the figures behind ``status`` and ``today``, from the ledger and the mirror alone."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agent import health, planner
from agent.changes import HELD, OPEN, OPEN_STATES, Batch, State
from agent.commands import Waiting
from agent.guard import DEFAULT_DAY
from agent.health import Health, Trouble
from agent.installation import Installation
from agent.lock import find_holder

REVERT_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Status:
    """``writer`` is who holds the lock, or None. ``cursors``: {system object: watermark}.

    ``health`` is the daemon's last note and ``state`` what it amounts to (``agent.health.state_of``). ``free_bytes``
    are left on the disk of the state folder, of which ledger and mirror take ``state_bytes``.
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


@dataclass(frozen=True, slots=True)
class ChangedBack:
    """A value of ours that a person (or another system) has replaced since."""

    field: str
    system: str
    count: int


@dataclass(frozen=True, slots=True)
class Today:
    """The morning. ``nearest_limit`` is (name, used, allowed); ``agreement`` is between 0 and 1 or None."""

    since: datetime
    written: int
    failed: int
    unknown: int
    changed_back: tuple[ChangedBack, ...]
    waiting: tuple[Batch, ...]
    reviews: dict[str, int]
    stopped: tuple[str, ...]
    nearest_limit: tuple[str, int, int] | None
    agreement: float | None


def status(installation: Installation, lock: Path) -> Status:
    """What is running, open, waiting and frozen. Asks no vendor."""
    ledger = installation.ledger
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
        reviews=dict(Counter(review.kind for review in installation.reviews.list())),
        freezes=installation.freezes.counts_by_age(),
        cursors=cursors,
        pending=len(installation.mirror.pending()),
        last_trouble=str(trouble[0].body.get("what", "")) if trouble else "",
    )


def _policy_trouble(installation: Installation, noted: Health | None, *, is_running: bool) -> Trouble | None:
    """What the daemon could not take over, which has asked the vendors' schemas too; else what is on disk now."""
    if is_running and noted is not None and noted.policy_trouble is not None:
        return noted.policy_trouble
    problem = installation.policy_problem
    return Trouble.of(problem, installation.clock()) if problem is not None else None


def today(installation: Installation, since: datetime) -> Today:
    """What happened since a moment, what waits, what is near its limit."""
    counts: Counter[str] = Counter()
    for batch in installation.ledger.batches():
        if batch.opened_at >= since:
            counts.update(batch.counts)
    paused = tuple(
        f"{name} is paused" for name in installation.policies.policies.headers if installation.approvals.is_paused(name)
    )
    return Today(
        since=since,
        written=counts[State.CONFIRMED.value],
        failed=counts[State.FAILED.value],
        unknown=counts[State.UNKNOWN.value],
        changed_back=changed_back(installation, installation.clock() - REVERT_WINDOW),
        waiting=tuple(installation.ledger.batches(states=HELD)),
        reviews=dict(Counter(review.kind for review in installation.reviews.list())),
        stopped=paused,
        nearest_limit=_nearest_limit(installation),
        agreement=agreement(installation),
    )


def changed_back(installation: Installation, since: datetime) -> tuple[ChangedBack, ...]:
    """Fields whose value we wrote since then and which hold something else now, by the last write to each cell."""
    seen: set[tuple[object, str]] = set()
    counts: Counter[tuple[str, str]] = Counter()
    for entry in installation.ledger.entries(states=(State.CONFIRMED,), newest_first=True):
        if entry.recorded_at < since:
            break
        record = installation.mirror.record(entry.change.ref) if entry.change.ref is not None else None
        for cell in entry.change.cells:
            key = (entry.change.ref, cell.vendor_field)
            if record is None or key in seen:
                continue
            seen.add(key)
            ours = entry.observed.get(cell.vendor_field, cell.after)
            if record.fields.get(cell.vendor_field, ours) != ours:
                counts[cell.field, entry.change.system] += 1
    return tuple(ChangedBack(field, system, count) for (field, system), count in counts.most_common())


def agreement(installation: Installation) -> float | None:
    """Share of watched fields that mean the same in both CRMs, over everything paired; None when nothing is."""
    draft = planner.draft(installation, list(installation.crosswalk.entities()), by_person=True)
    equal = sum(count for (_, _, what), count in draft.dispositions.items() if what == "equal")
    differ = sum(
        count
        for (_, _, what), count in draft.dispositions.items()
        if what in ("write", "ask", "refused", "frozen", "quiet", "reported")
    )
    return equal / (equal + differ) if equal + differ else None


def _nearest_limit(installation: Installation) -> tuple[str, int, int] | None:
    limits = installation.policies.policies.limits
    allowed = {**DEFAULT_DAY, **(limits.day if limits else {})}
    used = installation.ledger.used_today(installation.clock().date())
    shares = [(used.get(name, 0) / most, name, used.get(name, 0), most) for name, most in allowed.items() if most]
    if not shares:
        return None
    _, name, count, most = max(shares)
    return name, count, most
