"""How entries stand in the ledger's tables, and back.

What may be kept for years (which field, which policy line, which record id) is in the skeleton; every value, and
every sentence that may quote one, is in the payload. What many writes have in common (operation, object type and,
per cell, field, meaning and policy line) is kept once as a *shape* and named by number.
"""

# ruff: noqa: S608
# (only question marks and our own column names enter SQL text; values are always bound)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from agent.changes import Cell, Change, Entry, State, Why
from agent.ledger.chain import Pen, keyed_hash
from agent.records import FieldValue
from agent.store import Connection, Store, from_micros, marks, maybe_moment
from agent.stored_json import from_json, to_json


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


@dataclass(slots=True, eq=False)
class Shape:
    """What many writes have in common. ``cells`` holds per cell: field, vendor field, meaning, policy, line, rule."""

    op: str
    system: str
    object_type: str
    cells: tuple[tuple[Any, ...], ...]
    digest: bytes = b""
    number: int = 0

    @property
    def columns(self) -> tuple[str, str, str, str]:
        return self.op, self.system, self.object_type, orjson.dumps(self.cells).decode()

    @property
    def vendor_fields(self) -> list[str]:
        return [cell[1] for cell in self.cells]


class Shapes:
    """Shapes by number, kept in memory; those written in a transaction are only believed once it has committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[tuple[str, ...], int] = {}
        self._known: dict[int, Shape] = {}

    def write(self, connection: Connection, pen: Pen, shapes: Iterable[Shape]) -> None:
        """Give every shape its number, writing those that are new into the chain."""
        for shape in shapes:
            columns = shape.columns
            shape.number = self._numbers.get(columns) or _find_shape(connection, columns)
            if not shape.number:
                chain = pen.sign("shapes", columns)
                shape.number = pen.seq
                connection.execute("INSERT INTO shapes VALUES (?, ?, ?, ?, ?, ?)", (shape.number, *columns, chain))

    def remember(self, written: Iterable[Shape]) -> None:
        """Call after COMMIT."""
        for shape in written:
            self._numbers[shape.columns] = shape.number
            self._known[shape.number] = shape

    def load(self, numbers: Iterable[int]) -> Mapping[int, Shape]:
        """At least the shapes with these numbers."""
        missing = [number for number in set(numbers) if number not in self._known]
        for start in range(0, len(missing), 500):
            chunk = missing[start : start + 500]
            sql = f"SELECT seq, op, system, object_type, cells FROM shapes WHERE seq IN ({marks(len(chunk))})"
            for number, op, system, object_type, cells in self._store.read_tuples(sql, chunk):
                listed = tuple(tuple(cell) for cell in orjson.loads(cells))
                self._known[number] = Shape(op, system, object_type, listed, number=number)
        return self._known


def _find_shape(connection: Connection, columns: Sequence[str]) -> int:
    row = connection.execute(
        "SELECT seq FROM shapes WHERE op = ? AND system = ? AND object_type = ? AND cells = ?", columns
    ).fetchone()
    return int(row[0]) if row is not None else 0


Prepared = tuple[Shape, str, str, str, str, bytes, bytes, str]
"""One entry before it has a number: shape, entity, record id, extras, state born in, keyed hash, salt, payload."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """``hash`` is what an approval binds to: the list of writes and their values, whatever numbers they get."""

    entries: list[Prepared]
    shapes: list[Shape]
    hash: bytes


def prepare(intents: Sequence[Intent], salts: Sequence[bytes]) -> Preparation:
    """Split changes into what may be kept for years and what must be erasable.

    Raises:
        ValueError: two intents would take the same place: one record (or one new record of an entity), one
            group, one step.
    """
    entries: list[Prepared] = []
    places: set[tuple[Any, ...]] = set()
    shapes: dict[tuple[str, ...], Shape] = {}
    whole = sha256()
    for intent, salt in zip(intents, salts, strict=True):
        change = intent.change
        whom = change.record_id or (change.entity_id,)
        places.add((change.system, change.object_type, whom, change.group, change.step))
        if len(places) == len(entries):
            raise ValueError(
                f"two writes of {change.system} {change.object_type} {change.record_id or change.entity_id}"
                " in one batch need a group and different steps"
            )
        common, body = _common_and_payload(change, intent.note)
        shape = shapes.get(common)
        if shape is None:
            shape = shapes[common] = _shape_of(common)
        mac = keyed_hash(salt, body)
        skeleton = (change.entity_id, change.record_id or "", _extras_of(change), intent.state.value)
        entries.append((shape, *skeleton, mac, salt, body.decode()))
        whole.update(b"".join((shape.digest, orjson.dumps(skeleton), mac)))
    return Preparation(entries, list(shapes.values()), whole.digest())


def _extras_of(change: Change) -> str:
    key = None if change.op == "opt_out" else change.key
    if not (key or change.group or change.step or change.parents or change.guarded):
        return ""
    extras: dict[str, Any] = {}
    if key is not None:
        extras["key"] = key
    if change.group is not None:
        extras["group"] = change.group
    if change.step:
        extras["step"] = change.step
    if change.parents:
        extras["parents"] = dict(change.parents)
    if change.guarded:
        extras["guarded"] = True
    return orjson.dumps(extras, option=orjson.OPT_SORT_KEYS).decode()


def _common_and_payload(change: Change, note: str) -> tuple[tuple[str, ...], bytes]:
    """The texts of its shape one after the other; and the payload: values by turns before, after; sentences in
    the order of the cells, once if they are all the same."""
    common: list[str] = [change.op, change.system, change.object_type]
    values: list[FieldValue] = []
    sentences: list[str] = []
    for cell in change.cells:
        why = cell.why
        common += (cell.field, cell.vendor_field, cell.meaning, why.policy, why.line, why.rule)
        values += (cell.before, cell.after)
        sentences.append(why.sentence)
    if sentences and sentences.count(sentences[0]) == len(sentences):
        sentences = sentences[:1]
    body: dict[str, Any] = {"v": values, "s": sentences}
    if note:
        body["n"] = note
    if change.decided_from:
        body["d"] = dict(change.decided_from)
    if change.op == "opt_out":
        body["k"] = change.key  # an address, so it must be erasable; a create's key is a number of ours
    return tuple(common), to_json(body)


def _shape_of(common: tuple[str, ...]) -> Shape:
    cells = tuple([common[start : start + 6] for start in range(3, len(common), 6)])
    return Shape(common[0], common[1], common[2], cells, sha256(orjson.dumps(common)).digest())


ERASED_WORDS = "its values were erased"

ENTRY_SELECT = """
    SELECT e.seq, e.batch, e.shape, e.entity, e.record_id, e.extras, e.born, e.body, b.opened_at,
           t.state, t.at, t.record_id, t.version, t.as_sent, t.body, t.mac,
           (SELECT COUNT(*) FROM transitions s WHERE s.entry = e.seq AND s.sends = 1)
    FROM entries e JOIN batches b ON b.number = e.batch JOIN shapes h ON h.seq = e.shape
    LEFT JOIN transitions t ON t.seq = (SELECT MAX(seq) FROM transitions WHERE entry = e.seq)
