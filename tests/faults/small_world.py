"""Two small CRMs with one of everything, and an installation that keeps them in agreement.

Small, so that a fault can be put at every single place of a run; complete, so that every kind of write is among them:
creates with and without a company, updates of both systems, a blank filled, a stage forward, a stage back (clear, then
set).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from agent import apply
from agent.config.config import Config
from agent.connector import Capabilities, Connector
from agent.installation import Installation
from agent.pairing import pairing
from agent.wiring.opening import open_installation
from agent.wiring.settings import read_config
from connectors.emulator.admin_client import Admin
from connectors.hubspot.connector import HubSpot
from connectors.salesforce.connector import Salesforce

POLICIES = Path(__file__).parent / "policies"
ANNA = "anna@example.com"
LINK_KEYS = {
    "salesforce": dict.fromkeys(("Contact", "Lead", "Account"), "Truce_Key__c"),
    "hubspot": dict.fromkeys(("contacts", "companies"), "truce_key"),
}
TIMEOUT = (5.0, 10.0)

ALLOWED: Mapping[tuple[str, str], set[str]] = {
    ("salesforce", "Contact"): {"Email", "Title", "FirstName", "LastName", "Phone", "Customer_Stage__c"},
    ("salesforce", "Lead"): {"Email", "Title", "FirstName", "LastName", "Phone", "Status"},
    ("salesforce", "Account"): {"Name", "Website", "Phone"},
    ("hubspot", "contacts"): {
        "email", "jobtitle", "firstname", "lastname", "phone", "lifecyclestage", "truce_key",
    },
    ("hubspot", "companies"): {"name", "domain", "phone", "truce_key"},
}  # fmt: skip
"""What the policies of this installation name, and the link keys."""


@dataclass
class Time:
    """The emulator's clock as our side sees it; waiting moves both."""

    admin: Admin
    start: datetime = field(init=False)
    passed: float = 0.0

    def __post_init__(self) -> None:
        self.start = datetime.fromisoformat(self.admin.get("/clock")["now"])

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        return self.passed

    def catch_up(self) -> None:
        """Another process has waited meanwhile."""
        self.passed = (datetime.fromisoformat(self.admin.get("/clock")["now"]) - self.start).total_seconds()

    def wait(self, seconds: float) -> None:
        self.admin.post("/clock/advance", seconds=seconds)
        self.passed += seconds


@dataclass(frozen=True)
class Kept:
    """A refresh token that stays as it is."""

    value: str

    def read(self) -> str:
        return self.value

    def keep(self, value: str) -> None:
        raise AssertionError("this app's refresh token is not replaced by use")


