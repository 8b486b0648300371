"""Field paths of a query, followed through parents: what they read, and what Salesforce says of wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from connectors.emulator.salesforce.fields import Reader, compared, person_name, shown
from connectors.emulator.salesforce.refusals import text as vendor_text
from connectors.emulator.salesforce.refusals import unknown_type_text
from connectors.emulator.salesforce.schema import Catalogue, Field, ObjectType
from connectors.emulator.salesforce.soql import functions
from connectors.emulator.salesforce.soql.lexer import NotBuilt, SoqlError, caret
from connectors.emulator.salesforce.soql.literals import Moment
from connectors.emulator.salesforce.soql.tree import Path, Query
from connectors.emulator.world import Row

MOST_PARENTS = 5


class Source(Protocol):
    """What a query runs on: the rows its caller may see, at one moment."""

    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def moment(self) -> Moment: ...
    @property
    def user_id(self) -> str: ...
    def rows(self, kind: ObjectType) -> Iterable[Row]: ...
    def row(self, object_name: str, record_id: str) -> Row | None: ...
    def by_key(self, kind: ObjectType, item: Field, value: Any) -> list[Row] | None:
        """Rows with this value by an index, or None when there is no index to ask."""

    def by_stamp(self, kind: ObjectType, start: datetime | None, end: datetime | None) -> list[Row]:
        """All rows whose SystemModstamp lies in this span, and perhaps some others."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One query's object and text."""

    source: Source
    query: Query
    kind: ObjectType

    @classmethod
    def of(cls, source: Source, query: Query) -> Scope:
        """Raises SoqlError (INVALID_TYPE): hidden from the user, or (as NotBuilt) not here at all."""
        name = str(query.source)
        kind = source.catalogue.find(name)
        if kind is None:
            error = SoqlError if source.catalogue.knows(name) else NotBuilt
            raise error("INVALID_TYPE", caret(query.text, query.source.column) + unknown_type_text(name))
        return cls(source, query, kind)

    def path(self, path: Path) -> Path:
        """Without the object's own name or alias in front."""
        own = {self.kind.name.lower(), (self.query.alias or self.kind.name).lower()}
        is_own = len(path.parts) > 1 and path.parts[0].lower() in own
        if is_own and path.parts[0].lower() not in self.kind.relationships:
            return replace(path, parts=path.parts[1:])
        return path

    def wrong(self, column: int, message: str, code: str = "INVALID_FIELD") -> SoqlError:
        return SoqlError(code, caret(self.query.text, column) + message)


@dataclass(frozen=True, slots=True)
class Step:
    """From a row to its parent. ``kind`` is what fields of the parent can be named."""

    link: Field
    kind: ObjectType
    parent: Callable[[Row], Row | None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path ends: the field, and how a row reads it, parents included."""

    item: Field
    steps: tuple[Step, ...]
    shown: Reader
    compared: Reader


def follow(scope: Scope, path: Path) -> Target:
    """Raises SoqlError (INVALID_FIELD): no such field or relationship, or hidden."""
    path = scope.path(path)
    steps: list[Step] = []
    kind = scope.kind
    for name in path.parts[:-1]:
        step = step_to_parent(scope, kind, name, path.column)
        steps.append(step)
        kind = step.kind
    if len(steps) > MOST_PARENTS:
        raise scope.wrong(path.column, f"SOQL relationship path exceeds {MOST_PARENTS} levels: {path}")
    item = kind.find(path.last)
    if item is None:
        message = vendor_text("unknown column").format(name=path.last, kind=kind.name)
        raise scope.wrong(path.column, message)
    as_shown, as_compared = readers(scope.source.catalogue, kind, item)
    for step in reversed(steps):
        as_shown, as_compared = _through(step, as_shown), _through(step, as_compared)
    target = Target(item, tuple(steps), as_shown, as_compared)
    return target if path.function is None else _applied(scope, path, path.function, target)


def _applied(scope: Scope, path: Path, function: str, target: Target) -> Target:
    """The target behind a function. Raises SoqlError: not for a field of this type."""
    if not functions.fits(function, target.item):
        message = f"field '{target.item.name}' is not supported by function {function}"
        raise scope.wrong(path.column, message, "MALFORMED_QUERY")
    item = functions.result_field(function, target.item)
    if function == "FORMAT":
        return replace(target, shown=lambda row: functions.formatted(target.shown(row), target.item))
    if function in functions.OF_SHOWN:
        return target
    zone = scope.source.moment.zone if path.local else None

    def part(row: Row) -> Any:
        return functions.of_date(function, target.compared(row), zone)

    return replace(target, item=item, shown=part, compared=part)


def step_to_parent(scope: Scope, kind: ObjectType, name: str, column: int) -> Step:
    """Raises SoqlError (INVALID_FIELD)."""
    link = kind.relationships.get(name.lower())
    if link is None or link.hidden:
        raise scope.wrong(column, vendor_text("unknown parent").format(name=name))
    catalogue, source = scope.source.catalogue, scope.source
    names = {catalogue.objects[target].prefix: target for target in link.to}
    read_id = shown(link)
    only = None if link.is_id else link.to[0]

    def parent(row: Row) -> Row | None:
        record_id = read_id(row)
        target = (only or names.get(record_id[:3])) if record_id else None
        return source.row(target, record_id) if target is not None else None

    parent_kind = catalogue.names if len(link.to) > 1 else catalogue.objects[link.to[0]]
    return Step(link, parent_kind, parent)


def readers(catalogue: Catalogue, kind: ObjectType, item: Field) -> tuple[Reader, Reader]:
    """(as shown, as compared). A parent of several possible objects shows the fields of ``Name``."""
    if not kind.is_virtual:
        return shown(item), compared(item)

    def plain(row: Row) -> Any:
        if item.name == "Id":
            return row.id
        if item.name == "Type":
            return row.values.get("Type") if row.object_type == "Group" else row.object_type
        if item.name == "Name":
            return row.values.get("Name") or person_name(row.values) or row.values.get("Subject")
        return row.values.get(item.name)

    def folded(row: Row) -> Any:
        value = plain(row)
        return value.lower() if isinstance(value, str) and item.name != "Id" else value

    return plain, folded


def _through(step: Step, reader: Reader) -> Reader:
    def read(row: Row) -> Any:
        parent = step.parent(row)
        return None if parent is None else reader(parent)

    return read
