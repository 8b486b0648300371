"""Forgetting values without breaking the chain: by age, or everything about one person or company.

What is erased is the payload with its salt, in place and for good (``secure_delete`` overwrites it); what stays is
which field was written when, by which policy line, and a keyed hash that says nothing without the salt. Each erasure
is an event in the chain, so that a payload that is merely missing is still noticed.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from agent.ledger.verify import ERASED, EXPIRED
from agent.store import to_micros

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger


class Erasure:
    """Erasing payloads, and fingerprints of the erased, so that nothing creates them again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def expire(self, before: datetime, actor: str) -> int:
        """Erase the values of settled entries of batches opened before a moment. Returns how many entries."""
        rows = self._store.read_tuples(
            "SELECT MAX(seq + size) FROM batches WHERE opened_at < ? AND unsettled = 0", (to_micros(before),)
        )
        if rows[0][0] is None:
            return 0
        last = int(rows[0][0])
        settled = "batch IN (SELECT number FROM batches WHERE opened_at < ? AND unsettled = 0)"
        with self._store.write() as connection:
            connection.execute(
                "UPDATE transitions SET salt = NULL, body = NULL WHERE body != '' AND entry IN"
                f" (SELECT seq FROM entries WHERE body IS NOT NULL AND {settled})",
                (to_micros(before),),
            )
            erased = connection.execute(
                f"UPDATE entries SET salt = NULL, body = NULL WHERE body IS NOT NULL AND {settled}",
                (to_micros(before),),
            ).rowcount
            if erased:
                self._ledger.record_event(EXPIRED, str(last), actor, {"entries": erased})
        self._store.checkpoint()
        return int(erased)

    def erase(self, entity_id: str, fingerprints: Sequence[bytes], actor: str) -> int:
        """Erase every value the ledger holds of one entity; remember its fingerprints (keyed hashes, made by the
        caller) in their place. Returns how many entries."""
        at = to_micros(self._ledger.clock())
        with self._store.write() as connection:
            connection.execute(
                "UPDATE transitions SET salt = NULL, body = NULL WHERE body != '' AND entry IN"
                " (SELECT seq FROM entries WHERE entity = ?)",
                (entity_id,),
            )
            erased = connection.execute(
                "UPDATE entries SET salt = NULL, body = NULL WHERE body IS NOT NULL AND entity = ?", (entity_id,)
            ).rowcount
            connection.execute("UPDATE reviews SET sentence = 'erased' WHERE entity = ?", (entity_id,))
            connection.executemany(
                "INSERT INTO tombstones VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(fingerprint, f"erased by {actor}", at) for fingerprint in fingerprints],
            )
            self._ledger.record_event(ERASED, entity_id, actor, {"entries": erased})
        self._store.checkpoint()
        return int(erased)

    def is_erased(self, fingerprint: bytes) -> bool:
        """Whether somebody with this fingerprint asked to be forgotten."""
        return bool(self._store.read_tuples("SELECT 1 FROM tombstones WHERE fingerprint = ?", (fingerprint,)))
