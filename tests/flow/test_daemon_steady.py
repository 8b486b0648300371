"""A daemon that runs for weeks: cycles with nothing to do leave nothing behind; two thousand of them every night."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from pathlib import Path

import pytest
import structlog
from daemon_stage import Bench

SETTLING = 60
MOST_BYTES = {150: 60_000, 2000: 200_000}
"""By number of cycles, what may come and go between two looks; a few hundred bytes kept per cycle would be more."""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


@pytest.mark.parametrize("cycles", [150, pytest.param(2000, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])])
def test_empty_cycles_keep_no_memory_no_file_no_thread(tmp_path: Path, cycles: int) -> None:
    bench = Bench(tmp_path)
    with bench.daemon() as daemon:
        bench.pairs(20)
        tracemalloc.start()  # before settling: SQLite's own memory of statements is traced when it is full already
        for _ in range(SETTLING):
            daemon.turn()
            daemon.glance()
            bench.watch.advance(minutes=1)
        rows = daemon.installation.ledger.last_seq
        gc.collect()
        before, files, threads = tracemalloc.get_traced_memory()[0], open_files(), threading.active_count()
        for _ in range(cycles):
            daemon.turn()
            daemon.glance()
            bench.watch.advance(minutes=1)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert grown < MOST_BYTES[cycles]
    assert open_files() <= files
    assert threading.active_count() == threads
    assert bench.titles() == {"boss"}
    assert rows > 0
