"""What keeping a copy of every record costs (goal G7), against sqlite-utils in the same run.

``sqlite-utils``: ``upsert_all`` of pages of 1,000 inside ``atomic``, one column per field: stores rows, nothing else.
``Truce``: ``absorb`` of the same pages: canonical JSON, two match keys per record, pending marks, version and history
of changed values, and the check that nothing older replaces anything newer. Three passes: first sight, nothing changed,
one field of every record changed. Then lookups by id, and the size of the file against the plain JSON.

WAL, synchronous=NORMAL for both. Seconds of this process's own work.
"""

from __future__ import annotations

import json
import random
import sqlite3 as standard_sqlite
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlite_utils

from agent import store
from agent.mirror.mirror import Mirror
from agent.records import Record, Ref
from benchmarks.harness import Run, percentile, ratio, spread, timed

PAGE = 1000
START = datetime(2026, 11, 23, 9, tzinfo=UTC)
PASSES = ("first sight", "nothing changed", "one field changed")
LOOKUPS = 2000

Page = Sequence[Record]


def pages_of(count: int, fields: int, version: int) -> list[Page]:
    """Pages of contacts with blanks; ``version`` shows in one field and in the stamp."""
    read_at = START + timedelta(minutes=version)
    return [
        [_record(number, fields, version, read_at) for number in range(start, min(start + PAGE, count))]
        for start in range(0, count, PAGE)
    ]


def _record(number: int, fields: int, version: int, read_at: datetime) -> Record:
    held: dict[str, Any] = {f"field_{n}": None if n % 4 == 3 else f"value {n} of {number}" for n in range(fields - 2)}
    held["email"] = f"person{number * 7919 % 1_000_003}@example.com"
    held["title"] = f"title {version}"
    return Record(Ref("hubspot", "contacts", str(number)), held, read_at.isoformat(), read_at, read_at)


def keys_of(record: Record) -> Iterable[tuple[str, str]]:
    return (("email", str(record.fields["email"])), ("name", str(record.fields["field_1"])))


def measure_truce(folder: Path, passes: Sequence[Sequence[Page]], fields: int) -> tuple[list[float], int, float]:
    """Seconds per pass, bytes of the file, median microseconds of a lookup."""
    mirror = Mirror.open(folder / "mirror.db", ledger_id="benchmark", ledger_seq=0)
    mapped = sorted(passes[0][0][0].fields)
    seconds = []
    for pages in passes:
        started = time.process_time()
        for page in pages:
            mirror.absorb(page, mapped=mapped, keys=keys_of, seen_at=START)
        seconds.append(time.process_time() - started)
    refs = [record.ref for page in passes[0] for record in page]
    lookups = []
    for ref in random.Random(3).choices(refs, k=LOOKUPS):
        started = time.perf_counter()
        mirror.record(ref)
        lookups.append(time.perf_counter() - started)
    mirror.close()
    return seconds, (folder / "mirror.db").stat().st_size, statistics.median(lookups) * 1e6


def measure_sqlite_utils(folder: Path, passes: Sequence[Sequence[Page]], fields: int) -> tuple[list[float], int, float]:
    library = getattr(store, "sqlite3", standard_sqlite)
    connection = library.connect(folder / "utils.db")
    for setting in ("journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {setting}")
    database = sqlite_utils.Database(connection)
    seconds = []
    for pages in passes:
        rows = [[{"id": record.ref.id, **record.fields} for record in page] for page in pages]
        started = time.process_time()
        for page in rows:
            with database.atomic():
                database.table("contacts").upsert_all(page, pk="id")
        seconds.append(time.process_time() - started)
    lookups = []
    ids = [record.ref.id for page in passes[0] for record in page]
    for record_id in random.Random(3).choices(ids, k=LOOKUPS // 4):
        started = time.perf_counter()
        database.table("contacts").get(record_id)
        lookups.append(time.perf_counter() - started)
    connection.close()
    return seconds, (folder / "utils.db").stat().st_size, statistics.median(lookups) * 1e6


Sample = tuple[list[float], int, float]
MEASURES: dict[str, Callable[[Path, Sequence[Sequence[Page]], int], Sample]] = {
    "sqlite-utils": measure_sqlite_utils,
    "Truce": measure_truce,
}
FIELDS = 40


def measure(run: Run) -> None:
    records, repeats = run.sized(20_000, 1_000), run.sized(5, 1)
    found: dict[str, list[Sample]] = {name: [] for name in MEASURES}
    passes = [pages_of(records, FIELDS, version) for version in (0, 0, 1)]
    for repeat in range(repeats):
        for name in sorted(MEASURES, reverse=bool(repeat % 2)):
            with tempfile.TemporaryDirectory(dir=run.folder) as folder:
                found[name].append(MEASURES[name](Path(folder), passes, FIELDS))
        run.say(f"repeat {repeat + 1} of {repeats}")
    for number, title in enumerate(PASSES):
        seconds = {name: [taken[number] for taken, _, _ in samples] for name, samples in found.items()}
        rates = {name: spread([records / each for each in taken]) for name, taken in seconds.items()}
        aside = f"{rates['Truce']} against {rates['sqlite-utils']} records a second"
        gain = ratio(seconds["Truce"], seconds["sqlite-utils"])
        run.add("G7", f"speed against sqlite-utils, {title}", gain, "x", least=4.0, aside=aside)
    plain = sum(len(json.dumps(dict(record.fields))) for page in passes[0] for record in page)
    size = statistics.median(size for _, size, _ in found["Truce"]) / plain
    run.add("G7", "file against the plain JSON", size, "x", most=1.3)
    _large(run)


def _large(run: Run) -> None:
    """One mirror of many records: looking up one of them, and whether it slowed down on the way."""
    records = run.sized(200_000, 2_000)
    mirror = Mirror.open(run.folder / "large.db", ledger_id="benchmark", ledger_seq=0)
    seconds = []
    for start in range(0, records, PAGE):
        page = [_record(number, FIELDS, 0, START) for number in range(start, start + PAGE)]
        mapped = sorted(page[0].fields)
        seconds.append(timed(lambda: mirror.absorb(page, mapped=mapped, keys=keys_of, seen_at=START)))
    lookups = []
    for number in random.Random(3).choices(range(records), k=LOOKUPS):
        ref = Ref("hubspot", "contacts", str(number))
        started = time.perf_counter()
        mirror.record(ref)
        lookups.append((time.perf_counter() - started) * 1e6)
    mirror.close()
    run.add("G7", f"one of {records:,} records by its id", percentile(lookups, 0.5), " us", most=25.0)
    part = max(1, len(seconds) // 10)
    kept = statistics.median(seconds[:part]) / statistics.median(seconds[-part:])
    run.add("G7", f"speed after {records:,} records against the first", kept, "x")