"""
"""The state of an entry is that of its last transition, or the one it was born in."""

PRESENT_STATE = "COALESCE(t.state, e.born)"

_SETTLED = frozenset({State.CONFIRMED, State.FAILED, State.DRIFTED, State.REFUSED})


def entries_from(rows: Sequence[tuple[Any, ...]], shapes: Shapes) -> list[Entry]:
    """Rows of ENTRY_SELECT as entries."""
    known = shapes.load(row[2] for row in rows)
    return [_entry_from(row, known[row[2]]) for row in rows]


def _entry_from(row: tuple[Any, ...], shape: Shape) -> Entry:
    (seq, batch, _, entity, record_id, extras, born, body, opened_at, state, at, made_id, version, as_sent,
     outcome, outcome_mac, sends) = row  # fmt: skip
    payload = from_json(body) if body is not None else None
    change = _change_from(shape, entity, record_id or None, extras, payload)
    outcome_body = from_json(outcome) if outcome else {}
    now = State(state or born)
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
        attempts=sends + (born == "intended"),
        observed=observed,
        version=version or None,
        record_id=made_id or record_id or None,
        error=outcome_body.get("e"),
        settled_at=maybe_moment(at) if now in _SETTLED else None,
        erased=payload is None or (bool(outcome_mac) and outcome is None),
        note=(payload or {}).get("n", ""),
    )


def _change_from(
    shape: Shape, entity: str, record_id: str | None, extras: str, payload: Mapping[str, Any] | None
) -> Change:
    more = orjson.loads(extras) if extras else {}
    key = more.get("key") or (payload or {}).get("k")
    return Change(
        op=shape.op,  # type: ignore[arg-type]
        entity_id=entity,
        system=shape.system,
        object_type=shape.object_type,
        record_id=record_id,
        cells=_cells_from(shape, payload or _erased(shape)),
        key=tuple(key) if key else None,
        parents=more.get("parents", {}),
        group=more.get("group"),
        step=more.get("step", 0),
        decided_from=(payload or {}).get("d", {}),
        guarded=more.get("guarded", False),
    )


def _erased(shape: Shape) -> Mapping[str, Any]:
    """What is left of a payload: which fields, by which line, without any value."""
    return {"v": [None] * (2 * len(shape.cells)), "s": [ERASED_WORDS]}


def _cells_from(shape: Shape, payload: Mapping[str, Any]) -> tuple[Cell, ...]:
    values, sentences = payload["v"], payload["s"]
    if len(sentences) == 1:
        sentences = sentences * len(shape.cells)
    return tuple([
        Cell(name, vendor_field, values[2 * n], values[2 * n + 1], meaning, Why(policy, line, rule, sentences[n]))
        for n, (name, vendor_field, meaning, policy, line, rule) in enumerate(shape.cells)
    ])  # fmt: skip
