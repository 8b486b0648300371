"""Tables as the database describes them: columns as fields, values on their way in and out, versions of rows."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, MetaData, String, Table, Text, Uuid, cast, inspect, types
from sqlalchemy.engine import Connection, RowMapping

from agent.connector import Choice, FieldSchema, FieldType, ObjectSchema
from agent.errors import NotFound
from agent.records import FieldValue
from connectors.database.declaration import TableSettings
from connectors.database.failures import SYSTEM
from connectors.database.rights import rights_of

_TYPES: tuple[tuple[type[types.TypeEngine[Any]], FieldType], ...] = (
    (types.Boolean, "boolean"),
    (types.Enum, "choice"),
    (types.Integer, "number"),
    (types.Numeric, "number"),
    (types.DateTime, "datetime"),
    (types.Date, "date"),
    (Uuid, "text"),
    (types.String, "text"),
)
"""What a column holds, the more particular first; columns of other types are not shown."""

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,18}")


def could_be_id(text: str | None) -> bool:
    """Is it an id of any table?"""
    return text is not None and _WORD.fullmatch(text) is not None


class Unfit(ValueError):
    """A value that this column cannot hold."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One column: ``type`` of the port, and in which database: SQLite keeps times as text."""

    column: Column[Any]
    type: FieldType
    database: str

    @property
    def is_lite(self) -> bool:
        return self.database == "sqlite"

    @property
    def selected(self) -> ColumnElement[Any]:
        """A time of PostgreSQL comes as text: it knows ``infinity`` and years that Python does not, and the driver
        would fail at one such row for all of them."""
        is_spelled = self.database == "postgresql" and self.type in ("date", "datetime")
        return cast(self.column, Text).label(self.column.name) if is_spelled else self.column

    def read(self, raw: Any) -> FieldValue:
        """A value of the database as JSON carries it; times are UTC."""
        if raw is None or raw == "":
            return None
        if self.type == "datetime":
            moment = moment_of(raw)
            return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z") if moment is not None else str(raw)
        if self.type == "date":
            return str(raw)[:10] if moment_of(raw) is not None else str(raw)
        if self.type in ("id", "reference"):
            return str(raw)
        if isinstance(raw, Decimal | float) and not math.isfinite(raw):
            return str(raw)
        if isinstance(raw, Decimal):
            return int(raw) if raw == raw.to_integral_value() else float(raw)
        return raw if isinstance(raw, str | int | float | bool) else str(raw)

    def written(self, value: FieldValue) -> Any:
        """The value as the database takes it. Raises Unfit."""
        if value is None or value == "":
            return None
        try:
            return self._converted(value)
        except (ValueError, InvalidOperation, OverflowError):
            raise Unfit from None

    def _converted(self, value: FieldValue) -> Any:
        text = str(value)
        if self.type == "boolean":
            return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _unfit()
        if self.type == "number" or (self.type == "reference" and isinstance(self.column.type, types.Integer)):
            number = Decimal(text)
            return int(number) if number == number.to_integral_value() else number
        if self.type == "date":
            day = date.fromisoformat(text[:10])
            return day.isoformat() if self.is_lite else day
        if self.type == "datetime":
            return self.moment(moment_of(text) or _unfit())
        if isinstance(self.column.type, Uuid):
            return UUID(text)
        length = getattr(self.column.type, "length", None)
        return text if length is None or len(text) <= length else _unfit()

    def moment(self, moment: datetime) -> Any:
        """A moment as this column keeps it: UTC; with its zone only where the column has one."""
        if self.is_lite:
            return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        has_zone = bool(getattr(self.column.type, "timezone", False))
        return moment if has_zone else moment.astimezone(UTC).replace(tzinfo=None)


def _unfit() -> Any:
    raise Unfit


def moment_of(raw: Any) -> datetime | None:
    """A moment however it is kept: a time with or without zone (then UTC), ISO text, or None for anything else."""
    if isinstance(raw, datetime):
        return raw.astimezone(UTC) if raw.tzinfo is not None else raw.replace(tzinfo=UTC)
    try:
        return moment_of(datetime.fromisoformat(str(raw)))
    except ValueError:
        return None


