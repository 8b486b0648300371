"""What our user of a database may do: a file that is only read, a server that grants column by column."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from database_tables import make_file, tables
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event

from agent.connector import Write
from agent.records import Record, Ref
from connectors.database.connector import Database
from connectors.database.declaration import DatabaseSettings
from connectors.database.rights import Rights, _granted

ADA = Ref("database", "customers", "1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.db"
    make_file(path)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO customers (id, email, title) VALUES (1, 'ada@shop.example', 'CTO')")
    connection.close()
    return path


@pytest.fixture
def reader(file: Path) -> Iterator[Database]:
    """The file through a url that only reads."""
    document = {"url": "env:SHOP", "production": False, "tables": tables(has_key=True, keeps_deleted=False)}
    settings = DatabaseSettings.model_validate(document)
    url = f"sqlite:///file:{file}?mode=ro&uri=true"
    found = Database(settings, file=None, url=url, clock=lambda: datetime(2026, 11, 2, tzinfo=UTC))
    yield found
    found.close()


def test_of_a_database_that_is_only_read_the_schema_says_so(reader: Database) -> None:
    schema = reader.schema("customers")
    assert (schema.can_create, schema.can_update, schema.can_delete) == (False, False, False)
    assert not any(field.writable or field.creatable for field in schema.fields.values())


def test_what_may_not_be_written_is_refused_write_by_write_and_reading_goes_on(reader: Database) -> None:
    fields = {"title": "Countess"}
    for write in (
        Write("E-1", "update", "customers", "1", fields),
        Write("E-2", "create", "customers", None, {"email": "bob@shop.example"}, ("truce_key", "customer-1")),
        Write("E-3", "delete", "customers", "1", {}),
    ):
        [outcome] = reader.write([write])
        assert outcome.status == "rejected"
        assert outcome.error is not None
        assert outcome.error.kind == "permission"
    [readout] = reader.read([ADA], ["title"])
    assert isinstance(readout, Record)
    assert readout.fields == {"title": "CTO"}


def test_the_account_of_a_file_behind_a_url_is_the_file(reader: Database, file: Path) -> None:
    assert reader.identity().account_id == f"file:{file}"


def test_a_server_is_asked_for_every_column_and_every_privilege() -> None:
    """PostgreSQL's two functions, played by SQLite."""
    held = {("title", "SELECT"), ("title", "UPDATE"), ("email", "SELECT"), ("email", "INSERT")}
    asked: list[str] = []

    def column(table: str, name: str, privilege: str) -> bool:
        asked.append(table)
        return (name, privilege) in held

    def lend(connection: Any, record: object) -> None:
        connection.create_function("has_column_privilege", 3, column)
        connection.create_function("has_table_privilege", 2, lambda table, privilege: privilege != "DELETE")

    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lend)
    table = Table("Odd Name", MetaData(), Column("id", Integer), Column("email", String), Column("title", String))
    with engine.connect() as connection:
        found = _granted(connection, table, ["id", "email", "title"])
    engine.dispose()
    assert found == Rights(frozenset({"email", "title"}), frozenset({"email"}), frozenset({"title"}), deletes=False)
    assert set(asked) == {'"Odd Name"'}
