"""Steps 4 and 5 over many entities: what would be written, what waits, what is left alone, and why.

Plan, apply and every cycle share this one planner, so a preview cannot be falsely green.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent import guard
from agent.apply import Progress, silent
from agent.changes import Change, Decision, Mode, Outcomes, ReviewRequest, State, TraceStep, Verdict
from agent.consent import consent
from agent.decide import decide
from agent.decide.view import View
from agent.freeze.lifting import Cells, as_if_lifted
from agent.guard import Circumstances
from agent.installation import Installation
from agent.places import places_of
from agent.records import Ref
from agent.unsettled import unfinished_writes
from agent.views import SLICE, views

EXAMPLES_PER_LINE = 3
KINDS_AT_A_TIME = 200

Learn = Callable[[Sequence[Decision]], None]
"""Takes decisions to remember what they say of what was seen."""


def learn_nothing(decisions: Sequence[Decision]) -> None:
    """A ``Learn`` that remembers nothing."""


@dataclass(slots=True)
class Draft:
    """What deciding some entities came to.

    ``decided`` are the entities; ``judged`` pairs every change with its verdict; ``waiting`` entities are decided again
    soon (a company comes first); ``busy`` ones have a write that is not settled yet and
    were not decided; ``dispositions`` counts (field, system, disposition); ``examples`` keeps a few traces of each for
    people.
    """

    decided: set[str] = field(default_factory=set)
    judged: list[tuple[Change, Verdict]] = field(default_factory=list)
    reviews: list[ReviewRequest] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    dispositions: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], list[tuple[str, TraceStep]]] = field(default_factory=dict)
    frozen: list[tuple[str, TraceStep]] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)

    @property
    def entities(self) -> int:
        """How many were decided."""
        return len(self.decided)

    def with_verdict(self, decision: str) -> list[Change]:
        return [change for change, verdict in self.judged if verdict.decision == decision]

    @property
    def allowed(self) -> list[Change]:
        return self.with_verdict("allow")

    @property
    def held(self) -> list[tuple[Change, Verdict]]:
        return [(change, verdict) for change, verdict in self.judged if verdict.decision == "hold"]

    @property
    def watched(self) -> list[tuple[Change, Verdict]]:
        return [(change, verdict) for change, verdict in self.judged if verdict.decision == "refuse"]


def draft(
    installation: Installation,
    entity_ids: Sequence[str],
    *,
    by_person: bool = False,
    confirmed: bool = False,
    lifted: Mapping[str, Cells] | None = None,
    addresses: Iterable[tuple[str, list[Ref]]] = (),
    learn: Learn = learn_nothing,
    progress: Progress = silent,
) -> Draft:
    """Decide these entities, and consent for these addresses, and judge the outcome. Writes nothing anywhere itself.

    ``lifted``: per entity, frozen cells to decide as if their freeze were lifted. ``learn`` is given the
    decisions, some at a time: all together would be as large as the mirror.

    Raises:
        Interrupted: asked to stop, or somebody ordered something, between two slices of a large mirror.
    """
    fresh: list[Decision] = []
    unsettled = unfinished_writes(installation)
    result = Draft(busy={entry.change.entity_id for entry in unsettled}.intersection(entity_ids))
    busy_records = {entry.change.ref for entry in unsettled}
    changes: list[Change] = []
    tally = _Tally(result)
    calm = [each for each in entity_ids if each not in result.busy]
    for position, view in enumerate(_views(installation, calm, lifted or {})):
        if position % SLICE == 0:
            installation.give_way("deciding pairs")
            progress(position, len(calm))
        decision = decide(view, installation.policies)
        result.decided.add(decision.entity_id)
        if view.coming:
            result.waiting.add(decision.entity_id)
        changes += decision.changes
        result.reviews += decision.reviews
        fresh.append(decision)
        if len(fresh) == SLICE:
            learn(fresh)
            fresh = []
        tally.add(decision)
    tally.sum_up()
    learn(fresh)
    for change in consent.opt_outs(installation, addresses):
        if change.ref not in busy_records:
            changes.append(change)
            result.dispositions[change.cells[0].field, change.system, "write"] += 1
    verdicts = guard.judge(
        changes,
        installation.policies.policies.limits,
        circumstances(installation, by_person=by_person, confirmed=confirmed),
    )
    result.judged = list(zip(changes, verdicts, strict=True))
    return result


def _views(installation: Installation, entity_ids: Sequence[str], lifted: Mapping[str, Cells]) -> Iterator[View]:
    places = places_of(installation.policies.policies)
    for view in views(installation, entity_ids):
        cells = lifted.get(view.entity_id)
        yield as_if_lifted(view, cells, places) if cells else view


def circumstances(installation: Installation, *, by_person: bool = False, confirmed: bool = False) -> Circumstances:
    """What the guard needs to know of this installation right now."""
    population = max(
        (
            installation.mirror.count(system, object_type)
            for entity_type in installation.policies.policies.entity_types.values()
            for system, types in entity_type.records.items()
            for object_type in types
        ),
        default=0,
    )
    natural_ids = frozenset(
        (system, object_type)
        for system, connector in installation.connectors.items()
        for object_type in connector.capabilities.natural_ids
    )
    return Circumstances(
        modes=effective_modes(installation, by_person=by_person),
        used_today=installation.ledger.used_today(installation.clock().date()),
        population=population,
        by_person=by_person,
        confirmed=confirmed,
        has_gone_live=installation.approvals.has_gone_live(),
        paused=frozenset(
            name for name in installation.policies.policies.headers if installation.approvals.is_paused(name)
        ),
        natural_ids=natural_ids,
        unanswered=_unanswered(installation, natural_ids),
    )


def _unanswered(installation: Installation, natural_ids: frozenset[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Creates that may have happened and that no look can find: without a key, and not known by what they are."""
    return {
        (entry.change.entity_id, entry.change.system): entry.id
        for entry in installation.ledger.entries(states=(State.UNKNOWN,))
        if entry.change.op == "create"
        and entry.change.key is None
        and (entry.change.system, entry.change.object_type) not in natural_ids
    }


