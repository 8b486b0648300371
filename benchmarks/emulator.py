"""How fast the emulator's HubSpot answers a batch read of 100 contacts with 40 properties each.

    python -m benchmarks.emulator [--contacts 10000] [--calls 300]

One kept connection, the standard library's HTTP client, so that the emulator is measured and not a client library. The
goal is 5 ms at the median. Nothing is asserted; absolute figures depend on the machine, and on a busy one only the
processor time (emulator and client together, in one process) means something.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from http.client import HTTPConnection
from random import Random
from urllib.parse import urlsplit

from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor

PROPERTIES, INPUTS, WARM_UP = 40, 100, 10
SEEDER = Actor("seed", "system", "Seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=300)
    arguments = parser.parse_args()
    with Emulator.start(Options(clock="virtual")) as emulator:
        names, ids = fill(emulator, arguments.contacts)
        begun = time.process_time()
        times = sorted(timed(emulator, names, ids, arguments.calls))
        worked = (time.process_time() - begun) * 1000 / (arguments.calls + WARM_UP)
    print(f"batch read of {INPUTS} contacts with {len(names)} properties, {arguments.contacts:,} contacts in all")
    fastest = times[len(times) // 10]
    print(f"  median {statistics.median(times):.2f} ms   1 of 10 within {fastest:.2f} ms   processor {worked:.2f} ms")


def fill(emulator: Emulator, count: int) -> tuple[list[str], list[str]]:
    """(names of properties, ids of contacts that have them all)."""
    desk = emulator.practice.desks["hubspot"]
    known = list(emulator.world.spaces["hubspot"].settings["properties"]["contacts"])
    names = known[:PROPERTIES]
    rows = [
        {**{name: f"{name} of {number}" for name in names}, "email": f"p{number}@x.example"} for number in range(count)
    ]
    return names, emulator.call(lambda: desk.seed_many("contacts", rows, actor=SEEDER))


def timed(emulator: Emulator, names: list[str], ids: list[str], calls: int) -> list[float]:
    """Milliseconds of each call, the first ones left out."""
    headers = {
        "Authorization": f"Bearer {emulator.credentials['hubspot']['token']}",
        "Content-Type": "application/json",
    }
    connection, rng, times = HTTPConnection(urlsplit(emulator.hubspot_url).netloc), Random(1), []
    for _ in range(calls + WARM_UP):
        body = json.dumps({"properties": names, "inputs": [{"id": one} for one in rng.sample(ids, INPUTS)]})
        begun = time.perf_counter()
        connection.request("POST", "/crm/v3/objects/contacts/batch/read", body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            raise SystemExit(f"the emulator answered {answer.status}")
    connection.close()
    return times[WARM_UP:]


if __name__ == "__main__":
    main()
