"""Undo: the same tail as any batch, entered with a reversed one.

Promise: untouched is restored, touched is left and named, irreversible is said before (``agent.rollback.fates``).
Every cell of what is undone is frozen in the same commit as the rollback's own intents, before its first write, so that
a rule still in the files cannot do it again; until then nothing else writes, because an undo runs alone. Undoing an
undo lifts what that one froze, where the value really went back.

The undo of what a policy wrote pauses that policy in the same commit: its files are still as they were, and it would do
the same to the next record. A person resumes it.

Limits do not hold an undo: it is the way out of a mistake, was previewed, and writes only old values.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent import apply, confirm, unsettled
from agent.changes import OPEN, Batch, Entry, State
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.ledger.ledger import Intent, Settlement
from agent.rollback.reversal import Reversal
from agent.rollback.selection import Selection, unwritten
from agent.words import counted


def roll_back(
    installation: Installation,
    selection: Selection,
    reversal: Reversal,
    actor: str,
    progress: apply.Progress = apply.silent,
) -> tuple[Batch, apply.Tally] | None:
    """Write a reversal: freezes and intents in one commit, then the writes. Resumable by ``resume``.

    None when everything was back already and frozen: there is nothing to record.
    """
    _stop_writing(installation, unwritten(installation, selection))
    if not reversal.changes and not reversal.lifts and _stand(installation, reversal.freezes):
        return None
    paused = paused_by(installation, selection)
    with installation.ledger.store.write():
        if paused is not None:
            installation.approvals.pause(paused, actor, f"undo of {selection.words}")
        installation.freezes.lift_cells(reversal.lifts, actor)
        batch = installation.ledger.open_batch(
            "rollback",
            _title(reversal),
            actor,
            [Intent(change, State.PLANNED) for change in reversal.changes],
            reverts=reversal.batches,
            freezes=reversal.freezes,
        )
    tally = apply.write(installation, batch.id, progress=progress)
    return installation.ledger.batch(batch.id), tally


def paused_by(installation: Installation, selection: Selection) -> str | None:
    """The policy that an undo of this selection pauses: the one it is about, unless it is about single records."""
    if selection.record is not None or selection.policy not in installation.policies.policies.headers:
        return None
    return selection.policy


def unfinished(installation: Installation, selection: Selection) -> Batch | None:
    """The interrupted rollback of exactly this selection, if any."""
    for batch in installation.ledger.batches(states=OPEN):
        if batch.kind == "rollback" and batch.title.startswith(f"Undo {selection.words} · "):
            return batch
    return None


def finish_others(installation: Installation, progress: apply.Progress = apply.silent) -> None:
    """One undo after the other: what an interrupted one still wants to write comes before a new one is planned."""
    for batch in reversed(installation.ledger.batches(states=OPEN)):
        if batch.kind == "rollback":
            resume(installation, batch, progress)


def resume(
    installation: Installation, batch: Batch, progress: apply.Progress = apply.silent
) -> tuple[Batch, apply.Tally]:
    """Go on with an interrupted rollback: settle what is open, write what is still planned."""
    unsettled.settle_open(installation)
    tally = apply.write(installation, batch.id, progress=progress)
    return installation.ledger.batch(batch.id), tally


def _title(reversal: Reversal) -> str:
    records = {verdict.ref for verdict in reversal.verdicts}
    return f"Undo {reversal.words} · {counted(len(records), 'record')}"


def _stand(installation: Installation, freezes: Sequence[Freeze]) -> bool:
    standing = installation.freezes.by_entity([freeze.entity_id for freeze in freezes])
    cells = {(each.entity_id, each.field, each.system) for found in standing.values() for each in found}
    return all((freeze.entity_id, freeze.field, freeze.system) in cells for freeze in freezes)


def _stop_writing(installation: Installation, entries: Sequence[Entry]) -> None:
    """What an undone batch still had to write is not written; a batch of which nothing is left is over."""
    reason = "undone before it was written"
    confirm.record(installation, [Settlement(entry.id, State.DRIFTED, error=reason) for entry in entries])
    for batch_id in sorted({entry.batch_id for entry in entries}):
        if not installation.ledger.entries(batch_id=batch_id, states=(State.PLANNED, State.HELD, State.INTENDED)):
            installation.ledger.close_batch(batch_id)
