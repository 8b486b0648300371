"""A process that is killed outright: waits for a place to die at, plays the scenario in a fork of itself, dies there.

One interpreter is started and imports everything; each run is a fork of it, so that a real SIGKILL costs a fraction of
a second. One line of JSON in: where the emulator is, the folder, the scenario, the place. One line out: how it ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

from breaking import Place, Power, powered, really
from scenarios import SCENARIOS
from small_world import Site, Time, opened

from agent.errors import TruceError
from connectors.emulator.admin_client import Admin

HERE = Path(__file__).parent


class Victims:
    """Starts the waiting process and has it play."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"},
        )  # fmt: skip

    def play(self, scenario: str, folder: Path, place: Place) -> bool:
        """Returns whether it was killed (the place was reached)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "site": list(astuple(self._site)),
            "scenario": scenario,
            "folder": str(folder),
            "place": [place.kind, place.nth, place.side],
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer in ("killed", "done"), answer
        return bool(answer == "killed")

    def close(self) -> None:
        self._process.communicate()


def play(order: dict[str, Any]) -> None:
    """In the fork: until the place is reached, or to the end, or until a vendor is of no use."""
    site, folder = Site(*order["site"]), Path(order["folder"])
    scenario = next(each for each in SCENARIOS if each.name == order["scenario"])
    power = Power(Place(*order["place"]), die=really)
    life = opened(site, folder, Time(Admin(site.admin)))
    with suppress(TruceError), powered(power, folder / "state" / "ledger.db"), life as installation:
        scenario.act(installation)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            play(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        how = "killed" if os.WIFSIGNALED(status) else "done" if status == 0 else f"failed with {status}"
        sys.stdout.write(json.dumps(how) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
