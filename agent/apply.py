"""Step 7: the only caller of connector writes.

Promise: no request leaves before its entries are durably ``intended``; no transaction is open across a vendor call; a
record that moved since it was decided is left alone; parents are written before children and a clear before its set;
the cheapest call that keeps the guarantee is used.

What is compared before a write, and how wide the window stays: a block of records is read fresh (or was, less than a
minute ago), every cell's old value is compared, then the block is written. Where somebody touched a filled value in
the last ten minutes, and in every rollback, the write itself carries a precondition if the system has one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from agent.batch_order import in_groups, in_order, in_slices
from agent.bulk_jobs import BulkJob
from agent.changes import Entry, State
from agent.confirm import (
    put_off,
    read_back,
    record,
    same_value,
    settle,
    settle_with_read_back,
    wait_as_asked,
    waits_for_a_lock,
)
from agent.connector import Capabilities, Connector, WriteOutcome
from agent.errors import ConnectorError, Interrupted, TruceError, Unavailable
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.places import in_chunks
from agent.records import FieldValue, Gone, MergedInto, Readout, Record, Ref
from agent.unsettled import as_write, may_still_land, settle_open

FRESH_FOR = timedelta(seconds=60)
CONTESTED_FOR = timedelta(minutes=10)
CANARY = (25, 250)
"""Sizes of the first slices of an applied plan; each is read back before the next begins."""
CANARY_FAILURES = 0.10
GONE = "the record is gone"
GUARDED_BLOCK = 100
"""Conditional writes are single calls; a smaller block keeps few entries open at a time."""

MOST_LOOKS_AT_A_JOB = 60
"""Each waits up to a quarter of a minute; then other work goes on, and the next cycle looks again."""

NOT_SENT = (State.PLANNED, State.HELD)
"""What an open batch still has to write; held entries are those of a batch that was approved."""

Progress = Callable[[int, int], None]
"""(entries settled so far, entries in the batch)."""


@dataclass(slots=True)
class Tally:
    """What a batch came to so far."""

    confirmed: int = 0
    failed: int = 0
    drifted: int = 0
    unknown: int = 0

    def count(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            name = entry.state.value
            if name in ("confirmed", "failed", "drifted", "unknown"):
                setattr(self, name, getattr(self, name) + 1)

    def add(self, other: Tally) -> None:
        self.confirmed += other.confirmed
        self.failed += other.failed
        self.drifted += other.drifted
        self.unknown += other.unknown

    @property
    def total(self) -> int:
        return self.confirmed + self.failed + self.drifted + self.unknown


def silent(done: int, total: int) -> None:
    """A ``Progress`` that shows nothing."""


def write(installation: Installation, batch_id: str, *, canary: bool = False, progress: Progress = silent) -> Tally:
    """Write all planned entries of a batch, then close it. Running it again goes on where it stopped.

    A batch stays open while something of it may still have to be sent: a step whose first step is not settled, or a
    lost reply that a later look must settle.

    Raises:
        Interrupted: asked to stop; the rest stays planned.
        ConnectorError: a vendor failed or asks us to wait; what was not sent stays planned.
        StorageFull: the ledger cannot be written; nothing more was sent.
    """
    entries = [entry for entry in installation.ledger.entries(batch_id=batch_id, states=NOT_SENT) if not entry.erased]
    tally = Tally()
    for portion in in_slices(in_order(entries), CANARY if canary else ()):
        for group in in_groups(portion):
            for block in _blocks(installation, group):
                settled = _write_block(installation, block)
                tally.count(settled)
                progress(tally.total, len(entries))
                _stop_if_put_off(settled)
                _stop_if_asked(installation, batch_id)
        if canary and tally.total and tally.failed > tally.total * CANARY_FAILURES:
            _refuse_rest(installation, batch_id, tally)
            break
    return _finished(installation, batch_id, tally)


def _finished(installation: Installation, batch_id: str, tally: Tally) -> Tally:
    """Look once at replies that were lost; close the batch unless something of it may still have to be sent."""
    if may_still_land(installation, batch_id):
        with suppress(ConnectorError):  # the next start or cycle looks again
            found = settle_open(installation, batch_id)
            tally.confirmed += found.confirmed
            tally.failed += found.failed
            tally.unknown -= found.confirmed + found.failed
    if not may_still_land(installation, batch_id) and not installation.ledger.entries(
        batch_id=batch_id, states=NOT_SENT, limit=1
    ):
        installation.ledger.close_batch(batch_id)
    return tally


def _stop_if_put_off(settled: Sequence[Entry]) -> None:
    """A vendor that asks us to wait is not asked for the rest of the batch either; a locked record holds up nobody."""
    for entry in settled:
        if entry.state is State.PLANNED and not waits_for_a_lock(entry):
            raise Unavailable(
                f"{entry.change.system} asks us to wait", system=entry.change.system, why=entry.error or ""
            )


def _stop_if_asked(installation: Installation, batch_id: str) -> None:
    if installation.stop():
        raise Interrupted(
            f"stopped in the middle of {batch_id}; nothing is half written",
            next_step="run the same command again",
        )


def _refuse_rest(installation: Installation, batch_id: str, tally: Tally) -> None:
    """The first slices failed too often: the rest of the list is not worth trying."""
    rest = installation.ledger.entries(batch_id=batch_id, states=NOT_SENT)
    reason = f"{tally.failed} of the first {tally.total} failed"
    record(installation, [Settlement(entry.id, State.REFUSED, error=reason) for entry in rest])


def _blocks(installation: Installation, group: Sequence[Entry]) -> list[Sequence[Entry]]:
    capabilities = installation.connectors[group[0].change.system].capabilities
    if group[0].change.guarded or group[0].change.op == "delete":
        return in_chunks(group, GUARDED_BLOCK)
    return in_chunks(group, capabilities.bulk_chunk if _is_much(capabilities, group) else capabilities.read_chunk)


def _is_much(capabilities: Capabilities, entries: Sequence[Entry]) -> bool:
    """Whether a bulk job is the cheaper way; it needs an id or a key to tell its rows apart."""
    if capabilities.bulk_above is None or len(entries) <= capabilities.bulk_above:
        return False
    change = entries[0].change
    return change.op == "update" or (change.op == "create" and change.key is not None)


def _write_block(installation: Installation, block: Sequence[Entry]) -> list[Entry]:
    """Read fresh, drop what moved, write in chunks, read back, settle. Returns the settled entries."""
    connector = installation.connectors[block[0].change.system]
    installation.calls.require(connector.system)
    block, settled = _in_turn(installation, block)
    if not block:
        return settled
    live = _fresh(installation, connector, block)
    ready, moved = _still_as_decided(block, live)
    settled += record(installation, moved)
    guarded = [entry for entry in ready if _needs_guard(connector, entry, live)]
    named = {entry.id for entry in guarded}
    plain = [entry for entry in ready if entry.id not in named]
    waiting: list[tuple[Entry, WriteOutcome]] = []
    try:
        in_bulk = _for_a_job(connector, plain)
        if in_bulk:
            settled += _send_in_bulk(installation, connector, in_bulk)
            gone = {entry.id for entry in in_bulk}
            plain = [entry for entry in plain if entry.id not in gone]
        for chunk in in_chunks(plain, _chunk_size(connector, plain)):
            settled += _send(installation, connector, chunk, {}, waiting)
        ours = {entry.change.ref for entry in ready if entry.id not in named}
        for turn in _each_record_once(guarded):
            again = [entry for entry in turn if entry.change.ref in ours]
            moved = _look_again(installation, connector, again, live)
            settled += record(installation, moved)
            left = {settlement.entry_id for settlement in moved}
            turn = [entry for entry in turn if entry.id not in left]
            for chunk in in_chunks(turn, connector.capabilities.conditional_chunk):
                settled += _send(installation, connector, chunk, live, waiting)
                if installation.stop():
                    return settled
            ours |= {entry.change.ref for entry in turn}
    finally:
        settled += _settle_waiting(installation, connector, waiting)
    return settled


def _each_record_once(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Turns: in each, a record is written once, so that no condition is broken by a write of our own beside it."""
    turns: list[list[Entry]] = []
    met: Counter[Ref | None] = Counter()
    for entry in entries:
        number = met[entry.change.ref]
        met[entry.change.ref] += 1
        if number == len(turns):
            turns.append([])
        turns[number].append(entry)
    return turns


