"""What somebody wants undone: batches by name, or everything a policy, a revision or a moment on wrote; narrowed to a
record or a field. Turned into the recorded writes and the cells of them that are meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.changes import OPEN, OPEN_STATES, Cell, Entry, State
from agent.errors import NotFound, UsageError
from agent.installation import Installation
from agent.ledger.queries import EntryQuery
from agent.overwritten import lost_values
from agent.policy_files.named import header_named
from agent.records import FieldValue, Ref
from agent.reports.finding import find_records

WRITTEN = frozenset({State.CONFIRMED, *OPEN_STATES})
"""States of a write that reached its vendor, or may have."""


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is given must hold. ``words`` says it to people, and names an interrupted undo when it is resumed.

    ``overwrite``: cells (``record:field``) whose later edit shall be undone too.
    """

    batches: tuple[str, ...] = ()
    policy: str | None = None
    since: datetime | None = None
    revision: str | None = None
    record: str | None = None
    field: str | None = None
    words: str = ""
    overwrite: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not (self.batches or self.policy or self.since or self.revision or self.record or self.field)


@dataclass(frozen=True, slots=True)
class Written:
    """One recorded write and the cells of it that are undone. ``is_whole``: all of it, so a create is taken back."""

    entry: Entry
    cells: tuple[Cell, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.cells) == len(self.entry.change.cells)

    @property
    def ref(self) -> Ref:
        change = self.entry.change
        return Ref(change.system, change.object_type, self.entry.record_id or change.record_id or "")


def select(installation: Installation, selection: Selection) -> list[Written]:
    """The writes meant, newest first. Undoing an undo must be asked for by the name of its batch.

    Raises:
        NotFound: an unknown batch, record or revision, or nothing that was written answers to it.
        UsageError: nothing was selected.
    """
    if selection.is_empty:
        raise UsageError("what shall be undone?", next_step="truce rollback BATCH, or see truce rollback --help")
    found = [
        Written(entry, cells)
        for entry in _entries(installation, selection)
        if (cells := _cells(entry, selection)) or (selection.batches and not entry.change.cells)
    ]
    if not found:
        if selection.policy is not None:
            header_named(selection.policy, installation.policies.policies.headers)
        raise NotFound(f"nothing that was written answers to: {selection.words}", next_step="truce batches")
    found += _undone_since(installation, found)
    return sorted(_as_it_was(installation, found), key=lambda written: written.entry.seq, reverse=True)


def _as_it_was(installation: Installation, found: list[Written]) -> list[Written]:
    """Where a write went over an edit that nobody saw, it is that edit which an undo puts back."""
    lost = lost_values(installation)
    if not lost:
        return found
    return [
        replace(each, cells=tuple(replace(cell, before=_before(each.entry, cell, lost)) for cell in each.cells))
        for each in found
    ]


def _before(entry: Entry, cell: Cell, lost: Mapping[tuple[str, str], FieldValue]) -> FieldValue:
    return lost.get((entry.id, cell.vendor_field), cell.before)


def _undone_since(installation: Installation, found: list[Written]) -> list[Written]:
    """Earlier undos of these very cells, and undos of those: links of the same chain of our own writes."""
    batches = {written.entry.batch_id for written in found}
    undos: set[str] = set()
    for undo, undone in installation.ledger.reversals().items():
        if undo not in batches and set(undone) & (batches | undos):
            undos.add(undo)
    if not undos:
        return []
    fields: dict[Ref, set[str]] = {}
    for written in found:
        fields.setdefault(written.ref, set()).update(cell.vendor_field for cell in written.cells)
    return [
        Written(entry, cells)
        for ref, names in fields.items()
        for entry in installation.ledger.entries(ref=ref, states=WRITTEN)
        if entry.batch_id in undos
        and (cells := tuple(cell for cell in entry.change.cells if cell.vendor_field in names))
    ]


def unwritten(installation: Installation, selection: Selection) -> list[Entry]:
    """What the selection's unfinished batches still have to write; an undo comes before it."""
    refs = _refs(installation, selection)
    moments = _in_force(installation, selection.revision)
    return [
        entry
        for batch in installation.ledger.batches(states=OPEN)
        if batch.kind != "rollback" and (not selection.batches or batch.id in selection.batches)
        for entry in installation.ledger.entries(batch_id=batch.id, states=(State.PLANNED, State.HELD))
        if (_cells(entry, selection) or (selection.batches and not entry.change.cells))
        and _is_about(entry, refs)
        and _was_in_force(entry, moments)
    ]


def _entries(installation: Installation, selection: Selection) -> Iterator[Entry]:
    refs = _refs(installation, selection)
    moments = _in_force(installation, selection.revision)
    for query in _queries(installation, selection, refs):
        for entry in installation.ledger.each_entry(query):
            if _is_about(entry, refs) and _is_since(entry, selection.since) and _was_in_force(entry, moments):
                yield entry


def _queries(installation: Installation, selection: Selection, refs: list[Ref] | None) -> Iterator[EntryQuery]:
    """The cheapest way into the ledger: by batch, by record, else from the moment on."""
    query = EntryQuery(states=WRITTEN, since=_earliest(installation, selection))
    if selection.batches:
        for batch_id in dict.fromkeys(selection.batches):
            yield EntryQuery(states=WRITTEN, batch_id=batch_id)
    elif refs:
        for ref in refs:
            yield replace(query, ref=ref)
    else:
        yield query


def _earliest(installation: Installation, selection: Selection) -> datetime | None:
    """A write may have waited for its approval since before the moment asked for."""
    if selection.since is None:
        return None
    return selection.since - timedelta(hours=installation.config.run.approval_hours)


def _refs(installation: Installation, selection: Selection) -> list[Ref] | None:
    """The records meant; None: all."""
    if selection.record is None:
        return None
    return [record.ref for record in find_records(installation, selection.record)]


def _in_force(installation: Installation, revision: str | None) -> list[tuple[datetime, datetime | None]]:
    """When the policies of this revision were in force: (from, until), until None = still."""
    if revision is None:
        return []
    known = sorted(installation.ledger.revisions(), key=lambda each: each.seen_at)
    until = [each.seen_at for each in known[1:]] + [None]
    spans = [(each.seen_at, end) for each, end in zip(known, until, strict=True) if each.revision.startswith(revision)]
    if not spans:
        raise NotFound(f"no policies of revision {revision} were ever in force", next_step="truce batches")
    return spans


def _is_about(entry: Entry, refs: list[Ref] | None) -> bool:
    change = entry.change
    made = Ref(change.system, change.object_type, entry.record_id) if entry.record_id else None
    return refs is None or change.ref in refs or made in refs


def _is_since(entry: Entry, since: datetime | None) -> bool:
    return since is None or (entry.settled_at or entry.recorded_at) >= since


def _was_in_force(entry: Entry, moments: list[tuple[datetime, datetime | None]]) -> bool:
    return not moments or any(
        start <= entry.recorded_at and (end is None or entry.recorded_at < end) for start, end in moments
    )


def _cells(entry: Entry, selection: Selection) -> tuple[Cell, ...]:
    """A cell that an undo wrote carries the policy it undid in its sentence only, so no policy's name selects it."""
    return tuple(
        cell
        for cell in entry.change.cells
        if selection.field in (None, cell.field)
        and selection.policy in (None, cell.why.policy)
        and (selection.batches or cell.why.policy != "rollback")
    )
