"""Reading by id and by key: batch reads for the truth, one GET for each record that is not where it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from agent.errors import NotPermitted
from agent.records import Gone, MergedInto, Readout, Record, Ref, Unreadable
from connectors.hubspot.abilities import READ_CHUNK, SEARCH_LIMIT
from connectors.hubspot.associations import Associations, in_properties, refused
from connectors.hubspot.client import Client, Reply, bad_reply
from connectors.hubspot.failures import complaint
from connectors.hubspot.ids import checked_object_type, checked_property, is_record_id, is_safe_in_a_path
from connectors.hubspot.pacing import Pace
from connectors.hubspot.records import checked_row, record_of, rows_of, values_of
from connectors.hubspot.vendor import SYSTEM, also_unique, erasable_types, stamp_field

NOT_FOUND = "OBJECT_NOT_FOUND"
TOO_MANY = 429
OF_ONE_SECOND = "SECONDLY"
TOO_SOON_AT_MOST = 4
"""Times a search is asked when the account's searches of that second are used up."""


def is_not_found(reply: Reply) -> bool:
    """HubSpot itself says so; an empty or HTML 404 comes from somewhere else and proves nothing."""
    return reply.status == 404 and complaint(404, reply.loose_json()).code == NOT_FOUND


@dataclass(frozen=True, slots=True)
class Hits:
    """One page of a search; ``total`` counts its rows and all that come after them."""

    rows: list[dict[str, Any]]
    total: int

    @property
    def is_last(self) -> bool:
        return self.total <= len(self.rows)


@dataclass(frozen=True, slots=True)
class Span:
    """Ids between two that were seen, both left out; read from the lower end, or ``downwards`` from the upper one."""

    above: int = 0
    below: int | None = None
    downwards: bool = False

    @property
    def is_empty(self) -> bool:
        return self.below is not None and self.below <= self.above + 1

    @property
    def filters(self) -> list[dict[str, str]]:
        edges = [("GT", self.above), *([("LT", self.below)] if self.below is not None else [])]
        return [{"propertyName": "hs_object_id", "operator": sign, "value": str(edge)} for sign, edge in edges]

    @property
    def direction(self) -> str:
        return "DESCENDING" if self.downwards else "ASCENDING"

    def is_in_order(self, ids: Sequence[int]) -> bool:
        upwards = list(reversed(ids)) if self.downwards else ids
        edges = [self.above, *upwards, *([self.below] if self.below is not None else [])]
        return all(here < there for here, there in pairwise(edges))

    def behind(self, hits: Hits) -> Span:
        """What this page leaves of the span."""
        if not hits.rows:
            return self
        last_id = int(hits.rows[-1]["id"])
        return replace(self, below=last_id) if self.downwards else replace(self, above=last_id)


@dataclass(slots=True)
class Search:
    """Scans a search to its end by id, never by offset: ties and the 10,000 cap cannot hide a record."""

    client: Client
    pace: Pace

    def rows(self, object_type: str, filters: Sequence[Mapping[str, str]]) -> Iterator[list[dict[str, Any]]]:
        """Pages of records (id, stamp property) that match, ascending by id.

        Raises:
            BadReply: the answer is out of order or shorter than it claims.
        """
        span = Span()
        while True:
            hits = self.page(object_type, filters, span)
            if hits.rows:
                yield hits.rows
                span = span.behind(hits)
            if hits.is_last:
                return

    def page(self, object_type: str, filters: Sequence[Mapping[str, str]], span: Span) -> Hits:
        """The first page of the matching records in a span. Raises like ``rows``."""
        reply = self._asked(
            object_type,
            {
                "filterGroups": [{"filters": [*filters, *span.filters]}],
                "sorts": [{"propertyName": "hs_object_id", "direction": span.direction}],
                "properties": [stamp_field(object_type)],
                "limit": SEARCH_LIMIT,
            },
        )
        if not reply.is_success:
            raise refused(reply, f"searching {object_type}")
        body = reply.json_object("results", "total")
        if not isinstance(body["total"], int):
            raise bad_reply("a search has no total")
        hits = Hits(rows_of(body), body["total"])
        if not span.is_in_order([int(row["id"]) for row in hits.rows]):
            raise bad_reply("a search did not come in the order of ids")
        if not hits.rows and not hits.is_last:
            raise bad_reply("a search counts records it does not show")
        return hits

    def _asked(self, object_type: str, query: Mapping[str, Any]) -> Reply:
        """The searches of one second are the account's: another app, or our own process before this one, may have
        used them up. A search that came too soon did nothing, so it is asked again when the second is over."""
        for _ in range(TOO_SOON_AT_MOST):
            self.pace.wait()
            reply = self.client.search(object_type, query)
            if reply.status != TOO_MANY or complaint(reply.status, reply.loose_json()).policy != OF_ONE_SECOND:
                break
            self.pace.rest()
        return reply


