"""One SQLite file and how it is opened, written and read. The only module that chooses the SQLite library.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when two connections write or checkpoint at once (fixed in
3.51.3, back-ported to 3.44.6 and 3.50.7). So the bundled library of ``pysqlite3`` is used when it has the
fix, else Python's own; with neither fixed the file stays in rollback-journal mode.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from agent.errors import Busy, ConfigError, LedgerDamaged, LedgerMissing, StorageFull, TruceError
from agent.private_files import create_private_file, make_private_directory, require_private, room_in

if TYPE_CHECKING:
    import sqlite3
    from sqlite3 import Connection as Connection
    from sqlite3 import Row as Row

    from sqlite_utils.migrations import Migrations

Clock = Callable[[], datetime]
"""The present moment as an aware UTC datetime."""

RandomBytes = Callable[[int], bytes]
"""That many unpredictable bytes."""

Durability = Literal["full", "rebuildable"]
"""``full``: a commit survives a power cut. ``rebuildable``: our death only; it can be read again."""

BUSY_SECONDS = 30
SIDE_FILES = ("-wal", "-shm", "-journal")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WAL_BYTES_KEPT = 64 * 1024 * 1024


def has_wal_reset_fix(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite may use WAL with more than one connection."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


def _chosen_library() -> ModuleType:
    with contextlib.suppress(ImportError):
        bundled = importlib.import_module("pysqlite3")
        if has_wal_reset_fix(bundled.sqlite_version_info):
            return bundled
    return importlib.import_module("sqlite3")


if not TYPE_CHECKING:
    sqlite3 = _chosen_library()
    Connection, Row = sqlite3.Connection, sqlite3.Row

SQLITE_VERSION: str = sqlite3.sqlite_version
USES_WAL = has_wal_reset_fix(sqlite3.sqlite_version_info)

_FULL, _READONLY, _IOERR, _BUSY, _LOCKED, _CORRUPT, _CANTOPEN, _NOTADB = 13, 8, 10, 5, 6, 11, 14, 26
# ``Connection.backup`` raises these without a code
_CODE_OF_TEXT = {"database or disk is full": _FULL, "disk I/O error": _IOERR}


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one kind of file: how many migrations there are, and how to load them when needed."""

    version: int
    load: Callable[[], Migrations]


