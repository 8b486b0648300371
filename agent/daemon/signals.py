"""Signals as something to wait for: a handler that does nothing but wake whoever waits.

Python runs handlers between two instructions of the main thread; one that takes a lock there (``Event.set`` does) can
meet the very lock it interrupted. So the number of the signal travels through a pipe and is acted on by plain code.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

LONGEST_READ = 1


class Signals:
    """Inside the ``with``, these signals do nothing by themselves and ``wait`` tells of them, in order.

    Only for the main thread.
    """

    def __init__(self, numbers: Sequence[int] = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)) -> None:
        self._numbers = tuple(numbers)
        self._previous: dict[int, Any] = {}
        self._reader = self._writer = -1
        self._wakeup_before = -1

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, _leave_to_the_pipe) for number in self._numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> int | None:
        """The next signal's number, or None when none came in that time."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        return os.read(self._reader, LONGEST_READ)[0] if ready else None


def _leave_to_the_pipe(number: int, frame: FrameType | None) -> None:
    """The number is in the pipe already."""
