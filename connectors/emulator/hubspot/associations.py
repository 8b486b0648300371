"""Associations: both directions, labels by type id, one primary company per contact."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.gate import check_scope, no_content, portal_of, reply
from connectors.emulator.hubspot.portal import Portal, api_actor, wire
from connectors.emulator.hubspot.schema import Kind
from connectors.emulator.world import Transaction

TYPES: dict[tuple[str, str], tuple[int, int | None]] = {
    ("contacts", "companies"): (279, 1), ("companies", "contacts"): (280, 2), ("deals", "contacts"): (3, None),
    ("contacts", "deals"): (4, None), ("deals", "companies"): (341, 5), ("companies", "deals"): (342, 6),
    ("contacts", "tasks"): (203, None), ("tasks", "contacts"): (204, None),
}  # fmt: skip
"""(from, to) → (unlabelled type id, primary type id)."""


def linked(portal: Portal, kind: Kind, row_id: str, there: Kind) -> list[tuple[str, list[int]]]:
    """(other id, type ids) of live associations."""
    found = portal.space.links.get((kind.name, row_id), {})
    return [
        (other, sorted(int(label) for label in labels)) for (to, other), labels in found.items() if to == there.name
    ]


def connect(
    portal: Portal, transaction: Transaction, here: tuple[Kind, str], there: tuple[Kind, str], labels: set[int]
) -> None:
    """Set the label set of a pair, both directions; a new primary demotes the old one."""
    (kind, row_id), (other_kind, other_id) = here, there
    plain, primary = TYPES[kind.name, other_kind.name]
    back_plain, back_primary = TYPES[other_kind.name, kind.name]
    labels = labels | {plain}
    if kind.name == "contacts" and other_kind.name == "companies" and primary:
        if not any(primary in types for _, types in linked(portal, kind, row_id, other_kind)):
            labels.add(primary)
        if primary in labels:
            _demote(portal, transaction, kind, row_id, other_kind, other_id, primary)
    transaction.link((kind.name, row_id), (other_kind.name, other_id), {str(label) for label in labels})
    back = {back_plain} | ({back_primary} if primary in labels and back_primary else set())
    transaction.link((other_kind.name, other_id), (kind.name, row_id), {str(label) for label in back})
    if kind.name == "contacts" and primary in labels:
        portal.link_company(transaction, row_id, other_id)


def _demote(
    portal: Portal, transaction: Transaction, kind: Kind, row_id: str, there: Kind, keep: str, primary: int
) -> None:
    for other, types in linked(portal, kind, row_id, there):
        if other != keep and primary in types:
            rest = {str(each) for each in types if each != primary}
            transaction.link((kind.name, row_id), (there.name, other), rest)


def associate(portal: Portal, transaction: Transaction, kind: Kind, row_id: str, each: dict[str, Any]) -> None:
    """One element of ``associations`` in a create. Raises Refusal."""
    types = {int(item["associationTypeId"]) for item in each.get("types") or []}
    target = next(
        (to for (source, to), pair in TYPES.items() if source == kind.name and types & {n for n in pair if n}), None
    )
    if target is None:
        raise refusals.invalid(f"No association type {sorted(types)} for {kind.singular}")
    there = portal.kind(target)
    other = portal.live(there, str(each["to"]["id"]))
    connect(portal, transaction, (kind, row_id), (there, other.id), types)


async def pair(request: Request) -> Response:
    """PUT sets (default or labelled), DELETE removes every label of the pair."""
    portal = portal_of(request)
    kind, there = portal.kind(request.path_params["type"]), portal.kind(request.path_params["to"])
    check_scope(request, kind.name, writing=True)
    row, other = portal.live(kind, request.path_params["id"]), portal.live(there, request.path_params["to_id"])
    actor = api_actor(portal, request.state.token, None, request.headers.get("x-truce-entry"))
    if request.method == "DELETE":
        with portal.world.transaction("hubspot", actor) as transaction:
            transaction.link((kind.name, row.id), (there.name, other.id), set())
            transaction.link((there.name, other.id), (kind.name, row.id), set())
            if kind.name == "contacts" and row.values.get("associatedcompanyid") == other.id:
                portal.link_company(transaction, row.id, None)
        return no_content()
    is_default = request.url.path.rstrip("/").split("/")[-3] == "default"
    labels: set[int] = set()
    if not is_default:
        labels = {int(item["associationTypeId"]) for item in orjson.loads(await request.body())}
    with portal.world.transaction("hubspot", actor) as transaction:
        connect(portal, transaction, (kind, row.id), (there, other.id), labels)
    if is_default:
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TYPES[kind.name, there.name][0]}
        result = {"from": {"id": row.id}, "to": {"id": other.id}, "associationSpec": spec}
        return reply(
            {"status": "COMPLETE", "results": [result], "startedAt": _now(portal), "completedAt": _now(portal)}
        )
    body = {
        "fromObjectTypeId": kind.id,
        "fromObjectId": row.id,
        "toObjectTypeId": there.id,
        "toObjectId": other.id,
        "labels": [],
    }
    return reply(body, 201)


async def listing(request: Request) -> Response:
    """Who is associated with a record."""
    portal = portal_of(request)
    kind, there = portal.kind(request.path_params["type"]), portal.kind(request.path_params["to"])
    check_scope(request, kind.name, writing=False)
    row = portal.live(kind, request.path_params["id"])
    primary = TYPES.get((kind.name, there.name), (0, None))[1]
    is_v4 = "/v4/" in request.url.path
    results = [
        {
            "toObjectId": int(other) if is_v4 else other,
            "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": label, "label": "Primary" if label == primary else None}
                for label in labels
            ],
        }
        for other, labels in linked(portal, kind, row.id, there)
    ]
    return reply({"results": results})


def _now(portal: Portal) -> str:
    return wire(portal.now())
