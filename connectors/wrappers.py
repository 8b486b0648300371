"""Connectors around a connector: one that never writes, one that only pretends, one that keeps the pace, one that
takes notes. Each keeps the port's promises itself, so they stack in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from agent.connector import (
    Capabilities,
    Connector,
    Identity,
    IsKnown,
    ObjectSchema,
    Page,
    Window,
    Write,
    WriteError,
    WriteOutcome,
    nothing_known,
)
from agent.errors import AccessDenied, TruceError, Unavailable
from agent.records import Owner, Readout, Record, Ref


class _Around:
    """Passes every call on; what follows changes single calls."""

    def __init__(self, inner: Connector) -> None:
        self.inner = inner

    @property
    def system(self) -> str:
        return self.inner.system

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def identity(self) -> Identity:
        return self.inner.identity()

    def now(self) -> datetime:
        return self.inner.now()

    def schema(self, object_type: str) -> ObjectSchema:
        return self.inner.schema(object_type)

    def owners(self) -> list[Owner]:
        return self.inner.owners()

    def changed(
        self, object_type: str, fields: Sequence[str], window: Window, is_known: IsKnown = nothing_known
    ) -> Iterator[Page]:
        return self.inner.changed(object_type, fields, window, is_known)

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        return self.inner.read(refs, fields)

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        return self.inner.find(object_type, key, value, fields)

    def editors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], str]:
        return self.inner.editors(cells)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        return self.inner.write(writes)

    def close(self) -> None:
        self.inner.close()


class ReadOnly(_Around):
    """No write gets through, whoever asks: for looking around before anybody has allowed writing."""

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Raises AccessDenied before anything is sent."""
        raise AccessDenied(
            f"{self.system} is connected for reading only",
            system=self.system,
            why=f"{len(writes)} writes were stopped before they left",
            next_step="truce go-live POLICY",
        )


class DryRun(_Around):
    """Every write is refused with the code DRY_RUN and kept in ``would_write``.

    Refused and not "applied": the ledger must never say that something was written which was not.
    """

    def __init__(self, inner: Connector) -> None:
        super().__init__(inner)
        self.would_write: list[Write] = []

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        self.would_write += writes
        error = WriteError("other", "DRY_RUN", "a dry run: nothing was sent")
        return [WriteOutcome(write.entry_id, "rejected", write.record_id, error=error) for write in writes]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast calls may follow each other, and how long to leave a failing vendor alone (all seconds).

    After a failure the pause is what the vendor asked for, else ``first_pause`` doubled per failure in a row.
    """

    calls_per_second: float = 10.0
    burst: int = 20
    first_pause: float = 5.0
    longest_pause: float = 300.0


class Throttled(_Around):
    """Spaces calls out, and while a vendor is down or says "too much" answers Unavailable without asking it.

    ``clock`` is monotonic seconds, ``sleep`` waits that many. For one thread.
    """

    def __init__(
        self,
        inner: Connector,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        pace: Pace | None = None,
    ) -> None:
        super().__init__(inner)
        self._clock = clock
        self._sleep = sleep
        self._pace = pace or Pace()
        self._tokens = float(self._pace.burst)
        self._filled_at = clock()
        self._failures = 0
        self._closed_until = 0.0

    def identity(self) -> Identity:
        with self._turn():
            return self.inner.identity()

    def now(self) -> datetime:
        with self._turn():
            return self.inner.now()

    def schema(self, object_type: str) -> ObjectSchema:
        with self._turn():
            return self.inner.schema(object_type)

    def owners(self) -> list[Owner]:
        with self._turn():
            return self.inner.owners()

    def changed(
        self, object_type: str, fields: Sequence[str], window: Window, is_known: IsKnown = nothing_known
    ) -> Iterator[Page]:
        """Every page is a call of its own."""
        pages = iter(self.inner.changed(object_type, fields, window, is_known))
        while True:
            with self._turn():
                page = next(pages, None)
            if page is None:
                return
            yield page

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        with self._turn():
            return self.inner.read(refs, fields)

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        with self._turn():
            return self.inner.find(object_type, key, value, fields)

    def editors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], str]:
        with self._turn():
            return self.inner.editors(cells)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        failures = self._failures
        with self._turn():
            outcomes = self.inner.write(writes)
        if outcomes and all(_is_throttled(outcome) for outcome in outcomes):
            self._failures = failures  # an answer, but not a success
            self._leave_alone(None)
        return outcomes

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._check_open()
        self._take_token()
        try:
            yield
        except Unavailable as error:
            self._leave_alone(error.retry_after)
            raise
        self._failures = 0

    def _check_open(self) -> None:
        left = self._closed_until - self._clock()
        if left > 0:
            raise Unavailable(
                f"{self.system} is left alone for a while",
                system=self.system,
                retry_after=left,
                why=f"it failed {self._failures} times in a row; the next try is in {left:.0f} seconds",
            )

    def _take_token(self) -> None:
        pace = self._pace
        now = self._clock()
        self._tokens = min(pace.burst, self._tokens + (now - self._filled_at) * pace.calls_per_second)
        self._filled_at = now
        if self._tokens < 1:
            wait = (1 - self._tokens) / pace.calls_per_second
            self._sleep(wait)
            self._tokens += wait * pace.calls_per_second
            self._filled_at = now + wait
        self._tokens -= 1

    def _leave_alone(self, asked: float | None) -> None:
        self._failures += 1
        doubled = self._pace.first_pause * 2 ** min(self._failures - 1, 30)
        pause = asked if asked is not None else min(self._pace.longest_pause, doubled)
        self._closed_until = self._clock() + pause


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the port as ``Recorded`` notes it: never a value, only how much of what.

    ``answers`` counts items by the name of their kind, writes by status, or names the error raised.
    """

    method: str
    object_type: str = ""
    asked: int = 0
    answers: dict[str, int] = field(default_factory=dict)


