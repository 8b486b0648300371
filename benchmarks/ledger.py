"""What recording every write first costs (goal G5), against two plain references in the same run.

``plain insert``: one SQLite transaction per 200 writes into one table (record, before, after and, per field, policy,
line, rule and sentence as JSON by the standard library; unique key; indexes on batch and record). No outcome, no hash.
``sqlite-utils``: the same rows, then their outcomes, each through ``insert_all`` inside ``atomic``.
``Truce``: ``open_batch`` and ``settle``: two commits, outcome, payload hashes, hash chain.

All on one file system, WAL, synchronous=FULL, records in random order. Wall-clock seconds, because waiting for the disk
is part of it.
"""

from __future__ import annotations

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
from agent.ledger.ledger import Intent, Ledger, Settlement
from benchmarks.harness import Run, percentile, ratio, spread

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


Sample = tuple[list[float], int]
MEASURES: dict[str, Callable[[Path, Sequence[Sequence[Change]]], Sample]] = {
    "plain insert": measure_plain,
    "sqlite-utils": measure_sqlite_utils,
    "Truce": measure_truce,
}


def measure(run: Run) -> None:
    writes, repeats = run.sized(20_000, 1_000), run.sized(5, 1)
    found: dict[str, list[Sample]] = {name: [] for name in MEASURES}
    for seed in range(repeats):
        chunks = chunked(changes_of(random.Random(seed), writes))
        for name in sorted(MEASURES, reverse=bool(seed % 2)):
            found[name].append(sample(run, name, chunks))
        run.say(f"repeat {seed + 1} of {repeats}")
    run.add("G5", "one 4 KB append made durable", milliseconds_of_a_sync(run.folder), " ms", aside="this disk, alone")
    seconds = {name: [sum(each) for each, _ in samples] for name, samples in found.items()}
    rates = {name: spread([writes / each for each in taken]) for name, taken in seconds.items()}
    for name, least in (("plain insert", 0.5), ("sqlite-utils", 2.0)):
        aside = f"{rates['Truce']} against {rates[name]} writes a second"
        run.add("G5", f"speed against {name}", ratio(seconds["Truce"], seconds[name]), "x", least=least, aside=aside)
    batches = [each * 1e3 for taken, _ in found["Truce"] for each in taken]
    run.add("G5", f"99 of 100 batches of {CHUNK} within", percentile(batches, 0.99), " ms", most=10.0,
            aside=f"half of them within {percentile(batches, 0.5):.2f} ms")  # fmt: skip
    size = statistics.median(size for _, size in found["Truce"]) / writes
    run.add("G5", "bytes per five-field write", size, most=700.0)
    _growth(run)


def _growth(run: Run) -> None:
    """Speed at the end of a long run against its beginning; beside it the plain insert, for the disk's own part."""
    writes = run.sized(300_000, 4_000)
    chunks = chunked(changes_of(random.Random(7), writes))
    for name, least in (("plain insert", None), ("Truce", 0.9)):
        taken, _ = sample(run, name, chunks)
        part = max(1, len(taken) // 10)
        kept = statistics.median(taken[:part]) / statistics.median(taken[-part:])
        run.add("G5", f"{name}: speed after {writes:,} writes against the first", kept, "x", least=least)


def sample(run: Run, name: str, chunks: Sequence[Sequence[Change]]) -> Sample:
    with tempfile.TemporaryDirectory(dir=run.folder) as folder:
        return MEASURES[name](Path(folder), chunks)


def milliseconds_of_a_sync(folder: Path) -> float:
    taken = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)


def chunked(changes: Sequence[Change]) -> list[Sequence[Change]]:
    return [changes[start : start + CHUNK] for start in range(0, len(changes), CHUNK)]
