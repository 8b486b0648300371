"""A whole cycle (goal G1): pull, mirror, identify, decide, guard, ledger, write, read back; the real client libraries
against practice CRMs in another process.

Everybody's lead score changes in HubSpot, so everybody is pulled and decided; for a share of them the title changed
too, which Salesforce wins, so they are written back. Figures are records per second of this process's own work: the
practice CRMs and the waiting for them do not count. HubSpot lets nobody read or write more than 1,900 records a second.

The reference does the bare minimum by hand, against practice CRMs of its own and in turn with Truce: raw HTTP, one
query of ids, batch reads, comparison with a stored JSON text, a row before and a row after each write, both durable.
No pairing, no policies, no reasons, no limits, no chain, no look at Salesforce.
"""

from __future__ import annotations

import gc
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import urllib3

from agent import cycle
from agent.installation import Installation
from benchmarks.harness import Run, ratio, spread, timed
from benchmarks.practice import Practice, practice_with

CEILING = 1_900
"""Records a second that HubSpot lets a private app read or write."""

CHUNK, SEARCH = 100, 200
FIELDS = ("email", "jobtitle", "firstname", "lastname", "phone", "country", "state", "crm_source", "lead_score")
TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE records (id TEXT PRIMARY KEY, fields TEXT);
CREATE TABLE intents (id TEXT, before TEXT, after TEXT);
CREATE TABLE outcomes (id TEXT);
"""
SHARES = {"nothing written": 0.0, "10 % written": 0.1, "everything written": 1.0}


def measure(run: Run) -> None:
    people, repeats = run.sized(4_000, 300), run.sized(3, 1)
    seconds: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        practice, setting = stack.enter_context(practice_with(people, run.folder / "truce"))
        other, _ = stack.enter_context(practice_with(people, run.folder / "reference"))
        subjects: dict[str, Truce | Reference] = {
            "Truce": Truce(practice, stack.enter_context(setting.open())),
            "reference": Reference(other, run.folder / "reference.db"),
        }
        for subject in subjects.values():
            subject.take_over_everything()
        gc.freeze()  # as the daemon does when it has started
        for repeat in range(repeats):
            for share, part in SHARES.items():
                for name in sorted(subjects, reverse=bool(repeat % 2)):
                    took = subjects[name].turn(round(people * part))
                    seconds.setdefault((share, name), []).append(took)
            run.say(f"repeat {repeat + 1} of {repeats}")
    _report(run, seconds, people)


def _report(run: Run, seconds: dict[tuple[str, str], list[float]], people: int) -> None:
    for share in SHARES:
        ours, theirs = seconds[share, "Truce"], seconds[share, "reference"]
        rates = [people / each for each in ours]
        least = {"10 % written": 10.0 * CEILING, "everything written": 12_000.0}.get(share)
        run.add("G1", f"records per second, {share}", statistics.median(rates), least=least, aside=spread(rates))
        aim = 0.5 if share == "10 % written" else None
        aside = f"the reference alone: {spread([people / each for each in theirs])} a second"
        run.add("G1", f"speed against the reference, {share}", ratio(ours, theirs), "x", least=aim, aside=aside)
    busy = statistics.median(seconds["10 % written", "Truce"]) / people * CEILING
    run.add("G2", f"share of one core at {CEILING:,} records a second, 10 % written", 100 * busy, " %", most=12.0)


class People:
    """What people do between two turns: every lead score moves, some titles too."""

    def __init__(self, practice: Practice) -> None:
        self.practice = practice
        self._score = 10

    def work(self, titles: int) -> None:
        self._score += 1
        self.practice.advance(2 * 86_400)  # taken back again and again within a day, a value would be a fight
        self.practice.edit("hubspot", "lead_score", str(self._score))
        if titles:
            self.practice.edit("hubspot", "jobtitle", f"Chief {self._score} of {{n}}", count=titles)
        self.practice.advance(30)


class Truce:
    def __init__(self, practice: Practice, installation: Installation) -> None:
        self._people = People(practice)
        self._installation = installation

    def take_over_everything(self) -> None:
        cycle.run(self._installation)

    def turn(self, titles: int) -> float:
        """Seconds of one cycle that must write exactly ``titles`` records."""
        self._people.work(titles)
        reports: list[cycle.CycleReport] = []
        seconds = timed(lambda: reports.append(cycle.run(self._installation)))
        if reports[0].written != titles:
            raise AssertionError(f"{reports[0].written} records written where {titles} had to be")
        return seconds


class Reference:
    """The bare minimum by hand: HubSpot alone, and our copy of what Salesforce holds."""

    def __init__(self, practice: Practice, path: Path) -> None:
        self._practice = practice
        self._people = People(practice)
        self._pool = urllib3.PoolManager(retries=False)
        self._token = practice.credentials["hubspot"]["token"]
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(TABLES)
        self._titles: dict[str, str] = {}
        self._since = 0

    def take_over_everything(self) -> None:
        self._pull()
        self._titles = {
            record_id: orjson.loads(text)["jobtitle"]
            for record_id, text in self._database.execute("SELECT id, fields FROM records")
        }

    def turn(self, titles: int) -> float:
        self._people.work(titles)
        wrong: list[dict[str, Any]] = []

        def work() -> None:
            wrong.extend(self._pull())
            self._write(wrong)

        seconds = timed(work)
        if len(wrong) != titles:
            raise AssertionError(f"{len(wrong)} records written where {titles} had to be")
        return seconds

    def _pull(self) -> list[dict[str, Any]]:
        """Take over what changed; returns the records whose title is not Salesforce's."""
        now = int(self._practice.now().timestamp() * 1000)
        wrong = []
        for ids in self._changed_ids(now):
            for start in range(0, len(ids), CHUNK):
                wrong += self._take(ids[start : start + CHUNK])
        self._since = now
        return wrong

    def _changed_ids(self, now: int) -> Iterator[list[str]]:
        last = "0"
        while True:
            filters = [
                {"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": str(self._since),
                 "highValue": str(now)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": last},
            ]  # fmt: skip
            sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
            body = {"filterGroups": [{"filters": filters}], "sorts": sorts, "limit": SEARCH}
            rows = self._call("/crm/v3/objects/contacts/search", body)["results"]
            if rows:
                yield [row["id"] for row in rows]
                last = rows[-1]["id"]
            if len(rows) < SEARCH:
                return
            self._practice.advance(0.25)

    def _take(self, ids: list[str]) -> list[dict[str, Any]]:
        inputs = [{"id": record_id} for record_id in ids]
        rows = self._call("/crm/v3/objects/contacts/batch/read", {"properties": FIELDS, "inputs": inputs})["results"]
        marks = ",".join("?" * len(ids))
        known = dict(self._database.execute(f"SELECT id, fields FROM records WHERE id IN ({marks})", ids).fetchall())
        changed, wrong = [], []
        for row in rows:
            fields = {name: (row["properties"].get(name) or "").strip() or None for name in FIELDS}
            text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
            if known.get(row["id"]) != text:
                changed.append((row["id"], text))
                right = self._titles.get(row["id"])
                if right is not None and fields["jobtitle"] != right:
                    wrong.append({"id": row["id"], "before": fields["jobtitle"], "after": right})
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", changed)
        self._database.execute("COMMIT")
        return wrong

    def _write(self, wrong: list[dict[str, Any]]) -> None:
        for start in range(0, len(wrong), CHUNK):
            chunk = wrong[start : start + CHUNK]
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO intents VALUES (:id, :before, :after)", chunk)
            self._database.execute("COMMIT")
            inputs = [{"id": item["id"], "properties": {"jobtitle": item["after"]}} for item in chunk]
            rows = self._call("/crm/v3/objects/contacts/batch/update", {"inputs": inputs})["results"]
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO outcomes VALUES (?)", [(row["id"],) for row in rows])
            self._database.execute("COMMIT")

    def _call(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        reply = self._pool.request(
            "POST", self._practice.urls["hubspot"] + path, body=orjson.dumps(body), headers=headers
        )
        if reply.status != 200:
            raise AssertionError(f"HTTP {reply.status}: {reply.data[:200]!r}")
        return orjson.loads(reply.data)
