"""Step 8: compare with what the vendor holds, settle, and recognise our own echo.

Promise: ``observed`` is a read-back or the echoed reply, never the payload. A lost reply stays unknown until a
consistent read settles it (``agent.unsettled``). Nothing is guessed.

Order: outcomes COMMIT in the ledger, then one mirror COMMIT; a crash between the two is replayed at the next start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agent.changes import Entry, State
from agent.connector import Connector, WriteOutcome
from agent.decide.view import Base
from agent.errors import ConnectorError, TruceError, Unavailable
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.links import await_pairing
from agent.live import read_in_chunks
from agent.places import entity_type_of, in_chunks, places_of, settled_bases
from agent.records import FieldValue, Gone, MergedInto, Readout, Record, Ref

MOST_ATTEMPTS = 12
"""A write put off or lost so often is given up as failed, so that one record cannot hold up the rest for ever. With the
daemon's pauses that is half an hour, with a locked record a dozen cycles: a bad quarter of an hour is outlived."""
MOST_ENDS = 5
"""Sooner where we ended while it was under way: it may be what ends us."""
GONE = "the record is gone"
"""How the error of an entry begins that found nobody to write to: it is looked for at once."""
LOCKED = "the record is locked, tried again with the next cycle"
"""How the error of a planned entry begins whose record somebody else was saving: nothing else waits for it."""


def settle(installation: Installation, entries: Sequence[Entry], outcomes: Sequence[WriteOutcome]) -> list[Entry]:
    """Record outcomes whose observed values are known, then teach the mirror. Returns the settled entries."""
    by_id = {outcome.entry_id: outcome for outcome in outcomes}
    settlements = [_settlement(installation, entry, by_id[entry.id]) for entry in entries]
    return record(installation, settlements)


def settle_with_read_back(
    installation: Installation, connector: Connector, entries: Sequence[Entry], outcomes: Sequence[WriteOutcome]
) -> list[Entry]:
    """As ``settle``, after reading what the vendor stored of the applied ones; as many to a read as it takes."""
    settled: list[Entry] = []
    by_id = {outcome.entry_id: outcome for outcome in outcomes}
    for chunk in in_chunks(entries, connector.capabilities.read_chunk):
        own = read_back(installation, connector, chunk, [by_id[entry.id] for entry in chunk])
        settled += settle(installation, chunk, own)
    return settled


def record(installation: Installation, settlements: Sequence[Settlement]) -> list[Entry]:
    """Commit settlements in the ledger, then in the mirror."""
    if not settlements:
        return []
    last_seq = installation.ledger.settle(settlements)
    settled = installation.ledger.entries_of([settlement.entry_id for settlement in settlements])
    teach_mirror(installation, settled, last_seq)
    return settled


def replay(installation: Installation) -> int:
    """Teach the mirror every outcome it has not absorbed yet (crash between the two commits)."""
    missed = list(installation.ledger.settled_after(installation.mirror.ledger_seq))
    if missed:
        teach_mirror(installation, [entry for _, entry in missed if not entry.erased], missed[-1][0])
    return len(missed)


def teach_mirror(installation: Installation, settled: Sequence[Entry], last_seq: int) -> None:
    """One mirror transaction: observed values, bases, and the ledger position absorbed."""
    confirmed = [entry for entry in settled if entry.state is State.CONFIRMED]
    _link_created(installation, confirmed)
    bases = _bases(installation, confirmed)
    installation.mirror.absorb_outcomes(
        [(entry, bases.get(entry.id, {})) for entry in confirmed], last_seq, _seen_at(installation, confirmed)
    )


def _seen_at(installation: Installation, confirmed: Sequence[Entry]) -> datetime:
    """On the vendor's clock, where it was heard: what we saw is later compared with what the vendor stamps."""
    systems = {entry.change.system for entry in confirmed}
    heard = [moment for system in systems if (moment := installation.vendor_now(system)) is not None]
    return min(heard, default=installation.clock())


def is_echo(entry: Entry, live: Mapping[str, FieldValue]) -> bool:
    """The record holds exactly what we wrote."""
    return all(same_value(live.get(cell.vendor_field), cell.after) for cell in entry.change.cells)


def is_untouched(entry: Entry, live: Mapping[str, FieldValue]) -> bool:
    """The record still holds what it held before us."""
    return all(same_value(live.get(cell.vendor_field), cell.before) for cell in entry.change.cells)


