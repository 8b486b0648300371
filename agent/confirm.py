"""Step 8: compare with what the vendor holds, settle, and recognise our own echo.

Promise: ``observed`` is a read-back or the echoed reply, never the payload. A lost reply stays unknown until a
consistent read settles it: the vendor holds our values → confirmed; it still holds the old ones, twice, far enough
apart that a late request cannot arrive any more → failed and decided again. Nothing is guessed.

Order: outcomes COMMIT in the ledger, then one mirror COMMIT; a crash between the two is replayed at the next start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.changes import OPEN_STATES, Entry, State
from agent.connector import Connector, WriteOutcome
from agent.decide.view import Base
from agent.errors import ConnectorError
from agent.installation import Installation
from agent.ledger import Settlement
from agent.places import entity_type_of, places_of, settled_bases
from agent.records import FieldValue, Gone, MergedInto, Readout, Record, Ref

NOT_APPLIED = "the request never took effect"
NOT_THERE_YET = "first look: not there"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What settling open entries at a start or before a cycle found."""

    confirmed: int = 0
    failed: int = 0
    still_unknown: int = 0


def settle(installation: Installation, entries: Sequence[Entry], outcomes: Sequence[WriteOutcome]) -> list[Entry]:
    """Record outcomes whose observed values are known, then teach the mirror. Returns the settled entries."""
    by_id = {outcome.entry_id: outcome for outcome in outcomes}
    settlements = [_settlement(entry, by_id[entry.id]) for entry in entries]
    return record(installation, settlements)


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
        teach_mirror(installation, [entry for _, entry in missed], missed[-1][0])
    return len(missed)


def teach_mirror(installation: Installation, settled: Sequence[Entry], last_seq: int) -> None:
    """One mirror transaction: observed values, bases, and the ledger position absorbed."""
    confirmed = [entry for entry in settled if entry.state is State.CONFIRMED]
    _link_created(installation, confirmed)
    bases = _bases(installation, confirmed)
    installation.mirror.absorb_outcomes(
        [(entry, bases.get(entry.id, {})) for entry in confirmed], last_seq, installation.clock()
    )


def settle_open(installation: Installation) -> Recovery:
    """Settle every entry that may or may not have reached its vendor, by consistent reads.

    Raises:
        ConnectorError: a vendor cannot be read; its entries stay as they are.
    """
    replay(installation)
    counts = dict.fromkeys(("confirmed", "failed", "unknown"), 0)
    by_system: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in installation.ledger.entries(states=tuple(OPEN_STATES)):
        by_system[entry.change.system, entry.change.object_type].append(entry)
    for (system, object_type), entries in sorted(by_system.items()):
        connector = installation.connectors[system]
        size = connector.capabilities.read_chunk
        for start in range(0, len(entries), size):
            chunk = entries[start : start + size]
            settlements = _settled_by_reading(installation, connector, object_type, chunk)
            record(installation, settlements)
            for settlement in settlements:
                key = settlement.state.value if settlement.state.value in counts else "unknown"
                counts[key] += 1
    return Recovery(counts["confirmed"], counts["failed"], counts["unknown"])


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


def _settlement(entry: Entry, outcome: WriteOutcome) -> Settlement:
    if outcome.status == "unknown":
        return Settlement(entry.id, State.UNKNOWN, record_id=outcome.record_id, error="the reply was lost")
    if outcome.status == "rejected":
        error = outcome.error
        text = f"{error.code}: {error.message}" if error else "rejected"
        moved = error is not None and error.kind == "moved"
        return Settlement(entry.id, State.DRIFTED if moved else State.FAILED, record_id=outcome.record_id, error=text)
    return _applied(entry, outcome.record_id, outcome.version, outcome.observed)


