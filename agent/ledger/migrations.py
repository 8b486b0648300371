"""The tables of ledger.db: everything that cannot be read again from a CRM.

Two kinds of table. *Chained* ones (batches, shapes, entries, transitions, events) share one increasing
``seq`` and carry the hash chain; triggers keep what the chain covers append-only. The others hold present
state.

Values of records are only in the payload of a row (``body``, with a ``salt`` of its own: both may be erased), in
``plans`` and in ``reviews``; the chain covers a keyed hash of each payload, so that erasing one never breaks it.
The state of an entry stands nowhere: it is that of its last transition. In the tables written by the thousand an
empty text or blob means none, and NULL in ``salt`` and ``body`` means erased.

Moments are whole microseconds since 1970 (UTC).
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("ledger")

_CHAINED = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE head (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE batches (
        seq INTEGER PRIMARY KEY,
        number INTEGER NOT NULL UNIQUE,
        epoch INTEGER NOT NULL,
        kind TEXT NOT NULL,
        born TEXT NOT NULL,
        title TEXT NOT NULL,
        actor TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        reverts TEXT,
        plan INTEGER,
        hold_reason TEXT,
        expires_at INTEGER,
        size INTEGER NOT NULL,
        hash BLOB NOT NULL,
        chain BLOB NOT NULL,
        state TEXT NOT NULL,
        closed_at INTEGER,
        unsettled INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX batches_unfinished ON batches (number) WHERE state IN ('held', 'open')",
    "CREATE INDEX batches_unsettled ON batches (number) WHERE unsettled > 0",
    "CREATE INDEX batches_by_time ON batches (opened_at)",
    """CREATE TABLE shapes (
        seq INTEGER PRIMARY KEY,
        op TEXT NOT NULL,
        system TEXT NOT NULL,
        object_type TEXT NOT NULL,
        cells TEXT NOT NULL,
        chain BLOB NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX shapes_once ON shapes (op, system, object_type, cells)",
    """CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL,
        shape INTEGER NOT NULL,
        entity TEXT NOT NULL,
        record_id TEXT NOT NULL,
        extras TEXT NOT NULL,
        born TEXT NOT NULL,
        mac BLOB NOT NULL,
        chain BLOB NOT NULL,
        salt BLOB,
        body TEXT
    ) STRICT""",
    "CREATE INDEX entries_of_entity ON entries (entity)",
    "CREATE INDEX entries_of_record ON entries (record_id) WHERE record_id != ''",
    """CREATE TABLE transitions (
        seq INTEGER PRIMARY KEY,
        entry INTEGER NOT NULL,
        state TEXT NOT NULL,
        at INTEGER NOT NULL,
        record_id TEXT NOT NULL,
        version TEXT NOT NULL,
        as_sent INTEGER NOT NULL,
        sends INTEGER NOT NULL,
        mac BLOB NOT NULL,
        chain BLOB NOT NULL,
        salt BLOB,
        body TEXT
    ) STRICT""",
    "CREATE INDEX transitions_of_entry ON transitions (entry)",
    "CREATE INDEX transitions_made ON transitions (record_id) WHERE record_id != ''",
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        actor TEXT NOT NULL,
        at INTEGER NOT NULL,
        mac BLOB NOT NULL,
        chain BLOB NOT NULL,
        salt BLOB,
        body TEXT
    ) STRICT""",
    "CREATE INDEX events_about ON events (subject, kind)",
    "CREATE INDEX events_of_kind ON events (kind)",
)

_PRESENT = (
    """CREATE TABLE counted (
        day TEXT NOT NULL,
        meaning TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (day, meaning)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE plans (
        number INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        used_at INTEGER,
        used_by TEXT
    ) STRICT""",
    """CREATE TABLE revisions (
        number INTEGER PRIMARY KEY,
        revision TEXT NOT NULL,
        sources TEXT NOT NULL,
        editor TEXT NOT NULL,
        saved_at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX revisions_by_name ON revisions (revision)",
    """CREATE TABLE entities (
        entity TEXT PRIMARY KEY,
        entity_type TEXT NOT NULL,
        number INTEGER NOT NULL,
        key_number INTEGER NOT NULL DEFAULT 1,
        UNIQUE (entity_type, number)
    ) STRICT""",
    """CREATE TABLE entity_numbers (
        entity_type TEXT PRIMARY KEY,
        handed_out INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE links (
        id INTEGER PRIMARY KEY,
        entity TEXT NOT NULL REFERENCES entities (entity),
        system TEXT NOT NULL,
        object_type TEXT NOT NULL,
        record_id TEXT NOT NULL,
        role TEXT NOT NULL,
        state TEXT NOT NULL,
        since INTEGER NOT NULL,
        UNIQUE (record_id, object_type, system)
    ) STRICT""",
    "CREATE INDEX links_of_entity ON links (entity)",
    """CREATE UNIQUE INDEX links_one_active ON links (entity, system)
        WHERE role = 'active' AND state = 'linked'""",
    """CREATE TABLE never_pairs (
        one TEXT NOT NULL,
        other TEXT NOT NULL,
        person TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (one, other)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE freezes (
        id INTEGER PRIMARY KEY,
        entity TEXT NOT NULL,
        field TEXT NOT NULL,
        system TEXT NOT NULL,
        rule TEXT NOT NULL,
        kind TEXT NOT NULL,
        reason TEXT NOT NULL,
        batch INTEGER,
        made_at INTEGER NOT NULL,
        expires_at INTEGER,
        lifted_at INTEGER,
        lifted_by TEXT
    ) STRICT""",
    "CREATE UNIQUE INDEX freezes_standing ON freezes (entity, field, system) WHERE lifted_at IS NULL",
    """CREATE TABLE approvals (
        id INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL,
        person TEXT NOT NULL,
        hash TEXT NOT NULL,
        count INTEGER NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (batch, person, hash)
    ) STRICT""",
    """CREATE TABLE activations (
        id INTEGER PRIMARY KEY,
        policy TEXT NOT NULL,
        meaning TEXT,
        person TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX activations_of_policy ON activations (policy)",
    """CREATE TABLE pauses (
        policy TEXT PRIMARY KEY,
        person TEXT NOT NULL,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE reviews (
        number INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        entity TEXT NOT NULL,
        topic TEXT NOT NULL,
        sentence TEXT NOT NULL,
        refs TEXT NOT NULL,
        line TEXT NOT NULL,
        state TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        refreshed_at INTEGER NOT NULL,
        ended_at INTEGER,
        answer TEXT,
        person TEXT
    ) STRICT""",
    "CREATE UNIQUE INDEX reviews_standing ON reviews (entity, topic) WHERE state = 'open'",
    "CREATE INDEX reviews_answered ON reviews (entity, topic) WHERE state = 'answered'",
    """CREATE TABLE tombstones (
        fingerprint BLOB PRIMARY KEY,
        reason TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE commands (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        actor TEXT NOT NULL,
        state TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        started_at INTEGER,
        ended_at INTEGER,
        progress TEXT,
        result TEXT
    ) STRICT""",
    "CREATE INDEX commands_waiting ON commands (id) WHERE state IN ('queued', 'running')",
)

CHANGEABLE = {
    "batches": ("state", "closed_at", "unsettled"),
    "shapes": (),
    "entries": ("salt", "body"),
    "transitions": ("salt", "body"),
    "events": ("salt", "body"),
}
"""Columns of the chained tables that may change: a batch's present state, and payloads, which may be erased. All
others never change."""


@migrations()
def first_tables(db: Database) -> None:
    for statement in (*_CHAINED, *_PRESENT):
        db.execute(statement)
    for table, columns in CHANGEABLE.items():
        for statement in _append_only(db, table):
            db.execute(statement)
        if "body" in columns:
            db.execute(
                f"""CREATE TRIGGER {table}_only_erase BEFORE UPDATE OF salt, body ON {table}
                WHEN NEW.salt IS NOT NULL OR NEW.body IS NOT NULL
                BEGIN SELECT RAISE(ABORT, 'a payload is written once and erased whole'); END"""
            )


@migrations()
def agreement_days(db: Database) -> None:
    """How far both CRMs agreed, by day and field: a figure that nothing can work out again later."""
    db.execute(
        """CREATE TABLE agreement_days (
            day TEXT NOT NULL,
            entity_type TEXT NOT NULL,
            field TEXT NOT NULL,
            agree INTEGER NOT NULL,
            differ INTEGER NOT NULL,
            PRIMARY KEY (day, entity_type, field)
        ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def calls_by_the_hour(db: Database) -> None:
    db.execute(
        """CREATE TABLE called (
            system TEXT NOT NULL,
            hour INTEGER NOT NULL,
            lane TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (system, hour, lane)
        ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def bulk_jobs(db: Database) -> None:
    db.execute(
        """CREATE TABLE bulk_jobs (
            job TEXT NOT NULL,
            system TEXT NOT NULL,
            entries TEXT NOT NULL,
            noted_at INTEGER NOT NULL,
            PRIMARY KEY (system, job)
        ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def watched(db: Database) -> None:
    """What a watching policy would write, cell by cell, without any value, and what became of it.

    ``ended``: '' while it stands, else a word of ``agent.watch.rows``.
    """
    db.execute(
        """CREATE TABLE watched (
            id INTEGER PRIMARY KEY,
            entity TEXT NOT NULL,
            system TEXT NOT NULL,
            field TEXT NOT NULL,
            policy TEXT NOT NULL,
            line TEXT NOT NULL,
            meaning TEXT NOT NULL,
            since INTEGER NOT NULL,
            ended_at INTEGER,
            ended TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX watched_standing ON watched (entity, system, field) WHERE ended_at IS NULL")
    db.execute("CREATE INDEX watched_ended ON watched (ended_at) WHERE ended_at IS NOT NULL")


def _append_only(db: Database, table: str) -> tuple[str, str]:
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})").fetchall()]
    fixed = ", ".join(name for name in columns if name not in CHANGEABLE[table])
    return (
        f"""CREATE TRIGGER {table}_never_change BEFORE UPDATE OF {fixed} ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
        f"""CREATE TRIGGER {table}_never_go BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    )