def _look_again(
    installation: Installation, connector: Connector, entries: Sequence[Entry], live: dict[Ref, Record]
) -> list[Settlement]:
    """Our own write to the same record, a moment ago, moved its version: take the new one, if the cells still stand."""
    fresh = _fresh(installation, connector, entries) if entries else {}
    live.update(fresh)
    checked = [(entry, replace(entry, change=replace(entry.change, decided_from={}))) for entry in entries]
    moved = [(entry, drift(bare, fresh)) for entry, bare in checked]
    return [Settlement(entry.id, State.DRIFTED, error=reason) for entry, reason in moved if reason is not None]


def _in_turn(installation: Installation, block: Sequence[Entry]) -> tuple[Sequence[Entry], list[Entry]]:
    """(entries whose step before was made, entries left alone because it never will be); the others wait."""
    if not any(entry.change.step for entry in block):
        return block, []
    ready: list[Entry] = []
    left: list[Settlement] = []
    for entry in block:
        before = _step_before(installation, entry)
        if before is None or before.state is State.CONFIRMED:
            ready.append(entry)
        elif before.state in (State.FAILED, State.DRIFTED, State.REFUSED):
            left.append(Settlement(entry.id, State.DRIFTED, error=f"the step before it, {before.id}, was not made"))
    return ready, record(installation, left)


