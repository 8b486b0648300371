"""Who last edited a field: HubSpot keeps that per property, in a history that batch reads can bring along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.connector import Author
from agent.records import Ref
from connectors.hubspot.associations import in_properties, refused
from connectors.hubspot.client import Client
from connectors.hubspot.ids import checked_object_type, is_record_id
from connectors.hubspot.records import rows_of
from connectors.hubspot.vendor import SYSTEM

HISTORY_CHUNK = 50
"""A batch read with histories takes half as many records as one without."""

_BY_USER = "userId:"

_KINDS = {
    "AUTOMATION_PLATFORM": "workflow",
    "WORKFLOWS": "workflow",
    "INTEGRATION": "app",
    "IMPORT": "import",
    "FORM": "form",
    "SALESFORCE": "Salesforce integration",
}
"""How people call a source. The list is open (facts: no authoritative one exists); other words stay as they are."""


def authors_of(
    client: Client, cells: Sequence[tuple[Ref, str]], people: Mapping[str, str]
) -> dict[tuple[Ref, str], Author]:
    """``people``: {user id: name}. Apps, imports and HubSpot's own features are known by their kind of source.

    Raises:
        AccessDenied, Unavailable, BadReply: the histories could not be read.
    """
    found: dict[tuple[Ref, str], Author] = {}
    wanted = set(cells)
    for object_type, ids, names in _asked(cells):
        reply = client.batch_read(checked_object_type(object_type), ids, [], history=names)
        if not reply.is_success:
            raise refused(reply, f"reading histories of {object_type}")
        for row in rows_of(reply.json_object("results")):
            ref = Ref(SYSTEM, object_type, row["id"])
            for name in names:
                version = _newest(row, name)
                if version is not None and (ref, name) in wanted:
                    found[ref, name] = _author(version, people)
    return found


def _asked(cells: Sequence[tuple[Ref, str]]) -> Iterator[tuple[str, list[str], list[str]]]:
    """(object type, ids, properties) of each call."""
    valid = [(ref, name) for ref, name in cells if ref.system == SYSTEM and is_record_id(ref.id)]
    valid = [(ref, name) for ref, name in valid if in_properties(ref.object_type, [name])]
    for object_type in sorted({ref.object_type for ref, _ in valid}):
        ids = sorted({ref.id for ref, _ in valid if ref.object_type == object_type})
        names = sorted({name for ref, name in valid if ref.object_type == object_type})
        for start in range(0, len(ids), HISTORY_CHUNK):
            yield object_type, ids[start : start + HISTORY_CHUNK], names


def _newest(row: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The newest version of a property, or None."""
    histories = row.get("propertiesWithHistory")
    versions = histories.get(name) if isinstance(histories, dict) else None
    newest = versions[0] if isinstance(versions, list) and versions else None
    return newest if isinstance(newest, dict) else None


def _author(version: Mapping[str, Any], people: Mapping[str, str]) -> Author:
    kind, source = str(version.get("sourceType") or "unknown"), str(version.get("sourceId") or "")
    user = str(version.get("updatedByUserId") or "") or (
        source.removeprefix(_BY_USER) if source.startswith(_BY_USER) else ""
    )
    if user in people:
        return Author(people[user], frozenset({user, kind}))
    name = _spoken(kind, source, str(version.get("sourceLabel") or ""))
    return Author(name, frozenset(filter(None, (kind, source))), is_person=False)


def _spoken(kind: str, source: str, label: str) -> str:
    """``the HubSpot workflow “Format phones” (4711)``, as far as HubSpot tells."""
    which = f" “{label}”" if label and label != source else ""
    return f"the HubSpot {_KINDS.get(kind, kind)}{which}" + (f" ({source})" if source else "")
