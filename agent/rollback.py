"""Undo: the same tail as any batch, entered with a reversed one.

Promise: untouched is restored, touched is left and named, irreversible is said before. Three-way per cell: the vendor
still holds what we wrote → put the old value back; it already holds the old value → nothing; anything else is a
person's (or another system's) later edit → kept. Every cell of what is undone is frozen in the same commit as the
rollback's own intents, so that a rule still in the files cannot do it again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent import apply, unsettled
from agent.changes import OPEN, Batch, Cell, Change, Entry, State, Why
from agent.confirm import same_value
from agent.connector import Connector
from agent.errors import UsageError
from agent.freeze import Freeze
from agent.installation import Installation
from agent.ledger import Intent
from agent.records import FieldValue, Gone, MergedInto, Readout, Record, Ref


class Fate(StrEnum):
    """What a rollback does with one cell, or why it leaves it. The closed list of docs/rollback.md."""

    RESTORE = "restore"
    ALREADY = "already"
    CONFLICT_EDITED = "keep: edited since"
    CONFLICT_DELETED = "skip: deleted"
    CONFLICT_MERGED = "skip: merged"
    BLOCKED_DEPENDENT = "blocked: changed by a later batch"
    UNREADABLE = "blocked: cannot be read"
    ERASED = "expired: the old value was erased"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One cell of what is undone. ``live`` is what the vendor holds now; ``target`` what it would be put back to."""

    entry: Entry
    cell: Cell | None
    fate: Fate
    live: FieldValue = None
    target: FieldValue = None
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reversal:
    """A rollback before it is written: every cell's fate, the changes to make, the cells to freeze."""

    batches: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    changes: tuple[Change, ...]
    freezes: tuple[Freeze, ...]

    @property
    def counts(self) -> Counter[Fate]:
        """Records (not cells) per fate; a record counts under its least happy cell."""
        by_record: dict[str, Fate] = {}
        for verdict in self.verdicts:
            known = by_record.get(verdict.entry.id)
            if known is None or _UNHAPPINESS[verdict.fate] > _UNHAPPINESS[known]:
                by_record[verdict.entry.id] = verdict.fate
        return Counter(by_record.values())


_UNHAPPINESS = {fate: rank for rank, fate in enumerate((Fate.ALREADY, *[f for f in Fate if f is not Fate.ALREADY]))}


@dataclass(slots=True)
class _CellChain:
    """One cell of one record through the batches undone, newest first."""

    entries: list[tuple[Entry, Cell]] = field(default_factory=list)

    @property
    def newest(self) -> tuple[Entry, Cell]:
        return self.entries[0]

    @property
    def written(self) -> FieldValue:
        entry, cell = self.newest
        return entry.observed.get(cell.vendor_field, cell.after)

    @property
    def target(self) -> FieldValue:
        """The value before the oldest write of an unbroken chain; a break is a person's value: stop there."""
        target = self.entries[0][1].before
        for entry, cell in self.entries[1:]:
            if not same_value(entry.observed.get(cell.vendor_field, cell.after), target):
                break
            target = cell.before
        return target


def plan_reversal(installation: Installation, batch_ids: Sequence[str]) -> Reversal:
    """Read everything live and decide each cell's fate. Writes nothing.

    Raises:
        NotFound: an unknown batch. UsageError: a batch still running or waiting. ConnectorError: a vendor is down.
    """
    entries = _undoable(installation, batch_ids)
    live = _read_live(installation, entries)
    verdicts: list[Verdict] = []
    changes: list[Change] = []
    for (ref, _), group in _by_record(entries).items():
        readout = live[ref]
        created = next((entry for entry in group if entry.change.op == "create"), None)
        if created is not None:
            verdict, change = _undo_create(installation, created, readout)
            verdicts.append(verdict)
            changes += [change] if change else []
        else:
            found = _judge_cells(installation, group, readout)
            verdicts += found
            changes += _restoring(installation, found, ref)
    return Reversal(tuple(batch_ids), tuple(verdicts), tuple(changes), _freezes(entries, batch_ids))


def roll_back(
    installation: Installation, reversal: Reversal, actor: str, progress: apply.Progress = apply.silent
) -> tuple[Batch, apply.Tally]:
    """Write a reversal: freezes and intents in one commit, then the writes. Resumable by ``resume``."""
    title = "Undo " + ", ".join(reversal.batches)
    batch = installation.ledger.open_batch(
        "rollback",
        title,
        actor,
        [Intent(change, State.PLANNED) for change in reversal.changes],
        reverts=reversal.batches,
        freezes=reversal.freezes,
    )
    tally = apply.write(installation, batch.id, progress=progress)
    return installation.ledger.batch(batch.id), tally


