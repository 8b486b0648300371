"""Which writes of a cycle wait, because the calls that are left today are kept for what is more urgent.

What waits is not put into a batch: it stays pending, and is decided anew by each cycle until there are calls for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from agent.batch_order import goes_first
from agent.changes import Change
from agent.installation import Installation


def affordable(installation: Installation, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """(those for which there are calls left today, those that wait)."""
    return divided(changes, _room(installation))


def divided(changes: Sequence[Change], room: Mapping[str, int]) -> tuple[list[Change], list[Change]]:
    """What goes: everything that must not wait, and of the rest as much as there is ``room`` for: {system: writes},
    without bound where a system is not named. What belongs together goes together or waits together. Pure."""
    left = Counter(room)
    going: list[Change] = []
    waiting: list[Change] = []
    for together in _units(changes):
        wanted = Counter(change.system for change in together if change.system in room and not goes_first(change))
        if wanted <= left:
            left -= wanted
            going += together
        else:
            waiting += together
    return going, waiting


def _units(changes: Sequence[Change]) -> list[list[Change]]:
    units: dict[tuple[str, int], list[Change]] = defaultdict(list)
    for number, change in enumerate(changes):
        units[(change.group, 0) if change.group is not None else ("", number)].append(change)
    return list(units.values())


def _room(installation: Installation) -> dict[str, int]:
    """Writes that the calls left today are enough for, at the best; nothing of a system that has told no limit."""
    room = {}
    for system, connector in installation.connectors.items():
        calls = installation.calls.left(system, "update")
        if calls is not None:
            room[system] = calls * connector.capabilities.write_chunk
    return room
