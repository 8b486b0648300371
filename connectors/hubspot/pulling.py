"""Changed records: search for ids and stamps, batch reads for the truth.

What this cannot see: HubSpot's search never shows archived records, and its list of the bin cannot be
filtered by time. A full load reads the bin once; after that a deletion is noticed only when a record is read
by its id, which is why ``sees_deletions`` is False and the agent re-reads what it has linked. Merges are
seen: the surviving record is new or changed and names the ids that went into it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from agent.connector import Known, Page, Window, nothing_known
from agent.records import Gone, Pulled, Readout, Ref, Tombstone, Unreadable
from agent.together import IN_TURN, Together
from connectors.hubspot.abilities import READ_CHUNK, SEARCH_LIMIT
from connectors.hubspot.associations import in_properties, refused
from connectors.hubspot.client import Client, bad_reply
from connectors.hubspot.ids import checked_object_type, is_record_id
from connectors.hubspot.reading import Hits, Reader, Search, Span
from connectors.hubspot.records import as_milliseconds, merges_of, modified_at, moment, record_of, rows_of
from connectors.hubspot.vendor import MERGED_IDS, SYSTEM, stamp_field

LIVE, BIN = "live", "bin"
"""The two parts of a full load, as the place it reached names them."""

_TICK = timedelta(microseconds=1)

FRESH = timedelta(seconds=10)
"""A record stamped so shortly before the end of the window is read even when its version is known: two changes
within one millisecond share a version, and the second may have come after our read."""


@dataclass(slots=True)
class Puller:
    """The change query of one portal."""

    client: Client
    search: Search
    reader: Reader

    def changed(
        self,
        object_type: str,
        names: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        """Pages of changed records with the merges they tell of; deletions only in a full load.

        Raises:
            AccessDenied, Unavailable, BadReply: the pull is not complete; nothing may be concluded from it.
        """
        checked_object_type(object_type)
        asked = list(dict.fromkeys([*names, MERGED_IDS]))
        if window.since is None:
            part, _, place = (window.after or LIVE).partition(" ")
            if part == LIVE:
                yield from self._everything(object_type, asked, names, place)
            yield from self._bin(object_type, place if part == BIN else "")
        elif window.since < window.until:
            yield from self._window(object_type, asked, names, window, known, together)

    def touched(self, object_type: str, window: Window) -> Iterator[tuple[list[str], datetime | None, str | None]]:
        """(ids of records stamped in the window, when HubSpot told, where a full load goes on), some at a time.

        Raises like ``changed``.
        """
        if window.since is None:
            listed = self._listed(checked_object_type(object_type), [], window.after or "", archived=False)
            for rows, seen_at, following in listed:
                yield [row["id"] for row in rows], seen_at, following
        elif window.since < window.until:
            for rows in self.search.rows(checked_object_type(object_type), [_between(object_type, window)]):
                yield [row["id"] for row in rows], None, None

    def _window(
        self,
        object_type: str,
        asked: Sequence[str],
        names: Sequence[str],
        window: Window,
        known: Known,
        together: Together,
    ) -> Iterator[Page]:
        """What a search found is read together with the next searches, from both ends of the ids towards the middle
        where many are left: none of these calls needs another one's answer."""
        filters = [_between(object_type, window)]
        ends, unread = [Span()], list[Sequence[str]]()
        while ends or unread:
            searches = [partial(self.search.page, object_type, filters, span) for span in ends]
            reads = [partial(self._truth, object_type, chunk, asked, names) for chunk in unread]
            hits, pages = _made(together, searches, reads)
            yield from pages
            unread = [chunk for each in hits for chunk in _unread(object_type, each, window, known)]
            ends = _ends_left(ends, hits, together.at_once)

    def _truth(self, object_type: str, record_ids: Sequence[str], asked: Sequence[str], names: Sequence[str]) -> Page:
        rows, seen_at = self.reader.rows(object_type, record_ids, asked)
        items: list[Pulled] = []
        for record_id in record_ids:
            if record_id in rows:
                items.append(record_of(object_type, rows[record_id], names, seen_at))
                items += merges_of(object_type, rows[record_id])
            else:
                items.append(_as_pulled(self.reader.look_up(Ref(SYSTEM, object_type, record_id), names)))
        return Page(tuple(items))

    def _everything(self, object_type: str, asked: Sequence[str], names: Sequence[str], place: str) -> Iterator[Page]:
        for rows, seen_at, following in self._listed(object_type, asked, place, archived=False):
            items: list[Pulled] = []
            self.reader.complete(object_type, rows, names)
            for row in rows:
                items.append(record_of(object_type, row, names, seen_at))
                items += merges_of(object_type, row)
            yield Page(tuple(items), f"{LIVE} {following}" if following else BIN)

    def _bin(self, object_type: str, place: str) -> Iterator[Page]:
        for rows, _, following in self._listed(object_type, [], place, archived=True):
            gone = (Tombstone(Ref(SYSTEM, object_type, row["id"]), moment(row.get("archivedAt"))) for row in rows)
            yield Page(tuple(gone), f"{BIN} {following}" if following else None)

    def _listed(
        self, object_type: str, names: Sequence[str], place: str, *, archived: bool
    ) -> Iterator[tuple[list[dict[str, Any]], Any, str | None]]:
        """Pages from ``place`` on (the id of a page's first record), each with where the next one begins."""
        after = place if is_record_id(place) else None
        while True:
            asked = in_properties(object_type, names)
            reply = self.client.page(object_type, asked, after=after, archived=archived)
            if not reply.is_success:
                raise refused(reply, f"listing {object_type}")
            body = reply.json_object("results")
            following = next_page(body)
            yield rows_of(body), reply.at, following
            if following is None:
                return
            if following == after:
                raise bad_reply("a list does not move on")
            after = following


