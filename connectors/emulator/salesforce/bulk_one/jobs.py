"""Jobs and batches of Bulk API 1.0, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce.bulk.jobs import Result
from connectors.emulator.salesforce.bulk.kept import Kept
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.stamps import wire
from connectors.emulator.world import Transaction

OPEN, CLOSED, ABORTED = "Open", "Closed", "Aborted"
QUEUED, COMPLETED, FAILED, NOT_PROCESSED = "Queued", "Completed", "Failed", "NotProcessed"
QUERIES = ("query", "queryAll")


@dataclass(frozen=True, slots=True)
class Chunking:
    """``size`` is that of a range of ids; ``start`` is the id of the first row wanted, if not all are."""

    size: int
    start: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row, in the order they were sent. ``refusal`` is None for one that was saved."""

    record_id: str
    created: bool
    refusal: Refusal | None = None


@dataclass(slots=True)
class Batch:
    """``request`` is what the caller sent; ``outcomes`` are those of a write, ``result`` is that of a query;
    ``message`` says why a batch failed as a whole."""

    id: str
    job_id: str
    created_at: datetime
    request: str
    state: str = QUEUED
    changed_at: datetime | None = None
    message: str | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    result: Result | None = None
    result_id: str = ""
    is_chunk: bool = False

    def end(self, state: str, at: datetime, message: str | None = None) -> None:
        self.state, self.changed_at, self.message = state, at, message

    @property
    def processed(self) -> int:
        return len(self.result) if self.result is not None else len(self.outcomes)

    @property
    def failed(self) -> int:
        return sum(outcome.refusal is not None for outcome in self.outcomes)

    def info(self) -> dict[str, Any]:
        message = {"stateMessage": self.message} if self.message else {}
        return {
            "id": self.id,
            "jobId": self.job_id,
            "state": self.state,
            **message,
            "createdDate": told(self.created_at),
            "systemModstamp": told(self.changed_at or self.created_at),
            "numberRecordsProcessed": self.processed,
            "numberRecordsFailed": self.failed,
            "totalProcessingTime": 0,
            "apiActiveProcessingTime": 0,
            "apexProcessingTime": 0,
        }


@dataclass(slots=True)
class Job:
    """``content_type`` is the form of its batches and of what is told of them: JSON, CSV or XML."""

    id: str
    operation: str
    object_name: str
    content_type: str
    concurrency: str
    version: str
    user_id: str
    created_at: datetime
    external_id: str | None = None
    assignment_rule: str | None = None
    chunking: Chunking | None = None
    state: str = OPEN
    changed_at: datetime | None = None
    batches: dict[str, Batch] = field(default_factory=dict)

    @property
    def is_query(self) -> bool:
        return self.operation in QUERIES

    def move(self, state: str, at: datetime) -> None:
        self.state, self.changed_at = state, at

    def info(self) -> dict[str, Any]:
        batches = list(self.batches.values())
        counts = {state: sum(batch.state == state for batch in batches) for state in (QUEUED, COMPLETED, FAILED)}
        named = {"externalIdFieldName": self.external_id} if self.external_id else {}
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.object_name,
            "createdById": self.user_id,
            "createdDate": told(self.created_at),
            "systemModstamp": told(self.changed_at or self.created_at),
            "state": self.state,
            **named,
            "concurrencyMode": self.concurrency,
            "contentType": self.content_type,
            "numberBatchesQueued": counts[QUEUED],
            "numberBatchesInProgress": 0,
            "numberBatchesCompleted": counts[COMPLETED],
            "numberBatchesFailed": counts[FAILED],
            "numberBatchesTotal": len(batches),
            "numberRecordsProcessed": sum(batch.processed for batch in batches),
            "numberRetries": 0,
            "apiVersion": float(self.version),
            "numberRecordsFailed": sum(batch.failed for batch in batches),
            "totalProcessingTime": 0,
            "apiActiveProcessingTime": 0,
            "apexProcessingTime": 0,
        }


class Jobs(Kept[Job]):
    def queued(self) -> Iterator[tuple[Job, Batch]]:
        for job in self:
            for batch in job.batches.values():
                if batch.state == QUEUED:
                    yield job, batch

    def remember(self, transaction: Transaction) -> None:
        """How rows looked before this change, for the results of queries."""
        for job in self:
            for batch in job.batches.values():
                if batch.result is not None:
                    batch.result.cursor.remember(transaction)


def told(moment: datetime) -> str:
    return wire(moment).replace("+0000", "Z")
