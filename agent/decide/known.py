"""What conditions may look at: canonical values of one entity by policy name, now or as last settled.

Values are worked out when a condition asks for them: most entities need none or one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping

from agent.decide.conditions import FLAGS, LIFECYCLE
from agent.decide.conditions_values import ABSENT
from agent.decide.ladder import Ladder
from agent.decide.owners import OwnerCodec
from agent.decide.prepared import FieldPlan, PairPlan
from agent.decide.values import Reading
from agent.decide.view import View
from agent.records import FieldValue, Record

Records = tuple[Record | None, Record | None]


class _Values(Mapping[str, object]):
    """Values by name; a name that no side shows is missing, which is not the same as blank."""

    __slots__ = ("_found", "_plan", "_records", "_view")

    def __init__(self, plan: PairPlan, records: Records, view: View) -> None:
        self._plan = plan
        self._records = records
        self._view = view
        self._found: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        found = self.get(name, ABSENT)
        if found is ABSENT:
            raise KeyError(name)
        return found

    def get(self, name: str, default: object = None) -> object:
        if name not in self._found:
            self._found[name] = self._value(name)
        found = self._found[name]
        return default if found is ABSENT else found

    def __iter__(self) -> Iterator[str]:
        names = [*self._plan.by_name, LIFECYCLE, *FLAGS]
        return (name for name in names if self.get(name, self) is not self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True  # counting them would work out every value

    def _value(self, name: str) -> object:
        if name == LIFECYCLE:
            return self._stage()
        if name in FLAGS:
            return self._flag(name)
        plan = self._plan.by_name.get(name)
        raws = self._raws(plan) if plan is not None else ()
        if plan is None or not raws:
            return ABSENT
        return _preferred(plan, [(system, self._read(plan, system, raw)) for system, raw in raws])

    def _read(self, plan: FieldPlan, system: str, raw: FieldValue) -> Reading:
        return (OwnerCodec(self._view.owners) if plan.rule.is_owner else plan.codec).read(system, raw)

    def _stage(self) -> object:
        """The furthest stage on any side; None when every visible stage is blank or unmapped."""
        places = [(ladder, key, raw) for ladder in self._plan.ladders for key, raw in self._stage_raws(ladder)]
        if not places:
            return ABSENT
        ladder = places[0][0]
        stages = [stage for _, key, raw in places if (stage := ladder.stage_of(key, raw)) is not None]
        furthest = max(stages, default=-1)
        return ladder.names[furthest] if furthest >= 0 else None

    @abstractmethod
    def _flag(self, name: str) -> object:
        """True or False; ABSENT when it is not known."""

    @abstractmethod
    def _raws(self, plan: FieldPlan) -> list[tuple[str, FieldValue]]:
        """(system, vendor value) of each side that shows the field."""

    @abstractmethod
    def _stage_raws(self, ladder: Ladder) -> list[tuple[str, FieldValue]]:
        """(key of the stage values, vendor value) of each side that shows its stage."""


class ValuesNow(_Values):
    """The live values. A two-sided field shows its winner's value, or the other's where that is blank."""

    __slots__ = ()

    def _flag(self, name: str) -> object:
        return name in self._view.flags

    def _raws(self, plan: FieldPlan) -> list[tuple[str, FieldValue]]:
        return [
            (system, record.fields[field])
            for system, record, field in zip(plan.systems, self._records, plan.fields, strict=True)
            if field is not None and record is not None and field in record.fields
        ]

    def _stage_raws(self, ladder: Ladder) -> list[tuple[str, FieldValue]]:
        return [
            (place[0], record.fields[place[1]])
            for record in self._records
            if record is not None and (place := ladder.place_on(record)) is not None and place[1] in record.fields
        ]


class ValuesBefore(_Values):
    """The values as they were when each field was last settled; fields never settled are missing."""

    __slots__ = ()

    def _flag(self, name: str) -> object:
        return ABSENT

    def _raws(self, plan: FieldPlan) -> list[tuple[str, FieldValue]]:
        base = self._view.bases.get(plan.rule.name)
        if base is None:
            return []
        return [(system, base.values[system]) for system in self._plan.systems if system in base.values]

    def _stage_raws(self, ladder: Ladder) -> list[tuple[str, FieldValue]]:
        base = self._view.bases.get(LIFECYCLE)
        if base is None:
            return []
        return [
            (place[0], base.values[record.ref.system])
            for record in self._records
            if record is not None
            and (place := ladder.place_on(record)) is not None
            and record.ref.system in base.values
        ]


def _preferred(plan: FieldPlan, readings: list[tuple[str, Reading]]) -> object:
    if len(readings) > 1:
        filled = [(system, reading) for system, reading in readings if not reading.is_blank]
        winning = [(system, reading) for system, reading in filled if system == plan.rule.wins]
        readings = winning or filled or readings
    _, best = readings[0]
    return best.value if best.is_mapped else best.text