def _step_before(installation: Installation, entry: Entry) -> Entry | None:
    if entry.change.step == 0:
        return None
    same_batch = installation.ledger.entries(batch_id=entry.batch_id, entity_id=entry.change.entity_id)
    return next(
        (
            other
            for other in same_batch
            if other.change.group == entry.change.group and other.change.step == entry.change.step - 1
        ),
        None,
    )


def _chunk_size(connector: Connector, entries: Sequence[Entry]) -> int:
    change = entries[0].change if entries else None
    natural = change is not None and change.object_type in connector.capabilities.natural_ids
    unkeyed = change is not None and change.op == "create" and change.key is None and not natural
    alone = unkeyed or (change is not None and change.op == "opt_out")
    return 1 if alone else connector.capabilities.write_chunk


def _send(
    installation: Installation,
    connector: Connector,
    chunk: Sequence[Entry],
    live: Mapping[Ref, Record],
    waiting: list[tuple[Entry, WriteOutcome]],
) -> list[Entry]:
    """Intend, send, and settle what can be settled at once; the rest waits for one read-back of the block."""
    installation.ledger.intend([entry.id for entry in chunk])
    if installation.ledger.in_transaction:
        raise RuntimeError("a transaction is open across a vendor call")
    try:
        outcomes = connector.write([as_write(entry, live) for entry in chunk])
    except TruceError as error:
        record(installation, [put_off(installation, entry, f"not sent: {error.what}") for entry in chunk])
        raise
    by_id = {outcome.entry_id: outcome for outcome in outcomes}
    paired = [(entry, by_id.get(entry.id) or WriteOutcome(entry.id, "unknown")) for entry in chunk]
    blind = [pair for pair in paired if _needs_read_back(connector, *pair)]
    waiting += blind
    clear = [pair for pair in paired if pair not in blind]
    settled = settle(installation, [entry for entry, _ in clear], [outcome for _, outcome in clear])
    wait_as_asked(connector.system, outcomes)
    return settled


def _for_a_job(connector: Connector, plain: Sequence[Entry]) -> list[Entry]:
    """Those that go as one bulk job, if there are enough of them."""
    if not _is_much(connector.capabilities, plain):
        return []
    fit = connector.bulk_fit([as_write(entry) for entry in plain])
    together = [entry for entry in plain if entry.id in fit]
    return together if _is_much(connector.capabilities, together) else []


