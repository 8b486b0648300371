"""One field on two sides: three-way against what each side held when last settled → what to write where.

Who wins is enforced by level (the value desired against the live ones). The base only tells who changed, which
decides the fate of a losing edit and of a deliberate clear; a difference left on purpose therefore stays quiet.
A blank never overwrites a value unless the rule may clear and the winning side was cleared by somebody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from agent.changes import Meaning
from agent.decide.durations import find_span, shifted
from agent.decide.owners import NoCounterpart
from agent.decide.policy import FieldRule, Winner
from agent.decide.prepared import NEWEST
from agent.decide.values import Reading, Unmapped
from agent.decide.view import Base, Interval
from agent.records import FieldValue

FIRST_VALUE = "first value"
ASK = "ask"
KEEP = "keep "
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
LEAST_GAP = timedelta(seconds=2)
"""Vendors' clocks are read from whole seconds, one on each side."""


Times = Mapping[tuple[str, str], Interval]
_NO_TIMES: Times = MappingProxyType({})


class Translator(Protocol):
    """Reads, compares and writes the values of one rule; see ``values.Codec`` and ``owners.OwnerCodec``."""

    def read(self, system: str, raw: FieldValue) -> Reading: ...

    def agree(self, here: Reading, there: Reading) -> bool: ...

    def is_spelling(self, here: Reading, there: Reading) -> bool: ...

    def write(self, system: str, reading: Reading) -> FieldValue: ...

    def show(self, reading: Reading) -> str: ...

    def called(self, system: str) -> str: ...


class Side(NamedTuple):
    """One side of one field: the live value and what it was when last settled (``settled`` None: never).

    ``set_between``: when the live value was set, where that was asked for and is known.
    """

    system: str
    name: str
    vendor_field: str
    live: Reading
    settled: Reading | None
    has_changed: bool
    set_between: Interval | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One value to write: the vendor's own field, before and after."""

    system: str
    vendor_field: str
    before: FieldValue
    after: FieldValue
    meaning: Meaning
    sentence: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one field. ``disposition`` as in ``TraceStep``; ``adopt``: the live values become the base.

    ``review`` is the kind of question a person must answer, if any. ``system`` is the side concerned, or empty.
    ``until``: when what is kept will have been kept long enough.
    """

    disposition: str
    sentence: str
    writes: tuple[Wanted, ...] = ()
    system: str = ""
    adopt: bool = False
    review: Literal["conflict", "unmapped"] | None = None
    until: datetime | None = None


def reconcile(
    rule: FieldRule,
    translator: Translator,
    here: tuple[str, str, FieldValue],
    there: tuple[str, str, FieldValue],
    base: Base | None,
    set_between: Times = _NO_TIMES,
    now: datetime = LONG_AGO,
) -> Outcome:
    """Decide one field. ``here`` and ``there`` are (system, vendor field, live value), both visible.

    ``set_between``: by (system, vendor field), when the live value was set; only ``newest`` and ``keep`` ask.
    """
    sides = (_side(translator, here, base, set_between), _side(translator, there, base, set_between))
    for side in sides:
        if not side.live.is_mapped:
            return _unmapped(rule, side.system, f"{side.name} has", side.live)
    if translator.agree(sides[0].live, sides[1].live):
        return Outcome("equal", "both sides say the same", adopt=_is_unsettled(sides))
    if rule.wins is None:
        return Outcome("nothing", "only read")
    try:
        is_new = base is not None and None not in (base.aim, rule.aim) and base.aim != rule.aim
        if rule.wins == NEWEST:
            return _protected(rule, _newest(rule, translator, sides, now, is_new))
        return _protected(rule, _Field(rule, translator, sides, now, is_new=is_new).outcome())
    except Unmapped as unmapped:
        return _unmapped(rule, "", "there is no word on the other side for", unmapped.reading)
    except NoCounterpart as nobody:
        return Outcome("skipped", str(nobody))


def _newest(rule: FieldRule, translator: Translator, sides: tuple[Side, Side], now: datetime, is_new: bool) -> Outcome:
    """The side that changed alone; with both, the one provably set later; else what ``else`` says."""
    if any(side.settled is None for side in sides):
        blank = next((side for side in sides if side.live.is_blank), None)
        if blank is not None:
            filled = sides[0] if blank is sides[1] else sides[1]
            return _Field(rule.with_winner(Winner(filled.system)), translator, sides, now).outcome()
        if rule.first_time != "winner":
            return _Field(rule.with_winner(Winner(ASK)), translator, sides, now).outcome()
    changed = [side for side in sides if side.has_changed]
    if not changed and all(side.settled is not None for side in sides):
        found = _latest(sides)
        winner = Winner(found.system, unless_blank=True) if found is not None else rule.undecided or Winner(ASK)
        return _Field(rule.with_winner(winner), translator, sides, now, is_new=is_new).outcome()
    newest = changed[0] if len(changed) == 1 else _latest(sides)
    if newest is not None:
        winner = Winner(newest.system, unless_blank=True)
        return _Field(rule.with_winner(winner), translator, sides, now, "has the newest").outcome()
    outcome = _Field(rule.with_winner(rule.undecided or Winner(ASK)), translator, sides, now).outcome()
    return replace(outcome, sentence=f"it cannot be known which {rule.name} is newer; {outcome.sentence}")


def _latest(sides: tuple[Side, Side]) -> Side | None:
    """The side whose value was set after the other's had been set for certain."""
    for side, other in (sides, sides[::-1]):
        mine, theirs = side.set_between, other.set_between
        if mine is None or theirs is None or mine.after is None:
            continue
        if mine.after - theirs.until >= LEAST_GAP:
            return side
    return None


