"""A database that is not as it was, or not ours to write: rights, columns that went, rules of the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from database_tables import make_file, tables
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, create_engine, event, make_url, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from agent.connector import Allowance, FieldType, Window, Write
from agent.errors import NotFound
from agent.records import Gone, Record, Ref
from connectors.database import writing
from connectors.database.connector import Database
from connectors.database.declaration import DatabaseSettings
from connectors.database.engine import options_of
from connectors.database.failures import kind_of
from connectors.database.rights import Rights, _granted
from connectors.database.tables import Described, Kind

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


def owned(file: Path) -> Database:
    document = {"file": file, "production": False, "tables": tables(has_key=True, keeps_deleted=False)}
    settings = DatabaseSettings.model_validate(document)
    return Database(settings, file=file, url="", clock=lambda: datetime(2026, 11, 2, tzinfo=UTC))


def sql(file: Path, statement: str) -> list[Any]:
    with sqlite3.connect(file) as connection:
        rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def test_a_column_that_went_since_the_last_look_is_left_out_at_once(file: Path) -> None:
    database = owned(file)
    assert {"title", "score"} <= set(database.schema("customers").fields)
    sql(file, "ALTER TABLE customers DROP COLUMN score")
    [readout] = database.read([ADA], ["title", "score"])
    assert isinstance(readout, Record)
    assert readout.fields == {"title": "CTO"}
    sql(file, "ALTER TABLE customers DROP COLUMN is_vip")
    [outcome] = database.write([Write("E-1", "update", "customers", "1", {"title": "Countess"})])
    assert outcome.status == "applied"
    sql(file, "ALTER TABLE customers DROP COLUMN renews_on")
    [page] = database.changed("customers", ["title", "renews_on"], Window(None, datetime(2026, 11, 3, tzinfo=UTC)))
    [record] = page.items
    assert isinstance(record, Record)
    assert record.fields == {"title": "Countess"}
    database.close()


def test_a_table_that_went_since_the_last_look_is_not_found(file: Path) -> None:
    database = owned(file)
    database.schema("customers")
    sql(file, "ALTER TABLE customers RENAME TO customers_moved")
    for ask in (
        lambda: database.read([ADA], []),
        lambda: list(database.changed("customers", [], Window(None, datetime(2026, 11, 3, tzinfo=UTC)))),
        lambda: database.write([Write("E-1", "update", "customers", "1", {"title": "Countess"})]),
    ):
        with pytest.raises(NotFound):
            ask()
    database.close()


def test_a_write_moves_the_time_of_the_change_as_the_application_does(file: Path) -> None:
    database = owned(file)
    for write in (
        Write("E-1", "update", "customers", "1", {"title": "Countess"}),
        Write("E-2", "create", "customers", None, {"email": "bob@shop.example"}, ("truce_key", "customer-1")),
    ):
        [outcome] = database.write([write])
        assert outcome.status == "applied"
    database.close()
    assert sql(file, "SELECT DISTINCT updated_at FROM customers") == [("2026-11-02 00:00:00.000000",)]


def test_of_a_row_that_is_refused_nothing_stays(file: Path) -> None:
    """A rule of the table that speaks up behind the insert, and takes nothing back by itself."""
    sql(
        file,
        "CREATE TRIGGER strict AFTER INSERT ON customers WHEN NEW.email = 'bad@shop.example' "
        "BEGIN SELECT RAISE(FAIL, 'no'); END",
    )
    database = owned(file)
    writes = [
        Write(f"E-{name}", "create", "customers", None, {"email": f"{name}@shop.example"}, ("truce_key", name))
        for name in ("bob", "bad", "eve")
    ]
    assert [outcome.status for outcome in database.write(writes)] == ["applied", "rejected", "applied"]
    database.close()
    found = [email for (email,) in sql(file, "SELECT email FROM customers ORDER BY id")]
    assert found == ["ada@shop.example", "bob@shop.example", "eve@shop.example"]


def test_a_row_that_names_a_company_that_is_not_there_is_refused(file: Path) -> None:
    database = owned(file)
    fields = {"email": "bob@shop.example"}
    write = Write("E-1", "create", "customers", None, fields, ("truce_key", "c-1"), parents={"company": "4711"})
    [outcome] = database.write([write])
    database.close()
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.code) == ("validation", "NO_SUCH_ROW")


def test_where_deleted_rows_are_kept_a_delete_marks_the_row(file: Path) -> None:
    document = {"file": file, "production": False, "tables": tables(has_key=True, keeps_deleted=True)}
    settings = DatabaseSettings.model_validate(document)
    database = Database(settings, file=file, url="", clock=lambda: datetime(2026, 11, 2, tzinfo=UTC))
    [outcome] = database.write([Write("E-1", "delete", "customers", "1", {})])
    assert outcome.status == "applied"
    assert database.read([ADA], []) == [Gone(ADA)]
    database.close()
    assert sql(file, "SELECT title, deleted_at FROM customers") == [("CTO", "2026-11-02 00:00:00.000000")]


def test_a_row_that_says_no_time_is_looked_at_in_every_window(file: Path) -> None:
    """An application that forgets the time must not hide a change."""
    database = owned(file)
    window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    [page] = database.changed("customers", ["title"], window)
    database.close()
    assert [item.ref for item in page.items] == [ADA]


def test_a_full_load_comes_page_by_page_and_goes_on_behind_the_one_it_had_come_to(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        rows = [(f"p{number}@shop.example",) for number in range(599)]
        connection.executemany("INSERT INTO customers (email) VALUES (?)", rows)
    connection.close()
    database = owned(file)
    until = datetime(2026, 11, 3, tzinfo=UTC)
    whole = list(database.changed("customers", [], Window(None, until)))
    rest = list(database.changed("customers", [], Window(None, until, whole[0].reached)))
    database.close()
    assert [len(page.items) for page in whole] == [500, 100]
    assert [item.ref for item in rest[0].items] == [item.ref for item in whole[1].items]


class Counting:
    """A gate that only counts."""

    def __init__(self) -> None:
        self.count = 0

    def enter(self) -> None:
        self.count += 1

    def told(self, allowance: Allowance) -> None: ...


def test_every_request_passes_the_gate_once(file: Path) -> None:
    database, gate = owned(file), Counting()
    database.use_gate(gate)
    asked: list[Callable[[], object]] = [
        database.identity,
        database.now,
        lambda: database.schema("customers"),
        lambda: database.read([ADA], []),
        lambda: database.find("customers", "email", "ada@shop.example", []),
        lambda: list(database.changed("customers", [], Window(None, datetime(2026, 11, 3, tzinfo=UTC)))),
        lambda: database.full_copy(ADA),
        lambda: database.write([Write("E-1", "update", "customers", "1", {"title": "Countess"})]),
    ]
    for number, ask in enumerate(asked, start=1):
        ask()
        assert gate.count == number
    database.close()


def test_columns_that_are_not_named_do_not_exist_for_truce(file: Path) -> None:
    found = tables(has_key=True, keeps_deleted=False)
    found["customers"]["columns"] = ["email"]
    settings = DatabaseSettings.model_validate({"file": file, "production": False, "tables": found})
    database = Database(settings, file=file, url="", clock=lambda: datetime(2026, 11, 2, tzinfo=UTC))
    assert set(database.schema("customers").fields) == {"id", "email", "truce_key", "updated_at"}
    [readout] = database.read([ADA], ["email", "title"])
    assert isinstance(readout, Record)
    assert readout.fields == {"email": "ada@shop.example"}
    [outcome] = database.write([Write("E-1", "update", "customers", "1", {"title": "Countess"})])
    assert outcome.error is not None
    assert outcome.error.code == "NO_SUCH_COLUMN"
    database.close()


class LockNotAvailable(Exception):
    """As PostgreSQL's driver says it."""

    sqlstate = "55P03"