class Store:
    """One open file. One thread at a time: a second thread that meets an open transaction gets an error."""

    def __init__(self, path: Path, connection: Connection, *, is_read_only: bool) -> None:
        self.path = path
        self.is_read_only = is_read_only
        self._connection = connection
        self._depth = 0
        self._failed: BaseException | None = None
        self._thread: int | None = None
        self._inode = _inode(path)

    @classmethod
    def open(
        cls,
        path: Path,
        schema: Schema,
        *,
        durability: Durability = "full",
        cache_megabytes: int = 16,
        create: bool = True,
    ) -> Store:
        """Open for writing; make the file if it is missing and bring its tables up to date.

        Raises:
            LedgerMissing: the file is not there and ``create`` is False.
            ConfigError: others may read it, or two SQLite libraries would meet.
            LedgerDamaged: it is no SQLite file, or a newer Truce wrote it.
        """
        make_private_directory(path.parent)
        if not create and not path.exists():
            raise _missing(path)
        create_private_file(path)
        _require_private_files(path)
        connection = _connect(path, "rw")
        store = cls(path, connection, is_read_only=False)
        try:
            with _translated(path):
                _settle_connection(connection, cache_megabytes)
                _choose_journal(connection, path, durability)
                store._migrate(schema)
        except BaseException:
            connection.close()
            raise
        return store

    @classmethod
    def open_read_only(cls, path: Path, schema: Schema) -> Store:
        """Open beside a running writer; every write raises.

        Raises:
            LedgerMissing: the file is not there.
            ConfigError: others may read it, or its tables are older than this Truce.
        """
        if not path.exists():
            raise _missing(path)
        _require_private_files(path)
        connection = _connect(path, "ro")
        store = cls(path, connection, is_read_only=True)
        try:
            with _translated(path):
                _settle_connection(connection, cache_megabytes=8)
                connection.execute("PRAGMA query_only = ON")
                store._require_version(schema)
        except BaseException:
            connection.close()
            raise
        return store

    @property
    def in_transaction(self) -> bool:
        return self._depth > 0 or bool(self._connection.in_transaction)

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: BEGIN IMMEDIATE … COMMIT. An inner ``write`` joins the outer one.

        Everything is undone when the block raises; an inner block that raised dooms the outer one even if the
        exception is swallowed on the way.

        Raises:
            StorageFull: the disk is full, failing or read-only; nothing of the block is kept.
            Busy: another process kept the file locked for 30 seconds.
        """
        self._require_own_thread()
        with _translated(self.path):
            if self._depth:
                with self._joined():
                    yield self._connection
            else:
                with self._begun():
                    yield self._connection

    @contextlib.contextmanager
    def _joined(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        except BaseException as problem:
            self._failed = problem
            raise
        finally:
            self._depth -= 1

    @contextlib.contextmanager
    def _begun(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        self._depth, self._failed, self._thread = 1, None, threading.get_ident()
        try:
            yield
            if self._failed is not None:
                raise RuntimeError("a part of this transaction failed, so none of it is kept") from self._failed
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        finally:
            self._depth, self._thread = 0, None

    def _undo(self) -> None:
        """Roll back unless SQLite did (as on a full disk); never hide the error that brought us here."""
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every read inside sees the file as it was at the first; keep it short, it holds up checkpoints."""
        if self.in_transaction:
            yield
            return
        with _translated(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._undo()

    def read(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """All rows of one query, addressable by column name."""
        self._require_own_thread()
        with _translated(self.path):
            cursor = self._connection.cursor()
            cursor.row_factory = Row
            return cursor.execute(sql, params).fetchall()

    def read_tuples(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As ``read``, as plain tuples: for the hot paths."""
        self._require_own_thread()
        with _translated(self.path):
            return self._connection.execute(sql, params).fetchall()

    def is_same_file(self) -> bool:
        """False once the path is gone or another file: SQLite would go on writing into the old one."""
        return _inode(self.path) == self._inode

    def check_pages(self) -> None:
        """SQLite's own check of the file's structure.

        Raises:
            LedgerDamaged: it found something.
        """
        found = [row[0] for row in self.read_tuples("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise _damaged(self.path, str(found[0]))

    def copy_to(self, path: Path) -> None:
        """A consistent copy while others write, as one ordinary private file; nothing of that name may be there.

        Never copy the file itself: with a log beside it, a plain copy loses what the log holds.

        Raises:
            ConfigError: something of that name exists. StorageFull: no room; the half-made copy is removed.
        """
        if not create_private_file(path):
            raise ConfigError("a file of that name is there already", where=str(path))
        try:
            with _translated(path), contextlib.closing(_connect(path, "rw")) as target:
                self._connection.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
        except BaseException:
            for half_made in (path, *(path.with_name(path.name + ending) for ending in SIDE_FILES)):
                half_made.unlink(missing_ok=True)
            raise

    def checkpoint(self) -> None:
        """Move everything committed into the main file and empty the log, so that nothing erased stays in it."""
        if USES_WAL:
            self.read_tuples("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Safe to call twice."""
        self._connection.close()

    def _require_own_thread(self) -> None:
        if self._thread is not None and self._thread != threading.get_ident():
            raise RuntimeError(f"{self.path.name} is in a transaction of another thread")

    def _migrate(self, schema: Schema) -> None:
        present = self._schema_version()
        if present > schema.version:
            raise _from_the_future(self.path)
        if present == schema.version:
            return
        utils = importlib.import_module("sqlite_utils")
        _require_one_library()
        with self.write() as connection:
            if self._schema_version() < schema.version:
                schema.load().apply(utils.Database(connection))
                connection.execute(f"PRAGMA user_version = {schema.version:d}")

    def _require_version(self, schema: Schema) -> None:
        present = self._schema_version()
        if present > schema.version:
            raise _from_the_future(self.path)
        if present < schema.version:
            raise ConfigError(
                "the file's tables are older than this Truce", where=str(self.path), next_step="truce run"
            )

    def _schema_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])


def to_micros(moment: datetime) -> int:
    """How moments are stored: whole microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=64)
def from_micros(micros: int) -> datetime:
    """The inverse of ``to_micros``; all records of a page were seen at one moment."""
    return _EPOCH + timedelta(microseconds=micros)


def maybe_micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def maybe_moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def marks(count: int) -> str:
    """``?,?,?`` for an IN list."""
    return ",".join("?" * count)


def _connect(path: Path, mode: str) -> Connection:
    with _translated(path):
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )


def _settle_connection(connection: Connection, cache_megabytes: int) -> None:
    """The settings every connection needs, read-only ones too; none of them is remembered by the file."""
    for setting in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "foreign_keys = ON",
        "recursive_triggers = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        f"cache_size = -{cache_megabytes * 1024}",
    ):
        connection.execute(f"PRAGMA {setting}")


def _choose_journal(connection: Connection, path: Path, durability: Durability) -> None:
    wanted = "wal" if USES_WAL else "delete"
    present = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
    if present != wanted:
        raise ConfigError(
            f"the file cannot be switched to journal mode {wanted}",
            where=str(path),
            why=f"it is in mode {present} and another process may have it open (SQLite {SQLITE_VERSION})",
            next_step="stop the other process and try again",
        )
    level = "NORMAL" if durability == "rebuildable" else ("FULL" if USES_WAL else "EXTRA")
    connection.execute(f"PRAGMA synchronous = {level}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours; what is a bug of ours (constraint, syntax) stays what it is."""
    try:
        yield
    except sqlite3.Error as problem:
        found = _as_truce_error(path, problem)
        if found is None:
            raise
        raise found from problem


def _as_truce_error(path: Path, problem: sqlite3.Error) -> TruceError | None:
    code = int(getattr(problem, "sqlite_errorcode", 0) or 0) & 0xFF or _CODE_OF_TEXT.get(str(problem), 0)
    if code in (_FULL, _IOERR, _READONLY, _CANTOPEN):
        return StorageFull(
            f"{path.name} cannot be written, so nothing more is sent",
            where=str(path),
            why=f"{problem}{room_in(path.parent)}",
            next_step="free space on that disk (or check its permissions), then run the same command again",
        )
    if code in (_BUSY, _LOCKED):
        return Busy(
            f"{path.name} is busy",
            where=str(path),
            why=f"another process kept it locked for {BUSY_SECONDS} seconds",
            next_step="truce status",
        )
    if code in (_CORRUPT, _NOTADB):
        return _damaged(path, str(problem))
    return None


def _require_private_files(path: Path) -> None:
    require_private(path)
    for ending in SIDE_FILES:
        with contextlib.suppress(FileNotFoundError):
            require_private(path.with_name(path.name + ending))


def _require_one_library() -> None:
    """Two SQLite libraries on one file in one process drop each other's locks."""
    theirs = importlib.import_module("sqlite_utils.utils").sqlite3
    if theirs is not sys.modules[Connection.__module__.partition(".")[0]]:
        raise ConfigError(
            "two SQLite libraries are installed and sqlite-utils would use the other one",
            where=f"sqlite-utils: {theirs.__name__} {theirs.sqlite_version}; Truce: SQLite {SQLITE_VERSION}",
            why="both on one file can corrupt it",
            next_step="pip install 'pysqlite3>=0.6.1' (and remove pysqlite3-binary)",
        )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _missing(path: Path) -> LedgerMissing:
    return LedgerMissing("there is no ledger yet", where=str(path), next_step="truce plan")


def _damaged(path: Path, why: str) -> LedgerDamaged:
    return LedgerDamaged(
        f"{path.name} is damaged",
        where=str(path),
        why=why,
        next_step="put the last backup back: truce ledger restore FILE",
    )


def _from_the_future(path: Path) -> LedgerDamaged:
    return LedgerDamaged(
        f"{path.name} was written by a newer Truce",
        where=str(path),
        next_step="upgrade Truce on this computer",
    )
