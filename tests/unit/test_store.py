"""One SQLite file: how it is made, opened, written and refused."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlite_utils.utils

from agent import store
from agent.errors import ConfigError, LedgerDamaged, LedgerMissing, LockHeld, StorageFull
from agent.ledger import migrations
from agent.ledger.ledger import LEDGER_TABLES
from agent.mirror import migrations as migrations_mirror
from agent.mirror.mirror import MIRROR_TABLES
from agent.store import Schema, Store, has_wal_reset_fix


def load_one_table() -> Any:
    from sqlite_utils.migrations import Migrations

    steps = Migrations("example")

    @steps()
    def first(db: Any) -> None:
        db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")

    return steps


NOTES = Schema(version=1, load=load_one_table)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "example.db"


@pytest.fixture
def opened(path: Path) -> Store:
    return Store.open(path, NOTES)


def setting(opened: Store, name: str) -> Any:
    return opened.read_tuples(f"PRAGMA {name}")[0][0]


@pytest.mark.parametrize(
    ("version", "is_fixed"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
    ],
)
def test_wal_is_used_only_without_the_wal_reset_bug(version: tuple[int, int, int], is_fixed: bool) -> None:
    assert has_wal_reset_fix(version) is is_fixed


def test_truce_and_sqlite_utils_use_the_same_library() -> None:
    chosen = sys.modules[store.Connection.__module__.partition(".")[0]]
    assert sqlite_utils.utils.sqlite3 is chosen
    assert chosen.sqlite_version == store.SQLITE_VERSION


def test_two_libraries_on_one_file_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("sqlean")
    other.sqlite_version = "3.40.1"
    monkeypatch.setattr(sqlite_utils.utils, "sqlite3", other)
    with pytest.raises(ConfigError, match="two SQLite libraries"):
        Store.open(path, NOTES)


def test_every_setting_holds_on_every_connection(opened: Store, path: Path) -> None:
    reader = Store.open_read_only(path, NOTES)
    for connection in (opened, reader):
        assert setting(connection, "foreign_keys") == 1
        assert setting(connection, "recursive_triggers") == 1
        assert setting(connection, "secure_delete") == 1
        assert setting(connection, "trusted_schema") == 0
        assert setting(connection, "cell_size_check") == 1
        assert setting(connection, "busy_timeout") == 30_000
        assert setting(connection, "temp_store") == 2
    assert setting(reader, "query_only") == 1


def test_a_commit_survives_a_power_cut(opened: Store) -> None:
    full, extra = 2, 3
    assert setting(opened, "journal_mode") == ("wal" if store.USES_WAL else "delete")
    assert setting(opened, "synchronous") == (full if store.USES_WAL else extra)


def test_without_the_fix_the_rollback_journal_is_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "USES_WAL", False)
    opened = Store.open(path, NOTES)
    assert setting(opened, "journal_mode") == "delete"
    assert setting(opened, "synchronous") == 3


def test_the_mirror_may_lose_its_last_commits_in_a_power_cut(path: Path) -> None:
    opened = Store.open(path, NOTES, durability="rebuildable")
    assert setting(opened, "synchronous") == 1


def test_files_are_for_their_owner_alone(opened: Store, path: Path) -> None:
    with opened.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES ('hello')")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for found in path.parent.iterdir():
        assert stat.S_IMODE(found.stat().st_mode) == 0o600, found.name


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_others_may_read_is_refused(opened: Store, path: Path, mode: int) -> None:
    opened.close()
    path.chmod(mode)
    with pytest.raises(ConfigError, match="other users") as caught:
        Store.open(path, NOTES)
    assert caught.value.next_step == f"chmod 600 {path}"


def test_a_folder_others_may_enter_is_refused(opened: Store, path: Path) -> None:
    opened.close()
    path.parent.chmod(0o755)
    with pytest.raises(ConfigError, match="other users"):
        Store.open(path, NOTES)


def test_a_link_in_place_of_the_file_is_refused(opened: Store, path: Path) -> None:
    opened.close()
    target = path.rename(path.with_name("elsewhere.db"))
    path.symlink_to(target)
    with pytest.raises(ConfigError, match="symbolic link"):
        Store.open(path, NOTES)


def test_a_link_in_place_of_the_journal_is_refused(opened: Store, path: Path) -> None:
    opened.close()
    path.with_name(path.name + "-journal").symlink_to(path.with_name("elsewhere"))
    with pytest.raises(ConfigError, match="symbolic link"):
        Store.open(path, NOTES)


def test_a_missing_file_is_not_made_unless_asked(path: Path) -> None:
    with pytest.raises(LedgerMissing):
        Store.open(path, NOTES, create=False)
    assert not path.exists()
    with pytest.raises(LedgerMissing):
        Store.open_read_only(path, NOTES)


def test_what_is_no_database_is_damaged(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"this is not SQLite, and longer than a header would be" * 20)
    path.chmod(0o600)
    with pytest.raises(LedgerDamaged):
        Store.open(path, NOTES)


def test_a_damaged_page_is_found(opened: Store, path: Path) -> None:
    with opened.write() as connection:
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 500,)] * 200)
    opened.checkpoint()
    opened.close()
    content = bytearray(path.read_bytes())
    for place in range(3 * 4096, 3 * 4096 + 64):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(LedgerDamaged):
        Store.open(path, NOTES).check_pages()


def test_a_file_of_a_newer_truce_is_refused(opened: Store, path: Path) -> None:
    with opened.write() as connection:
        connection.execute("PRAGMA user_version = 99")
    opened.close()
    with pytest.raises(LedgerDamaged, match="newer"):
        Store.open(path, NOTES)
    with pytest.raises(LedgerDamaged, match="newer"):
        Store.open_read_only(path, NOTES)


def test_a_reader_does_not_change_the_tables(opened: Store, path: Path) -> None:
    with opened.write() as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(ConfigError, match="older"):
        Store.open_read_only(path, NOTES)


@pytest.mark.parametrize(
    ("schema", "steps"),
    [(LEDGER_TABLES, migrations.migrations), (MIRROR_TABLES, migrations_mirror.migrations)],
    ids=["ledger", "mirror"],
)
def test_the_version_counts_the_migrations(tmp_path: Path, schema: Schema, steps: Any) -> None:
    opened = Store.open(tmp_path / "x.db", schema)
    applied = opened.read_tuples("SELECT COUNT(*) FROM _sqlite_migrations")[0][0]
    assert applied == schema.version == setting(opened, "user_version")
    assert schema.load() is steps


def test_a_migration_that_fails_leaves_no_trace(path: Path) -> None:
    def load() -> Any:
        steps = load_one_table()

        @steps()
        def second(db: Any) -> None:
            db.execute("CREATE TABLE more (id INTEGER PRIMARY KEY)")
            raise RuntimeError("half way")

        return steps

    with pytest.raises(RuntimeError, match="half way"):
        Store.open(path, Schema(2, load))
    tables = {row[0] for row in Store.open(path, NOTES).read_tuples("SELECT name FROM sqlite_master")}
    assert "notes" in tables
    assert "more" not in tables


def write_then_fail(opened: Store) -> None:
    with opened.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES ('one')")
        raise KeyError("stop")


def test_a_block_that_raises_is_undone(opened: Store) -> None:
    with pytest.raises(KeyError):
        write_then_fail(opened)
    assert opened.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]
    assert not opened.in_transaction


def test_an_inner_block_joins_the_outer_one(opened: Store) -> None:
    def outer() -> None:
        with opened.write():
            with opened.write() as connection:
                connection.execute("INSERT INTO notes (text) VALUES ('inner')")
            assert opened.in_transaction
            raise KeyError("stop")

    with pytest.raises(KeyError):
        outer()
    assert opened.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]


def test_an_inner_failure_that_was_swallowed_keeps_nothing(opened: Store) -> None:
    def swallow() -> None:
        with opened.write() as connection:
            connection.execute("INSERT INTO notes (text) VALUES ('outer')")
            with contextlib.suppress(KeyError):
                write_then_fail(opened)

    with pytest.raises(RuntimeError, match="none of it is kept"):
        swallow()
    assert opened.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]


def test_a_transaction_locks_before_it_reads(opened: Store, path: Path) -> None:
    """A deferred transaction that reads first fails at its first write when somebody else wrote meanwhile."""
    other = Store.open(path, NOTES)
    other._connection.execute("PRAGMA busy_timeout = 1")
    with opened.write(), pytest.raises(LockHeld, match="busy"), other.write():
        pytest.fail("two writers at once")


def test_reading_goes_on_beside_a_writer(opened: Store, path: Path) -> None:
    reader = Store.open_read_only(path, NOTES)
    with opened.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES ('one')")
        assert reader.read("SELECT text FROM notes") == []
    assert [row["text"] for row in reader.read("SELECT text FROM notes")] == ["one"]


def test_a_reader_works_with_nobody_else_there(opened: Store, path: Path) -> None:
    with opened.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES ('one')")
    opened.close()
    assert Store.open_read_only(path, NOTES).read_tuples("SELECT text FROM notes") == [("one",)]


def test_a_reader_cannot_write(opened: Store, path: Path) -> None:
    reader = Store.open_read_only(path, NOTES)
    with pytest.raises(StorageFull), reader.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES ('one')")


def test_a_snapshot_does_not_move(opened: Store, path: Path) -> None:
    reader = Store.open_read_only(path, NOTES)
    with reader.snapshot():
        assert reader.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]
        with opened.write() as connection:
            connection.execute("INSERT INTO notes (text) VALUES ('one')")
        assert reader.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]
    assert reader.read_tuples("SELECT COUNT(*) FROM notes") == [(1,)]


def test_a_full_disk_says_so_and_keeps_the_file_whole(opened: Store) -> None:
    """After SQLITE_FULL SQLite has rolled back already; a second ROLLBACK must not hide the reason."""
    opened._connection.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StorageFull, match="nothing more is sent") as caught, opened.write() as connection:
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 1000,)] * 500)
    assert "full" in caught.value.why
    assert opened.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]
    opened.check_pages()
    opened._connection.execute("PRAGMA max_page_count = 10000")
    with opened.write() as connection:
        connection.execute("INSERT INTO notes (text) VALUES ('later')")
    assert opened.read_tuples("SELECT COUNT(*) FROM notes") == [(1,)]


def test_a_file_size_limit_says_so_too(path: Path) -> None:
    """RLIMIT_FSIZE in a process of its own; SIGXFSZ is ignored by Python, so SQLite sees a short write."""
    code = f"""
        import resource, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_store import NOTES
        from agent.errors import StorageFull
        from agent.store import Store
        opened = Store.open(Path({str(path)!r}), NOTES)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            with opened.write() as connection:
                connection.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 1000,)] * 2000)
        except StorageFull as error:
            print("full:", opened.read_tuples("SELECT COUNT(*) FROM notes")[0][0])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "full: 0", done.stderr
    survivor = Store.open(path, NOTES)
    survivor.check_pages()
    assert survivor.read_tuples("SELECT COUNT(*) FROM notes") == [(0,)]


