"""A SQL database behind the port."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import MetaData, Table, select
from sqlalchemy.engine import RowMapping

from agent.connector import (
    Allowance,
    Capabilities,
    FullCopy,
    Gate,
    Identity,
    Known,
    ObjectSchema,
    Page,
    ParentField,
    Window,
    Write,
    WriteOutcome,
    nothing_known,
)
from agent.records import Gone, MergedInto, Owner, Readout, Record, Ref, Unreadable
from agent.together import IN_TURN, Together
from agent.versions import Author, Landed, Version
from connectors.database.declaration import COMPANY, DatabaseSettings, OwnerSettings, TableSettings
from connectors.database.engine import Clock, Engine
from connectors.database.failures import SYSTEM
from connectors.database.reading import PAGE, Reading, Tables
from connectors.database.writing import CHUNK, Writing

SETTLE_SECONDS = 30.0
"""A COMMIT whose answer was lost is made by then, or never: the server notices that nobody listens."""


class Database:
    """The tables of the settings, and nothing else of the database.

    ``file`` is a SQLite file, or else ``url`` an SQLAlchemy URL. ``clock`` is this computer's, for SQLite. The first
    question raises ConfigError when the url is none, or its driver is missing.
    """

    system = SYSTEM

    def __init__(self, settings: DatabaseSettings, *, file: Path | None, url: str, clock: Clock) -> None:
        self._settings = settings
        self._tables = Tables(settings.tables)
        self._engine = Engine(file=file, url=url, clock=clock)
        self._reading = Reading(self._engine, self._tables)
        self._writing = Writing(self._engine, self._tables)
        self.capabilities = abilities(settings.tables)

    def allowances(self) -> Mapping[str, Allowance]:
        """A database counts nothing."""
        return {}

    def granted(self) -> frozenset[str] | None:
        """A database says no more than what its tables allow."""
        return None

    def use_gate(self, gate: Gate) -> None:
        self._engine.gate = gate

    def identity(self) -> Identity:
        with self._engine.asking("who it is"):
            return Identity(
                SYSTEM,
                self._engine.account,
                self._engine.name,
                is_production=self._settings.production,
                time_zone="UTC",
            )

    def now(self) -> datetime:
        with self._engine.asking("the time") as (_, now):
            return now

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        with self._engine.asking("the description of a table") as (connection, _):
            return self._tables.fresh(connection, object_type).schema()

    def owners(self) -> list[Owner]:
        settings = self._settings.owners
        if settings is None:
            return []
        with self._engine.asking("the owners") as (connection, _):
            table = Table(settings.table, MetaData(), autoload_with=connection, resolve_fks=False)
            return [_owner(settings, row) for row in connection.execute(select(table)).mappings()]

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        return self._reading.changed(object_type, fields, window, known)

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        return self._reading.read(refs, fields) if refs else []

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        return self._reading.find(object_type, key, value, fields)

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        """A table does not say who changed it."""
        return {}

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        """A table keeps no former values."""
        return {}

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        return self._reading.full_copy(ref)

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        return self._writing.write(writes) if writes else []

    def bulk_fit(self, writes: Sequence[Write]) -> frozenset[str]:
        return frozenset()

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        raise ValueError("a database has no bulk jobs")

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        raise ValueError("a database has no bulk jobs")

    def close(self) -> None:
        self._engine.close()


def abilities(tables: Mapping[str, TableSettings]) -> Capabilities:
    """What follows from the settings: keys, parents, names, and whether deletions can be seen."""
    keys = {name: table.key for name, table in tables.items() if table.key is not None}
    parents = {
        name: {COMPANY: ParentField(table.company.column, table.company.table)}
        for name, table in tables.items()
        if table.company is not None
    }
    return Capabilities(
        conditional_write=True,
        undelete=False,
        merge=False,
        unique_keys=bool(keys),
        write_chunk=CHUNK,
        read_chunk=PAGE,
        conditional_chunk=CHUNK,
        sees_deletions=all(table.deleted is not None for table in tables.values()),
        echoes_writes=True,
        settle_seconds=SETTLE_SECONDS,
        parent_fields=parents,
        link_keys=keys,
        name_fields={name: table.name for name, table in tables.items()},
    )


def _owner(settings: OwnerSettings, row: RowMapping) -> Owner:
    email = row[settings.email]
    name = row[settings.name] if settings.name is not None else email
    active = settings.active is None or row[settings.active] in (True, 1, "true", "t")
    return Owner(SYSTEM, str(row[settings.id]), str(email).lower() if email else None, str(name or ""), active=active)
