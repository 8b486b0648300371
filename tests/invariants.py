"""The one oracle of every harness: the emulator's audit, which the agent never sees, against the ledger.

Each check names the invariant of docs/invariants.md it proves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from agent.changes import OPEN, Entry, State
from agent.confirm import same_value
from agent.events import OVERWRITTEN
from agent.installation import Installation
from agent.ledger.ledger import Ledger

AuditLine = Mapping[str, Any]

WRITES = ("create", "update", "delete")
"""A link to its company is part of the create it comes with."""


def assert_invariants(
    audit: Iterable[AuditLine], ledger: Ledger, *, allowed: Mapping[tuple[str, str], set[str]]
) -> None:
    """Compare every change our user made with the ledger, and the ledger with itself.

    ``allowed``: {(system, object type): vendor fields a policy names or the link key}.
    """
    entries = {entry.id: entry for entry in ledger.entries()}
    lines = [line for line in audit if not _is_left_behind(line, entries)]
    ours = [line for line in lines if line["cause"] == "api"]
    _every_change_has_its_entry(ours, entries, _found_overwritten(ledger))
    _every_confirmed_write_happened_once(ours, entries)
    _no_field_outside_the_policies(ours, entries, allowed)
    _one_record_per_key(ours, entries)
    _no_undo_over_a_person(lines, entries)
    verification = ledger.verify()
    assert verification.ok, verification.message


def _found_overwritten(ledger: Ledger) -> dict[tuple[str, str], Any]:
    """{(entry, vendor field): the edit it went over unseen}, as found afterwards."""
    events = ledger.events(kind=OVERWRITTEN)
    return {(event.body["entry"], event.body["vendor_field"]): event.body["value"] for event in events if event.body}


def _every_change_has_its_entry(
    ours: list[AuditLine], entries: Mapping[str, Entry], overwritten: Mapping[tuple[str, str], Any]
) -> None:
    """Accounted: object, id, before and after as recorded, intended before it happened; what was overwritten unseen
    was found afterwards, and nothing else was said to be."""
    unseen = set()
    for line in ours:
        entry = entries.get(str(line["entry_id"]))
        assert entry is not None, f"a change without a ledger entry: {line}"
        assert entry.state is not State.PLANNED, f"{entry.id} was sent before it was intended"
        if entry.change.record_id is not None:
            assert same_id(entry.change.record_id, str(line["id"])), f"{entry.id} wrote another record: {line}"
        for cell in entry.change.cells:
            if entry.change.op == "update" and cell.vendor_field in line["after"]:
                before, place = line["before"].get(cell.vendor_field), (entry.id, cell.vendor_field)
                assert same_value(before, overwritten.get(place, cell.before)) or entry.change.step, (
                    f"{entry.id} overwrote {before!r}, recorded was {overwritten.get(place, cell.before)!r}"
                )
                unseen |= {place} & overwritten.keys()
    assert unseen == overwritten.keys(), "an edit is said to be overwritten that no write of ours went over"


def _every_confirmed_write_happened_once(ours: list[AuditLine], entries: Mapping[str, Entry]) -> None:
    """One effect per entry; a confirmed one has exactly one, a failed or planned one none."""
    effects = Counter(str(line["entry_id"]) for line in ours if line["op"] in WRITES)
    for entry in entries.values():
        count = effects[entry.id]
        assert count <= 1, f"{entry.id} took effect {count} times"
        if entry.state is State.CONFIRMED:
            changes = entry.change.op != "update" or any(
                not same_value(cell.before, cell.after) for cell in entry.change.cells
            )
            assert count == 1 or not changes, f"{entry.id} is confirmed but never happened"
        elif entry.state in (State.PLANNED, State.HELD, State.REFUSED, State.DRIFTED, State.FAILED):
            assert count == 0, f"{entry.id} is {entry.state} but took effect"


def _no_field_outside_the_policies(
    ours: list[AuditLine], entries: Mapping[str, Entry], allowed: Mapping[tuple[str, str], set[str]]
) -> None:
    """Confined: an entry names only fields that a policy names; a write changed only what its entry names."""
    for entry in entries.values():
        if entry.change.op == "delete":
            continue
        named = allowed.get((entry.change.system, entry.change.object_type), set())
        strangers = {cell.vendor_field for cell in entry.change.cells} - named
        assert not strangers, f"{entry.id} names {strangers}"
    for line in ours:
        if line["op"] not in ("update", "create"):
            continue
        change = entries[str(line["entry_id"])].change
        sent = {cell.vendor_field for cell in change.cells} | ({change.key[0]} if change.key else set())
        strangers = {name for name in line["after"] if name not in sent and not _is_derived(name, line)}
        assert not strangers, f"{line['system']} {line['object']}: wrote {strangers}"


def _one_record_per_key(ours: list[AuditLine], entries: Mapping[str, Entry]) -> None:
    """No duplicate creates."""
    created = Counter(entries[str(line["entry_id"])].change.key for line in ours if line["op"] == "create")
    assert all(count == 1 for key, count in created.items() if key is not None), created


def _no_undo_over_a_person(lines: list[AuditLine], entries: Mapping[str, Entry]) -> None:
    """People win: whoever touched a field last before an undo wrote it was never a person."""
    last_by: dict[tuple[str, str, str, str], str] = {}
    for line in lines:
        if line["op"] not in WRITES:
            continue
        entry = entries.get(str(line["entry_id"])) if line["cause"] == "api" else None
        for name in line["after"] or {}:
            place = (line["system"], line["object"], str(line["id"]), name)
            is_undo = entry is not None and any(
                cell.vendor_field == name and cell.meaning == "restore" for cell in entry.change.cells
            )
            assert not (is_undo and last_by.get(place) == "person"), f"an undo overwrote a person: {line}"
            last_by[place] = line["cause"]


def assert_at_rest(installation: Installation) -> None:
    """After the faults stopped: nothing pending, nothing open, no batch half written, both files whole."""
    assert installation.mirror.pending() == []
    left = installation.ledger.entries(states=(State.PLANNED, State.INTENDED, State.UNKNOWN))
    assert left == [], [(entry.id, entry.state, entry.error) for entry in left]
    assert installation.ledger.batches(states=OPEN) == []
    assert not installation.ledger.in_transaction
    installation.ledger.store.check_pages()
    assert installation.ledger.memory_check() == "ok"


def same_id(here: str, there: str) -> bool:
    return here[:15] == there[:15]


VENDOR_SETS = {
    "update": ("hs_", "lastmodified", "systemmodstamp", "associatedcompanyid"),
    "create": ("hs_", "lastmodified", "systemmodstamp", "created", "ownerid", "lifecyclestage", "associatedcompanyid"),
}
"""Beginnings of the names of fields that a vendor sets by itself with every write of this kind."""


def _is_left_behind(line: AuditLine, entries: Mapping[str, Entry]) -> bool:
    """A contact whose company we deleted loses the field that a vendor derives from the link between them."""
    entry = entries.get(str(line["entry_id"]))
    is_ours = entry is not None and entry.change.op == "delete" and line["op"] == "update"
    return is_ours and set(line["after"]) == {"associatedcompanyid"}


def _is_derived(name: str, line: AuditLine) -> bool:
    return name.lower().startswith(VENDOR_SETS[line["op"]])
