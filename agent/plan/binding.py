"""What a plan rests on, and whether that still stands: accounts, ledger, policies, and the values it was decided from.

A record that moved drops out; more than a tenth moved, or anything else changed: the plan is refused whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from agent.as_decided import drift
from agent.changes import Change, Entry, State
from agent.confirm import same_value
from agent.errors import PlanStale
from agent.installation import Installation
from agent.live import read_live
from agent.places import Places, entity_type_of, places_of
from agent.records import FieldValue, Record, Ref
from agent.views import SLICE

DRIFT_LIMIT = 0.10

Sources = Mapping[Ref, Mapping[str, FieldValue]]
"""Values on the other side that a change was decided from: {record: {vendor field: value}}."""


def binding_of(installation: Installation) -> dict[str, Any]:
    """Accounts, ledger and policies as they are now."""
    return {
        "accounts": {
            system: connector.identity().account_id for system, connector in sorted(installation.connectors.items())
        },
        "ledger": installation.ledger.ledger_id,
        "policies": installation.policies.policies.revision,
        "suspended": sorted({f"{each.policy} {each.line}" for each in installation.suspensions}),
    }


_RESTS_ON: Mapping[str, tuple[str, str]] = {
    "accounts": ("another account", "config.yaml leads to another account than then"),
    "ledger": ("another ledger", "the state folder holds another ledger than then"),
    "policies": ("other policies", "the policy files were edited since, and a new plan shows what they want now"),
    "suspended": ("other lines in force", "a line was suspended or came back since: truce status"),
}


def check_binding(installation: Installation, plan_id: str, binding: Mapping[str, Any]) -> None:
    """Raises PlanStale when the plan was made for something else."""
    now = binding_of(installation)
    for key, (what, why) in _RESTS_ON.items():
        if now[key] != binding.get(key, []):
            raise PlanStale(f"{plan_id} was made for {what}, so nothing was written", why=why, next_step="truce plan")


def sources_of(installation: Installation, changes: Sequence[Change]) -> list[dict[Ref, dict[str, FieldValue]]]:
    """Per change, what the counterparts of its record hold in the same fields, as last seen."""
    places = places_of(installation.policies.policies)
    return [
        behind
        for start in range(0, len(changes), SLICE)
        for behind in _sources_of_some(installation, changes[start : start + SLICE], places)
    ]


def _sources_of_some(
    installation: Installation, changes: Sequence[Change], places: Places
) -> list[dict[Ref, dict[str, FieldValue]]]:
    """Whole records are read to keep a few values of each, so never all at once."""
    members = installation.crosswalk.members([change.entity_id for change in changes])
    partners = {
        entity_id: [link.ref for link in links if link.role == "active" and link.state == "linked"]
        for entity_id, links in members.items()
    }
    records = installation.mirror.records(ref for refs in partners.values() for ref in refs)
    return [
        {
            ref: _values_behind(change, records[ref], places)
            for ref in partners.get(change.entity_id, ())
            if ref in records and ref.system != change.system
        }
        for change in changes
    ]


def moved(installation: Installation, changes: Sequence[Change], sources: Sequence[Sources]) -> dict[int, str]:
    """{position of a change: why it no longer fits}, by reading every record concerned live."""
    live = _read_all(installation, changes, sources)
    partners = installation.crosswalk.members([change.entity_id for change in changes])
    found: dict[int, str] = {}
    for position, (change, behind) in enumerate(zip(changes, sources, strict=True)):
        reason = _why_moved(installation, change, behind, live)
        if reason is None and change.op == "create":
            links = partners.get(change.entity_id, ())
            if any(link.ref.system == change.system and link.state == "linked" for link in links):
                reason = f"it has a record in {change.system} meanwhile"
        if reason is not None:
            found[position] = reason
    return found


def check_drift(plan_id: str, changes: Sequence[Change], gone: Mapping[int, str]) -> None:
    """Raises PlanStale when more than a tenth of the records moved."""
    records = {(change.entity_id, change.system) for change in changes}
    drifted = {(changes[position].entity_id, changes[position].system) for position in gone}
    if len(drifted) > len(records) * DRIFT_LIMIT:
        raise PlanStale(
            f"{len(drifted)} of {len(records)} records changed since {plan_id} was made",
            why=f"more than {DRIFT_LIMIT:.0%} moved",
            next_step="truce plan",
        )


def _values_behind(change: Change, record: Record, places: Places) -> dict[str, FieldValue]:
    about = entity_type_of(change.entity_id)
    lines = [name for cell in change.cells for name in (cell.field, *places.parts.get((about, cell.field), ()))]
    names = (places.vendor_field(about, name, record.ref) for name in lines)
    return {name: record.fields[name] for name in names if name is not None and name in record.fields}


def _why_moved(installation: Installation, change: Change, behind: Sources, live: Mapping[Ref, Record]) -> str | None:
    if change.step == 0:
        reason = drift(Entry("", 0, "", change, State.PLANNED, installation.clock()), live)
        if reason is not None:
            return reason
    for ref, values in behind.items():
        if ref not in live:
            return f"{ref}, from which it was decided, is gone"
        for name, value in values.items():
            if name in live[ref].fields and not same_value(live[ref].fields[name], value):
                return f"{name} of {ref}, from which it was decided, changed meanwhile"
    return None


def _read_all(installation: Installation, changes: Sequence[Change], sources: Sequence[Sources]) -> dict[Ref, Record]:
    wanted: dict[Ref, set[str]] = defaultdict(set)
    for change, behind in zip(changes, sources, strict=True):
        if change.ref is not None:
            wanted[change.ref].update({cell.vendor_field for cell in change.cells}, change.decided_from)
        for ref, values in behind.items():
            wanted[ref].update(values)
    live = read_live(installation, wanted)
    return {ref: readout for ref, readout in live.items() if isinstance(readout, Record)}
