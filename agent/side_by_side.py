"""Several calls to one vendor under way at once, so that its rate sets the pace and not its latency.

The thread that asks waits until every call of a wave has ended. So it alone ever writes down what came of them, no
transaction is open meanwhile, and nothing is under way any more when it goes on. Calls of one wave must not depend on
each other; whoever makes a wave sees to that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from agent.errors import TruceError
from agent.together import Together

R = TypeVar("R")
T = TypeVar("T")
Doing = Literal["reading", "writing"]

TO_BE_SILENT = 2

_UNDER_WAY: set[Future[Any]] = set()
"""Of all waves of this process that somebody waits for, or waited for in vain."""


class SideBySide:
    """``most``: {system: calls that may be under way at once}."""

    def __init__(self, most: Mapping[str, int]) -> None:
        self._most = dict(most)
        self._answered: set[tuple[str, Doing]] = set()
        self._silent: Counter[tuple[str, Doing]] = Counter()
        self._is_narrow = False
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def most(self, system: str) -> int:
        """Calls of this system that may be under way at once."""
        return 1 if self._is_narrow else self._most.get(system, 1)

    @contextmanager
    def one_after_the_other(self) -> Iterator[None]:
        """Inside, every wave is a single call."""
        before, self._is_narrow = self._is_narrow, True
        try:
            yield
        finally:
            self._is_narrow = before

    def waves(self, system: str, doing: Doing, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """The items of one wave at a time.

        A vendor that has not answered to this yet, or failed the last time, gets a single call first: what it refuses
        altogether then costs one call and one attempt, and not many.
        """
        start = 0
        while start < len(items):
            width = self.most(system) if self.has_answered(system, doing) else 1
            yield items[start : start + width]
            start += width

    def has_answered(self, system: str, doing: Doing) -> bool:
        """Whether the last calls of this kind went well."""
        return (system, doing) in self._answered

    def is_silent(self, system: str, doing: Doing) -> bool:
        """Two waves in a row, the second a single call, brought no answer: no accident of one call any more."""
        return self._silent[system, doing] >= TO_BE_SILENT

    def ask(
        self,
        system: str,
        doing: Doing,
        wave: Sequence[Callable[[], R]],
        is_answer: Callable[[R], bool] = lambda result: True,
    ) -> list[R | TruceError]:
        """Make the calls of a wave at once and wait for all. What each came to, in order: its result or its error.

        ``is_answer``: whether a result is one, or says that no answer came.
        Anything raised that is no ``TruceError`` is raised here, when all have ended.
        """
        if len(wave) == 1:
            answers = [_answer(wave[0])]
        else:
            under_way = [self._pool(system).submit(_answer, call) for call in wave]
            _UNDER_WAY.update(under_way)
            wait(under_way)
            _UNDER_WAY.difference_update(under_way)
            answers = [each.result() for each in under_way]
        if all(not isinstance(answer, TruceError) and is_answer(answer) for answer in answers):
            self._answered.add((system, doing))
            self._silent[system, doing] = 0
        else:
            self._answered.discard((system, doing))
            self._silent[system, doing] += 1
        return answers

    def together(self, system: str) -> Together:
        """For a connector that has several reads to make at once."""
        return _Reading(self, system)

    def close(self) -> None:
        """Safe to call twice."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self._pools.clear()

    def _pool(self, system: str) -> ThreadPoolExecutor:
        """Made when there is first a use for it: most cycles make one call."""
        if system not in self._pools:
            self._pools[system] = ThreadPoolExecutor(self._most[system], f"calls of {system}")
        return self._pools[system]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The ``Together`` of one system."""

    side_by_side: SideBySide
    system: str

    @property
    def at_once(self) -> int:
        return self.side_by_side.most(self.system)

    def __call__(self, calls: Sequence[Callable[[], R]], /) -> list[R]:
        found: list[R] = []
        for some in self._portions(calls):
            found += results(self.side_by_side.ask(self.system, "reading", some))
        return found

    def _portions(self, calls: Sequence[Callable[[], R]]) -> Iterator[Sequence[Callable[[], R]]]:
        """All at once, of which the pool makes as many at a time as are allowed; after a failure one call first."""
        if self.at_once == 1:
            yield from ([call] for call in calls)
        elif self.side_by_side.has_answered(self.system, "reading"):
            yield calls
        else:
            yield from (some for some in (calls[:1], calls[1:]) if some)


def calls_under_way() -> bool:
    """Whether a wave was left before its calls had ended: an exception, in the thread that waited for them."""
    return any(not call.done() for call in _UNDER_WAY)


def results(answers: Sequence[R | TruceError]) -> list[R]:
    """What the calls of a wave returned. Raises the first error among them."""
    found: list[R] = []
    for answer in answers:
        if isinstance(answer, TruceError):
            raise answer
        found.append(answer)
    return found


def _answer(call: Callable[[], R]) -> R | TruceError:
    try:
        return call()
    except TruceError as error:
        return error