def _applied(
    entry: Entry, record_id: str | None, version: str | None, observed: Mapping[str, FieldValue]
) -> Settlement:
    """Applied says the vendor; but a value it silently kept was not applied (HubSpot's lifecycle stage)."""
    cells = entry.change.cells
    kept = entry.change.op == "update" and all(
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


def _settled_by_reading(
    installation: Installation, connector: Connector, object_type: str, entries: Sequence[Entry]
) -> list[Settlement]:
    fields = sorted({cell.vendor_field for entry in entries for cell in entry.change.cells})
    known = [entry for entry in entries if entry.change.record_id]
    refs = [Ref(connector.system, object_type, str(entry.change.record_id)) for entry in known]
    settlements = [
        _from_readout(installation, connector, entry, readout)
        for entry, readout in zip(known, connector.read(refs, fields) if refs else [], strict=True)
    ]
    for entry in entries:
        if not entry.change.record_id:
            settlements.append(_created_or_not(installation, connector, entry, fields))
    return settlements


def _from_readout(installation: Installation, connector: Connector, entry: Entry, readout: Readout) -> Settlement:
    if isinstance(readout, Gone):
        if entry.change.op == "delete":
            return Settlement(entry.id, State.CONFIRMED, entry.change.record_id)
        return Settlement(entry.id, State.FAILED, error="the record is gone")
    if isinstance(readout, MergedInto):
        return Settlement(entry.id, State.FAILED, error=f"the record was merged into {readout.survivor}")
    if not isinstance(readout, Record):
        return Settlement(entry.id, State.UNKNOWN, error=f"cannot be read: {readout.reason}")
    if entry.change.op == "delete":
        return _not_applied(installation, connector, entry)
    if is_echo(entry, readout.fields):
        return _applied(entry, readout.ref.id, readout.version, readout.fields)
    if is_untouched(entry, readout.fields):
        return _not_applied(installation, connector, entry)
    return Settlement(
        entry.id,
        State.UNKNOWN,
        error="the record holds neither the old nor our value; somebody changed it meanwhile",
    )


def _created_or_not(
    installation: Installation, connector: Connector, entry: Entry, fields: Sequence[str]
) -> Settlement:
    """A create is settled by its unique key, read consistently; without a key only a person can tell."""
    if entry.change.key is None:
        return Settlement(entry.id, State.UNKNOWN, error="created or not? there is no link key to look it up by")
    field, value = entry.change.key
    found = connector.find(entry.change.object_type, field, value, fields)
    if found:
        return _applied(entry, found[0].ref.id, found[0].version, found[0].fields)
    return _not_applied(installation, connector, entry)


def _not_applied(installation: Installation, connector: Connector, entry: Entry) -> Settlement:
    """Failed only after two equal looks far enough apart, unless a precondition or key guards a re-send anyway."""
    now = installation.clock()
    first_look = _first_look(entry)
    settled_after = timedelta(seconds=connector.capabilities.settle_seconds)
    guarded = entry.change.key is not None or (entry.change.guarded and connector.capabilities.conditional_write)
    if guarded or (first_look is not None and now - first_look >= settled_after):
        return Settlement(entry.id, State.FAILED, error=NOT_APPLIED)
    return Settlement(entry.id, State.UNKNOWN, error=f"{NOT_THERE_YET} at {(first_look or now).isoformat()}")


def _first_look(entry: Entry) -> datetime | None:
    if entry.error and entry.error.startswith(NOT_THERE_YET):
        return datetime.fromisoformat(entry.error.rpartition(" ")[2])
    return None


def _link_created(installation: Installation, confirmed: Iterable[Entry]) -> None:
    """A confirmed create joins its entity; a confirmed delete of our own create ends that link as undone."""
    for entry in confirmed:
        change = entry.change
        if change.op == "create" and entry.record_id:
            ref = Ref(change.system, change.object_type, entry.record_id)
            if installation.crosswalk.entity_of(ref) is None:
                entity_type = entity_type_of(change.entity_id)
                installation.crosswalk.link(change.entity_id, entity_type, ref, role="active")
        elif change.op == "delete" and change.ref is not None:
            installation.crosswalk.mark(change.ref, "undone")


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
    """Complete applied outcomes with what the vendor holds now; one read for the lot.

    A read that fails turns them into unknown outcomes: they were applied, but with what result nobody has seen.
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
        readouts = connector.read(refs, fields)
    except ConnectorError:
        readouts = []
    seen = {outcome.entry_id: readout for outcome, readout in zip(blind, readouts, strict=False)}
    return [_with_observed(outcome, seen.get(outcome.entry_id), outcome in blind) for outcome in outcomes]


def _with_observed(outcome: WriteOutcome, readout: Readout | None, is_blind: bool) -> WriteOutcome:
    if not is_blind:
        return outcome
    if isinstance(readout, Record):
        return WriteOutcome(outcome.entry_id, "applied", outcome.record_id, readout.version, dict(readout.fields), None)
    return WriteOutcome(outcome.entry_id, "unknown", outcome.record_id, None, {}, None)
