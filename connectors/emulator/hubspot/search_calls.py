"""Search: an index that lags, a window of 10,000, caps on filters; never shows archived records."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from connectors.emulator.hubspot.call import Call, as_list, as_object, is_whole
from connectors.emulator.hubspot.filters import Filters, Test, sort_key
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.refusals import bad_request, text
from connectors.emulator.hubspot.replies import reply
from connectors.emulator.hubspot.shapes import record
from connectors.emulator.world import Row

WINDOW = 10_000
MOST_PER_PAGE = 200
MOST_GROUPS, MOST_IN_GROUP, MOST_FILTERS = 5, 6, 18
LONGEST_BODY = 3_000


def search(call: Call) -> Response:
    call.require(call.kind.scopes("read"))
    if len(call.raw) > LONGEST_BODY:
        raise bad_request(text("search_too_long", limit=LONGEST_BODY))
    limit, after = _page(call.body)
    found = matching(call, call.kind, call.body)
    schema = call.portal.schema(call.kind)
    names = schema.selected(call.texts_of("properties"))
    results = [record(call.portal, schema, row, names) for row in found[after : after + limit]]
    document: dict[str, Any] = {"total": len(found), "results": results}
    if after + limit < len(found):
        document["paging"] = {"next": {"after": str(after + limit)}}
    return reply(document)


def matching(call: Call, kind: Kind, wanted: dict[str, Any]) -> list[Row]:
    """What a search finds, in the order asked for: by default as created, oldest first. Raises Refusal 400."""
    filters = Filters(call.portal, call.records.associations, kind)
    given = [[as_object(one) for one in group] for group in _filter_groups(wanted)]
    groups: list[list[Test]] = [[filters.test(one) for one in group] for group in given]
    queried = filters.query(str(wanted.get("query") or ""))
    found = [
        row
        for row in call.portal.index.rows(kind.name, filters.span(given))
        if queried(row) and (not groups or any(all(test(row) for test in tests) for tests in groups))
    ]
    name, descending = _sort(wanted)
    key = sort_key(call.portal.schema(kind), name)
    found.sort(key=lambda row: int(row.id))
    found.sort(key=lambda row: row.created_at if key is None else key(row), reverse=descending)
    return found


def _page(body: dict[str, Any]) -> tuple[int, int]:
    """(limit, offset). Raises Refusal: 400, beyond what a search shows."""
    limit, after = body.get("limit", 10), str(body.get("after") or 0)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_PER_PAGE:
        raise bad_request(text("bad_limit", name="limit", value=limit, most=MOST_PER_PAGE))
    if not is_whole(after):
        raise bad_request(text("bad_after", value=after))
    if int(after) + limit > WINDOW:
        raise bad_request(text("search_window", limit=WINDOW))
    return limit, int(after)


def _filter_groups(body: dict[str, Any]) -> list[list[Any]]:
    """Filters at the top are a group of their own. Raises Refusal: 400, too many."""
    groups = [as_list(as_object(group).get("filters")) for group in as_list(body.get("filterGroups"))]
    if body.get("filters"):
        groups.append(as_list(body["filters"]))
    if len(groups) > MOST_GROUPS:
        raise bad_request(text("too_many_groups", limit=MOST_GROUPS))
    if sum(map(len, groups)) > MOST_FILTERS or any(len(group) > MOST_IN_GROUP for group in groups):
        raise bad_request(text("too_many_filters", limit=MOST_IN_GROUP, total=MOST_FILTERS))
    return groups


def _sort(body: dict[str, Any]) -> tuple[str | None, bool]:
    """(property, whether descending). A sort is an object or a name alone. Raises Refusal: 400, more than one."""
    sorts = as_list(body.get("sorts"))
    if len(sorts) > 1:
        raise bad_request(text("too_many_sorts"))
    if not sorts:
        return None, False
    if isinstance(sorts[0], str):
        return sorts[0].removeprefix("-"), sorts[0].startswith("-")
    given = as_object(sorts[0])
    return str(given.get("propertyName")), str(given.get("direction", "ASCENDING")).upper() == "DESCENDING"
