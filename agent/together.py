"""How a connector makes several reads at once without threads of its own: the engine hands it the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

R = TypeVar("R")


class Together(Protocol):
    """Makes calls that do not depend on each other, some of them at once where that is allowed."""

    @property
    def at_once(self) -> int:
        """The most calls under way at a time."""
        ...

    def __call__(self, calls: Sequence[Callable[[], R]], /) -> list[R]:
        """What each came to, in order. Raises the first error of any of them, when none is under way any more."""
        ...


class InTurn:
    """A ``Together`` that makes one call after the other."""

    at_once = 1

    def __call__(self, calls: Sequence[Callable[[], R]], /) -> list[R]:
        return [call() for call in calls]


IN_TURN = InTurn()
