"""Entries that may or may not have reached their vendor: settled by consistent reads, or shown to a person.

The vendor holds our values → confirmed. It still holds the old ones, twice, far enough apart that a late request
cannot arrive any more → never took effect, so it may be sent again. It holds something else by then → nobody can know
any more: the entry stays ``unknown`` and is shown. Looks are told apart by the vendor's clock, never by ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from agent.changes import OPEN_STATES, Entry, State
from agent.confirm import (
    MOST_ATTEMPTS,
    MOST_ENDS,
    applied,
    is_echo,
    is_untouched,
    put_off,
    record,
    replay,
    settle_with_read_back,
    waits_for_a_lock,
)
from agent.connector import Connector, Write
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.records import Gone, MergedInto, Readout, Record, Ref

NOT_APPLIED = "the request never took effect"
NOT_THERE_YET = "first look: not there"
OTHER_VALUE = "first look: somebody changed it meanwhile"
FOR_A_PERSON = "cannot be known"
"""How the error of an unknown entry begins: looked at once, or never to be settled by reading."""
WE_ENDED = ", and Truce had ended meanwhile,"
"""What a first look adds when nobody was there to hear what came of the request."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What settling open entries at a start or before a cycle found."""

    confirmed: int = 0
    failed: int = 0
    not_applied: int = 0
    still_unknown: int = 0


def settle_open(installation: Installation, batch_id: str | None = None) -> Recovery:
    """Look at every open entry (of one batch, if given) that a read may still settle.

    Raises:
        ConnectorError: a vendor cannot be read; its entries stay as they are.
    """
    replay(installation)
    counts, at_work = _harvest(installation, batch_id)
    by_place: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in may_still_land(installation, batch_id):
        if entry.id in at_work:
            continue
        by_place[entry.change.system, entry.change.object_type].append(entry)
    for (system, object_type), entries in sorted(by_place.items()):
        connector = installation.connectors[system]
        size = connector.capabilities.read_chunk
        for start in range(0, len(entries), size):
            with installation.calls.lane("undo"):  # what was sent must be seen, whatever else is held back
                settlements = _look(installation, connector, object_type, entries[start : start + size])
            counts.update(entry.state for entry in record(installation, settlements))
    return Recovery(counts[State.CONFIRMED], counts[State.FAILED], counts[State.PLANNED], counts[State.UNKNOWN])


def _harvest(installation: Installation, batch_id: str | None) -> tuple[Counter[State], set[str]]:
    """Settle what bulk jobs have done meanwhile. Returns the counts, and the entries of jobs still at work."""
    counts: Counter[State] = Counter()
    at_work: set[str] = set()
    for job in installation.jobs.open():
        entries = [entry for entry in installation.ledger.entries_of(job.entry_ids) if entry.state in OPEN_STATES]
        if entries and batch_id is not None and entries[0].batch_id != batch_id:
            continue
        connector = installation.connectors[job.system]
        outcomes = connector.harvest(job.id, [as_write(entry) for entry in entries]) if entries else []
        if outcomes is None:
            at_work.update(entry.id for entry in entries)
            continue
        settled = settle_with_read_back(installation, connector, entries, outcomes)
        counts.update(entry.state for entry in settled)
        installation.jobs.end(job)
    return counts, at_work


def as_write(entry: Entry, live: Mapping[Ref, Record] = MappingProxyType({})) -> Write:
    """The request an entry stands for; on condition that the record is as in ``live``, if it is there."""
    change = entry.change
    current = live.get(change.ref) if change.ref is not None else None
    return Write(
        entry_id=entry.id,
        op=change.op,
        object_type=change.object_type,
        record_id=change.record_id,
        fields={} if change.op in ("delete", "undelete") else {cell.vendor_field: cell.after for cell in change.cells},
        key=change.key,
        expects_version=current.version if current is not None else None,
        parents=change.parents,
    )


def may_still_land(installation: Installation, batch_id: str | None = None) -> list[Entry]:
    """Entries whose request may still be on its way, or has an outcome that reading can tell.

    Without its values nothing can be told of one: what was erased stays unknown.
    """
    entries = installation.ledger.entries(batch_id=batch_id, states=tuple(OPEN_STATES))
    return [entry for entry in entries if not entry.erased and not _is_for_a_person(entry)]


def has_lost(installation: Installation, system: str) -> bool:
    """A vendor that lost writes is not well because nothing was sent to it since."""
    return any(entry.change.system == system for entry in may_still_land(installation))


def is_sent_again(entry: Entry) -> bool:
    """A create with a key that was sent and not found: it may still land, so it stays the entry it is."""
    return (
        entry.state is State.PLANNED and entry.attempts > 0 and entry.change.op == "create" and bool(entry.change.key)
    )


