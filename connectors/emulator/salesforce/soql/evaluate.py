"""Run a query tree over what its caller may see: rows, in order, cut to size."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from connectors.emulator.salesforce.soql.conditions import candidates, compiled, where_reader
from connectors.emulator.salesforce.soql.paths import Scope, Source, follow
from connectors.emulator.salesforce.soql.tree import Call, Comparison, Order, Plain, Query
from connectors.emulator.world import Row


def rows_of(scope: Scope) -> list[Row]:
    """Matching rows, ordered, after OFFSET and LIMIT.

    Raises:
        SoqlError: unknown fields, wrong literals, fields that cannot be filtered or sorted.
    """
    query = scope.query
    found = ordered_rows(scope)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def ordered_rows(scope: Scope) -> list[Row]:
    """As ``rows_of``, all of them."""
    found = matching_rows(scope)
    found.sort(key=attrgetter("id"))
    for order in reversed(scope.query.order_by):
        found = _sorted(scope, found, order)
    return found


def matching_rows(scope: Scope) -> list[Row]:
    where = scope.query.where
    if where is None:
        found = list(scope.source.rows(scope.kind))
    else:
        test = compiled(scope, where, where_reader(scope), lambda comparison: _semi_join(scope.source, comparison))
        found = [row for row in candidates(scope, where) if test(row)]
    if scope.query.only_mine:
        return [row for row in found if row.values.get("OwnerId") == scope.source.user_id]
    return found


def _sorted(scope: Scope, rows: list[Row], order: Order) -> list[Row]:
    if isinstance(order.subject, Call):
        raise scope.wrong(order.subject.column, "Ordered field must be grouped or aggregated", "MALFORMED_QUERY")
    target = follow(scope, order.subject)
    if not target.item.is_sortable:
        raise scope.wrong(order.subject.column, f"field '{target.item.name}' can not be sorted in a query call")
    if target.item.type == "id" and not target.steps and not order.descending:
        return sorted(rows, key=attrgetter("id"))
    keyed = [(target.compared(row), row) for row in rows]
    filled = [pair for pair in keyed if pair[0] is not None]
    blank = [row for key, row in keyed if key is None]
    filled.sort(key=lambda pair: pair[0], reverse=order.descending)
    in_order = [row for _, row in filled]
    return in_order + blank if order.nulls_last else blank + in_order


def _semi_join(source: Source, comparison: Comparison) -> set[Any]:
    """The values of ``IN (SELECT AccountId FROM Contact …)``."""
    query: Query | None = comparison.select
    assert query is not None
    scope = Scope.of(source, query)
    if len(query.items) != 1 or not isinstance(query.items[0], Plain):
        message = "The inner select must have exactly one field"
        raise scope.wrong(query.source.column, message, "MALFORMED_QUERY")
    target = follow(scope, query.items[0].path)
    values = {target.compared(row) for row in rows_of(scope)}
    return {value for value in values if value is not None}
