"""Questions only a person can answer: one standing per entity and topic, refreshed, never stacked."""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from agent.changes import ReviewRequest
from agent.errors import NotFound, UsageError
from agent.ledger.queries import number_of
from agent.records import Ref
from agent.store import Connection, from_micros, marks, maybe_moment, to_micros
from agent.stored_json import storable

if TYPE_CHECKING:
    from agent.ledger.ledger import Ledger

NEVER = "never"
"""The answer that says two records are not the same; it is remembered for the pair, whatever asks next."""

PAGE = 500
"""Questions read at a time where there may be very many."""


@dataclass(frozen=True, slots=True)
class Review:
    """``id`` is ``R-12``. ``state``: ``open``, ``answered`` or ``closed`` (the question went away)."""

    id: str
    kind: str
    entity_id: str
    topic: str
    sentence: str
    refs: tuple[Ref, ...]
    line: str
    state: str
    opened_at: datetime
    refreshed_at: datetime
    ended_at: datetime | None = None
    answer: str | None = None
    person: str | None = None


Found = list[Review]


class Reviews:
    """The inbox."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def open_or_refresh(self, requests: Sequence[ReviewRequest]) -> int:
        """Put questions into the inbox; a standing one gets the newer words. Returns how many are new.

        A question a person has answered is not asked again in the same words.
        """
        if not requests:
            return 0
        at = to_micros(self._ledger.clock())
        with self._store.write() as connection:
            return sum([_open_or_refresh(connection, request, at) for request in requests])

    def latest(self) -> int:
        """The number of the last question that was asked; a question asked again in the same words has its old one."""
        ((number,),) = self._store.read_tuples("SELECT COALESCE(MAX(number), 0) FROM reviews")
        return int(number)

    def close(self, entity_id: str, topic: str) -> bool:
        """The question went away by itself; False when it was not open."""
        with self._store.write() as connection:
            return _close(connection, entity_id, [topic], to_micros(self._ledger.clock())) > 0

    def close_others(self, entity_id: str, topics: Collection[str], kinds: Collection[str]) -> int:
        """Close the entity's questions of these kinds that were not asked again. Returns how many."""
        gone = [
            review.topic for review in self.open_for([entity_id]) if review.kind in kinds and review.topic not in topics
        ]
        if not gone:
            return 0
        with self._store.write() as connection:
            return _close(connection, entity_id, gone, to_micros(self._ledger.clock()))

    def resolve(self, review_id: str, answer: str, person: str) -> Review:
        """A person's answer.

        Raises:
            NotFound: no such review. UsageError: it is not open any more.
        """
        review = self.find(review_id)
        if review.state != "open":
            raise UsageError(
                f"{review_id} is {review.state} already",
                why=f"answered {review.answer!r} by {review.person}" if review.answer else "the question went away",
                next_step="truce review",
            )
        at = to_micros(self._ledger.clock())
        with self._store.write() as connection:
            connection.execute(
                "UPDATE reviews SET state = 'answered', answer = ?, person = ?, ended_at = ? WHERE number = ?",
                (answer, person, at, number_of(review_id, "R")),
            )
            if answer == NEVER:
                for pair in _pairs(review.refs):
                    self.never(*pair, person)
            self._ledger.record_event("review answered", review_id, person, {"answer": answer, "topic": review.topic})
        return self.find(review_id)

    def find(self, review_id: str) -> Review:
        """Raises NotFound."""
        found = self._select("WHERE number = ?", (number_of(review_id, "R"),))
        if not found:
            raise NotFound(f"there is no review {review_id}", next_step="truce review")
        return found[0]

    def list(self, *, state: str | None = "open", kind: str | None = None, limit: int | None = None) -> Found:
        """Oldest first; ``state`` None means all."""
        conditions, params = [], []
        for column, value in (("state", state), ("kind", kind)):
            if value is not None:
                conditions.append(f"{column} = ?")
                params.append(value)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._select(f"{where} ORDER BY number LIMIT ?", (*params, -1 if limit is None else limit))

    def pages(self, *, kind: str) -> Iterator[Found]:
        """The open questions of a kind, some at a time, oldest first; safe to close them on the way."""
        last = 0
        while some := self._select(
            "WHERE state = 'open' AND kind = ? AND number > ? ORDER BY number LIMIT ?", (kind, last, PAGE)
        ):
            yield some
            last = number_of(some[-1].id, "R")

    def counts(self) -> dict[str, int]:
        """{kind: open questions}."""
        rows = self._store.read_tuples("SELECT kind, COUNT(*) FROM reviews WHERE state = 'open' GROUP BY kind")
        return dict(sorted(rows))

    def open_for(self, entity_ids: Iterable[str]) -> Found:
        """The open questions about these entities."""
        wanted = [*dict.fromkeys(entity_ids)]
        found: Found = []
        for start in range(0, len(wanted), 500):
            chunk = wanted[start : start + 500]
            found += self._select(f"WHERE state = 'open' AND entity IN ({marks(len(chunk))}) ORDER BY number", chunk)
        return found

    def of_entity(self, entity_id: str) -> Found:
        """Every question ever asked about this entity, ended ones too."""
        return self._select("WHERE entity = ? ORDER BY number", (entity_id,))

    def never(self, one: Ref, other: Ref, person: str) -> None:
        """These two records are not the same; nobody shall ask again."""
        first, second = sorted((str(one), str(other)))
        with self._store.write() as connection:
            connection.execute(
                "INSERT INTO never_pairs VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (first, second, person, to_micros(self._ledger.clock())),
            )

    def is_never_pair(self, one: Ref, other: Ref) -> bool:
        pair = sorted((str(one), str(other)))
        return bool(self._store.read_tuples("SELECT 1 FROM never_pairs WHERE one = ? AND other = ?", pair))

    def _select(self, rest: str, params: Sequence[Any]) -> Found:
        rows = self._store.read_tuples(
            "SELECT number, kind, entity, topic, sentence, refs, line, state, opened_at, refreshed_at,"
            f" ended_at, answer, person FROM reviews {rest}",
            params,
        )
        return [_review_from(row) for row in rows]


