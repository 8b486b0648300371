"""One practice installation: a world, both vendors' sides of it, and the desks where people work."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import orjson

from connectors.emulator.clock import Clock
from connectors.emulator.faults import FaultPlan
from connectors.emulator.journal import Journal
from connectors.emulator.persistence import StateFile, restore
from connectors.emulator.seed import fill
from connectors.emulator.wire import App, VendorSide
from connectors.emulator.world import Actor, World

SYSTEMS = ("salesforce", "hubspot")
VIRTUAL_START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""Where a virtual clock starts: a Monday morning."""


class Desk(Protocol):
    """What a person or an administrator of one vendor can do. KeyError and ValueError say what was wrong."""

    switches: frozenset[str]
    """Names that ``/settings`` takes, beside ``visible_delay_seconds``."""

    def provision(self, credentials: dict[str, Any]) -> None: ...
    def create(self, object_type: str, values: dict[str, Any], *, actor: Actor) -> str: ...
    def edit(self, object_type: str, record_id: str, values: dict[str, Any], *, actor: Actor) -> None: ...
    def delete(self, object_type: str, record_id: str, *, actor: Actor) -> None: ...
    def undelete(self, object_type: str, record_id: str, *, actor: Actor) -> None: ...
    def purge(self, object_type: str, record_id: str, *, actor: Actor) -> None: ...
    def merge(self, object_type: str, survivor_id: str, loser_id: str, *, actor: Actor) -> str: ...
    def convert(self, lead_id: str, *, actor: Actor, **options: Any) -> dict[str, Any]: ...
    def schema(self, change: dict[str, Any]) -> dict[str, Any]: ...
    def permissions(self, change: dict[str, Any]) -> dict[str, Any]: ...
    def users(self, change: dict[str, Any]) -> dict[str, Any]: ...
    def revoke_tokens(self) -> None: ...
    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]: ...
    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How to start. Port 0 takes a free one. Without counts both CRMs are empty."""

    salesforce_port: int = 0
    hubspot_port: int = 0
    admin_port: int = 0
    state: Path | None = None
    truth: Path | None = None
    salesforce_schema: Path | None = None
    """JSON of custom objects and fields, for a new world."""
    seed: int = 1
    contacts: int = 0
    companies: int = 0
    deals: int = 0
    clock: str = "real"

    @property
    def is_seeded(self) -> bool:
        return any((self.contacts, self.companies, self.deals))

    def new_clock(self) -> Clock:
        if self.clock not in {"real", "virtual"}:
            raise ValueError(f"--clock is real or virtual, not {self.clock!r}")
        return Clock(VIRTUAL_START if self.clock == "virtual" else None)

    def credentials(self) -> dict[str, dict[str, str]]:
        """Made-up logins, the same for the same seed. They open nothing but this emulator."""
        return {
            "salesforce": {
                "client_id": f"practice-client-{self.seed}",
                "client_secret": f"practice-secret-{self.seed}",
                "domain": "practice.my",
            },
            "hubspot": {
                "token": f"pat-practice-{self.seed}",
                "client_id": f"practice-app-{self.seed}",
                "client_secret": f"practice-app-secret-{self.seed}",
                "refresh_token": f"practice-refresh-{self.seed}",
            },
        }


@dataclass(frozen=True, slots=True)
class Vendor:
    """The two entrances of a vendor's package."""

    application: Callable[[World], App]
    desk: Callable[[World], Desk]


def installed_vendors() -> dict[str, Vendor]:
    vendors = {}
    for system in SYSTEMS:
        package = f"connectors.emulator.{system}"
        application = importlib.import_module(f"{package}.app").application
        vendors[system] = Vendor(application, importlib.import_module(f"{package}.desk").Desk)
    return vendors


class Practice:
    """Everything that a running emulator holds, replaceable as a whole between two tests.

    A state file that already holds a world wins over the options; the options only fill a new one.
    """

    def __init__(self, options: Options, vendors: Mapping[str, Vendor] | None = None) -> None:
        self.world = World(options.new_clock())
        self.options = options
        self.journal = Journal()
        self.faults = FaultPlan()
        self.credentials = options.credentials()
        self.truth: dict[str, Any] = {}
        self._vendors = installed_vendors() if vendors is None else vendors
        self._state = StateFile(options.state) if options.state else None
        self.desks = {system: vendor.desk(self.world) for system, vendor in self._vendors.items()}
        for system, desk in self.desks.items():
            desk.provision(dict(self.credentials[system]))
        if self._state is not None and not self._state.is_empty:
            self._state.load(self.world)
            self.credentials, self.truth = self._state.fact("credentials"), self._state.fact("truth")
        else:
            self._begin()
        self.sides: dict[str, VendorSide] = {}
        self._reopen()
        self.keep_everything()
        if self._state is not None:
            self.world.on_commit.append(partial(self._state.commit, self.world))

    def _begin(self) -> None:
        """What a new world starts with, by the options."""
        options = self.options
        if options.salesforce_schema is not None:
            self.desks["salesforce"].schema(orjson.loads(options.salesforce_schema.read_bytes()))
        if options.is_seeded:
            self.truth = fill(self.world, self.desks, options)
            self._write_truth()

    def _write_truth(self) -> None:
        """Beside the state, unless another place is given; without either only the admin side tells it."""
        beside = self.options.state.with_suffix(".truth.json") if self.options.state else None
        path = self.options.truth or beside
        if path is not None:
            path.write_bytes(orjson.dumps(self.truth, option=orjson.OPT_INDENT_2))

    def _reopen(self) -> None:
        """Give both vendors' packages the world as it is now, in case they hold on to parts of it."""
        for system, vendor in self._vendors.items():
            self.desks[system] = vendor.desk(self.world)
            application = vendor.application(self.world)
            if system in self.sides:
                self.sides[system].app = application
            else:
                side = VendorSide(system, application, self.world, self.journal, self.faults)
                side.after_change = self.keep
                self.sides[system] = side

    @property
    def failures(self) -> list[str]:
        return [failure for side in self.sides.values() for failure in side.failures]

    def restore(self, body: Mapping[str, Any]) -> None:
        """Put a snapshot back.

        Raises:
            ValueError: this is no snapshot of this version.
        """
        restore(self.world, body)
        self._reopen()
        self.keep_everything()

    def keep(self) -> None:
        """Write what changes outside transactions: settings, the clock."""
        if self._state is not None:
            self._state.save_account(self.world)

    def keep_everything(self) -> None:
        if self._state is not None:
            self._state.save_everything(self.world, credentials=self.credentials, truth=self.truth)

    def hurry(self) -> None:
        """End every planned delay now."""
        for side in self.sides.values():
            side.closing = True

    def close(self) -> None:
        self.hurry()
        if self._state is not None:
            self.keep()
            self._state.close()
            self._state = None
            self.world.on_commit.clear()
