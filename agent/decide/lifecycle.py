"""Where a person or company stands in the funnel, on both sides, and which way it may move.

The target stage: exactly one side moved since last settled → its new stage leads; otherwise the side that
``wins``, else the furthest. Then moves whose ``because`` holds may raise it. A side is moved forward only by a
listed move; a side is moved back only as a change of its own that a person approves.
docs/policies/lifecycle.md says the same for editors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent.changes import Cell, Change, Meaning, ReviewRequest, TraceStep, Why
from agent.decide.conditions import LIFECYCLE, AllOf, AnyOf, Condition, Explanation, Leaf, explain, spoken
from agent.decide.desk import Desk
from agent.decide.ladder import UNMAPPED, Ladder, Rung
from agent.decide.policy import Move, Place
from agent.records import FieldValue


def decide_stage(desk: Desk) -> None:
    """Every lifecycle policy about this entity."""
    for ladder in desk.plan.ladders:
        _Climb(desk, ladder).decide()


class _Target(NamedTuple):
    """The stage both sides should have. ``move`` is set when a ``because`` of ours asks for it, not a person."""

    stage: int
    reason: str
    move: Move | None = None


class _NotRaised(NamedTuple):
    """Why a move is not made; a sentence once somebody asks."""

    to: str
    why: Explanation

    def __str__(self) -> str:
        return f"no move to {self.to}: {self.why.sentence}"


class _Climb:
    """One lifecycle policy on one entity."""

    def __init__(self, desk: Desk, ladder: Ladder) -> None:
        self.desk = desk
        self.ladder = ladder
        self.policy = ladder.policy

    def decide(self) -> None:
        header = self.policy.header
        if self.desk.is_gated:
            self._say("", "skipped", "suspected duplicate: no stage moves")
            return
        left_out = self.desk.left_out(header)
        if left_out is not None:
            self._say("", *left_out)
            return
        rungs = self._rungs()
        if rungs is None or self._has_unmapped(rungs):
            return
        if not rungs:
            self._say("", "nothing", "no side holds a stage")
            return
        target = self._raised(rungs, self._carried(rungs))
        if target is None:
            return
        for rung in rungs:
            self._bring(rung, target)
        self._adopt(rungs, target)

    def _rungs(self) -> list[Rung] | None:
        """The stage of each side that has one; None when a side does not show its stage field."""
        found: list[Rung] = []
        for record, name in zip(self.desk.records, self.desk.plan.names, strict=True):
            place = self.ladder.place_on(record) if record is not None else None
            if record is None or place is None:
                continue
            key, vendor_field = place
            if vendor_field not in record.fields:
                self._say(record.ref.system, "skipped", f"not visible: {name} does not show {vendor_field} to us")
                return None
            raw = record.fields[vendor_field]
            found.append(Rung(record, key, vendor_field, raw, self.ladder.stage_of(key, raw), name))
        return found

    def _has_unmapped(self, rungs: Sequence[Rung]) -> bool:
        unmapped = [rung for rung in rungs if rung.stage == UNMAPPED]
        for rung in unmapped:
            sentence = f"{rung.name} has the stage “{rung.raw}”, which no stage of {self.policy.header.name} lists"
            self._say(rung.system, "ask", sentence)
            refs = (rung.record.ref,)
            line = str(self.policy.header.place)
            self.desk.ask(
                ReviewRequest("unmapped", self.desk.view.entity_id, f"unmapped:{LIFECYCLE}", sentence, refs, line)
            )
        return bool(unmapped)

    def _carried(self, rungs: Sequence[Rung]) -> _Target | None:
        """The stage that people's moves ask for, or None to leave both sides as they are."""
        stages = [rung.stage for rung in rungs if rung.stage is not None]
        if not stages:
            return None
        if len(rungs) > 1 and stages.count(stages[0]) == len(rungs):
            return _Target(stages[0], "both sides are at the same stage")
        settled = [self._settled(rung) for rung in rungs]
        if len(rungs) > 1 and all(known for known, _ in settled):
            moved = [rung for rung, (_, stage) in zip(rungs, settled, strict=True) if rung.stage != stage]
            if not moved:
                self._say("", "quiet", f"the sides differ as they did when last settled: {self._at(rungs)}")
                return None
            if len(moved) == 1 and moved[0].stage is not None:
                return _Target(moved[0].stage, f"{moved[0].name} moved to {self._name(moved[0].stage)}")
        leading = next((rung for rung in rungs if rung.system == self.policy.wins), None)
        if leading is not None and leading.stage is not None:
            return _Target(leading.stage, f"{leading.name} wins the stage and is at {self._name(leading.stage)}")
        furthest = max((rung for rung in rungs if rung.stage is not None), key=lambda rung: rung.stage or 0)
        stage = furthest.stage or 0
        return _Target(stage, f"{furthest.name} is furthest, at {self._name(stage)}")

    def _settled(self, rung: Rung) -> tuple[bool, int | None]:
        """(is it known, stage when last settled). A value the policy no longer lists is not known."""
        base = self.desk.view.bases.get(LIFECYCLE)
        if base is None or rung.system not in base.values:
            return False, None
        stage = self.ladder.stage_of(rung.key, base.values[rung.system])
        return stage != UNMAPPED, stage

    def _raised(self, rungs: Sequence[Rung], target: _Target | None) -> _Target | None:
        """The furthest stage a ``because`` of ours asks for beyond that, else the target as it is."""
        if target is not None:
            reached = target.stage
        else:
            reached = max((rung.stage for rung in rungs if rung.stage is not None), default=-1)
        best = target
        for stage, because, move, line in self.ladder.raising:
            if stage <= reached or not self._starts_from(move, reached):
                continue
            explained = self._explain(because)
            if not explained.holds:
                said = _NotRaised(move.to, explained)
                self.desk.say(TraceStep(LIFECYCLE, "", "nothing", said, self.policy.header.name, line))
            elif best is None or stage > best.stage:
                best = _Target(stage, f"{spoken(because)}, so the stage is {move.to}", move)
        return best

    def _bring(self, rung: Rung, target: _Target) -> None:
        """Say or write what this side needs to reach the target."""
        if rung.stage == target.stage:
            self.desk.say(self.ladder.standing(rung, target.stage, target.reason))
            return
        value = self.ladder.value_of(rung.key, target.stage)
        if value is None:
            sentence = f"{rung.vendor_field} in {rung.name} has no word for {self._name(target.stage)}"
            self._say(rung.system, "skipped", sentence)
        elif rung.stage is None and target.move is None:
            self._fill(rung, target, value)
        elif rung.stage is None or target.stage > rung.stage:
            self._forward(rung, target, value)
        else:
            self._back(rung, target, value)

    def _fill(self, rung: Rung, target: _Target, value: str) -> None:
        sentence = f"{target.reason}; {rung.name} was blank"
        self._write(rung, value, "fill", sentence, None, {})

    def _forward(self, rung: Rung, target: _Target, value: str) -> None:
        stage = self._name(target.stage)
        moves = [target.move] if target.move is not None else self._listed(rung, target.stage)
        if not moves:
            sentence = f"{target.reason}, but no move to {stage} is listed; {rung.name} stays {self._where(rung)}"
            self._say(rung.system, "refused", sentence)
            return
        move = min(moves, key=lambda move: len(self._missing(move)))
        missing = self._missing(move)
        if missing:
            sentence = f"{stage} needs {' and '.join(missing)}, which {_is_are(missing)} blank"
            self._say(rung.system, "skipped", sentence, move.place)
            return
        read = self._read_of(rung, move)
        meaning: Meaning = "fill" if rung.stage is None else "stage"
        self._write(rung, value, meaning, f"{target.reason}; {rung.name} was {self._where(rung)}", move, read)

    def _back(self, rung: Rung, target: _Target, value: str) -> None:
        """A change of its own, so that other fields do not wait for the approval with it."""
        sentence = f"{target.reason}; {rung.name} would go back from {self._where(rung, bare=True)}"
        if self.policy.back_approve is None:
            self._say(rung.system, "refused", f"{sentence}, and {self.policy.header.name} allows no way back")
            return
        if self._is_frozen(rung, sentence):
            return
        why = self._why(sentence, None)
        group = f"{self.desk.view.entity_id}:{LIFECYCLE}:{rung.system}"
        steps: list[tuple[FieldValue, FieldValue, Meaning]] = [(rung.raw, value, "stage_back")]
        if (rung.record.ref.object_type, rung.vendor_field) in self.desk.view.clears_first:
            steps = [(rung.raw, None, "stage_back"), (None, value, "stage")]
        for step, (before, after, meaning) in enumerate(steps):
            cell = Cell(LIFECYCLE, rung.vendor_field, before, after, meaning, why)
            self.desk.write_apart(_apart(self.desk.view.entity_id, rung, cell, group, step))
        approver = self.policy.back_approve
        self._say(rung.system, "write", f"{sentence}; going back needs {approver}")

    def _write(
        self,
        rung: Rung,
        value: str,
        meaning: Meaning,
        sentence: str,
        move: Move | None,
        read: dict[str, FieldValue],
    ) -> None:
        if self._is_frozen(rung, sentence):
            return
        cell = Cell(LIFECYCLE, rung.vendor_field, rung.raw, value, meaning, self._why(sentence, move))
        self.desk.write(rung.record, cell, read)
        self._say(rung.system, "write", sentence, move.place if move is not None else None)

    def _is_frozen(self, rung: Rung, sentence: str) -> bool:
        frozen = self.desk.frozen(LIFECYCLE, rung.system)
        if frozen is not None:
            self._say(rung.system, "frozen", f"{frozen.reason}; otherwise: {sentence}")
        return frozen is not None

    def _adopt(self, rungs: Sequence[Rung], target: _Target) -> None:
        """Both sides are there already: what they hold is the new base."""
        if len(rungs) < 2 or [rung for rung in rungs if rung.stage != target.stage]:
            return
        live = {rung.system: rung.raw for rung in rungs}
        base = self.desk.view.bases.get(LIFECYCLE)
        if base is None or base.values != live:
            self.desk.adopt[LIFECYCLE] = live

    def _listed(self, rung: Rung, stage: int) -> list[Move]:
        moves = self.ladder.moves_to(stage)
        return [move for move in moves if rung.stage is None or self._starts_from(move, rung.stage)]

    def _starts_from(self, move: Move, stage: int) -> bool:
        return not move.from_stages or (stage >= 0 and self._name(stage) in move.from_stages)

    def _missing(self, move: Move) -> list[str]:
        """Needed fields that are blank or not visible."""
        return [name for name in move.needs if self.desk.values.get(name) in (None, "")]

    def _read_of(self, rung: Rung, move: Move) -> dict[str, FieldValue]:
        """Live values of the target record that this move was decided from."""
        names = {*move.needs, *(_fields_of(move.because) if move.because is not None else ())}
        places = {
            plan.rule.name: plan.rule.vendor_field(rung.system, rung.record.ref.object_type)
            for plan in self.desk.plan.by_name.values()
            if plan.rule.name in names
        }
        return {
            field: rung.record.fields[field]
            for field in places.values()
            if field is not None and field in rung.record.fields
        }

    def _explain(self, condition: Condition) -> Explanation:
        return explain(condition, self.desk.values, self.desk.view.now, self.desk.previous)

    def _why(self, sentence: str, move: Move | None) -> Why:
        header = self.policy.header
        if move is not None:
            return Why(header.name, str(move.place), move.rule, sentence)
        return Why(header.name, str(header.place), header.meaning, sentence)

    def _say(self, system: str, disposition: str, sentence: str, place: Place | None = None) -> None:
        line = self.ladder.line if place is None else str(place)
        self.desk.say(TraceStep(LIFECYCLE, system, disposition, sentence, self.policy.header.name, line))

    def _name(self, stage: int) -> str:
        return self.ladder.names[stage]

    def _where(self, rung: Rung, *, bare: bool = False) -> str:
        if rung.stage is None:
            return "blank"
        return self._name(rung.stage) if bare else f"at {self._name(rung.stage)}"

    def _at(self, rungs: Iterable[Rung]) -> str:
        return ", ".join(f"{rung.name} {self._where(rung)}" for rung in rungs)


def _apart(entity_id: str, rung: Rung, cell: Cell, group: str, step: int) -> Change:
    """``guarded``: sent alone and conditionally, so never in one call with another write of the same record."""
    ref = rung.record.ref
    return Change(
        "update",
        entity_id,
        ref.system,
        ref.object_type,
        ref.id,
        (cell,),
        group=group,
        step=step,
        decided_from={cell.vendor_field: rung.raw} if step == 0 else {},
        guarded=True,
    )


def _fields_of(condition: Condition) -> set[str]:
    if isinstance(condition, Leaf):
        return {condition.field}
    parts = condition.parts if isinstance(condition, AllOf | AnyOf) else (condition.part,)
    return {name for part in parts for name in _fields_of(part)}


def _is_are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
