"""What Salesforce says when it refuses: HTTP status, error code, message, fields."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


class Refusal(Exception):
    """One refused request or row. ``extra`` goes into the single-record body only (duplicate results)."""

    def __init__(
        self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None, **extra: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.extra = extra

    def body(self) -> list[dict[str, Any]]:
        """The REST form."""
        document: dict[str, Any] = {**self.extra, "message": self.message, "errorCode": self.code}
        if self.fields is not None:
            document["fields"] = list(self.fields)
        return [document]

    def of_text(self) -> Refusal:
        """As the APIs say it that take every value as text: SOAP, bulk."""
        return self

    def row(self) -> dict[str, Any]:
        """The form inside collections: the key is ``statusCode`` there."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}


class Unreadable(Refusal):
    """JSON that does not fit the field it was sent for. ``place`` is the field, for the line and column."""

    def __init__(self, wanted: str, value: Any, place: str) -> None:
        self.place = place
        self.value = value
        received = f"{_shape(value)} value {_shown(value)}"
        self.text = text("unreadable").format(wanted=wanted, received=received)
        super().__init__(400, "JSON_PARSER_ERROR", self.text + "[line:1, column:1]")

    def of_text(self) -> Refusal:
        message = f"{self.place}: value not of required type: {self.value}"
        return Refusal(400, "INVALID_TYPE_ON_FIELD_IN_RECORD", message, (self.place,))

    def locate(self, body: bytes) -> None:
        """Point at the place in the request's body."""
        line, column = position(body, self.place)
        self.message = f"{self.text}[line:{line}, column:{column}]"


class UnknownColumn(Refusal):
    """A field that the object lacks, or that field-level security hides."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind}")


def position(body: bytes, name: str) -> tuple[int, int]:
    """Line and column (from 1) just after a key of a JSON text; 1, 1 when it is not there."""
    key = json.dumps(name).encode()
    at = body.find(key)
    if at < 0:
        return 1, 1
    before = body[: at + len(key)]
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")


def not_found(message: str = "The requested resource does not exist") -> Refusal:
    return Refusal(404, "NOT_FOUND", message)


def missing_fields(names: list[str]) -> Refusal:
    return Refusal(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", tuple(names))


def is_deleted() -> Refusal:
    return Refusal(404, "ENTITY_IS_DELETED", "entity is deleted", ())


def no_such_id() -> Refusal:
    """An id that names nothing, where the vendor answers per record."""
    return Refusal(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())


def wrong_id(label: str, value: str, field: str) -> Refusal:
    """An id of another object, or a text that is none."""
    return Refusal(400, "MALFORMED_ID", f"{label}: id value of incorrect type: {value}", (field,))


def locked(record_id: str) -> Refusal:
    message = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
    return Refusal(400, "UNABLE_TO_LOCK_ROW", message, ())


def unknown_type(name: str) -> Refusal:
    return Refusal(400, "INVALID_TYPE", unknown_type_text(name))


def unknown_type_text(name: str) -> str:
    return text("unknown type").format(name=name)


@cache
def text(key: str) -> str:
    """A long sentence of the vendor's, from ``texts.json``."""
    texts: dict[str, str] = json.loads((Path(__file__).parent / "schema" / "texts.json").read_text(encoding="utf-8"))
    return texts[key]


def _shape(value: Any) -> str:
    if isinstance(value, bool):
        return "VALUE_TRUE" if value else "VALUE_FALSE"
    shapes: dict[type, str] = {str: "VALUE_STRING", int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT"}
    shapes |= {dict: "START_OBJECT", list: "START_ARRAY"}
    return shapes.get(type(value), "VALUE_NULL")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{"
    return "[" if isinstance(value, list) else json.dumps(value) if isinstance(value, bool) else str(value)