def same_value(here: FieldValue, there: FieldValue) -> bool:
    """Equal for a vendor: blank forms are one, numbers by value, text after the trimming and the lower-casing of
    e-mail that vendors do themselves."""
    return _plain(here) == _plain(there)


def _plain(value: FieldValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.lower() if "@" in text else text


def _settlement(installation: Installation, entry: Entry, outcome: WriteOutcome) -> Settlement:
    if outcome.status == "unknown":
        return Settlement(entry.id, State.UNKNOWN, record_id=outcome.record_id, error="the reply was lost")
    if outcome.status == "rejected":
        error = outcome.error
        text = f"{error.code}: {error.message}" if error else "rejected"
        if error is not None and error.kind == "throttled":
            return put_off(installation, entry, text)
        if error is not None and error.kind == "locked":
            return put_off(installation, entry, f"{LOCKED}: {text}")
        if error is not None and error.kind == "gone" and entry.change.op in ("update", "associate", "opt_out"):
            return Settlement(entry.id, State.DRIFTED, record_id=outcome.record_id, error=f"{GONE}: {text}")
        moved = error is not None and error.kind == "moved"
        return Settlement(entry.id, State.DRIFTED if moved else State.FAILED, record_id=outcome.record_id, error=text)
    return applied(entry, outcome.record_id, outcome.version, outcome.observed)


def waits_for_a_lock(entry: Entry) -> bool:
    """Tried, refused for the moment, and still to be sent; its batch stays open for it."""
    return entry.state is State.PLANNED and (entry.error or "").startswith(LOCKED)


def put_off(installation: Installation, entry: Entry, why: str, most: int = MOST_ATTEMPTS) -> Settlement:
    """It certainly had no effect and may be sent again later; given up after ``most`` attempts."""
    attempts = installation.ledger.entry(entry.id).attempts
    if attempts >= most:
        return Settlement(entry.id, State.FAILED, error=f"{why} ({attempts} attempts)")
    return Settlement(entry.id, State.PLANNED, error=why)


def settle_unsent(installation: Installation, entries: Sequence[Entry], error: TruceError) -> None:
    """A call that raised had sent nothing."""
    record(installation, [put_off(installation, entry, f"not sent: {error.what}") for entry in entries])


def wait_as_asked(system: str, outcomes: Sequence[WriteOutcome]) -> None:
    """A vendor that asks for a pause is not asked for the rest either, whether it says how long or not.

    Raises:
        Unavailable: with the longest wait asked for.
    """
    asked = [outcome.error for outcome in outcomes if is_put_off(outcome) and outcome.error is not None]
    if not asked:
        return
    longest = max((error.retry_after for error in asked if error.retry_after is not None), default=None)
    why = f"{asked[0].code}: {asked[0].message}" if longest is None else f"it asks for {longest:g} seconds"
    raise Unavailable(f"{system} asks us to wait", system=system, retry_after=longest, why=why)


def is_put_off(outcome: WriteOutcome) -> bool:
    """The system as a whole asks for a pause."""
    return outcome.error is not None and (outcome.error.kind == "throttled" or outcome.error.retry_after is not None)


def is_an_answer(outcomes: Sequence[WriteOutcome]) -> bool:
    """Whether a writing call was answered, if only with a no: neither lost altogether nor put off."""
    is_lost = all(outcome.status == "unknown" for outcome in outcomes)
    return not is_lost and not any(is_put_off(outcome) for outcome in outcomes)


def applied(entry: Entry, record_id: str | None, version: str | None, observed: Mapping[str, FieldValue]) -> Settlement:
    """Applied says the vendor; but a value it silently kept was not applied (HubSpot's lifecycle stage)."""
    cells = entry.change.cells
    kept = entry.change.op in ("update", "associate") and all(
        cell.vendor_field in observed
        and same_value(observed[cell.vendor_field], cell.before)
        and not same_value(cell.before, cell.after)
        for cell in cells
    )
    ours = {cell.vendor_field: observed[cell.vendor_field] for cell in cells if cell.vendor_field in observed}
    if kept and cells:
        return Settlement(
            entry.id, State.FAILED, record_id, version, ours, error="the vendor silently kept the old value"
        )
    return Settlement(entry.id, State.CONFIRMED, record_id, version, ours)


def _link_created(installation: Installation, confirmed: Iterable[Entry]) -> None:
    """A confirmed create joins its entity; a confirmed delete of our own create ends that link as undone, and what
    brings the record back takes the link up again."""
    for entry in confirmed:
        change = entry.change
        if change.op == "create" and entry.record_id:
            ref = Ref(change.system, change.object_type, entry.record_id)
            if installation.crosswalk.entity_of(ref) == change.entity_id:
                installation.crosswalk.mark(ref, "linked")  # what is made of two ids has the same id when made again
            elif installation.crosswalk.entity_of(ref) is None:
                entity_type = entity_type_of(change.entity_id)
                await_pairing(installation, stands_with(installation, entry), entity_type)
                installation.crosswalk.link(change.entity_id, entity_type, ref, role="active")
        elif change.op == "delete" and change.ref is not None:
            installation.crosswalk.mark(change.ref, "undone")
            _close_lost(installation, change.entity_id)
        elif change.op == "undelete" and change.ref is not None:
            installation.crosswalk.mark(change.ref, "linked")


def _close_lost(installation: Installation, entity_id: str) -> None:
    """With its counterpart gone too, nobody needs to say what shall become of it."""
    for review in installation.reviews.open_for([entity_id]):
        if review.kind == "lost":
            installation.reviews.close(entity_id, review.topic)


def stands_with(installation: Installation, entry: Entry) -> list[Ref]:
    """The record that a create of ours made, and those of the same entity."""
    change = entry.change
    links = installation.crosswalk.members([change.entity_id]).get(change.entity_id, ())
    made = Ref(change.system, change.object_type, entry.record_id or "")
    return list(dict.fromkeys([made, *(link.ref for link in links if link.state == "linked")]))


def _bases(installation: Installation, confirmed: Sequence[Entry]) -> dict[str, dict[str, Base]]:
    places = places_of(installation.policies.policies)
    members = installation.crosswalk.members([entry.change.entity_id for entry in confirmed])
    wanted = [link.ref for links in members.values() for link in links if link.role == "active"]
    records = installation.mirror.records(wanted)
    bases: dict[str, dict[str, Base]] = {}
    for entry in confirmed:
        sides = {
            link.ref.system: records.get(link.ref)
            for link in members.get(entry.change.entity_id, ())
            if link.role == "active"
        }
        bases[entry.id] = settled_bases(entry, entity_type_of(entry.change.entity_id), places, sides)
    return bases


def read_back(
    installation: Installation,
    connector: Connector,
    entries: Sequence[Entry],
    outcomes: Sequence[WriteOutcome],
) -> list[WriteOutcome]:
    """Complete applied outcomes with what the vendor holds now.

    A read that fails turns them into unknown outcomes: they were applied, but with what result nobody has seen. What
    went meanwhile was written all the same.
    """
    by_id = {entry.id: entry for entry in entries}
    blind = [
        outcome
        for outcome in outcomes
        if outcome.status == "applied"
        and outcome.record_id
        and by_id[outcome.entry_id].change.op != "delete"
        and any(cell.vendor_field not in outcome.observed for cell in by_id[outcome.entry_id].change.cells)
    ]
    if not blind:
        return list(outcomes)
    object_type = by_id[blind[0].entry_id].change.object_type
    fields = sorted({cell.vendor_field for outcome in blind for cell in by_id[outcome.entry_id].change.cells})
    refs = [Ref(connector.system, object_type, str(outcome.record_id)) for outcome in blind]
    try:
        with installation.calls.lane("undo"):  # what was sent must be seen, whatever else is held back
            readouts = read_in_chunks(installation, connector, refs, fields)
    except ConnectorError:
        readouts = []
    seen = {outcome.entry_id: readout for outcome, readout in zip(blind, readouts, strict=False)}
    return [_with_observed(outcome, seen.get(outcome.entry_id), outcome in blind) for outcome in outcomes]


def _with_observed(outcome: WriteOutcome, readout: Readout | None, is_blind: bool) -> WriteOutcome:
    if not is_blind:
        return outcome
    if isinstance(readout, Record):
        return WriteOutcome(outcome.entry_id, "applied", outcome.record_id, readout.version, dict(readout.fields), None)
    if isinstance(readout, Gone | MergedInto):
        return outcome
    return WriteOutcome(outcome.entry_id, "unknown", outcome.record_id, None, {}, None)
