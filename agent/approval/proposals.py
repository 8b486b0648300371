"""Held changes: one standing proposal per record and field, refreshed, never stacked, withdrawn when unwanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from agent import confirm
from agent.changes import HELD, Batch, BatchKind, Change, Entry, State, Verdict
from agent.installation import Installation
from agent.ledger.ledger import Intent, Settlement
from agent.words import counted

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
    superseded: list[Entry] = []
    for change, verdict in held:
        known = standing.get(_key(change))
        if known is not None and _says_the_same(known.change, change):
            continue
        if known is not None:
            superseded.append(known)
        fresh[verdict.sentence].append(change)
    drop(installation, superseded, "a newer proposal replaces it")
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


def withdraw(
    installation: Installation, decided: Collection[str], wanted: Sequence[Change], *, word_for_word: bool = False
) -> int:
    """Take back proposals for entities just decided that say what nobody wants any more. Returns how many.

    A person may have mended the record, or the rule may be gone: approving the old list must not write it then.
    ``word_for_word``: also those that would write something else by now (``hold`` replaces them otherwise).
    """
    entities = set(decided)
    now = {_key(change): change for change in wanted}
    unwanted = []
    for entry in installation.ledger.entries(states=(State.HELD,)):
        if entry.change.entity_id not in entities or entry.change.is_opt_in:
            continue  # a person asked for an opt-in; deciding never does, and so never takes it back
        change = now.get(_key(entry.change))
        if change is None or (word_for_word and not _says_the_same(entry.change, change)):
            unwanted.append(entry)
    return drop(installation, unwanted, "no longer wanted: the records or the policies changed")


def supersede(installation: Installation, written: Sequence[Change]) -> int:
    """Take back proposals for the very cells that a person has just ordered to be written. Returns how many."""
    keys = {_key(change) for change in written}
    standing = installation.ledger.entries(states=(State.HELD,))
    return drop(installation, [entry for entry in standing if _key(entry.change) in keys], "written with a plan")


def drop(installation: Installation, entries: Sequence[Entry], reason: str) -> int:
    """Waiting writes that will not be made; a batch of which nothing is left is over. Returns how many."""
    confirm.record(installation, [Settlement(entry.id, State.DRIFTED, error=reason) for entry in entries])
    for batch_id in sorted({entry.batch_id for entry in entries}):
        batch = installation.ledger.batch(batch_id)
        if batch.state == "held" and not batch.counts.get(State.HELD.value):
            installation.ledger.close_batch(batch_id, "expired")
    return len(entries)


def expire(installation: Installation) -> list[str]:
    """Close held batches nobody decided in time. Returns their entities: what is still wanted is proposed anew."""
    now = installation.clock()
    late = [
        batch
        for batch in installation.ledger.batches(states=HELD)
        if batch.expires_at is not None and batch.expires_at <= now
    ]
    entities: set[str] = set()
    for batch in late:
        entries = installation.ledger.entries(batch_id=batch.id, states=(State.HELD,))
        entities.update(entry.change.entity_id for entry in entries)
        confirm.record(installation, [Settlement(entry.id, State.REFUSED, error="expired") for entry in entries])
        installation.ledger.close_batch(batch.id, "expired")
    return sorted(entities)


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
    return f"{shown} → {' and '.join(systems)} · {counted(len(changes), 'record')}"


def _key(change: Change) -> ProposalKey:
    fields = ",".join(sorted(cell.vendor_field for cell in change.cells))
    return (change.entity_id, change.system, change.record_id or change.op, change.step, fields)


def _says_the_same(here: Change, there: Change) -> bool:
    return {(c.vendor_field, c.before, c.after, c.why.rule) for c in here.cells} == {
        (c.vendor_field, c.before, c.after, c.why.rule) for c in there.cells
    }
