"""Reading rows: by id, by a column, and what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.engine import Connection, RowMapping

from agent.connector import FullCopy, Known, Page, Tie, Window
from agent.errors import NotFound
from agent.records import Gone, MergedInto, Pulled, Readout, Record, Ref, Tombstone, Unreadable
from connectors.database.declaration import TableSettings
from connectors.database.engine import Engine
from connectors.database.failures import SYSTEM, Redescribe
from connectors.database.tables import Described, Kind, could_be_id

PAGE = 500
MARGIN = timedelta(seconds=1)
"""The database compares times as it keeps them, we compare them exactly afterwards."""

Row = RowMapping
T = TypeVar("T")


class Reading:
    """``tables`` describes a table once; a description is made anew by ``Tables.fresh``."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._tables = tables

    def read(self, refs: Sequence[Ref], fields: Sequence[str]) -> list[Readout]:
        if len(refs) > PAGE:
            raise ValueError(f"{len(refs)} records in one read; the chunk is {PAGE}")
        if not any(ref.system == SYSTEM and could_be_id(ref.id) for ref in refs):
            return [Unreadable(ref, "not an id of this database") for ref in refs]
        names = {ref.object_type for ref in refs if ref.system == SYSTEM and self._tables.is_known(ref.object_type)}
        return self._tables.anew(lambda: self._read(refs, sorted(names), fields))

    def _read(self, refs: Sequence[Ref], names: Sequence[str], fields: Sequence[str]) -> list[Readout]:
        with self._engine.asking("reading rows") as (connection, now):
            found = {name: self._by_id(connection, name, refs) for name in names}
            return [self._readout(ref, found.get(ref.object_type), fields, now) for ref in refs]

    def find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        return self._tables.anew(lambda: self._find(object_type, key, value, fields))

    def _find(self, object_type: str, key: str, value: str, fields: Sequence[str]) -> list[Record]:
        with self._engine.asking("looking for a row") as (connection, now):
            described = self._tables.described(connection, object_type)
            kind = described.kinds.get(key)
            if kind is None:
                raise NotFound(f"{object_type} has no column {key}", next_step="truce doctor")
            is_same = func.lower(kind.column) == value.lower() if kind.type == "text" else kind.column == value
            rows = connection.execute(select(*described.selected).where(is_same)).mappings()
            return [_record(described, row, fields, now) for row in rows if not described.is_gone(row)]

    def changed(self, object_type: str, fields: Sequence[str], window: Window, known: Known) -> Iterator[Page]:
        """Page by page along the key of the table, each page a request of its own. Rows that say no time are always
        looked at, and so are all where the table keeps none: their version tells whether they changed."""
        after = window.after
        while True:
            count, items, after = self._tables.anew(partial(self._changed_page, object_type, fields, window, after))
            yield Page(tuple(_news(items, window, known)), after if window.since is None else None)
            if count < PAGE:
                return

    def _changed_page(
        self, object_type: str, fields: Sequence[str], window: Window, after: str | None
    ) -> tuple[int, list[Pulled], str | None]:
        """How many rows there were, what they tell, and the key of the last of them."""
        with self._engine.asking("reading changed rows") as (connection, now):
            described = self._tables.described(connection, object_type)
            rows = _page(connection, described, window, after)
            items = [item for row in rows for item in _pulled(described, row, fields, window, now)]
        return len(rows), items, str(rows[-1][described.id.column.name]) if rows else after

    def full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        """Every column that is shown, and the rows that name this one as their company."""
        if ref.system != SYSTEM or not self._tables.is_known(ref.object_type) or not could_be_id(ref.id):
            return Unreadable(ref, "not a row of this database")
        return self._tables.anew(lambda: self._full_copy(ref))

    def _full_copy(self, ref: Ref) -> FullCopy | Gone | MergedInto | Unreadable:
        with self._engine.asking("copying a row") as (connection, now):
            described, rows = self._by_id(connection, ref.object_type, [ref])
            readout = self._readout(ref, (described, rows), list(described.kinds), now)
            if not isinstance(readout, Record):
                return readout
            return FullCopy(readout, tuple(self._children(connection, ref, described.id_of(ref.id))))

    def _children(self, connection: Connection, ref: Ref, key: Any) -> Iterator[Tie]:
        for name, settings in self._tables.settings.items():
            if settings.company is None or settings.company.table != ref.object_type:
                continue
            described = self._tables.described(connection, name)
            is_child = described.table.c[settings.company.column] == key
            rows = connection.execute(select(*described.selected).where(is_child)).mappings()
            yield from (
                Tie(_ref(described, row), settings.company.column) for row in rows if not described.is_gone(row)
            )

    def _by_id(self, connection: Connection, object_type: str, refs: Sequence[Ref]) -> tuple[Described, dict[str, Row]]:
        described = self._tables.described(connection, object_type)
        keys = [key for ref in refs if ref.object_type == object_type and (key := described.id_of(ref.id)) is not None]
        if not keys:
            return described, {}
        rows = connection.execute(select(*described.selected).where(described.id.column.in_(keys))).mappings()
        return described, {str(row[described.id.column.name]): row for row in rows}

    def _readout(
        self, ref: Ref, found: tuple[Described, dict[str, Row]] | None, fields: Sequence[str], now: datetime
    ) -> Readout:
        if ref.system != SYSTEM or found is None:
            return Unreadable(ref, "not a table of this database")
        described, rows = found
        key = described.id_of(ref.id)
        if key is None:
            return Unreadable(ref, "not an id of this table")
        row = rows.get(str(key))
        return Gone(ref) if row is None or described.is_gone(row) else _record(described, row, fields, now, ref)


