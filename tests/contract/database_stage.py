"""A database set up for the conformance suite: a SQLite file, people beside us, faults in the driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from database_tables import make_file, tables
from sqlalchemy import event

from agent.connector import Connector, Op
from agent.declaration import Names
from agent.records import Ref
from connectors.conformance.desk import Fault, Values
from connectors.database.connector import Database
from connectors.database.declaration import DatabaseSettings

SAID: dict[Fault, sqlite3.Error] = {
    "drop_before": sqlite3.OperationalError("disk I/O error"),
    "drop_after": sqlite3.OperationalError("disk I/O error"),
    "unavailable": sqlite3.OperationalError("unable to open database file"),
    "throttled": sqlite3.OperationalError("database is locked"),
    "html": sqlite3.DatabaseError("file is not a database"),
}
"""What the driver says, where SQLite has no such fault of its own: the nearest it has."""


class DatabaseStage:
    """Rows are removed, or kept as deleted; SQLite's clock is the computer's, so it is handed in."""

    names = Names("customers", "email", "first_name", "last_name", "title", "truce_key", "companies", "name")
    secrets = ("p1@example.com",)

    def __init__(self, folder: Path, *, has_key: bool, keeps_deleted: bool) -> None:
        self.has_key = has_key
        self.keeps_deleted = keeps_deleted
        self.path = folder / "customers.db"
        make_file(self.path)
        self.clock = datetime(2026, 11, 2, 9, tzinfo=UTC)
        self._begun = 0
        self._fault: tuple[Fault, bool, int] | None = None
        self._is_writing = False
        self.connector = self.connected(self.path)
        self._listen(self.connector._engine.alchemy)

    def connected(self, path: Path) -> Database:
        found = tables(has_key=self.has_key, keeps_deleted=self.keeps_deleted)
        owners = {"table": "users", "name": "name", "active": "is_active"}
        document = {"file": path, "production": False, "tables": found, "owners": owners}
        settings = DatabaseSettings.model_validate(document)
        return Database(settings, file=path, url="", clock=lambda: self.clock)

    def some(self, count: int) -> list[Ref]:
        made = [self.person_create("customers", {"email": f"s{number}@example.com"}) for number in range(count)]
        return [Ref("database", "customers", record_id) for record_id in made]

    def person_create(self, object_type: str, values: Values) -> str:
        names = ", ".join([*values, "updated_at"])
        holders = ", ".join("?" * (len(values) + 1))
        statement = f"INSERT INTO {object_type} ({names}) VALUES ({holders})"
        return str(self._by_person(statement, *values.values(), self._stamp()))

    def person_edit(self, record_id: str, values: Values) -> None:
        names = ", ".join(f"{name} = ?" for name in [*values, "updated_at"])
        self._by_person(f"UPDATE customers SET {names} WHERE id = ?", *values.values(), self._stamp(), record_id)

    def person_delete(self, record_id: str) -> None:
        if self.keeps_deleted:
            self._by_person("UPDATE customers SET deleted_at = ? WHERE id = ?", self._stamp(), record_id)
        else:
            self._by_person("DELETE FROM customers WHERE id = ?", record_id)

    def person_merge(self, survivor_id: str, loser_id: str) -> str:
        raise AssertionError("rows of a table are not merged")

    def hide(self, field: str) -> None:
        self._by_person(f"ALTER TABLE customers DROP COLUMN {field}")

    def advance(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    def fail(self, fault: Fault, op: Op | Literal["read"], *, nth: int = 1) -> None:
        self._fault = (fault, op == "read", nth)

    def requests(self) -> int:
        return self._begun

    def api_changes(self) -> list[tuple[str, str]]:
        with sqlite3.connect(self.path) as connection:
            rows = connection.execute("SELECT op, id FROM audit WHERE actor = 'api'").fetchall()
        connection.close()
        return [(op, str(row_id)) for op, row_id in rows]

    def lock_out(self) -> None:
        def refuse(dbapi: Any, record: object, proxy: object) -> None:
            dbapi.set_authorizer(lambda *asked: sqlite3.SQLITE_DENY)

        event.listen(self.connector._engine.alchemy, "checkout", refuse)

    def unplugged(self) -> Connector:
        return self.connected(self.path.with_name("nowhere.db"))

    def _stamp(self) -> str:
        """As applications write it: whole seconds, unless there is a fraction."""
        return self.clock.replace(tzinfo=None).isoformat(" ")

    def _by_person(self, statement: str, *values: object) -> int | None:
        with sqlite3.connect(self.path) as connection:
            connection.execute("UPDATE actor SET name = 'person'")
            made = connection.execute(statement, values).lastrowid
            connection.execute("UPDATE actor SET name = 'api'")
        connection.close()
        return made

    def _listen(self, engine: Any) -> None:
        event.listen(engine, "begin", self._begin)
        commit: Callable[[Any], None] = engine.dialect.do_commit
        engine.dialect.do_commit = lambda dbapi: self._commit(dbapi, commit)

    def _begin(self, connection: Any) -> None:
        self._begun += 1
        self._is_writing = bool(connection.get_execution_options().get("is_writing"))
        fault = self._fault
        if fault is None or fault[1] == self._is_writing:
            return
        if self._is_writing and fault[0] != "throttled":
            return
        self._fault = (fault[0], fault[1], fault[2] - 1) if fault[2] > 1 else None
        if self._fault is None:
            connection.connection.cursor().execute("ROLLBACK")
            raise_from_driver(connection, SAID[fault[0]])

    def _commit(self, dbapi: Any, commit: Callable[[Any], None]) -> None:
        fault = self._fault
        if fault is None or not self._is_writing or fault[1]:
            return commit(dbapi)
        self._fault = None
        if fault[0] == "drop_after":
            commit(dbapi)
        else:
            dbapi.rollback()
        raise SAID[fault[0]]


def raise_from_driver(connection: Any, error: sqlite3.Error) -> None:
    """As if the driver had raised it."""
    connection._handle_dbapi_exception(error, None, None, None, None)
