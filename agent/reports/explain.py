"""Why a field has its value: from the source change to the read-back, with the people and batches around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from agent import guard
from agent.changes import Batch, Entry, State, TraceStep, Verdict
from agent.decide.creation import CREATE
from agent.decide.decide import decide
from agent.decide.view import View
from agent.errors import NotFound
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.mirror.mirror import Observed
from agent.places import entity_type_of, places_of
from agent.plan import planner
from agent.records import FieldValue, Ref
from agent.reports.finding import find_records, unpaired
from agent.reviews.reviews import Review
from agent.views import views


@dataclass(frozen=True, slots=True)
class WrittenBy:
    """One write of ours to the field, made or not, and who stood behind it. ``editor`` last changed the policies then.

    ``entry.state`` tells what became of it, ``batch.hold_reason`` why it waits.
    """

    entry: Entry
    batch: Batch
    before: FieldValue
    after: FieldValue
    observed: FieldValue
    sentence: str
    line: str
    policy: str
    editor: str
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the guard says today of a write that deciding would make."""

    system: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Story:
    """All we know of one field of one entity. ``now`` is {system: value}; ``decision`` is what deciding says today.

    ``judged``, ``freezes`` and ``questions`` are what would stand in the way of a write now.
    """

    entity_id: str
    name: str
    field: str
    refs: tuple[Ref, ...]
    now: dict[str, FieldValue]
    writes: tuple[WrittenBy, ...]
    seen: tuple[tuple[Ref, Observed], ...]
    decision: tuple[TraceStep, ...]
    judged: tuple[Judged, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    questions: tuple[Review, ...] = ()


def why(installation: Installation, wanted: str, field: str | None = None) -> list[Story]:
    """One story per field (or for the one asked) of the entity the record belongs to.

    Raises:
        NotFound: unknown record, a record not paired yet, or an unknown field.
    """
    records = find_records(installation, wanted)
    entity_id = next(
        (found for record in records if (found := installation.crosswalk.entity_of(record.ref)) is not None),
        None,
    )
    if entity_id is None:
        raise unpaired(installation, records)
    view = next(iter(views(installation, [entity_id])), None)
    if view is None:
        raise NotFound(f"{wanted} is deleted in both systems", where=entity_id)
    known = _fields_of(installation, view.entity_type)
    if field is not None and field not in known:
        raise NotFound(f"no policy names a field {field}", why=f"known are {', '.join(sorted(known))}")
    desk = _Desk(installation, view)
    return [desk.story(name) for name in ([field] if field else sorted(known))]


def _fields_of(installation: Installation, entity_type: str) -> set[str]:
    names = {rule.name for rule in installation.policies.policies.rules_for(entity_type)}
    if any(policy.about == entity_type for policy in installation.policies.policies.lifecycle):
        names.add("lifecycle")
    if installation.policies.policies.entity_types[entity_type].creates:
        names.add(CREATE)
    return names


class _Desk:
    """One entity, decided and judged as it would be now."""

    def __init__(self, installation: Installation, view: View) -> None:
        self._installation = installation
        self._entity_id = view.entity_id
        self._sides = [record for record in view.sides.values() if record is not None]
        decision = decide(view, installation.policies)
        self._trace = decision.trace
        verdicts = guard.judge(
            decision.changes, installation.policies.policies.limits, planner.circumstances(installation)
        )
        self._judged = list(zip(decision.changes, verdicts, strict=True))
        self._entries = installation.ledger.entries(entity_id=view.entity_id, newest_first=True)
        self._freezes = installation.freezes.by_entity([view.entity_id]).get(view.entity_id, ())
        self._questions = tuple(installation.reviews.open_for([view.entity_id]))

    def story(self, field: str) -> Story:
        now: dict[str, FieldValue] = {}
        seen: list[tuple[Ref, Observed]] = []
        for record in self._sides:
            vendor_field = _vendor_field(self._installation, self._entity_id, field, record.ref)
            if vendor_field is None:
                continue
            now[record.ref.system] = record.fields.get(vendor_field)
            seen += [(record.ref, each) for each in self._installation.mirror.history(record.ref, vendor_field)]
        return Story(
            entity_id=self._entity_id,
            name=self._installation.display_name(self._sides[0]) if self._sides else self._entity_id,
            field=field,
            refs=tuple(record.ref for record in self._sides),
            now=now,
            writes=tuple(self._written(field)),
            seen=tuple(seen),
            decision=tuple(step for step in self._trace if step.field in (field, "")),
            judged=tuple(
                Judged(change.system, verdict)
                for change, verdict in self._judged
                if any(cell.field == field for cell in change.cells)
            ),
            freezes=tuple(freeze for freeze in self._freezes if freeze.field == field),
            questions=self._questions,
        )

    def _written(self, field: str) -> Iterator[WrittenBy]:
        for entry in self._entries:
            if entry.state is not State.PLANNED and any(cell.field == field for cell in entry.change.cells):
                yield _written(self._installation, entry, field)


def _vendor_field(installation: Installation, entity_id: str, field: str, ref: Ref) -> str | None:
    return places_of(installation.policies.policies).vendor_field(entity_type_of(entity_id), field, ref)


def _written(installation: Installation, entry: Entry, field: str) -> WrittenBy:
    cell = next(cell for cell in entry.change.cells if cell.field == field)
    batch = installation.ledger.batch(entry.batch_id)
    return WrittenBy(
        entry=entry,
        batch=batch,
        before=cell.before,
        after=cell.after,
        observed=entry.observed.get(cell.vendor_field),
        sentence=cell.why.sentence,
        line=cell.why.line,
        policy=cell.why.policy,
        editor=editor_at(installation, entry.recorded_at),
        approved_by=batch.approved_by,
    )


def editor_at(installation: Installation, at: datetime) -> str:
    """Who had last changed the policies when this was recorded."""
    earlier = [revision for revision in installation.ledger.revisions() if revision.seen_at <= at]
    return max(earlier, key=lambda revision: revision.seen_at).editor if earlier else "unknown"