class Tables:
    """The tables of the settings, described when first needed."""

    def __init__(self, settings: Mapping[str, TableSettings]) -> None:
        self.settings = settings
        self._described: dict[str, Described] = {}

    def is_known(self, name: str) -> bool:
        return name in self.settings

    def described(self, connection: Connection, name: str) -> Described:
        return self._described.get(name) or self.fresh(connection, name)

    def fresh(self, connection: Connection, name: str) -> Described:
        """Raises NotFound: not a table of the settings, or not there."""
        if name not in self.settings:
            raise NotFound(f"Truce was given no table {name!r}", next_step="truce doctor")
        self._described[name] = Described(connection, name, self.settings[name])
        return self._described[name]

    def anew(self, ask: Callable[[], T]) -> T:
        """``ask``, and once more with new descriptions where a column went since the last."""
        try:
            return ask()
        except Redescribe:
            self._described.clear()
            return ask()


def _page(connection: Connection, described: Described, window: Window, after: str | None) -> list[Row]:
    key = described.id.column
    query = select(*described.selected).order_by(key).limit(PAGE)
    if after is not None:
        query = query.where(key > described.id_of(after))
    if window.since is not None and described.changed is not None:
        query = query.where(_in_window(described, window))
    return list(connection.execute(query).mappings())


def _in_window(described: Described, window: Window) -> ColumnElement[bool]:
    kinds = [kind for kind in (described.changed, described.deleted) if kind is not None and kind.type == "datetime"]
    return or_(*(_around(kind, window) for kind in kinds), *(kind.column.is_(None) for kind in kinds[:1]))


def _around(kind: Kind, window: Window) -> ColumnElement[bool]:
    since = (window.since or datetime.min.replace(tzinfo=UTC)) - MARGIN
    until = window.until + MARGIN
    if kind.is_lite:
        days = func.julianday(kind.column)
        return and_(days >= func.julianday(kind.moment(since)), days <= func.julianday(kind.moment(until)))
    return and_(kind.column >= kind.moment(since), kind.column <= kind.moment(until))


def _pulled(described: Described, row: Row, fields: Sequence[str], window: Window, now: datetime) -> Iterator[Pulled]:
    stamp = described.stamp(row, described.changed)
    if described.is_gone(row):
        deleted_at = described.stamp(row, described.deleted)
        if _is_in(window, stamp) or _is_in(window, deleted_at):
            yield Tombstone(_ref(described, row), deleted_at)
    elif _is_in(window, stamp):
        yield _record(described, row, fields, now)


def _news(items: Sequence[Pulled], window: Window, known: Known) -> list[Pulled]:
    """Without the rows that the mirror holds in this version; a full load brings them all."""
    if window.since is None:
        return list(items)
    seen = known({item.ref.id: item.version or "" for item in items if isinstance(item, Record)})
    return [item for item in items if not isinstance(item, Record) or item.ref.id not in seen]


def _is_in(window: Window, stamp: datetime | None) -> bool:
    if stamp is None:
        return True
    return (window.since is None or stamp >= window.since) and stamp < window.until


def _record(described: Described, row: Row, fields: Sequence[str], now: datetime, ref: Ref | None = None) -> Record:
    values = described.values(row, fields)
    stamp = described.stamp(row, described.changed)
    return Record(ref or _ref(described, row), values, described.version(row), stamp, now)


def _ref(described: Described, row: Row) -> Ref:
    return Ref(SYSTEM, described.name, str(row[described.id.column.name]))
