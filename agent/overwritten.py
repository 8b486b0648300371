"""What somebody wrote between our last look at a record and our write: found afterwards in the CRM's own history.

A write without a condition compares first, and an edit within the moments between is overwritten unseen. Where a
system keeps former values (``Capabilities.history_chunk``), what stood right before each of our writes is compared
with what we had read. The value that was lost goes into the ledger and becomes a question; an undo puts it back
instead of the one before it.

Each cycle looks at one chunk of records, which is one call for each object type, and the daily comparison at all that
is left: after a large batch it takes a while, and no cycle costs more for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from agent.changes import Cell, Entry, ReviewRequest, State
from agent.confirm import same_value
from agent.errors import ConnectorError
from agent.events import OVERWRITTEN, Event
from agent.installation import Installation
from agent.places import in_chunks
from agent.records import FieldValue, Ref
from agent.versions import Landed, Version

ASKED_WITHIN = timedelta(days=7)
"""Writes of longer ago are not looked at any more: histories are short."""

ACTOR = "truce"
KIND: Literal["overwritten"] = "overwritten"
_LOOKED_UP_TO = "looked for overwritten edits up to"


def look(installation: Installation, *, everything: bool = False) -> None:
    """Look at what was written since the last look: a chunk of it, or ``everything``.

    A vendor that does not answer is asked again next time.
    """
    _close_moved_on(installation)
    while (batch := _next(installation)) is not None:
        last_seq, entries = batch
        try:
            found = list(_overwritten(installation, entries))
        except ConnectorError:
            return
        with installation.ledger.store.write() as connection:
            for each in found:
                installation.ledger.record_event(OVERWRITTEN, each.entry.change.entity_id, ACTOR, each.as_body())
            installation.reviews.open_or_refresh([each.question for each in found])
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LOOKED_UP_TO, last_seq))
        if not everything:
            return


def lost_values(installation: Installation) -> dict[tuple[str, str], FieldValue]:
    """{(entry, vendor field): what it really overwrote}, where that is not what we had read."""
    events = installation.ledger.events(kind=OVERWRITTEN)
    return {(event.body["entry"], event.body["vendor_field"]): event.body["value"] for event in events if event.body}


@dataclass(frozen=True, slots=True)
class _Overwritten:
    """An edit that nobody saw: ``version`` is the value that was lost."""

    entry: Entry
    cell: Cell
    version: Version

    def as_body(self) -> dict[str, FieldValue]:
        return {
            "entry": self.entry.id,
            "topic": self.question.topic,
            "who": self.version.author.name,
            "vendor_field": self.cell.vendor_field,
            "value": self.version.value,
            "written": _landed_value(self.entry, self.cell),
            "at": self.version.at.isoformat(),
        }

    @property
    def question(self) -> ReviewRequest:
        change = self.entry.change
        sentence = (
            f"{change.ref}: {self.cell.field} was changed to {_shown(self.version.value)} by"
            f" {self.version.author.name} a moment before Truce wrote {_shown(_landed_value(self.entry, self.cell))}"
            " over it, unseen"
        )
        refs = (change.ref,) if change.ref is not None else ()
        topic = f"{KIND}:{self.entry.batch_id}:{self.cell.field}"
        return ReviewRequest(KIND, change.entity_id, topic, sentence, refs, self.cell.why.line)


def way_back(topic: str, ref: Ref) -> str:
    """The command that puts the value of such a question back."""
    _, batch_id, field = topic.split(":", 2)
    return f"truce rollback {batch_id} --record {ref} --field {field}"


def _next(installation: Installation) -> tuple[int, list[Entry]] | None:
    """(number of the last outcome looked at, the entries to look at); None when nothing is new."""
    chunks = _chunks(installation)
    rows = installation.ledger.store.read_tuples("SELECT value FROM meta WHERE name = ?", (_LOOKED_UP_TO,))
    last_seq, entries = int(rows[0][0]) if rows else 0, list[Entry]()
    begun = last_seq
    oldest = installation.clock() - ASKED_WITHIN
    for seq, entry in installation.ledger.settled_after(last_seq):
        last_seq = seq
        is_new = entry.settled_at is not None and entry.settled_at >= oldest
        if is_new and entry.change.system in chunks and _has_overwritten(entry):
            entries.append(entry)
        if entries and len(entries) == chunks[entries[-1].change.system]:
            break
    return (last_seq, entries) if last_seq > begun else None


def _chunks(installation: Installation) -> dict[str, int]:
    """{system: records in one look} of those that keep histories."""
    return {
        system: connector.capabilities.history_chunk
        for system, connector in installation.connectors.items()
        if connector.capabilities.history_chunk
    }


def _has_overwritten(entry: Entry) -> bool:
    change = entry.change
    return entry.state is State.CONFIRMED and change.op == "update" and bool(entry.version) and not entry.erased


def _overwritten(installation: Installation, entries: Iterable[Entry]) -> Iterator[_Overwritten]:
    """Raises ConnectorError: the histories cannot be read."""
    by_system: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_system[entry.change.system].append(entry)
    for system, own in by_system.items():
        connector = installation.connectors[system]
        for chunk in in_chunks(own, connector.capabilities.history_chunk):
            landed = {
                _landed(entry, cell): (entry, cell)
                for entry in chunk
                for cell in entry.change.cells
                if not same_value(cell.before, _landed_value(entry, cell))  # what changes nothing goes over nothing
            }
            for each, version in connector.stood_before(landed.keys()).items():
                entry, cell = landed[each]
                if not _was_expected(entry, cell, version.value):
                    yield _Overwritten(entry, cell, version)


def _landed(entry: Entry, cell: Cell) -> Landed:
    ref = entry.change.ref
    assert ref is not None
    assert entry.version is not None
    return Landed(ref, cell.vendor_field, _landed_value(entry, cell), entry.version)


def _landed_value(entry: Entry, cell: Cell) -> FieldValue:
    return entry.observed.get(cell.vendor_field, cell.after)


def _was_expected(entry: Entry, cell: Cell, stood: FieldValue) -> bool:
    """The value that we had read; or none, where the step before ours cleared the field."""
    return same_value(stood, cell.before) or (entry.change.step > 0 and stood is None)


def _close_moved_on(installation: Installation) -> None:
    """Close questions about fields that no longer hold what we wrote: it was put back, or somebody went on."""
    for some in installation.reviews.pages(kind=KIND):
        for review in some:
            events = installation.ledger.events(kind=OVERWRITTEN, subject=review.entity_id)
            about = next((event for event in events if event.body.get("topic") == review.topic), None)
            if about is None or not _still_stands(installation, review.refs[0], about):
                installation.reviews.close(review.entity_id, review.topic)


def _still_stands(installation: Installation, ref: Ref, about: Event) -> bool:
    """The field holds what we wrote, or is not shown to us any more."""
    record = installation.mirror.record(ref)
    written = about.body["written"]
    return record is not None and same_value(record.fields.get(about.body["vendor_field"], written), written)


def _shown(value: FieldValue) -> str:
    return "(blank)" if value in (None, "") else f"“{value}”"
