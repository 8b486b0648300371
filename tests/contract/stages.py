"""The systems the conformance suite runs on: memory, and both vendors' real clients against the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hubspot_stage import HubSpotStage

from agent.connector import Choice, Connector, FieldSchema, ObjectSchema, Op, ParentField
from agent.declaration import Names
from agent.errors import AccessDenied, BadReply, Unavailable
from agent.records import FieldValue, Owner, Ref
from connectors.conformance.desk import Fault, Hands, Values
from connectors.memory import STRICT, Memory

STAGES = [
    "memory with key",
    "memory without key",
    "hubspot with key",
    "hubspot without key",
    "hubspot-2026-03 with key",
    "hubspot-2026-09 with key",
]


@contextmanager
def set_up(system: str, *, has_key: bool, emulator: Any) -> Iterator[Hands]:
    name, _, version = system.partition("-")
    if name == "memory":
        stage: Hands = MemoryStage(has_key)
    else:
        stage = HubSpotStage(emulator, has_key=has_key, api_version=version or "v3")
    try:
        yield stage
    finally:
        stage.connector.close()


class MemoryStage:
    """A dictionary that lags, lower-cases e-mail and keeps stages from moving back."""

    names = Names("contacts", "email", "first", "last", "title", "key", "companies", "name")
    secrets = ("p1@example.com",)

    def __init__(self, has_key: bool) -> None:
        self.has_key = has_key
        self._now = datetime(2026, 11, 2, 9, tzinfo=UTC)
        self.connector = self._plugged()

    def _plugged(self) -> Memory:
        def plain(*names: str, unique: tuple[str, ...] = ()) -> dict[str, FieldSchema]:
            return {name: FieldSchema(name, name, "text", True, unique=name in unique) for name in names}

        contacts = plain("email", "first", "last", "title", "key", "company_id", unique=("key",))
        levels = tuple(Choice(level, level.title()) for level in ("subscriber", "lead", "customer"))
        contacts["level"] = FieldSchema("level", "Level", "choice", True, choices=levels, restricted=True)
        capabilities = replace(
            STRICT,
            clears_before_moving_back=frozenset({("contacts", "level")}),
            index_lag_seconds=30.0,
            parent_fields={"contacts": {"company": ParentField("company_id", "companies")}},
            name_fields={"contacts": ("first", "last")},
            undelete=True,
            merge=True,
            merge_chunk=2,
            merge_sets_fields=True,
        )
        return Memory.of(
            "memory",
            [
                ObjectSchema("memory", "contacts", "Contacts", contacts, can_merge=True, can_undelete=True),
                ObjectSchema("memory", "companies", "Companies", plain("name")),
            ],
            lambda: self._now,
            link_keys={"contacts": "key"} if self.has_key else {},
            capabilities=capabilities,
            owners=[
                Owner("memory", "1", "ada@example.com", "Ada", active=True),
                Owner("memory", "2", "bob@example.com", "Bob", active=False),
            ],
            rewrite=lower_case_email,
        )

    def some(self, count: int) -> list[Ref]:
        return [
            Ref(self.connector.system, self.names.object_type, self.person_create(self.names.object_type, values))
            for number in range(count)
            for values in [{self.names.email: f"s{number}@example.com", self.names.last: f"Some {number}"}]
        ]

    def person_create(self, object_type: str, values: Values) -> str:
        return self.connector.person_create(object_type, values).id

    def person_edit(self, record_id: str, values: Values) -> None:
        self.connector.person_edit(self._ref(record_id), values)

    def person_delete(self, record_id: str) -> None:
        self.connector.person_delete(self._ref(record_id))

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        self.connector.person_merge(self._ref(loser_id), self._ref(survivor_id))
        return survivor_id

    def hide(self, field: str) -> None:
        self.connector.hide("contacts", field)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        if op == "read":
            error = BadReply("no answer") if fault == "html" else Unavailable("no answer")
            self.connector.go_down(error=error)
        elif fault == "throttled":
            self.connector.reject("throttled", op=op)
        else:
            self.connector.lose_reply(applied=fault == "drop_after", op=op)

    def requests(self) -> int:
        return self.connector.calls.total()

    def api_changes(self) -> list[tuple[str, str]]:
        return [(edit.op, edit.ref.id) for edit in self.connector.journal if edit.cause == "api"]

    def lock_out(self) -> None:
        self.connector.go_down(error=AccessDenied("refused"), times=2)

    def unplugged(self) -> Connector:
        found = self._plugged()
        found.go_down(times=99)
        return found

    def _ref(self, record_id: str) -> Ref:
        return Ref("memory", "contacts", record_id)


def lower_case_email(object_type: str, name: str, before: FieldValue, sent: FieldValue) -> FieldValue:
    return sent.lower() if name == "email" and isinstance(sent, str) else sent
