"""The daemon: one writer, one cycle after the other, orders from the queue in between, a graceful stop.

APScheduler runs the jobs on one worker thread, so that a cycle and an order never overlap. Its defaults are not ours:
a job late by a second would be dropped (``misfire_grace_time``), and jobs missed while the machine slept would all run
at once (``coalesce``). State lives in the ledger, never in the scheduler.

The main thread only waits: for signals, and for a wall clock that jumps.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from agent import cycle, unsettled
from agent.daemon import health
from agent.daemon.breaker import Breaker
from agent.daemon.daily import Daily
from agent.daemon.health import Health, LastCycle, Trouble
from agent.errors import (
    Busy,
    Interrupted,
    LedgerDamaged,
    LedgerMissing,
    LockHeld,
    StorageFull,
    TruceError,
    Unavailable,
    UsageError,
)
from agent.installation import Installation
from agent.orders.desk import OrderDesk
from agent.policy_files.source import PolicySource

log = structlog.get_logger("truce")

GLANCE_SECONDS = 1
"""How often the daemon looks for orders and changed files between two cycles."""

CLOCK_JUMP_SECONDS = 120.0
"""A wall clock set back leaves interval jobs waiting for the old time; beyond this they are armed anew."""

LEAST_FREE_BYTES = 256 * 1024 * 1024
"""With less room on the disk no cycle begins: a batch must never run out of it half way."""

RESULTS_KEPT = timedelta(days=1)

ENDING = (LedgerDamaged, LedgerMissing, LockHeld)
"""What no waiting mends: somebody else writes, or the ledger is not what it was."""


class Waiting(Protocol):
    """What the main thread waits on: ``agent.daemon.signals.Signals``."""

    def wait(self, seconds: float) -> int | None: ...


def new_scheduler() -> BackgroundScheduler:
    """APScheduler as facts have it: one worker, one run for all that was missed, never dropped for being late."""
    return BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )


class Daemon:
    """Runs until asked to stop. ``heartbeat`` tells a supervisor of progress; ``seconds`` is a monotonic clock."""

    def __init__(
        self,
        installation: Installation,
        policies: PolicySource,
        *,
        seconds: Callable[[], float],
        scheduler: Any = None,
        heartbeat: Callable[[str], None] = lambda state: None,
        config_changed: Callable[[], bool] = lambda: False,
        free_bytes: Callable[[], int] = lambda: LEAST_FREE_BYTES,
        abandon: Callable[[], None] = lambda: None,
        pid: int = 0,
    ) -> None:
        self.installation = installation
        self.health = self._remembered(pid)
        self._daily = Daily(installation)
        self._policies = policies
        self._seconds = seconds
        self._scheduler = scheduler if scheduler is not None else new_scheduler()
        self._heartbeat = heartbeat
        self._config_changed = config_changed
        self._free_bytes = free_bytes
        self._abandon = abandon
        self._desk = OrderDesk(installation, self._read_policies, seconds, self._progress)
        self._desk_breaker = Breaker()
        self._stopping = threading.Event()
        self._reload = threading.Event()
        self._look_again = False
        self._busy = threading.Lock()
        self._failure: BaseException | None = None

    # --- the main thread ---

    def run(self, signals: Waiting) -> None:
        """Work until SIGTERM, SIGINT or ``stop``.

        Raises:
            LockHeld, LedgerDamaged, LedgerMissing: going on could do harm.
            UsageError: the policies are broken and there is no earlier set to go on with.
        """
        self.installation.stop = self._gives_way
        self._note("starting")
        self._arm()
        self._scheduler.start()
        log.info("started", every_seconds=self.installation.config.run.every_seconds, mode=self.installation.mode)
        self._heartbeat("READY=1")
        try:
            self._watch(signals)
        finally:
            self._wind_down(signals)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ask the daemon to stop after the chunk it is writing."""
        self._stopping.set()

    def _watch(self, signals: Waiting) -> None:
        """Wait for the stop; arm the jobs anew when the wall clock jumps against the monotonic one."""
        gap = self._wall_seconds() - self._seconds()
        while not self._stopping.is_set():
            number = signals.wait(1.0)
            if number in (signal.SIGTERM, signal.SIGINT):
                log.info("stopping", signal=signal.Signals(number).name)
                self.stop()
            elif number == signal.SIGHUP:
                log.info("asked to read the policies again")
                self._reload.set()
            moved = self._wall_seconds() - self._seconds() - gap
            if abs(moved) > CLOCK_JUMP_SECONDS:
                log.warning("clock jumped", seconds=round(moved))
                gap += moved
                self._arm()

    def _wind_down(self, signals: Waiting) -> None:
        """Let the worker finish its chunk; a second Ctrl-C does not wait for it."""
        self._heartbeat("STOPPING=1")
        self._scheduler.pause()
        while not self._busy.acquire(timeout=0.05):
            if signals.wait(0.05) == signal.SIGINT:
                log.warning("stopped at once", next="the next start settles what was under way")
                self._abandon()
        self._busy.release()
        self._scheduler.shutdown(wait=True)
        self._note("stopped")
        log.info("stopped")

    def _arm(self) -> None:
        now = datetime.fromtimestamp(self._wall_seconds(), UTC)
        every = self.installation.config.run.every_seconds
        for name, job, pause in (("cycle", self.turn, every), ("glance", self.glance, GLANCE_SECONDS)):
            self._scheduler.add_job(
                self._guarded, "interval", [job], id=name, seconds=pause, next_run_time=now, replace_existing=True
            )

    def _wall_seconds(self) -> float:
        return self.installation.clock().timestamp()

    # --- the worker ---

    def turn(self) -> None:
        """Orders, policies, one cycle; then say how it went and when the next one is due."""
        began_at, began = self.installation.clock(), self._seconds()
        self._note("cycle")
        try:
            with self.installation.calls.lane("cycle"):
                self._check_files()
                self._ask_whether_back()
                self._get_ready()
                self._serve()
                if self._look_again:
                    self._look_at_policies()
                report = self._cycle()
        except Interrupted:
            self._next_turn(self.installation.clock())
        except TruceError as error:
            self._failed(error)
        except Exception as error:
            log.exception("our own mistake")
            self._failed(error)
        else:
            self._succeeded(report, began_at, self._seconds() - began)

    def glance(self) -> None:
        """Between two cycles: orders, changed policy files, a sign of life."""
        self._progress()
        if self.health.ready and (self._reload.is_set() or self._policies.have_changed()):
            self._reload.clear()
            self._look_at_policies()
        if not self.health.config_changed and self._config_changed():
            self.health.config_changed = True
            self._note()
            log.warning("the config file changed", next="restart the daemon to take it over")
        self._serve_or_turn_away()

    def _guarded(self, job: Callable[[], object]) -> None:
        """A job must not raise into the scheduler, which would only log it; what needs a person ends the daemon."""
        with self._busy:
            if self._stopping.is_set():
                return
            try:
                job()
            except Interrupted:
                return
            except Exception as error:
                if not isinstance(error, TruceError):
                    log.exception("our own mistake")
                self._failure = error
                self._stopping.set()

    def _check_files(self) -> None:
        """SQLite would go on writing into a file that was deleted under it, and nobody would notice.

        Raises:
            LedgerMissing: the ledger is gone or another file. StorageFull: the disk is nearly full.
        """
        state = self.installation.config.state
        if not self.installation.ledger.store.is_same_file():
            raise LedgerMissing(
                "the ledger was deleted or replaced under the running daemon", where=str(state),
                next_step="truce ledger restore FILE",
            )  # fmt: skip
        free = self._free_bytes()
        if free < LEAST_FREE_BYTES:
            raise StorageFull(
                "the disk is nearly full, so nothing is begun", where=str(state),
                why=f"{free // 1024**2} MB are free, {LEAST_FREE_BYTES // 1024**2} MB are needed",
                next_step="free space on that disk",
            )  # fmt: skip

    def _get_ready(self) -> None:
        """Once, before anything else: policies to go by, and what a crash left open settled."""
        if self.health.ready:
            return
        self.installation.stop = self._stopping.is_set
        try:
            self._policies.take_first(self.installation)
            self._note_policies()
            recovery = cycle.recover(self.installation)
        finally:
            self.installation.stop = self._gives_way
        self.installation.commands.close_interrupted()
        self.health.ready = True
        log.info(
            "ready", confirmed=recovery.confirmed, not_applied=recovery.failed, still_unknown=recovery.still_unknown
        )

    def _cycle(self) -> cycle.CycleReport:
        self.installation.commands.forget_uncollected(self.installation.clock() - RESULTS_KEPT)
        self.installation.calls.begin_cycle()
        report = cycle.run(self.installation)
        self.health.swept_at = self._daily.do(self.health.swept_at)
        self.installation.calls.settle()
        return report

    def _ask_whether_back(self) -> None:
        """A vendor that failed is asked the cheapest question first: one request a try, however long it is down."""
        if self.health.breaker.system:
            self.installation.connectors[self.health.breaker.system].now()

    def _serve(self) -> None:
        """Raises Unavailable: an order met a vendor that is down, and who comes next need not ask it again."""
        if self._desk.serve(self._stopping.is_set):
            self._note_policies()

    def _serve_or_turn_away(self) -> None:
        if self._desk_breaker.until is not None and self.installation.clock() < self._desk_breaker.until:
            return
        try:
            if not self.installation.commands.has():
                return
            if self.health.ready and self.health.breaker.leaves_alone(self.installation.clock()):
                self._desk.serve_without_vendors(self._stopping.is_set, self._left_alone())
            elif self.health.ready:
                self._serve()
                self._next_turn(self.installation.clock())
            elif self.health.breaker.is_open:
                with self._policies.unchecked(self.installation):
                    self._desk.serve_without_vendors(self._stopping.is_set, self._not_ready())
        except Unavailable as error:
            self._failed(error)
        except TruceError as error:
            self._end_if_harmful(error)
            self._desk_breaker = self._desk_breaker.after(error, self.installation.clock())
            log.warning("orders wait", what=self._desk_breaker.what, why=self._desk_breaker.why)
        else:
            self._desk_breaker = Breaker()

    def _not_ready(self) -> TruceError:
        breaker = self.health.breaker
        return Unavailable(
            "the daemon could not start working yet, so it takes no such orders",
            system=breaker.system,
            why=breaker.what,
        )

    def _left_alone(self) -> TruceError:
        """No call while a breaker is open, whoever asks for it."""
        breaker = self.health.breaker
        until = breaker.until or self.installation.clock()
        spoken = until.astimezone(self.installation.zone)
        return Unavailable(
            f"{breaker.system} failed and is left alone until {spoken:%H:%M:%S %Z}; give the order again after that",
            system=breaker.system,
            retry_after=(until - self.installation.clock()).total_seconds(),
            why=breaker.what + (f": {breaker.why}" if breaker.why else ""),
        )

    # --- how it went ---

    def _succeeded(self, report: cycle.CycleReport, began_at: datetime, took: float) -> None:
        if self.health.breaker.is_open and not unsettled.has_lost(self.installation, self.health.breaker.system):
            log.info("works again", failures=self.health.breaker.failures)
            self._record("cycle works again", self.health.breaker)
            self.health.breaker = Breaker()
        held = tuple(batch.id for batch in report.held)
        self.health.last_cycle = LastCycle(
            self.installation.clock(), round(took, 3), report.pulled, report.changed, report.written, report.failed,
            report.unknown, held,
        )  # fmt: skip
        every = timedelta(seconds=self.installation.config.run.every_seconds)
        sparing = timedelta(seconds=round(self.installation.calls.pause_after_cycle()))
        self.health.sparing_seconds = round(sparing.total_seconds()) if sparing > every else None
        every = max(every, sparing)
        self._next_turn(max(self.installation.clock(), began_at + every))
        log.info(
            "cycle", pulled=report.pulled, changed=report.changed, written=report.written, failed=report.failed,
            unknown=report.unknown, waiting_for_calls=report.waiting_for_calls, held=list(held), seconds=round(took, 3),
        )  # fmt: skip

    def _failed(self, error: Exception) -> None:
        """Everything committed so far stays; the next try comes after a pause that doubles."""
        self._end_if_harmful(error)
        breaker = self.health.breaker.after(error, self.installation.clock())
        if breaker.what != self.health.breaker.what:
            self._record("cycle stopped", breaker)
        self.health.breaker = breaker
        self._next_turn(breaker.until or self.installation.clock())
        pause = (breaker.until or self.installation.clock()) - self.installation.clock()
        log.warning(
            "cycle stopped", what=breaker.what, why=breaker.why, next=breaker.next_step, system=breaker.system,
            failures=breaker.failures, pause_seconds=round(pause.total_seconds()),
        )  # fmt: skip

    def _end_if_harmful(self, error: Exception) -> None:
        if isinstance(error, ENDING) and not isinstance(error, Busy):
            raise error
        if isinstance(error, UsageError) and not self.health.ready:
            raise error

    def _record(self, kind: str, breaker: Breaker) -> None:
        """In the chain, once when trouble begins and once when it ends; a ledger that cannot be written has no say."""
        try:
            self.installation.ledger.record_event(kind, breaker.system or "truce", "truce", {"what": breaker.what})
        except TruceError as error:
            log.warning("not recorded", event_kind=kind, what=error.what)

    def _next_turn(self, at: datetime) -> None:
        self.health.next_cycle_at = at
        self._scheduler.modify_job("cycle", next_run_time=at)
        self._note("waiting")

    # --- policies ---

    def _read_policies(self) -> None:
        """Take over what is on disk now. Raises PolicyError or UsageError; the set in force stays."""
        self._look_again = True
        try:
            changed = self._policies.take(self.installation)
            self._look_again = False
        except UsageError:
            self._look_again = False
            raise
        finally:
            self._note_policies()
        if changed:
            log.info("policies changed", revision=self.installation.policies.policies.revision)

    def _look_at_policies(self) -> None:
        """A changed set is taken over whole; a broken one is named and the last good set stays in force."""
        was_broken = self.health.policy_trouble is not None
        try:
            self._read_policies()
        except UsageError as error:
            log.error(
                "policies not taken over; the last good set stays in force", what=error.what,
                problems=[str(problem) for problem in getattr(error, "problems", ())],
                next="truce check; a mended file is taken over by itself",
            )  # fmt: skip
        except TruceError as error:
            log.warning("policies not read yet", what=error.what, why=error.why, next="the next cycle tries again")
        else:
            if was_broken:
                log.info("policies are sound again")

    def _note_policies(self) -> None:
        problem = self.installation.policy_problem
        known = self.health.policy_trouble
        self.health.revision = self.installation.policies.policies.revision
        if problem is None:
            self.health.policy_trouble = None
        else:
            since = known.since if known is not None else self.installation.clock()
            self.health.policy_trouble = Trouble.of(problem, since)
        self._note()

    # --- for those outside ---

    def _gives_way(self) -> bool:
        """A cycle gives way at the next chunk when it must stop or when somebody ordered something."""
        self._progress()
        return self._stopping.is_set() or self.installation.commands.has()

    def _progress(self) -> None:
        self._heartbeat("WATCHDOG=1")

    def _note(self, doing: str = "") -> None:
        self.health.doing = doing or self.health.doing
        health.note(self.installation.config.state, self.health)

    def _remembered(self, pid: int) -> Health:
        before = health.read(self.installation.config.state)
        return Health(pid, self.installation.clock(), swept_at=before.swept_at if before else None)
