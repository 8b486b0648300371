"""Run a query tree over the rows of a space."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import Field, ObjectType, object_type
from connectors.emulator.salesforce.soql.lexer import SoqlError, caret
from connectors.emulator.salesforce.soql.parser import (
    Aggregate,
    Comparison,
    Junction,
    Literal_,
    Negation,
    Order,
    Path,
    Query,
    Where,
)
from connectors.emulator.salesforce.stamps import read
from connectors.emulator.world import Row, Space

Reader = Callable[[Row], Any]
Test = Callable[[Row], bool]
IsVisible = Callable[[Row], bool]


class Evaluation:
    """One query over one space at one moment. ``value_of`` reads a field of a row as the API shows it."""

    def __init__(
        self,
        space: Space,
        now: datetime,
        value_of: Callable[[ObjectType, Row, str], Any],
        is_visible: IsVisible,
    ) -> None:
        self.space = space
        self.now = now
        self.value_of = value_of
        self.is_visible = is_visible

    def rows(self, query: Query) -> list[Row]:
        """Matching rows in order, after LIMIT and OFFSET.

        Raises:
            SoqlError: unknown field, wrong literal, field that cannot be filtered.
        """
        kind = self.kind_of(query)
        test = self._test(query, kind, query.where) if query.where is not None else None
        found = [row for row in self._candidates(query, kind) if self.is_visible(row) and (test is None or test(row))]
        for order in reversed(query.order_by):
            found = self._ordered(query, kind, found, order)
        end = None if query.limit is None else query.offset + query.limit
        return found[query.offset : end]

    def kind_of(self, query: Query) -> ObjectType:
        try:
            return object_type(self.space, query.source)
        except Refusal as refusal:
            place = caret(query.text, query.column)
            raise SoqlError("INVALID_TYPE", f"{place}{refusal.message}") from None

    def reader(self, query: Query, kind: ObjectType, path: Path) -> Reader:
        """How to read a path of a row, parents included."""
        if len(path.parts) > 1 and path.parts[0].lower() == kind.name.lower():
            path = Path(path.parts[1:], path.column)
        if len(path.parts) == 1:
            item = self._field(query, kind, path)
            return lambda row: self.value_of(kind, row, item.name)
        link = self._relationship(query, kind, path)
        rest = Path(path.parts[1:], path.column)
        readers = {target: self.reader(query, object_type(self.space, target), rest) for target in link.to}

        def read_parent(row: Row) -> Any:
            parent = self.parent_row(link, row)
            return readers[parent.object_type](parent) if parent is not None else None

        return read_parent

    def parent_row(self, link: Field, row: Row) -> Row | None:
        parent_id = row.values.get(link.name)
        for target in link.to:
            parent = self.space.row(target, parent_id) if parent_id else None
            if parent is not None:
                return parent
        return None

    def _candidates(self, query: Query, kind: ObjectType) -> Iterable[Row]:
        """All rows, or those an index on an equality names."""
        table = self.space.table(kind.name)
        wanted = _equal_ids(query.where)
        if wanted is not None:
            return [table[row_id] for row_id in wanted if row_id in table]
        indexed = self._indexed_ids(kind, query.where)
        if indexed is not None:
            return [table[row_id] for row_id in sorted(indexed) if row_id in table]
        return list(table.values())

    def _indexed_ids(self, kind: ObjectType, where: Where | None) -> set[str] | None:
        comparisons = where.parts if isinstance(where, Junction) and where.word == "AND" else (where,)
        for part in comparisons:
            if (
                isinstance(part, Comparison)
                and part.operator in ("=", "IN")
                and len(part.path.parts) == 1
                and part.values
            ):
                item = kind.find(part.path.parts[0])
                if item is not None and (kind.name, item.name) in self.space.indexes:
                    return set().union(
                        *(
                            self.space.lookup(kind.name, item.name, value.value)
                            for value in part.values
                            if value.value is not None
                        )
                    )
        return None

    def _field(self, query: Query, kind: ObjectType, path: Path) -> Field:
        item = kind.find(path.parts[-1])
        if item is None:
            text = (
                f"{caret(query.text, path.column)}No such column '{path.parts[-1]}' on entity '{kind.name}'. If you "
                "are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please "
                "reference your WSDL or the describe call for the appropriate names."
            )
            raise SoqlError("INVALID_FIELD", text)
        return item

    def _relationship(self, query: Query, kind: ObjectType, path: Path) -> Field:
        for item in kind.visible():
            if item.relationship is not None and item.relationship.lower() == path.parts[0].lower():
                return item
        text = f"{caret(query.text, path.column)}Didn't understand relationship '{path.parts[0]}' in field path."
        raise SoqlError("INVALID_FIELD", text)

    def _ordered(self, query: Query, kind: ObjectType, rows: list[Row], order: Order) -> list[Row]:
        reader = self.reader(query, kind, order.path)
        filled = [row for row in rows if reader(row) is not None]
        blank = [row for row in rows if reader(row) is None]
        filled.sort(key=lambda row: _sort_key(reader(row)), reverse=order.descending)
        return filled + blank if order.nulls_last else blank + filled

    def _test(self, query: Query, kind: ObjectType, where: Where) -> Test:
        if isinstance(where, Negation):
            inner = self._test(query, kind, where.part)
            return lambda row: not inner(row)
        if isinstance(where, Junction):
            tests = [self._test(query, kind, part) for part in where.parts]
            join = all if where.word == "AND" else any
            return lambda row: join(test(row) for test in tests)
        return self._comparison(query, kind, where)

    def _comparison(self, query: Query, kind: ObjectType, where: Comparison) -> Test:
        reader = self.reader(query, kind, where.path)
        item = kind.find(where.path.parts[0]) if len(where.path.parts) == 1 else None
        if item is not None and not item.filterable:
            text = f"{caret(query.text, where.path.column)}field '{item.name}' can not be filtered in a query call"
            raise SoqlError("INVALID_FIELD", text)
        if where.select is not None:
            return self._semi_join(reader, where)
        wanted = [self._comparable(query, item, literal, where) for literal in where.values]
        return _operation(reader, where.operator, wanted)

    def _semi_join(self, reader: Reader, where: Comparison) -> Test:
        nested = where.select
        assert nested is not None
        kind = self.kind_of(nested)
        first = nested.items[0]
        if not isinstance(first, Path):
            raise SoqlError("MALFORMED_QUERY", "a semi join selects one field")
        inner = self.reader(nested, kind, first)
        values = {inner(row) for row in self.rows(nested)}
        inside = where.operator == "IN"
        return lambda row: (reader(row) in values) is inside

    def _comparable(self, query: Query, item: Field | None, literal: Literal_, where: Comparison) -> Any:
        kind = item.type if item is not None else None
        if literal.kind == "string" and kind in ("datetime", "date", "int", "double", "boolean", "currency", "percent"):
            place = caret(query.text, where.path.column)
            text = (
                f"{place}value of filter criterion for field '{where.path}' must be of type {kind} "
                "and should not be enclosed in quotes"
            )
            raise SoqlError("INVALID_FIELD", text)
        if literal.kind == "datetime":
            at = read(str(literal.value))
            if at is None:
                raise SoqlError(
                    "MALFORMED_QUERY", f"{caret(query.text, where.path.column)}line 1: a datetime needs an offset"
                )
            return at
        if literal.kind == "date word":
            day = _day(literal, self.now.date())
            return datetime(day.year, day.month, day.day, tzinfo=UTC) if kind == "datetime" else day.isoformat()
        if literal.kind == "string":
            return str(literal.value).lower() if kind not in ("id", "reference") else str(literal.value)[:15]
        return literal.value


def _operation(reader: Reader, operator: str, wanted: list[Any]) -> Test:
    if operator == "IN":
        return lambda row: any(_equal(reader(row), value) for value in wanted)
    if operator == "NOT IN":
        return lambda row: not any(_equal(reader(row), value) for value in wanted)
    value = wanted[0]
    if operator == "=":
        return lambda row: _equal(reader(row), value)
    if operator == "!=":
        return lambda row: not _equal(reader(row), value)
    if operator == "LIKE":
        pattern = _like(str(value))
        return lambda row: bool(pattern.fullmatch(str(reader(row) or "")))
    compare: dict[str, Callable[[Any, Any], bool]] = {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    holds = compare[operator]

    def ordered(row: Row) -> bool:
        have = _like_wanted(reader(row), value)
        return have is not None and holds(have, value)

    return ordered


def _equal(have: Any, value: Any) -> bool:
    if value is None or have is None:
        return have is value
    if isinstance(value, str) and isinstance(have, str):
        lowered = have.lower()
        return lowered == value.lower() or (len(value) == 15 and have[:15] == value)
    return bool(_like_wanted(have, value) == value)


def _like_wanted(have: Any, value: Any) -> Any:
    """The row's value in the type of the literal."""
    if isinstance(value, datetime) and isinstance(have, str):
        return read(have)
    if isinstance(value, str) and isinstance(have, str):
        return have.lower()
    return have


