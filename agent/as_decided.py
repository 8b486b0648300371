"""Is a record still as it was when its entry was decided? Looked at right before it is written.

A copy of the last minute is fresh enough where nothing has to be guarded; else the record is read. Where somebody
worked on it in the last ten minutes, its write needs a guard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from agent.changes import Entry, State
from agent.confirm import GONE, same_value
from agent.connector import Connector
from agent.errors import Unavailable
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.live import read_in_chunks
from agent.places import in_chunks
from agent.records import FieldValue, Gone, MergedInto, Record, Ref

FRESH_FOR = timedelta(seconds=60)
CONTESTED_FOR = timedelta(minutes=10)


def fresh(installation: Installation, connector: Connector, block: Sequence[Entry]) -> dict[Ref, Record]:
    """Live copies of the records to be updated; a HubSpot echo or pull of the last minute is fresh enough."""
    found: dict[Ref, Record] = {}
    unsure: list[Entry] = []
    there = [entry for entry in block if entry.change.ref is not None]
    for part in in_chunks(there, connector.capabilities.read_chunk):
        known = _known(installation, connector, part)
        found.update(known)
        unsure += [] if known else part
    refs = [entry.change.ref for entry in unsure if entry.change.ref is not None]
    for readout in read_in_chunks(installation, connector, refs, sorted(_compared_fields(block))):
        if isinstance(readout, Record):
            found[readout.ref] = readout
        elif not isinstance(readout, Gone | MergedInto):
            raise Unavailable(f"{readout.ref} cannot be read", system=connector.system, why=readout.reason)
    return found


def _known(installation: Installation, connector: Connector, part: Sequence[Entry]) -> dict[Ref, Record]:
    """The copies at hand, if none of them needs a look; else nothing."""
    must_look = any(entry.change.guarded or entry.change.op == "delete" for entry in part)
    if must_look or not connector.capabilities.echoes_writes:
        return {}
    refs = {entry.change.ref for entry in part if entry.change.ref is not None}
    known = installation.mirror.records(refs)
    is_whole = len(known) == len(refs) and _are_fresh(installation, connector.system, known.values())
    return known if is_whole and not any(_is_contested(entry, known) for entry in part) else {}


def _are_fresh(installation: Installation, system: str, records: Iterable[Record]) -> bool:
    """Seen within the last minute of the vendor's clock; ours may be wrong by hours."""
    now = installation.vendor_now(system)
    return now is not None and all(
        record.seen_at is not None and record.seen_at >= now - FRESH_FOR for record in records
    )


def _compared_fields(block: Sequence[Entry]) -> set[str]:
    named = {cell.vendor_field for entry in block for cell in entry.change.cells}
    return named | {name for entry in block for name in entry.change.decided_from}


def still_as_decided(block: Sequence[Entry], live: Mapping[Ref, Record]) -> tuple[list[Entry], list[Settlement]]:
    ready: list[Entry] = []
    moved: list[Settlement] = []
    for entry in block:
        reason = drift(entry, live)
        if reason is None:
            ready.append(entry)
        else:
            moved.append(Settlement(entry.id, State.DRIFTED, error=reason))
    return ready, moved


def drift(entry: Entry, live: Mapping[Ref, Record]) -> str | None:
    """Why this entry no longer fits the live record, or None."""
    ref = entry.change.ref
    if ref is None or entry.change.op == "undelete":
        return None
    current = live.get(ref)
    if current is None:
        return GONE
    if entry.change.step > 0:
        return None  # the clear before it in the same group changed the value on purpose
    expected: dict[str, FieldValue] = dict(entry.change.decided_from)
    expected.update({cell.vendor_field: cell.before for cell in entry.change.cells})
    for name, value in expected.items():
        if name in current.fields and not same_value(current.fields[name], value):
            return f"{name} changed meanwhile"
    return None


def needs_guard(connector: Connector, entry: Entry, live: Mapping[Ref, Record]) -> bool:
    ref = entry.change.ref
    if ref is None or ref not in live:
        return False
    if entry.change.guarded or entry.change.op == "delete":
        return True
    if entry.change.op == "opt_out":
        return False  # the operation knows no version; the stricter answer wins whatever else changed
    if not connector.capabilities.conditional_write:
        return False
    return _is_contested(entry, live)


def _is_contested(entry: Entry, live: Mapping[Ref, Record]) -> bool:
    """Somebody worked on this record lately, and a value of it would be overwritten."""
    record = live.get(entry.change.ref) if entry.change.ref is not None else None
    if record is None or record.modified_at is None or record.seen_at is None:
        return False
    overwrites = any(cell.before not in (None, "") for cell in entry.change.cells)
    return overwrites and record.modified_at >= record.seen_at - CONTESTED_FOR  # both are the vendor's own clock