def _ends_left(ends: Sequence[Span], hits: Sequence[Hits], at_once: int) -> list[Span]:
    """What to search next behind these pages: nothing, the rest from its lower end, or from both ends at once."""
    if not hits or hits[0].is_last:
        return []
    rest = ends[0].behind(hits[0])
    left = hits[0].total - sum(len(each.rows) for each in hits)
    if len(hits) == 2:
        rest = replace(rest, below=ends[1].behind(hits[1]).below)
    if rest.is_empty:  # the two pages met: some of what was counted has changed meanwhile
        return []
    return [rest, replace(rest, downwards=True)] if at_once > 1 and left > 2 * SEARCH_LIMIT else [rest]


def _made(
    together: Together, searches: Sequence[Callable[[], Hits]], reads: Sequence[Callable[[], Page]]
) -> tuple[list[Hits], list[Page]]:
    calls: list[Callable[[], Any]] = [*searches, *reads]
    answers = together(calls)
    return answers[: len(searches)], answers[len(searches) :]


def _unread(object_type: str, hits: Hits, window: Window, known: Known) -> Iterator[Sequence[str]]:
    """The ids whose records must be read, as many as one read takes at a time."""
    stamps = {row["id"]: modified_at(object_type, row) for row in hits.rows}
    old = {record_id: stamp for record_id, stamp in stamps.items() if stamp < window.until - FRESH}
    skipped = known({record_id: as_milliseconds(stamp) for record_id, stamp in old.items()})
    ids = [record_id for record_id in stamps if record_id not in skipped]
    return (ids[start : start + READ_CHUNK] for start in range(0, len(ids), READ_CHUNK))


def _between(object_type: str, window: Window) -> dict[str, str]:
    """The search filter of a window."""
    return {
        "propertyName": stamp_field(object_type),
        "operator": "BETWEEN",
        "value": as_milliseconds(window.since) if window.since else "0",
        "highValue": as_milliseconds(window.until - _TICK),
    }


def next_page(body: Mapping[str, Any]) -> str | None:
    """``paging.next.after``, None on the last page. Raises BadReply when paging is there and says nothing."""
    paging = body.get("paging")
    if not paging:
        return None
    try:
        after = paging["next"]["after"]
    except (KeyError, TypeError):
        raise bad_reply("a page says there is more, but not where") from None
    return str(after)


def _as_pulled(readout: Readout) -> Pulled:
    """What became of a record between the search and the read."""
    if isinstance(readout, Gone):
        return Tombstone(readout.ref, is_erased=readout.for_good)
    if isinstance(readout, Unreadable):
        raise bad_reply(f"{readout.ref} was found and cannot be read: {readout.reason}")
    return readout
