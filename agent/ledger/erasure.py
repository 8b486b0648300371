"""Forgetting values without breaking the chain: by age, or everything about one person or company.

What is erased is the payload with its salt, in place and for good (``secure_delete`` overwrites it); what stays is
which field was written when, by which policy line, and a keyed hash that says nothing without the salt. Each erasure
is an event in the chain, so that a payload that is merely missing is still noticed.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from agent.events import OPT_IN_ASKED, OVERWRITTEN
from agent.ledger.chain import keyed_hash
from agent.ledger.stored_plans import EMPTY_PLAN
from agent.ledger.verify import ERASED, EXPIRED
from agent.store import Connection, marks, to_micros
from agent.stored_json import from_json

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger

LIFTED = "erasure lifted"
"""Kind of the event that says a person may be known again; its subject is the entity."""

ERASED_WORD = "erased"
TOO_OLD = "asked longer ago than values are kept: its words were erased"
WITHOUT_VALUES = ("erased", "lost", "converted")


class Erasure:
    """Erasing payloads, and fingerprints of the erased, so that nothing creates them again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def expire(self, before: datetime, actor: str) -> int:
        """Erase the values of settled entries of batches closed before a moment, of plans that were over by then, and
        what was asked in questions that had ended. Returns how many entries lost their values.

        A batch that waited for an approval counts from when it was done, or its undo would be gone too early.
        """
        until = to_micros(before)
        settled = "batch IN (SELECT number FROM batches WHERE closed_at < ? AND unsettled = 0)"
        with self._store.write() as connection:
            connection.execute(
                "UPDATE transitions SET salt = NULL, body = NULL WHERE body != '' AND entry IN"
                f" (SELECT seq FROM entries WHERE body IS NOT NULL AND {settled})",
                (until,),
            )
            erased = connection.execute(
                f"UPDATE entries SET salt = NULL, body = NULL WHERE body IS NOT NULL AND {settled}", (until,)
            ).rowcount
            connection.execute(
                "UPDATE plans SET body = ? WHERE expires_at < ? AND body != ?", (EMPTY_PLAN, until, EMPTY_PLAN)
            )
            connection.execute(
                "UPDATE reviews SET sentence = ? WHERE ended_at < ? AND sentence != ?",
                (ERASED_WORD, until, ERASED_WORD),
            )
            edits = _overwritten_before(connection, until)
            _empty_events(connection, edits)
            if erased or edits:
                [(last,)] = connection.execute(
                    "SELECT MAX(seq + size) FROM batches WHERE closed_at < ? AND unsettled = 0", (until,)
                )
                self._ledger.record_event(EXPIRED, str(last or 0), actor, {"entries": erased, "events": edits})
        self._store.checkpoint()
        return int(erased)

    def unword(self, before: datetime) -> tuple[set[str], set[str]]:
        """Take the words from questions that were last asked before a moment and are open still. Returns (the entities,
        the records as text) they are about: asked again they have the words of what the CRMs show by then."""
        kept = marks(len(WITHOUT_VALUES))
        where = f"state = 'open' AND refreshed_at < ? AND sentence != ? AND kind NOT IN ({kept})"
        params = (to_micros(before), TOO_OLD, *WITHOUT_VALUES)
        with self._store.write() as connection:
            found = connection.execute(f"SELECT entity, refs FROM reviews WHERE {where}", params).fetchall()
            connection.execute(f"UPDATE reviews SET sentence = ? WHERE {where}", (TOO_OLD, *params))
        if found:
            self._store.checkpoint()
        return {entity for entity, _ in found}, {record for _, refs in found for record in from_json(refs)}

    def erase(self, entity_id: str, fingerprints: Iterable[bytes], actor: str, records: Sequence[str] = ()) -> int:
        """Erase every value the ledger holds of one entity and its ``records`` (references as text), and remember its
        fingerprints (``fingerprint``) in their place. Returns how many entries lost their values."""
        at = to_micros(self._ledger.clock())
        with self._store.write() as connection:
            events = _events_about(connection, entity_id)
            _empty_events(connection, events)
            connection.execute(
                "UPDATE transitions SET salt = NULL, body = NULL WHERE body != '' AND entry IN"
                " (SELECT seq FROM entries WHERE entity = ?)",
                (entity_id,),
            )
            erased = connection.execute(
                "UPDATE entries SET salt = NULL, body = NULL WHERE body IS NOT NULL AND entity = ?", (entity_id,)
            ).rowcount
            _empty_questions(connection, entity_id, records)
            _empty_plans(connection, entity_id, at)
            connection.execute("UPDATE freezes SET reason = ? WHERE entity = ?", (ERASED_WORD, entity_id))
            connection.executemany(
                "INSERT INTO tombstones VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(fingerprint, f"{entity_id}, erased by {actor}", at) for fingerprint in fingerprints],
            )
            self._ledger.record_event(ERASED, entity_id, actor, {"entries": erased, "events": events})
        self._store.checkpoint()
        return int(erased)

    def lift(self, entity_id: str, fingerprints: Iterable[bytes], actor: str) -> None:
        """A person's word that somebody may be known again; what was erased stays so."""
        with self._store.write() as connection:
            connection.executemany("DELETE FROM tombstones WHERE fingerprint = ?", [(each,) for each in fingerprints])
            self._ledger.record_event(LIFTED, entity_id, actor, {})

    def fingerprint(self, words: str) -> bytes:
        """A keyed hash of something that tells who somebody is, by a key of this ledger alone."""
        return keyed_hash(self._key(), words.encode())

    def is_erased(self, fingerprint: bytes) -> bool:
        """Whether somebody with this fingerprint asked to be forgotten."""
        return bool(self._store.read_tuples("SELECT 1 FROM tombstones WHERE fingerprint = ?", (fingerprint,)))

    def has_any(self) -> bool:
        """Whether anybody at all was forgotten: almost always nobody, and then nothing needs to be asked."""
        return bool(self._store.read_tuples("SELECT 1 FROM tombstones LIMIT 1"))

    def entities(self) -> frozenset[str]:
        """Everybody whose values were erased and whom nobody has allowed again."""
        rows = self._store.read_tuples(
            "SELECT subject, kind, MAX(seq) FROM events WHERE kind IN (?, ?) GROUP BY subject", (ERASED, LIFTED)
        )
        return frozenset(subject for subject, kind, _ in rows if kind == ERASED)

    def _key(self) -> bytes:
        rows = self._store.read_tuples("SELECT value FROM meta WHERE name = 'erasure_key'")
        if rows:
            return bytes(rows[0][0])
        [key] = self._ledger.salts.take(1)
        with self._store.write() as connection:
            connection.execute("INSERT INTO meta VALUES ('erasure_key', ?)", (key,))
        return key