class Recorded(_Around):
    """Notes every call and what came of it; ``note`` is called once per call, after it ended."""

    def __init__(self, inner: Connector, note: Callable[[Call], None]) -> None:
        super().__init__(inner)
        self._note = note

    def identity(self) -> Identity:
        with self._noted("identity"):
            return self.inner.identity()

    def now(self) -> datetime:
        with self._noted("now"):
            return self.inner.now()

    def schema(self, object_type: str) -> ObjectSchema:
        with self._noted("schema", object_type):
            return self.inner.schema(object_type)

    def owners(self) -> list[Owner]:
        with self._noted("owners") as answers:
            owners = self.inner.owners()
            answers["Owner"] = len(owners)
        return owners

    def changed(
        self, object_type: str, fields: Sequence[str], window: Window, is_known: IsKnown = nothing_known
    ) -> Iterator[Page]:
        with self._noted("changed", object_type) as answers:
            for page in self.inner.changed(object_type, fields, window, is_known):
                answers.update(type(item).__name__ for item in page.items)
                yield page

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        object_type = refs[0].object_type if refs else ""
        with self._noted("read", object_type, len(refs)) as answers:
            readouts = self.inner.read(refs, fields)
            answers.update(type(readout).__name__ for readout in readouts)
        return readouts

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        with self._noted("find", object_type, 1) as answers:
            records = self.inner.find(object_type, key, value, fields)
            answers["Record"] = len(records)
        return records

    def editors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], str]:
        with self._noted("editors", asked=len(cells)):
            return self.inner.editors(cells)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        object_type = writes[0].object_type if writes else ""
        with self._noted("write", object_type, len(writes)) as answers:
            outcomes = self.inner.write(writes)
            answers.update(outcome.status for outcome in outcomes)
        return outcomes

    @contextmanager
    def _noted(self, method: str, object_type: str = "", asked: int = 0) -> Iterator[Counter[str]]:
        answers: Counter[str] = Counter()
        try:
            yield answers
        except TruceError as error:
            answers[type(error).__name__] += 1
            raise
        finally:
            self._note(Call(method, object_type, asked, dict(answers)))


def _is_throttled(outcome: WriteOutcome) -> bool:
    return outcome.error is not None and outcome.error.kind == "throttled"
