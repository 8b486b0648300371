"""Step 1: changed records since the cursor.

Promise: an inclusive overlap behind the cursor, so that ties, late commits and index lag cannot lose a record; the
cursor moves only together with the last page; a failed, empty or shrunken answer is never read as "all gone".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.connector import Connector, Page, Window
from agent.errors import SafetyStop
from agent.mirror import Mirror
from agent.records import Cursor, Gone, MergedInto, Pulled, Record, Tombstone

OVERLAP = timedelta(seconds=600)
"""Synchronous vendor transactions last at most ten minutes, so a row stamped before the cursor can still appear."""

SHRINK_LIMIT = 0.20
"""A pull that would delete more than this share of what we know is an outage until a person says otherwise."""

SMALL_POPULATION = 20

MatchKeys = Callable[[Record], Iterable[tuple[str, str]]]


Between = Callable[[], None]


def straight_on() -> None:
    """A ``Between`` that never stops a pull."""


@dataclass(frozen=True, slots=True)
class Pulling:
    """What to pull of one object type: the fields policies name, and how to read its match keys.

    ``keys_revision`` changes when a policy change makes other keys of the same values. ``key_fields`` are those that
    match keys are made of; None where any field may be.
    """

    object_type: str
    fields: tuple[str, ...]
    keys: MatchKeys
    keys_revision: str = ""
    key_fields: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PullResult:
    """``changed`` counts records whose mapped values moved; ``seen`` counts everything the vendor sent.

    ``until`` is what the vendor's clock showed when the pull began.
    """

    changed: int
    seen: int
    until: datetime


def changed_records(connector: Connector, mirror: Mirror, pulling: Pulling, until: datetime) -> Pull:
    """Ask for one object type, as far as ``until`` on the vendor's own clock; it is heard when the pull is taken.

    Ask for all that is wanted of a system before taking any: a connector may answer several with one call.
    """
    cursor = mirror.cursor(connector.system, pulling.object_type, pulling.fields)
    margin = max(OVERLAP, timedelta(seconds=2 * connector.capabilities.index_lag_seconds))
    window = Window(cursor.watermark - margin if cursor else None, until)
    known = mirror.known(connector.system, pulling.object_type, pulling.fields)
    pages = connector.changed(pulling.object_type, pulling.fields, window, known)
    return Pull(connector.system, mirror, pulling, window, pages)


@dataclass(frozen=True, slots=True)
class Pull:
    """One object type that was asked for."""

    system: str
    mirror: Mirror
    pulling: Pulling
    window: Window
    pages: Iterator[Page]

    def take(self, between: Between = straight_on) -> PullResult:
        """Into the mirror; ``between`` is called after every page and may raise.

        Raises:
            ConnectorError: the vendor failed part way; what was absorbed stays, the cursor does not move.
            SafetyStop: the side looks emptied.
        """
        pulling, since, until = self.pulling, self.window.since, self.window.until
        watch = _ShrinkWatch(self.mirror, self.system, pulling.object_type, is_full=since is None)
        moved = Cursor(self.system, pulling.object_type, until)
        changed = seen = 0
        for items, is_last in _with_last(self.pages):
            watch.check(items, is_last=is_last)
            seen += len(items)
            moving = self.mirror.absorb(
                items,
                mapped=pulling.fields,
                keys=pulling.keys,
                key_fields=pulling.key_fields,
                seen_at=until,
                cursor=moved if is_last else None,
                unchanged_until=since,
            )
            changed += len(moving)
            between()
        return PullResult(changed, seen, until)


def vanished_records(
    connector: Connector, mirror: Mirror, pulling: Pulling, between: Between = straight_on
) -> PullResult:
    """Re-read every record we believe alive; absorb what has gone or was merged. ``between`` as above.

    For systems whose change query cannot show deletions (HubSpot's search never returns archived records).
    """
    refs = [record.ref for record in mirror.scan(connector.system, pulling.object_type)]
    now = connector.now()
    found: list[Pulled] = []
    for start in range(0, len(refs), connector.capabilities.read_chunk):
        chunk = refs[start : start + connector.capabilities.read_chunk]
        for readout in connector.read(chunk, ()):
            if isinstance(readout, Gone):
                found.append(Tombstone(readout.ref, now))
            elif isinstance(readout, MergedInto):
                found.append(readout)
        between()
    watch = _ShrinkWatch(mirror, connector.system, pulling.object_type, is_full=False)
    watch.check(found, is_last=True)
    changed = mirror.absorb(found, mapped=pulling.fields, keys=pulling.keys, seen_at=now)
    return PullResult(len(changed), len(refs), now)


class _ShrinkWatch:
    """Suspicious emptiness stops: counts what a pull would take away before it is believed."""

    def __init__(self, mirror: Mirror, system: str, object_type: str, *, is_full: bool) -> None:
        self._known = mirror.count(system, object_type)
        self._place = f"{system} {object_type}"
        self._is_full = is_full
        self._gone = 0
        self._live = 0

    def check(self, items: Sequence[Pulled], *, is_last: bool) -> None:
        self._gone += sum(isinstance(item, Tombstone) for item in items)
        self._live += sum(isinstance(item, Record) for item in items)
        if self._known < SMALL_POPULATION:
            return
        if self._gone > self._known * SHRINK_LIMIT:
            raise self._stop(f"{self._gone} of {self._known} records are reported deleted")
        if self._is_full and is_last and self._live < self._known * (1 - SHRINK_LIMIT):
            raise self._stop(f"a full load brought {self._live} records where {self._known} were known")

    def _stop(self, why: str) -> SafetyStop:
        return SafetyStop(
            f"{self._place} looks emptied, so nothing is written",
            where=self._place,
            why=f"{why}; the limit is {SHRINK_LIMIT:.0%}",
            next_step="truce doctor",
        )


def _with_last(pages: Iterator[Page]) -> Iterator[tuple[tuple[Pulled, ...], bool]]:
    """Each page's items, and whether it is the last; one empty last page when there are none."""
    held: tuple[Pulled, ...] | None = None
    for page in pages:
        if held is not None:
            yield held, False
        held = page.items
    yield held or (), True
