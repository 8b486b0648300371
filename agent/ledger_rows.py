# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)
"""How batches and entries stand in the ledger's tables, and back.

What may be kept for years (which field, which policy line, which record id) is in the skeleton; every value,
and every sentence that may quote one, is in the payload. The six texts a cell repeats for ever (its field,
policy line …) are kept once as a *citation* and named by number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from agent.chain import Pen
from agent.changes import Cell, Change, Entry, Meaning, State, Why
from agent.records import FieldValue
from agent.store import Connection, Store, from_micros, marks, maybe_moment

Citation = tuple[str, str, Meaning, str, str, str]
"""(field, vendor field, meaning, policy, line, rule)."""


class Citations:
    """Citations by number, kept in memory; numbers written in a transaction count once it has committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[Citation, int] = {}
        self._texts: dict[int, Citation] = {}

    def numbers(self, connection: Connection, pen: Pen, wanted: Iterable[Citation]) -> dict[Citation, int]:
        """The number of each, writing those that are new into the chain."""
        known = self._numbers
        found: dict[Citation, int] = {}
        for citation in wanted:
            number = known.get(citation) or self._find(connection, citation)
            if number is None:
                chain = pen.sign("citations", citation)
                number = pen.seq
                connection.execute(
                    "INSERT INTO citations VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (number, *citation, chain)
                )
            found[citation] = number
        return found

    def remember(self, written: Mapping[Citation, int]) -> None:
        """Call after COMMIT."""
        for citation, number in written.items():
            self._numbers[citation] = number
            self._texts[number] = citation

    def texts(self, numbers: Iterable[int]) -> dict[int, Citation]:
        missing = [number for number in set(numbers) if number not in self._texts]
        for start in range(0, len(missing), 500):
            chunk = missing[start : start + 500]
            rows = self._store.read_tuples(
                "SELECT seq, field, vendor_field, meaning, policy, line, rule FROM citations"
                f" WHERE seq IN ({marks(len(chunk))})",
                chunk,
            )
            for number, *citation in rows:
                self._texts[number] = tuple(citation)
        return self._texts

    @staticmethod
    def _find(connection: Connection, citation: Citation) -> int | None:
        row = connection.execute(
            "SELECT seq FROM citations WHERE (field, vendor_field, meaning, policy, line, rule)"
            " = (?, ?, ?, ?, ?, ?)",
            citation,
        ).fetchone()
        return None if row is None else int(row[0])


def vendor_fields_of(cited: Iterable[str], citations: Citations) -> dict[str, tuple[str, ...]]:
    """By list of citation numbers: the vendor fields they name, in order."""
    numbers = {each: _numbers_in(each) for each in set(cited)}
    texts = citations.texts(number for each in numbers.values() for number in each)
    return {each: tuple([texts[number][1] for number in found]) for each, found in numbers.items()}


def citation_of(cell: Cell) -> Citation:
    why = cell.why
    return cell.field, cell.vendor_field, cell.meaning, why.policy, why.line, why.rule


class Skeleton(NamedTuple):
    """One entry's fixed part before it has a number; ``citations`` stand for themselves, not for numbers."""

    slot: int
    op: str
    entity: str
    system: str
    object_type: str
    record_id: str | None
    extras: str | None
    citations: tuple[Citation, ...]
    born: str


def skeleton_of(change: Change, state: State) -> Skeleton:
    return Skeleton(
        slot_of(change),
        change.op,
        change.entity_id,
        change.system,
        change.object_type,
        change.record_id,
        _extras_of(change),
        tuple([citation_of(cell) for cell in change.cells]),
        state.value,
    )


def slot_of(change: Change) -> int:
    """A write's place in its batch: one record (or one new record of an entity), one group, one step."""
    whom = change.record_id or f"new {change.entity_id}"
    text = f"{change.system}\n{change.object_type}\n{whom}\n{change.group or ''}\n{change.step}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _extras_of(change: Change) -> str | None:
    if not (change.key or change.group or change.step or change.parents or change.guarded):
        return None
    extras: dict[str, Any] = {}
    if change.key is not None:
        extras["key"] = change.key
    if change.group is not None:
        extras["group"] = change.group
    if change.step:
        extras["step"] = change.step
    if change.parents:
        extras["parents"] = dict(change.parents)
    if change.guarded:
        extras["guarded"] = True
    return orjson.dumps(extras, option=orjson.OPT_SORT_KEYS).decode()


