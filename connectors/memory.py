"""A CRM in a dictionary: keeps every sentence of the port, takes no time, and can be told to misbehave.

It is strict where vendors are strict (unknown, read-only, overlong and duplicate values are refused, record
by record) and forgetful where they are (a lost reply, a late write, an index that lags). Its ``journal`` is
the truth a test compares the ledger with; the agent never reads it. The clock is the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from agent.connector import (
    Allowance,
    Capabilities,
    FullCopy,
    Gate,
    Identity,
    Known,
    ObjectSchema,
    Op,
    OpenGate,
    Page,
    Tie,
    Window,
    Write,
    WriteError,
    WriteOutcome,
    nothing_known,
)
from agent.errors import ConnectorError, Unavailable
from agent.records import (
    FieldValue,
    Gone,
    MergedInto,
    Owner,
    Pulled,
    Readout,
    Record,
    Ref,
    Tombstone,
    Unreadable,
)
from agent.together import IN_TURN, Together
from agent.versions import Author, Landed, Version
from connectors.memory_world import Clock, Rewrite, Row, World, blank_as_none, kept

ErrorKind = Literal["validation", "permission", "conflict", "gone", "moved", "duplicate", "throttled", "other"]

STRICT = Capabilities(
    conditional_write=True,
    undelete=False,
    merge=False,
    unique_keys=True,
    write_chunk=100,
    read_chunk=100,
    echoes_writes=True,
    settle_seconds=10.0,
)


@dataclass(slots=True)
class _Fault:
    """What happens to the next matching writes: ``times`` counts down."""

    op: Op | None
    times: int
    error: WriteError | None = None
    is_applied: bool = True
    lands_after: timedelta | None = None


@dataclass(slots=True)
class _Late:
    at: datetime
    write: Write


@dataclass(slots=True)
class Memory(World):
    """An in-memory ``Connector``. Build one with ``Memory.of``."""

    known_owners: list[Owner] = field(default_factory=list)
    account_id: str = "memory-1"
    calls: Counter[str] = field(default_factory=Counter)
    gate: Gate = field(default_factory=OpenGate)
    _faults: list[_Fault] = field(default_factory=list)
    _outages: list[ConnectorError] = field(default_factory=list)
    _late: list[_Late] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        system: str,
        schemas: Sequence[ObjectSchema],
        clock: Clock,
        *,
        link_keys: Mapping[str, str] | None = None,
        capabilities: Capabilities = STRICT,
        owners: Sequence[Owner] = (),
        rewrite: Rewrite = kept,
    ) -> Memory:
        """Build one; ``link_keys`` replace those in ``capabilities``."""
        keys = dict(capabilities.link_keys if link_keys is None else link_keys)
        by_type = {schema.object_type: schema for schema in schemas}
        for object_type, name in keys.items():
            if not by_type[object_type].fields[name].unique:
                raise ValueError(f"the link key {object_type}.{name} is not a unique field")
        own = replace(capabilities, link_keys=keys, unique_keys=bool(keys))
        return cls(system, by_type, clock, own, rewrite, known_owners=list(owners))

    def lose_reply(
        self,
        *,
        applied: bool = True,
        lands_after: timedelta | None = None,
        op: Op | None = None,
        times: int = 1,
    ) -> None:
        """The next ``times`` matching writes end ``unknown``; ``lands_after`` applies them later."""
        self._faults.append(_Fault(op, times, None, applied and lands_after is None, lands_after))

    def reject(self, kind: ErrorKind, *, op: Op | None = None, code: str = "INJECTED", times: int = 1) -> None:
        """The next ``times`` matching writes are refused, the record untouched."""
        self._faults.append(_Fault(op, times, WriteError(kind, code, f"refused on request ({kind})")))

    def go_down(self, *, times: int = 1, error: ConnectorError | None = None) -> None:
        """The next ``times`` calls raise before anything is sent."""
        outage = error or Unavailable(f"{self.system} is down", system=self.system)
        self._outages += [outage] * times

    def live(self, object_type: str) -> dict[str, dict[str, FieldValue]]:
        """{record id: every value} of the living records; the oracle's view."""
        self._land_late_writes()
        return World.live(self, object_type)

    def allowances(self) -> Mapping[str, Allowance]:
        return {}

    def granted(self) -> frozenset[str] | None:
        """What may be seen and written stands in ``schema``; nothing here lists it."""
        return None

    def use_gate(self, gate: Gate) -> None:
        self.gate = gate

    def identity(self) -> Identity:
        self._call("identity")
        return Identity(self.system, self.account_id, self.system.title(), is_production=False, time_zone="UTC")

    def now(self) -> datetime:
        self._call("now")
        return self.clock()

    def schema(self, object_type: str, seen_within: float = 0.0) -> ObjectSchema:
        self._call("schema")
        return self.schema_of(object_type)

    def owners(self) -> list[Owner]:
        self._call("owners")
        return list(self.known_owners)

    def changed(
        self,
        object_type: str,
        fields: Sequence[str],
        window: Window,
        known: Known = nothing_known,
        together: Together = IN_TURN,
    ) -> Iterator[Page]:
        self._call("changed")
        self.schema_of(object_type)
        items = [
            item
            for row in self.rows.values()
            if row.ref.object_type == object_type and self._is_in(window, row)
            for item in self._pulled(row, fields, window, known)
        ]
        chunk = self.capabilities.read_chunk
        for start in range(int(window.after or 0), len(items), chunk):
            yield Page(tuple(items[start : start + chunk]), None if window.since else str(start + chunk))

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        if len(refs) > self.capabilities.read_chunk:
            raise ValueError(f"{len(refs)} records in one read; the chunk is {self.capabilities.read_chunk}")
        if any(self._is_ours(ref) for ref in refs):
            self._call("read")
        return [self._readout(ref, fields) for ref in refs]

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        self._call("find")
        wanted = value.lower()
        is_unique = self.field_of(object_type, key).unique
        return [
            self._record(row, fields)
            for row in self.rows.values()
            if row.ref.object_type == object_type
            and row.is_live
            and str(row.values.get(key) or "").lower() == wanted
            and (is_unique or self._is_indexed(row))
        ]

    def authors(self, cells: Sequence[tuple[Ref, str]]) -> dict[tuple[Ref, str], Author]:
        """Nobody has a name here."""
        return {}

    def stood_before(self, landed: Collection[Landed]) -> dict[Landed, Version]:
        """Former values are not kept."""
        return {}

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        self._call("full_copy")
        readout = self._readout(ref, list(self.schema_of(ref.object_type).fields))
        if not isinstance(readout, Record):
            return readout
        return FullCopy(readout, tuple(Tie(row.ref, name) for row, name in self._children(ref)))

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        self._check_call(writes)
        if any(write.op == "create" or is_id(write.record_id) for write in writes):
            self._call("write")
        return [self._attempt(write) for write in writes]

    def bulk_fit(self, writes: Sequence[Write]) -> frozenset[str]:
        return frozenset()

    def start_bulk(self, writes: Sequence[Write], note: Callable[[str], None]) -> list[WriteOutcome]:
        raise ValueError("memory has no bulk jobs")

    def harvest(self, job: str, writes: Sequence[Write]) -> list[WriteOutcome] | None:
        raise ValueError("memory has no bulk jobs")

    def close(self) -> None:
        """Nothing to release."""

    def _call(self, name: str) -> None:
        self.gate.enter()
        self.calls[name] += 1
        if self._outages:
            raise self._outages.pop(0)
        self._land_late_writes()

    def _check_call(self, writes: Sequence[Write]) -> None:
        """A caller that breaks the port's contract is a bug of ours, not an outcome."""
        if not writes:
            raise ValueError("an empty write")
        if len({(write.op, write.object_type) for write in writes}) > 1:
            raise ValueError("writes of different operations or object types in one call")
        if len({write.entry_id for write in writes}) < len(writes):
            raise ValueError("two writes under one entry id")
        conditional = any(write.expects_version is not None for write in writes)
        limit = self.capabilities.conditional_chunk if conditional else self.capabilities.write_chunk
        if len(writes) > limit:
            raise ValueError(f"{len(writes)} writes in one call; the chunk is {limit}")

    def _attempt(self, write: Write) -> WriteOutcome:
        if write.op != "create" and not all(is_id(each) for each in (write.record_id, *write.losers)):
            error = WriteError("validation", "INVALID_ID", "not an id of this system")
            return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)
        fault = next((fault for fault in self._faults if fault.op in (None, write.op)), None)
        if fault is None:
            return self._apply(write)
        fault.times -= 1
        if fault.times == 0:
            self._faults.remove(fault)
        if fault.error is not None:
            return WriteOutcome(write.entry_id, "rejected", write.record_id, error=fault.error)
        if fault.is_applied:
            self._apply(write)
        elif fault.lands_after is not None:
            self._late.append(_Late(self.clock() + fault.lands_after, write))
        return WriteOutcome(write.entry_id, "unknown", write.record_id)

    def _land_late_writes(self) -> None:
        due = [late for late in self._late if late.at <= self.clock()]
        for late in due:
            self._late.remove(late)
            self._apply(late.write)

    def _apply(self, write: Write) -> WriteOutcome:
        if write.op == "create":
            return self._create(write)
        ref = Ref(self.system, write.object_type, write.record_id or "")
        row = self.rows.get(ref)
        if write.op == "undelete":
            return self._undelete(write, row)
        error = self.standing_in_the_way(write, row) or self._unfit_losers(write)
        if row is None or error is not None:
            return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)
        if write.op == "associate" and (missing := self._no_such_parent(write, _linked(self.capabilities, write))):
            return WriteOutcome(write.entry_id, "rejected", write.record_id, error=missing)
        if write.op == "delete":
            row.deleted_at = self.clock()
            self.put(row, "api", "delete", dict(row.values), {}, write.entry_id)
            return WriteOutcome(write.entry_id, "applied", ref.id)
        if write.op == "merge":
            return self._merge(write, row)
        return self._store(write, row, write.op)

    def _undelete(self, write: Write, row: Row | None) -> WriteOutcome:
        if row is None:
            error = WriteError("gone", "NOT_FOUND", "the record is not in the recycle bin")
            return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)
        if not row.is_live:
            row.deleted_at = row.survivor = None
            self.put(row, "api", "undelete", {}, dict(row.values), write.entry_id)
        return WriteOutcome(write.entry_id, "applied", row.ref.id, str(row.version))

    def _unfit_losers(self, write: Write) -> WriteError | None:
        for loser in write.losers:
            error = self.standing_in_the_way(
                replace(write, fields={}, expects_version=None), self._row_of(write, loser)
            )
            if error is not None:
                return error
        return None

    def _row_of(self, write: Write, record_id: str) -> Row | None:
        return self.rows.get(Ref(self.system, write.object_type, record_id))

    def _merge(self, write: Write, row: Row) -> WriteOutcome:
        """The losers' children belong to the survivor then."""
        related: list[str] = []
        for loser in filter(None, (self._row_of(write, loser) for loser in write.losers)):
            for child, name in self._children(loser.ref):
                child.values[name] = row.ref.id
                self.put(child, "api", "update", {name: loser.ref.id}, {name: row.ref.id}, write.entry_id)
                related.append(child.ref.id)
            loser.survivor = row.ref
            self.put(loser, "api", "merge", dict(loser.values), {}, write.entry_id)
        return replace(self._store(write, row, "update"), related=tuple(related))

    def _children(self, ref: Ref) -> list[tuple[Row, str]]:
        """Living records whose parent this one is, with the field that says so."""
        places = [
            (object_type, place.field)
            for object_type, relations in self.capabilities.parent_fields.items()
            for place in relations.values()
            if place.object_type == ref.object_type
        ]
        alive = [row for row in self.rows.values() if row.is_live]
        return [
            (row, name)
            for object_type, name in places
            for row in alive
            if row.ref.object_type == object_type and row.values.get(name) == ref.id
        ]

    def _create(self, write: Write) -> WriteOutcome:
        landed = self._holder(write)
        if landed is not None:
            observed = (
                {name: landed.values.get(name) for name in write.fields} if self.capabilities.echoes_writes else {}
            )
            return WriteOutcome(write.entry_id, "applied", landed.ref.id, str(landed.version), observed)
        ref = Ref(self.system, write.object_type, self.next_id())
        fields = dict(write.fields)
        if write.key is not None:
            fields[write.key[0]] = write.key[1]
        for relation, parent_id in write.parents.items():
            fields[self.capabilities.parent_fields[write.object_type][relation].field] = parent_id
        whole = replace(write, fields=fields)
        error = self._no_such_parent(write, write.parents) or self.refusal(whole, None)
        if error is not None:
            return WriteOutcome(write.entry_id, "rejected", error=error)
        blank: dict[str, FieldValue] = dict.fromkeys(self.schema_of(write.object_type).fields)
        return self._store(whole, Row(ref, blank, 0, self.clock()), "create")

    def _holder(self, write: Write) -> Row | None:
        """The record that carries the write's link key: an earlier attempt landed after all."""
        if write.key is None:
            return None
        name, value = write.key
        alive = (row for row in self.rows.values() if row.is_live and row.ref.object_type == write.object_type)
        return next((row for row in alive if str(row.values.get(name) or "").lower() == value.lower()), None)

    def _no_such_parent(self, write: Write, parents: Mapping[str, str]) -> WriteError | None:
        for relation, parent_id in parents.items():
            place = self.capabilities.parent_fields[write.object_type][relation]
            parent = self.rows.get(Ref(self.system, place.object_type, parent_id))
            if parent is None or not parent.is_live:
                return WriteError("validation", "NO_SUCH_PARENT", f"the {relation} does not exist", (place.field,))
        return None

    def _store(self, write: Write, row: Row, op: str) -> WriteOutcome:
        before = {name: row.values.get(name) for name in write.fields}
        after = {name: self.stored(row, name, blank_as_none(value)) for name, value in write.fields.items()}
        row.values.update(after)
        self.put(row, "api", op, before, after, write.entry_id)
        observed = after if self.capabilities.echoes_writes else {}
        return WriteOutcome(write.entry_id, "applied", row.ref.id, str(row.version), observed)

    def _is_indexed(self, row: Row) -> bool:
        return row.stamp + timedelta(seconds=self.capabilities.index_lag_seconds) <= self.clock()

    def _is_in(self, window: Window, row: Row) -> bool:
        is_late_enough = window.since is None or row.stamp >= window.since
        return is_late_enough and row.stamp < window.until and self._is_indexed(row)

    def _pulled(self, row: Row, fields: Sequence[str], window: Window, known: Known) -> Iterator[Pulled]:
        if row.survivor is not None:
            yield MergedInto(row.ref, row.survivor, row.stamp)
        elif row.deleted_at is not None:
            if self.capabilities.sees_deletions or window.since is None:
                yield Tombstone(row.ref, row.deleted_at)
        elif window.since is None or row.ref.id not in known({row.ref.id: str(row.version)}):
            yield self._record(row, fields)

    def _is_ours(self, ref: Ref) -> bool:
        return ref.system == self.system and is_id(ref.id)

    def _readout(self, ref: Ref, fields: Sequence[str]) -> Readout:
        if not self._is_ours(ref):
            return Unreadable(ref, "not an id of this system")
        row = self.rows.get(ref)
        if row is None or row.deleted_at is not None:
            return Gone(ref)
        if row.survivor is not None:
            return MergedInto(ref, row.survivor, row.stamp)
        return self._record(row, fields)

    def _record(self, row: Row, fields: Sequence[str]) -> Record:
        visible = self.schema_of(row.ref.object_type).fields
        values = {name: row.values.get(name) for name in fields if name in visible}
        return Record(row.ref, values, str(row.version), row.stamp, self.clock())


def _linked(capabilities: Capabilities, write: Write) -> dict[str, str]:
    """{relation: the record it is to belong to} of an ``associate``; what it ends is left out.

    Raises:
        ValueError: a field that holds no parent is a bug of the caller.
    """
    places = capabilities.parent_fields.get(write.object_type, {})
    relations = {place.field: relation for relation, place in places.items()}
    if unknown := set(write.fields) - set(relations):
        raise ValueError(f"{', '.join(sorted(unknown))} of {write.object_type} holds no parent")
    return {relations[name]: str(value) for name, value in write.fields.items() if value not in (None, "")}


def is_id(text: str | None) -> bool:
    """Letters and digits of ASCII."""
    return bool(text) and str(text).isascii() and str(text).isalnum()