def _events_about(connection: Connection, entity_id: str) -> list[int]:
    """Numbers of the events that may hold values of this entity: about itself, about a question to a person on it, and
    about a batch that asked for an opt-in of it. What says that it was erased is needed to prove that."""
    rows = connection.execute(
        "SELECT seq FROM events WHERE kind NOT IN (?, ?) AND body IS NOT NULL AND (subject = ?"
        " OR subject IN (SELECT 'R-' || number FROM reviews WHERE entity = ?)"
        " OR (kind = ? AND subject IN (SELECT 'B-' || batch FROM entries WHERE entity = ?)))",
        (ERASED, EXPIRED, entity_id, entity_id, OPT_IN_ASKED, entity_id),
    )
    return [int(seq) for (seq,) in rows]


def _overwritten_before(connection: Connection, until: int) -> list[int]:
    """Numbers of the events that hold an edit which a write of ours went over, found before this moment."""
    rows = connection.execute(
        "SELECT seq FROM events WHERE kind = ? AND at < ? AND body IS NOT NULL", (OVERWRITTEN, until)
    )
    return [int(seq) for (seq,) in rows]


def _empty_events(connection: Connection, numbers: Sequence[int]) -> None:
    connection.executemany("UPDATE events SET salt = NULL, body = NULL WHERE seq = ?", [(seq,) for seq in numbers])


def _empty_questions(connection: Connection, entity_id: str, records: Sequence[str]) -> None:
    """Some kinds hold nothing but references and answers from a list."""
    kept = marks(len(WITHOUT_VALUES))
    connection.executemany(
        "UPDATE reviews SET sentence = ?, answer = CASE WHEN answer IS NULL THEN NULL ELSE ? END"
        f" WHERE kind NOT IN ({kept}) AND (entity = ? OR instr(refs, ?) > 0)",
        [(ERASED_WORD, ERASED_WORD, *WITHOUT_VALUES, entity_id, f'"{record}"') for record in records or [""]],
    )


def _empty_plans(connection: Connection, entity_id: str, at: int) -> None:
    """A plan that names the entity is over: made again, it does without."""
    connection.execute(
        "UPDATE plans SET body = ?, expires_at = MIN(expires_at, ?) WHERE instr(body, ?) > 0",
        (EMPTY_PLAN, at - 1, f'"{entity_id}"'),
    )
