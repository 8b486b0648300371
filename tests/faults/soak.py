"""Days of a hostile world: people edit both CRMs, calls go wrong, the process dies, and at night everything must agree.

All of it is drawn from one seed, on a virtual clock, so that a day that failed is played again by its number. People
work between two turns of ours; what may go wrong while a turn runs is drawn anew each time: replies lost before and
after the write, throttling, errors that were and were not applied, pages of HTML, truncated bodies, refused rows,
revoked logins, a search index that lags, changes of people that are committed late, and power cuts: in this process,
or for real, by SIGKILL of one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from breaking import Killed, Kind, Place, Power, Side, powered
from invariants import assert_at_rest, assert_invariants
from scenarios import approve_all, go_live, order, several_cycles
from small_world import ALLOWED, Colleagues, Time, opened, write_setting
from sweep import CYCLES_TO_REST, Theatre
from victim import Victims

from agent import cycle
from agent.changes import State
from agent.errors import TruceError
from agent.installation import Installation
from agent.unsettled import FOR_A_PERSON
from connectors.emulator.practice import Options

PEOPLE, COMPANIES = 24, 5
ROUNDS_OF_REST = 4
"""A stage back is two steps, a new company comes before its people; each round may let the next thing be decided."""

WEATHER: tuple[dict[str, Any], ...] = (
    {"action": "drop_before"},
    {"action": "drop_after"},
    {"action": "status", "status": 429, "headers": {"Retry-After": "3"}},
    {"action": "status", "status": 500},
    {"action": "status", "status": 500, "applied": True},
    {"action": "status", "status": 503},
    {"action": "status", "status": 401},
    {"action": "html_200"},
    {"action": "html_200", "applied": True},
    {"action": "truncate"},
    {"action": "bad_row"},
)
TITLES = ("CEO", "CTO", "COO", "Buyer", "Chief of Staff", "", "Head of Sales")
STAGES = ("Lead", "MQL", "SQL", "Customer")
HUBSPOT_STAGES = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "customer")


@dataclass
class Day:
    """What happened, for whoever looks into a failure."""

    seed: int
    turns: int = 0
    told: Counter[str] = field(default_factory=Counter)


class Soak:
    """One installation and two CRMs of their own; ``victims`` is for real kills."""

    clock = "virtual"

    def __init__(self, theatre: Theatre, victims: Victims | None, folder: Path, seed: int) -> None:
        self.theatre = theatre
        self.victims = victims
        self.folder = folder
        self.rng = Random(seed)
        self.day = Day(seed)
        theatre.emulator.renew(Options(clock=self.clock))
        self.admin = theatre.admin
        self.colleagues = Colleagues(self.admin)
        self.ids: dict[tuple[str, str], list[str]] = {}
        self._fill()
        self.time = Time(self.admin)
        self._time_passes(3600)
        write_setting(folder, theatre.site)
        with opened(theatre.site, folder, self.time) as installation:
            go_live(installation)

    def run(self, turns: int, *, goes_on: Callable[[], bool] = lambda: True) -> Day:
        """So many turns, or fewer when told to stop; then the night, which checks every promise."""
        while self.day.turns < turns and goes_on():
            self.day.turns += 1
            self._people_work()
            self._weather_changes()
            self._turn()
            self._time_passes(self.rng.choice((5, 30, 60, 90, 600)))
        self._night()
        return self.day

    def _time_passes(self, seconds: float) -> None:
        self.time.wait(seconds)

    # People --------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        for number in range(COMPANIES):
            here = {"Name": f"Acme {number}", "Website": f"acme{number}.example", "Phone": f"+1212555{1000 + number}"}
            self._make("salesforce", "Account", **here)
            if number % 2:
                self._make("hubspot", "companies", name=f"Acme {number} Inc", domain=f"acme{number}.example")
        for _ in range(PEOPLE):
            self._joins()

    def _joins(self) -> None:
        """In Salesforce, in HubSpot, or in both with something different."""
        self.day.told["joined"] += 1
        number = self.day.told["joined"]
        name, email, rng = f"Person{number}", f"p{number}@acme{number % COMPANIES}.example", self.rng
        where = rng.choice(("salesforce", "hubspot", "both", "both"))
        if where != "hubspot":
            account = self.ids["salesforce", "Account"][number % COMPANIES]
            stage, title = rng.choice(STAGES), rng.choice(TITLES)
            here = {"LastName": name, "Email": email, "Title": title, "AccountId": account, "Customer_Stage__c": stage}
            self._make("salesforce", "Contact", **here)
        if where != "salesforce":
            there = {"lastname": name, "email": email, "jobtitle": rng.choice(TITLES)}
            self._make("hubspot", "contacts", **there, lifecyclestage=rng.choice(HUBSPOT_STAGES))

    def _make(self, system: str, object_type: str, **values: Any) -> None:
        record_id = self.colleagues.create(system, object_type, **values)
        self.ids.setdefault((system, object_type), []).append(record_id)

    def _people_work(self) -> None:
        for _ in range(self.rng.choice((0, 1, 1, 2, 4))):
            self.rng.choice((self._edits, self._edits, self._edits, self._moves, self._joins, self._leaves))()

    def _edits(self) -> None:
        system, object_type, name = self.rng.choice(
            (("salesforce", "Contact", "Title"), ("hubspot", "contacts", "jobtitle"), ("hubspot", "contacts", "phone"),
             ("salesforce", "Contact", "Phone"), ("hubspot", "companies", "name"), ("salesforce", "Account", "Name"))
        )  # fmt: skip
        number = self.rng.randrange(10**4)
        words = f"+1212555{number:04d}" if "hone" in name else f"{self.rng.choice(TITLES[:5]) or 'x'} {number}"
        self._edit(system, object_type, **{name: words})

    def _moves(self) -> None:
        if self.rng.random() < 0.5:
            self._edit("salesforce", "Contact", Customer_Stage__c=self.rng.choice(STAGES))
        else:
            self._edit("hubspot", "contacts", lifecyclestage=self.rng.choice(HUBSPOT_STAGES))

    def _edit(self, system: str, object_type: str, **values: Any) -> None:
        record_id = self.rng.choice(self._live(system, object_type))
        self.colleagues.edit(system, object_type, record_id, **values)

    def _leaves(self) -> None:
        """Seldom, as a CRM that empties itself is another story."""
        if self.rng.random() < 0.2:
            system, object_type = self.rng.choice((("salesforce", "Contact"), ("hubspot", "contacts")))
            self.colleagues.delete(system, object_type, self.rng.choice(self._live(system, object_type)))

    def _live(self, system: str, object_type: str) -> list[str]:
        return sorted(self.admin.get("/snapshot?only=values")[system][object_type])

    # What goes wrong -----------------------------------------------------------------------------------------------

    def _weather_changes(self) -> None:
        self.admin.delete("/faults")
        for _ in range(self.rng.choice((0, 0, 1, 2, 3))):
            kind, system = self.rng.choice(WEATHER), self.rng.choice(("salesforce", "hubspot"))
            nth, times = self.rng.randint(1, 14), self.rng.choice((1, 1, 2))
            self.admin.fault(**kind, system=system, nth=nth, times=times)
            self.day.told[f"fault {kind['action']} {kind.get('status', '')}".strip()] += 1
        if self.rng.random() < 0.05:
            self.admin.post("/tokens/revoke", system="salesforce")
        for system, most in (("hubspot", 8.0), ("salesforce", 20.0)):
            late = self.rng.choice((0.0, 0.0, self.rng.uniform(0.0, most)))
            self.admin.post("/settings", system=system, name="visible_delay_seconds", value=late)

    # What we do ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        if self.victims is not None and self.rng.random() < 0.25:
            was_killed = self.victims.play("cycle", self.folder, self._place())
            self.time.catch_up()
            self.day.told["killed for real" if was_killed else "lived"] += 1
            return
        place = self._place() if self.rng.random() < 0.3 else None
        with ExitStack() as stack:
            stack.enter_context(powered(Power(place), self.folder / "state" / "ledger.db"))
            try:
                with opened(self.theatre.site, self.folder, self.time) as installation:
                    self._work(installation)
                    self.day.told["went well"] += 1
            except Killed:
                self.day.told["killed"] += 1
            except TruceError as error:
                self.day.told[type(error).__name__] += 1

    def _work(self, installation: Installation) -> None:
        cycle.run(installation)
        chance = self.rng.random()
        if chance < 0.08:
            approve_all(installation)
        elif chance < 0.14:
            done = [batch.id for batch in installation.ledger.batches(states=["done"]) if batch.kind != "rollback"]
            if done:
                order(installation, "rollback", batches=[self.rng.choice(done)])
                self.day.told["undone"] += 1

    def _place(self) -> Place:
        kinds: tuple[Kind, ...] = ("ledger", "mirror", "http")
        sides: tuple[Side, ...] = ("before", "after")
        return Place(self.rng.choice(kinds), self.rng.randint(1, 30), self.rng.choice(sides))

    def _at_rest(self, installation: Installation) -> None:
        """As ``assert_at_rest``, but what nobody can know any more stays and is shown."""
        left = installation.ledger.entries(states=(State.PLANNED, State.INTENDED, State.UNKNOWN))
        told = {(entry.state, (entry.error or "")[: len(FOR_A_PERSON)]) for entry in left}
        assert told <= {(State.UNKNOWN, FOR_A_PERSON)}, [(entry.id, entry.state, entry.error) for entry in left]
        self.day.told["cannot be known"] = len(left)
        if not left:
            assert_at_rest(installation)

    # The night -----------------------------------------------------------------------------------------------------

    def _night(self) -> None:
        """Nothing goes wrong any more: within some cycles nothing is left to do, and every promise holds."""
        self.admin.delete("/faults")
        for system in ("hubspot", "salesforce"):
            self.admin.post("/settings", system=system, name="visible_delay_seconds", value=0)
        self.time.wait(86_400)
        with opened(self.theatre.site, self.folder, self.time) as installation:
            several_cycles(installation, self.time, ROUNDS_OF_REST * CYCLES_TO_REST)
            before, last_entry = self.admin.get("/health")["last_seq"], installation.ledger.last_seq
            cycle.run(installation)
            assert self.admin.get("/health")["last_seq"] == before, "a cycle at night still writes"
            assert installation.ledger.last_seq == last_entry, "a cycle at night still records"
            assert_invariants(self.admin.audit(), installation.ledger, allowed=ALLOWED)
            self._at_rest(installation)
            self.day.told["entries"] = len(installation.ledger.entries())
            confirmed = installation.ledger.entries(states=(State.CONFIRMED,))
            self.day.told["written"] = len(confirmed)
        assert self.theatre.emulator.practice.failures == []