def unfinished(installation: Installation, batch_ids: Sequence[str]) -> Batch | None:
    """The rollback of exactly these batches that was interrupted, if any."""
    for batch in installation.ledger.batches(states=OPEN):
        if batch.kind == "rollback" and set(batch.reverts) == set(batch_ids):
            return batch
    return None


def resume(
    installation: Installation, batch: Batch, progress: apply.Progress = apply.silent
) -> tuple[Batch, apply.Tally]:
    """Go on with an interrupted rollback: settle what is open, write what is still planned."""
    unsettled.settle_open(installation)
    tally = apply.write(installation, batch.id, progress=progress)
    return installation.ledger.batch(batch.id), tally


def _undoable(installation: Installation, batch_ids: Sequence[str]) -> list[Entry]:
    entries: list[Entry] = []
    for batch_id in batch_ids:
        batch = installation.ledger.batch(batch_id)
        if batch.state == "open":
            raise UsageError(
                f"{batch_id} is still being written",
                why="an unfinished batch must settle first",
                next_step="truce status",
            )
        entries += installation.ledger.entries(batch_id=batch_id, states=(State.CONFIRMED,))
    return sorted(entries, key=lambda entry: entry.seq, reverse=True)


def _record_of(entry: Entry) -> Ref:
    record_id = entry.record_id or entry.change.record_id or ""
    return Ref(entry.change.system, entry.change.object_type, record_id)


