"""Who last edited a field: HubSpot keeps that per property, in a history that batch reads can bring along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.records import Ref
from connectors.hubspot.associations import in_properties, refused
from connectors.hubspot.client import Client
from connectors.hubspot.ids import checked_object_type, is_record_id
from connectors.hubspot.records import rows_of
from connectors.hubspot.vendor import SYSTEM

HISTORY_CHUNK = 50
"""A batch read with histories takes half as many records as one without."""

_BY_USER = "userId:"


def editors_of(
    client: Client, cells: Sequence[tuple[Ref, str]], people: Mapping[str, str]
) -> dict[tuple[Ref, str], str]:
    """``people``: {user id: name}. An edit by an app, an import or somebody unknown is left out.

    Raises:
        AccessDenied, Unavailable, BadReply: the histories could not be read.
    """
    found: dict[tuple[Ref, str], str] = {}
    for object_type, ids, names in _asked(cells):
        reply = client.batch_read(checked_object_type(object_type), ids, [], history=names)
        if not reply.is_success:
            raise refused(reply, f"reading histories of {object_type}")
        for row in rows_of(reply.json_object("results")):
            ref = Ref(SYSTEM, object_type, row["id"])
            for name in names:
                person = people.get(_user_of(row, name) or "")
                if person is not None and (ref, name) in cells:
                    found[ref, name] = person
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


def _user_of(row: Mapping[str, Any], name: str) -> str | None:
    """The user behind the newest version of a property, or None."""
    histories = row.get("propertiesWithHistory")
    versions = histories.get(name) if isinstance(histories, dict) else None
    if not isinstance(versions, list) or not versions or not isinstance(versions[0], dict):
        return None
    if versions[0].get("updatedByUserId"):
        return str(versions[0]["updatedByUserId"])
    source = str(versions[0].get("sourceId") or "")
    return source.removeprefix(_BY_USER) if source.startswith(_BY_USER) else None
