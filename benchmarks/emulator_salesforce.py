"""How fast the emulator's Salesforce side is with many records.

    python -m benchmarks.emulator_salesforce [--records 1000000] [--fields 20]

Loads so many contacts, of which the last 1,000 changed in the last 1,000 seconds, then measures over HTTP on a kept
connection: reading 200 records with 40 fields by id, and the change query that finds those 1,000. Seconds are of this
machine's processors, client and server together; nothing is asserted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from connectors.emulator.practice import Options
from connectors.emulator.salesforce.desk import Desk
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor

PAGE = 10_000
LATELY = 1_000
ROOT = "/services/data/v65.0"


class Client:
    """One kept connection with a token."""

    def __init__(self, emulator: Emulator) -> None:
        place = urlsplit(emulator.salesforce_url)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port)
        known = emulator.credentials["salesforce"]
        form = f"grant_type=client_credentials&client_id={known['client_id']}&client_secret={known['client_secret']}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        granted = json.loads(self.call("POST", "/services/oauth2/token", form, kind))
        self.headers = {"Authorization": f"Bearer {granted['access_token']}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> bytes:
        self._connection.request(method, path, body, headers or self.headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(text.decode())
        return text


def load(emulator: Emulator, records: int, filled: int) -> list[str]:
    """The ids of the first page."""
    desk = emulator.practice.desks["salesforce"]
    assert isinstance(desk, Desk)
    fields = desk.org.kind("Contact").fields
    names = [name for name, item in fields.items() if item.computed is None and item.type in ("string", "phone")]
    now = emulator.world.clock.now()
    first: list[str] = []
    for start in range(0, records, PAGE):
        page = [_values(names[:filled], number, now) for number in range(start, min(start + PAGE, records))]
        ids = emulator.call(partial(desk.seed_many, "Contact", page, actor=Actor("seed", "system")))
        first = first or ids
    return first


def _values(names: list[str], number: int, now: Any) -> dict[str, Any]:
    """A third of the values are a person's own, the others common ones."""
    values: dict[str, Any] = {
        name: f"{name} {number}" if place % 3 == 0 else f"{name} {number % 50}" for place, name in enumerate(names)
    }
    age = timedelta(seconds=number) if number < LATELY else timedelta(days=30, seconds=number % 10**7)
    values |= {"Email": f"person{number}@example.com", "Truce_Key__c": f"person-{number}"}
    return {**values, "_created_at": now - timedelta(days=1_000), "_modified_at": now - age}


def milliseconds(action: Callable[[], Any], runs: int) -> float:
    taken = []
    for _ in range(runs):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return statistics.median(taken) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--fields", type=int, default=20, help="fields with a value in each record")
    options = parser.parse_args()
    with Emulator.start(Options(clock="virtual")) as emulator:
        start = time.process_time()
        ids = load(emulator, options.records, options.fields)
        seconds = time.process_time() - start
        gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(f"load {options.records:,} records: {seconds:.1f} s, {gib:.2f} GiB at most")
        client = Client(emulator)
        described = json.loads(client.call("GET", f"{ROOT}/sobjects/Contact/describe"))
        names = [field["name"] for field in described["fields"]][:40]
        body = json.dumps({"ids": ids[:200], "fields": names})
        read = milliseconds(lambda: client.call("POST", f"{ROOT}/composite/sobjects/Contact", body), 50)
        print(f"read 200 records with {len(names)} fields: {read:.1f} ms")
        now = emulator.world.clock.now()
        since = (now - timedelta(seconds=LATELY - 1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for selected in ("Id, SystemModstamp", ", ".join(names)):
            soql = f"SELECT {selected} FROM Contact WHERE SystemModstamp >= {since} ORDER BY SystemModstamp, Id"
            path = f"{ROOT}/queryAll/?q={quote(soql)}"
            found = json.loads(client.call("GET", path))["totalSize"]
            taken = milliseconds(partial(client.call, "GET", path), 10)
            print(f"change query, {found:,} hits, {selected.count(',') + 1} fields: {taken:.1f} ms")


if __name__ == "__main__":
    main()
