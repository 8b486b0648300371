"""Aggregate queries: groups of rows, and what is counted of each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from connectors.emulator.salesforce.refusals import text
from connectors.emulator.salesforce.schema import Field
from connectors.emulator.salesforce.soql.conditions import compiled
from connectors.emulator.salesforce.soql.evaluate import matching_rows, rows_of
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.salesforce.soql.paths import Scope, Target, follow
from connectors.emulator.salesforce.soql.tree import Call, Comparison, Path, Plain
from connectors.emulator.world import Row

MOST_GROUPS = 2_000
GROUPING = "GROUPING"


class Group(list[Row]):
    """The rows of one group; ``rolled`` are the grouped fields this subtotal does not tell apart."""

    rolled: frozenset[str] = frozenset()


NUMBER = Field("aggregate", "double", "")


def count(scope: Scope) -> int:
    """``SELECT COUNT() FROM …``"""
    return len(rows_of(scope))


def aggregated(scope: Scope) -> list[dict[str, Any]]:
    """One record per group, unnamed results as ``expr0``, ``expr1`` …

    Raises:
        SoqlError: a field neither grouped nor aggregated, or one that cannot be; more groups than one page holds.
    """
    query = scope.query
    found = _groups(scope)
    if query.having is not None:
        test = compiled(scope, query.having, lambda subject: _of_group(scope, subject), _no_semi_join(scope))
        found = [group for group in found if test(group)]
    found = _ordered(scope, found)
    columns = _columns(scope)
    found = found[query.offset : None if query.limit is None else query.offset + query.limit]
    if len(found) > MOST_GROUPS:
        raise SoqlError("EXCEEDED_ID_LIMIT", text("too many groups"))
    return [
        {"attributes": {"type": "AggregateResult"}, **{name: read(group) for name, read in columns}} for group in found
    ]


def _groups(scope: Scope) -> list[Group]:
    """With ROLLUP and CUBE also the subtotals, each after the groups it sums up."""
    query = scope.query
    targets = {_name(scope, path): _grouped_by(scope, path) for path in query.group_by}
    rows = sorted(matching_rows(scope), key=lambda row: row.id)
    if not targets:
        return [Group(rows)]
    found: list[Group] = []
    for kept in _sets(list(targets), query.subtotals):
        groups: dict[tuple[Any, ...], Group] = {}
        for row in rows:
            groups.setdefault(tuple(targets[name].compared(row) for name in kept), Group()).append(row)
        for group in groups.values():
            group.rolled = frozenset(targets) - set(kept)
        found += groups.values()
    return found


def _sets(names: list[str], subtotals: str) -> list[tuple[str, ...]]:
    """Which fields are told apart in each part of the answer."""
    if subtotals == "ROLLUP":
        return [tuple(names[:end]) for end in range(len(names), -1, -1)]
    if subtotals == "CUBE":
        return [kept for size in range(len(names), -1, -1) for kept in combinations(names, size)]
    return [tuple(names)]


def _name(scope: Scope, path: Path) -> str:
    return str(scope.path(path)).lower()


def _grouped_by(scope: Scope, path: Path) -> Target:
    target = follow(scope, path)
    if not target.item.is_groupable:
        raise scope.wrong(path.column, f"field '{target.item.name}' can not be grouped in a query call")
    return target


def _columns(scope: Scope) -> list[tuple[str, Callable[[Group], Any]]]:
    columns: list[tuple[str, Callable[[Group], Any]]] = []
    unnamed = 0
    for item in scope.query.items:
        if isinstance(item, Call):
            columns.append((item.alias or f"expr{unnamed}", _shown(scope, item)))
            unnamed += item.alias is None
        elif isinstance(item, Plain):
            target = _group_field(scope, item.path)
            usual = f"expr{unnamed}" if item.path.function else target.item.name
            unnamed += item.alias is None and item.path.function is not None
            columns.append((item.alias or usual, _first(target, _name(scope, item.path))))
        else:
            column = scope.query.source.column
            raise scope.wrong(
                column, "Grouped query cannot use child relationships in the SELECT list", "MALFORMED_QUERY"
            )
    return columns


def _first(target: Target, name: str) -> Callable[[Group], Any]:
    return lambda group: target.shown(group[0]) if group and name not in group.rolled else None


def _group_field(scope: Scope, path: Path) -> Target:
    names = {_name(scope, grouped) for grouped in scope.query.group_by}
    target = follow(scope, path)
    if _name(scope, path) not in names:
        raise scope.wrong(path.column, f"Field must be grouped or aggregated: {path}", "MALFORMED_QUERY")
    return target


def _shown(scope: Scope, call: Call) -> Callable[[Group], Any]:
    if call.path is None:
        return len
    if call.function == GROUPING:
        _group_field(scope, call.path)
        name = _name(scope, call.path)
        return lambda group: int(name in group.rolled)
    target = follow(scope, call.path)
    if call.function in ("SUM", "AVG") and not target.item.is_number:
        message = f"field {target.item.name} does not support aggregate operator {call.function}"
        raise scope.wrong(call.column, message, "MALFORMED_QUERY")
    function = _FUNCTIONS[call.function]

    def read(group: Group) -> Any:
        pairs = [(key, row) for row in group if (key := target.compared(row)) is not None]
        return function([key for key, _ in pairs], [target.shown(row) for _, row in pairs])

    return read


def _of_group(scope: Scope, subject: Path | Call) -> tuple[Field, Callable[[Group], Any]]:
    """The left side of a HAVING comparison."""
    if isinstance(subject, Call):
        return NUMBER, _shown(scope, subject)
    target = _group_field(scope, subject)
    name = _name(scope, subject)
    return target.item, lambda group: None if name in group.rolled else target.compared(group[0])


def _no_semi_join(scope: Scope) -> Callable[[Comparison], set[Any]]:
    def refuse(comparison: Comparison) -> set[Any]:
        column = comparison.subject.column
        raise scope.wrong(column, "Semi join sub-selects are not supported in HAVING", "MALFORMED_QUERY")

    return refuse


def _ordered(scope: Scope, groups: list[Group]) -> list[Group]:
    for order in reversed(scope.query.order_by):
        _, read = _of_group(scope, _unaliased(scope, order.subject))
        filled = [group for group in groups if read(group) is not None]
        blank = [group for group in groups if read(group) is None]
        filled.sort(key=read, reverse=order.descending)
        groups = filled + blank if order.nulls_last else blank + filled
    return groups


def _unaliased(scope: Scope, subject: Path | Call) -> Path | Call:
    """``ORDER BY n`` where the query says ``COUNT(Id) n``."""
    if isinstance(subject, Path) and len(subject.parts) == 1:
        for item in scope.query.items:
            if isinstance(item, Call) and item.alias is not None and item.alias.lower() == subject.last.lower():
                return item
    return subject


def _average(keys: list[Any], shown: list[Any]) -> Any:
    return sum(keys) / len(keys) if keys else None


def _extreme(choose: Callable[..., Any]) -> Callable[[list[Any], list[Any]], Any]:
    def function(keys: list[Any], shown: list[Any]) -> Any:
        return choose(zip(keys, shown, strict=True), key=lambda pair: pair[0])[1] if keys else None

    return function


_FUNCTIONS: dict[str, Callable[[list[Any], list[Any]], Any]] = {
    "COUNT": lambda keys, shown: len(keys),
    "COUNT_DISTINCT": lambda keys, shown: len(set(keys)),
    "SUM": lambda keys, shown: sum(keys) if keys else None,
    "AVG": _average,
    "MIN": _extreme(min),
    "MAX": _extreme(max),
}
