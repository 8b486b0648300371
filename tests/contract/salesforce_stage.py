"""Salesforce set up for the conformance suite: the real client library against the emulator."""

from __future__ import annotations

from typing import Any, Literal

from agent.connector import Connector, Op
from agent.declaration import Names
from agent.records import Ref
from connectors.conformance.desk import Fault, Values
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.salesforce.connector import Salesforce

FAULTS: dict[Fault, dict[str, Any]] = {
    "drop_before": {"action": "drop_before"},
    "drop_after": {"action": "drop_after"},
    "unavailable": {"action": "status", "status": 503},
    "throttled": {"action": "status", "status": 403},
    "html": {"action": "html_200"},
}
ROUTES: dict[str, list[tuple[str, str]]] = {
    "read": [("GET", "*"), ("POST", "*/composite/sobjects/*")],
    "create": [("PATCH", "*/composite/sobjects/*"), ("POST", "*/sobjects/Contact/")],
    "update": [("PATCH", "*/composite/sobjects")],
    "associate": [("PATCH", "*/composite/sobjects")],
    "delete": [("DELETE", "*/composite/sobjects")],
    "merge": [("POST", "*/Soap/u/*")],
}
NOBODY = "http://127.0.0.1:9"


class SalesforceStage:
    names = Names(
        "Contact", "Email", "FirstName", "LastName", "Title", "Truce_Key__c", parent_type="Account", parent_name="Name"
    )

    def __init__(self, emulator: Emulator, *, has_key: bool) -> None:
        self._emulator = emulator
        self._admin = Admin(emulator.admin_url)
        self.has_key = has_key
        self.secrets = [emulator.credentials["salesforce"]["client_secret"], "p1@example.com"]
        self.connector = self._connected(emulator.salesforce_url)
        self.connector.schema("Contact")  # as the engine does first; descriptions are remembered from then on

    def _connected(self, url: str) -> Salesforce:
        credentials: dict[str, Any] = dict(self._emulator.credentials["salesforce"])
        keys = {"Contact": "Truce_Key__c"} if self.has_key else {}
        world_clock = self._emulator.world.clock
        return Salesforce(
            **credentials, base_url=url, link_keys=keys, clock=lambda: world_clock.now().timestamp(), timeout=(5, 10)
        )

    def some(self, count: int) -> list[Ref]:
        return [
            Ref(self.connector.system, self.names.object_type, self.person_create(self.names.object_type, values))
            for number in range(count)
            for values in [{self.names.email: f"s{number}@example.com", self.names.last: f"Some {number}"}]
        ]

    def person_create(self, object_type: str, values: Values) -> str:
        answer = self._admin.post("/create", system="salesforce", object=object_type, values=dict(values))
        return str(answer["id"])

    def person_edit(self, record_id: str, values: Values) -> None:
        self._admin.post("/edit", system="salesforce", object="Contact", id=record_id, values=dict(values))

    def person_delete(self, record_id: str) -> None:
        self._admin.post("/delete", system="salesforce", object="Contact", id=record_id)

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        answer = self._admin.post("/merge", system="salesforce", object="Contact", survivor=survivor_id, loser=loser_id)
        return str(answer["id"])

    def hide(self, field: str) -> None:
        self._admin.post("/permissions", system="salesforce", object="Contact", hide=field)

    def advance(self, seconds: float) -> None:
        self._admin.post("/clock/advance", seconds=seconds)

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        """The ``nth`` matching request from now on goes wrong; a fault still waiting is taken back first."""
        self._admin.delete("/faults")
        for method, route in ROUTES[op]:
            self._admin.fault(system="salesforce", method=method, route=route, nth=nth, **FAULTS[fault])

    def requests(self) -> int:
        return sum(line["system"] == "salesforce" for line in self._admin.get("/journal?since=0"))

    def api_changes(self) -> list[tuple[str, str]]:
        return [(line["op"], line["id"]) for line in self._admin.audit() if line["cause"] == "api"]

    def lock_out(self) -> None:
        self._admin.post("/settings", system="salesforce", name="clients", value={})
        self._admin.post("/tokens/revoke", system="salesforce")

    def unplugged(self) -> Connector:
        return self._connected(NOBODY)
