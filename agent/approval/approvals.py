"""Who agreed to what: to exactly one list of writes, or to exactly one meaning of a policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agent.changes import State
from agent.errors import ApprovalNeeded
from agent.ledger.queries import number_of
from agent.store import from_micros, to_micros

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Approval:
    """``hash`` and ``count`` are those of the list the person was shown."""

    batch_id: str
    person: str
    hash: str
    count: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Activation:
    """``meaning`` is the hash of the policy's meaning that may act, None when it was switched off again."""

    policy: str
    meaning: str | None
    person: str
    at: datetime


class Approvals:
    """Approvals of batches and activations of policies; each is also an event in the chain."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def record(self, batch_id: str, person: str, batch_hash: str, count: int, reason: str = "") -> None:
        """Note that a person approved this list; approving the same list twice counts once.

        ``count`` is how many still wait: a waiting list only ever shrinks, so hash and count name exactly one list.

        Raises:
            NotFound: no such batch.
            ApprovalNeeded: the batch is no longer what the person was shown, is not held, or has expired.
        """
        batch = self._ledger.batch(batch_id)
        now = self._ledger.clock()
        size = batch.counts.get(State.HELD.value, 0)
        if batch.state != "held":
            raise ApprovalNeeded(
                f"{batch_id} is {batch.state}, so there is nothing to approve", next_step="truce batches"
            )
        if batch.hash != batch_hash or size != count:
            raise ApprovalNeeded(
                f"{batch_id} is not the list that was shown",
                why=f"it holds {size} writes, {count} were approved" if size != count else "its writes differ",
                next_step=f"truce show {batch_id}",
            )
        if batch.expires_at is not None and now > batch.expires_at:
            raise ApprovalNeeded(
                f"{batch_id} has expired",
                why="nobody approved it in time",
                next_step="truce plan",
            )
        with self._ledger.store.write() as connection:
            cursor = connection.execute(
                "INSERT INTO approvals (batch, person, hash, count, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (batch, person, hash) DO UPDATE SET count = excluded.count, at = excluded.at"
                " WHERE count != excluded.count",
                (number_of(batch_id, "B"), person, batch_hash, count, to_micros(now)),
            )
            if cursor.rowcount:
                body = {"hash": batch_hash, "count": count, **({"reason": reason} if reason else {})}
                self._ledger.record_event("approved", batch_id, person, body)

    def of(self, batch_id: str) -> list[Approval]:
        """In order of time."""
        rows = self._ledger.store.read_tuples(
            "SELECT person, hash, count, at FROM approvals WHERE batch = ? ORDER BY id",
            (number_of(batch_id, "B"),),
        )
        return [Approval(batch_id, person, whole, count, from_micros(at)) for person, whole, count, at in rows]

    def activate(self, policy: str, meaning: str, person: str) -> None:
        """From now on the policy may act, as long as it means this."""
        self._note(policy, meaning, person)

    def deactivate(self, policy: str, person: str) -> None:
        """The policy proposes again until somebody activates it."""
        self._note(policy, None, person)

    def deactivate_all(self, person: str) -> list[str]:
        """Every policy proposes again until somebody activates it. Returns those that acted."""
        rows = self._ledger.store.read_tuples(
            "SELECT policy FROM activations WHERE id IN (SELECT MAX(id) FROM activations GROUP BY policy)"
            " AND meaning IS NOT NULL ORDER BY policy"
        )
        for (policy,) in rows:
            self._note(policy, None, person)
        return [policy for (policy,) in rows]

    def active_meaning(self, policy: str) -> str | None:
        """The meaning that may act, or None."""
        found = self.activation(policy)
        return found.meaning if found else None

    def activation(self, policy: str) -> Activation | None:
        """The latest word on this policy."""
        rows = self._ledger.store.read_tuples(
            "SELECT meaning, person, at FROM activations WHERE policy = ? ORDER BY id DESC LIMIT 1", (policy,)
        )
        return Activation(policy, rows[0][0], rows[0][1], from_micros(rows[0][2])) if rows else None

    def has_gone_live(self) -> bool:
        """Whether any policy was ever allowed to act: from then on opt-outs travel."""
        return bool(self._ledger.store.read_tuples("SELECT 1 FROM activations WHERE meaning IS NOT NULL LIMIT 1"))

    def pause(self, policy: str, person: str, reason: str = "") -> None:
        """The policy only watches until it is resumed."""
        with self._ledger.store.write() as connection:
            connection.execute(
                "INSERT INTO pauses VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (policy, person, reason, to_micros(self._ledger.clock())),
            )
            self._ledger.record_event("policy paused", policy, person, {"reason": reason})

    def resume(self, policy: str, person: str) -> None:
        """Take the pause back; nothing happens to a policy that was not paused."""
        with self._ledger.store.write() as connection:
            if connection.execute("DELETE FROM pauses WHERE policy = ?", (policy,)).rowcount:
                self._ledger.record_event("policy resumed", policy, person, {})

    def is_paused(self, policy: str) -> bool:
        return bool(self._ledger.store.read_tuples("SELECT 1 FROM pauses WHERE policy = ?", (policy,)))

    def _note(self, policy: str, meaning: str | None, person: str) -> None:
        with self._ledger.store.write() as connection:
            connection.execute(
                "INSERT INTO activations (policy, meaning, person, at) VALUES (?, ?, ?, ?)",
                (policy, meaning, person, to_micros(self._ledger.clock())),
            )
            kind = "policy activated" if meaning else "policy deactivated"
            self._ledger.record_event(kind, policy, person, {"meaning": meaning})
