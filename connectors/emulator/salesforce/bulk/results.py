"""The rows of a query job as CSV cells, and what such a query may not ask for."""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.bulk.jobs import Cells, Result
from connectors.emulator.salesforce.cursors import Cursor
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.querying import View
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import Field
from connectors.emulator.salesforce.soql.evaluate import rows_of
from connectors.emulator.salesforce.soql.parser import parse
from connectors.emulator.salesforce.soql.paths import Scope, follow
from connectors.emulator.salesforce.soql.shape import all_fields, maker
from connectors.emulator.salesforce.soql.tree import AllFields, Call, Plain

Column = tuple[tuple[str, ...], Field]
"""(the steps to the value inside a record, its field)"""


def checked_scope(org: Org, text: str, user_id: str, *, with_deleted: bool) -> Scope:
    """The query as far as it can be judged before it runs.

    Raises:
        SoqlError: a query no API takes. Refusal: one that only the Bulk API refuses.
    """
    scope = Scope.of(View(org, user_id, with_deleted=with_deleted), parse(text))
    query = scope.query
    if query.group_by or any(isinstance(item, Call) for item in query.items):
        raise _refused("Aggregate Relationships not supported in Bulk Query")
    if query.offset:
        raise _refused("OFFSET not supported in Bulk Query")
    if any(not isinstance(item, Plain | AllFields) for item in query.items):
        raise _refused("Nested queries not supported in Bulk Query")
    if any(item.type == "address" for _, item in columns_of(scope)):
        raise _refused("Selecting compound data not supported in Bulk Query")
    return scope


def _refused(message: str) -> Refusal:
    return Refusal(400, "FEATURENOTENABLED", message)


def columns_of(scope: Scope) -> list[Column]:
    """In the order of the SELECT, under describe's names. Raises SoqlError."""
    found: list[Column] = []
    for item in scope.query.items:
        if isinstance(item, AllFields):
            found += [((field.name,), field) for field in all_fields(scope, item)]
        elif isinstance(item, Plain):
            target = follow(scope, item.path)
            steps = (step.link.relationship or step.link.name for step in target.steps)
            found.append(((*steps, target.item.name), target.item))
    return found


def result_of(org: Org, text: str, user_id: str, *, with_deleted: bool) -> Result:
    """Raises SoqlError, Refusal."""
    scope = checked_scope(org, text, user_id, with_deleted=with_deleted)
    columns, ending = columns_of(scope), str(org.setting("bulk_times"))
    found = rows_of(scope)

    def cells(record: dict[str, Any]) -> Cells:
        return [_cell(_value(record, steps), item, ending) for steps, item in columns]

    cursor = Cursor(found, maker(scope, ""), user_id, org.now, len(found))
    return Result([".".join(steps) for steps, _ in columns], [item.type for _, item in columns], cursor, cells)


def _value(record: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if record is None:
            return None
        record = record[step]
    return record


def _cell(value: Any, item: Field, ending: str) -> str:
    """Blank for null; times end in ``.000Z`` here, unless switched."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if item.type == "datetime":
        return str(value).replace("+0000", ending)
    return str(value)