@dataclass(frozen=True)
class Site:
    """Where the emulator is and how to log in; everything a process needs beside its folder.

    With ``parallel_calls`` so many calls are under way at once, and ``records_a_call`` go into each: a world this small
    has no two full chunks. A plan's first slices, whose calls go one after the other, are of one record each then.
    """

    salesforce: str
    hubspot: str
    admin: str
    credentials: Mapping[str, Mapping[str, str]]
    parallel_calls: int = 0
    records_a_call: int = 1
    as_app: bool = False
    """HubSpot as an OAuth app, whose token expires; else with a service key, which does not."""

    def connectors(self, time: Time) -> dict[str, Connector]:
        """The real clients."""
        salesforce = Salesforce(
            **self.credentials["salesforce"], base_url=self.salesforce, clock=time.seconds, timeout=TIMEOUT,
            link_keys=LINK_KEYS["salesforce"],
        )  # fmt: skip
        hubspot = HubSpot(
            **self._way_in(), base_url=self.hubspot, seconds=time.seconds, sleep=time.wait, timeout=TIMEOUT,
            link_keys=LINK_KEYS["hubspot"],
        )  # fmt: skip
        if self.parallel_calls:
            salesforce._capabilities = self._in_small_calls(salesforce.capabilities)
            hubspot.capabilities = self._in_small_calls(hubspot.capabilities)
        return {"salesforce": salesforce, "hubspot": hubspot}

    def _way_in(self) -> dict[str, Any]:
        known = self.credentials["hubspot"]
        if not self.as_app:
            return {"token": known["token"]}
        app = {"client_id": known["client_id"], "client_secret": known["client_secret"]}
        return {**app, "refresh_token": Kept(known["refresh_token"])}

    def _in_small_calls(self, capabilities: Capabilities) -> Capabilities:
        size = self.records_a_call
        return replace(capabilities, write_chunk=size, read_chunk=size, conditional_chunk=size)

    @contextmanager
    def slices(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            if self.parallel_calls:
                patch.setattr(apply, "CANARY", (1, 1))
            yield


@contextmanager
def opened(site: Site, folder: Path, time: Time) -> Iterator[Installation]:
    """The installation as one process would open it: with the lock, with new connections."""
    life = open_installation(config_of(folder), connectors=site.connectors(time), clock=time.now)
    with site.slices(), life as installation:
        for entity_type in installation.policies.policies.entity_types:
            if entity_type not in pairing.accepted(installation):
                installation.ledger.record_event(pairing.ACCEPTED, entity_type, "anna@example.com", {})
        yield installation


def config_of(folder: Path) -> Config:
    return read_config(folder / "config.yaml")


def write_setting(folder: Path, site: Site, mode: str = "act") -> None:
    """Config and policies; secrets are obviously fake and open nothing but the emulator."""
    folder.mkdir(parents=True, exist_ok=True)
    secrets = {**site.credentials["salesforce"], "token": site.credentials["hubspot"]["token"]}
    for name in ("client_id", "client_secret", "token"):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(secrets[name], encoding="utf-8")
    config: dict[str, Any] = {
        "salesforce": {
            "domain": site.credentials["salesforce"]["domain"],
            "client_id": f"file:{folder / 'client_id'}",
            "client_secret": f"file:{folder / 'client_secret'}",
            "base_url": site.salesforce,
            "link_keys": LINK_KEYS["salesforce"],
        },
        "hubspot": {
            "token": f"file:{folder / 'token'}",
            "base_url": site.hubspot,
            "link_keys": LINK_KEYS["hubspot"],
        },
        "run": {"mode": mode},
    }
    if site.parallel_calls:
        config["calls"] = {key: {"parallel_calls": site.parallel_calls} for key in ("salesforce", "hubspot")}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    copytree(POLICIES, folder / "policies")


class Colleagues:
    """People who work in both CRMs."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def create(self, system: str, object_type: str, /, **values: Any) -> str:
        return str(self._admin.post("/create", system=system, object=object_type, values=values)["id"])

    def edit(self, system: str, object_type: str, record_id: str, **values: Any) -> None:
        self._admin.post("/edit", system=system, object=object_type, id=record_id, values=values)

    def delete(self, system: str, object_type: str, record_id: str) -> None:
        self._admin.post("/delete", system=system, object=object_type, id=record_id)


def fill(colleagues: Colleagues) -> dict[str, str]:
    """One of everything; returns {name: id}."""
    made: dict[str, str] = {}

    def there(who: str, system: str, object_type: str, /, **values: Any) -> None:
        made[who] = colleagues.create(system, object_type, **values)

    there("acme", "salesforce", "Account", Name="Acme", Website="acme.example", Phone="+12125550100")
    there("acme'", "hubspot", "companies", name="Acme Inc", domain="acme.example")
    there("beta", "salesforce", "Account", Name="Beta", Website="beta.example", Phone="+12125550101")
    contact = ("salesforce", "Contact")
    twin = ("hubspot", "contacts")
    there("ann", *contact, FirstName="Ann", LastName="Ames", Email="ann@acme.example", Title="CEO",
          AccountId=made["acme"], Customer_Stage__c="MQL")  # fmt: skip
    there("ann'", *twin, firstname="Ann", lastname="Ames", email="ann@acme.example", jobtitle="Chief",
          lifecyclestage="lead")  # fmt: skip
    there("bob", *contact, FirstName="Bob", LastName="Bell", Email="bob@acme.example", Title="CTO",
          AccountId=made["acme"])  # fmt: skip
    there("bob'", *twin, firstname="Bob", lastname="Bell", email="bob@acme.example", jobtitle="CTO",
          phone="+12125550102")  # fmt: skip
    there("cid", *contact, FirstName="Cid", LastName="Cole", Email="cid@beta.example", Title="COO",
          AccountId=made["beta"])  # fmt: skip
    there("dee", *contact, FirstName="Dee", LastName="Dahl", Email="dee@acme.example", Title="CFO",
          AccountId=made["acme"], Customer_Stage__c="MQL")  # fmt: skip
    there("dee'", *twin, firstname="Dee", lastname="Dahl", email="dee@acme.example", jobtitle="CFO",
          lifecyclestage="salesqualifiedlead")  # fmt: skip
    there("eve", "salesforce", "Lead", FirstName="Eve", LastName="Egan", Email="eve@gamma.example", Company="Gamma",
          Title="Buyer")  # fmt: skip
    there("eve'", *twin, firstname="Eve", lastname="Egan", email="eve@gamma.example", phone="+12125550103")
    return made


def fill_more(colleagues: Colleagues, people: int) -> None:
    """So many pairs that are to be written in both systems, and half as many who are to be created."""
    for number in range(people):
        name = {"first": "Flo", "last": f"Flynn{number}", "email": f"flo{number}@acme.example"}
        contact = {"FirstName": name["first"], "LastName": name["last"], "Email": name["email"], "Title": f"T{number}"}
        twin = {"firstname": name["first"], "lastname": name["last"], "email": name["email"]}
        colleagues.create("salesforce", "Contact", **contact)
        colleagues.create("hubspot", "contacts", **twin, jobtitle="Other", phone=f"+1212555{2000 + number}")
    for number in range(people // 2):
        colleagues.create(
            "salesforce", "Contact", FirstName="Gil", LastName=f"Grant{number}", Email=f"gil{number}@acme.example"
        )
