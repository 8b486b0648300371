"""``/query`` and ``/queryAll``, with locators that stay stable while rows change."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.salesforce.ids import new_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.replies import reply
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.soql.evaluate import Evaluation, aggregate
from connectors.emulator.salesforce.soql.lexer import SoqlError
from connectors.emulator.salesforce.soql.parser import Aggregate, Path, Query, parse
from connectors.emulator.world import Row

CURSOR_LIFE = timedelta(days=2)
LOCATOR = re.compile(r"^(01g[0-9A-Za-z]{15})-(\d+)$")


async def query(request: Request) -> Response:
    """One page of a query; the rest under ``nextRecordsUrl``."""
    org: Org = request.app.state.org
    version = request.path_params["version"]
    with_deleted = "/queryall" in request.url.path.lower()
    size = _batch_size(request)
    locator = request.path_params.get("locator")
    if locator:
        found, start, size = _resumed(org, locator)
        return reply(request, _page(org, version, found, start, size, locator.split("-")[0]))
    text = request.query_params.get("q", "")
    try:
        parsed = parse(text)
        evaluation = evaluation_of(org, with_deleted=with_deleted)
        if parsed.group_by or any(isinstance(item, Aggregate) for item in parsed.items):
            return reply(request, _aggregated(evaluation, parsed))
        records = records_of(org, evaluation, parsed, version, evaluation.rows(parsed))
    except SoqlError as error:
        raise Refusal(400, error.code, error.message) from None
    return reply(request, _page(org, version, records, 0, size, None))


def evaluation_of(org: Org, *, with_deleted: bool) -> Evaluation:
    def visible(row: Row) -> bool:
        return org.is_visible(row) and (with_deleted or not row.deleted)

    return Evaluation(org.space, org.world.clock.now(), org.value_of, visible)


def records_of(org: Org, evaluation: Evaluation, parsed: Query, version: str, rows: list[Row]) -> list[dict[str, Any]]:
    """Rows as the API sends them: ``attributes`` first, then the fields in the order selected."""
    kind = evaluation.kind_of(parsed)
    columns = [_column(org, evaluation, parsed, kind, item, version) for item in parsed.items]
    return [
        {"attributes": attributes(kind, row, version), **_merged([column(row) for column in columns])} for row in rows
    ]


def attributes(kind: ObjectType, row: Row, version: str) -> dict[str, str]:
    return {"type": kind.name, "url": f"/services/data/{version}/sobjects/{kind.name}/{row.id}"}


def _column(org: Org, evaluation: Evaluation, parsed: Query, kind: ObjectType, item: Any, version: str) -> Any:
    if isinstance(item, Query):
        return _children(org, evaluation, kind, item, version)
    if isinstance(item, Path) and len(item.parts) > 1 and item.parts[0].lower() != kind.name.lower():
        reader = evaluation.reader(parsed, kind, item)
        link = next(each for each in kind.visible() if (each.relationship or "").lower() == item.parts[0].lower())

        def parent(row: Row) -> dict[str, Any]:
            found = evaluation.parent_row(link, row)
            if found is None:
                return {str(link.relationship): None}
            target = org.kind(found.object_type)
            leaf = target.find(item.parts[1]) if len(item.parts) == 2 else None
            name = leaf.name if leaf is not None else item.parts[1]
            return {str(link.relationship): {"attributes": attributes(target, found, version), name: reader(row)}}

        return parent
    path: Path = item
    reader = evaluation.reader(parsed, kind, path)
    found = kind.find(path.parts[-1])
    name = found.name if found is not None else path.parts[-1]
    return lambda row: {name: reader(row)}


def _children(org: Org, evaluation: Evaluation, kind: ObjectType, item: Query, version: str) -> Any:
    """A child sub-query such as ``(SELECT Id FROM Contacts)``; null when there are none."""
    plurals = {
        ("Account", "contacts"): ("Contact", "AccountId"),
        ("Account", "opportunities"): ("Opportunity", "AccountId"),
    }
    place = plurals.get((kind.name, item.source.lower()))
    if place is None:
        raise SoqlError("INVALID_TYPE", f"Didn't understand relationship '{item.source}' in FROM part of query call.")
    child_type, field = place
    nested = Query(
        item.items, child_type, item.column, item.where, (), item.order_by, item.limit, item.offset, item.text
    )

    def children(row: Row) -> dict[str, Any]:
        rows = [child for child in evaluation.rows(nested) if child.values.get(field) == row.id]
        records = records_of(org, evaluation, nested, version, rows)
        name = item.source[0].upper() + item.source[1:]
        return {name: {"totalSize": len(rows), "done": True, "records": records} if rows else None}

    return children


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Two paths through one parent become one nested object."""
    record: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if isinstance(value, dict) and isinstance(record.get(name), dict):
                record[name].update(value)
            else:
                record[name] = value
    return record


def _aggregated(evaluation: Evaluation, parsed: Query) -> dict[str, Any]:
    if parsed.is_bare_count:
        return {"totalSize": len(evaluation.rows(parsed)), "done": True, "records": []}
    rows = aggregate(evaluation, parsed)
    return {"totalSize": len(rows), "done": True, "records": rows}


def _page(
    org: Org, version: str, records: list[dict[str, Any]], start: int, size: int, cursor: str | None
) -> dict[str, Any]:
    end = start + size
    page: dict[str, Any] = {"totalSize": len(records), "done": end >= len(records), "records": records[start:end]}
    if not page["done"]:
        if cursor is None:
            cursor = new_id("01g", org.space.next_number("01g"))
            org.cursors[cursor] = (records, org.world.clock.now(), size)
        page["nextRecordsUrl"] = f"/services/data/{version}/query/{cursor}-{end}"
    return page


def _resumed(org: Org, locator: str) -> tuple[list[dict[str, Any]], int, int]:
    match = LOCATOR.match(locator)
    kept: tuple[list[dict[str, Any]], datetime, int] | None = org.cursors.get(match.group(1)) if match else None
    if match is None or kept is None or org.world.clock.now() - kept[1] > CURSOR_LIFE:
        raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return kept[0], int(match.group(2)), kept[2]


def _batch_size(request: Request) -> int:
    match = re.search(r"batchSize=(\d+)", request.headers.get("sforce-query-options", ""), re.IGNORECASE)
    return max(200, min(2000, int(match.group(1)))) if match else 2000
