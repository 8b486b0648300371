"""A small company for flow tests: both practice CRMs, the real clients, an installation, a handful of people.

``Stage`` plays everybody: people who edit in the CRMs, revops who writes policies and orders things, and the clock,
which stands still until it is moved. Orders are those the command line and the daemon carry out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from jsonschema import validate

from agent import apply
from agent.config.config import Config
from agent.connector import Connector
from agent.errors import Interrupted
from agent.installation import Installation, never
from agent.orders.orders import carry_out
from agent.pairing.pairing import ACCEPTED
from agent.records import FieldValue, Ref
from agent.wiring.opening import open_installation, reload_policies
from agent.wiring.settings import first_config_kind
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot
from connectors.salesforce.connector import Salesforce

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
SHAPES = {
    kind: json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8")) for kind in ("plan", "apply", "rollback")
}
SHAPES["preview-rollback"] = SHAPES["rollback"]

ANNA, BEN, TOM, PAT = "anna@example.com", "ben@example.com", "tom@example.com", "pat@example.com"
ONE_DAY = 86_400.0

HEADER = """\
responsible: anna@example.com
purpose: Both CRMs agree
review_by: 2027-03-01
"""

FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce unless blank}
  city:      {salesforce: {Lead: City, Contact: MailingCity}, hubspot: city, wins: salesforce, may_clear: true}
  phone:     {salesforce: Phone, hubspot: phone, wins: hubspot}
  owner:     {salesforce: OwnerId, hubspot: hubspot_owner_id, wins: salesforce, owner: true, otherwise: skip}
"""

STAGES = f"""\
policy: person-lifecycle
kind: lifecycle
{HEADER}mode: act
about: person
wins: salesforce
fields:
  contact_stage: {{Contact: Customer_Stage__c}}
stages:
  Lead:     {{hubspot: lead, contact_stage: Lead}}
  MQL:      {{hubspot: marketingqualifiedlead, contact_stage: MQL}}
  Customer: {{hubspot: customer, contact_stage: Customer}}
moves:
  - {{to: Lead}}
  - {{to: MQL}}
  - {{to: Customer}}
back: {{approve: revops, reason: required}}
"""

TEAM = f"""\
policy: sales-team
kind: people
{HEADER}time_zone: Europe/Berlin
groups:
  revops: [{ANNA}, {BEN}, {TOM}]
"""


def person_policy(
    *,
    mode: str = "act",
    fields: str = FIELDS,
    create: str = "",
    first_time: str = "winner",
    losing_edit: str = "revert",
) -> str:
    """``create``: the line after ``create:``, such as ``{hubspot: {from: [Contact]}}``."""
    return f"""\
policy: person-basics
kind: fields
{HEADER}mode: {mode}
defines: person
records: {{salesforce: [Contact, Lead], hubspot: contacts}}
match: [stored id, email]
{f"create: {create}" if create else ""}
first_time: {first_time}
losing_edit: {losing_edit}
fields:
{fields}"""


