"""WHERE and HAVING as Python functions of a row or a group. User text never reaches Python's own evaluator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce.schema import Field
from connectors.emulator.salesforce.soql.literals import Span, typed
from connectors.emulator.salesforce.soql.paths import Scope, follow
from connectors.emulator.salesforce.soql.tree import Call, Comparison, Condition, Junction, Negation, Path
from connectors.emulator.world import Row

Read = Callable[[Any], Any]
Test = Callable[[Any], bool]
SubjectReader = Callable[[Path | Call], tuple[Field, Read]]
"""How the left side of a comparison is read: of a row in WHERE, of a group in HAVING."""

SemiJoin = Callable[[Comparison], set[Any]]


def where_reader(scope: Scope) -> SubjectReader:
    """Raises SoqlError for what cannot be filtered."""

    def read(subject: Path | Call) -> tuple[Field, Read]:
        if isinstance(subject, Call):
            raise scope.wrong(subject.column, "unexpected token: '('", "MALFORMED_QUERY")
        target = follow(scope, subject)
        if not target.item.is_filterable:
            message = f"field '{target.item.name}' can not be filtered in a query call"
            raise scope.wrong(subject.column, message)
        return target.item, target.compared

    return read


def compiled(scope: Scope, condition: Condition, read: SubjectReader, semi_join: SemiJoin) -> Test:
    """Raises SoqlError."""
    if isinstance(condition, Negation):
        inner = compiled(scope, condition.part, read, semi_join)
        return lambda row: not inner(row)
    if isinstance(condition, Junction):
        tests = [compiled(scope, part, read, semi_join) for part in condition.parts]
        return _all(tests) if condition.word == "AND" else lambda row: any(test(row) for test in tests)
    return _comparison(scope, condition, read, semi_join)


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda row: first(row) and second(row)
    return lambda row: all(test(row) for test in tests)


def _comparison(scope: Scope, condition: Comparison, read: SubjectReader, semi_join: SemiJoin) -> Test:
    item, value_of = read(condition.subject)
    operator = condition.operator
    _check_operator(scope, condition, item)
    if condition.select is not None:
        wanted = semi_join(condition)
        if operator == "IN":
            return lambda row: value_of(row) in wanted
        return lambda row: value_of(row) not in wanted
    text, moment = scope.query.text, scope.source.moment
    values = [typed(text, item, value, moment) for value in condition.values]
    if operator in ("IN", "NOT IN"):
        return _among(value_of, values, inside=operator == "IN")
    if operator in ("INCLUDES", "EXCLUDES"):
        return _includes(value_of, values, inside=operator == "INCLUDES")
    if operator == "LIKE":
        return _like(value_of, str(values[0] or ""))
    return _compare(value_of, operator, values[0])


def _check_operator(scope: Scope, condition: Comparison, item: Field) -> None:
    operator = condition.operator
    is_text = not (item.is_id or item.is_number or item.type in ("boolean", "date", "datetime", "address"))
    wrong = (
        (operator == "LIKE" and not is_text)
        or (operator in ("<", "<=", ">", ">=") and item.type in ("boolean", "address", "multipicklist"))
        or (operator in ("INCLUDES", "EXCLUDES") and item.type != "multipicklist")
    )
    if wrong:
        column = condition.subject.column
        raise scope.wrong(column, f"invalid operator on {item.type} field", "INVALID_QUERY_FILTER_OPERATOR")


def _compare(value_of: Read, operator: str, wanted: Any) -> Test:
    if operator == "=":
        return _equal(value_of, wanted)
    if operator == "!=":
        equal = _equal(value_of, wanted)
        return lambda row: not equal(row)
    if wanted is None:
        return lambda row: False
    if isinstance(wanted, Span):
        edge = wanted.start if operator in ("<", ">=") else wanted.end
        operator = {"<=": "<", ">": ">="}.get(operator, operator)
        return _ordered(value_of, operator, edge)
    return _ordered(value_of, operator, wanted)


def _equal(value_of: Read, wanted: Any) -> Test:
    if wanted is None:
        return lambda row: value_of(row) is None
    if isinstance(wanted, Span):
        start, end = wanted.start, wanted.end
        return lambda row: (value := value_of(row)) is not None and start <= value < end
    return lambda row: value_of(row) == wanted


def _ordered(value_of: Read, operator: str, edge: Any) -> Test:
    """A blank is neither before nor after anything."""
    if operator == "<":
        return lambda row: (value := value_of(row)) is not None and value < edge
    if operator == "<=":
        return lambda row: (value := value_of(row)) is not None and value <= edge
    if operator == ">":
        return lambda row: (value := value_of(row)) is not None and value > edge
    return lambda row: (value := value_of(row)) is not None and value >= edge


def _among(value_of: Read, values: Iterable[Any], *, inside: bool) -> Test:
    values = list(values)
    plain = {value for value in values if not isinstance(value, Span)}
    spans = [_equal(value_of, value) for value in values if isinstance(value, Span)]
    if spans:
        return lambda row: (value_of(row) in plain or any(span(row) for span in spans)) is inside
    if inside:
        return lambda row: value_of(row) in plain
    return lambda row: value_of(row) not in plain


def _includes(value_of: Read, values: Iterable[Any], *, inside: bool) -> Test:
    """``INCLUDES ('a;b', 'c')``: a and b together, or c."""
    groups = [set(str(value or "").split(";")) for value in values]

    def test(row: Any) -> bool:
        chosen = set((value_of(row) or "").split(";"))
        return any(group <= chosen for group in groups) is inside

    return test


def _like(value_of: Read, pattern: str) -> Test:
    matches = re.compile(_as_regex(pattern), re.DOTALL).fullmatch
    return lambda row: (value := value_of(row)) is not None and matches(value) is not None


def _as_regex(pattern: str) -> str:
    r"""``%`` is any text, ``_`` one character, ``\%`` and ``\_`` stand for themselves."""
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\[%_]|.", pattern, re.DOTALL)
    return "".join(re.escape(part[1]) if len(part) == 2 else wild.get(part, re.escape(part)) for part in parts)


EDGES = ("=", "<", "<=", ">", ">=")


def leading_field(scope: Scope, where: Condition | None) -> str | None:
    """The field whose index a query goes by, if it goes by any. Raises SoqlError."""
    parts = where.parts if isinstance(where, Junction) and where.word == "AND" else (where,)
    for part in parts:
        if isinstance(part, Comparison) and part.select is None and _indexed(scope, part) is not None:
            return scope.path(part.subject).last if isinstance(part.subject, Path) else None
    return None if _span(scope, parts) == (None, None) else "SystemModstamp"


def candidates(scope: Scope, where: Condition | None) -> Iterable[Row]:
    """The rows to test: those an index names for an equality that must hold, else all of the object."""
    parts = where.parts if isinstance(where, Junction) and where.word == "AND" else (where,)
    for part in parts:
        found = _indexed(scope, part) if isinstance(part, Comparison) and part.select is None else None
        if found is not None:
            return found
    span = _span(scope, parts)
    return scope.source.rows(scope.kind) if span == (None, None) else scope.source.by_stamp(scope.kind, *span)


def _span(scope: Scope, parts: Iterable[Condition | None]) -> tuple[datetime | None, datetime | None]:
    """Between which moments SystemModstamp must lie. It is never before the creation or the last modification."""
    starts: list[datetime] = []
    ends: list[datetime] = []
    for part in parts:
        if not isinstance(part, Comparison) or isinstance(part.subject, Call) or part.select is not None:
            continue
        item = _own_field(scope, part.subject)
        if item is None or item.computed not in ("stamp", "created", "modified") or part.operator not in EDGES:
            continue
        value = typed(scope.query.text, item, part.values[0], scope.source.moment)
        first, last = (value.start, value.end) if isinstance(value, Span) else (value, value)
        if isinstance(first, datetime) and part.operator in ("=", ">", ">="):
            starts.append(first)
        if isinstance(last, datetime) and part.operator in ("=", "<", "<=") and item.computed == "stamp":
            ends.append(last)
    return max(starts, default=None), min(ends, default=None)


def _own_field(scope: Scope, subject: Path) -> Field | None:
    """The field a path names when it is one of the object itself, and nothing is done to it."""
    path = scope.path(subject)
    return scope.kind.find(path.last) if len(path.parts) == 1 and path.function is None else None


def _indexed(scope: Scope, comparison: Comparison) -> list[Row] | None:
    if comparison.operator not in ("=", "IN") or isinstance(comparison.subject, Call):
        return None
    item = _own_field(scope, comparison.subject)
    if item is None or not (item.type == "id" or item.id_lookup or item.unique or item.type == "reference"):
        return None
    source = scope.source
    found: dict[str, Row] = {}
    for value in comparison.values:
        wanted = typed(scope.query.text, item, value, source.moment)
        rows = None if wanted is None else source.by_key(scope.kind, item, wanted)
        if rows is None:
            return None
        found.update({row.id: row for row in rows})
    return list(found.values())
