"""Another system that changes a field back as often as we write it: Truce stops first, and says so.

A fight is the same cell taken back again and again, not a field that people change often: there each of our writes
starts from what the one before left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.changes import Cell, Change, ReviewRequest, State
from agent.confirm import same_value
from agent.errors import ConnectorError
from agent.freeze.freeze import Freeze
from agent.installation import Installation
from agent.records import FieldValue, Ref

WINDOW = timedelta(hours=24)
TAKEN_BACK = 3
"""This often within the window our value was changed by somebody else and would be written again (facts: the fourth
alternating write is one too many)."""

ACTOR = "truce"


def without_fights(installation: Installation, changes: Sequence[Change]) -> list[Change]:
    """The changes less every cell that is fought over; those are frozen and become a question for a person."""
    fought: dict[tuple[str, str, str], _Fight] = {}
    for change in changes:
        for cell in change.cells if change.op in ("update", "associate") else ():
            fight = _fight(installation, change, cell)
            if fight is not None:
                fought[change.entity_id, cell.field, change.system] = fight
    if not fought:
        return list(changes)
    who = _other_writers(installation, fought.values())
    installation.freezes.add([_freeze(fight, who) for fight in fought.values()], ACTOR)
    installation.reviews.open_or_refresh([_question(fight, who) for fight in fought.values()])
    calm = [
        replace(
            change, cells=tuple(c for c in change.cells if (change.entity_id, c.field, change.system) not in fought)
        )
        for change in changes
    ]
    return [change for change in calm if change.cells]


@dataclass(frozen=True, slots=True)
class _Fight:
    """``written``: (value before, value the vendor held after) of our writes of this cell since yesterday."""

    change: Change
    cell: Cell
    written: tuple[tuple[FieldValue, FieldValue], ...]

    @property
    def place(self) -> tuple[Ref, str] | None:
        return (self.change.ref, self.cell.vendor_field) if self.change.ref is not None else None

    @property
    def found(self) -> list[FieldValue]:
        """What stood there instead of our value, after each of our writes, the present time included."""
        return [before for before, _ in self.written[1:]] + [self.cell.before]

    @property
    def times_taken_back(self) -> int:
        pairs = zip(self.written, self.found, strict=False)
        return sum(not same_value(observed, before) for (_, observed), before in pairs)


def _fight(installation: Installation, change: Change, cell: Cell) -> _Fight | None:
    since = installation.clock() - WINDOW
    fight = _Fight(change, cell, _written(installation, change, cell, since))
    if fight.times_taken_back < TAKEN_BACK:
        return None
    lifted = max(_lifted(installation, change, cell), default=since)
    fight = _Fight(change, cell, _written(installation, change, cell, max(since, lifted)))
    return fight if fight.times_taken_back >= TAKEN_BACK else None


def _written(
    installation: Installation, change: Change, cell: Cell, since: datetime
) -> tuple[tuple[FieldValue, FieldValue], ...]:
    if change.step > 0:
        return ()
    entries = installation.ledger.entries(entity_id=change.entity_id, states=(State.CONFIRMED,), since=since)
    return tuple(
        (each.before, entry.observed.get(each.vendor_field, each.after))
        for entry in entries
        if entry.change.ref == change.ref and entry.change.step == 0 and entry.recorded_at >= since
        for each in entry.change.cells
        if each.vendor_field == cell.vendor_field
    )


def _lifted(installation: Installation, change: Change, cell: Cell) -> list[datetime]:
    """When a person let Truce write this cell again: what was fought over before counts no more."""
    return [
        event.at
        for event in installation.ledger.events(kind="lifted", subject=change.entity_id)
        if (event.body.get("field"), event.body.get("system")) == (cell.field, change.system)
    ]


def _other_writers(installation: Installation, fights: Iterable[_Fight]) -> dict[tuple[Ref, str], str]:
    """Who wrote last, person or automation, as far as the vendors tell; a fight is rare enough to ask."""
    places: dict[str, list[tuple[Ref, str]]] = defaultdict(list)
    for fight in fights:
        if fight.place is not None:
            places[fight.change.system].append(fight.place)
    found: dict[tuple[Ref, str], str] = {}
    for system, cells in places.items():
        try:
            authors = installation.connectors[system].authors(cells)
        except ConnectorError:
            continue  # the question is asked without a name
        found.update({cell: author.name for cell, author in authors.items()})
    return found


def _freeze(fight: _Fight, who: Mapping[tuple[Ref, str], str]) -> Freeze:
    change, cell = fight.change, fight.cell
    reason = f"changed back {TAKEN_BACK} times within a day by {_other(fight, who)}"
    return Freeze(change.entity_id, cell.field, change.system, cell.why.rule, "fight", reason)


def _question(fight: _Fight, who: Mapping[tuple[Ref, str], str]) -> ReviewRequest:
    change, cell = fight.change, fight.cell
    series = ", ".join(
        f"Truce {_shown(ours)}, then {_shown(theirs)}"
        for (_, ours), theirs in zip(fight.written, fight.found, strict=True)
    )
    sentence = (
        f"{change.ref}: {cell.field} was changed back {fight.times_taken_back} times within a day"
        f" by {_other(fight, who)} ({series}); Truce leaves it alone"
    )
    refs: tuple[Ref, ...] = (change.ref,) if change.ref is not None else ()
    topic = f"fight:{cell.field}:{change.system}"
    return ReviewRequest("fight", change.entity_id, topic, sentence, refs, cell.why.line)


def _other(fight: _Fight, who: Mapping[tuple[Ref, str], str]) -> str:
    return (who.get(fight.place) if fight.place else None) or "another system"


def _shown(value: FieldValue) -> str:
    return "(blank)" if value in (None, "") else f"“{value}”"
