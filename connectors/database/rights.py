"""What our user may do with a table, as the database itself says; one that does not say allows everything."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.engine import Connection

_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")


@dataclass(frozen=True, slots=True)
class Rights:
    """Names of columns, and whether whole rows may be removed."""

    reads: frozenset[str]
    inserts: frozenset[str]
    updates: frozenset[str]
    deletes: bool


def rights_of(connection: Connection, table: Table) -> Rights:
    """Asked of PostgreSQL column by column; a SQLite file has only the rights of the file."""
    names = [column.name for column in table.columns]
    if connection.dialect.name == "postgresql":
        return _granted(connection, table, names)
    may_write = connection.dialect.name != "sqlite" or not _is_read_only(connection)
    written = frozenset(names) if may_write else frozenset()
    return Rights(frozenset(names), written, written, may_write)


def _granted(connection: Connection, table: Table, names: Iterable[str]) -> Rights:
    whose = connection.dialect.identifier_preparer.format_table(table)
    asked = [(privilege, name) for privilege in _PRIVILEGES for name in names]
    questions: list[Any] = [func.has_column_privilege(whose, name, privilege) for privilege, name in asked]
    *answers, deletes = connection.execute(select(*questions, func.has_table_privilege(whose, "DELETE"))).one()
    held = {place for place, answer in zip(asked, answers, strict=True) if answer}
    reads, inserts, updates = (
        frozenset(name for granted, name in held if granted == privilege) for privilege in _PRIVILEGES
    )
    return Rights(reads, inserts, updates, bool(deletes))


def _is_read_only(connection: Connection) -> bool:
    main, *_ = connection.exec_driver_sql("PRAGMA database_list").all()
    file = main[2]
    return connection.engine.url.query.get("mode") == "ro" or bool(file and not os.access(file, os.W_OK))