class Described:
    """One table that Truce may see. Raises NotFound where it or a column of the settings is missing."""

    def __init__(self, connection: Connection, name: str, settings: TableSettings) -> None:
        self.name = name
        self.settings = settings
        inspector = inspect(connection)
        if not inspector.has_table(name):
            raise NotFound(f"the database has no table {name}", next_step="truce doctor")
        self.table = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
        self.rights = rights_of(connection, self.table)
        database = connection.dialect.name
        is_lite = database == "sqlite"
        shown = self.rights.reads if settings.columns is None else self.rights.reads & set(settings.columns)
        own = (settings.id, settings.changed, settings.deleted, settings.key)
        self.kinds: dict[str, Kind] = {
            column.name: Kind(column, self._link_type(column.name) or found, database)
            for column in self.table.columns
            if (found := _type_of(column)) is not None and column.name in (*shown, *own)
        }
        for kind in self.kinds.values():
            if is_lite and kind.type in ("date", "datetime"):
                kind.column.type = String()  # SQLite keeps times as they were typed, whoever typed them
        for column in filter(None, own):
            if column not in self.kinds:
                raise NotFound(f"the table {name} has no column {column}", next_step="truce doctor")
        # SQLite tells of UNIQUE behind a column only as the index it made for it
        more: dict[str, Any] = {"include_auto_indexes": True} if is_lite else {}
        unique = [list[str | None](each["column_names"]) for each in inspector.get_unique_constraints(name)]
        unique += [each["column_names"] for each in inspector.get_indexes(name, **more) if each["unique"]]
        self.unique = {names[0] for names in unique if len(names) == 1}
        self.id = self.kinds[settings.id]
        self.changed = self.kinds[settings.changed] if settings.changed is not None else None
        self.deleted = self.kinds[settings.deleted] if settings.deleted is not None else None

    def _link_type(self, name: str) -> FieldType | None:
        """Ids are text to everybody else, whatever the column holds."""
        if name == self.settings.id:
            return "id"
        company = self.settings.company
        return "reference" if company is not None and name == company.column else None

    @property
    def selected(self) -> list[Any]:
        """Every column that is shown, always the same, so that a row has one version whoever asks."""
        return [kind.selected for kind in self.kinds.values()]

    def schema(self) -> ObjectSchema:
        ours = {self.settings.id, self.settings.changed, self.settings.deleted}
        fields = {name: self._field(name, kind, is_ours=name in ours) for name, kind in self.kinds.items()}
        may_update = bool(self.rights.updates) and self.settings.changed in (None, *self.rights.updates)
        return ObjectSchema(
            SYSTEM,
            self.name,
            self.name,
            fields,
            can_create=bool(self.rights.inserts),
            can_update=may_update,
            can_delete=self.rights.deletes if self.deleted is None else may_update,
        )

    def _field(self, name: str, kind: Kind, *, is_ours: bool) -> FieldSchema:
        column = kind.column
        has_default = column.server_default is not None or column.nullable or is_ours
        return FieldSchema(
            name,
            name,
            kind.type,
            writable=not is_ours and column.computed is None and name in self.rights.updates,
            creatable=not is_ours and column.computed is None and name in self.rights.inserts,
            required=not has_default,
            unique=name in self.unique,
            length=getattr(column.type, "length", None) if kind.type == "text" else None,
            choices=tuple(Choice(word, word) for word in getattr(column.type, "enums", ())),
            restricted=kind.type == "choice",
        )

    def id_of(self, text: str) -> Any:
        """The key of a row from its id, or None for a text that is no id here."""
        if not text.isascii():
            return None
        if isinstance(self.id.column.type, types.Integer):
            return int(text) if _NUMBER.fullmatch(text) else None
        if isinstance(self.id.column.type, Uuid):
            try:
                return UUID(text)
            except ValueError:
                return None
        return text if _WORD.fullmatch(text) else None

    def values(self, row: RowMapping, names: Sequence[str]) -> dict[str, FieldValue]:
        return {name: self.kinds[name].read(row[name]) for name in names if name in self.kinds}

    def version(self, row: RowMapping) -> str:
        """A hash of all that is shown of the row."""
        text = json.dumps(self.values(row, list(self.kinds)), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def is_gone(self, row: RowMapping) -> bool:
        return self.deleted is not None and row[self.deleted.column.name] not in (None, "", False, 0)

    def stamp(self, row: RowMapping, kind: Kind | None) -> datetime | None:
        return moment_of(row[kind.column.name]) if kind is not None else None


def _type_of(column: Column[Any]) -> FieldType | None:
    return next((found for kind, found in _TYPES if isinstance(column.type, kind)), None)