def payload_of(change: Change, note: str) -> bytes:
    """Values by turns before, after; sentences in the order of the cells, once if they are all the same."""
    values: list[FieldValue] = []
    sentences: list[str] = []
    for cell in change.cells:
        values += (cell.before, cell.after)
        sentences.append(cell.why.sentence)
    body: dict[str, Any] = {"v": values, "s": sentences if len(set(sentences)) > 1 else sentences[:1]}
    if note:
        body["n"] = note
    if change.decided_from:
        body["d"] = dict(change.decided_from)
    return orjson.dumps(body)


ENTRY_SELECT = """
    SELECT e.seq, e.batch, e.op, e.entity, e.system, e.object_type, e.record_id, e.extras, e.cited, e.state,
           e.attempts, b.opened_at, p.body, t.at, t.record_id, t.version, t.as_sent, q.body, t.mac
    FROM entries e JOIN batches b ON b.number = e.batch
    LEFT JOIN payloads p ON p.seq = e.seq
    LEFT JOIN transitions t ON t.seq = e.latest
    LEFT JOIN payloads q ON q.seq = t.seq
"""

_SETTLED = frozenset({State.CONFIRMED, State.FAILED, State.DRIFTED, State.REFUSED})


def entries_from(rows: Sequence[tuple[Any, ...]], citations: Citations) -> list[Entry]:
    """Rows of ENTRY_SELECT as entries."""
    cited = [_numbers_in(row[8]) for row in rows]
    texts = citations.texts(number for numbers in cited for number in numbers)
    return [
        _entry_from(row, [texts[number] for number in numbers])
        for row, numbers in zip(rows, cited, strict=True)
    ]


def _entry_from(row: tuple[Any, ...], citations: Sequence[Citation]) -> Entry:
    (seq, batch, op, entity, system, object_type, record_id, extras, _, state, attempts, opened_at, body,
     at, made_id, version, as_sent, outcome, outcome_mac) = row  # fmt: skip
    payload = orjson.loads(body) if body is not None else None
    change = _change_from(op, entity, system, object_type, record_id, extras, citations, payload)
    outcome_body = orjson.loads(outcome) if outcome is not None else {}
    now = State(state)
    observed = outcome_body.get("o", {})
    if as_sent and payload is not None:
        observed = {cell.vendor_field: cell.after for cell in change.cells}
    return Entry(
        id=f"E-{seq}",
        seq=seq,
        batch_id=f"B-{batch}",
        change=change,
        state=now,
        recorded_at=from_micros(opened_at),
        attempts=attempts,
        observed=observed,
        version=version,
        record_id=made_id or record_id,
        error=outcome_body.get("e"),
        settled_at=maybe_moment(at) if now in _SETTLED else None,
        erased=payload is None or (outcome_mac is not None and outcome is None),
        note=(payload or {}).get("n", ""),
    )


def _change_from(
    op: Any, entity: str, system: str, object_type: str, record_id: str | None, extras: str | None,
    citations: Sequence[Citation], payload: Mapping[str, Any] | None,
) -> Change:  # fmt: skip
    more = orjson.loads(extras) if extras is not None else {}
    key = more.get("key")
    return Change(
        op=op,
        entity_id=entity,
        system=system,
        object_type=object_type,
        record_id=record_id,
        cells=_cells_from(citations, payload) if payload is not None else (),
        key=tuple(key) if key else None,
        parents=more.get("parents", {}),
        group=more.get("group"),
        step=more.get("step", 0),
        decided_from=(payload or {}).get("d", {}),
        guarded=more.get("guarded", False),
    )


def _cells_from(citations: Sequence[Citation], payload: Mapping[str, Any]) -> tuple[Cell, ...]:
    values, sentences = payload["v"], payload["s"]
    if len(sentences) == 1:
        sentences = sentences * len(citations)
    return tuple([
        Cell(name, vendor_field, values[2 * n], values[2 * n + 1], meaning,
             Why(policy, line, rule, sentences[n]))
        for n, (name, vendor_field, meaning, policy, line, rule) in enumerate(citations)
    ])  # fmt: skip


def _numbers_in(cited: str) -> list[int]:
    return [int(number) for number in cited.split(",")] if cited else []


@dataclass(frozen=True, slots=True)
class Intent:
    """One change to be recorded, and the state it is born in (intended, held, planned or refused).

    ``note`` is what the guard said of it.
    """

    change: Change
    state: State
    note: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one entry. ``observed`` is what the vendor held afterwards, never what was sent."""

    entry_id: str
    state: State
    record_id: str | None = None
    version: str | None = None
    observed: Mapping[str, FieldValue] = field(default_factory=dict)
    error: str | None = None
