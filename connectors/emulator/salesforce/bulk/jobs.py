"""The jobs of one org: what each is about, how far it got, what ``GET`` tells of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.emulator.salesforce.bulk import csv_text
from connectors.emulator.salesforce.bulk.kept import Kept
from connectors.emulator.salesforce.cursors import Cursor
from connectors.emulator.salesforce.stamps import wire
from connectors.emulator.world import Transaction

OPEN, UPLOADED, RUNNING = "Open", "UploadComplete", "InProgress"
COMPLETE, FAILED, ABORTED = "JobComplete", "Failed", "Aborted"
ENDED = (COMPLETE, FAILED, ABORTED)

ROWS_MEASURED = 10_000
"""Rows made into text at a time."""

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Result:
    """What a query job found; its cells are made page by page, as everything was when the job ran. ``types`` are
    describe's, column by column."""

    columns: Cells
    types: list[str]
    cursor: Cursor
    cells: Callable[[dict[str, Any]], Cells]

    def __len__(self) -> int:
        return len(self.cursor.rows)

    def page(self, start: int, end: int) -> list[Cells]:
        return [self.cells(record) for record in self.cursor.records(start, end)]


@dataclass(slots=True)
class Job:
    """``columns`` and ``rows`` are the upload, ``done`` counts the rows tried; ``result`` is that of a query."""

    id: str
    is_query: bool
    operation: str
    object_name: str
    version: str
    user_id: str
    created_at: datetime
    delimiter: str
    line_ending: str
    state: str
    external_id: str | None = None
    assignment_rule: str | None = None
    query: str = ""
    result: Result | None = None
    uploads: list[bytes] = field(default_factory=list)
    closed_at: datetime | None = None
    changed_at: datetime | None = None
    error: str | None = None
    columns: Cells = field(default_factory=list)
    rows: list[Cells] = field(default_factory=list)
    done: int = 0
    succeeded: list[tuple[str, bool, Cells]] = field(default_factory=list)
    """(record id, created, the uploaded row)"""
    failed: list[tuple[str, str, Cells]] = field(default_factory=list)
    """(record id or nothing, error, the uploaded row)"""
    seen: set[str] = field(default_factory=set)
    _result_bytes: int | None = None

    def result_bytes(self) -> int:
        """How large the result of a query is as CSV, one header for all of it; measured when first asked for."""
        if self._result_bytes is None and self.result is not None:
            starts = range(0, len(self.result), ROWS_MEASURED)
            parts = (self.result.page(start, start + ROWS_MEASURED) for start in starts)
            header = csv_text.write(self.result.columns, [], self.delimiter, self.line_ending)
            bodies = (csv_text.write(part[0], part[1:], self.delimiter, self.line_ending) for part in parts)
            self._result_bytes = len(header.encode()) + sum(len(body.encode()) for body in bodies)
        return self._result_bytes or 0

    def move(self, state: str, at: datetime) -> None:
        self.state = state
        self.changed_at = at

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def summary(self) -> dict[str, Any]:
        """What creating, closing and aborting answer, and the list of jobs."""
        found: dict[str, Any] = {
            "id": self.id,
            "operation": self.operation,
            "object": self.object_name,
            "createdById": self.user_id,
            "createdDate": wire(self.created_at),
            "systemModstamp": wire(self.changed_at or self.created_at),
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version.removeprefix("v")),
        }
        if self.external_id:
            found["externalIdFieldName"] = self.external_id
        if self.assignment_rule:
            found["assignmentRuleId"] = self.assignment_rule
        if self.state == OPEN:
            found["contentUrl"] = f"services/data/{self.version}/jobs/ingest/{self.id}/batches"
        found.update(lineEnding=self.line_ending, columnDelimiter=self.delimiter)
        return found

    def details(self) -> dict[str, Any]:
        """What ``GET`` of one job answers: failed rows are among the processed ones."""
        spent = 0
        if self.closed_at is not None and self.changed_at is not None:
            spent = int((self.changed_at - self.closed_at).total_seconds() * 1000)
        found = {
            **self.summary(),
            "jobType": "V2Query" if self.is_query else "V2Ingest",
            "retries": 0,
            "totalProcessingTime": spent,
            "numberRecordsProcessed": self.done if self.result is None else len(self.result),
        }
        if not self.is_query:
            found.update(numberRecordsFailed=len(self.failed), apiActiveProcessingTime=spent, apexProcessingTime=0)
        if self.error:
            found["errorMessage"] = self.error
        return found


class Jobs(Kept[Job]):
    def find(self, job_id: str, *, is_query: bool, now: datetime) -> Job | None:
        found = self.by_id(job_id, now)
        return found if found is not None and found.is_query == is_query else None

    def all(self, *, is_query: bool) -> list[Job]:
        return [job for job in self if job.is_query == is_query]

    def remember(self, transaction: Transaction) -> None:
        """How rows looked before this change, for the results of query jobs."""
        for job in self:
            if job.result is not None:
                job.result.cursor.remember(transaction)

    def at_work(self) -> list[Job]:
        return [job for job in self if job.state in (UPLOADED, RUNNING)]
