"""Salesforce set up for the conformance suite: the real client library against the emulator."""

from __future__ import annotations

from typing import Any, ClassVar

from emulator_stage import EmulatorStage, Routes

from agent.declaration import Names
from connectors.emulator.serve import Emulator
from connectors.salesforce.connector import Salesforce


class SalesforceStage(EmulatorStage):
    system = "salesforce"
    names = Names(
        "Contact", "Email", "FirstName", "LastName", "Title", "Truce_Key__c", parent_type="Account", parent_name="Name"
    )
    routes: ClassVar[Routes] = {
        "read": [("GET", "*"), ("POST", "*/composite/sobjects/*")],
        "create": [("PATCH", "*/composite/sobjects/*"), ("POST", "*/sobjects/Contact/")],
        "update": [("PATCH", "*/composite/sobjects")],
        "associate": [("PATCH", "*/composite/sobjects")],
        "delete": [("DELETE", "*/composite/sobjects")],
        "merge": [("POST", "*/Soap/u/*")],
    }
    throttled = 403

    def __init__(self, emulator: Emulator, *, has_key: bool) -> None:
        super().__init__(emulator, has_key=has_key)
        self.secrets = [emulator.credentials["salesforce"]["client_secret"], "p1@example.com"]
        self.connector = self.connected(emulator.salesforce_url)
        self.connector.schema("Contact")  # as the engine does first; descriptions are remembered from then on

    def connected(self, url: str) -> Salesforce:
        credentials: dict[str, Any] = dict(self.emulator.credentials["salesforce"])
        keys = {"Contact": "Truce_Key__c"} if self.has_key else {}
        world_clock = self.emulator.world.clock
        return Salesforce(
            **credentials, base_url=url, link_keys=keys, clock=lambda: world_clock.now().timestamp(), timeout=(5, 10)
        )

    def lock_out(self) -> None:
        self.admin.post("/settings", system="salesforce", name="clients", value={})
        super().lock_out()
