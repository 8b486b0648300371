"""The tables of ledger.db: everything that cannot be read again from a CRM.

Two kinds of table. *Chained* ones (batches, citations, entries, transitions, events) share one increasing
``seq`` and carry the hash chain; triggers keep what the chain covers append-only. The others hold present
state.

Values of records are only in ``payloads`` (each with its own salt, free to be erased), in ``plans`` and in
``reviews``; the chain holds a keyed hash of each payload, so that erasing a value never breaks it.

Moments are whole microseconds since 1970 (UTC).
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("ledger")

OPEN_STATES_SQL = "state IN ('planned', 'held', 'intended', 'unknown')"

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
        closed_at INTEGER
    ) STRICT""",
    "CREATE INDEX batches_unfinished ON batches (state) WHERE state IN ('held', 'open')",
    """CREATE TABLE citations (
        seq INTEGER PRIMARY KEY,
        field TEXT NOT NULL,
        vendor_field TEXT NOT NULL,
        meaning TEXT NOT NULL,
        policy TEXT NOT NULL,
        line TEXT NOT NULL,
        rule TEXT NOT NULL,
        chain BLOB NOT NULL,
        UNIQUE (field, vendor_field, meaning, policy, line, rule)
    ) STRICT""",
    """CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        op TEXT NOT NULL,
        entity TEXT NOT NULL,
        system TEXT NOT NULL,
        object_type TEXT NOT NULL,
        record_id TEXT,
        extras TEXT,
        cited TEXT NOT NULL,
        born TEXT NOT NULL,
        mac BLOB NOT NULL,
        chain BLOB NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        latest INTEGER
    ) STRICT""",
    "CREATE UNIQUE INDEX entries_once ON entries (batch, slot)",
    "CREATE INDEX entries_of_entity ON entries (entity)",
    "CREATE INDEX entries_of_record ON entries (record_id) WHERE record_id IS NOT NULL",
    f"CREATE INDEX entries_unfinished ON entries (seq) WHERE {OPEN_STATES_SQL}",
    """CREATE TABLE transitions (
        seq INTEGER PRIMARY KEY,
        entry INTEGER NOT NULL,
        state TEXT NOT NULL,
        at INTEGER NOT NULL,
        record_id TEXT,
        version TEXT,
        as_sent INTEGER NOT NULL,
        sends INTEGER NOT NULL,
        mac BLOB,
        chain BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX transitions_made ON transitions (record_id) WHERE record_id IS NOT NULL",
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        actor TEXT NOT NULL,
        at INTEGER NOT NULL,
        mac BLOB NOT NULL,
        chain BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX events_about ON events (subject, kind)",
    "CREATE INDEX events_of_kind ON events (kind)",
    """CREATE TABLE payloads (
        seq INTEGER PRIMARY KEY,
        salt BLOB NOT NULL,
        body TEXT NOT NULL
    ) STRICT""",
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
    "batches": ("state", "closed_at"),
    "citations": (),
    "entries": ("state", "attempts", "latest"),
    "transitions": (),
    "events": (),
}
"""Columns of the chained tables that hold present state; all others never change."""


@migrations()
def first_tables(db: Database) -> None:
    for statement in (*_CHAINED, *_PRESENT):
        db.execute(statement)
    for table in CHANGEABLE:
        for statement in _append_only(db, table):
            db.execute(statement)
    db.execute(
        """CREATE TRIGGER payloads_never_change BEFORE UPDATE ON payloads
        BEGIN SELECT RAISE(ABORT, 'a payload is written once'); END"""
    )


def _append_only(db: Database, table: str) -> tuple[str, str]:
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})").fetchall()]
    fixed = ", ".join(name for name in columns if name not in CHANGEABLE[table])
    return (
        f"""CREATE TRIGGER {table}_never_change BEFORE UPDATE OF {fixed} ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
        f"""CREATE TRIGGER {table}_never_go BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    )
