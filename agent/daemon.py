"""The daemon: one writer, one cycle after the other, orders from the queue in between, a graceful stop.

APScheduler runs the jobs on one worker thread, so that a cycle and an order never overlap. Its defaults are not ours:
a job late by a second would be dropped (``misfire_grace_time``), and jobs missed while the machine slept would all run
at once (``coalesce``). State lives in the ledger, never in the scheduler.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from agent import apply, cycle
from agent.errors import (
    ConnectorError,
    Interrupted,
    PolicyError,
    Refused,
    StorageFull,
    TruceError,
    UsageError,
)
from agent.installation import Installation
from agent.orders import ORDERS

log = structlog.get_logger("truce")

LOOK_FOR_ORDERS_SECONDS = 1
CLOCK_JUMP_SECONDS = 120.0
"""A wall clock set back leaves interval jobs waiting for the old time; beyond this they are armed anew."""

Reload = Callable[[Installation], bool]


@dataclass(slots=True)
class Daemon:
    """Runs until asked to stop. ``reload`` swaps in changed policies; ``heartbeat`` tells a supervisor of progress."""

    installation: Installation
    reload: Reload
    heartbeat: Callable[[str], None] = lambda state: None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _busy: threading.Lock = field(default_factory=threading.Lock)
    _swept_at: datetime | None = None
    _failure: BaseException | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises:
            StorageFull: the ledger cannot be written. LedgerDamaged and other faults that need a person.
        """
        self.installation.stop = self._should_pause
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        scheduler = self._scheduler()
        scheduler.start()
        log.info("started", every_seconds=self.installation.config.run.every_seconds, mode=self.installation.mode)
        self.heartbeat("READY=1")
        try:
            self._watch_clock(scheduler)
        finally:
            scheduler.shutdown(wait=True)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self.heartbeat("STOPPING=1")
            log.info("stopped")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ask the daemon to stop after the chunk it is writing."""
        self._stopping.set()

    def work_once(self) -> cycle.CycleReport | None:
        """Orders first, then one cycle. Vendor trouble is logged and tried again at the next turn."""
        self._orders()
        self._reload_policies()
        try:
            report = cycle.run(self.installation)
        except Interrupted:
            return None
        except (ConnectorError, Refused) as error:
            log.warning("cycle stopped", what=error.what, why=error.why, next=error.next_step)
            self.installation.ledger.record_event("cycle stopped", type(error).__name__, "truce", {"what": error.what})
            return None
        log.info(
            "cycle",
            pulled=report.pulled,
            changed=report.changed,
            written=report.written,
            failed=report.failed,
            unknown=report.unknown,
            held=[batch.id for batch in report.held],
        )
        self._sweep()
        self.heartbeat("WATCHDOG=1")
        return report

    def _scheduler(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._arm(scheduler)
        return scheduler

    def _arm(self, scheduler: BackgroundScheduler) -> None:
        now = datetime.fromtimestamp(time.time(), UTC)
        every = self.installation.config.run.every_seconds
        scheduler.add_job(
            self._guarded, "interval", [self.work_once], id="cycle", seconds=every, next_run_time=now,
            replace_existing=True,
        )  # fmt: skip
        scheduler.add_job(
            self._guarded, "interval", [self._orders], id="orders", seconds=LOOK_FOR_ORDERS_SECONDS,
            replace_existing=True,
        )  # fmt: skip

    def _watch_clock(self, scheduler: BackgroundScheduler) -> None:
        """Wait for the stop; re-arm the jobs when the wall clock jumps against the monotonic one."""
        gap = time.time() - time.monotonic()
        while not self._stopping.wait(1.0):
            moved = time.time() - time.monotonic() - gap
            if abs(moved) > CLOCK_JUMP_SECONDS:
                log.warning("clock jumped", seconds=round(moved))
                gap += moved
                self._arm(scheduler)

    def _guarded(self, job: Callable[[], object]) -> None:
        """A job must not raise into the scheduler, which would only log it; what needs a person ends the daemon."""
        try:
            with self._busy:
                if not self._stopping.is_set():
                    job()
        except Interrupted:
            return
        except (StorageFull, TruceError) as error:
            log.error("cannot go on", what=error.what, why=error.why, next=error.next_step)
            self._failure = error
            self._stopping.set()
        except Exception as error:
            log.exception("our own mistake")
            self._failure = error
            self._stopping.set()

    def _orders(self) -> None:
        """Carry out what people queued, rollbacks first."""
        while not self._stopping.is_set():
            command = self.installation.commands.next()
            if command is None:
                return
            log.info("order", kind=command.kind, actor=command.actor)
            self.installation.stop = self._stopping.is_set
            try:
                self.installation.commands.finish(
                    command.id, self._carried_out(command.kind, command.body, command.actor)
                )
            finally:
                self.installation.stop = self._should_pause
            self.heartbeat("WATCHDOG=1")

    def _carried_out(self, kind: str, body: dict[str, Any], actor: str) -> dict[str, Any]:
        try:
            return ORDERS[kind](self.installation, body, actor, apply.silent)
        except StorageFull:
            raise
        except TruceError as error:
            return {
                "error": {
                    "kind": type(error).__name__,
                    "what": error.what,
                    "where": error.where,
                    "why": error.why,
                    "next": error.next_step,
                }
            }

    def _should_pause(self) -> bool:
        """A cycle gives way at the next chunk when it must stop or when somebody ordered an undo."""
        return self._stopping.is_set() or self.installation.commands.has("rollback", "pause")

    def _reload_policies(self) -> None:
        """A changed set is taken over whole; a broken one is logged and the last good set stays in force."""
        try:
            if self.reload(self.installation):
                log.info("policies changed", revision=self.installation.policies.policies.revision)
        except (PolicyError, UsageError) as error:
            problems = [str(problem) for problem in error.problems] if isinstance(error, PolicyError) else []
            log.error("policies not taken over; the last good set stays", what=error.what, problems=problems)

    def _sweep(self) -> None:
        """Once a day, look for deletions that a change query cannot show."""
        now = self.installation.clock()
        pause = timedelta(hours=self.installation.config.run.sweep_hours)
        if self._swept_at is not None and now - self._swept_at < pause:
            return
        cycle.pull_all(self.installation, sweep=True)
        self._swept_at = now

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop()
