"""The clock does what clocks do: it is changed twice a year, sleeps with the laptop, and is set back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from daemon_stage import START, Bench
from structlog.testing import capture_logs

from agent.daemon.daemon import CLOCK_JUMP_SECONDS, Daemon, new_scheduler


class Counting(BaseExecutor):
    """Notes what it is given to run, and when each was due; runs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.submitted: list[tuple[str, list[datetime]]] = []
        self.given = threading.Event()

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        self.submitted.append((job.id, run_times))
        self._run_job_success(job.id, [])
        self.given.set()


class Scripted:
    """Signals that come at the moments the test says: each step may do something and gives a number or None."""

    def __init__(self, *steps: Any) -> None:
        self._steps = list(steps)

    def wait(self, seconds: float) -> int | None:
        if not self._steps:
            return signal.SIGTERM
        step = self._steps.pop(0)
        number: int | None = step() if callable(step) else step
        return number


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def daemon(bench: Bench) -> Iterator[Daemon]:
    with bench.daemon() as daemon:
        daemon.turn()
        yield daemon


def settings_of(scheduler: BackgroundScheduler) -> dict[str, Any]:
    return dict(scheduler._job_defaults)


def test_the_scheduler_has_one_worker_and_drops_nothing_for_being_late() -> None:
    scheduler = new_scheduler()
    assert settings_of(scheduler) == {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
    assert scheduler.timezone is UTC
    assert scheduler._executors["default"]._pool._max_workers == 1


def test_a_cycle_missed_for_hours_runs_once_and_the_next_is_in_the_future() -> None:
    scheduler = new_scheduler()
    counting = Counting()
    scheduler._executors = {"default": counting}
    due = datetime.now(UTC) - timedelta(hours=7)
    scheduler.add_job(print, "interval", seconds=60, id="cycle", next_run_time=due)
    scheduler.start()
    try:
        assert counting.given.wait(30)
        ((name, run_times),) = counting.submitted
        assert (name, len(run_times)) == ("cycle", 1)
        assert scheduler.get_job("cycle").next_run_time > datetime.now(UTC)
    finally:
        scheduler.shutdown()


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 6, 0, tzinfo=UTC)),
    ],
)
def test_in_the_night_the_clock_is_changed_cycles_stay_a_minute_apart(
    bench: Bench, zone: str, change: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        bench.watch.now = change - timedelta(minutes=10)
        with bench.daemon() as daemon:
            started = []
            for _ in range(20):
                started.append(bench.watch.now)
                daemon.turn()
                bench.watch.advance(seconds=bench.next_cycle_in())
    time.tzset()
    assert {later - earlier for earlier, later in pairwise(started)} == {timedelta(minutes=1)}


def test_a_clock_set_back_arms_the_jobs_anew(bench: Bench, daemon: Daemon) -> None:
    def set_back() -> None:
        bench.watch.now -= timedelta(hours=1)

    with capture_logs() as log:
        daemon.run(Scripted(None, set_back, None))
    assert {"event": "clock jumped", "seconds": -3600, "log_level": "warning"} in log
    assert bench.scheduler.armed == 4
    assert bench.scheduler.next_run["cycle"] == START + timedelta() - timedelta(hours=1)


def test_a_laptop_that_slept_works_at_once_when_it_wakes(bench: Bench, daemon: Daemon) -> None:
    def sleep() -> None:
        bench.watch.now += timedelta(hours=9)  # the monotonic clock stands still meanwhile

    daemon.run(Scripted(sleep))
    assert bench.scheduler.next_run["cycle"] == bench.watch.now


def test_a_clock_that_drifts_a_little_is_left_alone(bench: Bench, daemon: Daemon) -> None:
    def drift() -> None:
        bench.watch.now += timedelta(seconds=CLOCK_JUMP_SECONDS - 1)

    with capture_logs() as log:
        daemon.run(Scripted(drift))
    assert "clock jumped" not in [line["event"] for line in log]


def test_after_a_clock_set_back_the_daily_sweep_is_made_again_rather_than_never(bench: Bench, daemon: Daemon) -> None:
    bench.watch.now -= timedelta(days=400)
    daemon.turn()
    assert daemon.health.swept_at == bench.watch.now


def test_a_slow_cycle_is_followed_by_the_next_at_once_not_by_all_it_held_up(
    bench: Bench, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*args: Any, **more: Any) -> list[Any]:
        bench.watch.advance(minutes=10)
        return []

    with monkeypatch.context() as patch:
        patch.setattr("agent.cycle.pull_all", slow)
        daemon.turn()
    assert bench.next_cycle_in() == 0
    daemon.turn()
    assert bench.next_cycle_in() == 60
