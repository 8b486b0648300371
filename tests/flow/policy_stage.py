"""Both practice CRMs, the shipped policies (or a test's own), and an installation between them.

People act through the emulator's admin side; Truce works through the vendors' real client libraries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

from agent import cycle
from agent.apply import Tally
from agent.changes import Change, Decision, TraceStep
from agent.cycle import CycleReport
from agent.decide.decide import decide
from agent.installation import Installation
from agent.pairing.pairing import ACCEPTED
from agent.plan import plan as plans
from agent.records import Ref
from agent.reviews.reviews import Review
from agent.views import views
from agent.wiring.opening import open_installation
from agent.wiring.settings import first_config_kind
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot
from connectors.salesforce.connector import Salesforce

SHIPPED = Path(__file__).parents[2] / "policies"
SALESFORCE_KEYS = dict.fromkeys(("Contact", "Lead", "Account", "Opportunity", "OpportunityContactRole"), "Truce_Key__c")
HUBSPOT_KEYS = dict.fromkeys(("contacts", "companies", "deals"), "truce_key")
STORED_IDS = {
    "contacts": {"salesforcecontactid": "Contact", "salesforceleadid": "Lead"},
    "companies": {"salesforceaccountid": "Account"},
}
EDITOR = "anna@example.com"

Values = Mapping[str, Any]


def shipped(*, without: Sequence[str] = ()) -> dict[str, str]:
    """The policies that come with Truce, by file name."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(SHIPPED.glob("*.yaml"))
        if path.stem not in without
    }


def acting(sources: Mapping[str, str]) -> dict[str, str]:
    """The same policies, allowed to write by themselves."""
    return {name: text.replace("mode: ask", "mode: act") for name, text in sources.items()}