def test_a_row_that_somebody_else_holds_is_put_off_and_holds_up_nobody(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite locks files, not rows: what PostgreSQL answers is played."""
    sql(file, "INSERT INTO customers (id, email, title) VALUES (2, 'bob@shop.example', 'COO')")
    held = writing._held

    def one_is_held(connection: Connection, described: Described, write: Write) -> writing.Row:
        if write.record_id == "1":
            raise OperationalError("SELECT", {}, LockNotAvailable())
        return held(connection, described, write)

    monkeypatch.setattr(writing, "_held", one_is_held)
    database = owned(file)
    writes = [Write(f"E-{row}", "update", "customers", row, {"title": "Chair"}) for row in ("1", "2")]
    locked, written = database.write(writes)
    database.close()
    assert locked.error is not None
    assert (locked.status, locked.error.kind, written.status) == ("rejected", "locked", "applied")
    assert sql(file, "SELECT title FROM customers ORDER BY id") == [("CTO",), ("Chair",)]


def test_a_server_is_asked_for_a_row_without_waiting_for_who_holds_it(file: Path) -> None:
    database = owned(file)
    with database._engine.alchemy.connect() as connection:
        described = Described(connection, "customers", database._settings.tables["customers"])
        postgres: Any = postgresql
        statement = str(writing.locking(described, 1).compile(dialect=postgres.dialect()))
    database.close()
    assert statement.endswith("FOR UPDATE NOWAIT")


def test_nobody_waits_for_a_server_longer_than_the_url_says_or_a_minute() -> None:
    named = options_of(make_url("postgresql+psycopg://truce@host/shop?connect_timeout=30"))["connect_args"]
    assert "connect_timeout" not in named, "the url says so itself"
    assert named["tcp_user_timeout"] == 60_000
    assert options_of(make_url("postgresql+psycopg2://truce@host/shop"))["connect_args"]["connect_timeout"] == 5
    assert options_of(make_url("mysql+pymysql://truce@host/shop"))["connect_args"] == {}, "it has names of its own"


@pytest.mark.parametrize(
    ("type_", "raw", "told"),
    [
        ("date", "infinity", "infinity"),
        ("date", "0044-03-15 BC", "0044-03-15 BC"),
        ("date", "2026-03-01 00:00:00", "2026-03-01"),
        ("datetime", "infinity", "infinity"),
        ("datetime", "12026-01-01 10:00:00+00", "12026-01-01 10:00:00+00"),
        ("datetime", "2026-01-01 10:00:00.5+05:30", "2026-01-01T04:30:00.500000Z"),
        ("number", Decimal("NaN"), "NaN"),
        ("number", Decimal("Infinity"), "Infinity"),
        ("number", float("inf"), "inf"),
        ("number", Decimal("12.50"), 12.5),
    ],
)
def test_a_value_that_python_has_no_word_for_is_told_as_the_database_says_it(
    type_: FieldType, raw: Any, told: object
) -> None:
    """One such row must not end the reading of all; a date before Christ is none of this era."""
    assert Kind(Column("x"), type_, "postgresql").read(raw) == told


def test_times_of_a_server_come_as_text_and_stay_times_to_compare() -> None:
    postgres: Any = postgresql
    kind = Kind(Column("renews_on", Date), "date", "postgresql")
    query = select(kind.selected).where(kind.column.is_(None))
    assert "CAST(renews_on AS TEXT) AS renews_on" in str(query.compile(dialect=postgres.dialect()))
    assert Kind(kind.column, "date", "sqlite").selected is kind.column


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('connection failed: FATAL:  password authentication failed for user "truce"', "denied"),
        ('connection failed: FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "truce"', "denied"),
        ('connection failed: FATAL:  database "shopp" does not exist', "denied"),
        ("connection failed: Connection refused", "away"),
        ("connection timeout expired", "away"),
    ],
)
def test_a_login_that_a_server_refuses_is_no_server_that_does_not_answer(said: str, kind: str) -> None:
    """As psycopg says it, which tells no SQLSTATE before it is let in."""
    assert kind_of(OperationalError("", {}, Exception(said))) == kind
