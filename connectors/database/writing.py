"""Writing rows: a call is one transaction, each row in a savepoint of its own; only a lost COMMIT is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from agent.connector import Write, WriteError, WriteOutcome
from agent.records import FieldValue
from connectors.database.declaration import COMPANY
from connectors.database.engine import Engine
from connectors.database.failures import IN_USE, MAY_NOT, NOT_PERMITTED, Busy, as_ours, kind_of, refusal
from connectors.database.reading import Row, Tables
from connectors.database.tables import Described, Unfit, could_be_id

CHUNK = 200


class Refused(Exception):
    """This write is refused, for a reason in words of the port."""

    def __init__(self, error: WriteError) -> None:
        super().__init__(error.code)
        self.error = error


class Writing:
    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables

    def write(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        _check_call(writes)
        if all(_is_hopeless(write) for write in writes):
            return [_rejected(write, _INVALID) for write in writes]
        try:
            return self._tables.anew(lambda: self._in_one_transaction(writes))
        except Busy:
            busy = WriteError("throttled", "BUSY", "somebody else holds these rows")
            return [_rejected(write, busy) for write in writes]

    def _in_one_transaction(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        self._engine.gate.enter()
        with as_ours("a write"), self._engine.alchemy.connect() as plain:
            connection = plain.execution_options(is_writing=True)
            transaction = connection.begin()
            now = self._engine.now(connection)
            outcomes = [self._one(connection, write, now) for write in writes]
            try:
                transaction.commit()
            except SQLAlchemyError as error:
                return _uncommitted(outcomes, error)
            return outcomes

    def _one(self, connection: Connection, write: Write, now: datetime) -> WriteOutcome:
        try:
            with connection.begin_nested():
                return self._apply(connection, write, now)
        except Refused as refused:
            return _rejected(write, refused.error)
        except DBAPIError as error:
            if isinstance(error, IntegrityError | DataError) or kind_of(error) in ("bad", "locked", *MAY_NOT):
                return _rejected(write, refusal(error))
            raise

    def _apply(self, connection: Connection, write: Write, now: datetime) -> WriteOutcome:
        described = self._tables.described(connection, write.object_type)
        if write.op == "create":
            return self._create(connection, described, write, now)
        row = _held(connection, described, write)
        key = row[described.id.column.name]
        is_it = described.id.column == key
        if write.op == "delete" and described.deleted is None:
            connection.execute(delete(described.table).where(is_it))
            return WriteOutcome(write.entry_id, "applied", write.record_id)
        values = _values(described, write.fields)
        if write.op == "delete":
            values = _deleted(described, now)
        connection.execute(update(described.table).where(is_it).values({**values, **_stamp(described, now)}))
        names = () if write.op == "delete" else tuple(write.fields)
        return _told(connection, described, write, key, names)

    def _create(self, connection: Connection, described: Described, write: Write, now: datetime) -> WriteOutcome:
        if write.key is not None and (landed := _with_key(connection, described, *write.key)) is not None:
            return _told(connection, described, write, landed, tuple(write.fields))
        more = dict([write.key]) if write.key is not None else {}
        fields: dict[str, FieldValue] = {**write.fields, **more, **_parents(described, write)}
        values = {**_values(described, fields, is_new=True), **_stamp(described, now)}
        made = connection.execute(insert(described.table).values(values)).inserted_primary_key
        return _told(connection, described, write, made[0] if made else None, tuple(fields))


_INVALID = WriteError("validation", "INVALID_ID", "not an id of this table")


def _is_hopeless(write: Write) -> bool:
    """No request is needed to refuse it: its id is none in any table."""
    return write.op != "create" and not could_be_id(write.record_id)


def _held(connection: Connection, described: Described, write: Write) -> Row:
    """The row to be written, locked until the transaction ends. Raises Refused."""
    key = described.id_of(write.record_id or "")
    if key is None:
        raise Refused(_INVALID)
    row = connection.execute(locking(described, key)).mappings().one_or_none()
    if row is None or described.is_gone(row):
        raise Refused(WriteError("gone", "NO_SUCH_ROW", f"{write.object_type} {write.record_id} does not exist"))
    if write.expects_version is not None and write.expects_version != described.version(row):
        raise Refused(WriteError("moved", "CHANGED", "the row changed since it was read"))
    return row


def locking(described: Described, key: Any) -> Select[Any]:
    """One that somebody else holds is not waited for: the others of the call have no time for that."""
    return select(*described.selected).where(described.id.column == key).with_for_update(nowait=True)


def _values(described: Described, fields: Mapping[str, FieldValue], *, is_new: bool = False) -> dict[str, Any]:
    """{column: value as the database takes it}. Raises Refused."""
    schema = described.schema().fields
    may_write = described.rights.inserts if is_new else described.rights.updates
    found = {}
    for name, value in fields.items():
        if name in schema and name not in may_write:
            raise Refused(NOT_PERMITTED)
        if name not in schema or not (schema[name].creatable if is_new else schema[name].writable):
            raise Refused(WriteError("validation", "NO_SUCH_COLUMN", f"{name} cannot be written", (name,)))
        try:
            found[name] = described.kinds[name].written(value)
        except Unfit:
            raise Refused(WriteError("validation", "UNFIT", f"{name} cannot hold this value", (name,))) from None
    return found


def _parents(described: Described, write: Write) -> dict[str, FieldValue]:
    """Raises Refused: an unknown relation, or no id."""
    found: dict[str, FieldValue] = {}
    for relation, parent_id in write.parents.items():
        company = described.settings.company
        if (
            relation != COMPANY
            or company is None
            or not parent_id.replace("-", "").isalnum()
            or not parent_id.isascii()
        ):
            raise Refused(WriteError("validation", "NO_SUCH_PARENT", f"no id of a {relation}"))
        found[company.column] = parent_id
    return found


def _stamp(described: Described, now: datetime) -> dict[str, Any]:
    """The time of the change, as the application keeps it too."""
    changed = described.changed
    return {changed.column.name: changed.moment(now)} if changed is not None else {}


def _deleted(described: Described, now: datetime) -> dict[str, Any]:
    kind = described.deleted
    if kind is None:
        return {}
    return {kind.column.name: kind.moment(now) if kind.type == "datetime" else kind.written("true")}


def _with_key(connection: Connection, described: Described, name: str, value: str) -> Any:
    """The id of the living row that carries this link key: an earlier attempt landed after all."""
    kind = described.kinds.get(name)
    if kind is None:
        return None
    rows = connection.execute(select(*described.selected).where(func.lower(kind.column) == value.lower())).mappings()
    return next((row[described.id.column.name] for row in rows if not described.is_gone(row)), None)


def _told(connection: Connection, described: Described, write: Write, key: Any, names: Sequence[str]) -> WriteOutcome:
    """What the row holds now, read inside the transaction."""
    row = connection.execute(select(*described.selected).where(described.id.column == key)).mappings().one()
    return WriteOutcome(write.entry_id, "applied", str(key), described.version(row), described.values(row, names))


def _uncommitted(outcomes: Sequence[WriteOutcome], error: SQLAlchemyError) -> list[WriteOutcome]:
    """A COMMIT that was answered with no changed nothing; one that was not answered may have done all of it."""
    if isinstance(error, IntegrityError):
        return [_rejected_again(outcome, refusal(error)) for outcome in outcomes]
    if kind_of(error) in IN_USE:
        raise Busy from None
    return [
        replace(outcome, status="unknown", version=None, observed={}) if outcome.status == "applied" else outcome
        for outcome in outcomes
    ]


def _rejected_again(outcome: WriteOutcome, error: WriteError) -> WriteOutcome:
    if outcome.status != "applied":
        return outcome
    return replace(outcome, status="rejected", version=None, observed={}, error=error)


def _rejected(write: Write, error: WriteError) -> WriteOutcome:
    return WriteOutcome(write.entry_id, "rejected", write.record_id, error=error)


def _check_call(writes: Sequence[Write]) -> None:
    """A caller that breaks the port's contract is a bug of ours, not an outcome."""
    if len({(write.op, write.object_type) for write in writes}) > 1:
        raise ValueError("writes of different operations or object types in one call")
    if len({write.entry_id for write in writes}) < len(writes):
        raise ValueError("two writes under one entry id")
    if len(writes) > CHUNK:
        raise ValueError(f"{len(writes)} writes in one call; the chunk is {CHUNK}")
    if writes[0].op not in ("create", "update", "delete", "associate"):
        raise ValueError(f"a database knows no write {writes[0].op}")
