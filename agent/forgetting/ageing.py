"""Values are kept for a time only (``run.keep_values_days``): long enough to explain and to undo."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.forgetting.forgetting import BY_ITSELF
from agent.installation import Installation
from agent.ledger.erasure import Erasure


def let_go(installation: Installation) -> int:
    """Erase what is older than that from the ledger. Returns of how many entries."""
    kept = installation.config.run.keep_values_days
    if kept is None:
        return 0
    return Erasure(installation.ledger).expire(installation.clock() - timedelta(days=kept), BY_ITSELF)


def kept_until(installation: Installation, written_at: datetime) -> datetime | None:
    """When the values of what was written then are erased; None: never."""
    kept = installation.config.run.keep_values_days
    return None if kept is None else written_at + timedelta(days=kept)
