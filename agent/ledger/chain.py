"""The hash chain over everything the ledger keeps: one number and one hash per row, across five tables.

``hash = SHA-256(previous hash ‖ JSON of the row's fixed columns ‖ keyed hash of its payload)``. The keyed
hash is BLAKE2b-128 under the payload's own salt: whoever has erased a payload with its salt leaves a chain
that still verifies and a hash from which no value can be guessed. Tamper-evident, not tamper-proof: who can
write the file can rewrite the whole chain, which is why the head is also kept outside
(``agent.ledger.memory``, the daily log).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Any

import orjson

from agent.store import Connection, RandomBytes, Store
from agent.stored_json import to_json

SALT_BYTES = 16
MAC_BYTES = 16

FIXED_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "batches": (
        "number", "epoch", "kind", "born", "title", "actor", "opened_at", "reverts", "plan", "hold_reason",
        "expires_at", "size",
    ),
    "shapes": ("op", "system", "object_type", "cells"),
    "entries": ("batch", "shape", "entity", "record_id", "extras", "born"),
    "transitions": ("entry", "state", "at", "record_id", "version", "as_sent", "sends"),
    "events": ("kind", "subject", "actor", "at"),
}  # fmt: skip
"""What a row's JSON holds, in order, after its number and its table. A batch's own hash stands where others
have the hash of their payload."""


@dataclass(slots=True)
class Pen:
    """Signs rows within one transaction; ``seq`` and ``hash`` are those of the last row signed."""

    seq: int
    hash: bytes

    def sign(self, table: str, columns: Sequence[Any], mac: bytes | None = None) -> bytes:
        """Take the next number and return the row's chain hash; ``columns`` in the order of FIXED_COLUMNS."""
        self.seq += 1
        self.hash = row_hash(self.hash, self.seq, table, columns, mac)
        return self.hash


def row_hash(previous: bytes, seq: int, table: str, columns: Sequence[Any], mac: bytes | None) -> bytes:
    return sha256(previous + orjson.dumps((seq, table, *columns)) + (mac or b"")).digest()


def keyed_hash(salt: bytes, body: bytes) -> bytes:
    """What the chain keeps of a payload."""
    return blake2b(body, key=salt, digest_size=MAC_BYTES).digest()


def first_hash(ledger_id: str) -> bytes:
    """The hash before row 1, so that no two ledgers share a chain."""
    return sha256(ledger_id.encode()).digest()


def chain_at(store: Store, seq: int) -> bytes | None:
    """The hash of the row with this number, in whichever table it is; None when there is no such row."""
    rows = store.read_tuples("SELECT hash FROM head WHERE seq = ?", (seq,))
    for table in FIXED_COLUMNS:
        rows = rows or store.read_tuples(f"SELECT chain FROM {table} WHERE seq = ?", (seq,))  # noqa: S608
    return rows[0][0] if rows else None


@contextlib.contextmanager
def signing(store: Store) -> Iterator[tuple[Connection, Pen]]:
    """One transaction (or a part of the outer one) whose rows join the chain at its present end."""
    with store.write() as connection:
        seq, head = connection.execute("SELECT seq, hash FROM head").fetchone()
        pen = Pen(seq, head)
        yield connection, pen
        if pen.seq != seq:
            moved = connection.execute("UPDATE head SET seq = ?, hash = ? WHERE seq = ?", (pen.seq, pen.hash, seq))
            if moved.rowcount != 1:
                raise RuntimeError("two pens signed rows of one chain at the same time")


class Salts:
    """Salts by the hundred from one call to the system's generator."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes

    def take(self, count: int) -> list[bytes]:
        many = self._random_bytes(SALT_BYTES * count)
        return [many[start : start + SALT_BYTES] for start in range(0, len(many), SALT_BYTES)]


def write_event(
    connection: Connection, pen: Pen, salt: bytes, *, kind: str, subject: str, actor: str, at: int,
    body: Mapping[str, Any],
) -> int:  # fmt: skip
    """Append one event; ``at`` in microseconds. Returns its number."""
    text = to_json(body)
    mac = keyed_hash(salt, text)
    columns = (kind, subject, actor, at)
    chain = pen.sign("events", columns, mac)
    connection.execute(
        "INSERT INTO events (seq, kind, subject, actor, at, mac, chain, salt, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (pen.seq, *columns, mac, chain, salt, text.decode()),
    )
    return pen.seq
