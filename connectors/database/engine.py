"""The way to the database: one transaction per request, its clock, and errors in the words of the port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event, func, select
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from agent.connector import Gate, OpenGate
from agent.errors import ConfigError
from connectors.database.failures import Busy, as_ours, unavailable
from connectors.database.tables import moment_of

PATIENCE = 5.0
"""Seconds to wait for a connection, and for a lock of somebody else."""

Clock = Callable[[], datetime]


class Engine:
    """One database. ``file`` is a SQLite file that must be there already, or else ``url`` is an SQLAlchemy URL."""

    def __init__(self, *, file: Path | None, url: str, clock: Clock) -> None:
        place = _lite(file) if file is not None else _parsed(url)
        self.is_lite = place.get_backend_name() == "sqlite"
        self.account = str(file.resolve()) if file is not None else f"{place.host}:{place.port or ''}/{place.database}"
        self.name = file.name if file is not None else str(place.database)
        self._clock = clock
        self.gate: Gate = OpenGate()
        options: dict[str, Any] = {"connect_args": {"timeout": PATIENCE}} if self.is_lite else {"pool_pre_ping": True}
        self.alchemy = sqlalchemy.create_engine(place, hide_parameters=True, **options)
        if self.is_lite:
            event.listen(self.alchemy, "connect", _as_we_say_when)
            event.listen(self.alchemy, "begin", _begin)

    @contextmanager
    def asking(self, doing: str) -> Iterator[tuple[Connection, datetime]]:
        """A transaction for reading, and what the database's clock showed at its beginning.

        Raises:
            AccessDenied, Unavailable, BadReply, NotFound.
        """
        self.gate.enter()
        try:
            with as_ours(doing), self.alchemy.connect() as connection, connection.begin():
                yield connection, self.now(connection)
        except Busy:
            raise unavailable(doing) from None

    def now(self, connection: Connection) -> datetime:
        """SQLite has no clock of its own: it is that of this computer."""
        if self.is_lite:
            connection.exec_driver_sql("SELECT 1")
            return self._clock()
        return moment_of(connection.execute(select(func.current_timestamp())).scalar_one()) or self._clock()

    def close(self) -> None:
        self.alchemy.dispose()


def _lite(file: Path) -> URL:
    """Never made anew: a misspelt path would be an empty database, and look like everything deleted."""
    return URL.create("sqlite", database=file.resolve().as_uri(), query={"mode": "rw", "uri": "true"})


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise ConfigError(
            "the database's url is none",
            where="database.url",
            why="it looks like postgresql+psycopg://truce:secret@host/shop",
            next_step="truce secrets set",
        ) from None


def _as_we_say_when(connection: Any, record: Any) -> None:
    """The driver begins no transaction by itself, so that a write locks before it reads."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")
