"""Records as HubSpot writes them: every value text or null, histories newest first, archived ones with their date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.properties import Schema
from connectors.emulator.hubspot.times import wire
from connectors.emulator.world import Row


@dataclass(slots=True)
class Done:
    """A written record and what its answer shows: the properties that were sent or followed, and warnings."""

    row: Row
    names: list[str]
    warnings: list[dict[str, Any]] = field(default_factory=list)
    is_new: bool = False


def record(portal: Portal, schema: Schema, row: Row, names: Sequence[str]) -> dict[str, Any]:
    """One record with these properties; ``names`` from ``Schema.selected``."""
    values = row.values
    properties = {name: values.get(name) for name in names}
    for name, compute in schema.computed.items():
        if name in properties:
            properties[name] = compute(row)
    document = {
        "id": row.id,
        "properties": properties,
        "createdAt": wire(row.created_at),
        "updatedAt": wire(row.stamp),
        "archived": row.deleted,
        "url": portal.url(schema.kind, row.id),
    }
    if row.deleted and row.deleted_at is not None:
        document["archivedAt"] = wire(row.deleted_at)
    return document


def histories(portal: Portal, schema: Schema, row: Row, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """{property: versions, newest first}; a property without values has none."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names if name in schema.definitions}
    for name, value, at, actor_id in row.history:
        if name not in found or len(found[name]) >= schema.kind.versions:
            continue
        source = portal.source(actor_id)
        version = {
            "value": value if value is not None else "",
            "timestamp": wire(at),
            "sourceType": source.type,
            "sourceId": source.id,
        }
        if source.label:
            version["sourceLabel"] = source.label
        if source.user_id is not None:
            version["updatedByUserId"] = source.user_id
        found[name].append(version)
    return found


def written(portal: Portal, schema: Schema, done: Done) -> dict[str, Any]:
    """The answer to a write: the changed properties and those that are always there, not the whole record."""
    document = record(portal, schema, done.row, schema.selected([*done.names, *schema.kind.always]))
    if done.warnings:
        document["warnings"] = done.warnings
    return document
