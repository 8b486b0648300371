"""The phases of a cycle, and how something is made to happen in one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agent import apply, cycle
from agent.ledger.ledger import Ledger
from agent.plan import planner
from connectors.hubspot.connector import HubSpot
from connectors.salesforce.connector import Salesforce

CLIENTS: dict[str, type[Any]] = {"salesforce": Salesforce, "hubspot": HubSpot}

PHASES: dict[str, tuple[Any, str, str]] = {
    "before the pull": (cycle, "pull_all", "before"),
    "between pull and identity": (cycle, "identify_pending", "before"),
    "between identity and decision": (planner, "draft", "before"),
    "between decision and entry": (Ledger, "open_batch", "before"),
    "between entry and last look": (apply, "fresh", "before"),
    "between last look and intent": (Ledger, "intend", "before"),
    "between intent and write": (CLIENTS, "write", "before"),
    "between write and read-back": (CLIENTS, "write", "after"),
    "after the cycle": (cycle, "dispose", "after"),
}
"""{phase: (where it is, what is done there, whether it happens before or after that)}"""


def at(phase: str, system: str, patch: pytest.MonkeyPatch, happens: Callable[[], None]) -> Callable[[], bool]:
    """It happens once, when this phase is reached for the first time. Returns whether it has."""
    place, name, side = PHASES[phase]
    place = place[system] if place is CLIENTS else place
    plain = getattr(place, name)
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            happens()

    def watched(*args: Any, **more: Any) -> Any:
        if side == "before":
            once()
        answer = plain(*args, **more)
        if side == "after":
            once()
        return answer

    patch.setattr(place, name, watched)
    return lambda: bool(done)


def some_by_day(cases: Sequence[tuple[str, ...]], step: int) -> list[Any]:
    """Each ``step``-th of them; the others at night."""
    return [
        pytest.param(*case, marks=[pytest.mark.nightly] if number % step else [], id=" ".join(case))
        for number, case in enumerate(cases)
    ]
