"""What the operation ``associate`` asks of HubSpot: which pairs get a label, lose it, or end.

A company that becomes a deal's primary one takes the label from the one before, which stays associated, as HubSpot does
itself. Ending it ends the pair, unless people gave the pair labels of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.connector import Write
from connectors.hubspot.associations import Held, Spec, primary_of
from connectors.hubspot.client import Client, Reply
from connectors.hubspot.vendor import Association, association_fields

Verb = Literal["create", "archive", "archive_labels"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call for some writes; ``inputs`` are its body."""

    verb: Verb
    place: Association
    writes: tuple[Write, ...]
    inputs: tuple[Mapping[str, Any], ...]

    def send(self, client: Client) -> Reply:
        here, entry_ids = self.writes[0].object_type, [write.entry_id for write in self.writes]
        return client.write_associations(self.verb, here, self.place.object_type, self.inputs, entry_ids)


def place_of(write: Write) -> Association | None:
    """The association field that a write changes; None where its fields are properties."""
    places = {place.field: place for place in association_fields(write.object_type).values()}
    return next((places[name] for name in write.fields if name in places), None)


def wanted(write: Write, place: Association) -> str | None:
    """The record it shall be associated with, or None for nobody."""
    value = write.fields[place.field]
    return str(value) if value not in (None, "") else None


def calls_for(writes: Sequence[Write], place: Association, held: Held) -> list[Call]:
    """The calls that bring these writes about, in order; none for what is so already."""
    by_verb: dict[Verb, list[tuple[Write, Mapping[str, Any]]]] = {"archive_labels": [], "archive": [], "create": []}
    for write in writes:
        pairs = held.get(write.record_id or "", {})
        before, after = primary_of(pairs, place), wanted(write, place)
        if before == after:
            continue
        if after is not None:
            labels = pairs.get(after, frozenset()) | {place.label}
            by_verb["create"].append((write, pair_input(write.record_id or "", after, labels)))
        elif before is not None and pairs[before] - {place.label, place.plain}:
            by_verb["archive_labels"].append((write, pair_input(write.record_id or "", before, {place.label})))
        elif before is not None:
            by_verb["archive"].append((write, {"from": {"id": write.record_id}, "to": [{"id": before}]}))
    return [
        Call(verb, place, tuple(write for write, _ in found), tuple(inputs for _, inputs in found))
        for verb, found in by_verb.items()
        if found
    ]


def pair_input(here: str, there: str, labels: Iterable[Spec]) -> Mapping[str, Any]:
    """One pair with its labels, as a call takes it."""
    types = [{"associationCategory": category, "associationTypeId": number} for category, number in sorted(labels)]
    return {"from": {"id": here}, "to": {"id": there}, "types": types}
