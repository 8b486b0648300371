"""Salesforce exports: Data Loader writes API names, reports write labels; ids are kept."""

from __future__ import annotations

from typing import Any

from connectors.emulator.loading.exports import (
    NO,
    YES,
    Column,
    Export,
    ExportError,
    Guess,
    day_in,
    field_name,
    guess_of,
    moment_in,
    number_in,
    words,
)
from connectors.emulator.salesforce.desk import Desk
from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.stamps import wire
from connectors.emulator.world import Actor

TYPES: dict[Guess, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "number": {"type": "double"},
    "date": {"type": "date"},
    "datetime": {"type": "datetime"},
    "text": {"type": "string", "length": 255},
    "long text": {"type": "textarea", "length": 131_072},
}
ID, CREATED, MODIFIED = "Id", "CreatedDate", "LastModifiedDate"


class SalesforceLoad:
    """One export checked against the practice org; ``load`` puts it in."""

    def __init__(self, desk: Desk, export: Export) -> None:
        self.export = export
        self._desk = desk
        kind = next(
            (kind for name, kind in desk.org.catalogue.objects.items() if name.lower() == export.object_type.lower()),
            None,
        )
        if kind is None:
            raise ExportError(export.path, 1, f"Salesforce has no object {export.object_type} here", "such as Contact")
        self.kind: ObjectType = kind
        self.columns = [self._column(position, heading) for position, heading in enumerate(export.headings)]
        if not any(column.name == ID for column in self.columns):
            what = "has no column of ids"
            raise ExportError(export.path, 1, what, f"export it with Id (or “{kind.label} ID”): ids are kept")
        self._added = {column.name: TYPES[column.guess] for column in self.columns if column.guess is not None}
        self.rows = self._checked()

    @property
    def ids(self) -> set[str]:
        return {str(row["_id"]) for row in self.rows}

    def references(self) -> list[tuple[str, str]]:
        """(object it points to, id) of every lookup cell; those that may point to several objects are left out."""
        fields = [field for field in self.kind.fields.values() if field.type == "reference" and len(field.to) == 1]
        return [
            (field.to[0], str(row[field.name]))
            for field in fields
            for row in self.rows
            if row.get(field.name) is not None
        ]

    def load(self, actor: Actor) -> None:
        for name, body in self._added.items():
            heading = next(column.heading for column in self.columns if column.name == name)
            self._desk.schema({"object": self.kind.name, "add": {"name": name, "label": heading[:40], **body}})
        self._desk.seed_many(self.kind.name, self.rows, actor=actor)

    def _column(self, position: int, heading: str) -> Column:
        if not any(True for _ in self.export.column(position)):
            return Column(heading, why="empty")
        name = _field_of(self.kind, heading)
        if name in (ID, CREATED, MODIFIED):
            return Column(heading, name)
        if name is not None and name not in self.kind.blank:
            return Column(heading, why=f"{name} is worked out by Salesforce")
        if name is not None:
            return Column(heading, name)
        known = {each.lower() for each in self.kind.fields} | {each.lower() for each in self.export.headings}
        if heading.lower().endswith("__c"):
            return Column(heading, heading, guess_of([*self.export.column(position)]))
        return Column(
            heading,
            field_name(heading, lambda name: name.lower() in known, "__c"),
            guess_of([*self.export.column(position)]),
        )

    def _checked(self) -> list[dict[str, Any]]:
        seen: dict[str, int] = {}
        rows = []
        for line, cells in self.export.rows:
            row: dict[str, Any] = {}
            for column, cell in zip(self.columns, cells, strict=True):
                if column.name:
                    key, value = self._value(column, cell, line)
                    row[key] = value
            if row["_id"] in seen:
                raise self._wrong(line, f"has the id {row['_id']} of line {seen[row['_id']]} again", "leave one out")
            seen[row["_id"]] = line
            rows.append(row)
        return rows

    def _value(self, column: Column, cell: str, line: int) -> tuple[str, Any]:
        if column.name == ID:
            record_id = full_id(cell)
            if record_id is None or (self.kind.prefix and not record_id.startswith(self.kind.prefix)):
                raise self._wrong(
                    line, f"“{cell}” is no id of {self.kind.label}", f"they begin with {self.kind.prefix}"
                )
            return "_id", record_id
        if column.name in (CREATED, MODIFIED):
            at = moment_in(cell) if cell else None
            if cell and at is None:
                raise self._wrong(
                    line, f"“{cell}” in {column.heading} is no date", "write it like 2026-01-31T10:00:00Z"
                )
            return {CREATED: "_created_at", MODIFIED: "_modified_at"}[column.name], at
        added = self._added.get(column.name) if column.guess is not None else None
        kind = str(added["type"]) if added is not None else self.kind.fields[column.name].type
        return column.name, self._typed(kind, self.kind.fields.get(column.name), column.heading, cell, line)

    def _typed(self, kind: str, field: Field | None, heading: str, cell: str, line: int) -> Any:
        """A cell in the form Salesforce keeps it."""
        if kind == "boolean":
            if cell and cell.lower() not in YES | NO:
                raise self._wrong(line, f"“{cell}” in {heading} is neither yes nor no", "write true or false")
            return cell.lower() in YES
        if not cell:
            return None
        found: Any = cell
        if kind in ("int", "double", "currency", "percent"):
            found = number_in(cell)
            found = int(found) if kind == "int" and found is not None else found
        elif kind == "date":
            at = moment_in(cell)
            found = day_in(cell) or (at.date().isoformat() if at is not None else None)
        elif kind == "datetime":
            at = moment_in(cell)
            found = wire(at) if at is not None else None
        elif kind == "reference":
            found = full_id(cell)
        if found is None:
            advice = "write it like 2026-01-31" if kind.startswith("date") else "mend the cell, or leave the column out"
            raise self._wrong(line, f"“{cell}” in {heading} is no {kind}", advice)
        if isinstance(found, str) and field is not None and field.length and len(found) > field.length:
            what = f"{heading} has {len(found)} characters, and {self.kind.name} takes {field.length}"
            raise self._wrong(line, what, "shorten the cell, or leave the column out")
        return found

    def _wrong(self, line: int, what: str, advice: str) -> ExportError:
        return ExportError(self.export.path, line, what, advice)


def _field_of(kind: ObjectType, heading: str) -> str | None:
    """By API name, then by label; a report calls the record's own id “Contact ID”."""
    if words(heading) in {"id", words(f"{kind.label} ID"), "recordid", "18digitid"}:
        return ID
    by_name = {words(name): name for name in kind.fields}
    by_label = {words(field.label): name for name, field in kind.fields.items()}
    return by_name.get(words(heading)) or by_label.get(words(heading))
