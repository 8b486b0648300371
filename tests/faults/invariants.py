"""The one oracle of every harness: the emulator's audit, which the agent never sees, against the ledger.

Each check names the invariant of docs/invariants.md it proves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from agent.changes import Entry, State
from agent.confirm import same_value
from agent.ledger import Ledger

AuditLine = Mapping[str, Any]


def assert_invariants(
    audit: Iterable[AuditLine], ledger: Ledger, *, allowed: Mapping[tuple[str, str], set[str]]
) -> None:
    """Compare every change our user made with the ledger, and the ledger with itself.

    ``allowed``: {(system, object type): vendor fields a policy names or the link key}.
    """
    ours = [line for line in audit if line["cause"] == "api"]
    entries = {entry.id: entry for entry in ledger.entries()}
    _every_change_has_its_entry(ours, entries)
    _every_confirmed_write_happened_once(ours, entries)
    _no_field_outside_the_policies(ours, allowed)
    _one_record_per_key(ours, entries)
    verification = ledger.verify()
    assert verification.ok, verification.message


def _every_change_has_its_entry(ours: list[AuditLine], entries: Mapping[str, Entry]) -> None:
    """Accounted: object, id, before and after as recorded, intended before it happened."""
    for line in ours:
        entry = entries.get(str(line["entry_id"]))
        assert entry is not None, f"a change without a ledger entry: {line}"
        assert entry.state is not State.PLANNED, f"{entry.id} was sent before it was intended"
        if entry.change.record_id is not None:
            assert same_id(entry.change.record_id, str(line["id"])), f"{entry.id} wrote another record: {line}"
        for cell in entry.change.cells:
            if entry.change.op == "update" and cell.vendor_field in line["after"]:
                assert same_value(line["before"].get(cell.vendor_field), cell.before) or entry.change.step, (
                    f"{entry.id} overwrote {line['before'].get(cell.vendor_field)!r}, recorded was {cell.before!r}"
                )


def _every_confirmed_write_happened_once(ours: list[AuditLine], entries: Mapping[str, Entry]) -> None:
    """One effect per entry; a confirmed one has exactly one, a failed or planned one none."""
    effects = Counter(str(line["entry_id"]) for line in ours)
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


def _no_field_outside_the_policies(ours: list[AuditLine], allowed: Mapping[tuple[str, str], set[str]]) -> None:
    """Confined: only fields that a policy names, the link key, and what the vendor derives by itself."""
    for line in ours:
        if line["op"] not in ("update", "create"):
            continue
        named = allowed.get((line["system"], line["object"]), set())
        strangers = {name for name in line["after"] if name not in named and not _is_derived(name)}
        assert not strangers, f"{line['system']} {line['object']}: wrote {strangers}"


def _one_record_per_key(ours: list[AuditLine], entries: Mapping[str, Entry]) -> None:
    """No duplicate creates."""
    created = Counter(entries[str(line["entry_id"])].change.key for line in ours if line["op"] == "create")
    assert all(count == 1 for key, count in created.items() if key is not None), created


def same_id(here: str, there: str) -> bool:
    return here[:15] == there[:15]


def _is_derived(name: str) -> bool:
    """System fields a vendor sets on every write."""
    return name.lower().startswith(
        ("hs_", "lastmodified", "system", "created", "createdate", "id", "name", "owner")
    ) or name in (
        "IsDeleted",
        "IsConverted",
        "MasterRecordId",
        "Status",
        "associatedcompanyid",
    )
