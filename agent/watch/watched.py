"""The report of watching beside another sync: what Truce would have done, and what it would have prevented.

What it would have done was followed cycle by cycle (``agent.watch.watching``). What it would have prevented is read
from what was seen since: a value here that was replaced by the one the other side held, against what the policies say.
A change counts only where it is certain which side had the value first; the rest is counted as not certain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from agent.decide.conditions import LIFECYCLE
from agent.decide.ladder import Ladder
from agent.decide.owners import OwnerCodec
from agent.decide.policy import FieldRule
from agent.decide.prepared import OPT_OUT
from agent.decide.prevented import HARMS, Harm, harm_to_field, harm_to_stage
from agent.decide.values import YES, Codec
from agent.installation import Installation
from agent.mirror.mirror import Observed
from agent.places import entity_type_of
from agent.plan import planner
from agent.records import FieldValue, Ref
from agent.views import owner_map
from agent.watch.rows import Ended, WatchedRows

SLICE = 500
SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Done:
    """Cells a watching policy would have written, and what became of them."""

    policy: str
    field: str
    system: str
    meaning: str
    ended: Ended
    count: int


@dataclass(frozen=True, slots=True)
class Prevented:
    """A change that another sync (or a person) copied over and the policy would not have made."""

    harm: Harm
    policy: str
    line: str
    name: str
    ref: Ref
    field: str
    before: FieldValue
    after: FieldValue
    at: datetime


@dataclass(slots=True)
class WatchReport:
    """``watching`` are the policies that only watch now. ``followed_since`` is None before the first such cycle.

    ``prevented`` counts all; ``samples`` are the latest few of each kind. ``uncertain``: changes against a policy where
    nobody can tell which side had the value first.
    """

    since: datetime
    until: datetime
    watching: tuple[str, ...]
    followed_since: datetime | None
    done: tuple[Done, ...]
    prevented: Counter[tuple[Harm, str]] = field(default_factory=Counter)
    samples: dict[Harm, list[Prevented]] = field(default_factory=dict)
    uncertain: int = 0

    def add(self, found: Prevented, *, is_certain: bool) -> None:
        if not is_certain:
            self.uncertain += 1
            return
        self.prevented[found.harm, found.policy] += 1
        kept = self.samples.setdefault(found.harm, [])
        kept.append(found)
        kept.sort(key=lambda each: each.at, reverse=True)
        del kept[SAMPLES:]

    @property
    def harms(self) -> dict[Harm, int]:
        """{harm: how many}, the gravest first."""
        counts: Counter[Harm] = Counter()
        for (harm, _), count in self.prevented.items():
            counts[harm] += count
        return {harm: counts[harm] for harm in HARMS if counts[harm]}


Progress = Callable[[int, int], None]


def watched(
    installation: Installation,
    since: datetime,
    policy: str | None = None,
    progress: Progress = lambda done, total: None,
) -> WatchReport:
    """The report for one policy, or for all. Asks no vendor."""
    modes = planner.effective_modes(installation, by_person=False)
    rows = WatchedRows(installation.ledger)
    done = [Done(*row) for row in rows.counts(since)]
    report = WatchReport(
        since,
        installation.clock(),
        tuple(name for name, mode in sorted(modes.items()) if mode == "watch" and policy in (None, name)),
        rows.first(),
        tuple(each for each in done if policy in (None, each.policy)),
    )
    desk = _Desk(installation, since)
    cells = installation.mirror.edits.cells_since(since)
    for start in range(0, len(cells), SLICE):
        progress(start, len(cells))
        for found, is_certain in desk.judge(cells[start : start + SLICE]):
            if policy in (None, found.policy):
                report.add(found, is_certain=is_certain)
    return report


@dataclass(frozen=True, slots=True)
class _FieldLine:
    """One line under ``fields`` on one object type."""

    rule: FieldRule
    codec: Codec | OwnerCodec
    system: str

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def place(self) -> tuple[str, str]:
        return self.rule.policy, str(self.rule.place)

    def harm(self, before: FieldValue, after: FieldValue) -> Harm | None:
        return harm_to_field(self.rule, self.codec, self.system, before, after)

    def counterpart(self, ref: Ref) -> str | None:
        return self.rule.vendor_field(ref.system, ref.object_type)

    def is_same(self, value: FieldValue, ref: Ref, other: FieldValue) -> bool:
        here, there = self.codec.read(self.system, value), self.codec.read(ref.system, other)
        if self.rule.wins == OPT_OUT:  # HubSpot leaves the box blank for somebody who never opted out
            return (YES in here.forms) == (YES in there.forms)
        return self.codec.agree(here, there)


@dataclass(frozen=True, slots=True)
class _StageLine:
    """The stage of one lifecycle policy on one object type."""

    ladder: Ladder
    key: str
    name: str = LIFECYCLE

    @property
    def place(self) -> tuple[str, str]:
        header = self.ladder.policy.header
        return header.name, str(header.place)

    def harm(self, before: FieldValue, after: FieldValue) -> Harm | None:
        return harm_to_stage(self.ladder, self.key, before, after)

    def counterpart(self, ref: Ref) -> str | None:
        place = self.ladder.place_of(ref.system, ref.object_type)
        return place[1] if place is not None else None

    def is_same(self, value: FieldValue, ref: Ref, other: FieldValue) -> bool:
        place = self.ladder.place_of(ref.system, ref.object_type)
        return place is not None and self.ladder.stage_of(self.key, value) == self.ladder.stage_of(place[0], other)


_Line = _FieldLine | _StageLine


class _Desk:
    """Judges changed cells, some hundred at a time."""

    def __init__(self, installation: Installation, since: datetime) -> None:
        self._installation = installation
        self._since = since
        self._owners = owner_map(installation)
        self._lines: dict[tuple[str, str, str], Mapping[str, list[_Line]]] = {}

    def judge(self, cells: Sequence[tuple[Ref, str]]) -> Iterator[tuple[Prevented, bool]]:
        """(what the policy would not have made, is it certain that the other side had the value first)."""
        entities = self._installation.crosswalk.entities_of({ref for ref, _ in cells})
        members = self._installation.crosswalk.members(sorted(set(entities.values())))
        for ref, vendor_field in cells:
            entity_id = entities.get(ref)
            if entity_id is None:
                continue
            others = [
                link.ref
                for link in members.get(entity_id, ())
                if link.ref.system != ref.system and link.role == "active" and link.state == "linked"
            ]
            for line in self._lines_of(entity_type_of(entity_id), ref).get(vendor_field, ()):
                for other in others:
                    yield from self._of_line(line, ref, vendor_field, other)

    def _of_line(self, line: _Line, ref: Ref, vendor_field: str, other: Ref) -> Iterator[tuple[Prevented, bool]]:
        there = line.counterpart(other)
        if there is None:
            return
        held: list[Observed] | None = None
        for before, after in pairwise(self._installation.mirror.history(ref, vendor_field)):
            is_ours = after.by is not None or after.first_seen < self._since
            if is_ours or not (before.is_known and after.is_known):
                continue
            harm = line.harm(before.value, after.value)
            if harm is None:
                continue
            held = held if held is not None else self._installation.mirror.history(other, there)
            stood = [(each, until) for each, until in _stood(held) if line.is_same(after.value, other, each.value)]
            was_first = _was_first(before, after, stood)
            if was_first is not False:
                policy, place = line.place
                record = self._installation.mirror.record(ref)
                name = self._installation.display_name(record) if record is not None else str(ref)
                at = after.modified_at or after.first_seen
                yield (
                    Prevented(harm, policy, place, name, ref, line.name, before.value, after.value, at),
                    was_first is True,
                )

    def _lines_of(self, entity_type: str, ref: Ref) -> Mapping[str, list[_Line]]:
        key = (entity_type, ref.system, ref.object_type)
        if key not in self._lines:
            found: dict[str, list[_Line]] = {}
            policies = self._installation.policies
            for rule in (
                policies.policies.rules_for(entity_type) if entity_type in policies.policies.entity_types else ()
            ):
                reader = policies.readers(*key).get(rule.name)
                if reader is not None:
                    codec = OwnerCodec(self._owners, rule.owner_otherwise) if rule.is_owner else reader.codec
                    found.setdefault(reader.vendor_field, []).append(_FieldLine(rule, codec, ref.system))
            for policy in policies.policies.lifecycle:
                ladder = Ladder(policy)
                place = ladder.place_of(ref.system, ref.object_type) if policy.about == entity_type else None
                if place is not None:
                    found.setdefault(place[1], []).append(_StageLine(ladder, place[0]))
            self._lines[key] = found
        return self._lines[key]


def _stood(held: Sequence[Observed]) -> Iterator[tuple[Observed, datetime | None]]:
    """Each value and when the next one was seen; None for the one that stands. A record that nobody changes is not read
    again, so it was seen last long before it changed."""
    return zip(held, [*(each.first_seen for each in held[1:]), None], strict=True)


def _was_first(before: Observed, after: Observed, same: Sequence[tuple[Observed, datetime | None]]) -> bool | None:
    """Did the other side hold this value before it came here? False: it did not hold it, or got it from here.

    None: both were seen changed in one look, and the vendors' stamps do not tell which was first.
    """
    at_the_time = [
        each
        for each, until in same
        if (until is None or until > before.last_seen) and each.first_seen <= after.first_seen
    ]
    if any(each.first_seen <= before.last_seen for each in at_the_time):
        return True
    stamped = [each for each in at_the_time if each.modified_at is not None]
    if after.modified_at is None or not stamped:
        return None if at_the_time else False
    return any(each.modified_at < after.modified_at for each in stamped if each.modified_at)
