"""Associations as records of their own: who takes part in a deal, and as what.

HubSpot gives a pair no id, no stamp and no history. Its id here is both ids (``9971-501``), its version are its labels,
and it counts as changed when the record it hangs on does: associating touches both ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.connector import Choice, FieldSchema, Known, ObjectSchema, Page, Window, nothing_known
from agent.records import FieldValue, Gone, Readout, Record, Ref, Unreadable
from connectors.hubspot.associations import Associations, Held, Spec, refused
from connectors.hubspot.client import Client, bad_reply
from connectors.hubspot.pulling import Puller
from connectors.hubspot.reading import Reader
from connectors.hubspot.vendor import HUBSPOT_DEFINED, SYSTEM, PairType, pair_types

USER_DEFINED = "USER_DEFINED"
AND = ";"
_ID = re.compile(r"(?P<here>[0-9]{1,20})-(?P<there>[0-9]{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Labels:
    """The account's own labels for one kind of pair, by their text and by their number."""

    number: dict[str, int]
    text: dict[int, str]

    def value(self, specs: frozenset[Spec]) -> str | None:
        """What the field ``label`` holds: the labels that people gave, in order; None for none."""
        named = [self.text.get(number, str(number)) for category, number in specs if category == USER_DEFINED]
        return AND.join(sorted(named)) or None

    def specs(self, value: FieldValue) -> frozenset[Spec] | None:
        """The labels that this value means; None where HubSpot has no such label."""
        words = [word.strip() for word in str(value or "").split(AND) if word.strip()]
        numbers = [self.number.get(word) for word in words]
        known = [(USER_DEFINED, number) for number in numbers if number is not None]
        return frozenset(known) if len(known) == len(words) else None


NO_LABELS = Labels({}, {})


@dataclass(slots=True)
class Pairs:
    """Reads pairs. Raises from every call: AccessDenied, Unavailable, BadReply."""

    client: Client
    reader: Reader
    puller: Puller

    def schema(self, kind: PairType) -> ObjectSchema:
        """Both ends are set once; the label may change."""
        labels = self.labels(kind)
        ends = [FieldSchema(name, name.title(), "reference", False, required=True) for name in kind.ends]
        choices = tuple(Choice(word, word) for word in labels.number)
        label = FieldSchema(kind.label, "Label", "choice", True, choices=choices, restricted=True)
        return ObjectSchema(SYSTEM, kind.name, kind.title, {field.name: field for field in [*ends, label]})

    def labels(self, kind: PairType) -> Labels:
        reply = self.client.association_labels(kind.here, kind.there)
        if not reply.is_success:
            raise refused(reply, f"reading the labels of {kind.name}")
        found: dict[str, int] = {}
        for each in reply.json_object("results")["results"]:
            if not isinstance(each, dict) or not isinstance(each.get("typeId"), int):
                raise bad_reply("a label has no number")
            if each.get("category") == USER_DEFINED and each.get("label"):
                found[str(each["label"])] = each["typeId"]
        return Labels(found, {number: word for word, number in found.items()})

    def changed(
        self, kind: PairType, names: Sequence[str], window: Window, known: Known = nothing_known
    ) -> Iterator[Page]:
        """Pairs of the records that changed; a pair that somebody ended is seen by reading it."""
        labels: Labels | None = None
        for ids, seen_at, following in self.puller.touched(kind.here, window):
            held = self._held(kind, ids)
            refs = _refs(kind, held)
            if refs and labels is None:
                labels = self.labels(kind)
            records = [self._record(kind, held, labels or NO_LABELS, ref, names, seen_at) for ref in refs]
            versions = {each.ref.id: str(each.version) for each in records}
            skipped = known(versions) if window.since is not None else frozenset()
            yield Page(tuple(each for each in records if each.ref.id not in skipped), following)

    def read(self, kind: PairType, refs: Sequence[Ref], names: Sequence[str]) -> list[Readout]:
        ends = {ref: ends_of(ref.id) for ref in refs}
        known = [here for found in ends.values() if found is not None for here in found[:1]]
        held = self._held(kind, known)
        labels = self.labels(kind) if kind.label in names else NO_LABELS
        answers: list[Readout] = []
        for ref, found in ends.items():
            if found is None:
                answers.append(Unreadable(ref, "not a pair of HubSpot record ids"))
            elif found[0] not in held:
                answers.append(Unreadable(ref, "HubSpot did not tell"))
            elif found[1] in held[found[0]]:
                answers.append(self._record(kind, held, labels, ref, names, None))
            else:
                answers.append(Gone(ref))
        by_ref = {answer.ref: answer for answer in answers}
        return [by_ref[ref] for ref in refs]

    def _held(self, kind: PairType, ids: Sequence[str]) -> Held:
        return Associations(self.client).held(kind.here, kind.there, ids) if ids else {}

    def _record(
        self, kind: PairType, held: Held, labels: Labels, ref: Ref, names: Sequence[str], seen_at: datetime | None
    ) -> Record:
        here, there = ends_of(ref.id) or ("", "")
        specs = held[here][there]
        values = {**dict(zip(kind.ends, (here, there), strict=True)), kind.label: labels.value(specs)}
        return Record(ref, {name: values[name] for name in names if name in values}, version_of(specs), None, seen_at)


def ends_of(pair_id: str | None) -> tuple[str, str] | None:
    """Both record ids of a pair; None for anything else."""
    found = _ID.fullmatch(pair_id or "")
    return (found["here"], found["there"]) if found else None


def pair_id(here: str, there: str) -> str:
    return f"{here}-{there}"


def version_of(specs: frozenset[Spec]) -> str:
    return AND.join(f"{category[0]}{number}" for category, number in sorted(specs))


def plain(kind: PairType) -> Spec:
    """The label that every pair has."""
    return HUBSPOT_DEFINED, kind.plain


def pair_type(object_type: str) -> PairType | None:
    return pair_types().get(object_type)


def _refs(kind: PairType, held: Held) -> list[Ref]:
    return [Ref(SYSTEM, kind.name, pair_id(here, there)) for here, others in held.items() for there in others]