def _side(translator: Translator, at: tuple[str, str, FieldValue], base: Base | None, set_between: Times) -> Side:
    system, vendor_field, raw = at
    live, interval = translator.read(system, raw), set_between.get((system, vendor_field))
    if base is None or system not in base.values:
        return Side(system, translator.called(system), vendor_field, live, None, False, interval)
    settled = translator.read(system, base.values[system])
    return Side(
        system, translator.called(system), vendor_field, live, settled, not translator.agree(live, settled), interval
    )


def _is_unsettled(sides: tuple[Side, Side]) -> bool:
    """The base is missing, or does not hold exactly the live values."""
    return any(side.settled is None or side.settled.raw != side.live.raw for side in sides)


def _unmapped(rule: FieldRule, system: str, where: str, reading: Reading) -> Outcome:
    because = f"which the values of {rule.name} do not map" if rule.values else f"which cannot be read as {rule.clean}"
    sentence = f"{where} “{reading.raw}”, {because}"
    return Outcome(ASK, sentence, system=system, review="unmapped")


def _protected(rule: FieldRule, outcome: Outcome) -> Outcome:
    """A protected value is filled freely, but replaced only after a person said yes."""
    replaced = [wanted for wanted in outcome.writes if wanted.meaning != "fill"]
    if not rule.protected or not replaced:
        return outcome
    sentence = f"{replaced[0].sentence}; {rule.name} is protected, so a person decides"
    return Outcome(ASK, sentence, system=replaced[0].system, review="conflict")