def _open_or_refresh(connection: Connection, request: ReviewRequest, at: int) -> int:
    refs = orjson.dumps([str(ref) for ref in request.refs]).decode()
    words = (request.kind, storable(request.sentence), refs)
    topic = storable(request.topic)
    refreshed = connection.execute(
        "UPDATE reviews SET kind = ?, sentence = ?, refs = ?, line = ?, refreshed_at = ?"
        " WHERE entity = ? AND topic = ? AND state = 'open'",
        (*words, request.line, at, request.entity_id, topic),
    )
    if refreshed.rowcount:
        return 0
    answered = connection.execute(
        "SELECT kind, sentence, refs FROM reviews WHERE entity = ? AND topic = ? AND state = 'answered'"
        " ORDER BY number DESC LIMIT 1",
        (request.entity_id, topic),
    ).fetchone()
    if answered == words:
        return 0
    connection.execute(
        "INSERT INTO reviews (kind, entity, topic, sentence, refs, line, state, opened_at, refreshed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?)",
        (request.kind, request.entity_id, topic, words[1], refs, request.line, at, at),
    )
    return 1


def _close(connection: Connection, entity_id: str, topics: Sequence[str], at: int) -> int:
    closed = connection.execute(
        "UPDATE reviews SET state = 'closed', ended_at = ? WHERE entity = ? AND state = 'open'"
        f" AND topic IN ({marks(len(topics))})",
        (at, entity_id, *map(storable, topics)),
    )
    return int(closed.rowcount)


def _pairs(refs: Sequence[Ref]) -> Sequence[tuple[Ref, Ref]]:
    return [(here, there) for n, here in enumerate(refs) for there in refs[n + 1 :]]


def _review_from(row: tuple[Any, ...]) -> Review:
    (number, kind, entity, topic, sentence, refs, line, state, opened_at, refreshed_at, ended_at, answer,
     person) = row  # fmt: skip
    return Review(
        f"R-{number}", kind, entity, topic, sentence, tuple(Ref.parse(ref) for ref in orjson.loads(refs)),
        line, state, from_micros(opened_at), from_micros(refreshed_at), maybe_moment(ended_at), answer,
        person,
    )  # fmt: skip
