"""Step 1: changed records since the cursor.

Promise: an inclusive overlap behind the cursor, so that ties, late commits and index lag cannot lose a record; the
cursor moves only together with the last page; a failed, empty or shrunken answer is never read as "all gone".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.connector import Connector, Page, Window
from agent.errors import ConnectorError, SafetyStop
from agent.mirror.mirror import Mirror
from agent.mirror.progress import Loading
from agent.records import Cursor, Gone, Pulled, Record, Ref, Tombstone, Unreadable
from agent.together import IN_TURN, Together

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


def changed_records(
    connector: Connector, mirror: Mirror, pulling: Pulling, until: datetime, together: Together = IN_TURN
) -> Pull:
    """Ask for one object type, as far as ``until`` on the vendor's own clock; it is heard when the pull is taken.

    Ask for all that is wanted of a system before taking any: a connector may answer several with one call.
    """
    system, object_type, fields = connector.system, pulling.object_type, pulling.fields
    cursor = mirror.cursor(system, object_type, fields)
    margin = max(OVERLAP, timedelta(seconds=2 * connector.capabilities.index_lag_seconds))
    begun = mirror.loading(system, object_type, fields, until) if cursor is None else None
    loading = begun or Loading(system, object_type, fields, until, "", 0)
    window = Window(cursor.watermark - margin if cursor else None, until, begun.reached if begun else None)
    pages = connector.changed(object_type, fields, window, mirror.known(system, object_type, fields), together)
    return Pull(mirror, pulling, window, pages, loading, connector.capabilities.index_lag_seconds > 0)


@dataclass(frozen=True, slots=True)
class Pull:
    """One object type that was asked for. ``loading``: how far a full load had come before."""

    mirror: Mirror
    pulling: Pulling
    window: Window
    pages: Iterator[Page]
    loading: Loading
    may_lag: bool

    def take(self, between: Between = straight_on) -> PullResult:
        """Into the mirror; ``between`` is called after every page and may raise.

        Raises:
            ConnectorError: the vendor failed part way; what was absorbed stays, the cursor does not move.
            SafetyStop: the side looks emptied.
        """
        pulling, loading, since, until = self.pulling, self.loading, self.window.since, self.window.until
        system, object_type = loading.system, loading.object_type
        watch = _ShrinkWatch(self.mirror, system, object_type, is_full=since is None, live=loading.live)
        moved = Cursor(system, object_type, loading.began if since is None else until)
        changed = seen = 0
        for page, is_last in _with_last(self.pages):
            watch.check(page.items, is_last=is_last)
            seen += len(page.items)
            goes_on = page.reached if not is_last else None
            moving = self.mirror.absorb(
                page.items,
                mapped=pulling.fields,
                keys=pulling.keys,
                key_fields=pulling.key_fields,
                seen_at=until,
                cursor=moved if is_last else None,
                unchanged_until=since,
                loading=replace(loading, reached=goes_on, live=watch.live) if goes_on else None,
                may_lag=self.may_lag,
            )
            changed += len(moving)
            between()
        return PullResult(changed, seen, until)


def reconciled_records(
    connector: Connector, mirror: Mirror, pulling: Pulling, between: Between = straight_on
) -> PullResult:
    """Compare id and version of every record there is with what we hold, and read what differs. ``between`` as above.

    It finds what a change query did not show: deletions of a system that hides them, records erased for good, and
    changes that became visible later than the overlap reaches back.
    """
    system, object_type = connector.system, pulling.object_type
    now = connector.now()
    known = mirror.known(system, object_type, pulling.fields)
    listed: set[str] = set()
    changed = 0
    for page in connector.changed(object_type, (), Window(None, now)):
        there = [item for item in page.items if isinstance(item, Record)]
        listed.update(item.ref.id for item in there)
        skipped = known({item.ref.id: item.version or "" for item in there})
        unknown = [item.ref for item in there if item.ref.id not in skipped]
        changed += read_anew(connector, mirror, pulling, unknown, now)
        between()
    missing = [record.ref for record in mirror.scan(system, object_type) if record.ref.id not in listed]
    watch = _ShrinkWatch(mirror, system, object_type, is_full=False)
    changed += read_anew(connector, mirror, pulling, missing, now, watch, between)
    mirror.erased.note_compared(system, object_type, now)
    return PullResult(changed, len(listed), now)


def read_anew(
    connector: Connector,
    mirror: Mirror,
    pulling: Pulling,
    refs: Sequence[Ref],
    now: datetime,
    watch: _ShrinkWatch | None = None,
    between: Between = straight_on,
) -> int:
    """Read these records and absorb what they are. Returns how many differ from what we held."""
    found: list[Pulled] = []
    for start in range(0, len(refs), connector.capabilities.read_chunk):
        chunk = refs[start : start + connector.capabilities.read_chunk]
        for readout in connector.read(chunk, pulling.fields):
            if isinstance(readout, Gone):
                found.append(Tombstone(readout.ref, now, is_erased=_is_erased(connector, mirror, readout, now)))
            elif not isinstance(readout, Unreadable):
                found.append(readout)
        between()
    if watch is not None:
        watch.check(found, is_last=True)
    if not found:
        return 0
    return len(
        mirror.absorb(found, mapped=pulling.fields, keys=pulling.keys, key_fields=pulling.key_fields, seen_at=now)
    )


def _is_erased(connector: Connector, mirror: Mirror, gone: Gone, now: datetime) -> bool:
    """Gone from the bin too, sooner than the bin forgets anything: erased for good, not deleted and forgotten."""
    days = connector.capabilities.tells_erasures_for
    there_at = mirror.erased.last_there(gone.ref) if gone.for_good and days is not None else None
    return days is not None and there_at is not None and now - there_at < timedelta(days=days)


class _ShrinkWatch:
    """Suspicious emptiness stops: counts what a pull would take away before it is believed.

    A recycle bin, which a full load lists, also holds what went long ago, or was never known here: that takes nothing.
    """

    def __init__(self, mirror: Mirror, system: str, object_type: str, *, is_full: bool, live: int = 0) -> None:
        self._mirror = mirror
        self._known = mirror.count(system, object_type)
        self._place = f"{system} {object_type}"
        self._is_full = is_full
        self._gone = 0
        self.live = live
        """Records a full load brought, those of an interrupted beginning included."""

    def check(self, items: Sequence[Pulled], *, is_last: bool) -> None:
        self._gone += len(self._mirror.living(item.ref for item in items if isinstance(item, Tombstone)))
        self.live += sum(isinstance(item, Record) for item in items)
        if self._known < SMALL_POPULATION:
            return
        if self._gone > self._known * SHRINK_LIMIT:
            raise self._stop(f"{self._gone} of {self._known} records are reported deleted")
        if self._is_full and is_last and self.live < self._known * (1 - SHRINK_LIMIT):
            raise self._stop(f"a full load brought {self.live} records where {self._known} were known")

    def _stop(self, why: str) -> SafetyStop:
        return SafetyStop(
            f"{self._place} looks emptied, so nothing is written",
            where=self._place,
            why=f"{why}; the limit is {SHRINK_LIMIT:.0%}",
            next_step="truce doctor",
        )


def _with_last(pages: Iterator[Page]) -> Iterator[tuple[Page, bool]]:
    """Each page, and whether it is the last; an empty last page when there are none. Pages before a failure count."""
    held: Page | None = None
    while True:
        try:
            page = next(pages, None)
        except ConnectorError:
            if held is not None:
                yield held, False
            raise
        if page is None:
            break
        if held is not None:
            yield held, False
        held = page
    yield held or Page(()), True