def _by_record(entries: Sequence[Entry]) -> dict[tuple[Ref, str], list[Entry]]:
    grouped: dict[tuple[Ref, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.change.op != "delete":
            grouped[_record_of(entry), entry.change.entity_id].append(entry)
    return grouped


def _read_live(installation: Installation, entries: Sequence[Entry]) -> dict[Ref, Readout]:
    wanted: dict[tuple[str, str], set[Ref]] = defaultdict(set)
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        place = (entry.change.system, entry.change.object_type)
        names = installation.connectors[place[0]].capabilities.name_fields.get(place[1], ())
        wanted[place].add(_record_of(entry))
        fields[place].update(cell.vendor_field for cell in entry.change.cells)
        fields[place].update(names)
    live: dict[Ref, Readout] = {}
    for place, refs in sorted(wanted.items()):
        connector = installation.connectors[place[0]]
        ordered = sorted(refs)
        for start in range(0, len(ordered), connector.capabilities.read_chunk):
            chunk = ordered[start : start + connector.capabilities.read_chunk]
            live.update(zip(chunk, connector.read(chunk, sorted(fields[place])), strict=True))
    return live


def _judge_cells(installation: Installation, group: Sequence[Entry], readout: Readout) -> list[Verdict]:
    chains: dict[str, _CellChain] = defaultdict(_CellChain)
    for entry in group:
        for cell in entry.change.cells:
            chains[cell.vendor_field].entries.append((entry, cell))
    return [_judge_cell(installation, chain, readout) for chain in chains.values()]


def _judge_cell(installation: Installation, chain: _CellChain, readout: Readout) -> Verdict:
    entry, cell = chain.newest
    if not isinstance(readout, Record):
        return Verdict(entry, cell, _fate_of_missing(readout), note=str(_record_of(entry)))
    name = installation.display_name(readout)
    live = readout.fields.get(cell.vendor_field)
    target = chain.target
    if entry.erased:
        fate, note = Fate.ERASED, ""
    elif same_value(live, chain.written):
        fate, note = (Fate.RESTORE, "") if not same_value(live, target) else (Fate.ALREADY, "")
    elif same_value(live, target):
        fate, note = Fate.ALREADY, ""
    else:
        later = _later_writer(installation, entry, cell.vendor_field, live)
        fate, note = (Fate.BLOCKED_DEPENDENT, later) if later else (Fate.CONFLICT_EDITED, "")
    return Verdict(entry, cell, fate, live, target, name, note)


def _fate_of_missing(readout: Readout) -> Fate:
    if isinstance(readout, Gone):
        return Fate.CONFLICT_DELETED
    return Fate.CONFLICT_MERGED if isinstance(readout, MergedInto) else Fate.UNREADABLE


def _later_writer(installation: Installation, entry: Entry, vendor_field: str, live: FieldValue) -> str:
    """The later batch of ours that wrote the live value, or empty: then somebody else did."""
    later = installation.ledger.entries(ref=_record_of(entry), after_seq=entry.seq, newest_first=True)
    for other in later:
        if other.state is State.CONFIRMED and any(cell.vendor_field == vendor_field for cell in other.change.cells):
            written = other.observed.get(vendor_field)
            return other.batch_id if same_value(written, live) else ""
    return ""


def _undo_create(installation: Installation, entry: Entry, readout: Readout) -> tuple[Verdict, Change | None]:
    ref = _record_of(entry)
    if not isinstance(readout, Record):
        fate = Fate.ALREADY if isinstance(readout, Gone) else _fate_of_missing(readout)
        return Verdict(entry, None, fate, note=str(ref)), None
    name = installation.display_name(readout)
    ours = installation.ledger.entries(ref=ref)
    versions = {other.version for other in ours} | {entry.version}
    edited = [
        cell
        for cell in entry.change.cells
        if not same_value(readout.fields.get(cell.vendor_field), entry.observed.get(cell.vendor_field, cell.after))
    ]
    if edited or readout.version not in versions:
        note = ", ".join(cell.field for cell in edited) or "changed since we created it"
        return Verdict(entry, None, Fate.CONFLICT_EDITED, name=name, note=note), None
    why = Why("rollback", "", "create", f"undo of {entry.batch_id}: created by us and untouched since")
    cell = Cell("create", "Id", ref.id, None, "delete", why)
    change = Change("delete", entry.change.entity_id, ref.system, ref.object_type, ref.id, (cell,), guarded=True)
    return Verdict(entry, None, Fate.RESTORE, name=name, note="delete the record we created"), change


def _restoring(installation: Installation, verdicts: Sequence[Verdict], ref: Ref) -> list[Change]:
    cells = [
        Cell(
            verdict.cell.field,
            verdict.cell.vendor_field,
            verdict.live,
            verdict.target,
            "restore",
            Why(
                "rollback",
                verdict.cell.why.line,
                verdict.cell.why.rule,
                f"undo of {verdict.entry.batch_id} ({verdict.cell.why.policy})",
            ),
        )
        for verdict in verdicts
        if verdict.fate is Fate.RESTORE and verdict.cell is not None
    ]
    if not cells:
        return []
    entity_id = verdicts[0].entry.change.entity_id
    connector = installation.connectors[ref.system]
    stubborn = [cell for cell in cells if _must_clear_first(connector, ref, cell)]
    changes = [Change("update", entity_id, ref.system, ref.object_type, ref.id, tuple(cells), guarded=True)]
    if stubborn:
        group = f"{entity_id}:{ref}"
        cleared = tuple(Cell(c.field, c.vendor_field, c.before, None, c.meaning, c.why) for c in stubborn)
        refilled = tuple(
            Cell(c.field, c.vendor_field, None if c in stubborn else c.before, c.after, c.meaning, c.why) for c in cells
        )
        changes = [
            Change("update", entity_id, ref.system, ref.object_type, ref.id, cleared, group=group, guarded=True),
            Change(
                "update",
                entity_id,
                ref.system,
                ref.object_type,
                ref.id,
                refilled,
                group=group,
                step=1,
                guarded=True,
            ),
        ]
    return changes


def _must_clear_first(connector: Connector, ref: Ref, cell: Cell) -> bool:
    """HubSpot ignores a lifecycle stage moved back unless it was cleared by a request of its own."""
    place = (ref.object_type, cell.vendor_field)
    return place in connector.capabilities.clears_before_moving_back and cell.after not in (None, "")


def _freezes(entries: Sequence[Entry], batch_ids: Sequence[str]) -> tuple[Freeze, ...]:
    """Every cell of what is undone, kept edits included: the rule must not overwrite those either."""
    reason = "undone with " + ", ".join(batch_ids)
    cells: Mapping[tuple[str, str, str], str] = {
        (
            entry.change.entity_id,
            "create" if entry.change.op == "create" else cell.field,
            entry.change.system,
        ): cell.why.rule
        for entry in entries
        for cell in entry.change.cells
    }
    return tuple(
        Freeze(entity_id, field_name, system, rule, "rollback", reason)
        for (entity_id, field_name, system), rule in sorted(cells.items())
    )
