"""Batches as people think of them: by plan, policy, revision or hour, each with the command that undoes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from agent.changes import Batch, Entry, State
from agent.installation import Installation

By = Literal["plan", "policy", "revision", "hour"]


@dataclass(frozen=True, slots=True)
class Group:
    """``written`` counts confirmed writes of these batches that belong to the group. Newest batch first."""

    name: str
    batches: tuple[Batch, ...]
    written: int
    undo: str


def grouped(installation: Installation, batches: Sequence[Batch], by: By) -> list[Group]:
    """What these batches wrote (undos left out), in groups, the one with the newest batch first."""
    zone = installation.zone
    members: dict[str, dict[str, Batch]] = {}
    counts: dict[str, int] = {}
    for batch in batches:
        if batch.kind == "rollback":
            continue
        for name, count in _shares(installation, batch, by, zone):
            members.setdefault(name, {})[batch.id] = batch
            counts[name] = counts.get(name, 0) + count
    return [
        Group(name, tuple(found.values()), counts[name], _undo(name, list(found.values()), by, zone))
        for name, found in members.items()
    ]


def _shares(installation: Installation, batch: Batch, by: By, zone: ZoneInfo) -> Iterator[tuple[str, int]]:
    """(group, how many confirmed writes of this batch belong to it)."""
    written = batch.counts.get(State.CONFIRMED.value, 0)
    if not written:
        return
    if by == "plan":
        yield batch.plan_id or "no plan", written
    elif by == "hour":
        yield batch.opened_at.astimezone(zone).strftime("%a %d %b %Y %H:00"), written
    elif by == "revision":
        yield _revision_of(installation, batch), written
    else:
        entries = installation.ledger.entries(batch_id=batch.id, states=(State.CONFIRMED,))
        for policy in sorted({name for entry in entries for name in entry.change.policies}):
            yield policy, sum(_is_of(entry, policy) for entry in entries)


def _is_of(entry: Entry, policy: str) -> bool:
    return policy in entry.change.policies


def _revision_of(installation: Installation, batch: Batch) -> str:
    """The policies in force when it was opened; newest first, so the first that is old enough."""
    known = installation.ledger.revisions()
    return next((each.revision for each in known if each.seen_at <= batch.opened_at), "unknown")


def _undo(name: str, batches: Sequence[Batch], by: By, zone: ZoneInfo) -> str:
    if by == "policy":
        first = min(batch.opened_at for batch in batches).astimezone(zone)
        return f'truce rollback --policy {name} --since "{first:%Y-%m-%d %H:%M}"'
    if by == "revision" and name != "unknown":
        return f"truce rollback --revision {name[:8]}"
    return "truce rollback " + " ".join(batch.id for batch in batches)
