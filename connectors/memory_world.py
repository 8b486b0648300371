"""The records behind the in-memory CRM: what people do to them, what it refuses, and the whole journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from agent.connector import Capabilities, FieldSchema, ObjectSchema, Write, WriteError
from agent.errors import NotFound
from agent.records import FieldValue, Ref

Clock = Callable[[], datetime]
Rewrite = Callable[[str, str, FieldValue, FieldValue], FieldValue]
"""(object type, field, value before, value sent) → the value the vendor stores instead."""


def kept(object_type: str, name: str, before: FieldValue, sent: FieldValue) -> FieldValue:
    """A ``Rewrite`` that stores what was sent."""
    return sent


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one record, whoever made it. ``cause`` is ``api`` for our own writes, else ``person``."""

    seq: int
    at: datetime
    cause: Literal["api", "person"]
    op: str
    ref: Ref
    before: Mapping[str, FieldValue]
    after: Mapping[str, FieldValue]
    entry_id: str | None = None


@dataclass(slots=True)
class Row:
    ref: Ref
    values: dict[str, FieldValue]
    version: int
    stamp: datetime
    deleted_at: datetime | None = None
    survivor: Ref | None = None

    @property
    def is_live(self) -> bool:
        return self.deleted_at is None and self.survivor is None


