"""The first differences of two filled CRMs: counted by field and pattern, decided by people, written in slices.

Each slice (25, then 250, then a thousand at a time) is a batch of its own, so that it can be read back, stopped and
undone alone. What is settled by a slice is no first difference any more; running the same again goes on with the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from agent import apply, guard
from agent.approval import proposals
from agent.changes import Batch, Cell, Change, ReviewRequest, State, Verdict
from agent.decide.alignment import (
    Difference,
    Group,
    Settlement,
    choices,
    first_differences,
    patterns,
    settle,
    suggested,
)
from agent.decide.links import association
from agent.decide.policy import FieldRule
from agent.decide.prepared import Prepared
from agent.decide.suggest import did_you_mean
from agent.decide.view import Base, View
from agent.errors import NotFound, UsageError
from agent.installation import Installation
from agent.ledger.ledger import Intent
from agent.places import places_of
from agent.plan import planner
from agent.records import FieldValue, Ref
from agent.unsettled import unfinished_writes
from agent.views import views

DECIDED = "first differences decided"
SLICES = (25, 250, 1_000)
"""Records per batch; the last size repeats."""
MOST_FAILURES = 0.10
SAMPLES = 5
CHUNK = 500

Watch = Callable[[Difference], None]


@dataclass(slots=True)
class Counted:
    """One group: how many, a few of them, what was decided (None: nothing yet), and why blanks cannot be filled."""

    rule: FieldRule
    count: int = 0
    samples: list[Difference] = field(default_factory=list)
    decision: str | None = None
    decided_by: str = ""
    obstacles: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Written:
    """What applying the decisions came to. ``impossible``: reasons why single differences stay, counted."""

    batches: list[Batch] = field(default_factory=list)
    held: list[Batch] = field(default_factory=list)
    tally: apply.Tally = field(default_factory=apply.Tally)
    left: int = 0
    asked: int = 0
    impossible: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


def survey(
    installation: Installation,
    watch: Watch = lambda difference: None,
    progress: apply.Progress = apply.silent,
) -> dict[Group, Counted]:
    """Count every first difference. ``watch`` sees each one, for lists."""
    found: dict[Group, Counted] = {}
    for view in _counted_views(installation, "comparing pairs", progress):
        for difference in first_differences(view, installation.policies):
            counted = found.setdefault(difference.group, Counted(difference.rule))
            counted.count += 1
            counted.obstacles.update([difference.obstacle] if difference.obstacle else [])
            if len(counted.samples) < SAMPLES:
                counted.samples.append(difference)
            watch(difference)
    decided = decisions(installation)
    for group, counted in found.items():
        if group in decided:
            counted.decision, counted.decided_by = decided[group]
    return found


def decide(installation: Installation, group: Group, decision: str, person: str) -> None:
    """Keep a person's decision for one group; it stands until the rule line changes or another one is made.

    Raises:
        NotFound: no policy has this field. UsageError: this cannot be decided for this pattern.
    """
    rule = _rule(installation, group)
    _require_pattern(rule, group.pattern)
    allowed = choices(rule, group.pattern)
    if decision not in allowed:
        raise UsageError(
            f"{decision!r} cannot be decided for {group.field}, {group.pattern}",
            where=str(rule.place),
            why=f"possible are {', '.join(allowed)}",
            next_step="truce align",
        )
    body = {"pattern": group.pattern, "field": group.field, "rule": rule.rule, "decision": decision}
    installation.ledger.record_event(DECIDED, group.policy, person, body)


def decisions(installation: Installation) -> dict[Group, tuple[str, str]]:
    """{group: (decision, person)}, the latest of each; those made for another wording of the rule do not count."""
    found: dict[Group, tuple[str, str]] = {}
    rules = {
        (rule.policy, rule.name): rule.rule for policy in installation.policies.policies.fields for rule in policy.rules
    }
    for event in installation.ledger.events(kind=DECIDED):
        group = Group(event.subject, str(event.body.get("field")), str(event.body.get("pattern")))
        if group not in found and rules.get(group[:2]) == event.body.get("rule"):
            found[group] = (str(event.body["decision"]), event.actor)
    return found


def write(installation: Installation, actor: str, progress: apply.Progress = apply.silent) -> Written:
    """Carry out all decisions, slice by slice; before, all is counted, so that ``progress`` tells of how many.

    Raises:
        UsageError: nothing was decided. ConnectorError, StorageFull, Interrupted: what was written stays recorded.
    """
    decided = decisions(installation)
    if not decided:
        raise UsageError("nothing was decided yet", next_step="truce align")
    written = Written()
    total = sum(
        len(list(_Aligned.of(view, installation.policies, decided).changes()))
        for view in _counted_views(installation, "counting what to write, in pairs", progress)
    )
    changes = _changes(installation, decided, written)
    sizes = iter(SLICES)
    size = next(sizes)
    while slice_ := list(islice(changes, size)):
        _write_slice(installation, slice_, actor, written, progress, total)
        if written.stopped:
            break
        size = next(sizes, size)
    return written


def _write_slice(
    installation: Installation,
    changes: list[Change],
    actor: str,
    written: Written,
    progress: apply.Progress,
    total: int,
) -> None:
    """One batch. The person saw the counts, so limits of volume are lifted; limits of meaning hold."""
    circumstances = planner.circumstances(installation, by_person=True, confirmed=True)
    verdicts = guard.judge(changes, installation.policies.policies.limits, circumstances)
    judged = list(zip(changes, verdicts, strict=True))
    _hold(installation, judged, actor, written)
    allowed = [change for change, verdict in judged if verdict.decision == "allow"]
    if not allowed:
        return
    batch = installation.ledger.open_batch(
        "plan",
        f"First differences: {proposals.title_of(allowed)}",
        actor,
        [Intent(change, State.PLANNED) for change in allowed],
        counted=guard.limit_uses(allowed),
    )
    before, installation.doing = written.tally.total, "writing records"
    tally = apply.write(installation, batch.id, progress=lambda done, _: progress(before + done, total))
    written.batches.append(installation.ledger.batch(batch.id))
    written.tally.add(tally)
    if tally.failed > tally.total * MOST_FAILURES:
        written.stopped = f"{tally.failed} of {tally.total} in {batch.id} failed, so the rest was not tried"


def _hold(installation: Installation, judged: list[tuple[Change, Verdict]], actor: str, written: Written) -> None:
    held = [(change, verdict) for change, verdict in judged if verdict.decision == "hold"]
    written.held += proposals.hold(installation, held, actor=actor, kind="plan")
    for _, verdict in judged:
        if verdict.decision == "refuse":
            written.impossible[verdict.sentence] += 1


def _changes(
    installation: Installation, decided: Mapping[Group, tuple[str, str]], written: Written
) -> Iterator[Change]:
    """One change per record for everything decided; what is to be left or asked is remembered on the way.

    A pair of which a write is not settled yet waits for the next time: its request may still land.
    """
    busy = {entry.change.entity_id for entry in unfinished_writes(installation)}
    calm = (entity_id for entity_id in installation.crosswalk.entities() if entity_id not in busy)
    aligning = (_Aligned.of(view, installation.policies, decided) for view in views(installation, calm))
    while found := list(islice(aligning, CHUNK)):
        _remember(installation, found)
        for aligned in found:
            written.asked += len(aligned.questions)
            written.left += len(aligned.adopt) - len(aligned.questions)
            written.impossible.update(aligned.impossible)
            yield from aligned.changes()


@dataclass(slots=True)
class _Aligned:
    """What the decisions make of one pair."""

    view: View
    cells: dict[Ref, list[Cell]] = field(default_factory=dict)
    apart: list[Change] = field(default_factory=list)
    adopt: dict[str, Mapping[str, FieldValue]] = field(default_factory=dict)
    questions: list[ReviewRequest] = field(default_factory=list)
    impossible: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, view: View, policies: Prepared, decided: Mapping[Group, tuple[str, str]]) -> _Aligned:
        aligned = cls(view)
        for difference in first_differences(view, policies):
            if difference.group in decided:
                aligned.take(difference, settle(difference, *decided[difference.group]))
        return aligned

    def take(self, difference: Difference, settlement: Settlement) -> None:
        if settlement.cell is not None and settlement.ref is not None and difference.rule.links_to is not None:
            self.apart.append(association(self.view.entity_id, settlement.ref, settlement.cell))
        elif settlement.cell is not None and settlement.ref is not None:
            self.cells.setdefault(settlement.ref, []).append(settlement.cell)
        elif settlement.adopt is None:
            self.impossible[settlement.reason] += 1
        else:
            self.adopt[difference.rule.name] = settlement.adopt
            self.questions += [settlement.question] if settlement.question is not None else []

    def changes(self) -> Iterator[Change]:
        for ref, found in self.cells.items():
            read = {cell.vendor_field: cell.before for cell in found}
            yield Change(
                "update", self.view.entity_id, ref.system, ref.object_type, ref.id, tuple(found), decided_from=read
            )
        yield from self.apart


def _remember(installation: Installation, found: Sequence[_Aligned]) -> None:
    """Questions first: a crash between the two asks again instead of forgetting."""
    installation.reviews.open_or_refresh([question for aligned in found for question in aligned.questions])
    aims = places_of(installation.policies.policies).aims
    installation.mirror.set_bases(
        {
            aligned.view.entity_id: {
                **aligned.view.bases,
                **{
                    name: Base(dict(values), None, aims.get((aligned.view.entity_type, name)))
                    for name, values in aligned.adopt.items()
                },
            }
            for aligned in found
            if aligned.adopt
        }
    )


def _counted_views(installation: Installation, doing: str, progress: apply.Progress) -> Iterator[View]:
    """As ``_all_views``, telling how far it is."""
    total = installation.crosswalk.count()
    for position, view in enumerate(_all_views(installation)):
        if position % CHUNK == 0:
            installation.give_way(doing)
            progress(position, total)
        yield view


def _all_views(installation: Installation) -> Iterator[View]:
    """Of every entity, assembled a few at a time: memory stays flat however many there are."""
    return views(installation, installation.crosswalk.entities())


def _require_pattern(rule: FieldRule, pattern: str) -> None:
    known = patterns(rule)
    if pattern not in known:
        raise UsageError(
            f"there is no pattern {pattern!r}", why=did_you_mean(pattern, known, label="Known"), next_step="truce align"
        )


def _rule(installation: Installation, group: Group) -> FieldRule:
    for policy in installation.policies.policies.fields:
        for rule in policy.rules:
            if (rule.policy, rule.name) == (group.policy, group.field):
                return rule
    raise NotFound(f"no policy {group.policy} has a field {group.field}", next_step="truce align")


def suggestion(counted: Counted, group: Group) -> str:
    """What the policy's own lines come to for a group."""
    return suggested(counted.rule, group.pattern)
