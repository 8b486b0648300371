"""What keeping a copy of every record costs (goal G7), against sqlite-utils in the same run.

    python -m benchmarks.mirror [--records 20000] [--fields 40] [--runs 5]

``sqlite-utils``: ``upsert_all`` of pages of 1,000 inside ``atomic``, one column per field: stores rows, nothing else.
``Truce``: ``absorb`` of the same pages: canonical JSON, two match keys per record, pending marks, version and history
of changed values, and the check that nothing older replaces anything newer. Three passes: first sight, nothing changed,
one field of every record changed. Then lookups by id, and the size of the file against the plain JSON.

WAL, synchronous=NORMAL for both. Ratios are the goal; nothing is asserted.
"""

from __future__ import annotations

import argparse
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
from agent.mirror import Mirror
from agent.records import Record, Ref

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
        started = time.perf_counter()
        for page in pages:
            mirror.absorb(page, mapped=mapped, keys=keys_of, seen_at=START)
        seconds.append(time.perf_counter() - started)
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
        started = time.perf_counter()
        for page in rows:
            with database.atomic():
                database.table("contacts").upsert_all(page, pk="id")
        seconds.append(time.perf_counter() - started)
    lookups = []
    ids = [record.ref.id for page in passes[0] for record in page]
    for record_id in random.Random(3).choices(ids, k=LOOKUPS // 4):
        started = time.perf_counter()
        database.table("contacts").get(record_id)
        lookups.append(time.perf_counter() - started)
    connection.close()
    return seconds, (folder / "utils.db").stat().st_size, statistics.median(lookups) * 1e6


Measure = Callable[[Path, Sequence[Sequence[Page]], int], tuple[list[float], int, float]]
MEASURES: dict[str, Measure] = {"sqlite-utils": measure_sqlite_utils, "Truce": measure_truce}


def run_all(records: int, fields: int, runs: int, where: Path) -> None:
    found: dict[str, list[tuple[list[float], int, float]]] = {name: [] for name in MEASURES}
    passes = [pages_of(records, fields, version) for version in (0, 0, 1)]
    for _ in range(runs):
        for name, measure in MEASURES.items():
            with tempfile.TemporaryDirectory(dir=where) as folder:
                found[name].append(measure(Path(folder), passes, fields))
    plain = sum(len(json.dumps(dict(record.fields))) for page in passes[0] for record in page)
    report(found, records, fields, plain)


def report(found: dict[str, list[tuple[list[float], int, float]]], records: int, fields: int, plain: int) -> None:
    print(
        f"SQLite {store.SQLITE_VERSION}, {records:,} records of {fields} fields in pages of {PAGE:,}, median (min-max)"
    )
    rates: dict[str, list[float]] = {name: [] for name in found}
    for number, title in enumerate(PASSES):
        for name, samples in found.items():
            by_run = [records / seconds[number] for seconds, _, _ in samples]
            rates[name].append(statistics.median(by_run))
            print(f"{title:18}{name:14}{rates[name][-1]:>10,.0f} records/s ({min(by_run):,.0f}-{max(by_run):,.0f})")
        print(f"{title:18}Truce / sqlite-utils: {rates['Truce'][number] / rates['sqlite-utils'][number]:.2f}")
    for name, samples in found.items():
        size = statistics.median(size for _, size, _ in samples)
        lookup = statistics.median(lookup for _, _, lookup in samples)
        print(f"{name}: {size / plain:.2f} of the plain JSON, one record by id in {lookup:.1f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--fields", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--where", type=Path, default=Path.cwd(), help="folder on the disk to measure")
    options = parser.parse_args()
    run_all(options.records, options.fields, options.runs, options.where)


if __name__ == "__main__":
    main()