def _send_in_bulk(installation: Installation, connector: Connector, entries: Sequence[Entry]) -> list[Entry]:
    """Intend, hand over as one job, wait for it, settle. What is not told in time is settled by a later look."""
    jobs: list[BulkJob] = []

    def note(job_id: str) -> None:
        jobs.append(BulkJob(job_id, connector.system, tuple(entry.id for entry in entries)))
        installation.jobs.note(jobs[0])

    installation.ledger.intend([entry.id for entry in entries])
    try:
        outcomes = connector.start_bulk([as_write(entry) for entry in entries], note)
    except TruceError as error:
        record(installation, [put_off(installation, entry, f"not sent: {error.what}") for entry in entries])
        raise
    refused = {outcome.entry_id for outcome in outcomes}
    sent = [entry for entry in entries if entry.id not in refused]
    told = _told(installation, connector, jobs[0].id, sent) if jobs else []
    outcomes += told or [WriteOutcome(entry.id, "unknown") for entry in sent]
    settled = settle_with_read_back(installation, connector, entries, outcomes)
    if told:
        installation.jobs.end(jobs[0])
    return settled


def _told(
    installation: Installation, connector: Connector, job: str, entries: Sequence[Entry]
) -> list[WriteOutcome] | None:
    """What the job came to; None when it takes too long, we are asked to stop, or the vendor does not say."""
    writes = [as_write(entry) for entry in entries]
    for _ in range(MOST_LOOKS_AT_A_JOB):
        with suppress(ConnectorError):
            outcomes = connector.harvest(job, writes)
            if outcomes is not None:
                return outcomes
        if installation.stop():
            break
    return None


def _settle_waiting(
    installation: Installation, connector: Connector, waiting: Sequence[tuple[Entry, WriteOutcome]]
) -> list[Entry]:
    if not waiting:
        return []
    entries = [entry for entry, _ in waiting]
    outcomes = read_back(installation, connector, entries, [outcome for _, outcome in waiting])
    return settle(installation, entries, outcomes)


def _needs_read_back(connector: Connector, entry: Entry, outcome: WriteOutcome) -> bool:
    if outcome.status != "applied" or entry.change.op == "delete" or connector.capabilities.echoes_writes:
        return False
    return any(cell.vendor_field not in outcome.observed for cell in entry.change.cells)


def _fresh(installation: Installation, connector: Connector, block: Sequence[Entry]) -> dict[Ref, Record]:
    """Live copies of the records to be updated; a HubSpot echo or pull of the last minute is fresh enough."""
    refs = [entry.change.ref for entry in block if entry.change.ref is not None]
    if not refs:
        return {}
    guarded = any(entry.change.guarded or entry.change.op == "delete" for entry in block)
    if connector.capabilities.echoes_writes and not guarded:
        known = installation.mirror.records(refs)
        is_whole = len(known) == len(set(refs)) and _are_fresh(installation, connector.system, known.values())
        if is_whole and not any(_is_contested(entry, known) for entry in block):
            return known
    fields = sorted(_compared_fields(block))
    found: dict[Ref, Record] = {}
    for readout in _read_in_chunks(connector, refs, fields):
        if isinstance(readout, Record):
            found[readout.ref] = readout
        elif not isinstance(readout, Gone | MergedInto):
            raise Unavailable(f"{readout.ref} cannot be read", system=connector.system, why=readout.reason)
    return found


def _are_fresh(installation: Installation, system: str, records: Iterable[Record]) -> bool:
    """Seen within the last minute of the vendor's clock; ours may be wrong by hours."""
    now = installation.vendor_now(system)
    return now is not None and all(
        record.seen_at is not None and record.seen_at >= now - FRESH_FOR for record in records
    )


def _read_in_chunks(connector: Connector, refs: Sequence[Ref], fields: Sequence[str]) -> Iterator[Readout]:
    size = connector.capabilities.read_chunk
    for start in range(0, len(refs), size):
        yield from connector.read(refs[start : start + size], fields)


def _compared_fields(block: Sequence[Entry]) -> set[str]:
    named = {cell.vendor_field for entry in block for cell in entry.change.cells}
    return named | {name for entry in block for name in entry.change.decided_from}


def _still_as_decided(block: Sequence[Entry], live: Mapping[Ref, Record]) -> tuple[list[Entry], list[Settlement]]:
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


def _needs_guard(connector: Connector, entry: Entry, live: Mapping[Ref, Record]) -> bool:
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
