"""Rows as the API sends them: ``attributes`` first, fields in the order selected, parents and children nested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connectors.emulator.salesforce.fields import reading
from connectors.emulator.salesforce.refusals import text as vendor_text
from connectors.emulator.salesforce.schema import Child, Field, ObjectType
from connectors.emulator.salesforce.soql import functions
from connectors.emulator.salesforce.soql.evaluate import ordered_rows, rows_of
from connectors.emulator.salesforce.soql.lexer import NotBuilt, caret
from connectors.emulator.salesforce.soql.paths import Scope, Step, follow, readers, step_to_parent
from connectors.emulator.salesforce.soql.tree import AllFields, Path, Plain, Query, TypeOf
from connectors.emulator.world import Row

Record = dict[str, Any]
Make = Callable[[Row], Record]
Nest = Callable[[list[Row], Make], Record]
"""How the child rows of a row are told: all of them, or the first page and where the rest is."""

MOST_WITH_ALL_FIELDS = 200


class Columns:
    """What is read of one row: fields, parents (each with columns of its own), children."""

    def __init__(self, kind: ObjectType, root: str) -> None:
        self.kind = kind
        self.root = root
        self.plain: dict[str, Callable[[Row], Any]] = {}
        self.parents: dict[str, tuple[Step, Columns]] = {}

    def make(self) -> Make:
        """A function from a row to its record."""
        columns: list[tuple[str, Callable[[Row], Any]]] = []
        for name, reader in self.plain.items():
            columns.append((name, _parent_reader(*self.parents[name]) if name in self.parents else reader))
        fill = reading(columns)
        type_name, root, is_virtual = self.kind.name, self.root, self.kind.is_virtual
        prefix = f"{root}/{type_name}/"

        def made(row: Row) -> Record:
            url = f"{root}/{row.object_type}/{row.id}" if is_virtual else prefix + row.id
            record: Record = {"attributes": {"type": type_name, "url": url}}
            fill(row, record)
            return record

        return made


def records(scope: Scope, root: str) -> list[Record]:
    """``root`` is the versioned path of sobjects, for the urls. Raises SoqlError."""
    make = maker(scope, root)
    return [make(row) for row in rows_of(scope)]


def all_at_once(rows: list[Row], make: Make) -> Record:
    return {"totalSize": len(rows), "done": True, "records": [make(row) for row in rows]}


def maker(scope: Scope, root: str, nest: Nest = all_at_once) -> Make:
    columns = Columns(scope.kind, root)
    for item in scope.query.items:
        if isinstance(item, Query):
            name, read = _children(scope, item, root, nest)
            columns.plain[name] = read
        elif isinstance(item, AllFields):
            for found in all_fields(scope, item):
                columns.plain.setdefault(found.name, readers(scope.source.catalogue, scope.kind, found)[0])
        elif isinstance(item, TypeOf):
            name, read = _type_of(scope, item, root)
            columns.plain[name] = read
        elif isinstance(item, Plain):
            _add_path(scope, columns, item)
    return columns.make()


def _add_path(scope: Scope, columns: Columns, item: Plain) -> None:
    path = item.path
    target = follow(scope, path)
    if path.function is not None:
        if path.function in functions.OF_DATES:
            raise scope.wrong(path.column, f"Field must be grouped or aggregated: {path}", "MALFORMED_QUERY")
        columns.plain[item.alias or target.item.name] = target.shown
        return
    if item.alias is not None:
        raise scope.wrong(path.column, "only aggregate expressions use field aliasing", "MALFORMED_QUERY")
    for step in target.steps:
        name = step.link.relationship or step.link.name
        if name not in columns.parents:
            columns.parents[name] = (step, Columns(step.kind, columns.root))
            columns.plain[name] = target.shown
        columns = columns.parents[name][1]
    if target.item.name in columns.plain:
        raise scope.wrong(path.column, f"duplicate field selected: {path}")
    columns.plain[target.item.name] = readers(scope.source.catalogue, columns.kind, target.item)[0]


def _parent_reader(step: Step, columns: Columns) -> Callable[[Row], Record | None]:
    make = columns.make()

    def read(row: Row) -> Record | None:
        parent = step.parent(row)
        return None if parent is None else make(parent)

    return read


def _type_of(scope: Scope, item: TypeOf, root: str) -> tuple[str, Callable[[Row], Record | None]]:
    """A parent of several possible objects, each with fields of its own. Raises SoqlError."""
    step = step_to_parent(scope, scope.kind, item.path.last, item.path.column)
    catalogue = scope.source.catalogue
    makers: dict[str, Make] = {}
    for name, paths in (*item.branches, *((kind, item.otherwise) for kind in step.link.to if item.otherwise)):
        kind = catalogue.find(name)
        if kind is None or kind.name not in step.link.to:
            raise scope.wrong(item.path.column, vendor_text("unknown parent").format(name=name))
        if kind.name not in makers:
            inner = replace(scope.query, items=tuple(Plain(path) for path in paths))
            makers[kind.name] = maker(replace(scope, query=inner, kind=kind), root)

    def read(row: Row) -> Record | None:
        parent = step.parent(row)
        if parent is None:
            return None
        make = makers.get(parent.object_type)
        url = f"{root}/{parent.object_type}/{parent.id}"
        return {"attributes": {"type": parent.object_type, "url": url}} if make is None else make(parent)

    return step.link.relationship or step.link.name, read


def _children(scope: Scope, query: Query, root: str, nest: Nest) -> tuple[str, Callable[[Row], Record | None]]:
    """``(SELECT Id FROM Contacts)``; null, not an empty list, when there are none."""
    child, nested = children_of(scope, query)
    make = maker(nested, root)
    groups: dict[str, list[Row]] = {}
    for row in ordered_rows(nested):
        groups.setdefault(row.values.get(child.field) or "", []).append(row)
    end = None if query.limit is None else query.offset + query.limit

    def read(row: Row) -> Record | None:
        found = groups.get(row.id, [])[query.offset : end]
        return nest(found, make) if found else None

    return child.relationship or child.kind, read


def children_of(scope: Scope, query: Query) -> tuple[Child, Scope]:
    """The relationship a sub-query goes by, and the sub-query over its object. Raises SoqlError."""
    child = _child(scope, query)
    return child, Scope.of(scope.source, replace(query, source=Path((child.kind,), query.source.column)))


def _child(scope: Scope, query: Query) -> Child:
    wanted = query.source.last.lower()
    for child in scope.source.catalogue.children_of(scope.kind.name):
        if child.relationship is not None and child.relationship.lower() == wanted:
            return child
    message = vendor_text("unknown children").format(name=query.source)
    raise NotBuilt("INVALID_TYPE", caret(query.text, query.source.column) + message)


def all_fields(scope: Scope, item: AllFields) -> list[Field]:
    limit = scope.query.limit
    if item.which != "STANDARD" and (limit is None or limit > MOST_WITH_ALL_FIELDS):
        message = f"The SOQL FIELDS function must have a LIMIT of at most {MOST_WITH_ALL_FIELDS}"
        raise scope.wrong(item.column, message, "MALFORMED_QUERY")
    found = list(scope.kind.visible.values())
    if item.which == "ALL":
        return found
    return [each for each in found if each.name.endswith("__c") == (item.which == "CUSTOM")]
