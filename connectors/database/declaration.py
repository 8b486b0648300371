"""What a database is to the rest of Truce: its words, its settings, how to connect. Imports no SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from agent.connector import Connector
from agent.declaration import Declaration, Names, Opening, Rights, SecretReference, Settings, Use
from agent.errors import ConfigError, UsageError
from agent.systems import System

COMPANY = "company"
"""The relation that a record's parent stands in."""

DATABASE = System(
    key="database",
    name="Database",
    owner_help="the id or e-mail in the table of owners",
    link_key_steps=(
        "ALTER TABLE {object} ADD COLUMN {field} VARCHAR(80)",
        "CREATE UNIQUE INDEX {object}_{field} ON {object} ({field})",
        "in config.yaml under database, tables, {object}: key: {field}",
    ),
    link_key_fields=("truce_key", "truce_key_2"),
    sample_types="customers",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParentSettings(_Part):
    """Where the company of a row stands."""

    column: str
    table: str


class TableSettings(_Part):
    """One table. ``changed`` is the column whose time moves with every change; without it the whole table is read in
    every cycle. ``deleted`` is the column that is filled in rows that count as deleted; without it rows are removed.
    """

    id: str = "id"
    changed: str | None = None
    deleted: str | None = None
    key: str | None = None
    name: tuple[str, ...] = ()
    company: ParentSettings | None = None
    columns: tuple[str, ...] | None = None


class OwnerSettings(_Part):
    """The table of the people who may own rows."""

    table: str
    id: str = "id"
    email: str = "email"
    name: str | None = None
    active: str | None = None


class TrialSettings(_Part):
    """What ``truce conformance`` works with: a table of people, and two text columns of it."""

    table: str
    email: str = "email"
    title: str = "title"


class DatabaseSettings(Settings):
    """Tables of a SQL database."""

    file: Path | None = Field(
        None, description="A SQLite file, from the folder of this config. Or else: url.", examples=["customers.db"]
    )
    url: SecretReference | None = Field(
        None,
        description="Where an SQLAlchemy URL is kept, such as postgresql+psycopg://truce:secret@host/shop.",
        examples=["keyring:database-url"],
    )
    production: bool = Field(True, description="false: a practice copy, in which everything may be tried.")
    tables: dict[str, TableSettings] = Field(
        description="The tables Truce may see, each with its columns: id; changed (time of the last change); key "
        "(unique, ours); deleted (filled in rows that count as deleted); name (for people); company ({column, table}); "
        "columns (all that Truce may see).",
        examples=[{"customers": {"id": "id", "changed": "updated_at", "key": "truce_key", "name": ["full_name"]}}],
    )
    owners: OwnerSettings | None = Field(
        None,
        description="The table of people who own rows: id, email, name, active (a yes-or-no column).",
        examples=[{"table": "users", "email": "email", "active": "is_active"}],
    )
    conformance: TrialSettings | None = Field(
        None,
        description="What `truce conformance` works with: table (one with name and company), and its text columns "
        "email and title.",
        examples=[{"table": "customers", "email": "email", "title": "title"}],
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise PydanticCustomError("database_place", "a database has either a file or a url")
        return self


def _connect(opening: Opening[DatabaseSettings]) -> Connector:
    try:
        from connectors.database.connector import Database
    except ModuleNotFoundError:
        raise ConfigError(
            "the database connector needs SQLAlchemy",
            why="it is not installed with Truce by itself",
            next_step="pip install 'crm-truce[database]'",
        ) from None
    file = opening.settings.file
    return Database(
        opening.settings,
        file=opening.home / file if file is not None else None,
        url=opening.secrets.get("url", ""),
        clock=opening.clock,
    )


def _names(settings: DatabaseSettings) -> Names:
    """Raises UsageError: nobody said which table it is, or that table has no name or company."""
    trial = settings.conformance
    table = settings.tables.get(trial.table) if trial is not None else None
    parent = settings.tables.get(table.company.table) if table is not None and table.company is not None else None
    if trial is None or table is None or table.company is None or not table.name or parent is None or not parent.name:
        raise UsageError(
            "the config does not say which table the suite may work with",
            where="database.conformance",
            why="it takes a table with name and company, whose companies have a name too, and two text columns of it",
            next_step="in config.yaml under database: conformance: {table: customers, email: email, title: title}",
        )
    key, first, last = table.key or "", table.name[0], table.name[-1]
    return Names(trial.table, trial.email, first, last, trial.title, key, table.company.table, parent.name[0])


def _rights(uses: Sequence[Use]) -> Rights:
    """Statements for the owner of the tables. An undo deletes what was created."""
    lines = [f"GRANT {', '.join(_privileges(use))} ON {use.object_type} TO truce;" for use in uses]
    steps = (
        "let the owner of the tables run it, with the name of Truce's user in place of truce",
        "where rows are created and numbered by the server: GRANT USAGE on that sequence, too",
        "where owners are set: GRANT SELECT on their table",
    )
    return Rights((), "truce-grants.sql", "\n".join(lines) + "\n", steps)


def _privileges(use: Use) -> Iterator[str]:
    yield "SELECT"
    if use.creates:
        yield "INSERT"
    if use.writes or use.creates:
        yield "UPDATE"
    if use.creates:
        yield "DELETE"


CONNECTOR = Declaration(DATABASE, DatabaseSettings, _connect, _names, rights=_rights)
