"""Connectors around a connector: one that never writes, one that only pretends, one that takes notes.
Each keeps the port's promises itself, so they stack in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from agent.connector import (
    Allowance,
    Capabilities,
    Connector,
    FullCopy,
    Gate,
    Identity,
    Known,
    ObjectSchema,
    Page,
    Window,
    Write,
    WriteError,
    WriteOutcome,
    nothing_known,
)
from agent.errors import AccessDenied, TruceError
from agent.records import Gone, MergedInto, Owner, Readout, Record, Ref, Unreadable
from agent.together import IN_TURN, Together
from agent.versions import Author, Landed, Version


class Around:
    """Passes every call on; what follows changes single calls."""

    def __init__(self, inner: Connector) -> None:
        self.inner = inner

    @property
    def system(self) -> str:
        return self.inner.system

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def allowances(self) -> Mapping[str, Allowance]:
        return self.inner.allowances()

    def granted(self) -> frozenset[str] | None:
        return self.inner.granted()

    def use_gate(self, gate: Gate) -> None:
        self.inner.use_gate(gate)

    def identity(self) -> Identity:
        return self.inner.identity()

    def now(self) -> datetime:
        return self.inner.now()

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        return self.inner.schema(object_type, seen_within)

    def owners(self) -> list[Owner]:
        return self.inner.owners()

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        return self.inner.changed(object_type, fields, window, known, together)

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        return self.inner.read(refs, fields)

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        return self.inner.find(object_type, key, value, fields)

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        return self.inner.authors(cells)

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        return self.inner.stood_before(landed)

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        return self.inner.full_copy(ref)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        return self.inner.write(writes)

    def bulk_fit(self, writes: Sequence[Write]) -> frozenset[str]:
        return self.inner.bulk_fit(writes)

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        return self.inner.start_bulk(writes, note)

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        return self.inner.harvest(job, writes)

    def close(self) -> None:
        self.inner.close()


class ReadOnly(Around):
    """No write gets through, whoever asks: for looking around before anybody has allowed writing."""

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Raises AccessDenied before anything is sent."""
        raise AccessDenied(
            f"{self.system} is connected for reading only",
            system=self.system,
            why=f"{len(writes)} writes were stopped before they left",
            next_step="truce go-live POLICY",
        )

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        """Raises AccessDenied before anything is sent."""
        return self.write(writes)


class DryRun(Around):
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

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        return self.write(writes)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the port as ``Recorded`` notes it: never a value, only how much of what.

    ``answers`` counts items by the name of their kind, writes by status, or names the error raised.
    """

    method: str
    object_type: str = ""
    asked: int = 0
    answers: dict[str, int] = field(default_factory=dict)


class Recorded(Around):
    """Notes every call and what came of it; ``note`` is called once per call, after it ended."""

    def __init__(self, inner: Connector, note: Callable[[Call], None]) -> None:
        super().__init__(inner)
        self._note = note

    def identity(self) -> Identity:
        with self._noted("identity"):
            return self.inner.identity()

    def allowances(self) -> Mapping[str, Allowance]:
        with self._noted("allowances") as answers:
            found = self.inner.allowances()
            answers["Allowance"] = len(found)
        return found

    def now(self) -> datetime:
        with self._noted("now"):
            return self.inner.now()

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        with self._noted("schema", object_type):
            return self.inner.schema(object_type, seen_within)

    def owners(self) -> list[Owner]:
        with self._noted("owners") as answers:
            owners = self.inner.owners()
            answers["Owner"] = len(owners)
        return owners

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        with self._noted("changed", object_type) as answers:
            for page in self.inner.changed(object_type, fields, window, known, together):
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

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        with self._noted("authors", asked=len(cells)):
            return self.inner.authors(cells)

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        with self._noted("stood_before", asked=len(landed)):
            return self.inner.stood_before(landed)

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        with self._noted("full_copy", ref.object_type, 1) as answers:
            found = self.inner.full_copy(ref)
            answers[type(found).__name__] += 1
        return found

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        object_type = writes[0].object_type if writes else ""
        with self._noted("write", object_type, len(writes)) as answers:
            outcomes = self.inner.write(writes)
            answers.update(outcome.status for outcome in outcomes)
        return outcomes

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        object_type = writes[0].object_type if writes else ""
        with self._noted("start_bulk", object_type, len(writes)) as answers:
            outcomes = self.inner.start_bulk(writes, note)
            answers.update(outcome.status for outcome in outcomes)
        return outcomes

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        object_type = writes[0].object_type if writes else ""
        with self._noted("harvest", object_type, len(writes)) as answers:
            outcomes = self.inner.harvest(job, writes)
            answers.update(outcome.status for outcome in outcomes or ())
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
