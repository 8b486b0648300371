"""HubSpot set up for the conformance suite: the real client library against the emulator."""

from __future__ import annotations

from typing import Any, Literal

from agent.connector import Connector, Op
from agent.declaration import Names
from agent.records import Ref
from connectors.conformance.desk import Fault, Values
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot

FAULTS: dict[Fault, dict[str, Any]] = {
    "drop_before": {"action": "drop_before"},
    "drop_after": {"action": "drop_after"},
    "unavailable": {"action": "status", "status": 503},
    "throttled": {"action": "status", "status": 429},
    "html": {"action": "html_200"},
}
ROUTES: dict[str, list[tuple[str | None, str]]] = {
    "read": [(None, "*")],
    "create": [("POST", "*/batch/create"), ("POST", "*/contacts")],
    "update": [("POST", "*/batch/update")],
    "associate": [("POST", "*/batch/create"), ("POST", "*/batch/update")],
    "delete": [("DELETE", "*")],
    "merge": [("POST", "*/merge")],
}
NOBODY = "http://127.0.0.1:9"


class HubSpotStage:
    names = Names(
        "contacts",
        "email",
        "firstname",
        "lastname",
        "jobtitle",
        "truce_key",
        parent_type="companies",
        parent_name="name",
    )

    def __init__(self, emulator: Emulator, *, has_key: bool, api_version: str = "v3") -> None:
        self._emulator = emulator
        self._admin = Admin(emulator.admin_url)
        self._api_version: Any = api_version
        self.has_key = has_key
        self.secrets = [emulator.credentials["hubspot"]["token"], "p1@example.com"]
        self.connector = self._connected(emulator.hubspot_url)
        self._admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=5.0)

    def _connected(self, url: str) -> HubSpot:
        return HubSpot(
            token=self._emulator.credentials["hubspot"]["token"],
            base_url=url,
            api_version=self._api_version,
            link_keys={"contacts": "truce_key"} if self.has_key else {},
            timeout=(5, 10),
            seconds=lambda: self._emulator.world.clock.now().timestamp(),
            sleep=self.advance,
        )

    def some(self, count: int) -> list[Ref]:
        return [
            Ref(self.connector.system, self.names.object_type, self.person_create(self.names.object_type, values))
            for number in range(count)
            for values in [{self.names.email: f"s{number}@example.com", self.names.last: f"Some {number}"}]
        ]

    def person_create(self, object_type: str, values: Values) -> str:
        answer = self._admin.post("/create", system="hubspot", object=object_type, values=dict(values))
        return str(answer["id"])

    def person_edit(self, record_id: str, values: Values) -> None:
        self._admin.post("/edit", system="hubspot", object="contacts", id=record_id, values=dict(values))

    def person_delete(self, record_id: str) -> None:
        self._admin.post("/delete", system="hubspot", object="contacts", id=record_id)

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        answer = self._admin.post("/merge", system="hubspot", object="contacts", survivor=survivor_id, loser=loser_id)
        return str(answer["id"])

    def hide(self, field: str) -> None:
        self._admin.post("/permissions", system="hubspot", object="contacts", hide=field)

    def advance(self, seconds: float) -> None:
        self._admin.post("/clock/advance", seconds=seconds)

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        """The ``nth`` matching request from now on goes wrong; a fault still waiting is taken back first."""
        self._admin.delete("/faults")
        for method, route in ROUTES[op]:
            self._admin.fault(system="hubspot", method=method, route=route, nth=nth, **FAULTS[fault])

    def requests(self) -> int:
        return sum(line["system"] == "hubspot" for line in self._admin.get("/journal?since=0"))

    def api_changes(self) -> list[tuple[str, str]]:
        return [(line["op"], line["id"]) for line in self._admin.audit() if line["cause"] == "api"]

    def lock_out(self) -> None:
        self._admin.post("/tokens/revoke", system="hubspot")

    def unplugged(self) -> Connector:
        return self._connected(NOBODY)
