"""The tables of a small shop in a SQLite file, with an audit of who changed what."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE companies (
  id INTEGER PRIMARY KEY, name VARCHAR(200), truce_key VARCHAR(80) UNIQUE, updated_at DATETIME, deleted_at DATETIME
);
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, email VARCHAR(200), first_name VARCHAR(80), last_name VARCHAR(80), title VARCHAR(128),
  truce_key VARCHAR(80) UNIQUE, company_id INTEGER REFERENCES companies (id), score NUMERIC(10, 2), is_vip BOOLEAN,
  renews_on DATE, photo BLOB, updated_at DATETIME, deleted_at DATETIME
);
CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(200), name VARCHAR(80), is_active BOOLEAN);
INSERT INTO users VALUES (1, 'Ada@Example.com', 'Ada', 1), (2, 'bob@example.com', 'Bob', 0);
CREATE TABLE actor (name VARCHAR(9));
INSERT INTO actor VALUES ('api');
CREATE TABLE audit (op VARCHAR(9), id INTEGER, actor VARCHAR(9));
"""
TRIGGER = """
CREATE TRIGGER {table}_{op} AFTER {op} ON {table} BEGIN
  INSERT INTO audit SELECT lower('{op}'), {row}.id, name FROM actor;
END;
"""


def tables(*, has_key: bool, keeps_deleted: bool) -> dict[str, Any]:
    """The tables as the settings name them."""
    more: dict[str, Any] = {"changed": "updated_at", **({"deleted": "deleted_at"} if keeps_deleted else {})}
    key = {"key": "truce_key"} if has_key else {}
    company = {"column": "company_id", "table": "companies"}
    customers = {**more, **key, "name": ["first_name", "last_name"], "company": company}
    return {"customers": customers, "companies": {**more, "name": ["name"]}}


def make_file(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(TABLES)
        for table in ("customers", "companies"):
            for op in ("INSERT", "UPDATE", "DELETE"):
                connection.executescript(TRIGGER.format(table=table, op=op, row="OLD" if op == "DELETE" else "NEW"))
    connection.close()
