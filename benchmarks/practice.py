"""Two practice CRMs in a process of their own, and an installation of Truce that works with them.

The CRMs run on a virtual clock, so nothing waits: whenever a connector would sleep, the clock there moves on instead.
Truce reads the same clock. Every person stands in both CRMs with equal values until a benchmark says otherwise.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

import yaml

from agent.config.config import Config
from agent.config.secrets import read_secret
from agent.connector import Connector
from agent.installation import Installation
from agent.wiring.opening import open_installation
from agent.wiring.settings import first_config_kind
from connectors.emulator.practice import VIRTUAL_START, Options
from connectors.emulator.serve import Emulator
from connectors.emulator.staff import user_id
from connectors.emulator.world import Actor
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.declaration import HubSpotSettings
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.declaration import SalesforceSettings

ANNA_IN_HUBSPOT = "70000001"
PERSON = Actor("anna", "person", "Anna")
SLICE = 1000
FIRST_HUBSPOT_ID = 10_000_000

LIMITS = """policy: daily-limits
kind: limits
responsible: anna@example.com
purpose: Nothing is held in a benchmark
review_by: 2027-03-01
batch: {records: 10000000, percent: 100}
day: {creates: 10000000, owner_changes: 10000000, blanks: 10000000, stage_back: 0, opt_out: 200}
"""


Calls = dict[str, dict[str, int]]
"""{system: {route: calls}}."""


class Practice:
    """Both CRMs, from the outside. ``people`` stand in both of them."""

    def __init__(self, *, clock: str = "virtual") -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._one_by_one = Lock()
        self._process = context.Process(target=_serve, args=(theirs, clock), name="practice CRMs")
        self._process.start()
        self._is_virtual = clock == "virtual"
        self._now = VIRTUAL_START
        ready = self._pipe.recv()
        self.urls: dict[str, str] = ready["urls"]
        self.credentials: dict[str, dict[str, str]] = ready["credentials"]
        self.people = 0

    @property
    def pid(self) -> int:
        return int(self._process.pid or 0)

    def now(self) -> datetime:
        """The time in both CRMs."""
        if self._is_virtual:
            return self._now
        return VIRTUAL_START.fromtimestamp(time.time(), VIRTUAL_START.tzinfo)

    def advance(self, seconds: float) -> None:
        """Let time pass there."""
        with self._one_by_one:
            self._tell("advance", seconds=seconds)
            self._now += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """Wait as the CRMs' clock wants it: on a virtual one nothing waits."""
        if self._is_virtual:
            self.advance(seconds)
        else:
            time.sleep(seconds)

    def fill(self, people: int) -> None:
        """Add people to both CRMs."""
        for start in range(self.people, self.people + people, SLICE):
            self._tell("fill", start=start, count=min(SLICE, self.people + people - start))
        self.people += people

    def fill_one_side(self, people: int) -> None:
        """Add people to Salesforce alone."""
        for start in range(self.people, self.people + people, SLICE):
            self._tell("fill_one_side", start=start, count=min(SLICE, self.people + people - start))
        self.people += people

    def edit(self, system: str, field: str, value: str, *, first: int = 0, count: int | None = None) -> None:
        """As people would: change one field of ``count`` persons; ``{n}`` in the value is each one's number."""
        end = self.people if count is None else first + count
        for start in range(first, end, SLICE):
            self._tell("edit", system=system, field=field, value=value, start=start, count=min(SLICE, end - start))

    def setting(self, system: str, name: str, value: Any) -> None:
        """Turn a switch of one CRM."""
        self._tell("setting", system=system, switch=name, value=value)

    def calls(self) -> Calls:
        """The vendor calls since last asked.

        Raises:
            AssertionError: one of them was refused because we were too quick.
        """
        found: dict[str, dict[str, dict[str, int]]] = self._tell("calls")
        for system, routes in found.items():
            for route, by_status in routes.items():
                if "429" in by_status:
                    raise AssertionError(f"{system} refused {by_status['429']} calls of {route}: too many")
        return {
            system: {route: sum(by_status.values()) for route, by_status in routes.items()}
            for system, routes in found.items()
        }

    def close(self) -> None:
        self._pipe.send(("stop", {}))
        self._process.join(30)

    def _tell(self, name: str, **arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        failure, result = self._pipe.recv()
        if failure:
            raise RuntimeError(f"the practice CRMs could not {name}: {failure}")
        return result


@dataclass(slots=True)
class Setting:
    """The folder and the config of one installation that works with a ``Practice``."""

    practice: Practice
    config: Config

    @classmethod
    def write(cls, practice: Practice, folder: Path, *, every_seconds: int = 60) -> Setting:
        """The shipped policies, all of them acting and nothing limited."""
        folder.mkdir(parents=True, exist_ok=True)
        policies = folder / "policies"
        policies.mkdir(exist_ok=True)
        for source in files("policies").iterdir():
            if source.name.endswith(".yaml"):
                text = (
                    source.read_text(encoding="utf-8")
                    .replace("mode: ask ", "mode: act ")
                    .replace("mode: ask\n", "mode: act\n")
                )
                (policies / source.name).write_text(text, encoding="utf-8")
        (policies / "daily-limits.yaml").write_text(LIMITS, encoding="utf-8")
        shutil.copystat(folder, policies)
        config = first_config_kind().model_validate({
            "home": folder,
            "salesforce": {
                "domain": practice.credentials["salesforce"]["domain"],
                "client_id": _kept(folder, "client-id", practice.credentials["salesforce"]["client_id"]),
                "client_secret": _kept(folder, "client-secret", practice.credentials["salesforce"]["client_secret"]),
                "base_url": practice.urls["salesforce"],
                "link_keys": dict.fromkeys(("Contact", "Lead", "Account"), "Truce_Key__c"),
            },
            "hubspot": {
                "token": _kept(folder, "token", practice.credentials["hubspot"]["token"]),
                "base_url": practice.urls["hubspot"],
                "link_keys": dict.fromkeys(("contacts", "companies"), "truce_key"),
            },
            "run": {"mode": "act", "every_seconds": every_seconds},
        })  # fmt: skip
        return cls(practice, config)

    def write_config(self) -> Path:
        """The config as the file that ``truce --config`` reads."""
        path = self.config.home / "config.yaml"
        document = self.config.model_dump(mode="json", exclude={"home"}, exclude_none=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path

    @contextmanager
    def open(self) -> Iterator[Installation]:
        """The installation with every policy live, reading the practice CRMs' clock."""
        connectors: dict[str, Connector] = {"salesforce": self.salesforce(), "hubspot": self.hubspot()}
        with open_installation(self.config, connectors=connectors, clock=self.practice.now) as installation:
            for name, header in installation.policies.policies.headers.items():
                installation.approvals.activate(name, header.meaning, "anna@example.com")
            yield installation

    def _secret(self, setting: str) -> str:
        return read_secret(self.config.secrets()[setting])

    def salesforce(self) -> Salesforce:
        settings = self.config.systems["salesforce"]
        assert isinstance(settings, SalesforceSettings)
        return Salesforce(
            domain=settings.domain,
            client_id=self._secret("salesforce.client_id"),
            client_secret=self._secret("salesforce.client_secret"),
            base_url=settings.base_url,
            link_keys=settings.link_keys,
            clock=lambda: self.practice.now().timestamp(),
        )

    def hubspot(self) -> HubSpot:
        settings = self.config.systems["hubspot"]
        assert isinstance(settings, HubSpotSettings)
        return HubSpot(
            token=self._secret("hubspot.token"),
            base_url=settings.base_url or "",
            link_keys=settings.link_keys,
            stored_ids=settings.stored_ids,
            seconds=lambda: self.practice.now().timestamp(),
            sleep=self.practice.sleep,
        )


@contextmanager
def practice_with(people: int, folder: Path, *, clock: str = "virtual") -> Iterator[tuple[Practice, Setting]]:
    """Both CRMs with that many people, and a fresh installation beside them."""
    practice = Practice(clock=clock)
    try:
        practice.fill(people)
        practice.advance(3600)
        yield practice, Setting.write(practice, folder)
    finally:
        practice.close()


def _kept(folder: Path, name: str, secret: str) -> str:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(secret, encoding="utf-8")
    return f"file:{path.resolve()}"


# --- the other process ---


def _serve(pipe: Any, clock: str) -> None:
    with Emulator.start(Options(clock=clock)) as emulator:
        urls = {"salesforce": emulator.salesforce_url, "hubspot": emulator.hubspot_url, "admin": emulator.admin_url}
        pipe.send({"urls": urls, "credentials": emulator.credentials})
        while True:
            name, arguments = pipe.recv()
            if name == "stop":
                return
            try:
                pipe.send(("", emulator.call(lambda: _COMMANDS[name](emulator, **arguments))))
            except Exception as error:
                pipe.send((repr(error), None))


def _fill(emulator: Emulator, start: int, count: int) -> None:
    _fill_one_side(emulator, start, count)
    rows = [_in_hubspot(number) for number in range(start, start + count)]
    emulator.practice.desks["hubspot"].seed_many("contacts", rows, actor=PERSON)


def _fill_one_side(emulator: Emulator, start: int, count: int) -> None:
    owner = user_id(emulator.world.spaces["salesforce"], "anna")
    rows = [{**_in_salesforce(number), "OwnerId": owner} for number in range(start, start + count)]
    emulator.practice.desks["salesforce"].seed_many("Contact", rows, actor=PERSON)


def _edit(emulator: Emulator, system: str, field: str, value: str, start: int, count: int) -> None:
    desk = emulator.practice.desks[system]
    for number in range(start, start + count):
        object_type, record_id = ("Contact", _contact_id(number)) if system == "salesforce" else (
            "contacts", str(FIRST_HUBSPOT_ID + number)
        )  # fmt: skip
        desk.edit(object_type, record_id, {field: value.replace("{n}", str(number))}, actor=PERSON)


def _calls(emulator: Emulator) -> dict[str, dict[str, dict[str, int]]]:
    journal = emulator.practice.journal
    systems = journal.counters()["systems"]
    journal.clear_counters()
    return {system: side["routes"] for system, side in systems.items()}


def _setting(emulator: Emulator, system: str, switch: str, value: Any) -> None:
    emulator.world.spaces[system].settings[switch] = value


_COMMANDS: Mapping[str, Callable[..., Any]] = {
    "fill": _fill,
    "fill_one_side": _fill_one_side,
    "edit": _edit,
    "calls": _calls,
    "setting": _setting,
    "advance": lambda emulator, seconds: emulator.world.clock.advance(seconds).isoformat(),
}

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _name(number: int) -> str:
    """A surname that nobody else has and that cleaning leaves alone."""
    letters = ""
    for _ in range(5):
        number, letter = divmod(number, len(_LETTERS))
        letters += _LETTERS[letter]
    return letters.capitalize()


def _contact_id(number: int) -> str:
    from connectors.emulator.salesforce.ids import full_id

    return full_id(f"003{number:012d}") or ""


def _in_salesforce(number: int) -> dict[str, Any]:
    return {
        "_id": _contact_id(number),
        "FirstName": "Alex",
        "LastName": _name(number),
        "Email": f"{_name(number).lower()}@company{number % 997}.example",
        "Title": f"Title {number}",
        "Phone": f"+1 212 {number // 10_000 % 700 + 200:03d} {number % 10_000:04d}",
        "MailingCountry": "United States",
        "MailingState": "New York",
        "LeadSource": "Web",
        "HasOptedOutOfEmail": False,
        "Customer_Stage__c": "Lead",
    }


def _in_hubspot(number: int) -> dict[str, Any]:
    twin = _in_salesforce(number)
    return {
        "_id": str(FIRST_HUBSPOT_ID + number),
        "firstname": twin["FirstName"],
        "lastname": twin["LastName"],
        "email": twin["Email"],
        "jobtitle": twin["Title"],
        "phone": twin["Phone"],
        "country": twin["MailingCountry"],
        "state": twin["MailingState"],
        "crm_source": twin["LeadSource"],
        "lifecyclestage": "lead",
        "lead_score": "10",
        "hubspot_owner_id": ANNA_IN_HUBSPOT,
    }
