"""The way to the database: one transaction per request, its clock, and errors in the words of the port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event, func, select
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from agent.connector import Gate, OpenGate
from agent.errors import ConfigError
from connectors.database.failures import Busy, as_ours, unavailable
from connectors.database.tables import moment_of

PATIENCE = 5
"""Seconds to wait for a connection, and for a lock of somebody else."""

SILENCE = 60
"""Seconds after which a server that says nothing any more counts as gone."""

_LIBPQ = ("psycopg", "psycopg2")
_PATIENT = {
    "connect_timeout": PATIENCE,
    "keepalives_idle": SILENCE // 2,
    "keepalives_interval": SILENCE // 6,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE * 1000,
}
"""What libpq takes (PostgreSQL, 34.1.2): without it, it waits as long as the network lets it."""

Clock = Callable[[], datetime]


class Engine:
    """One database. ``file`` is a SQLite file that must be there already, or else ``url`` is an SQLAlchemy URL.

    Nothing is parsed or loaded before the first use: who only looks into the ledger has no url, and needs no driver.
    """

    def __init__(self, *, file: Path | None, url: str, clock: Clock) -> None:
        self._file = file
        self._url = url
        self._clock = clock
        self.gate: Gate = OpenGate()

    @cached_property
    def place(self) -> URL:
        """Raises ConfigError: the url is none."""
        return _lite(self._file) if self._file is not None else _parsed(self._url)

    @cached_property
    def alchemy(self) -> sqlalchemy.Engine:
        """Raises ConfigError: the url is none, or its driver is not installed."""
        found = _engine(self.place, options_of(self.place))
        if self.is_lite:
            event.listen(found, "connect", _as_we_say_when)
            event.listen(found, "begin", _begin)
        elif self.place.get_backend_name() == "postgresql":
            event.listen(found, "begin", _as_we_read)
        return found

    @property
    def is_lite(self) -> bool:
        return self.place.get_backend_name() == "sqlite"

    @property
    def account(self) -> str:
        if self._file is not None:
            return str(self._file.resolve())
        if self.is_lite:
            return str(self.place.database)
        return f"{self.place.host}:{self.place.port or ''}/{self.place.database}"

    @property
    def name(self) -> str:
        return self._file.name if self._file is not None else str(self.place.database)

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
        if "alchemy" in self.__dict__:
            self.alchemy.dispose()


def options_of(place: URL) -> dict[str, Any]:
    """How long to wait, for those that say; what the url says itself stands."""
    if place.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": PATIENCE}}
    patient = _PATIENT if place.drivername.partition("+")[2] in _LIBPQ else {}
    return {"pool_pre_ping": True, "connect_args": {name: n for name, n in patient.items() if name not in place.query}}


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
            next_step="truce secrets set database.url",
        ) from None


def _engine(place: URL, options: dict[str, Any]) -> sqlalchemy.Engine:
    try:
        return sqlalchemy.create_engine(place, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the driver of the database is not installed: {error.name}",
            where="database.url",
            why=f"the url begins with {place.drivername}",
            next_step=f"pip install {error.name}",
        ) from None
    except NoSuchModuleError:
        raise ConfigError(
            f"nobody knows how to talk to {place.drivername}",
            where="database.url",
            why="the url begins with it; it looks like postgresql+psycopg://truce:secret@host/shop",
            next_step="truce secrets set database.url",
        ) from None


def _as_we_say_when(connection: Any, record: Any) -> None:
    """The driver begins no transaction by itself, so that a write locks before it reads."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _as_we_read(connection: Connection) -> None:
    """PostgreSQL waits for a lock without end, be it that of a colleague who went to lunch in a transaction; and times
    come as text, in one spelling."""
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', '{PATIENCE}s', true), set_config('datestyle', 'ISO', true)"
    )
