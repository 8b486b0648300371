"""Step 7: the only caller of connector writes.

Promise: no request leaves before its entries are durably ``intended``; no transaction is open across a vendor call; a
record that moved since it was decided is left alone; parents are written before children and a clear before its set;
the cheapest call that keeps the guarantee is used.

Calls that do not depend on each other go side by side (``agent.side_by_side``): chunks of one kind of write, each
record in one of them only. What nobody could look up afterwards goes alone, and so do the first slices of a plan.

What is compared before a write, and how wide the window stays: a block of records is read fresh (or was, less than a
minute ago), every cell's old value is compared, then the block is written. Where somebody touched a filled value in
the last ten minutes, and in every rollback, the write itself carries a precondition if the system has one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial

from agent.as_decided import drift, fresh, needs_guard, still_as_decided
from agent.batch_order import goes_first, in_groups, in_order, in_slices
from agent.bulk_jobs import BulkJob
from agent.calls.allowances import Allowances
from agent.changes import Entry, State
from agent.confirm import (
    is_an_answer,
    read_back,
    record,
    settle,
    settle_unsent,
    settle_with_read_back,
    wait_as_asked,
    waits_for_a_lock,
)
from agent.connector import Capabilities, Connector, WriteOutcome
from agent.errors import AGAIN, ConnectorError, Interrupted, TruceError, Unavailable
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.places import in_chunks
from agent.records import Record, Ref
from agent.unsettled import as_write, may_still_land, settle_open

CANARY = (25, 250)
"""Sizes of the first slices of an applied plan; each is read back before the next begins."""
CANARY_FAILURES = 0.10
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
    silent: set[str] = set()
    for number, portion in enumerate(in_slices(in_order(entries), CANARY if canary else ())):
        is_first = canary and number < len(CANARY)
        with installation.side_by_side.one_after_the_other() if is_first else nullcontext():
            for settled in _written(installation, portion):
                tally.count(settled)
                progress(tally.total, len(entries))
                _stop_if_put_off(settled)
                silent |= _silent_of(installation, settled)
                _stop_if_silent(installation, batch_id, silent)
                _stop_if_asked(installation, batch_id)
        if canary and tally.total and tally.failed > tally.total * CANARY_FAILURES:
            _refuse_rest(installation, batch_id, tally)
            break
    tally = _finished(installation, batch_id, tally)
    _stop_if_lost(installation, batch_id, silent)
    return tally


def _written(installation: Installation, portion: Sequence[Entry]) -> Iterator[list[Entry]]:
    """What was settled, block by block."""
    for group in in_groups(portion):
        for block in _blocks(installation, group):
            with nullcontext() if goes_first(group[0].change) else installation.calls.that_may_wait():
                settled = _write_block(installation, block)
            yield settled


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


def _silent_of(installation: Installation, settled: Sequence[Entry]) -> set[str]:
    """Systems that lost one write after the other, these among them."""
    lost = {entry.change.system for entry in settled if entry.state is State.UNKNOWN}
    return {system for system in lost if installation.side_by_side.is_silent(system, "writing")}


def _stop_if_silent(installation: Installation, batch_id: str, silent: set[str]) -> None:
    """Who loses one write after the other is not sent the rest of the batch, to be lost as well."""
    if silent:
        _stop_for(silent, installation.ledger.entries(batch_id=batch_id, states=NOT_SENT))


def _stop_if_lost(installation: Installation, batch_id: str, silent: set[str]) -> None:
    """Neither is it called well when all was sent and a look does not find it there."""
    if silent:
        _stop_for(silent, may_still_land(installation, batch_id))


def _stop_for(silent: set[str], entries: Sequence[Entry]) -> None:
    for system in sorted(silent & {entry.change.system for entry in entries}):
        raise Unavailable(f"{system} does not answer any more", system=system, why="one write after the other was lost")


def _stop_if_asked(installation: Installation, batch_id: str) -> None:
    if installation.stop():
        raise Interrupted(
            f"stopped in the middle of {batch_id}; nothing is half written",
            next_step=AGAIN,
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
    if _is_much(capabilities, group):
        return in_chunks(group, capabilities.bulk_chunk)
    at_once = capabilities.write_chunk * installation.side_by_side.most(group[0].change.system)
    return in_chunks(group, max(capabilities.read_chunk, at_once))


def _is_much(capabilities: Capabilities, entries: Sequence[Entry]) -> bool:
    """Whether a bulk job is the cheaper way; it needs an id or a key to tell its rows apart."""
    if capabilities.bulk_above is None or len(entries) <= capabilities.bulk_above:
        return False
    change = entries[0].change
    return change.op == "update" or (change.op == "create" and change.key is not None)


def _write_block(installation: Installation, block: Sequence[Entry]) -> list[Entry]:
    """Read fresh, drop what moved, write in chunks, read back, settle. Returns the settled entries.

    Asked to stop, it sends nothing more and settles what was sent.
    """
    connector = installation.connectors[block[0].change.system]
    installation.calls.require(connector.system)
    block, settled = _in_turn(installation, block)
    if not block:
        return settled
    live = fresh(installation, connector, block)
    ready, moved = still_as_decided(block, live)
    settled += record(installation, moved)
    if installation.stop():
        return settled
    guarded = [entry for entry in ready if needs_guard(connector, entry, live)]
    named = {entry.id for entry in guarded}
    plain = [entry for entry in ready if entry.id not in named]
    waiting: list[tuple[Entry, WriteOutcome]] = []
    try:
        in_bulk = _for_a_job(connector, plain)
        if in_bulk:
            settled += _send_in_bulk(installation, connector, in_bulk)
            gone = {entry.id for entry in in_bulk}
            plain = [entry for entry in plain if entry.id not in gone]
        for turn in _each_record_once(plain):
            settled += _send_turn(installation, connector, _without_lost(turn, settled), {}, waiting)
            if _is_over(installation, connector):
                return settled
        ours = {entry.change.ref for entry in ready if entry.id not in named}
        for turn in _each_record_once(guarded):
            again = [entry for entry in turn if entry.change.ref in ours]
            moved = _look_again(installation, connector, again, live)
            settled += record(installation, moved)
            left = {settlement.entry_id for settlement in moved}
            turn = [entry for entry in turn if entry.id not in left]
            settled += _send_turn(installation, connector, turn, live, waiting)
            if _is_over(installation, connector):
                return settled
            ours |= {entry.change.ref for entry in turn}
    except KeyboardInterrupt:
        waiting.clear()  # at once means no further call: the next start reads what these came to
        raise
    finally:
        settled += _settle_waiting(installation, connector, waiting)
    return settled


def _each_record_once(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Turns: in each, a record is written once, so that no two calls under way are about it and no condition is broken
    by a write of our own beside it."""
    turns: list[list[Entry]] = []
    met: Counter[Ref | str] = Counter()
    for entry in entries:
        whose = entry.change.ref or entry.id
        number = met[whose]
        met[whose] += 1
        if number == len(turns):
            turns.append([])
        turns[number].append(entry)
    return turns


