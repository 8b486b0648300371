"""The full copy of a record: every readable property, and everything associated with it, label by label."""

from __future__ import annotations

from dataclasses import dataclass

from agent.connector import FullCopy, Tie
from agent.errors import AccessDenied, BadReply
from agent.records import Gone, MergedInto, Record, Ref, Unreadable
from connectors.hubspot.associations import Associations, refused
from connectors.hubspot.client import Client
from connectors.hubspot.ids import checked_object_type
from connectors.hubspot.reading import Reader
from connectors.hubspot.vendor import SYSTEM, association_fields, tied_types


@dataclass(slots=True)
class Copier:
    client: Client
    reader: Reader

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        """As the port says. Raises AccessDenied, Unavailable, BadReply, NotFound."""
        object_type = checked_object_type(ref.object_type)
        [readout] = self.reader.read([ref], self._names(object_type))
        if not isinstance(readout, Record):
            return readout
        ties: list[Tie] = []
        unread: list[str] = []
        for there in tied_types():
            found = self._ties(object_type, ref.id, there)
            ties += found or ()
            unread += [there] if found is None else []
        return FullCopy(readout, tuple(ties), tuple(unread))

    def _names(self, object_type: str) -> list[str]:
        """Every property, and what HubSpot keeps beside the record."""
        reply = self.client.properties(object_type)
        if not reply.is_success:
            raise refused(reply, f"reading the properties of {object_type}")
        results = reply.json_object("results")["results"]
        names = [str(each["name"]) for each in results if isinstance(each, dict) and each.get("name")]
        return [
            *names,
            *(place.field for place in association_fields(object_type).values() if place.field not in names),
        ]

    def _ties(self, object_type: str, record_id: str, there: str) -> list[Tie] | None:
        """One tie per label; None where HubSpot does not show them."""
        try:
            held = Associations(self.client).held(object_type, there, [record_id]).get(record_id)
        except (AccessDenied, BadReply):
            return None
        if held is None:
            return None
        return [
            Tie(Ref(SYSTEM, there, other), f"{category} {number}")
            for other, labels in held.items()
            for category, number in sorted(labels)
        ]
