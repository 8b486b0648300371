"""How the daemon is, for those who look from outside: one small private file, replaced whole.

It is a note, not state: nothing is decided from it except when the next daily comparison is due. Whether a daemon
runs at all is told by the writer lock, never by this file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agent.daemon.breaker import Breaker
from agent.errors import UsageError
from agent.private_files import require_private, write_private_file

FILE = "daemon.json"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Policies that were not taken over. ``problems``: file, line, column and message of each mistake."""

    since: datetime
    what: str
    problems: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, error: UsageError, since: datetime) -> Trouble:
        listed = [asdict(problem) for problem in getattr(error, "problems", ())]
        return cls(since, error.what, tuple({name: each[name] for name in _TOLD} for each in listed))


_TOLD = ("file", "line", "column", "message", "advice")


@dataclass(frozen=True, slots=True)
class LastCycle:
    """What the last whole cycle came to."""

    ended_at: datetime
    seconds: float
    pulled: int
    changed: int
    written: int
    failed: int
    unknown: int
    held: tuple[str, ...]


@dataclass(slots=True)
class Health:
    """``doing`` is ``starting``, ``cycle``, ``waiting`` or ``stopped``."""

    pid: int
    started_at: datetime
    doing: str = "starting"
    ready: bool = False
    last_cycle: LastCycle | None = None
    next_cycle_at: datetime | None = None
    breaker: Breaker = field(default_factory=Breaker)
    revision: str = ""
    policy_trouble: Trouble | None = None
    config_changed: bool = False
    swept_at: datetime | None = None
    sparing_seconds: int | None = None
    """Seconds between two cycles while they are further apart than configured, so that the day's calls last."""


_HEALTH = TypeAdapter(Health)


def as_document(noted: Health) -> dict[str, Any]:
    """For ``status --json``."""
    document: dict[str, Any] = _HEALTH.dump_python(noted, mode="json")
    return document


def note(folder: Path, health: Health) -> None:
    """Replace the note. A full disk is told by the ledger, not by this."""
    with contextlib.suppress(OSError):
        write_private_file(folder / FILE, _HEALTH.dump_json(health))


def read(folder: Path) -> Health | None:
    """The last note, or None when there is none that can be read."""
    path = folder / FILE
    with contextlib.suppress(FileNotFoundError, ValidationError):
        require_private(path)
        return _HEALTH.validate_json(path.read_bytes())
    return None


def state_of(noted: Health | None, holder: Mapping[str, Any] | None) -> str:
    """``starting``, ``working``, ``waiting``, ``pausing`` (something failed), ``stopped``, ``ended unexpectedly``, or
    ``none`` when no daemon was ever started here."""
    if noted is None:
        return "none"
    if holder is None or holder.get("pid") != noted.pid:
        return "stopped" if noted.doing == "stopped" else "ended unexpectedly"
    if noted.breaker.is_open:
        return "pausing"
    if noted.doing in ("starting", "waiting"):
        return noted.doing
    return "working"