def limits_policy(
    *, batch: str = "{records: 200}", day: str = "", approve: str = "{otherwise: {people: 1, from: [revops]}}"
) -> str:
    day_line = f"day: {day}\n" if day else ""
    return f"policy: daily-limits\nkind: limits\n{HEADER}batch: {batch}\n{day_line}approve: {approve}\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """One person in both CRMs: the Contact's id and the HubSpot contact's."""

    salesforce: str
    hubspot: str

    @property
    def contact(self) -> Ref:
        return Ref("salesforce", "Contact", self.salesforce)

    @property
    def hub(self) -> Ref:
        return Ref("hubspot", "contacts", self.hubspot)


class Stage:
    """One installation between the two practice CRMs. Policies are in force from ``open`` on; reopen to restart."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.admin = Admin(emulator.admin_url)
        self.clock = emulator.world.clock
        self.actor = ANNA
        self.editor = ANNA
        self.link_keys = True
        self.bulk_above = 2000
        self.parallel_calls: int | None = None
        self.hubspot_version = "v3"
        self.is_pairing_accepted = True
        self._people = 0
        self._open = ExitStack()
        self._installation: Installation | None = None
        (folder / "policies").mkdir()
        self.write_policies(person=person_policy(), team=TEAM)

    # The installation ------------------------------------------------------------------------------------------------

    @property
    def installation(self) -> Installation:
        """Opened at the first use; every policy in it was approved to act."""
        if self._installation is None:
            self._installation = self._open.enter_context(self.started())
        return self._installation

    @contextmanager
    def started(self) -> Iterator[Installation]:
        """A process that has just taken the writer lock."""
        with open_installation(
            self.config, connectors=self._connectors(), clock=self.clock.now, editor=self.editor
        ) as installation:
            if self.is_pairing_accepted:
                installation.ledger.record_event(ACCEPTED, "person", ANNA, {})
            yield installation

    @contextmanager
    def started_reading(self) -> Iterator[Installation]:
        """A process that only looks: no lock, no vendor."""
        with open_installation(
            self.config, writer=False, connectors=self._connectors(), clock=self.clock.now
        ) as installation:
            yield installation

    def close(self) -> None:
        """Let go of everything, as the end of a process does."""
        self._open.close()
        self._installation = None

    @property
    def config(self) -> Config:
        config = {
            "home": self.folder,
            "salesforce": {
                "domain": "practice.my",
                "client_id": "env:NOT_ASKED",
                "client_secret": "env:NOT_ASKED",
                "base_url": self.emulator.salesforce_url,
                "link_keys": dict.fromkeys(("Contact", "Lead"), "Truce_Key__c") if self.link_keys else {},
                "bulk_above": self.bulk_above,
            },
            "hubspot": {
                "token": "env:NOT_ASKED",
                "base_url": self.emulator.hubspot_url,
                "link_keys": {"contacts": "truce_key"} if self.link_keys else {},
                "api_version": self.hubspot_version,
            },
            "run": {"mode": "act"},
            "calls": {system: {"parallel_calls": self.parallel_calls} for system in ("salesforce", "hubspot")},
            "people": {
                "anna": ANNA,
                "ben": BEN,
                "tom": TOM,
                "kim": "kim@example.com",
                "lee": "lee@example.com",
                "pat": PAT,
            },
        }
        return first_config_kind().model_validate(config)

    def _connectors(self) -> Mapping[str, Connector]:
        login: dict[str, Any] = dict(self.emulator.credentials["salesforce"])
        config = self.config

        def seconds() -> float:
            return self.clock.now().timestamp()

        return {
            "salesforce": Salesforce(
                **login,
                base_url=self.emulator.salesforce_url,
                link_keys=config.salesforce.link_keys,
                clock=seconds,
                bulk_above=config.salesforce.bulk_above,
                sleep=self.advance,
            ),
            "hubspot": HubSpot(
                token=self.emulator.credentials["hubspot"]["token"],
                base_url=self.emulator.hubspot_url,
                link_keys=config.hubspot.link_keys,
                stored_ids=config.hubspot.stored_ids,
                api_version=config.hubspot.api_version,
                seconds=seconds,
                sleep=self.advance,
            ),
        }

    # Revops ----------------------------------------------------------------------------------------------------------

    def write_policies(self, **texts: str) -> None:
        """Write ``<name>.yaml`` per text; the others stay. An empty text removes the file."""
        for name, text in texts.items():
            path = self.folder / "policies" / f"{name}.yaml"
            if text:
                path.write_text(text, encoding="utf-8")
            else:
                path.unlink()
        if self._installation is not None:
            reload_policies(self._installation)

    def go_live(self, *names: str) -> None:
        """Approve the meaning of these policies, or of all of them."""
        headers = self.installation.policies.policies.headers
        for name in names or tuple(headers):
            self.installation.approvals.activate(name, headers[name].meaning, ANNA)

    def order(self, kind: str, actor: str = "", **body: Any) -> dict[str, Any]:
        """Carry out an order as the command line does; its result has the shape that docs/schemas promises."""
        result = carry_out(self.installation, kind, body, actor or self.actor, apply.silent)
        if kind in SHAPES:
            validate(json.loads(json.dumps(result, default=str)), SHAPES[kind])
        return result

    def plan(self, *policies: str) -> dict[str, Any]:
        return self.order("plan", policies=list(policies))

    def apply(self, plan: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Apply a plan, by default one made now."""
        return self.order("apply", plan=(plan or self.plan())["plan"], **more)

    def cycle(self) -> dict[str, Any]:
        return self.order("cycle")

    def preview(self, *batches: str, **selection: Any) -> dict[str, Any]:
        return self.order("preview-rollback", batches=list(batches), **selection)

    def rollback(self, *batches: str, actor: str = "", **selection: Any) -> dict[str, Any]:
        return self.order("rollback", actor, batches=list(batches), **selection)

    def interrupt(self, kind: str, **body: Any) -> None:
        """Give an order and stop it, as Ctrl-C does, once it has written something: one conditional write at most."""
        salesforce: Any = self.installation.connectors["salesforce"]
        salesforce._capabilities = replace(salesforce.capabilities, conditional_chunk=1)
        mark = self.mark()
        self.installation.stop = lambda: bool(self.written(mark))
        with pytest.raises(Interrupted), self.installation.side_by_side.one_after_the_other():
            self.order(kind, **body)
        self.installation.stop = never

    def approve(self, batch: str, actor: str = "", count: int | None = None, reason: str = "") -> dict[str, Any]:
        """Approve what waits, by default all that does."""
        shown = self.states(batch).get("held", 0) if count is None else count
        return self.order("approve", actor, batch=batch, count=shown, reason=reason)

    def states(self, batch: str) -> dict[str, int]:
        """{entry state: number} of a batch."""
        return dict(self.installation.ledger.batch(batch).counts)

    def agree(self) -> None:
        """Write everything the policies want, until there is nothing to write; then let ten minutes pass."""
        plan = self.plan()
        if plan["changes"]:
            self.apply(plan, confirm=plan["changes"])
        self.advance(700)
        self.cycle()

    # People in the CRMs ----------------------------------------------------------------------------------------------

    def make_contact(self, **values: FieldValue) -> str:
        body = {"LastName": "Lovelace", **values}
        return str(self.admin.post("/create", system="salesforce", object="Contact", values=body)["id"])

    def make_lead(self, **values: FieldValue) -> str:
        body = {"LastName": "Lovelace", "Company": "Engines", **values}
        return str(self.admin.post("/create", system="salesforce", object="Lead", values=body)["id"])

    def make_hub(self, **values: FieldValue) -> str:
        return str(self.admin.post("/create", system="hubspot", object="contacts", values=values)["id"])

    def pair(self, salesforce: Mapping[str, FieldValue], hubspot: Mapping[str, FieldValue] | None = None) -> Pair:
        """One person in both CRMs, with the same e-mail."""
        self._people += 1
        email = f"p{self._people}@acme.example"
        there: dict[str, FieldValue] = {"hubspot_owner_id": self.owner("hubspot", "anna"), **(hubspot or {})}
        made = Pair(self.make_contact(Email=email, **salesforce), self.make_hub(email=email, **there))
        self.advance(60)
        return made

    def pairs(self, count: int, salesforce: Mapping[str, FieldValue], hubspot: Mapping[str, FieldValue]) -> list[Pair]:
        return [self.pair(salesforce, hubspot) for _ in range(count)]

    def edit(self, ref: Ref, actor: str | dict[str, str] = "kim", **values: FieldValue) -> None:
        """Somebody edits a record at their desk."""
        self.admin.post("/edit", system=ref.system, object=ref.object_type, id=ref.id, values=dict(values), actor=actor)
        self.advance(1)

    def delete(self, ref: Ref) -> None:
        self.admin.post("/delete", system=ref.system, object=ref.object_type, id=ref.id)

    def erase_for_good(self, ref: Ref) -> None:
        """What an administrator does when a person asks to be forgotten: a GDPR delete, or a bin emptied at once."""
        if ref.system == "salesforce":
            self.delete(ref)
            self.admin.post("/settings", system="salesforce", name="bin_days", value=0)
            return
        key = self.emulator.credentials["hubspot"]["token"]
        request = Request(
            f"{self.emulator.hubspot_url}/crm/v3/objects/{ref.object_type}/gdpr-delete",
            data=json.dumps({"objectId": ref.id}).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        )
        with urlopen(request) as answer:
            assert answer.status == 204

    def merge(self, survivor: Ref, loser: Ref) -> None:
        self.admin.post("/merge", system=loser.system, object=loser.object_type, survivor=survivor.id, loser=loser.id)

    def owner(self, system: str, login: str) -> str:
        space = self.emulator.world.spaces[system]
        if system == "salesforce":
            return str(space.settings["users"][login])
        return next(str(key) for key, owner in space.settings["owners"].items() if owner["email"].startswith(login))

    # The truth -------------------------------------------------------------------------------------------------------

    def value(self, ref: Ref, field: str) -> FieldValue:
        """What the CRM really holds; a blank is None whatever the vendor's form of it."""
        row = self.emulator.world.spaces[ref.system].table(ref.object_type)[ref.id]
        held: FieldValue = row.values.get(field)
        return None if held == "" else held

    def is_deleted(self, ref: Ref) -> bool:
        return self.emulator.world.spaces[ref.system].table(ref.object_type)[ref.id].deleted

    def ids(self, system: str, object_type: str) -> list[str]:
        """Live records."""
        table = self.emulator.world.spaces[system].table(object_type)
        return [row.id for row in table.values() if not row.deleted]

    def mark(self) -> int:
        """Where the audit stands now; for ``written``."""
        return int(self.admin.get("/health")["last_seq"])

    def written(self, since: int = 0) -> list[dict[str, Any]]:
        """Every change our own user made after ``since``."""
        return [line for line in self.admin.audit(since) if line["cause"] == "api"]

    def advance(self, seconds: float) -> datetime:
        return self.clock.advance(seconds)
