"""Fields that HubSpot keeps beside a record and not in it: the primary company of a deal.

They are read from the associations themselves, at once and consistently; the property of the same name is worked out
from them by HubSpot some time later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.hubspot.client import Client, Reply, bad_reply
from connectors.hubspot.failures import complaint, read_error
from connectors.hubspot.ids import is_record_id
from connectors.hubspot.vendor import Association, association_fields

READ_CHUNK = 1000
NO_ASSOCIATIONS = "crm.associations.NO_ASSOCIATIONS_FOUND"

Spec = tuple[str, int]
"""(category, type id) of one label of a pair."""

Held = Mapping[str, Mapping[str, frozenset[Spec]]]
"""{record: {record it is associated with: the labels of that pair}}."""


@dataclass(frozen=True, slots=True)
class Associations:
    """Reads associations of one object type with another."""

    client: Client

    def complete(self, object_type: str, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> None:
        """Put the wanted association fields among the properties of these rows; what cannot be told stays absent.

        Raises:
            AccessDenied, Unavailable, BadReply: nothing may be concluded about any of them.
        """
        places = [place for place in association_fields(object_type).values() if place.field in names]
        listed = list(rows) if places else []
        for place in places:
            held = self.held(object_type, place.object_type, [row["id"] for row in listed])
            for row in listed:
                if row["id"] in held:
                    row["properties"][place.field] = primary_of(held[row["id"]], place)

    def held(self, here: str, there: str, record_ids: Sequence[str]) -> Held:
        """What each record is associated with; a record that HubSpot does not tell about is left out."""
        found: dict[str, dict[str, frozenset[Spec]]] = {}
        asked: list[dict[str, str]] = [{"id": record_id} for record_id in dict.fromkeys(record_ids)]
        while asked:
            chunk, asked = asked[:READ_CHUNK], asked[READ_CHUNK:]
            reply = self.client.associations(here, there, chunk)
            if not reply.is_success:
                raise refused(reply, f"reading the {there} of {here}")
            asked += _take(found, reply)
        return found


def refused(reply: Reply, doing: str) -> Exception:
    """The exception for an error status of a read."""
    return read_error(complaint(reply.status, reply.loose_json()), doing, reply.retry_after)


def primary_of(pairs: Mapping[str, frozenset[Spec]], place: Association) -> str | None:
    """The record that carries the label of this field."""
    return next((other for other, labels in pairs.items() if place.label in labels), None)


def in_properties(object_type: str, names: Iterable[str]) -> list[str]:
    """Names that a record itself can be asked for."""
    beside = {place.field for place in association_fields(object_type).values()}
    return [name for name in names if name not in beside]


def _take(found: dict[str, dict[str, frozenset[Spec]]], reply: Reply) -> list[dict[str, str]]:
    """Add one answer to what was found; returns what has to be asked for further pages."""
    body = reply.json_object("results")
    more: list[dict[str, str]] = []
    for result in _listed(body["results"]):
        record_id = _id_of(result.get("from"), "id")
        pairs = found.setdefault(record_id, {})
        for far in _listed(result.get("to")):
            pairs[_id_of(far, "toObjectId")] = frozenset(_labels(far))
        following = ((result.get("paging") or {}).get("next") or {}).get("after")
        if following:
            more.append({"id": record_id, "after": str(following)})
    for error in _listed(body.get("errors") or []):
        if error.get("subCategory") != NO_ASSOCIATIONS:
            raise bad_reply(f"associations were not told: {error.get('category') or 'no reason given'}")
        for record_id in (error.get("context") or {}).get("fromObjectId") or ():
            found.setdefault(str(record_id), {})
    return more


def _labels(far: Mapping[str, Any]) -> list[Spec]:
    try:
        return [(str(each["category"]), int(each["typeId"])) for each in _listed(far.get("associationTypes"))]
    except (KeyError, TypeError, ValueError):
        raise bad_reply("an association has no types") from None


def _listed(items: Any) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise bad_reply("associations are not a list")
    return items


def _id_of(holder: Any, name: str) -> str:
    record_id = str(holder.get(name)) if isinstance(holder, dict) else ""
    if not is_record_id(record_id):
        raise bad_reply("an association has no proper id")
    return record_id
