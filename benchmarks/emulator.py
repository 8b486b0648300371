"""The practice CRMs with a million records each (goal G20): loading them, reading by id, and asking for what changed.

Each vendor has a process of its own, as memory is measured. The calls go over HTTP on one kept connection of the
standard library, so that the emulator is measured and no client library; seconds are of the processors, client and
server together. A third of the values are a record's own, the others common ones; the last 1,000 records changed in the
last 1,000 seconds. The first change query of an object orders its rows once, and is left out.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from random import Random
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from benchmarks.harness import Run, memory_peak_mb
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor

PAGE, FILLED, LATELY, CALLS, WARM_UP = 10_000, 20, 1_000, 50, 5
SEEDER = Actor("seed", "system", "Seed")
Values = dict[str, Any]


def measure(run: Run) -> None:
    """Each vendor in a process of its own."""
    records = run.sized(1_000_000, 5_000)
    for side in (Salesforce, HubSpot):
        found = _in_a_process(side.name, records)
        what = f"{side.name}, {records:,} records"
        run.add("G20", f"{what}: loaded within", found["load"], " s", most=180)
        run.add("G20", f"{what}: memory at most", found["memory"] / 1024, " GiB", most=2.5)
        run.add("G20", f"{what}: {side.read}", found["read"], " ms", most=5)
        run.add("G20", f"{what}: search of {LATELY:,} changed", found["changed"], " ms", most=50)


def _in_a_process(name: str, records: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(there, name, records))
    process.start()
    there.close()
    try:
        found: dict[str, float] = here.recv()
    except EOFError:
        raise RuntimeError(f"the process of {name} ended without an answer") from None
    finally:
        process.join()
    return found


def _measured(pipe: Any, name: str, records: int) -> None:
    with Emulator.start(Options(clock="virtual")) as emulator:
        side: Side = Salesforce(emulator) if name == Salesforce.name else HubSpot(emulator)
        begun = time.process_time()
        ids = load(emulator, side, records)
        seconds = time.process_time() - begun
        if side.changed() != min(LATELY, records):
            raise AssertionError("the change query finds something else than the records that changed")
        figures = {"read": milliseconds(partial(side.by_id, ids)), "changed": milliseconds(side.changed)}
        pipe.send({"load": seconds, "memory": memory_peak_mb(), **figures})


class Side(Protocol):
    """One vendor: what to load, and the two calls that are measured."""

    name: str
    object_type: str
    names: Sequence[str]

    def keys(self, number: int) -> Values: ...
    def by_id(self, ids: Sequence[str]) -> None: ...
    def changed(self) -> int: ...


class Salesforce:
    name, object_type, read = "salesforce", "Contact", "200 with 40 fields by id"
    root = "/services/data/v65.0"

    def __init__(self, emulator: Emulator) -> None:
        desk: Any = emulator.practice.desks[self.name]
        fields = desk.org.kind(self.object_type).fields
        self.names: Sequence[str] = [
            name for name, one in fields.items() if one.computed is None and one.type in ("string", "phone")
        ]
        self.line = Line(emulator.salesforce_url)
        known = emulator.credentials[self.name]
        form = f"grant_type=client_credentials&client_id={known['client_id']}&client_secret={known['client_secret']}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        granted = self.line.told("POST", "/services/oauth2/token", form, kind)
        self.line.headers["Authorization"] = f"Bearer {granted['access_token']}"
        described = self.line.told("GET", f"{self.root}/sobjects/Contact/describe")
        self.shown = [field["name"] for field in described["fields"]][:40]
        self.since = emulator.world.clock.now() - timedelta(seconds=LATELY - 1)

    def keys(self, number: int) -> Values:
        return {"Email": f"person{number}@example.com", "Truce_Key__c": f"person-{number}"}

    def by_id(self, ids: Sequence[str]) -> None:
        body = json.dumps({"ids": ids[:200], "fields": self.shown})
        self.line.call("POST", f"{self.root}/composite/sobjects/Contact", body)

    def changed(self) -> int:
        where = f"SystemModstamp >= {self.since:%Y-%m-%dT%H:%M:%SZ} ORDER BY SystemModstamp, Id"
        soql = quote(f"SELECT {', '.join(self.shown)} FROM Contact WHERE {where}")
        return int(self.line.told("GET", f"{self.root}/queryAll/?q={soql}")["totalSize"])


class HubSpot:
    name, object_type, read = "hubspot", "contacts", "100 with 40 properties by id"

    def __init__(self, emulator: Emulator) -> None:
        known = emulator.world.spaces[self.name].settings["properties"][self.object_type]
        writable = {name: one for name, one in known.items() if not one["modificationMetadata"]["readOnlyValue"]}
        texts = [name for name, one in writable.items() if one["type"] == "string"]
        self.names: Sequence[str] = [name for name in texts if name not in {"email", "truce_key"}]
        self.shown = list(known)[:40]
        self.line = Line(emulator.hubspot_url)
        self.line.headers["Authorization"] = f"Bearer {emulator.credentials[self.name]['token']}"
        self.since = emulator.world.clock.now() - timedelta(seconds=LATELY - 1)
        self.rng = Random(1)

    def keys(self, number: int) -> Values:
        return {"email": f"person{number}@example.com", "truce_key": f"person-{number}"}

    def by_id(self, ids: Sequence[str]) -> None:
        inputs = [{"id": one} for one in self.rng.sample(ids, 100)]
        body = json.dumps({"properties": self.shown, "inputs": inputs})
        self.line.call("POST", "/crm/v3/objects/contacts/batch/read", body)

    def changed(self) -> int:
        since = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": milliseconds_of(self.since)}
        after = {"propertyName": "hs_object_id", "operator": "GT", "value": "0"}
        sort = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        body = {"filterGroups": [{"filters": [since, after]}], "sorts": sort, "limit": 200}
        return int(self.line.told("POST", "/crm/v3/objects/contacts/search", json.dumps(body))["total"])


class Line:
    """One kept connection."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(urlsplit(address).netloc)
        self.headers = {"Content-Type": "application/json"}

    def call(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> bytes:
        self._connection.request(method, path, body, headers or self.headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(text.decode())
        return text

    def told(self, *asked: Any) -> Any:
        return json.loads(self.call(*asked))


def load(emulator: Emulator, side: Side, records: int) -> list[str]:
    """The ids of the first page."""
    desk, now = emulator.practice.desks[side.name], emulator.world.clock.now()
    first: list[str] = []
    for start in range(0, records, PAGE):
        page = [_values(side, number, now) for number in range(start, min(start + PAGE, records))]
        ids = emulator.call(partial(desk.seed_many, side.object_type, page, actor=SEEDER))
        first = first or ids
    return first


def _values(side: Side, number: int, now: datetime) -> Values:
    values: Values = {
        name: f"{name} {number}" if place % 3 == 0 else f"{name} {number % 50}"
        for place, name in enumerate(side.names[:FILLED])
    }
    age = timedelta(seconds=number) if number < LATELY else timedelta(days=30, seconds=number % 10**7)
    stamps = {"_created_at": now - timedelta(days=1_000), "_modified_at": now - age}
    return {**values, **side.keys(number), **stamps}


def milliseconds_of(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def milliseconds(action: Callable[[], Any]) -> float:
    taken = []
    for _ in range(WARM_UP + CALLS):
        begun = time.process_time()
        action()
        taken.append(time.process_time() - begun)
    return statistics.median(taken[WARM_UP:]) * 1000
