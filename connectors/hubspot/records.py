"""HubSpot's record JSON → our nouns. Values are text or None; what the reply leaves out stays absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.records import FieldValue, MergedInto, Record, Ref
from connectors.hubspot.client import bad_reply
from connectors.hubspot.ids import is_record_id
from connectors.hubspot.vendor import MERGED_IDS, SYSTEM, stamp_field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABSENT = object()


def rows_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ``results`` of a reply, each a record.

    Raises:
        BadReply: no list, or an item that is no record.
    """
    results = body.get("results")
    if not isinstance(results, list):
        raise bad_reply("results is not a list")
    return [checked_row(row) for row in results]


def checked_row(row: Any) -> dict[str, Any]:
    """A record has an id of digits and properties. Raises BadReply."""
    if not isinstance(row, dict) or not is_record_id(row.get("id")):
        raise bad_reply("a record has no proper id")
    if not isinstance(row.get("properties"), dict):
        raise bad_reply("a record has no properties")
    return row


def values_of(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, FieldValue]:
    """The wanted properties that are there; blank is None, whether HubSpot says null or ``""``."""
    properties = row["properties"]
    return {
        name: value if value.__class__ is str and value else blank_as_none(value)
        for name in names
        if (value := properties.get(name, _ABSENT)) is not _ABSENT
    }


def record_of(object_type: str, row: Mapping[str, Any], names: Sequence[str], seen_at: datetime | None) -> Record:
    stamp = modified_at(object_type, row)
    return Record(
        ref=Ref(SYSTEM, object_type, row["id"]),
        fields=values_of(row, names),
        version=as_milliseconds(stamp),
        modified_at=stamp,
        seen_at=seen_at,
    )


def version_of(object_type: str, row: Mapping[str, Any]) -> str:
    """The stamp of the last change in milliseconds: one spelling, whichever endpoint told it."""
    return as_milliseconds(modified_at(object_type, row))


def modified_at(object_type: str, row: Mapping[str, Any]) -> datetime:
    """``updatedAt`` of the record, else its stamp property. Raises BadReply when neither can be read."""
    found = moment(row.get("updatedAt")) or moment(row["properties"].get(stamp_field(object_type)))
    if found is None:
        raise bad_reply("a record has no time of change")
    return found


def merges_of(object_type: str, row: Mapping[str, Any]) -> Iterator[MergedInto]:
    """Ids that were merged into this record, as it tells itself (``;`` between them)."""
    told = row["properties"].get(MERGED_IDS)
    if not told:
        return
    survivor = Ref(SYSTEM, object_type, row["id"])
    for old_id in str(told).split(";"):
        if is_record_id(old_id.strip()) and old_id.strip() != survivor.id:
            yield MergedInto(Ref(SYSTEM, object_type, old_id.strip()), survivor)


def moment(text: object) -> datetime | None:
    """ISO 8601 or milliseconds since 1970, both as HubSpot writes them, to UTC."""
    if not isinstance(text, str) or not text:
        return None
    try:
        if text.isascii() and text.isdigit():
            return _EPOCH + timedelta(milliseconds=int(text))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def as_milliseconds(at: datetime) -> str:
    """How searches and versions spell a moment."""
    return str((at - _EPOCH) // timedelta(milliseconds=1))


def blank_as_none(value: object) -> FieldValue:
    """HubSpot keeps text; anything else in a reply is shown as text rather than lost."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value)