def _look_again(
    installation: Installation, connector: Connector, entries: Sequence[Entry], live: dict[Ref, Record]
) -> list[Settlement]:
    """Our own write to the same record, a moment ago, moved its version: take the new one, if the cells still stand."""
    seen = fresh(installation, connector, entries) if entries else {}
    live.update(seen)
    checked = [(entry, replace(entry, change=replace(entry.change, decided_from={}))) for entry in entries]
    moved = [(entry, drift(bare, seen)) for entry, bare in checked]
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


def _goes_alone(connector: Connector, entry: Entry) -> bool:
    """What nobody could look up afterwards if its reply got lost: no other write is in its call or beside it."""
    change = entry.change
    is_unkeyed = change.key is None and change.object_type not in connector.capabilities.natural_ids
    return change.op == "opt_out" or (change.op == "create" and is_unkeyed)


def _without_lost(turn: Sequence[Entry], settled: Sequence[Entry]) -> list[Entry]:
    """Those whose record is not waiting for a lost reply: that write may still land, after a later one of ours."""
    lost = {entry.change.ref for entry in settled if entry.state is State.UNKNOWN}
    return [entry for entry in turn if entry.change.ref is None or entry.change.ref not in lost]


def _send_turn(
    installation: Installation,
    connector: Connector,
    turn: Sequence[Entry],
    live: Mapping[Ref, Record],
    waiting: list[tuple[Entry, WriteOutcome]],
) -> list[Entry]:
    """Writes of one kind, each record once: in chunks, some of them side by side."""
    settled: list[Entry] = []
    if not live and turn and _goes_alone(connector, turn[0]):
        waves: Iterable[Sequence[Sequence[Entry]]] = ([[entry]] for entry in turn)
    else:
        size = connector.capabilities.conditional_chunk if live else connector.capabilities.write_chunk
        waves = installation.side_by_side.waves(connector.system, "writing", in_chunks(turn, size))
    for wave in waves:
        settled += _send(installation, connector, wave, live, waiting)
        if _is_over(installation, connector):
            break
    return settled


def _is_over(installation: Installation, connector: Connector) -> bool:
    """Asked to stop, or nobody answers there: nothing more is sent."""
    return installation.stop() or installation.side_by_side.is_silent(connector.system, "writing")


def _send(
    installation: Installation,
    connector: Connector,
    wave: Sequence[Sequence[Entry]],
    live: Mapping[Ref, Record],
    waiting: list[tuple[Entry, WriteOutcome]],
) -> list[Entry]:
    """Intend, send, and settle what can be settled at once; the rest waits for one read-back of the block."""
    installation.calls.require(connector.system)
    installation.ledger.intend([entry.id for chunk in wave for entry in chunk])
    if installation.ledger.in_transaction:
        raise RuntimeError("a transaction is open across a vendor call")
    calls = [partial(connector.write, [as_write(entry, live) for entry in chunk]) for chunk in wave]
    paired: list[tuple[Entry, WriteOutcome]] = []
    failures: list[TruceError] = []
    answers = installation.side_by_side.ask(connector.system, "writing", calls, is_an_answer)
    for chunk, answer in zip(wave, answers, strict=True):
        if isinstance(answer, TruceError):
            settle_unsent(installation, chunk, answer)
            failures.append(answer)
            continue
        by_id = {outcome.entry_id: outcome for outcome in answer}
        paired += [(entry, by_id.get(entry.id) or WriteOutcome(entry.id, "unknown")) for entry in chunk]
    blind = {entry.id for entry, outcome in paired if _needs_read_back(connector, entry, outcome)}
    waiting += [pair for pair in paired if pair[0].id in blind]
    clear = [pair for pair in paired if pair[0].id not in blind]
    settled = settle(installation, [entry for entry, _ in clear], [outcome for _, outcome in clear])
    if failures:
        raise failures[0]
    wait_as_asked(connector.system, [outcome for _, outcome in paired])
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

    Allowances(installation.ledger.store, installation.clock).ask_if_old(connector)
    installation.ledger.intend([entry.id for entry in entries])
    try:
        outcomes = connector.start_bulk([as_write(entry) for entry in entries], note)
    except TruceError as error:
        settle_unsent(installation, entries, error)
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
