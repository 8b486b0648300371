"""Bulk jobs that a vendor works on: which entries each one carries, noted before anything is uploaded.

A job's id is all that a later process needs to learn what became of its entries; the row goes once they are settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.store import to_micros
from agent.stored_json import from_json, to_json

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class BulkJob:
    """``id`` is the vendor's."""

    id: str
    system: str
    entry_ids: tuple[str, ...]


class BulkJobs:
    """The jobs whose entries are not all settled yet."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, job: BulkJob) -> None:
        """Durable before this returns."""
        with self._ledger.store.write() as connection:
            connection.execute(
                "INSERT INTO bulk_jobs (job, system, entries, noted_at) VALUES (?, ?, ?, ?)",
                (job.id, job.system, to_json(job.entry_ids).decode(), to_micros(self._ledger.clock())),
            )

    def end(self, job: BulkJob) -> None:
        """What became of its entries is recorded."""
        with self._ledger.store.write() as connection:
            connection.execute("DELETE FROM bulk_jobs WHERE system = ? AND job = ?", (job.system, job.id))

    def open(self) -> Sequence[BulkJob]:
        """Oldest first."""
        rows = self._ledger.store.read_tuples("SELECT job, system, entries FROM bulk_jobs ORDER BY noted_at, job")
        return [BulkJob(job, system, tuple(from_json(entries))) for job, system, entries in rows]
