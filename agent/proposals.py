"""Held changes: one standing proposal per record and field, refreshed, never stacked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from agent import confirm
from agent.changes import Batch, BatchKind, Change, State, Verdict
from agent.installation import Installation
from agent.ledger import Intent, Settlement

ProposalKey = tuple[str, str, str, int, str]


def hold(
    installation: Installation,
    held: Sequence[tuple[Change, Verdict]],
    *,
    actor: str = "truce",
    kind: BatchKind = "cycle",
) -> list[Batch]:
    """Open one held batch per reason for what is new; a proposal that says the same already stays as it is.

    An older proposal for the same record and fields that says something else is superseded.
    """
    standing = {_key(entry.change): entry for entry in installation.ledger.entries(states=(State.HELD,))}
    fresh: dict[str, list[Change]] = defaultdict(list)
    superseded: list[Settlement] = []
    for change, verdict in held:
        known = standing.get(_key(change))
        if known is not None and _says_the_same(known.change, change):
            continue
        if known is not None:
            superseded.append(Settlement(known.id, State.DRIFTED, error="a newer proposal replaces it"))
        fresh[verdict.sentence].append(change)
    confirm.record(installation, superseded)
    return [
        installation.ledger.open_batch(
            kind,
            title_of(changes),
            actor,
            [Intent(change, State.HELD) for change in changes],
            state="held",
            hold_reason=reason,
            expires_at=installation.expiry(),
        )
        for reason, changes in fresh.items()
    ]


def standing_batch(installation: Installation, change: Change) -> Batch:
    """The held batch in which this very change waits."""
    wanted = _key(change)
    entry = next(entry for entry in installation.ledger.entries(states=(State.HELD,)) if _key(entry.change) == wanted)
    return installation.ledger.batch(entry.batch_id)


def title_of(changes: Sequence[Change]) -> str:
    """``Job title, Phone → HubSpot · 143 records``."""
    fields = sorted({cell.field.replace("_", " ") for change in changes for cell in change.cells})
    systems = sorted({change.system for change in changes})
    shown = ", ".join(fields[:3]) + (" …" if len(fields) > 3 else "")
    return f"{shown} → {' and '.join(systems)} · {len(changes)} records"


def _key(change: Change) -> ProposalKey:
    fields = ",".join(sorted(cell.vendor_field for cell in change.cells))
    return (change.entity_id, change.system, change.record_id or change.op, change.step, fields)


def _says_the_same(here: Change, there: Change) -> bool:
    return {(c.vendor_field, c.before, c.after, c.why.rule) for c in here.cells} == {
        (c.vendor_field, c.before, c.after, c.why.rule) for c in there.cells
    }