@dataclass(slots=True)
class Reader:
    """Strongly consistent reads, and finding by key."""

    client: Client
    search: Search

    def read(self, refs: Sequence[Ref], names: Sequence[str]) -> list[Readout]:
        """One answer per ref, in order. Raises AccessDenied (key refused), Unavailable, BadReply."""
        answers: dict[Ref, Readout] = {}
        by_type: dict[str, list[str]] = {}
        for ref in dict.fromkeys(refs):
            if ref.system != SYSTEM or not is_record_id(ref.id):
                answers[ref] = Unreadable(ref, "not a HubSpot record id")
            else:
                by_type.setdefault(ref.object_type, []).append(ref.id)
        for object_type, ids in by_type.items():
            for start in range(0, len(ids), READ_CHUNK):
                answers.update(self._read_chunk(object_type, ids[start : start + READ_CHUNK], names))
        return [answers[ref] for ref in refs]

    def rows(
        self, object_type: str, record_ids: Sequence[str], names: Sequence[str]
    ) -> tuple[dict[str, dict[str, Any]], datetime | None]:
        """{id: record} of those a batch read found under exactly the id asked for."""
        checked_object_type(object_type)
        reply = self.client.batch_read(object_type, record_ids, in_properties(object_type, names))
        if not reply.is_success:
            raise refused(reply, f"reading {object_type}")
        wanted = set(record_ids)
        found = {row["id"]: row for row in rows_of(reply.json_object("results")) if row["id"] in wanted}
        self.complete(object_type, found.values(), names)
        return found, reply.at

    def complete(self, object_type: str, rows: Iterable[dict[str, Any]], names: Sequence[str]) -> None:
        """Add what HubSpot keeps beside its records. Raises like ``read``."""
        Associations(self.client).complete(object_type, rows, names)

    def look_up(self, ref: Ref, names: Sequence[str]) -> Readout:
        """One record by its own GET, the only call that follows merges. Raises like ``read``."""
        asked = in_properties(ref.object_type, names)
        reply = self.client.record(checked_object_type(ref.object_type), ref.id, asked)
        if is_not_found(reply):
            return Gone(ref, for_good=self._is_in_no_bin(ref))
        if reply.status in (403, 404):
            return Unreadable(ref, str(complaint(reply.status, reply.loose_json()).code))
        if not reply.is_success:
            raise refused(reply, f"reading {ref}")
        row = checked_row(reply.json_object("id", "properties"))
        if row["id"] != ref.id:
            return MergedInto(ref, Ref(SYSTEM, ref.object_type, row["id"]))
        self.complete(ref.object_type, [row], names)
        return record_of(ref.object_type, row, names, reply.at)

    def _is_in_no_bin(self, ref: Ref) -> bool:
        """An archived record answers from the bin for 90 days; after a GDPR delete nothing does (facts of its API:
        ``contact.privacyDeletion`` is told to webhooks alone, and those not to service keys). Any other answer proves
        nothing."""
        return ref.object_type in erasable_types() and is_not_found(
            self.client.record(ref.object_type, ref.id, [], archived=True)
        )

    def find(self, object_type: str, key: str, value: str, names: Sequence[str], *, is_unique: bool) -> list[Record]:
        """Records whose ``key`` is ``value``; by GET and at once if unique, by the lagging search if not."""
        checked_object_type(object_type)
        checked_property(key)
        if not is_safe_in_a_path(value):
            return []
        others = also_unique(object_type, key)
        if is_unique:
            found = self._by_unique(object_type, key, value, names, others)
            if found is not None:
                return [found]
            return self._searched(object_type, others, "CONTAINS_TOKEN", value, names) if others else []
        return self._searched(object_type, key, "EQ", value, names)

    def _read_chunk(
        self, object_type: str, record_ids: Sequence[str], names: Sequence[str]
    ) -> Iterator[tuple[Ref, Readout]]:
        refs = [Ref(SYSTEM, object_type, record_id) for record_id in record_ids]
        try:
            found, seen_at = self.rows(object_type, record_ids, names)
        except NotPermitted as denied:
            yield from ((ref, Unreadable(ref, denied.why)) for ref in refs)
            return
        for ref in refs:
            row = found.get(ref.id)
            yield ref, record_of(object_type, row, names, seen_at) if row else self.look_up(ref, names)

    def _by_unique(
        self, object_type: str, key: str, value: str, names: Sequence[str], others: str | None
    ) -> Record | None:
        asked = [*in_properties(object_type, names), key, *([others] if others else [])]
        reply = self.client.record(object_type, value, list(dict.fromkeys(asked)), id_property=key)
        if is_not_found(reply):
            return None
        if not reply.is_success:
            raise refused(reply, f"finding {object_type} by {key}")
        row = checked_row(reply.json_object("id", "properties"))
        if not _holds(row, key, others, value):
            raise bad_reply(f"asked for one {key}, got a record with another")
        self.complete(object_type, [row], names)
        return record_of(object_type, row, names, reply.at)

    def _searched(self, object_type: str, name: str, operator: str, value: str, names: Sequence[str]) -> list[Record]:
        condition = {"propertyName": name, "operator": operator, "value": value}
        ids = [row["id"] for page in self.search.rows(object_type, [condition]) for row in page]
        found: list[Record] = []
        for start in range(0, len(ids), READ_CHUNK):
            asked = list(dict.fromkeys([*names, name]))
            rows, seen_at = self.rows(object_type, ids[start : start + READ_CHUNK], asked)
            found += [
                record_of(object_type, row, names, seen_at)
                for row in rows.values()
                if value.strip().lower() in _spellings(row, name, is_list=operator != "EQ")
            ]
        return found


def _holds(row: Mapping[str, Any], key: str, others: str | None, value: str) -> bool:
    spellings = _spellings(row, key, is_list=False)
    if others is not None:
        spellings |= _spellings(row, others, is_list=True)
    return value.strip().lower() in spellings


def _spellings(row: Mapping[str, Any], name: str, *, is_list: bool) -> set[str]:
    text = str(values_of(row, [name]).get(name) or "")
    parts = text.split(";") if is_list else [text]
    return {part.strip().lower() for part in parts}