class PolicyStage:
    """One installation over the running emulator. ``sources`` are its policy files."""

    api_version: Literal["v3", "2026-09"] = "v3"

    def __init__(
        self, emulator: Emulator, folder: Path, sources: Mapping[str, str] | None = None, *, has_keys: bool = True
    ) -> None:
        self.admin = Admin(emulator.admin_url)
        self.folder = folder
        self._emulator = emulator
        self._has_keys = has_keys
        self.stored_ids: Mapping[str, Mapping[str, str]] = STORED_IDS
        self._open = ExitStack()
        (folder / "policies").mkdir()
        for name, text in (shipped() if sources is None else sources).items():
            (folder / "policies" / name).write_text(text, encoding="utf-8")
        self.installation = self._opened()

    def _opened(self) -> Installation:
        secret = {"client_id": "env:UNUSED", "client_secret": "env:UNUSED"}
        config = first_config_kind().model_validate(
            {
                "home": self.folder,
                "salesforce": {"domain": "practice.my", **secret, "base_url": self._emulator.salesforce_url},
                "hubspot": {"token": "env:UNUSED", "base_url": self._emulator.hubspot_url},
                "run": {"mode": "act"},
            }
        )
        clock = self._emulator.world.clock.now
        opened = self._open.enter_context(
            open_installation(config, connectors=self._connectors(), clock=clock, editor=EDITOR)
        )
        for entity_type in opened.policies.policies.entity_types:
            opened.ledger.record_event(ACCEPTED, entity_type, EDITOR, {})
        return opened

    def _connectors(self) -> dict[str, Any]:
        def seconds() -> float:
            return self._emulator.world.clock.now().timestamp()

        credentials: dict[str, Any] = self._emulator.credentials
        return {
            "salesforce": Salesforce(
                **credentials["salesforce"],
                base_url=self._emulator.salesforce_url,
                link_keys=SALESFORCE_KEYS if self._has_keys else {},
                clock=seconds,
            ),
            "hubspot": HubSpot(
                token=credentials["hubspot"]["token"],
                base_url=self._emulator.hubspot_url,
                api_version=self.api_version,
                link_keys=HUBSPOT_KEYS if self._has_keys else {},
                stored_ids=self.stored_ids,
                seconds=seconds,
                sleep=self.wait,
            ),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def change_policies(self, sources: Mapping[str, str]) -> None:
        """Somebody edits the policy files; the installation starts again with them."""
        self._open.close()
        self._open = ExitStack()
        for name, text in sources.items():
            (self.folder / "policies" / name).write_text(text, encoding="utf-8")
        self.installation = self._opened()

    def go_live(self) -> None:
        """Every policy's meaning is approved."""
        for name, header in self.installation.policies.policies.headers.items():
            self.installation.approvals.activate(name, header.meaning, EDITOR)

    # what people do

    def create(self, system: str, object_type: str, **values: Any) -> Ref:
        answer = self.admin.post("/create", system=system, object=object_type, values=values)
        return Ref(system, object_type, str(answer["id"]))

    def edit(self, ref: Ref, **values: Any) -> None:
        self.admin.post("/edit", system=ref.system, object=ref.object_type, id=ref.id, values=values)

    def delete(self, ref: Ref) -> None:
        self.admin.post("/delete", system=ref.system, object=ref.object_type, id=ref.id)

    def undelete(self, ref: Ref) -> None:
        self.admin.post("/undelete", system=ref.system, object=ref.object_type, id=ref.id)

    def merge(self, survivor: Ref, loser: Ref) -> Ref:
        answer = self.admin.post(
            "/merge", system=survivor.system, object=survivor.object_type, survivor=survivor.id, loser=loser.id
        )
        return Ref(survivor.system, survivor.object_type, str(answer["id"]))

    def convert(self, lead: Ref, **options: Any) -> Ref:
        """The Contact that the Lead became."""
        answer = self.admin.post("/convert", id=lead.id, do_not_create_opportunity=True, **options)
        return Ref("salesforce", "Contact", answer["contactId"])

    def wait(self, seconds: float) -> None:
        self.admin.post("/clock/advance", seconds=seconds)

    # what Truce does

    def cycle(self, *, sweep: bool = False) -> CycleReport:
        """A cycle a few minutes later, so that every stamp and search index has caught up."""
        self.wait(300)
        if sweep:
            cycle.pull_all(self.installation, sweep=True)
        return cycle.run(self.installation)

    def pair(self) -> None:
        """Read both CRMs and pair, as ``truce pair`` does."""
        self.wait(300)
        cycle.pull_all(self.installation)
        cycle.identify_pending(self.installation)

    def apply(self, **options: Any) -> Tally:
        """Plan and apply, as a person who has seen the plan."""
        self.wait(300)
        plan = plans.make(self.installation)
        _, tally = plans.apply_plan(self.installation, plan, EDITOR, **options)
        return tally

    def planned(self) -> list[Change]:
        self.wait(300)
        return plans.make(self.installation).changes

    # what can be seen

    def values(self, ref: Ref) -> dict[str, Any]:
        """What the vendor holds."""
        row = self._emulator.world.spaces[ref.system].tables[ref.object_type][ref.id]
        return dict(row.values)

    def refs(self, system: str, object_type: str) -> list[Ref]:
        """Live records at the vendor."""
        table = self._emulator.world.spaces[system].tables.get(object_type, {})
        return [Ref(system, object_type, row.id) for row in table.values() if not row.deleted]

    def entity(self, ref: Ref) -> str:
        found = self.installation.crosswalk.entity_of(ref)
        assert found is not None, f"{ref} belongs to nobody"
        return found

    def members(self, ref: Ref) -> dict[Ref, tuple[str, str]]:
        """{record: (role, state)} of the entity this record belongs to."""
        entity_id = self.entity(ref)
        return {
            link.ref: (link.role, link.state) for link in self.installation.crosswalk.members([entity_id])[entity_id]
        }

    def decision(self, ref: Ref) -> Decision:
        (view,) = views(self.installation, [self.entity(ref)])
        return decide(view, self.installation.policies)

    def said(self, ref: Ref, field: str) -> list[TraceStep]:
        return [step for step in self.decision(ref).trace if step.field == field]

    def reviews(self, kind: str | None = None) -> list[Review]:
        return self.installation.reviews.list(kind=kind)

    def api_writes(self) -> list[tuple[str, str, str]]:
        """(operation, object, id) of everything Truce changed at the vendors so far."""
        return [(line["op"], line["object"], line["id"]) for line in self.admin.audit() if line["cause"] == "api"]
