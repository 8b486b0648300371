"""The practice portal: one world's HubSpot half, its settings, its schema, and who is doing something."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from connectors.emulator.hubspot.index import SearchIndex
from connectors.emulator.hubspot.kinds import Kind, custom_kind, foreign_names, shipped_kinds, spelled
from connectors.emulator.hubspot.properties import Schema, live_definitions
from connectors.emulator.hubspot.refusals import bad_request, missing_scopes, text
from connectors.emulator.hubspot.switches import DEFAULTS
from connectors.emulator.hubspot.times import wire
from connectors.emulator.world import Actor, Row, Space, Transaction, World

T = TypeVar("T")
SYSTEM = "hubspot"
NATIVE = "SALESFORCE"
"""An automation of this name is HubSpot's own Salesforce integration: its source type is its name."""

BIN_DAYS = 90
"""So long an archived record is in the recycle bin; then nothing of it can be asked for or brought back."""

SOURCES = {"api": "INTEGRATION", "person": "CRM_UI", "automation": "AUTOMATION_PLATFORM", "system": "IMPORT"}
"""How HubSpot names what set a value. INTEGRATION and CRM_UI were seen; the other two are a choice of ours."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who set a value, as a history line tells it."""

    type: str
    id: str
    user_id: int | None
    label: str = ""


