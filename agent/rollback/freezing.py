"""What an undo freezes, so that no rule does again what was undone, and what the undo of an undo lifts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent.changes import Entry
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.rollback.fates import Fate, Verdict
from agent.rollback.selection import Selection, Written

Frozen = tuple[str, str, str]
"""(entity, field or ``create``, system)."""


def as_written(waiting: Sequence[Entry]) -> list[Written]:
    return [Written(entry, entry.change.cells) for entry in waiting]


def redone(installation: Installation, selection: Selection) -> set[str]:
    """The batches meant that undid an undo: what the policies wrote stands there again, and nothing freezes it."""
    reversals = installation.ledger.reversals()

    def stands_again(batch_id: str) -> bool:
        return any(undone in reversals and not stands_again(undone) for undone in reversals.get(batch_id, ()))

    return {batch_id for batch_id in selection.batches if stands_again(batch_id)}


def freezes(
    written: Sequence[Written], words: str, again: Collection[str], lifted: Collection[Frozen]
) -> tuple[Freeze, ...]:
    """Every cell of what is undone: kept edits, which the rule must not overwrite, and what was still to be written."""
    cells: dict[Frozen, str] = {}
    for each in written:
        change = each.entry.change
        for cell in each.cells:
            if cell.why.policy != "rollback" or each.entry.batch_id in again:
                name = "create" if change.op == "create" and each.is_whole else cell.field
                cells.setdefault((change.entity_id, name, change.system), cell.why.rule)
    return tuple(
        Freeze(entity_id, name, system, rule, "rollback", f"undone with {words}")
        for (entity_id, name, system), rule in sorted(cells.items())
        if (entity_id, name, system) not in lifted
    )


def lifts(installation: Installation, selection: Selection, verdicts: Sequence[Verdict]) -> tuple[Frozen, ...]:
    """Undoing an undo: cells that go back to what the policies wrote are theirs again; kept edits stay frozen."""
    went_back = {
        (verdict.entry.change.entity_id, verdict.cell.field, verdict.ref.system): verdict.entry.batch_id
        for verdict in verdicts
        if verdict.entry.batch_id in selection.batches
        and verdict.cell
        and verdict.cell.why.policy == "rollback"
        and verdict.fate in (Fate.RESTORE, Fate.ALREADY)
    }
    standing = installation.freezes.by_entity([entity_id for entity_id, _, _ in went_back])
    return tuple(
        sorted(
            (freeze.entity_id, freeze.field, freeze.system)
            for freezes in standing.values()
            for freeze in freezes
            if freeze.batch_id is not None  # a person's freeze, or a fight's, is of no batch
            and went_back.get((freeze.entity_id, freeze.field, freeze.system)) == freeze.batch_id
        )
    )
