"""HubSpot exports: labels as headings, labels as choices, ids of associated records in columns of their own."""

from __future__ import annotations

import re
from typing import Any

from connectors.emulator.hubspot.desk import Desk
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.properties import COMPUTED, Definition
from connectors.emulator.hubspot.times import wire
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
from connectors.emulator.world import Actor

TYPES: dict[Guess, str] = {
    "boolean": "bool",
    "number": "number",
    "date": "date",
    "datetime": "datetime",
    "text": "string",
    "long text": "string",
}
ID, CREATED, MODIFIED, LINKS = "_id", "_created_at", "_modified_at", "_links:"
ASSOCIATED = {"company": "companies", "contact": "contacts", "deal": "deals"}

_ASSOCIATED_IDS = re.compile(r"(?:primary )?associated (company|contact|deal)s? ids?", re.IGNORECASE)


class HubSpotLoad:
    """One export checked against the practice portal; ``load`` puts it in, ``link`` its associations."""

    def __init__(self, desk: Desk, export: Export) -> None:
        self.export = export
        self._desk = desk
        kind = desk.portal.kinds.get(export.object_type.lower())
        if kind is None:
            raise ExportError(export.path, 1, f"HubSpot has no object {export.object_type} here", "such as contacts")
        self.kind: Kind = kind
        self._known: dict[str, Definition] = desk.space.settings["properties"][kind.name]
        self.columns = [self._column(position, heading) for position, heading in enumerate(export.headings)]
        if not any(column.name == ID for column in self.columns):
            raise ExportError(export.path, 1, "has no column of ids", "export it with “Record ID”: ids are kept")
        self.unknown_choices: dict[str, int] = {}
        """{heading: cells whose choice is not known here; they are kept as they are}"""
        self.rows = self._checked()

    @property
    def ids(self) -> set[str]:
        return {str(row[ID]) for row in self.rows}

    def links(self) -> list[tuple[str, str, str]]:
        """(own id, other object, other id) of every association column."""
        return [
            (str(row[ID]), name.removeprefix(LINKS), other)
            for row in self.rows
            for name, others in row.items()
            if name.startswith(LINKS)
            for other in others
        ]

    def load(self, actor: Actor) -> None:
        for column in self.columns:
            if column.guess is not None:
                told = {"name": column.name, "label": column.heading, "type": TYPES[column.guess]}
                self._desk.schema({"object": self.kind.name, "add": told})
        rows = [{name: value for name, value in row.items() if not name.startswith(LINKS)} for row in self.rows]
        self._desk.seed_many(self.kind.name, rows, actor=actor)
        used = max(int(record_id) for record_id in self.ids) - self.kind.first_id + 1 if self.rows else 0
        counters = self._desk.space.counters
        counters[self.kind.name] = max(counters.get(self.kind.name, 0), used)

    def _column(self, position: int, heading: str) -> Column:
        if not any(True for _ in self.export.column(position)):
            return Column(heading, why="empty")
        plain = words(heading)
        if plain in {"recordid", "hsobjectid", words(f"{self.kind.singular} ID")}:
            return Column(heading, ID)
        associated = _ASSOCIATED_IDS.fullmatch(heading.strip())
        if associated is not None:
            return Column(heading, LINKS + ASSOCIATED[associated[1].lower()])
        if heading.lower().startswith("associated "):
            return Column(heading, why="names of associated records; their ids are loaded from “Associated … IDs”")
        name = next((each for each in self._known if words(each) == plain), None)
        name = name or next((each for each, told in self._known.items() if words(told["label"]) == plain), None)
        if plain == "createdate" or name == self.kind.created:
            return Column(heading, CREATED)
        if plain == "lastmodifieddate" or name == self.kind.stamp:
            return Column(heading, MODIFIED)
        if name == "hubspot_owner_id" or (name is None and plain.endswith("owner")):
            is_id = all(cell.isdecimal() for cell in self.export.column(position))
            return Column(heading, "hubspot_owner_id") if is_id else Column(heading, why="owners are named, not by id")
        if name in COMPUTED:
            return Column(heading, why=f"{name} is worked out by HubSpot")
        if name is not None:
            return Column(heading, name)
        taken = {*self._known}
        own = field_name(heading.lower(), lambda name: name in taken)
        return Column(heading, own, guess_of([*self.export.column(position)]))

    def _checked(self) -> list[dict[str, Any]]:
        seen: dict[str, int] = {}
        rows = []
        for line, cells in self.export.rows:
            row: dict[str, Any] = {}
            for column, cell in zip(self.columns, cells, strict=True):
                if column.name and cell:
                    row[column.name] = self._value(column, cell, line)
            if ID not in row:
                raise self._wrong(line, "has no id", "export it with “Record ID”")
            if row[ID] in seen:
                raise self._wrong(line, f"has the id {row[ID]} of line {seen[row[ID]]} again", "leave one out")
            seen[row[ID]] = line
            rows.append(row)
        return rows

    def _value(self, column: Column, cell: str, line: int) -> Any:
        if column.name == ID or column.name.startswith(LINKS):
            ids = [part.strip() for part in cell.split(";") if part.strip()]
            strange = next((one for one in ids if not (one.isascii() and one.isdecimal() and one[0] != "0")), None)
            if strange is not None or (column.name == ID and len(ids) != 1):
                raise self._wrong(line, f"“{cell}” in {column.heading} is no id of HubSpot", "ids are whole numbers")
            return ids[0] if column.name == ID else ids
        if column.name in (CREATED, MODIFIED):
            at = moment_in(cell)
            if at is None:
                raise self._wrong(line, f"“{cell}” in {column.heading} is no date", "write it like 2026-01-31 10:00")
            return at
        definition = self._known.get(column.name)
        kind = TYPES[column.guess] if column.guess is not None else str(definition["type"] if definition else "string")
        return self._typed(kind, definition, column.heading, cell, line)

    def _typed(self, kind: str, definition: Definition | None, heading: str, cell: str, line: int) -> str:
        """A cell in the form HubSpot keeps it: always text."""
        at = moment_in(cell)
        found: str | None = cell
        if kind == "number":
            number = number_in(cell)
            found = None if number is None else f"{number:.10f}".rstrip("0").rstrip(".")
        elif kind == "date":
            found = day_in(cell) or (at.date().isoformat() if at is not None else None)
        elif kind == "datetime":
            found = wire(at) if at is not None else None
        elif kind == "bool" or _is_yes_no(definition):
            found = "true" if cell.lower() in YES else "false" if cell.lower() in NO else None
        elif kind == "enumeration" and definition is not None:
            found = ";".join(self._choice(definition, heading, part.strip()) for part in cell.split(";"))
        elif definition is not None and definition["name"] == "email":
            found = cell.lower()
        if found is None:
            raise self._wrong(line, f"“{cell}” in {heading} is no {kind}", "mend the cell, or leave the column out")
        return found

    def _choice(self, definition: Definition, heading: str, cell: str) -> str:
        """By value, else by label; “Closed Won (Sales Pipeline)” is the stage of that name."""
        options = definition["options"] or self._stages(definition["name"])
        plain = cell.rpartition(" (")[0] if cell.endswith(")") else cell
        for option in options:
            if cell == option["value"] or option["label"].casefold() in (cell.casefold(), plain.casefold()):
                return str(option["value"])
        self.unknown_choices[heading] = self.unknown_choices.get(heading, 0) + 1
        return cell

    def _stages(self, name: str) -> list[dict[str, str]]:
        pipelines = self._desk.space.settings["pipelines"].get(self.kind.name, [])
        if name == self.kind.pipeline:
            return [{"value": pipeline["id"], "label": pipeline["label"]} for pipeline in pipelines]
        stages = [stage for pipeline in pipelines for stage in pipeline["stages"]]
        return [{"value": stage["id"], "label": stage["label"]} for stage in stages] if name == self.kind.stage else []

    def _wrong(self, line: int, what: str, advice: str) -> ExportError:
        return ExportError(self.export.path, line, what, advice)


def _is_yes_no(definition: Definition | None) -> bool:
    return definition is not None and {option["value"] for option in definition["options"]} == {"true", "false"}
