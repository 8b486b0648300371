"""The stages of one lifecycle policy, ready for looking up: vendor value → stage, stage → vendor value."""

from __future__ import annotations

from typing import NamedTuple

from agent.decide.normalise import as_text
from agent.decide.policy import LifecyclePolicy, Move
from agent.records import FieldValue, Record

UNMAPPED = -1


class Rung(NamedTuple):
    """Where one record's stage stands: ``key`` of the stage values, the vendor field, and the live value.

    ``stage`` is the index in funnel order, None when blank, UNMAPPED for a value no stage lists. ``name`` is
    what people call the system.
    """

    record: Record
    key: str
    vendor_field: str
    raw: FieldValue
    stage: int | None
    name: str

    @property
    def system(self) -> str:
        return self.record.ref.system


class Ladder:
    """One lifecycle policy. Stages are known by their place in funnel order."""

    __slots__ = ("_by_value", "_places", "_steps", "line", "names", "policy", "raising")

    def __init__(self, policy: LifecyclePolicy) -> None:
        self.policy = policy
        self.names = tuple(stage.name for stage in policy.stages)
        self.line = str(policy.header.place)
        self._steps = {name: index for index, name in enumerate(self.names)}
        self._places: dict[tuple[str, str], tuple[str, str] | None] = {}
        self.raising = tuple((self.index(move), move.because, move) for move in policy.moves if move.because)
        """(stage, condition, move) of the moves that Truce makes by itself."""
        self._by_value: dict[str, dict[str, int]] = {}
        for index, stage in enumerate(policy.stages):
            for key, words in stage.values.items():
                known = self._by_value.setdefault(key, {})
                for word in words:
                    known.setdefault(word.strip().casefold(), index)

    def place_on(self, record: Record) -> tuple[str, str] | None:
        """(key, vendor field) where this record's stage stands."""
        return self.place_of(record.ref.system, record.ref.object_type)

    def place_of(self, system: str, object_type: str) -> tuple[str, str] | None:
        """(key, vendor field) of the stage on this object type; the first key that names it."""
        if (system, object_type) not in self._places:
            found = (
                (key, field)
                for key, by_system in self.policy.where.items()
                if (field := by_system.get(system, {}).get(object_type)) is not None
            )
            self._places[system, object_type] = next(found, None)
        return self._places[system, object_type]

    def stage_of(self, key: str, raw: FieldValue) -> int | None:
        """Index of the stage; None when blank; UNMAPPED for a value no stage lists."""
        text = as_text(raw)
        return None if text is None else self._by_value.get(key, {}).get(text.casefold(), UNMAPPED)

    def value_of(self, key: str, stage: int) -> str | None:
        """The value written for a stage: its first; None where this side has no word for the stage."""
        words = self.policy.stages[stage].values.get(key, ())
        return words[0] if words else None

    def index(self, move: Move) -> int:
        """Place in funnel order of the stage a move leads to."""
        return self._steps[move.to]

    def moves_to(self, stage: int) -> list[Move]:
        return [move for move in self.policy.moves if self.index(move) == stage]