class Portal:
    """What every resource works on. Keeps no state of its own but caches."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.space: Space = world.spaces[SYSTEM]
        self.index = SearchIndex(self.space, self.now)
        self.space.on_finish = self.index.remember
        self._derived: dict[str, tuple[int, Any]] = {}
        self._ids: dict[str, tuple[tuple[int, int], list[int]]] = {}

    def setting(self, name: str) -> Any:
        return self.space.settings.get(name, DEFAULTS.get(name))

    def now(self) -> datetime:
        return self.world.clock.now()

    def stamp_now(self) -> str:
        return wire(self.now())

    @property
    def portal_id(self) -> int:
        return int(self.space.settings["portal_id"])

    @property
    def owners(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.space.settings["owners"]
        return found

    # Object types and their schema -----------------------------------------------------------------------------------

    def derived(self, name: str, make: Callable[[], T]) -> T:
        """Something computed from the account's schema, until that changes."""
        version = int(self.space.settings["schema_version"])
        kept = self._derived.get(name)
        if kept is None or kept[0] != version:
            kept = (version, make())
            self._derived[name] = kept
        found: T = kept[1]
        return found

    @property
    def kinds(self) -> dict[str, Kind]:
        """{name: object type}, HubSpot's own and the account's custom objects."""
        return self.derived("kinds", self._all_kinds)

    def kind(self, name: str) -> Kind:
        """By plural, singular or type id, in any case.

        Raises:
            Refusal: 400, not 404, for a name HubSpot does not know; 403 for a type that no key here may see.
        """
        kind = self.derived("spellings", lambda: spelled(self.kinds.values())).get(name.lower())
        if kind is None and name.lower() in foreign_names():
            raise missing_scopes([f"crm.objects.{foreign_names()[name.lower()]}.read"])
        if kind is None:
            raise bad_request(text("unknown_type", name=name))
        return kind

    def schema(self, kind: Kind, *, for_people: bool = False) -> Schema:
        """What an API key sees of the properties; people see sensitive ones, too."""

        def make() -> Schema:
            return Schema(kind, live_definitions(self.space, kind, with_sensitive=for_people))

        return self.derived(f"schema of {kind.name} {for_people}", make)

    def schema_changed(self) -> None:
        self.space.settings["schema_version"] += 1
        self.make_room()

    def make_room(self) -> None:
        """A table for each object type; an index for e-mail and for each property with unique values."""
        for kind_name in self.kinds:
            self.space.table(kind_name)
        for kind_name, definitions in self.space.settings["properties"].items():
            for name, definition in definitions.items():
                wanted = definition["hasUniqueValue"] or (kind_name, name) == ("contacts", "email")
                if wanted and (kind_name, name) not in self.space.indexes:
                    self.space.add_index(kind_name, name, folded)
        if ("contacts", "hs_additional_emails") not in self.space.indexes:
            self.space.add_index("contacts", "hs_additional_emails", is_filled)

    # Records ---------------------------------------------------------------------------------------------------------

    def new_id(self, kind: Kind) -> str:
        return str(kind.first_id - 1 + self.space.next_number(kind.name))

    def sorted_ids(self, kind: Kind) -> list[int]:
        """All ids of a type, archived and merged ones too, in the order of numbers."""
        table = self.space.table(kind.name)
        state = (len(table), self.space.counters.get(kind.name, 0))
        kept = self._ids.get(kind.name)
        if kept is None or kept[0] != state:
            kept = (state, sorted(map(int, table)))
            self._ids[kind.name] = kept
        return kept[1]

    def resolve(self, kind: Kind, record_id: str) -> Row | None:
        """The row that an id stands for, through merges; archived ones too, as long as the bin keeps them."""
        row = self.space.row(kind.name, record_id)
        while row is not None and row.merged_into is not None:
            row = self.space.row(kind.name, row.merged_into)
        return None if row is None or self.is_forgotten(row) else row

    def is_forgotten(self, row: Row) -> bool:
        """Whether the recycle bin has been emptied of it."""
        if not row.deleted or row.merged_into is not None or row.deleted_at is None:
            return False
        return self.now() - row.deleted_at >= timedelta(days=BIN_DAYS)

    def live(self, kind: Kind, record_id: str) -> Row | None:
        """Exactly this record, neither archived nor merged away."""
        row = self.space.row(kind.name, record_id)
        return row if row is not None and not row.deleted else None

    def find_by(self, kind: Kind, name: str, value: str) -> Row | None:
        """The live record with this unique value; a contact's further e-mails count."""
        found = self._live_with(kind, name, value)
        if found is None and (kind.name, name) == ("contacts", "email"):
            for row_id in sorted(self.space.lookup("contacts", "hs_additional_emails", "filled"), key=int):
                row = self.live(kind, row_id)
                if row is not None and value.lower() in str(row.values["hs_additional_emails"]).split(";"):
                    return row
        return found

    def url(self, kind: Kind, record_id: str) -> str:
        return f"https://app.hubspot.com/contacts/{self.portal_id}/record/{kind.type_id}/{record_id}"

    # Who does something ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self, actor: Actor) -> Iterator[Transaction]:
        """Histories name people and apps by id; the settings keep which of them is what."""
        known: dict[str, str] = self.space.settings["actors"]
        known.setdefault(actor.id, actor.cause)
        if actor.name not in ("", actor.id):
            self.space.settings.setdefault("actor_names", {})[actor.id] = actor.name
        with self.world.transaction(SYSTEM, actor) as transaction:
            yield transaction

    def source(self, actor_id: str) -> Source:
        cause = self.space.settings["actors"].get(actor_id, "system")
        kind = SOURCES[cause]
        if cause != "person":
            kind = NATIVE if (cause, actor_id) == ("automation", NATIVE) else kind
            return Source(kind, actor_id, None, self.space.settings.get("actor_names", {}).get(actor_id, ""))
        return Source(kind, f"userId:{actor_id}", int(actor_id) if actor_id.isdecimal() else None)

    def _all_kinds(self) -> dict[str, Kind]:
        custom = self.space.settings["custom_objects"].values()
        return shipped_kinds() | {described["name"]: custom_kind(described) for described in custom}

    def _live_with(self, kind: Kind, name: str, value: str) -> Row | None:
        for row_id in sorted(self.space.lookup(kind.name, name, value), key=int):
            row = self.live(kind, row_id)
            if row is not None:
                return row
        return None


def correlation_id(request_id: str) -> str:
    """HubSpot's ids of requests look random; these are the same in every run."""
    return str(uuid.UUID(bytes=hashlib.sha256(request_id.encode()).digest()[:16], version=4))


def folded(value: Any) -> Any:
    """The text in lower case; the very same object where it is so already, which many rows and indexes share."""
    if not isinstance(value, str) or not value:
        return None
    lower = value.lower()
    return value if value == lower else lower


def is_filled(value: Any) -> Any:
    return "filled" if value else None
