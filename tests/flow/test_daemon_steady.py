"""A daemon that runs for weeks: cycles with nothing to do leave nothing behind; two thousand of them every night."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import structlog
from daemon_stage import Bench

SETTLING = 60
MOST_BYTES = {150: 60_000, 2000: 200_000}
"""By number of cycles, what may come and go between two looks; a few hundred bytes kept per cycle would be more."""


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@dataclass(frozen=True)
class Left:
    """What some cycles left behind. ``bytes_`` and the rest are more than before."""

    bytes_: int
    files: int
    threads: int
    titles: set[Any]
    rows: int


def left_by(folder: Path, cycles: int) -> Left:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    bench = Bench(folder)
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
    return Left(grown, open_files() - files, threading.active_count() - threads, bench.titles(), rows)


@pytest.mark.parametrize("cycles", [150, pytest.param(2000, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])])
def test_empty_cycles_keep_no_memory_no_file_no_thread(tmp_path: Path, cycles: int) -> None:
    """In a process of its own, as a daemon is: in one that ran other tests before, Python's own tables are large, and
    one that is made anew meanwhile (3.8 MB for those of 90,000 strings) looks like a leak."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        left = alone.submit(left_by, tmp_path, cycles).result()
    assert left.bytes_ < MOST_BYTES[cycles]
    assert left.files <= 0
    assert left.threads == 0
    assert left.titles == {"boss"}
    assert left.rows > 0
