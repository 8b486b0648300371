"""What the daemon does once a day: compare every record's id and version, for what a change query missed; let go of old
values."""

from __future__ import annotations

import structlog

from agent import cycle
from agent.errors import HeldBack
from agent.forgetting import ageing
from agent.installation import Installation

log = structlog.get_logger("truce")


def is_done(installation: Installation) -> bool:
    """Do it. False when it has to wait because the calls left today are kept for what is more urgent.

    Raises:
        HeldBack: not even a cycle has calls left.
    """
    if installation.calls.is_held_back("sweep"):
        return False
    try:
        cycle.pull_all(installation, sweep=True)
    except HeldBack as held:
        installation.calls.require(held.system)
        log.info("the daily comparison waits", what=held.what, why=held.why)
        return False
    erased = ageing.let_go(installation)
    if erased:
        log.info("old values erased", entries=erased)
    return True