def unfinished_writes(installation: Installation) -> list[Entry]:
    """Entries that may still take effect: nothing new is decided about these until they are settled."""
    planned = installation.ledger.entries(states=(State.PLANNED,))
    waiting = [entry for entry in planned if waits_for_a_lock(entry) or is_sent_again(entry)]
    return [*may_still_land(installation), *waiting]


def _is_for_a_person(entry: Entry) -> bool:
    return entry.state is State.UNKNOWN and (entry.error or "").startswith(FOR_A_PERSON)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one kind of record, at one moment of the vendor's clock."""

    installation: Installation
    connector: Connector
    now: datetime

    def settlement(self, entry: Entry, readout: Readout) -> Settlement:
        change = entry.change
        if isinstance(readout, Gone):
            if change.op == "delete":
                return Settlement(entry.id, State.CONFIRMED, change.record_id)
            if change.op == "undelete":
                return self.not_applied(entry)
            return _for_a_person(entry, "the record is gone, and with it what was or was not written")
        if isinstance(readout, MergedInto):
            return _for_a_person(entry, f"the record was merged into {readout.survivor} meanwhile")
        if not isinstance(readout, Record):
            return Settlement(entry.id, State.UNKNOWN, error=f"cannot be read: {readout.reason}")
        if change.op == "delete":
            return self.not_applied(entry)
        if is_echo(entry, readout.fields):
            return applied(entry, readout.ref.id, readout.version, readout.fields)
        if is_untouched(entry, readout.fields):
            return self.not_applied(entry)
        return self._other_value(entry)

    def not_applied(self, entry: Entry) -> Settlement:
        """Certain only after two equal looks far enough apart. A create with a key may be sent again at once, as the
        same entry: whichever of the two requests comes first, the other finds its record."""
        natural = entry.change.object_type in self.connector.capabilities.natural_ids
        keyed = entry.change.op == "create" and (entry.change.key is not None or natural)
        if keyed or self._is_second(entry, NOT_THERE_YET):
            return put_off(self.installation, entry, NOT_APPLIED, MOST_ENDS if _we_ended(entry) else MOST_ATTEMPTS)
        return self._first(entry, NOT_THERE_YET)

    def _other_value(self, entry: Entry) -> Settlement:
        if self._is_second(entry, OTHER_VALUE):
            return _for_a_person(entry, "the record holds neither the old nor our value; somebody changed it meanwhile")
        return self._first(entry, OTHER_VALUE)

    def _first(self, entry: Entry, what: str) -> Settlement:
        seen = _seen(entry, what) or self.now
        ended = WE_ENDED if _we_ended(entry) else ""
        return Settlement(entry.id, State.UNKNOWN, error=f"{what}{ended} at {seen.isoformat()}")

    def _is_second(self, entry: Entry, what: str) -> bool:
        seen = _seen(entry, what)
        return seen is not None and self.now - seen >= timedelta(seconds=self.connector.capabilities.settle_seconds)


def _for_a_person(entry: Entry, why: str) -> Settlement:
    return Settlement(entry.id, State.UNKNOWN, error=f"{FOR_A_PERSON}: {why}")


def _we_ended(entry: Entry) -> bool:
    """While it was under way: nobody wrote down what came of it."""
    return entry.state is State.INTENDED or WE_ENDED in (entry.error or "")


def _seen(entry: Entry, what: str) -> datetime | None:
    """When the first look with this result was."""
    if entry.error and entry.error.startswith(what):
        return datetime.fromisoformat(entry.error.rpartition(" ")[2])
    return None


def _look(
    installation: Installation, connector: Connector, object_type: str, entries: Sequence[Entry]
) -> list[Settlement]:
    look = _Look(installation, connector, connector.now())
    fields = sorted({cell.vendor_field for entry in entries for cell in entry.change.cells})
    known = [entry for entry in entries if entry.change.record_id]
    refs = [Ref(connector.system, object_type, str(entry.change.record_id)) for entry in known]
    readouts = connector.read(refs, fields) if refs else []
    settlements = [look.settlement(entry, readout) for entry, readout in zip(known, readouts, strict=True)]
    created = (entry for entry in entries if not entry.change.record_id)
    return settlements + [_created_or_not(look, entry, fields) for entry in created]


def _created_or_not(look: _Look, entry: Entry, fields: Sequence[str]) -> Settlement:
    """A create is settled by its unique key, read consistently; without a key only a person can tell."""
    if entry.change.object_type in look.connector.capabilities.natural_ids:
        return look.not_applied(entry)
    if entry.change.key is None:
        return _for_a_person(entry, "created or not? there is no link key to look it up by")
    field, value = entry.change.key
    found = look.connector.find(entry.change.object_type, field, value, fields)
    if found:
        return applied(entry, found[0].ref.id, found[0].version, found[0].fields)
    return look.not_applied(entry)
