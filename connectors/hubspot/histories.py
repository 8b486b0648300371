"""Who last edited a field, and what stood there before us: HubSpot keeps the last values of every property, in a
history that batch reads can bring along."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from agent.records import Ref
from agent.versions import Author, Landed, Version
from connectors.hubspot.abilities import HISTORY_CHUNK
from connectors.hubspot.associations import in_properties, refused
from connectors.hubspot.client import Client
from connectors.hubspot.ids import checked_object_type, is_record_id
from connectors.hubspot.records import blank_as_none, moment, rows_of
from connectors.hubspot.vendor import SYSTEM

EARLIEST_STAMP, LATEST_STAMP = timedelta(seconds=10), timedelta(seconds=1)
"""A value may carry a stamp so much earlier or later than the record that got it; what HubSpot promises here was never
read. One stamped at another time was not made by this write: a value that stands there already makes no new version."""

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
    return {cell: _author(versions[0], people) for cell, versions in _histories(client, cells) if versions}


def stood_before(client: Client, landed: Collection[Landed], people: Mapping[str, str]) -> dict[Landed, Version]:
    """See ``agent.connector.Connector.stood_before``; ``people`` and errors as above."""
    by_cell: dict[tuple[Ref, str], list[Landed]] = defaultdict(list)
    for each in landed:
        by_cell[each.ref, each.field].append(each)
    found: dict[Landed, Version] = {}
    for cell, versions in _histories(client, list(by_cell)):
        for each in by_cell[cell]:
            older = _older_than(versions, each)
            at = moment(older.get("timestamp")) if older is not None else None
            if older is not None and at is not None:
                found[each] = Version(blank_as_none(older.get("value")), at, _author(older, people))
    return found


def _histories(
    client: Client, cells: Sequence[tuple[Ref, str]]
) -> Iterator[tuple[tuple[Ref, str], list[Mapping[str, Any]]]]:
    """The versions of each cell, newest first."""
    wanted = set(cells)
    for object_type, ids, names in _asked(cells):
        reply = client.batch_read(checked_object_type(object_type), ids, [], history=names)
        if not reply.is_success:
            raise refused(reply, f"reading histories of {object_type}")
        for row in rows_of(reply.json_object("results")):
            ref = Ref(SYSTEM, object_type, row["id"])
            for name in names:
                if (ref, name) in wanted:
                    yield (ref, name), _versions(row, name)


def _older_than(versions: Sequence[Mapping[str, Any]], landed: Landed) -> Mapping[str, Any] | None:
    """The version before the one that this write made; None where that one is not among them, or is the oldest."""
    stamp = moment(landed.version)
    for number, version in enumerate(versions[:-1]):
        at = moment(version.get("timestamp"))
        if at is None or stamp is None or not stamp - EARLIEST_STAMP <= at <= stamp + LATEST_STAMP:
            continue
        if blank_as_none(version.get("value")) == landed.value:
            return versions[number + 1]
    return None


def _asked(cells: Sequence[tuple[Ref, str]]) -> Iterator[tuple[str, list[str], list[str]]]:
    """(object type, ids, properties) of each call."""
    valid = [(ref, name) for ref, name in cells if ref.system == SYSTEM and is_record_id(ref.id)]
    valid = [(ref, name) for ref, name in valid if in_properties(ref.object_type, [name])]
    for object_type in sorted({ref.object_type for ref, _ in valid}):
        ids = sorted({ref.id for ref, _ in valid if ref.object_type == object_type})
        names = sorted({name for ref, name in valid if ref.object_type == object_type})
        for start in range(0, len(ids), HISTORY_CHUNK):
            yield object_type, ids[start : start + HISTORY_CHUNK], names


def _versions(row: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    histories = row.get("propertiesWithHistory")
    versions = histories.get(name) if isinstance(histories, dict) else None
    return [version for version in versions if isinstance(version, dict)] if isinstance(versions, list) else []


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
