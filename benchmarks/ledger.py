"""What recording every write first costs (goal G5), against two plain references in the same run.

    python -m benchmarks.ledger [--writes 20000] [--runs 5] [--large 200000]

``plain insert``: one SQLite transaction per 200 writes into one table (record, before, after and, per field, policy,
line, rule and sentence as JSON by the standard library; unique key; indexes on batch and record). No outcome, no hash.
``sqlite-utils``: the same rows, then their outcomes, each through ``insert_all`` inside ``atomic``.
``Truce``: ``open_batch`` and ``settle``: two commits, outcome, payload hashes, hash chain.

All on one file system, WAL, synchronous=FULL, records in random order. Ratios are the goal; absolute figures depend on
the machine. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3 as standard_sqlite
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlite_utils

from agent import store
from agent.changes import Cell, Change, State, Why
from agent.ledger import Intent, Ledger, Settlement

CHUNK = 200
FIELDS = ("job_title", "phone", "country", "source", "department")
START = datetime(2026, 11, 23, 9, tzinfo=UTC)

PLAIN_TABLE = """CREATE TABLE writes (
    id INTEGER PRIMARY KEY, batch INTEGER, record TEXT, before TEXT, after TEXT, reasons TEXT, actor TEXT,
    version TEXT, key TEXT UNIQUE
)"""


def changes_of(rng: random.Random, count: int) -> list[Change]:
    """Five-field updates of people, in random order."""
    return [_change(person) for person in rng.sample(range(10_000_000), count)]


def _change(person: int) -> Change:
    cells = tuple(
        Cell(name, f"{name.title()}__c", f"old {name} {person}", f"new {name} {person}", "different", _why(line, name))
        for line, name in enumerate(FIELDS, 17)
    )
    return Change("update", f"person-{person}", "salesforce", "Contact", f"003{person:012d}AAA", cells)


def _why(line: int, name: str) -> Why:
    return Why("person-basics", f"person-basics.yaml:{line}", f"{line:016x}", f"HubSpot wins {name}")


def measure_truce(folder: Path, chunks: Sequence[Sequence[Change]]) -> tuple[list[float], int]:
    """Seconds per chunk (recorded and settled) and the size of the file."""
    ticks = iter(range(10**9))
    ledger = Ledger.open(
        folder / "ledger.db",
        clock=lambda: START + timedelta(milliseconds=next(ticks)),
        random_bytes=os.urandom,
        new_id="benchmark",
    )
    seconds = []
    for changes in chunks:
        intents = [Intent(change, State.INTENDED) for change in changes]
        started = time.perf_counter()
        batch = ledger.open_batch("cycle", "benchmark", "truce", intents)
        seconds.append(time.perf_counter() - started)
        settlements = [
            Settlement(entry.id, State.CONFIRMED, version="2026-11-23T09:00:00.000Z", observed=_after(entry.change))
            for entry in ledger.entries(batch_id=batch.id)
        ]
        started = time.perf_counter()
        ledger.settle(settlements)
        seconds[-1] += time.perf_counter() - started
    ledger.close()
    return seconds, (folder / "ledger.db").stat().st_size


def _after(change: Change) -> dict[str, Any]:
    return {cell.vendor_field: cell.after for cell in change.cells}


def _plain_row(change: Change, batch: int) -> tuple[Any, ...]:
    before = json.dumps({cell.vendor_field: cell.before for cell in change.cells})
    after = json.dumps(_after(change))
    reasons = json.dumps([[c.why.policy, c.why.line, c.why.rule, c.why.sentence] for c in change.cells])
    return batch, change.record_id, before, after, reasons, "truce", "r1", f"{batch}:{change.record_id}"


def measure_plain(folder: Path, chunks: Sequence[Sequence[Change]]) -> tuple[list[float], int]:
    path = folder / "plain.db"
    connection = _connect(path)
    seconds = []
    for number, changes in enumerate(chunks):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO writes (batch, record, before, after, reasons, actor, version, key)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [_plain_row(change, number) for change in changes],
        )
        connection.execute("COMMIT")
        seconds.append(time.perf_counter() - started)
    connection.close()
    return seconds, path.stat().st_size


def measure_sqlite_utils(folder: Path, chunks: Sequence[Sequence[Change]]) -> tuple[list[float], int]:
    path = folder / "utils.db"
    connection = _connect(path)
    database = sqlite_utils.Database(connection)
    names = ("batch", "record", "before", "after", "reasons", "actor", "version", "key")
    seconds = []
    for number, changes in enumerate(chunks):
        started = time.perf_counter()
        with database.atomic():
            database.table("writes").insert_all(
                dict(zip(names, _plain_row(change, number), strict=True)) for change in changes
            )
        with database.atomic():
            database.table("outcomes").insert_all(
                {
                    "batch": number,
                    "record": change.record_id,
                    "state": "confirmed",
                    "observed": json.dumps(_after(change)),
                }
                for change in changes
            )
        seconds.append(time.perf_counter() - started)
    connection.close()
    return seconds, path.stat().st_size


def _connect(path: Path) -> Any:
    library = getattr(store, "sqlite3", standard_sqlite)
    connection = library.connect(path, isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute(PLAIN_TABLE)
    connection.execute("CREATE INDEX writes_of_batch ON writes (batch)")
    connection.execute("CREATE INDEX writes_of_record ON writes (record)")
    return connection


Measure = Callable[[Path, Sequence[Sequence[Change]]], tuple[list[float], int]]
MEASURES: dict[str, Measure] = {
    "plain insert": measure_plain,
    "sqlite-utils": measure_sqlite_utils,
    "Truce": measure_truce,
}


def chunked(changes: Sequence[Change]) -> list[Sequence[Change]]:
    return [changes[start : start + CHUNK] for start in range(0, len(changes), CHUNK)]


def run_all(writes: int, runs: int, where: Path) -> dict[str, list[tuple[list[float], int]]]:
    """Every measure in turn, ``runs`` times, each on fresh files and with the same changes."""
    found: dict[str, list[tuple[list[float], int]]] = {name: [] for name in MEASURES}
    for seed in range(runs):
        chunks = chunked(changes_of(random.Random(seed), writes))
        for name, measure in MEASURES.items():
            with tempfile.TemporaryDirectory(dir=where) as folder:
                found[name].append(measure(Path(folder), chunks))
    return found


def rates(samples: Sequence[tuple[list[float], int]], writes: int) -> list[float]:
    return [writes / sum(seconds) for seconds, _ in samples]


def report(found: dict[str, list[tuple[list[float], int]]], writes: int) -> None:
    print(f"SQLite {store.SQLITE_VERSION}, {writes:,} five-field writes in batches of {CHUNK}, median (min-max)")
    print(f"{'':14}{'writes/s':>26}{'p50 ms':>9}{'p99 ms':>9}{'bytes/write':>13}")
    for name, samples in found.items():
        by_run = rates(samples, writes)
        chunks = sorted(second for seconds, _ in samples for second in seconds)
        size = statistics.median(size for _, size in samples) / writes
        spread = f"{statistics.median(by_run):,.0f} ({min(by_run):,.0f}-{max(by_run):,.0f})"
        p50, p99 = chunks[len(chunks) // 2] * 1e3, chunks[int(len(chunks) * 0.99)] * 1e3
        print(f"{name:14}{spread:>26}{p50:>9.2f}{p99:>9.2f}{size:>13.0f}")
    ours = statistics.median(rates(found["Truce"], writes))
    for name in ("plain insert", "sqlite-utils"):
        print(f"Truce / {name}: {ours / statistics.median(rates(found[name], writes)):.2f}")


def report_growth(writes: int, where: Path) -> None:
    """Speed of the last tenth of a long run against its first tenth."""
    chunks = chunked(changes_of(random.Random(7), writes))
    for name in ("plain insert", "Truce"):
        with tempfile.TemporaryDirectory(dir=where) as folder:
            seconds, _ = MEASURES[name](Path(folder), chunks)
        tenth = max(1, len(seconds) // 10)
        first, last = sum(seconds[:tenth]), sum(seconds[-tenth:])
        print(f"{name}: {writes:,} writes, the last tenth at {first / last:.2f} of the speed of the first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writes", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", type=int, default=0, help="also one long run of this many writes")
    parser.add_argument("--where", type=Path, default=Path.cwd(), help="folder on the disk to measure")
    options = parser.parse_args()
    report(run_all(options.writes, options.runs, options.where), options.writes)
    if options.large:
        report_growth(options.large, options.where)


if __name__ == "__main__":
    main()
