"""Jobs of either bulk API: kept for seven days, in memory. A restart of the emulator forgets them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

LIFE = timedelta(days=7)


class Aging(Protocol):
    id: str
    created_at: datetime


J = TypeVar("J", bound=Aging)


class Kept(Generic[J]):
    def __init__(self) -> None:
        self._jobs: dict[str, J] = {}

    def __iter__(self) -> Iterator[J]:
        return iter(self._jobs.values())

    def add(self, job: J) -> None:
        for old in [each.id for each in self if job.created_at - each.created_at > LIFE]:
            del self._jobs[old]
        self._jobs[job.id] = job

    def by_id(self, job_id: str, now: datetime) -> J | None:
        """By its 15- or 18-character id."""
        found = self._jobs.get(job_id) or next((job for job in self if job.id[:15] == job_id), None)
        return None if found is None or now - found.created_at > LIFE else found

    def remove(self, job: J) -> None:
        self._jobs.pop(job.id, None)
