"""Our Salesforce connector at the emulator, and what people at the practice company do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from agent.connector import Page, Window, Write, WriteOutcome
from agent.records import Record, Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.salesforce.connector import Salesforce

KEYS = {"Contact": "Truce_Key__c", "Lead": "Truce_Key__c", "Account": "Truce_Key__c"}
LAST_CONTACT = "003zzzzzzzzzzzzAAA"


def connect(emulator: Emulator, clock: Clock, **changes: Any) -> Salesforce:
    settings: dict[str, Any] = {
        **emulator.credentials["salesforce"],
        "base_url": emulator.salesforce_url,
        "link_keys": KEYS,
        "timeout": (5, 10),
        "clock": lambda: clock.now().timestamp(),
    }
    return Salesforce(**{**settings, **changes})


class Office:
    """What people at the practice company do."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin

    def make(self, object_type: str = "Contact", **values: Any) -> Ref:
        known = {"LastName": "Lovelace"} if object_type in ("Contact", "Lead") else {}
        known |= {"Company": "Engines"} if object_type == "Lead" else {}
        answer = self.admin.post("/create", system="salesforce", object=object_type, values={**known, **values})
        return Ref("salesforce", object_type, answer["id"])

    def edit(self, ref: Ref, **values: Any) -> None:
        self.admin.post("/edit", system="salesforce", object=ref.object_type, id=ref.id, values=values)

    def delete(self, ref: Ref) -> None:
        self.admin.post("/delete", system="salesforce", object=ref.object_type, id=ref.id)

    def merge(self, survivor: Ref, loser: Ref) -> None:
        self.admin.post("/merge", system="salesforce", object=loser.object_type, survivor=survivor.id, loser=loser.id)

    def fault(self, action: str, method: str, route: str, **more: Any) -> None:
        self.admin.fault(system="salesforce", action=action, method=method, route=f"*{route}", **more)

    def requests(self) -> list[dict[str, Any]]:
        answer = self.admin.get("/journal?since=0")
        return [line for line in answer if line["system"] == "salesforce"]

    def our_changes(self) -> list[dict[str, Any]]:
        return [line for line in self.admin.audit() if line["cause"] == "api"]


def window(connector: Salesforce, hours: float | None = 1) -> Window:
    until = connector.now() + timedelta(seconds=1)
    return Window(None if hours is None else until - timedelta(hours=hours), until)


def items(pages: Iterator[Page]) -> list[Any]:
    return [item for page in pages for item in page.items]


def edit(number: int, ref: Ref, version: str | None = None, **fields: Any) -> Write:
    return Write(f"E-{number}", "update", ref.object_type, ref.id, fields, expects_version=version)


def version(connector: Salesforce, ref: Ref) -> str:
    [record] = connector.read([ref], ())
    assert isinstance(record, Record)
    assert record.version is not None
    return record.version


def held(connector: Salesforce, ref: Ref, *fields: str) -> dict[str, Any]:
    [record] = connector.read([ref], fields)
    assert isinstance(record, Record), record
    return dict(record.fields)


def kinds(outcomes: Sequence[WriteOutcome]) -> list[str]:
    return [outcome.error.kind if outcome.error else outcome.status for outcome in outcomes]
