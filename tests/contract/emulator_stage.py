"""What both vendors' stages share for the conformance suite: people at work in the emulator, faults, and its audit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from agent.connector import Connector, Op
from agent.declaration import Names
from agent.records import Ref
from connectors.conformance.desk import Fault, Values
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator

NOBODY = "http://127.0.0.1:9"

Routes = dict[str, list[tuple[str | None, str]]]


class EmulatorStage(ABC):
    """A connector at the emulator. A vendor's stage says how it connects and by which requests each operation goes."""

    system: ClassVar[str]
    names: ClassVar[Names]
    routes: ClassVar[Routes]
    throttled: ClassVar[int]
    """The status by which the vendor says "not so fast"."""

    connector: Connector

    def __init__(self, emulator: Emulator, *, has_key: bool) -> None:
        self.emulator = emulator
        self.admin = Admin(emulator.admin_url)
        self.has_key = has_key

    @abstractmethod
    def connected(self, url: str) -> Connector:
        """The real client at this address."""

    def some(self, count: int) -> list[Ref]:
        return [
            Ref(self.system, self.names.object_type, self.person_create(self.names.object_type, values))
            for number in range(count)
            for values in [{self.names.email: f"s{number}@example.com", self.names.last: f"Some {number}"}]
        ]

    def person_create(self, object_type: str, values: Values) -> str:
        return str(self._asked("/create", object=object_type, values=dict(values))["id"])

    def person_edit(self, record_id: str, values: Values) -> None:
        self._asked("/edit", id=record_id, values=dict(values))

    def person_delete(self, record_id: str) -> None:
        self._asked("/delete", id=record_id)

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        return str(self._asked("/merge", survivor=survivor_id, loser=loser_id)["id"])

    def hide(self, field: str) -> None:
        self._asked("/permissions", hide=field)

    def advance(self, seconds: float) -> None:
        self.admin.post("/clock/advance", seconds=seconds)

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        """The ``nth`` matching request from now on goes wrong; a fault still waiting is taken back first."""
        self.admin.delete("/faults")
        for method, route in self.routes[op]:
            self.admin.fault(system=self.system, method=method, route=route, nth=nth, **self._fault(fault))

    def requests(self) -> int:
        return sum(line["system"] == self.system for line in self.admin.get("/journal?since=0"))

    def api_changes(self) -> list[tuple[str, str]]:
        return [(line["op"], line["id"]) for line in self.admin.audit() if line["cause"] == "api"]

    def lock_out(self) -> None:
        self.admin.post("/tokens/revoke", system=self.system)

    def unplugged(self) -> Connector:
        return self.connected(NOBODY)

    def _asked(self, path: str, **body: Any) -> Any:
        return self.admin.post(path, **{"system": self.system, "object": self.names.object_type, **body})

    def _fault(self, fault: Fault) -> dict[str, Any]:
        return {
            "drop_before": {"action": "drop_before"},
            "drop_after": {"action": "drop_after"},
            "unavailable": {"action": "status", "status": 503},
            "throttled": {"action": "status", "status": self.throttled},
            "html": {"action": "html_200"},
        }[fault]
