"""Opting somebody in: only with evidence, asked for by one person, approved by two others, and taken back by an undo.

What a vendor lets no program take back (``capabilities.opt_out_fields``) stays a person's step there. Until that is
done, that record's old opt-out no longer speaks for the others; a new one does. Nothing here happens by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from agent import moments
from agent.changes import Batch, Cell, Change, State, Why
from agent.decide.consent import ADDRESS, ConsentPlace, consent_places, is_out
from agent.decide.normalise import canonical
from agent.decide.policy import Cleaner
from agent.errors import NotFound, UsageError
from agent.events import OPT_IN_ASKED
from agent.installation import Installation
from agent.ledger.ledger import Intent
from agent.local_time import spoken
from agent.pairing.duplicates import is_converted
from agent.plan.planner import effective_modes
from agent.records import Record, Ref
from agent.reports.finding import find_records
from agent.words import counted

Places = Mapping[tuple[str, str], ConsentPlace]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the person said yes (``source``), when, and who recorded it there (``actor``)."""

    source: str
    at: datetime
    actor: str

    def in_words(self, zone: ZoneInfo) -> str:
        return f"{self.source}, {spoken(self.at, zone)}, recorded by {self.actor}"


@dataclass(frozen=True, slots=True)
class Asked:
    """``steps``: what a person must still do in a CRM, in words, once the batch is written."""

    batch: Batch
    address: str
    steps: tuple[str, ...]


def ask(installation: Installation, wanted: str, evidence: Evidence, person: str) -> Asked:
    """Open a batch that waits for two people. ``wanted``: an address, or a record in the words of ``find_records``.

    Raises:
        UsageError: no consent line, nobody is opted out, opted out after the evidence, it waits already, or nothing of
        it can be written by us. NotFound: no such record.
    """
    places = consent_places(installation.policies)
    address = _address(installation, wanted, places)
    out = [record for record in _holders(installation, address, places) if is_out(places, record)]
    if not out:
        raise UsageError(f"nobody with the address {address} is opted out", next_step=f"truce why {address}")
    for record in out:
        _require_earlier(installation, record, places[_place(record.ref)].field, evidence)
    theirs = [record for record in out if _only_there(installation, record.ref)]
    ours = [record for record in out if record not in theirs and not is_converted(installation, record)]
    steps = tuple(_step(installation, record.ref) for record in theirs)
    if not ours:
        raise UsageError(
            f"{address} is opted out only where Truce cannot take it back",
            why="; ".join(str(record.ref) for record in out),
            next_step=steps[0] if steps else "ask an administrator of that CRM",
        )
    _require_free(installation, ours, places)
    changes = [_change(installation, address, record, places, evidence) for record in ours]
    with installation.ledger.store.write():
        batch = installation.ledger.open_batch(
            "consent",
            f"Opt-in of one address · {counted(len(changes), 'record')}",
            person,
            [Intent(change, State.HELD) for change in changes],
            state="held",
            hold_reason=f"an opt-in is approved by two people, not by {person} who asked for it",
            expires_at=installation.expiry(),
        )
        body = {
            "source": evidence.source,
            "at": evidence.at.isoformat(),
            "actor": evidence.actor,
            "answers": [str(record.ref) for record in theirs],
        }
        installation.ledger.record_event(OPT_IN_ASKED, batch.id, person, body)
    return Asked(batch, address, steps)


def _address(installation: Installation, wanted: str, places: Places) -> str:
    if not places:
        raise UsageError(
            "no policy has a line for consent", why="`wins: opt-out` names where each CRM keeps it",
            next_step="docs/policies/consent.md",
        )  # fmt: skip
    if "@" in wanted and ":" not in wanted:
        return canonical(wanted, Cleaner(ADDRESS)) or wanted
    found = {
        address
        for record in find_records(installation, wanted)
        for name in (places[_place(record.ref)].address_fields if _place(record.ref) in places else ())
        if (address := canonical(record.fields.get(name), Cleaner(ADDRESS))) is not None
    }
    if len(found) != 1:
        known = ", ".join(sorted(found)) or "none"
        raise UsageError(
            f"{wanted} does not name one address", why=f"found: {known}", next_step="name the address itself"
        )
    return found.pop()


def _holders(installation: Installation, address: str, places: Places) -> list[Record]:
    refs = [
        ref
        for system, object_type in places
        for ref in installation.mirror.by_key(system, object_type, ADDRESS, address)
    ]
    if not refs:
        raise NotFound(f"no record holds the address {address}", next_step="truce plan")
    records = installation.mirror.records(refs)
    shown = [records[ref] for ref in refs if ref in records]
    return [record for record in shown if places[_place(record.ref)].field in record.fields]


def _require_earlier(installation: Installation, record: Record, field: str, evidence: Evidence) -> None:
    """Raises UsageError where somebody certainly opted out after the evidence: the stricter answer is the newer one."""
    zone = installation.zone
    set_at = moments.present_since(installation, record.ref, field)
    if set_at is not None and set_at.after is not None and set_at.after >= evidence.at:
        raise UsageError(
            f"{record.ref} was opted out after the evidence of {spoken(evidence.at, zone)}",
            why=f"seen opted out between {spoken(set_at.after, zone)} and {spoken(set_at.until, zone)}",
            next_step=f"truce timeline {record.ref}",
        )


def _only_there(installation: Installation, ref: Ref) -> bool:
    return ref.object_type in installation.connectors[ref.system].capabilities.opt_out_fields


def _step(installation: Installation, ref: Ref) -> str:
    system = installation.systems[ref.system]
    return f"{system.opt_in_step or f'take the opt-out back in {system.name}'} ({ref})"


def _require_free(installation: Installation, records: Sequence[Record], places: Places) -> None:
    """Raises UsageError: a policy only watches, or the same waits already."""
    modes = effective_modes(installation, by_person=True)
    watching = sorted({places[_place(record.ref)].rule.policy for record in records if _watches(modes, places, record)})
    if watching:
        raise UsageError(f"{watching[0]} only watches, so nothing is written for it", next_step="truce status")
    refs = {record.ref for record in records}
    for entry in installation.ledger.entries(states=(State.HELD,)):
        if entry.change.is_opt_in and entry.change.ref in refs:
            raise UsageError(f"{entry.batch_id} asks for this already", next_step=f"truce show {entry.batch_id}")


def _watches(modes: Mapping[str, str], places: Places, record: Record) -> bool:
    return modes.get(places[_place(record.ref)].rule.policy) == "watch"


def _change(installation: Installation, address: str, record: Record, places: Places, evidence: Evidence) -> Change:
    """Bound to the address and sent alone, as an opt-out is."""
    place, ref = places[_place(record.ref)], record.ref
    said = f"{address} opted in: {evidence.in_words(installation.zone)}"
    why = Why(place.rule.policy, str(place.rule.place), place.rule.rule, said)
    after = "false" if installation.systems[ref.system].text_only else False
    cell = Cell(place.rule.name, place.field, record.fields[place.field], after, "opt_in", why)
    return Change(
        "update",
        installation.crosswalk.entity_of(ref) or "",
        ref.system,
        ref.object_type,
        ref.id,
        (cell,),
        guarded=True,
        decided_from={name: record.fields[name] for name in place.address_fields if name in record.fields},
    )


def _place(ref: Ref) -> tuple[str, str]:
    return ref.system, ref.object_type
