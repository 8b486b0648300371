"""The stages of one lifecycle policy, ready for looking up: vendor value → stage, stage → vendor value."""

from __future__ import annotations

from typing import NamedTuple

from agent.changes import TraceStep
from agent.decide.conditions import LIFECYCLE, Condition
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


class Raise(NamedTuple):
    """A move that Truce makes by itself: to which stage, and because of what."""

    stage: int
    because: Condition
    move: Move
    line: str


class Ladder:
    """One lifecycle policy. Stages are known by their place in funnel order."""

    __slots__ = ("_by_value", "_by_word", "_places", "_standing", "_steps", "line", "names", "policy", "raising")

    def __init__(self, policy: LifecyclePolicy) -> None:
        self.policy = policy
        self.names = tuple(stage.name for stage in policy.stages)
        self.line = str(policy.header.place)
        self._steps = {name: index for index, name in enumerate(self.names)}
        self._places: dict[tuple[str, str], tuple[str, str] | None] = {}
        self._standing: dict[tuple[str, int, str], TraceStep] = {}
        self.raising = tuple(
            Raise(self.index(move), move.because, move, str(move.place)) for move in policy.moves if move.because
        )
        self._by_value: dict[str, dict[str, int]] = {}
        for index, stage in enumerate(policy.stages):
            for key, words in stage.values.items():
                known = self._by_value.setdefault(key, {})
                for word in words:
                    known.setdefault(word.strip().casefold(), index)
        self._by_word: dict[tuple[str, FieldValue], int] = {
            (key, word): self._by_value[key][word.casefold()]
            for stage in policy.stages
            for key, words in stage.values.items()
            for word in words
            if word.strip() == word
        }
        """The usual values, written as the policy writes them."""

    def place_on(self, record: Record) -> tuple[str, str] | None:
        """(key, vendor field) where this record's stage stands."""
        return self.place_of(record.ref.system, record.ref.object_type)

    def place_of(self, system: str, object_type: str) -> tuple[str, str] | None:
        """(key, vendor field) of the stage on this object type; the first key that names it."""
        place = (system, object_type)
        if place not in self._places:
            found = (
                (key, field)
                for key, by_system in self.policy.where.items()
                if (field := by_system.get(system, {}).get(object_type)) is not None
            )
            self._places[place] = next(found, None)
        return self._places[place]

    def stage_of(self, key: str, raw: FieldValue) -> int | None:
        """Index of the stage; None when blank; UNMAPPED for a value no stage lists."""
        known = self._by_word.get((key, raw))
        if known is not None:
            return known
        text = as_text(raw)
        return None if text is None else self._by_value.get(key, {}).get(text.casefold(), UNMAPPED)

    def standing(self, rung: Rung, stage: int, reason: str) -> TraceStep:
        """What is said of a side that is where it should be; made once for each that there can be."""
        key = (rung.name, stage, reason)
        known = self._standing.get(key)
        if known is None:
            sentence = f"{rung.name} is at {self.names[stage]}: {reason}"
            known = TraceStep(LIFECYCLE, rung.system, "equal", sentence, self.policy.header.name, self.line)
            self._standing[key] = known
        return known

    def value_of(self, key: str, stage: int) -> str | None:
        """The value written for a stage: its first; None where this side has no word for the stage."""
        words = self.policy.stages[stage].values.get(key, ())
        return words[0] if words else None

    def index(self, move: Move) -> int:
        """Place in funnel order of the stage a move leads to."""
        return self._steps[move.to]

    def moves_to(self, stage: int) -> list[Move]:
        return [move for move in self.policy.moves if self.index(move) == stage]
