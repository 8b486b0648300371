"""The ceiling over every policy: watch, ask or act. No policy may do more than it, whatever its own line says.

Two people can set it: whoever edits ``run.mode`` in the config, and whoever says ``truce mode``. The later word counts,
so each word of ``truce mode`` remembers what the config said at that moment: a config that says something else since
has been edited since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from agent.changes import Mode
from agent.ledger.ledger import Ledger

MODES: tuple[Mode, ...] = get_args(Mode)
"""From doing least to doing most."""

_KIND = "mode set"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """``set_by`` and ``set_at`` are None while only the config has said something."""

    mode: Mode
    set_by: str | None = None
    set_at: datetime | None = None


def ceiling(ledger: Ledger, configured: Mode) -> Ceiling:
    """What is in force: the last word of ``truce mode``, unless the config was edited after it."""
    words = ledger.events(kind=_KIND, limit=1)
    if not words or words[0].body.get("config", configured) != configured:
        return Ceiling(configured)
    said = next(mode for mode in MODES if mode == words[0].subject)
    return Ceiling(said, words[0].actor, words[0].at)


def set_ceiling(ledger: Ledger, mode: Mode, configured: Mode, person: str) -> None:
    """Remember who set it, and what the config said then."""
    ledger.record_event(_KIND, mode, person, {"config": configured})


def is_raised(before: Mode, after: Mode) -> bool:
    """Whether more may be written than before."""
    return MODES.index(after) > MODES.index(before)
