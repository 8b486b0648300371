"""The one of its kind, such as the primary contact of a deal: who it was before our write took that away, unasked.

The vendor keeps one at most, so a write of ours that made one record say yes made another say no, and no line of the
ledger is about that other. The mirror saw who it was. An undo gives it back to them, or says why it cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.changes import Cell, Change, Entry, Why
from agent.confirm import same_value
from agent.connector import ObjectSchema
from agent.installation import Installation
from agent.live import read_live
from agent.records import FieldValue, Readout, Record, Ref
from agent.rollback.fates import CellChain, Fate, Surroundings, Verdict, fate_of_missing, field_of, judge

BEFORE = "it was the one before ours took that away"
AFTER_REMOVALS = 10
"""Step of what gives it back: whatever stands in its place is removed or says no by then."""

Schemas = Mapping[tuple[str, str], ObjectSchema]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A write of ours that is undone and made ``ref`` the one of its parent, by ``field``."""

    entry: Entry
    ref: Ref
    cell: Cell
    parent_field: str


class OnlyOnes:
    """``undone`` are the records that this very undo is about: what becomes of them it says itself."""

    def __init__(self, installation: Installation, schemas: Schemas, undone: set[tuple[Ref, str]]) -> None:
        self._installation = installation
        self._schemas = schemas
        self._undone = undone
        self._families: dict[tuple[str, str, str], dict[str, list[Ref]]] = {}

    def given_back(
        self, verdicts: Sequence[Verdict], removed: Mapping[Ref, Entry]
    ) -> Iterator[tuple[Verdict, Change | None]]:
        """What becomes of those that were the one before. ``removed``: creates of ours that the undo takes back."""
        for taken in self._taken(verdicts, removed):
            former = self._former(taken)
            if former is not None and (former, taken.cell.vendor_field) not in self._undone:
                yield self._verdict(taken, former)

    def was_the_one(self, removed: Entry, ref: Ref) -> tuple[list[str], str]:
        """(the fields in which a record of ours that is made again was the only one and can be so once more, why it
        cannot in others)."""
        fields = self._installation.connectors[ref.system].capabilities.only_one.get(ref.object_type, {})
        copy = self._installation.mirror.last_copy(ref)
        again: list[str] = []
        why_not: list[str] = []
        for field, parent_field in fields.items() if copy is not None else ():
            if copy is None or not _is_yes(copy.fields.get(field)):
                continue
            schema = field_of(dict(self._schemas), ref, field)
            other = self._holder(ref, field, parent_field, str(copy.fields.get(parent_field)))
            if other is not None:
                why_not.append(f"not with {field}, as before: {other} has it now")
            elif schema is None or not schema.creatable:
                why_not.append(f"not with {field}, as before: it cannot be written by us")
            else:
                again.append(field)
        return again, "; ".join(why_not)

    def _holder(self, ref: Ref, field: str, parent_field: str, parent_id: str) -> Ref | None:
        """Who of this parent's records is the one now, this one aside."""
        siblings = [each for each in self._siblings(ref, parent_field, parent_id) if each != ref]
        live = read_live(self._installation, {each: [field] for each in siblings})
        return next((each for each, found in live.items() if _says_yes(found, field)), None)

    def _taken(self, verdicts: Sequence[Verdict], removed: Mapping[Ref, Entry]) -> Iterator[_Taken]:
        for verdict in verdicts:
            if verdict.fate is not Fate.RESTORE:
                continue
            capabilities = self._installation.connectors[verdict.ref.system].capabilities
            fields = capabilities.only_one.get(verdict.ref.object_type, {})
            created = removed.get(verdict.ref)
            taken_by = created or verdict.entry
            cells = created.change.cells if created is not None else [verdict.cell] if verdict.cell else []
            for cell in cells:
                if cell.vendor_field in fields and _is_yes(_held(taken_by, cell)):
                    yield _Taken(verdict.entry, verdict.ref, cell, fields[cell.vendor_field])

    def _former(self, taken: _Taken) -> Ref | None:
        copy = self._installation.mirror.last_copy(taken.ref)
        parent_id = copy.fields.get(taken.parent_field) if copy is not None else None
        for sibling in self._siblings(taken.ref, taken.parent_field, str(parent_id)) if parent_id else ():
            if sibling != taken.ref and self._was_the_one(sibling, taken.cell.vendor_field, taken.entry.recorded_at):
                return sibling
        return None

    def _was_the_one(self, ref: Ref, field: str, at: datetime) -> bool:
        """Whether it said yes at that moment; its end may have been seen only with a later look."""
        seen = self._installation.mirror.history(ref, field)
        ends = [each.first_seen for each in seen[1:]]
        return any(
            _is_yes(each.value) and each.first_seen <= at and (number == len(ends) or at <= ends[number])
            for number, each in enumerate(seen)
        )

    def _verdict(self, taken: _Taken, former: Ref) -> tuple[Verdict, Change | None]:
        name = self._installation.display_name(self._installation.mirror.last_copy(former))
        readout = read_live(self._installation, {former: [taken.cell.vendor_field]})[former]
        cell = Cell(taken.cell.field, taken.cell.vendor_field, True, False, "different", taken.cell.why)
        if not isinstance(readout, Record):
            fate, note = fate_of_missing(readout)
            note = f"{BEFORE}, and it is not there any more {note}".strip()
            return Verdict(taken.entry, former, cell, fate, None, True, name, note), None
        live = readout.fields.get(cell.vendor_field)
        chain = CellChain([(replace(taken.entry, observed={}), cell)])  # what it observed is the other record
        around = Surroundings(field_of(dict(self._schemas), former, cell.vendor_field))
        fate, note = judge(chain, readout, around)
        verdict = Verdict(taken.entry, former, cell, fate, live, True, name, note or BEFORE)
        return verdict, self._change(taken, former, cell) if fate is Fate.RESTORE else None

    def _change(self, taken: _Taken, former: Ref, cell: Cell) -> Change:
        why = Why("rollback", cell.why.line, cell.why.rule, f"undo of {taken.entry.batch_id}: {BEFORE}")
        entity_id = self._installation.crosswalk.entity_of(former) or taken.entry.change.entity_id
        back = Cell(cell.field, cell.vendor_field, False, True, "restore", why)
        return Change(
            "update",
            entity_id,
            former.system,
            former.object_type,
            former.id,
            (back,),
            step=AFTER_REMOVALS,
            guarded=True,
        )

    def _siblings(self, ref: Ref, parent_field: str, parent_id: str) -> list[Ref]:
        """Every record of this parent that we ever saw, itself among them."""
        place = (ref.system, ref.object_type, parent_field)
        if place not in self._families:
            found: dict[str, list[Ref]] = defaultdict(list)
            for record in self._installation.mirror.scan(ref.system, ref.object_type, with_gone=True):
                found[str(record.fields.get(parent_field))].append(record.ref)
            self._families[place] = found
        return self._families[place].get(parent_id, [])


def _says_yes(readout: Readout, field: str) -> bool:
    return isinstance(readout, Record) and _is_yes(readout.fields.get(field))


def _held(entry: Entry, cell: Cell) -> FieldValue:
    """What the record held right after our write."""
    return entry.observed.get(cell.vendor_field, cell.after)


def _is_yes(value: FieldValue) -> bool:
    return same_value(value, True)