class _Field:
    """One field whose sides differ, under a rule that says who wins."""

    def __init__(
        self,
        rule: FieldRule,
        translator: Translator,
        sides: tuple[Side, Side],
        now: datetime,
        how: str = "wins",
        is_new: bool = False,
    ) -> None:
        """``how``: why the winner wins, as it stands in a sentence before the line's name. ``is_new``: the line wants
        something else than when both sides were last settled."""
        self.rule = rule
        self.translator = translator
        self.sides = sides
        self.now = now
        self.how = how
        self.is_new = is_new

    def outcome(self) -> Outcome:
        if any(side.settled is None for side in self.sides):
            return self._first_meeting()
        if not any(side.has_changed for side in self.sides):
            return self._by_level() or Outcome("quiet", "the two sides differ as they did when last settled")
        if self.rule.wins == ASK:
            return self._ask("changed since they last agreed")
        if self.rule.wins == FIRST_VALUE:
            return self._first_value()
        winner, loser = self._ranked()
        return self._enforced(winner, loser)

    def _by_level(self) -> Outcome | None:
        """A line that wants something else now goes before what was left alone under it; where no side wins, nobody
        has edited anything that could be asked about."""
        if not self.is_new or self.rule.wins in (ASK, FIRST_VALUE):
            return None
        winner, loser = self._ranked()
        if winner.live.is_blank:
            return self._refill(winner, loser)
        sentence = f"the line changed since both sides were last settled: {self._wins_sentence(winner, loser)}"
        return self._write(winner.live, loser, sentence)

    def _first_meeting(self) -> Outcome:
        blank = next((side for side in self.sides if side.live.is_blank), None)
        if blank is not None:
            return self._fill(blank)
        if self.rule.first_time == "fill blanks":
            values = " and ".join(f"{side.name} has {self._show(side)}" for side in self.sides)
            return Outcome("quiet", f"different when first compared, left alone: {values}", adopt=True)
        if self.rule.first_time == ASK or self.rule.wins in (ASK, FIRST_VALUE):
            return self._ask("different when first compared")
        winner, loser = self._ranked()
        return self._write(winner.live, loser, self._wins_sentence(winner, loser))

    def _fill(self, blank: Side) -> Outcome:
        """No base, one side blank: fill it where the rule lets that side be written."""
        filled = self._other(blank)
        if self.rule.wins == ASK:
            return self._ask("filled on one side only")
        if self.rule.wins == FIRST_VALUE:
            sentence = f"the first value of {self.rule.name} is {self._show(filled)} in {filled.name}"
            return self._write(filled.live, blank, f"{sentence}; {blank.name} was blank")
        if blank.system != self.rule.wins:
            return self._write(filled.live, blank, self._wins_sentence(filled, blank))
        return self._refill(blank, filled)

    def _enforced(self, winner: Side, loser: Side) -> Outcome:
        if winner.live.is_blank:
            return self._cleared(winner, loser) if self._may_clear(winner) else self._refill(winner, loser)
        if winner.has_changed or not loser.has_changed:
            return self._write(winner.live, loser, self._wins_sentence(winner, loser))
        lost = f"the edit to {self._show(loser)} in {loser.name}"
        sentence = f"{self._claim(winner)}; {lost}"
        return self._left(loser, sentence) or self._write(winner.live, loser, f"{sentence} is taken back")

    def _left(self, loser: Side, sentence: str) -> Outcome | None:
        """What becomes of an edit on the side that does not win, unless it is taken back now."""
        if self.rule.losing_edit == "revert":
            return None
        if self.rule.losing_edit == "report":
            return Outcome("reported", f"{sentence} is left and reported", system=loser.system, adopt=True)
        span = find_span(self.rule.losing_edit.removeprefix(KEEP))
        made = loser.set_between.until if loser.set_between is not None else self.now
        until = shifted(made, span, 1) if span is not None else made
        if until <= self.now:
            return None
        kept = f"{sentence} is kept until {until:%Y-%m-%d %H:%M} UTC"
        return Outcome("kept", kept, system=loser.system, until=until)

    def _first_value(self) -> Outcome:
        first = self._first()
        if first is None:
            return self._ask("no first value is known")
        away = [side for side in self.sides if not self.translator.agree(side.live, first)]
        edited = [side for side in away if side.has_changed and not side.live.is_blank]
        shown = self.translator.show(first)
        if edited:
            edit = f"the edit to {self._show(edited[0])} in {edited[0].name}"
            left = self._left(edited[0], f"the first value of {self.rule.name} was {shown}; {edit}")
            if left is not None:
                return left
        sentence = f"the first value of {self.rule.name} is {shown}"
        writes = [self._wanted(first, side, f"{sentence}; {self._had(side)}") for side in away]
        return Outcome("write", sentence, tuple(writes))

    def _first(self) -> Reading | None:
        """The value held when first settled, if the sides agreed on it; else the only one there is now."""
        settled = [side.settled for side in self.sides if side.settled is not None and not side.settled.is_blank]
        known = settled or [side.live for side in self.sides if not side.live.is_blank]
        agreed = all(self.translator.agree(known[0], other) for other in known[1:])
        return known[0] if known and agreed else None

    def _may_clear(self, winner: Side) -> bool:
        """A deliberate clear: the rule may, and the winning side went from filled to blank."""
        was_filled = winner.settled is not None and not winner.settled.is_blank
        return self.rule.may_clear and was_filled and self.rule.type != "boolean"

    def _cleared(self, winner: Side, loser: Side) -> Outcome:
        sentence = f"{winner.name} {self.how} {self.rule.name} and was cleared; {self._had(loser)}"
        return self._write(winner.live, loser, sentence)

    def _refill(self, winner: Side, loser: Side) -> Outcome:
        if self.rule.unless_blank:
            sentence = f"{winner.name} {self.how} {self.rule.name} but is blank; {loser.name} has {self._show(loser)}"
            return self._write(loser.live, winner, sentence)
        sentence = f"{winner.name} {self.how} {self.rule.name} and is blank; a blank never overwrites a value"
        return Outcome("skipped", sentence, system=loser.system)

    def _write(self, desired: Reading, target: Side, sentence: str) -> Outcome:
        wanted = self._wanted(desired, target, sentence)
        if wanted.after == wanted.before:
            return Outcome("quiet", f"{sentence}, as it should", system=target.system, adopt=True)
        return Outcome("write", sentence, (wanted,), target.system)

    def _wanted(self, desired: Reading, target: Side, sentence: str) -> Wanted:
        after = self.translator.write(target.system, desired)
        meaning = self._meaning(desired, target)
        return Wanted(target.system, target.vendor_field, target.live.raw, after, meaning, sentence)

    def _meaning(self, desired: Reading, target: Side) -> Meaning:
        if target.live.is_blank:
            return "fill"
        if desired.is_blank:
            return "blank"
        if self.rule.is_owner:
            return "owner"
        return "spelling" if self.translator.is_spelling(desired, target.live) else "different"

    def _ask(self, why: str) -> Outcome:
        values = "; ".join(f"{side.name} has {self._show(side)}" for side in self.sides)
        return Outcome(ASK, f"{self.rule.name} {why}: {values}", review="conflict")

    def _ranked(self) -> tuple[Side, Side]:
        """(winner, loser)."""
        here, there = self.sides
        return (here, there) if here.system == self.rule.wins else (there, here)

    def _other(self, side: Side) -> Side:
        return self.sides[1] if side is self.sides[0] else self.sides[0]

    def _wins_sentence(self, winner: Side, loser: Side) -> str:
        return f"{self._claim(winner)}; {self._had(loser)}"

    def _claim(self, winner: Side) -> str:
        if self.rule.made_of:
            return f"{' and '.join(self.rule.made_of)} make {self._show(winner)}"
        return f"{winner.name} {self.how} {self.rule.name} and has {self._show(winner)}"

    def _had(self, side: Side) -> str:
        return f"{side.name} was blank" if side.live.is_blank else f"{side.name} had {self._show(side)}"

    def _show(self, side: Side) -> str:
        return self.translator.show(side.live)
