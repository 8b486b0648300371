"""The tables of mirror.db: everything that can be read again from the CRMs, so the file may be thrown away.

Moments are whole microseconds since 1970 (UTC). ``shelf`` is one object type of one system.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("mirror")

TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE shelves (
        id INTEGER PRIMARY KEY,
        system TEXT NOT NULL,
        object_type TEXT NOT NULL,
        alive INTEGER NOT NULL DEFAULT 0,
        watermark INTEGER,
        mapped INTEGER,
        UNIQUE (system, object_type)
    ) STRICT""",
    """CREATE TABLE field_sets (
        id INTEGER PRIMARY KEY,
        names TEXT NOT NULL UNIQUE
    ) STRICT""",
    """CREATE TABLE records (
        n INTEGER PRIMARY KEY,
        shelf INTEGER NOT NULL,
        id TEXT NOT NULL,
        gone INTEGER NOT NULL,
        mapped INTEGER,
        version TEXT,
        was_version TEXT,
        modified_at INTEGER,
        first_seen INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        survivor TEXT,
        keys TEXT NOT NULL,
        names INTEGER NOT NULL,
        fields TEXT NOT NULL,
        UNIQUE (id, shelf)
    ) STRICT""",
    """CREATE TABLE match_keys (
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (kind, value, n)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE observed (
        n INTEGER NOT NULL,
        field TEXT NOT NULL,
        value TEXT,
        last_seen INTEGER NOT NULL,
        next_seen INTEGER NOT NULL,
        next_modified INTEGER,
        next_by TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX observed_of_record ON observed (n, field)",
    """CREATE TABLE pending (
        n INTEGER PRIMARY KEY,
        since INTEGER NOT NULL,
        reason TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE dispositions (
        n INTEGER PRIMARY KEY,
        outcome TEXT NOT NULL,
        sentence TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE bases (
        entity TEXT PRIMARY KEY,
        fields TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
)


@migrations()
def first_tables(db: Database) -> None:
    for statement in TABLES:
        db.execute(statement)


@migrations()
def agreement(db: Database) -> None:
    """Per entity, which fields agree, which differ and which of these are kept as edited; lists of names with commas.

    ``outdated``: we wrote to it since. Few lists are different, so counting them by group is quick.
    """
    db.execute(
        """CREATE TABLE agreement (
            entity TEXT PRIMARY KEY,
            agree TEXT NOT NULL,
            differ TEXT NOT NULL,
            kept TEXT NOT NULL,
            outdated INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX agreement_outdated ON agreement (entity) WHERE outdated = 1")
    db.execute("CREATE INDEX agreement_kept ON agreement (entity) WHERE kept != ''")


@migrations()
def erased(db: Database) -> None:
    """Records erased at their vendor (3) whose values we still hold: few, and looked for in every cycle."""
    db.execute("CREATE INDEX records_erased ON records (n) WHERE gone = 3")


@migrations()
def compared(db: Database) -> None:
    """Which pass looked for duplicates of a pending record as it stands (``agent.mirror.comparing``); 0: none yet."""
    db.execute("ALTER TABLE pending ADD COLUMN compared INTEGER NOT NULL DEFAULT 0")


@migrations()
def kept_until(db: Database) -> None:
    """When an edit that is kept has been kept long enough, in microseconds; nobody looks at it before."""
    db.execute("ALTER TABLE agreement ADD COLUMN until INTEGER NOT NULL DEFAULT 0")
