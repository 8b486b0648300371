"""What the daemon does once a day: let go of old values; compare every record's id and version, for what a change query
missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from agent import cycle
from agent.errors import HeldBack
from agent.forgetting import ageing
from agent.installation import Installation

log = structlog.get_logger("truce")


@dataclass(slots=True)
class Daily:
    """Two kinds of work: letting go needs no vendor, so it waits for nobody."""

    installation: Installation
    let_go_at: datetime | None = None

    def do(self, swept_at: datetime | None) -> datetime | None:
        """Do what is due. Takes and returns when the records were last compared.

        Raises:
            ConnectorError: they could not be compared; HeldBack only if not even a cycle has calls left.
        """
        now = self.installation.clock()
        if self._is_due(self.let_go_at, now):
            self._let_go()
            self.let_go_at = now
        return now if self._is_due(swept_at, now) and self._compares() else swept_at

    def _is_due(self, last: datetime | None, now: datetime) -> bool:
        """A clock that was put back makes it due, too."""
        pause = timedelta(hours=self.installation.config.run.sweep_hours)
        return last is None or not timedelta() <= now - last < pause

    def _let_go(self) -> None:
        erased = ageing.let_go(self.installation)
        if erased:
            log.info("old values erased", entries=erased)

    def _compares(self) -> bool:
        """Whether it could be done; it waits while the calls left today are kept for what is more urgent."""
        if self.installation.calls.is_held_back("sweep"):
            return False
        try:
            cycle.pull_all(self.installation, sweep=True)
        except HeldBack as held:
            self.installation.calls.require(held.system)
            log.info("the daily comparison waits", what=held.what, why=held.why)
            return False
        return True