def test_a_broken_rule_of_our_own_stays_what_it_is(opened: Store) -> None:
    with opened.write() as connection:
        connection.execute("INSERT INTO notes VALUES (1, 'one')")
    integrity_error = sys.modules[store.Connection.__module__.partition(".")[0]].IntegrityError
    with pytest.raises(integrity_error), opened.write() as connection:
        connection.execute("INSERT INTO notes VALUES (1, 'again')")


def test_a_second_thread_cannot_slip_into_a_transaction(opened: Store) -> None:
    problems: list[BaseException] = []

    def read() -> None:
        try:
            opened.read("SELECT 1")
        except RuntimeError as problem:
            problems.append(problem)

    with opened.write():
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert "another thread" in str(problems[0])


def test_a_replaced_file_is_noticed(opened: Store, path: Path) -> None:
    assert opened.is_same_file()
    path.rename(path.with_name("moved.db"))
    assert not opened.is_same_file()
    path.touch(mode=0o600)
    assert not opened.is_same_file()


def test_closing_twice_is_fine(opened: Store) -> None:
    opened.close()
    opened.close()


def test_moments_come_back_to_the_microsecond() -> None:
    from datetime import UTC, datetime

    moment = datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)
    assert store.from_micros(store.to_micros(moment)) == moment
    assert store.maybe_moment(store.maybe_micros(None)) is None


def test_everything_is_made_with_the_strictest_mask(path: Path) -> None:
    before = os.umask(0)
    try:
        Store.open(path, NOTES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
