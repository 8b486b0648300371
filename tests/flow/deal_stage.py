"""Deals in both practice CRMs, under the shipped policies: who makes them, and what is asked about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from policy_stage import PolicyStage, acting, shipped

from agent.records import Ref
from connectors.emulator.serve import Emulator

CLOSES = "2027-03-31"
CLOSES_AT = "2027-03-31T16:00:00Z"


class DealStage(PolicyStage):
    """The shipped policies, live, deals among them."""

    def __init__(
        self, emulator: Emulator, folder: Path, sources: Mapping[str, str] | None = None, *, has_keys: bool = True
    ) -> None:
        super().__init__(emulator, folder, acting(shipped()) if sources is None else sources, has_keys=has_keys)
        self.go_live()

    def opportunity(self, name: str, **values: Any) -> Ref:
        """Somebody makes one in Salesforce."""
        required = {"Name": name, "StageName": "Prospecting", "CloseDate": CLOSES}
        return self.create("salesforce", "Opportunity", **{**required, **values})

    def deal(self, name: str, **values: Any) -> Ref:
        """Somebody makes one in HubSpot."""
        required = {"dealname": name, "dealstage": "appointmentscheduled", "pipeline": "default"}
        return self.create("hubspot", "deals", **{**required, **values})

    def partner_pipeline(self) -> str:
        """An administrator makes a second pipeline, whose only stage is 4711; its id."""
        stages = [{"label": "Met", "stageId": "4711", "displayOrder": 0, "metadata": {"probability": "0.5"}}]
        made = requests.post(
            f"{self._emulator.hubspot_url}/crm/v3/pipelines/deals",
            json={"label": "Partners", "displayOrder": 1, "stages": stages},
            headers={"Authorization": f"Bearer {self._emulator.credentials['hubspot']['token']}"},
            timeout=10,
        )
        return str(made.json()["id"])

    def user(self, email: str) -> str:
        """The Salesforce user with this e-mail."""
        owners = self.installation.connectors["salesforce"].owners()
        return next(owner.id for owner in owners if owner.email == email)

    def hubspot_owner(self, email: str) -> str:
        owners = self.installation.connectors["hubspot"].owners()
        return next(owner.id for owner in owners if owner.email == email)

    def only(self, system: str, object_type: str) -> Ref:
        """The one record there is."""
        (ref,) = self.refs(system, object_type)
        return ref

    def companies(self, *names: str) -> dict[str, tuple[Ref, Ref]]:
        """Companies that are in both CRMs: {name: (account, company)}, paired by their domain."""
        made = {}
        for name in names:
            domain = f"{name.lower()}.example"
            account = self.create("salesforce", "Account", Name=name, Website=domain)
            made[name] = (account, self.create("hubspot", "companies", name=name, domain=domain))
        return made

    def belongs_to(self, deal: Ref) -> str | None:
        """The primary company of a deal, as HubSpot itself keeps it."""
        pairs = self._emulator.world.spaces["hubspot"].links.get(("deals", deal.id), {})
        return next((other for (kind, other), labels in pairs.items() if kind == "companies" and "5" in labels), None)

    def associated_with(self, deal: Ref, kind: str) -> dict[str, set[str]]:
        """{record: labels} of one object type."""
        pairs = self._emulator.world.spaces["hubspot"].links.get(("deals", deal.id), {})
        return {other: set(labels) for (there, other), labels in pairs.items() if there == kind}

    def move_deal(self, deal: Ref, company: Ref) -> None:
        """Somebody makes this the deal's primary company, on the record's page."""
        path = f"objects/deals/{deal.id}/associations/companies/{company.id}"
        self._hubspot("PUT", path, [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}])

    def part_from(self, deal: Ref, other: Ref) -> None:
        """Somebody takes a record off a deal."""
        self._hubspot("DELETE", f"objects/deals/{deal.id}/associations/{other.object_type}/{other.id}")

    def _hubspot(self, method: str, path: str, body: Any = None) -> Any:
        reply = requests.request(
            method,
            f"{self._emulator.hubspot_url}/crm/v4/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._emulator.credentials['hubspot']['token']}"},
            timeout=10,
        )
        assert reply.ok, reply.text
        return reply.json() if reply.content else None

    def people(self, *names: str) -> dict[str, tuple[Ref, Ref]]:
        """People who are in both CRMs: {last name: (Contact, contact)}, paired by e-mail."""
        made = {}
        for name in names:
            email = f"{name.lower()}@acme.example"
            contact = self.create("salesforce", "Contact", LastName=name, Email=email)
            made[name] = (contact, self.create("hubspot", "contacts", lastname=name, email=email))
        return made

    def add_to_deal(self, deal: Ref, contact: Ref, label: int | None = None) -> None:
        """Somebody puts a contact on a deal, perhaps with a label of the account's."""
        path = f"objects/deals/{deal.id}/associations/contacts/{contact.id}"
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]
        if label is not None:
            types.append({"associationCategory": "USER_DEFINED", "associationTypeId": label})
        self._hubspot("PUT", path, types)

    def contact_label(self, text: str) -> int:
        """An administrator makes a label for the contacts of a deal; its number."""
        reply = self._hubspot("POST", "associations/deals/contacts/labels", {"label": text, "name": text.lower()})
        return min(each["typeId"] for each in reply["results"])

    def roles(self, opportunity: Ref) -> dict[str, dict[str, Any]]:
        """{Contact: its role} in Salesforce."""
        found = [self.values(ref) for ref in self.refs("salesforce", "OpportunityContactRole")]
        return {role["ContactId"]: role for role in found if role["OpportunityId"] == opportunity.id}
