"""What an undo does with one cell, or why it leaves it: pure, three-way, one list of fates for people.

The vendor still holds what we wrote → put the old value back; it already holds the old value → nothing; anything else
is a person's (or another system's) later edit → kept. docs/rollback.md says the same in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agent.changes import OPEN_STATES, Cell, Entry
from agent.confirm import same_value
from agent.connector import FieldSchema, ObjectSchema
from agent.records import FieldValue, Gone, MergedInto, Owner, Readout, Record, Ref, Unreadable


class Fate(StrEnum):
    """The closed list, from the happiest to the least happy: a record counts under the last of its cells'."""

    ALREADY = "already back"
    RESTORE = "restore"
    CONFLICT_EDITED = "keep: edited since"
    CONFLICT_DELETED = "skip: deleted"
    CONFLICT_MERGED = "skip: merged"
    CONFLICT_CONVERTED = "skip: converted"
    BLOCKED_DEPENDENT = "blocked: changed by a later batch"
    BLOCKED_VALUE = "blocked: the old value is not taken any more"
    BLOCKED_OWNER = "blocked: the former owner is inactive"
    BLOCKED_PERMISSION = "blocked: not ours to see or write"
    UNREADABLE = "blocked: cannot be read"
    UNKNOWN = "blocked: nobody knows yet whether it was written"
    ERASED = "expired: its values were erased"
    IRREVERSIBLE = "cannot be undone"

    @property
    def group(self) -> str:
        """The word before the colon: what the counts of a preview are about."""
        return {"already back": "already", "cannot be undone": "blocked", "expired": "blocked"}.get(
            self.value.partition(":")[0], self.value.partition(":")[0]
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One cell of what is undone (``cell`` None: a record we created, as a whole).

    ``live`` is what the vendor holds now, ``target`` what it would be put back to, ``who`` last edited it if told.
    """

    entry: Entry
    ref: Ref
    cell: Cell | None
    fate: Fate
    live: FieldValue = None
    target: FieldValue = None
    name: str = ""
    note: str = ""
    who: str = ""

    @property
    def key(self) -> str:
        """How a person names this cell: ``hubspot:contacts/101:job_title``."""
        return f"{self.ref}:{self.cell.field if self.cell else 'create'}"


@dataclass(slots=True)
class CellChain:
    """One cell of one record through everything undone, newest first."""

    entries: list[tuple[Entry, Cell]] = field(default_factory=list)

    @property
    def newest(self) -> tuple[Entry, Cell]:
        return self.entries[0]

    @property
    def written(self) -> FieldValue:
        """What the vendor held right after our newest write."""
        return _stored(*self.entries[0])

    @property
    def target(self) -> FieldValue:
        """The value before the oldest write of an unbroken chain; a break is a person's value: stop there."""
        target = self.entries[0][1].before
        for entry, cell in self.entries[1:]:
            if not same_value(_stored(entry, cell), target):
                break
            target = cell.before
        return target

    @property
    def is_erased(self) -> bool:
        return any(entry.erased for entry, _ in self.entries)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What judging a cell needs beside the record: the vendor's field, its owners, and who wrote after us.

    ``later``: batch of ours that wrote the live value afterwards, or empty. ``inactive_owners``: ids.
    """

    schema: FieldSchema | None
    inactive_owners: frozenset[str] = frozenset()
    later: str = ""


def fate_of_missing(readout: Readout) -> tuple[Fate, str]:
    """The fate of everything in a record that is not there any more, and where it went."""
    if isinstance(readout, Gone):
        return Fate.CONFLICT_DELETED, ""
    if isinstance(readout, MergedInto):
        return Fate.CONFLICT_MERGED, f"into {readout.survivor}"
    reason = readout.reason if isinstance(readout, Unreadable) else ""
    return Fate.UNREADABLE, reason


def judge(chain: CellChain, record: Record, around: Surroundings) -> tuple[Fate, str]:
    """The fate of one cell of a record that is there, and a note for people."""
    entry, cell = chain.newest
    if entry.state in OPEN_STATES:
        return Fate.UNKNOWN, entry.error or ""
    if cell.vendor_field not in record.fields:
        return Fate.BLOCKED_PERMISSION, f"{cell.vendor_field} is not shown to us"
    live = record.fields[cell.vendor_field]
    if same_value(live, chain.target):
        return Fate.ALREADY, ""
    if cell.meaning == "consent":
        return Fate.IRREVERSIBLE, "an undo opts nobody in"
    if not same_value(live, chain.written):
        return (Fate.BLOCKED_DEPENDENT, around.later) if around.later else (Fate.CONFLICT_EDITED, "")
    return _if_taken(cell, chain.target, around)


def _if_taken(cell: Cell, target: FieldValue, around: Surroundings) -> tuple[Fate, str]:
    """Would the vendor take the old value back?"""
    schema = around.schema
    if schema is None or not schema.writable:
        return Fate.BLOCKED_PERMISSION, f"{cell.vendor_field} cannot be written by us"
    if str(target) in around.inactive_owners:
        return Fate.BLOCKED_OWNER, ""
    if target not in (None, "") and schema.restricted and schema.choices:
        taken = {choice.value for choice in schema.choices if choice.active}
        if any(part not in taken for part in str(target).split(";")):
            return Fate.BLOCKED_VALUE, f"“{target}” is no value of {cell.vendor_field} any more"
    return Fate.RESTORE, ""


def field_of(schemas: dict[tuple[str, str], ObjectSchema], ref: Ref, vendor_field: str) -> FieldSchema | None:
    schema = schemas.get((ref.system, ref.object_type))
    return schema.fields.get(vendor_field) if schema is not None else None


def inactive_of(owners: Sequence[Owner]) -> frozenset[str]:
    return frozenset(owner.id for owner in owners if not owner.active)


def _stored(entry: Entry, cell: Cell) -> FieldValue:
    return entry.observed.get(cell.vendor_field, cell.after)