def effective_modes(installation: Installation, *, by_person: bool) -> dict[str, Mode]:
    """The ceiling of each policy: its own mode, the installation's, and whether its meaning went live.

    A policy acts by itself only after a person saw its plan and approved its meaning; until then it asks.
    """
    modes: dict[str, Mode] = {}
    for name, header in installation.policies.policies.headers.items():
        ceilings: list[Mode] = [header.mode]
        if not by_person or installation.mode == "watch":
            ceilings.append(installation.mode)
        if installation.approvals.active_meaning(name) != header.meaning and header.mode == "act":
            ceilings.append("ask")
        if header.review_by < installation.clock().date() and header.mode == "act":
            ceilings.append("ask")
        if header.expires is not None and header.expires < installation.clock().date():
            ceilings.append("watch")
        if installation.approvals.is_paused(name):
            ceilings.append("watch")
        modes[name] = guard.lowest(ceilings)
    return modes


class _Kind:
    """How many entities had the very same outcomes."""

    __slots__ = ("count", "has_frozen")

    def __init__(self, outcomes: Outcomes) -> None:
        self.count = 0
        self.has_frozen = any(disposition == "frozen" for _, _, disposition in outcomes)


class _Tally:
    """Counts decisions; looks closer only at the first few of a kind, and at what is frozen."""

    def __init__(self, result: Draft) -> None:
        self._result = result
        self._kinds: dict[Outcomes, _Kind] = {}

    def add(self, decision: Decision) -> None:
        outcomes = decision.outcomes
        kind = self._kinds.get(outcomes)
        if kind is None:
            kind = self._new(outcomes)
        kind.count += 1
        if kind.count <= EXAMPLES_PER_LINE or kind.has_frozen:
            self._look_at(decision)

    def sum_up(self) -> None:
        for outcomes, kind in self._kinds.items():
            for outcome in outcomes:
                self._result.dispositions[outcome] += kind.count
        self._kinds.clear()

    def _new(self, outcomes: Outcomes) -> _Kind:
        if len(self._kinds) == KINDS_AT_A_TIME:
            self.sum_up()
        return self._kinds.setdefault(outcomes, _Kind(outcomes))

    def _look_at(self, decision: Decision) -> None:
        for step in decision.trace:
            examples = self._result.examples.setdefault(step[:3], [])
            if len(examples) < EXAMPLES_PER_LINE:
                examples.append((decision.entity_id, step))
            if step.disposition == "frozen":
                self._result.frozen.append((decision.entity_id, step))