def _like(text: str) -> re.Pattern[str]:
    pattern = ""
    escaped = False
    for char in text:
        if escaped:
            pattern, escaped = pattern + re.escape(char), False
        elif char == "\\":
            escaped = True
        else:
            pattern += {"%": ".*", "_": "."}.get(char, re.escape(char))
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _sort_key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _day(literal: Literal_, today: date) -> date:
    words = {"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}
    if literal.value in words:
        return today + timedelta(days=words[str(literal.value)])
    if literal.value == "LAST_N_DAYS":
        return today - timedelta(days=literal.days)
    if literal.value == "NEXT_N_DAYS":
        return today + timedelta(days=literal.days)
    starts = {
        "THIS_WEEK": today - timedelta(days=(today.weekday() + 1) % 7),
        "THIS_MONTH": today.replace(day=1),
        "THIS_YEAR": today.replace(month=1, day=1),
    }
    starts["LAST_WEEK"] = starts["THIS_WEEK"] - timedelta(days=7)
    starts["LAST_MONTH"] = (starts["THIS_MONTH"] - timedelta(days=1)).replace(day=1)
    return starts[str(literal.value)]


def _equal_ids(where: Where | None) -> list[str] | None:
    """Ids named by ``Id = …`` or ``Id IN (…)`` at the top of the condition: no need to walk the table."""
    comparisons = where.parts if isinstance(where, Junction) and where.word == "AND" else (where,)
    from connectors.emulator.salesforce.ids import full_id

    for part in comparisons:
        if (
            isinstance(part, Comparison)
            and part.operator in ("=", "IN")
            and str(part.path).lower() == "id"
            and part.values
        ):
            return [identity for value in part.values if (identity := full_id(str(value.value)))]
    return None


def aggregate(evaluation: Evaluation, query: Query) -> list[dict[str, Any]]:
    """Rows of an aggregate query, with ``expr0`` … names where no alias was given."""
    kind = evaluation.kind_of(query)
    rows = evaluation.rows(query)
    readers = [evaluation.reader(query, kind, path) for path in query.group_by]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(reader(row) for reader in readers), []).append(row)
    if not query.group_by:
        groups = {(): rows}
    results = []
    for key, members in groups.items():
        result: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        count = 0
        for item in query.items:
            if isinstance(item, Path):
                names = [str(path).lower() for path in query.group_by]
                if str(item).lower() not in names:
                    raise SoqlError("MALFORMED_QUERY", f"Field must be grouped or aggregated: {item}")
                result[item.parts[-1]] = key[names.index(str(item).lower())]
            elif isinstance(item, Aggregate):
                result[item.alias or f"expr{count}"] = _aggregated(evaluation, query, kind, item, members)
                count += item.alias is None
        results.append(result)
    return results


def _aggregated(evaluation: Evaluation, query: Query, kind: ObjectType, item: Aggregate, rows: list[Row]) -> Any:
    if item.path is None:
        return len(rows)
    reader = evaluation.reader(query, kind, item.path)
    values = [value for row in rows if (value := reader(row)) is not None]
    if item.function == "COUNT":
        return len(values)
    if item.function == "COUNT_DISTINCT":
        return len(set(values))
    if not values:
        return None
    if item.function == "AVG":
        return sum(values) / len(values)
    return {"MIN": min, "MAX": max, "SUM": sum}[item.function](values)
