"""The world as plain data: a snapshot to compare and put back, and a SQLite file that survives a restart.

The file is written through: each transaction of the world is one transaction of the file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from connectors.emulator.audit import AuditLine
from connectors.emulator.world import End, Row, Space, Transaction, World

FORMAT = 2
OURS = "connectors.emulator."
TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
    system TEXT, object_type TEXT, id TEXT, body BLOB NOT NULL, PRIMARY KEY (system, object_type, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
    system TEXT, from_type TEXT, from_id TEXT, to_type TEXT, to_id TEXT, labels BLOB NOT NULL,
    PRIMARY KEY (system, from_type, from_id, to_type, to_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""


def packed(value: Any) -> Any:
    """A value as JSON can carry it; sets, tuples, dates, our dataclasses and odd keys are marked with ``$``.

    Raises:
        TypeError: a value that could not be read back as it was.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list):
        return [packed(one) for one in value]
    if isinstance(value, Mapping):
        if all(isinstance(name, str) and not name.startswith("$") for name in value):
            return {name: packed(one) for name, one in value.items()}
        return {"$map": [[packed(name), packed(one)] for name, one in value.items()]}
    if isinstance(value, set | frozenset):
        return {"$set": sorted((packed(one) for one in value), key=json.dumps)}
    if isinstance(value, tuple):
        return {"$tuple": [packed(one) for one in value]}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith(OURS):
        content = {one.name: packed(getattr(value, one.name)) for one in fields(value)}
        return {"$object": [f"{type(value).__module__}:{type(value).__qualname__}", content]}
    raise TypeError(f"the emulator's state cannot keep a {type(value).__name__}: {value!r}")


def unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [unpacked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((mark, content),) = value.items()
        if mark == "$map":
            return {unpacked(name): unpacked(one) for name, one in content}
        if mark == "$set":
            return {unpacked(one) for one in content}
        if mark == "$tuple":
            return tuple(unpacked(one) for one in content)
        if mark == "$time":
            return datetime.fromisoformat(content)
        if mark == "$object":
            return rebuilt(*content)
    return {name: unpacked(one) for name, one in value.items()}


def rebuilt(name: str, content: Mapping[str, Any]) -> Any:
    """One of the emulator's own dataclasses.

    Raises:
        ValueError: there is no such dataclass in the emulator.
    """
    module, _, qualname = name.partition(":")
    kind = getattr(importlib.import_module(module), qualname, None) if module.startswith(OURS) else None
    if not isinstance(kind, type) or not is_dataclass(kind):
        raise ValueError(f"the emulator keeps no {name!r}")
    made = object.__new__(kind)
    for one in fields(kind):
        object.__setattr__(made, one.name, unpacked(content[one.name]))
    return made


def fingerprint(value: Any) -> bytes:
    """Changes when the value does; much faster than packing a whole schema."""
    try:
        return orjson.dumps(value, default=packed, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return orjson.dumps(packed(value))


def row_as_json(row: Row) -> dict[str, Any]:
    return {
        "values": packed(row.values),
        "created_at": row.created_at.isoformat(),
        "stamp": row.stamp.isoformat(),
        "modified_at": row.modified_at.isoformat(),
        "visible_at": row.visible_at.isoformat(),
        "deleted": row.deleted,
        "deleted_at": row.deleted_at.isoformat() if row.deleted_at else None,
        "merged_into": row.merged_into,
        "history": [[name, packed(value), at.isoformat(), actor] for name, value, at, actor in row.changes],
        "born": [row.born[0].isoformat(), row.born[1]] if row.born is not None else None,
    }


def row_from_json(object_type: str, row_id: str, body: Mapping[str, Any]) -> Row:
    return Row(
        id=row_id,
        object_type=object_type,
        values=unpacked(body["values"]),
        created_at=datetime.fromisoformat(body["created_at"]),
        stamp=datetime.fromisoformat(body["stamp"]),
        modified_at=datetime.fromisoformat(body["modified_at"]),
        visible_at=datetime.fromisoformat(body["visible_at"]),
        deleted=body["deleted"],
        deleted_at=datetime.fromisoformat(body["deleted_at"]) if body["deleted_at"] else None,
        merged_into=body["merged_into"],
        changes=[
            (name, unpacked(value), datetime.fromisoformat(at), actor) for name, value, at, actor in body["history"]
        ],
        born=(datetime.fromisoformat(born[0]), born[1]) if (born := body.get("born")) else None,
    )


def sorted_links(space: Space) -> list[tuple[End, End, list[str]]]:
    return sorted((here, there, sorted(found)) for here, side in space.links.items() for there, found in side.items())


def snapshot(world: World) -> dict[str, Any]:
    """Everything but the audit, in a fixed order: equal worlds give equal snapshots."""
    return {
        "format": FORMAT,
        "clock": world.clock.state(),
        "transactions": world.transactions,
        "systems": {system: space_as_json(space) for system, space in sorted(world.spaces.items())},
    }


def space_as_json(space: Space) -> dict[str, Any]:
    return {
        "records": {
            object_type: {row_id: row_as_json(table[row_id]) for row_id in sorted(table)}
            for object_type, table in sorted(space.tables.items())
        },
        "links": [[*here, *there, labels] for here, there, labels in sorted_links(space)],
        "counters": dict(sorted(space.counters.items())),
        "visible_delay_seconds": space.visible_delay_seconds,
        "settings": packed(space.settings),
        "earlier": packed(space.earlier),
    }


def values_only(world: World) -> dict[str, Any]:
    """{system: {object type: {id: values}}} of live records: what an oracle compares before and after."""
    return {
        system: {
            object_type: {row_id: packed(row.values) for row_id, row in sorted(table.items()) if not row.deleted}
            for object_type, table in sorted(space.tables.items())
        }
        for system, space in sorted(world.spaces.items())
    }


def restore(world: World, body: Mapping[str, Any]) -> None:
    """Make the world what ``snapshot`` saw. The audit stays as it is.

    Raises:
        ValueError: this is no snapshot of this version.
    """
    if body.get("format") != FORMAT or set(body.get("systems", ())) != set(world.spaces):
        raise ValueError(f"this is no snapshot of format {FORMAT} of these two systems")
    for system, kept in body["systems"].items():
        space = world.spaces[system]
        space.tables = {
            object_type: {row_id: row_from_json(object_type, row_id, row) for row_id, row in table.items()}
            for object_type, table in kept["records"].items()
        }
        space.links = {}
        for from_type, from_id, to_type, to_id, labels in kept["links"]:
            space.links.setdefault((from_type, from_id), {})[to_type, to_id] = set(labels)
        space.counters = dict(kept["counters"])
        space.visible_delay_seconds = kept["visible_delay_seconds"]
        space.settings = unpacked(kept["settings"])
        space.earlier = unpacked(kept["earlier"])
        space.rebuild_indexes()
    world.transactions = body["transactions"]
    world.clock.restore(body["clock"])


class StateFile:
    """The SQLite file behind ``--state``."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Survives kill -9; a power cut may cost the practice world, which is worth eight milliseconds a call.
        self._connection.execute("PRAGMA journal_mode = TRUNCATE")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(TABLES)
        self._prints: dict[str, bytes] = {}
        """What each fact last looked like, to write only those that changed."""

    @property
    def is_empty(self) -> bool:
        return self._connection.execute("SELECT 1 FROM facts WHERE name = 'format'").fetchone() is None

    def close(self) -> None:
        self._connection.close()

    def fact(self, name: str) -> Any:
        found = self._connection.execute("SELECT body FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else unpacked(orjson.loads(found[0]))

    def load(self, world: World) -> None:
        """Fill an empty world.

        Raises:
            ValueError: another version wrote this file.
        """
        if self.fact("format") != FORMAT:
            raise ValueError(f"the state file is not of format {FORMAT}; start with a new one")
        for space in world.spaces.values():
            self._load_space(space)
        world.transactions = self.fact("transactions")
        world.clock.restore(self.fact("clock"))
        self.save_account(world)
        bodies = self._connection.execute("SELECT body FROM audit ORDER BY seq")
        world.audit = [line_from_json(orjson.loads(body)) for (body,) in bodies]

    def _load_space(self, space: Space) -> None:
        space.tables, space.links = {}, {}
        found = self._connection.execute("SELECT object_type, id, body FROM rows WHERE system = ?", (space.system,))
        for object_type, row_id, body in found:
            space.table(object_type)[row_id] = row_from_json(object_type, row_id, orjson.loads(body))
        ends = "SELECT from_type, from_id, to_type, to_id, labels FROM links WHERE system = ?"
        for from_type, from_id, to_type, to_id, labels in self._connection.execute(ends, (space.system,)):
            space.links.setdefault((from_type, from_id), {})[to_type, to_id] = set(orjson.loads(labels))
        space.counters = self.fact(f"{space.system} counters")
        space.visible_delay_seconds = self.fact(f"{space.system} visible_delay_seconds")
        prefix = f"{space.system} setting "
        names = "SELECT name FROM facts WHERE substr(name, 1, ?) = ? ORDER BY name"
        kept = self._connection.execute(names, (len(prefix), prefix)).fetchall()
        space.settings = {name.removeprefix(prefix): self.fact(name) for (name,) in kept}
        space.rebuild_indexes()

    def save_everything(self, world: World, **facts: Any) -> None:
        """Write the whole world, and facts of the caller's own, in place of what the file held."""
        with self._transaction():
            for table in ("rows", "links", "audit", "facts"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608  names are those of TABLES
            self._prints.clear()
            for space in world.spaces.values():
                keys = [(object_type, row_id) for object_type, table in space.tables.items() for row_id in table]
                self._save_rows(space, keys)
                self._save_links(space, [(here, there) for here, side in space.links.items() for there in side])
            self._save_audit(world.audit)
            self._save_facts({"format": FORMAT, **facts, **account_facts(world)})

    def commit(self, world: World, space: Space, transaction: Transaction, lines: list[AuditLine]) -> None:
        with self._transaction():
            self._save_rows(space, transaction.touched)
            self._save_links(space, transaction.touched_links)
            self._save_audit(lines)
            self._save_facts(moving_facts(world))

    def save_account(self, world: World) -> None:
        """Write settings and counters that changed since the last time, however they changed."""
        with self._transaction():
            facts = account_facts(world)
            self._save_facts(facts)
            for name in [name for name in self._prints if " setting " in name and name not in facts]:
                self._connection.execute("DELETE FROM facts WHERE name = ?", (name,))
                del self._prints[name]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._prints.clear()
            self._connection.execute("ROLLBACK")
            raise

    def _save_rows(self, space: Space, keys: list[tuple[str, str]]) -> None:
        kept, gone = [], []
        for object_type, row_id in keys:
            row = space.row(object_type, row_id)
            if row is None:
                gone.append((space.system, object_type, row_id))
            else:
                kept.append((space.system, object_type, row_id, orjson.dumps(row_as_json(row))))
        self._connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", kept)
        self._connection.executemany("DELETE FROM rows WHERE system = ? AND object_type = ? AND id = ?", gone)

    def _save_links(self, space: Space, ends: list[tuple[End, End]]) -> None:
        for here, there in ends:
            labels = space.links.get(here, {}).get(there)
            key = (space.system, *here, *there)
            if labels:
                text = orjson.dumps(sorted(labels))
                self._connection.execute("INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?, ?)", (*key, text))
            else:
                self._connection.execute(
                    "DELETE FROM links WHERE (system, from_type, from_id, to_type, to_id) = (?, ?, ?, ?, ?)",
                    key,
                )

    def _save_audit(self, lines: list[AuditLine]) -> None:
        bodies = ((line.seq, orjson.dumps(packed(line.as_json()))) for line in lines)
        self._connection.executemany("INSERT INTO audit VALUES (?, ?)", bodies)

    def _save_facts(self, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            looks = fingerprint(value)
            if self._prints.get(name) != looks:
                body = orjson.dumps(packed(value))
                self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, body))
                self._prints[name] = looks


def moving_facts(world: World) -> dict[str, Any]:
    """What changes with nearly every transaction."""
    facts: dict[str, Any] = {"clock": world.clock.state(), "transactions": world.transactions}
    for system, space in world.spaces.items():
        facts[f"{system} counters"] = space.counters
    return facts


def account_facts(world: World) -> dict[str, Any]:
    facts = moving_facts(world)
    for system, space in world.spaces.items():
        facts[f"{system} visible_delay_seconds"] = space.visible_delay_seconds
        for name, value in space.settings.items():
            facts[f"{system} setting {name}"] = value
    return facts


def line_from_json(body: Mapping[str, Any]) -> AuditLine:
    return AuditLine(
        seq=body["seq"],
        time=datetime.fromisoformat(body["time"]),
        visible_at=datetime.fromisoformat(body["visible_at"]),
        system=body["system"],
        cause=body["cause"],
        actor=body["actor"],
        op=body["op"],
        object_type=body["object"],
        id=body["id"],
        before=unpacked(body["before"]),
        after=unpacked(body["after"]),
        transaction=body["transaction"],
        request_id=body["request_id"],
        entry_id=body["entry_id"],
    )
