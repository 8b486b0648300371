"""Search: an index that lags, a window of 10,000, caps on filters; never shows archived records."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.gate import body_of, check_scope, portal_of, reply
from connectors.emulator.hubspot.portal import Portal, _moment
from connectors.emulator.hubspot.schema import Kind, Property, no_such_property
from connectors.emulator.hubspot.shapes import shown
from connectors.emulator.world import Row

WINDOW = 10_000
MOST_GROUPS, MOST_IN_GROUP, MOST_FILTERS = 5, 6, 18
LONGEST_BODY = 3000
Test = Callable[[Row], bool]


async def search(request: Request) -> Response:
    portal = portal_of(request)
    kind = portal.kind(request.path_params["type"])
    check_scope(request, kind.name, writing=False)
    if len(await request.body()) > LONGEST_BODY:
        raise refusals.invalid(f"The request body is longer than {LONGEST_BODY} characters")
    document = await body_of(request)
    limit, after = _paging(document)
    tests = [[_test(portal, kind, each) for each in group] for group in _groups(document)]
    now = portal.now()
    found = [
        row
        for row in portal.space.table(kind.name).values()
        if not row.deleted and row.merged_into is None and row.visible_at <= now
        and (not tests or any(all(test(row) for test in group) for group in tests))
    ]  # fmt: skip
    _sort(portal, kind, found, document.get("sorts") or [])
    page = found[after : after + limit]
    names = document.get("properties") or []
    answer: dict[str, Any] = {"total": len(found), "results": [shown(portal, kind, row, names) for row in page]}
    if after + limit < len(found):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return reply(answer)


def _paging(document: dict[str, Any]) -> tuple[int, int]:
    limit, after = int(document.get("limit") or 10), int(document.get("after") or 0)
    if not 1 <= limit <= 200:
        raise refusals.invalid("limit must be between 1 and 200")
    if after + limit > WINDOW:
        raise refusals.invalid(f"The search window is {WINDOW} results")
    return limit, after


def _groups(document: dict[str, Any]) -> list[list[dict[str, Any]]]:
    groups = [group.get("filters") or [] for group in document.get("filterGroups") or []]
    if document.get("filters"):
        groups.append(document["filters"])
    too_many = len(groups) > MOST_GROUPS or sum(map(len, groups)) > MOST_FILTERS
    if too_many or any(len(group) > MOST_IN_GROUP for group in groups):
        raise refusals.invalid(f"At most {MOST_GROUPS} groups of {MOST_IN_GROUP} filters, {MOST_FILTERS} in all")
    return groups


def _sort(portal: Portal, kind: Kind, rows: list[Row], sorts: list[Any]) -> None:
    if len(sorts) > 1:
        raise refusals.invalid("Only one sort is supported")
    if not sorts:
        rows.sort(key=lambda row: (row.created_at, int(row.id)))
        return
    given = sorts[0] if isinstance(sorts[0], dict) else {"propertyName": sorts[0], "direction": "ASCENDING"}
    item = kind.find(given["propertyName"])
    if item is None:
        raise no_such_property(given["propertyName"])
    read = _reader(portal, kind, item)
    backward = str(given.get("direction", "ASCENDING")).upper() == "DESCENDING"
    rows.sort(key=lambda row: ((value := read(row)) is None, value if value is not None else 0), reverse=backward)


def _reader(portal: Portal, kind: Kind, item: Property) -> Callable[[Row], Any]:
    """Values in comparable form: numbers as numbers, times in milliseconds, text in lower case."""
    if item.name == "hs_object_id":
        return lambda row: float(row.id)
    if item.name in (kind.stamp, "hs_lastmodifieddate"):
        return lambda row: int(row.stamp.timestamp() * 1000)
    if item.name in ("createdate", "hs_createdate"):
        return lambda row: int(row.created_at.timestamp() * 1000)
    if item.type == "number":
        return lambda row: float(row.values[item.name]) if row.values.get(item.name) not in (None, "") else None
    if item.type in ("date", "datetime"):
        return lambda row: _milliseconds(row.values.get(item.name))
    if item.type == "enumeration":
        return lambda row: row.values.get(item.name) or None
    return lambda row: str(row.values[item.name]).lower() if row.values.get(item.name) else None


def _milliseconds(text: Any) -> int | None:
    at = _moment(str(text)) if text else None
    return int(at.timestamp() * 1000) if at else None


def _wanted(kind: Kind, item: Property, text: Any) -> Any:
    if item.type == "number":
        try:
            return float(text)
        except (TypeError, ValueError):
            raise refusals.invalid(f"{text} was not a valid number") from None
    if item.type in ("date", "datetime"):
        return _milliseconds(text)
    return str(text) if item.type == "enumeration" else str(text).lower()


def _test(portal: Portal, kind: Kind, given: dict[str, Any]) -> Test:
    item = kind.find(str(given.get("propertyName")))
    if item is None:
        raise no_such_property(str(given.get("propertyName")))
    read, operator = _reader(portal, kind, item), given.get("operator")
    if operator == "HAS_PROPERTY":
        return lambda row: read(row) is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda row: read(row) is None
    if operator in ("IN", "NOT_IN"):
        raw = [str(value) for value in given.get("values") or []]
        among = set(raw) if item.type in ("string", "enumeration") else {_wanted(kind, item, value) for value in raw}
        inside = operator == "IN"
        return lambda row: (read(row) in among) is inside and read(row) is not None
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        pattern = re.compile(r"(^|[\s@.])" + re.escape(str(given.get("value")).lower()).replace(r"\*", ".*"))
        has = operator == "CONTAINS_TOKEN"
        return lambda row: bool(pattern.search(str(read(row) or ""))) is has
    value = _wanted(kind, item, given.get("value"))
    if operator == "BETWEEN":
        high = _wanted(kind, item, given.get("highValue"))
        return lambda row: (have := read(row)) is not None and value <= have <= high
    compare: dict[str, Callable[[Any], bool]] = {
        "EQ": lambda have: have == value, "NEQ": lambda have: have != value, "LT": lambda have: have < value,
        "LTE": lambda have: have <= value, "GT": lambda have: have > value, "GTE": lambda have: have >= value,
    }  # fmt: skip
    if operator not in compare:
        raise refusals.invalid(f"{operator} is not a known operator")
    holds = compare[str(operator)]
    return lambda row: (have := read(row)) is not None and holds(have)