@dataclass(slots=True)
class World:
    """Rows under their refs, a journal, and the rules of storing.

    ``schemas`` are all there is. Ids count up from ``first_id`` over all object types, so that an id of one
    type never exists in another.
    """

    system: str
    schemas: dict[str, ObjectSchema]
    clock: Clock
    capabilities: Capabilities
    rewrite: Rewrite = kept
    first_id: int = 1001
    journal: list[Edit] = field(default_factory=list)
    rows: dict[Ref, Row] = field(default_factory=dict)
    versions: int = 0

    def person_create(self, object_type: str, fields: Mapping[str, FieldValue], *, record_id: str | None = None) -> Ref:
        """Somebody makes a record by hand. Fields left out are blank."""
        ref = Ref(self.system, object_type, record_id or self.next_id())
        if ref in self.rows:
            raise ValueError(f"{ref} exists")
        values: dict[str, FieldValue] = dict.fromkeys(self.schema_of(object_type).fields)
        values.update({name: blank_as_none(value) for name, value in fields.items()})
        self.put(Row(ref, values, 0, self.clock()), "person", "create", {}, values)
        return ref

    def person_edit(self, ref: Ref, fields: Mapping[str, FieldValue]) -> None:
        """Somebody changes a record by hand; no fields = the stamp alone moves."""
        row = self._live(ref)
        after = {name: blank_as_none(value) for name, value in fields.items()}
        before = {name: row.values.get(name) for name in after}
        row.values.update(after)
        self.put(row, "person", "update", before, after)

    def person_delete(self, ref: Ref) -> None:
        row = self._live(ref)
        row.deleted_at = self.clock()
        self.put(row, "person", "delete", dict(row.values), {})

    def person_restore(self, ref: Ref) -> None:
        row = self.rows[ref]
        row.deleted_at = None
        self.put(row, "person", "restore", {}, dict(row.values))

    def person_merge(self, loser: Ref, survivor: Ref) -> None:
        """``loser`` is merged away; blanks of ``survivor`` are filled from it."""
        gone, stays = self._live(loser), self._live(survivor)
        filled = {name: value for name, value in gone.values.items() if stays.values.get(name) is None}
        before = {name: stays.values.get(name) for name in filled}
        stays.values.update(filled)
        gone.survivor = survivor
        self.put(gone, "person", "merge", dict(gone.values), {})
        self.put(stays, "person", "update", before, filled)

    def hide(self, object_type: str, name: str) -> None:
        """Our user loses sight of one field: absent from schema and records from now on."""
        schema = self.schema_of(object_type)
        left = {key: value for key, value in schema.fields.items() if key != name}
        self.schemas[object_type] = replace(schema, fields=left)

    def live(self, object_type: str) -> dict[str, dict[str, FieldValue]]:
        """{record id: every value} of the living records; the oracle's view."""
        return {
            ref.id: dict(row.values) for ref, row in self.rows.items() if ref.object_type == object_type and row.is_live
        }

    def stored(self, row: Row, name: str, sent: FieldValue) -> FieldValue:
        """What a vendor keeps: a stage does not move back unless it was cleared first."""
        before = row.values.get(name)
        if (row.ref.object_type, name) in self.capabilities.clears_before_moving_back:
            order = [choice.value for choice in self.field_of(row.ref.object_type, name).choices]
            if before in order and sent in order and order.index(str(sent)) < order.index(str(before)):
                return before
        return self.rewrite(row.ref.object_type, name, before, sent)

    def standing_in_the_way(self, write: Write, row: Row | None) -> WriteError | None:
        if row is None or row.deleted_at is not None:
            return WriteError("gone", "NOT_FOUND", f"{write.object_type} {write.record_id} does not exist")
        if row.survivor is not None:
            return WriteError("moved", "MERGED", "the record was merged", other_id=row.survivor.id)
        if write.expects_version is not None and write.expects_version != str(row.version):
            return WriteError("moved", "CHANGED", "the record changed since it was read")
        return self.refusal(write, row)

    def refusal(self, write: Write, row: Row | None) -> WriteError | None:
        schema = self.schema_of(write.object_type)
        for name, value in write.fields.items():
            known = schema.fields.get(name)
            if known is None:
                return WriteError("validation", "NO_SUCH_FIELD", f"{name} does not exist", (name,))
            if not (known.writable or (row is None and known.creatable)):
                return WriteError("permission", "READ_ONLY", f"{name} is read-only", (name,))
            error = _value_error(known, blank_as_none(value)) or self._duplicate(write, known, value)
            if error is not None:
                return error
        if row is None:
            missing = tuple(
                name for name, known in schema.fields.items() if known.required and not write.fields.get(name)
            )
            if missing:
                return WriteError("validation", "REQUIRED", f"missing: {', '.join(missing)}", missing)
        return None

    def _duplicate(self, write: Write, known: FieldSchema, value: FieldValue) -> WriteError | None:
        if not known.unique or value in (None, ""):
            return None
        for row in self.rows.values():
            same = str(row.values.get(known.name) or "").lower() == str(value).lower()
            if row.ref.object_type == write.object_type and row.is_live and same and row.ref.id != write.record_id:
                text = f"{known.name} is taken by another record"
                return WriteError("duplicate", "DUPLICATE", text, (known.name,), other_id=row.ref.id)
        return None

    def put(
        self,
        row: Row,
        cause: Literal["api", "person"],
        op: str,
        before: Mapping[str, FieldValue],
        after: Mapping[str, FieldValue],
        entry_id: str | None = None,
    ) -> None:
        self.versions += 1
        row.version = self.versions
        row.stamp = self.clock()
        self.rows[row.ref] = row
        seq = len(self.journal) + 1
        self.journal.append(Edit(seq, row.stamp, cause, op, row.ref, dict(before), dict(after), entry_id))

    def next_id(self) -> str:
        self.first_id += 1
        return str(self.first_id - 1)

    def _live(self, ref: Ref) -> Row:
        row = self.rows[ref]
        if not row.is_live:
            raise ValueError(f"{ref} is not alive")
        return row

    def schema_of(self, object_type: str) -> ObjectSchema:
        schema = self.schemas.get(object_type)
        if schema is None:
            raise NotFound(f"{self.system} has no object type {object_type}", next_step="truce doctor")
        return schema

    def field_of(self, object_type: str, name: str) -> FieldSchema:
        known = self.schema_of(object_type).fields.get(name)
        if known is None:
            raise NotFound(f"{object_type} has no field {name}", next_step="truce doctor")
        return known


def blank_as_none(value: FieldValue) -> FieldValue:
    return None if value == "" else value


def _value_error(known: FieldSchema, value: FieldValue) -> WriteError | None:
    if known.length is not None and isinstance(value, str) and len(value) > known.length:
        return WriteError("validation", "TOO_LONG", f"{known.name} takes {known.length} characters", (known.name,))
    allowed = [choice.value for choice in known.choices if choice.active]
    if known.restricted and value is not None and value not in allowed:
        return WriteError("validation", "NOT_A_CHOICE", f"{known.name} does not allow this value", (known.name,))
    return None
