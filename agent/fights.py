"""Another system that changes a field back as often as we write it: Truce stops first, and says so.

A fight is the same cell taken back again and again, not a field that people change often: there each of our writes
starts from what the one before left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from agent.changes import Cell, Change, ReviewRequest, State
from agent.confirm import same_value
from agent.freeze import Freeze
from agent.installation import Installation
from agent.records import FieldValue, Ref

WINDOW = timedelta(hours=24)
TAKEN_BACK = 3
"""This often within the window our value was changed by somebody else and would be written again (facts: the fourth
alternating write is one too many)."""

ACTOR = "truce"


def without_fights(installation: Installation, changes: Sequence[Change]) -> list[Change]:
    """The changes less every cell that is fought over; those are frozen and become a question for a person."""
    fought = {
        (change.entity_id, cell.field, change.system): (change, cell)
        for change in changes
        if change.op == "update"
        for cell in change.cells
        if _times_taken_back(installation, change, cell) >= TAKEN_BACK
    }
    if not fought:
        return list(changes)
    installation.freezes.add([_freeze(change, cell) for change, cell in fought.values()], ACTOR)
    installation.reviews.open_or_refresh([_question(change, cell) for change, cell in fought.values()])
    calm = [
        replace(
            change, cells=tuple(c for c in change.cells if (change.entity_id, c.field, change.system) not in fought)
        )
        for change in changes
    ]
    return [change for change in calm if change.cells]


def _times_taken_back(installation: Installation, change: Change, cell: Cell) -> int:
    """How often our value was replaced by somebody else since yesterday, the present time included."""
    if change.step > 0:
        return 0
    since = installation.clock() - WINDOW
    left: list[tuple[FieldValue, FieldValue]] = []
    for entry in installation.ledger.entries(entity_id=change.entity_id, states=(State.CONFIRMED,), since=since):
        for each in entry.change.cells:
            is_the_cell = each.vendor_field == cell.vendor_field and entry.change.ref == change.ref
            if is_the_cell and entry.change.step == 0 and entry.recorded_at >= since:
                left.append((each.before, entry.observed.get(each.vendor_field, each.after)))
    befores = [before for before, _ in left[1:]] + [cell.before]
    return sum(not same_value(observed, before) for (_, observed), before in zip(left, befores, strict=False))


def _sentence(change: Change, cell: Cell) -> str:
    return f"{change.ref}: {cell.field} was changed back {TAKEN_BACK} times within a day; Truce leaves it alone"


def _freeze(change: Change, cell: Cell) -> Freeze:
    reason = f"changed back {TAKEN_BACK} times within a day by somebody else"
    return Freeze(change.entity_id, cell.field, change.system, cell.why.rule, "fight", reason)


def _question(change: Change, cell: Cell) -> ReviewRequest:
    refs: tuple[Ref, ...] = (change.ref,) if change.ref is not None else ()
    topic = f"fight:{cell.field}:{change.system}"
    return ReviewRequest("fight", change.entity_id, topic, _sentence(change, cell), refs, cell.why.line)
