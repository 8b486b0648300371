"""Writes a vendor refused for good: which of them still stand, and how a person has them tried again.

A refused row (a validation rule, a locked record, a missing required field) stays as it is and is sent no more: the
same request would be refused again. Somebody puts the cause right in the CRM, then asks for it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agent import cycle
from agent.changes import Entry, State
from agent.installation import Installation
from agent.ledger.queries import EntryQuery

RETRIED = "retried"
"""The ledger's event; its body names the entries that were given up in favour of new ones."""


def standing(installation: Installation, batch_id: str | None = None) -> Iterator[Entry]:
    """Failed entries, newest first, that no later entry for the same place has replaced and nobody had retried.

    Raises:
        NotFound: there is no such batch.
    """
    retried = {name for event in installation.ledger.events(kind=RETRIED) for name in event.body.get("entries", ())}
    query = EntryQuery(batch_id=batch_id, states=(State.FAILED,), newest_first=True)
    for entry in installation.ledger.each_entry(query):
        if entry.id not in retried and not entry.erased and not _is_replaced(installation, entry):
            yield entry


def undone_by(installation: Installation, entries: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
    """{rollback that failed in part: the batches it undid}: ordering the same undo again takes up what is left."""
    reversals = installation.ledger.reversals()
    return {entry.batch_id: reversals[entry.batch_id] for entry in entries if entry.batch_id in reversals}


def try_again(installation: Installation, entries: Sequence[Entry], actor: str) -> int:
    """Have the next cycle decide these records anew. Returns how many records."""
    entities = sorted({entry.change.entity_id for entry in entries})
    cycle.decide_again(installation, entities, "a person asked to try again")
    installation.ledger.record_event(RETRIED, "failed writes", actor, {"entries": [entry.id for entry in entries]})
    return len(entities)


def _is_replaced(installation: Installation, entry: Entry) -> bool:
    later = EntryQuery(entity_id=entry.change.entity_id, after_seq=entry.seq)
    return any(_is_about_the_same(entry, other) for other in installation.ledger.each_entry(later))


def _is_about_the_same(entry: Entry, later: Entry) -> bool:
    """It went for the same place: the same fields of the record, or the record that could not be made."""
    here, there = entry.change, later.change
    if here.system != there.system or later.state in (State.DRIFTED, State.REFUSED):
        return False
    if here.op != "update":
        return here.op == there.op
    return not {cell.vendor_field for cell in here.cells}.isdisjoint(cell.vendor_field for cell in there.cells)
