"""Beside another sync: after each cycle, what the watching policies would have written, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.changes import Change, Verdict
from agent.installation import Installation
from agent.places import entity_type_of, places_of
from agent.plan.planner import Draft
from agent.records import Ref
from agent.watch.rows import CellKey, Ended, Watched, WatchedRows

WATCHES = "mode: watch"
"""What the guard names as the limit of a change that a policy may only watch."""


def follow(installation: Installation, draft: Draft) -> None:
    """Begin to follow what is wanted now, and end what these entities do not need any more. Writes to no CRM."""
    rows = WatchedRows(installation.ledger)
    wanted = dict(_wanted(installation, draft))
    if not wanted and rows.is_empty():
        return
    standing = {each.key: each for each in rows.standing(sorted(draft.decided))}
    acting = {key for change, verdict in draft.judged if not _is_watched(verdict) for key in _keys(change)}
    over = {key: each for key, each in standing.items() if key not in wanted}
    how = _how_ended(installation, over)
    rows.end((key, "taken over" if key in acting else how[key]) for key in over)
    rows.begin([cell for key, cell in wanted.items() if key not in standing])


def _wanted(installation: Installation, draft: Draft) -> Iterator[tuple[CellKey, Watched]]:
    now = installation.clock()
    for change, verdict in draft.judged:
        if not _is_watched(verdict):
            continue
        for (entity_id, system, field), cell in zip(_keys(change), change.cells, strict=False):
            meaning = "create" if change.op == "create" else cell.meaning
            yield (
                (entity_id, system, field),
                Watched(entity_id, system, field, cell.why.policy, cell.why.line, meaning, now),
            )


def _is_watched(verdict: Verdict) -> bool:
    return verdict.decision == "refuse" and verdict.limit == WATCHES


def _keys(change: Change) -> list[CellKey]:
    if change.op == "create":
        return [(change.entity_id, change.system, "create")]
    return [(change.entity_id, change.system, cell.field) for cell in change.cells]


def _how_ended(installation: Installation, over: Mapping[CellKey, Watched]) -> dict[CellKey, Ended]:
    """``made`` where the side that Truce would have written moved; ``other way`` where only the other one did."""
    entities = sorted({entity_id for entity_id, _, _ in over})
    agreed = installation.mirror.agreement.agreeing(entities)
    members = installation.crosswalk.members(entities)
    active = {
        (entity_id, link.ref.system): link.ref
        for entity_id, links in members.items()
        for link in links
        if link.role == "active" and link.state == "linked"
    }
    found: dict[CellKey, Ended] = {}
    for key, watched in over.items():
        entity_id, system, field = key
        ref = active.get((entity_id, system))
        if field == "create":
            found[key] = "made" if ref is not None else "dropped"
        elif field not in agreed.get(entity_id, ()):
            found[key] = "dropped"
        else:
            found[key] = "made" if ref is not None and _has_moved(installation, ref, watched) else "other way"
    return found


def _has_moved(installation: Installation, ref: Ref, watched: Watched) -> bool:
    """The cell that Truce would have written was changed by somebody since it was first wanted."""
    places = places_of(installation.policies.policies)
    vendor_field = places.vendor_field(entity_type_of(watched.entity_id), watched.field, ref)
    if vendor_field is None:
        return False
    latest = installation.mirror.history(ref, vendor_field)[-1]
    return latest.by is None and latest.first_seen - installation.skew(ref.system) > watched.since
