"""A record as HubSpot's JSON shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from connectors.emulator.hubspot.portal import Portal, wire
from connectors.emulator.hubspot.schema import Kind
from connectors.emulator.world import Row


def names_asked(request: Request, parameter: str) -> list[str]:
    """Repeated or comma-joined."""
    return [name for value in request.query_params.getlist(parameter) for name in value.split(",") if name]


def flag(request: Request, parameter: str) -> bool:
    return request.query_params.get(parameter, "false").lower() == "true"


def shown(
    portal: Portal,
    kind: Kind,
    row: Row,
    names: Sequence[str],
    *,
    history: Sequence[str] = (),
    with_defaults: bool = True,
) -> dict[str, Any]:
    """Asked-for but unset is null, asked-for but unknown is absent; ids and stamps always come along."""
    always = [*(kind.defaults if not names and with_defaults else []), "createdate", kind.stamp, "hs_object_id"]
    wanted = dict.fromkeys([*names, *always])
    document: dict[str, Any] = {
        "id": row.id,
        "properties": {name: portal.property_of(kind, row, name) for name in wanted if kind.find(name) is not None},
        "createdAt": wire(row.created_at),
        "updatedAt": wire(row.stamp),
        "archived": row.deleted,
    }
    if row.deleted:
        document["archivedAt"] = wire(row.deleted_at or row.stamp)
    if history:
        document["propertiesWithHistory"] = {name: _history(row, name) for name in history}
    document["url"] = f"https://app.hubspot.com/contacts/{portal.space.settings['portal_id']}/record/{kind.id}/{row.id}"
    return document


def _history(row: Row, name: str) -> list[dict[str, Any]]:
    """Newest first; the source is told by who wrote it."""
    lines = []
    for field, value, at, actor in row.history:
        if field != name:
            continue
        kind, _, source_id = actor.partition(":")
        is_app = kind == "INTEGRATION"
        line = {"value": value or "", "timestamp": wire(at), "sourceType": "INTEGRATION" if is_app else "CRM_UI"}
        line["sourceId"] = source_id if is_app else f"userId:{actor}"
        lines.append(line)
    return lines
