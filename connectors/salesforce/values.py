"""Is this write fit to be sent? Checked here, record by record, before the call.

One unknown field or one text in a number field makes Salesforce refuse a whole collections call, the other 199
records included. So such a record is refused alone, and never sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from agent.connector import FieldSchema, Write, WriteError
from agent.records import FieldValue
from connectors.salesforce.ids import PARENT_PREFIXES, PARENTS, full_id
from connectors.salesforce.schema import Description

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?")
_TRUTH: Mapping[str, bool] = {"true": True, "false": False}


class Unfit(Exception):
    """This write must not be sent; ``error`` says why."""

    def __init__(self, error: WriteError) -> None:
        super().__init__(error.code)
        self.error = error


def checked_id(record_id: str | None, object_type: str, prefix: str) -> str:
    """The 18-character id of a record to write. Raises Unfit."""
    whole = full_id(record_id or "", prefix)
    if whole is None:
        raise Unfit(WriteError("validation", "INVALID_ID", f"not an id of a Salesforce {object_type}"))
    return whole


def checked_body(write: Write, described: Description, link_keys: Mapping[str, str]) -> dict[str, FieldValue]:
    """The JSON of the record, values in their field's type, parents and link key included. Raises Unfit."""
    body = {name: _typed(described, name, value) for name, value in write.fields.items()}
    if write.op == "associate":
        body = {name: _linked(write.object_type, name, value) for name, value in body.items()}
    for relation, parent_id in write.parents.items():
        name, whole = _parent(write.object_type, relation, parent_id)
        body[name] = whole
    if write.key is not None:
        name, key = write.key
        if link_keys.get(write.object_type) != name:
            # an upsert on anything else, Email for instance, could overwrite a stranger's record
            raise Unfit(
                WriteError("other", "NOT_A_LINK_KEY", f"{name} is not the link key of {write.object_type}", (name,))
            )
        body[name] = _typed(described, name, key)
    return body


def unknown_fields(write: Write, described: Description) -> list[str]:
    names = [*write.fields, *([write.key[0]] if write.key else [])]
    return [name for name in names if name not in described.schema.fields]


def _typed(described: Description, name: str, value: FieldValue) -> FieldValue:
    schema = described.schema.fields.get(name)
    if schema is None:
        text = f"{name} does not exist in Salesforce, or is hidden from the integration user"
        raise Unfit(WriteError("validation", "NO_SUCH_FIELD", text, (name,)))
    if isinstance(value, str) and not _is_text(value):
        raise _wrong_type(schema)
    if value is None or value == "":
        if schema.type == "boolean":
            raise Unfit(WriteError("validation", "NEVER_BLANK", f"{name} is a checkbox and never blank", (name,)))
        return None
    if schema.type == "number":
        return _number(schema, value)
    if schema.type == "boolean":
        return _truth(schema, value)
    if schema.type in ("date", "datetime"):
        return _date(schema, value)
    return value if isinstance(value, str) else _spoken(value)


def _number(schema: FieldSchema, value: FieldValue) -> int | float:
    if isinstance(value, bool) or value is None:
        raise _wrong_type(schema)
    try:
        number = value if isinstance(value, int | float) else _as_number(value)
    except ValueError:
        raise _wrong_type(schema) from None
    if not math.isfinite(number):
        raise _wrong_type(schema)
    return number


def _as_number(text: str) -> int | float:
    return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)


def _truth(schema: FieldSchema, value: FieldValue) -> bool:
    if isinstance(value, bool):
        return value
    truth = _TRUTH.get(value.lower()) if isinstance(value, str) else None
    if truth is None:
        raise _wrong_type(schema)
    return truth


def _date(schema: FieldSchema, value: FieldValue) -> str:
    shape = _DATE if schema.type == "date" else _DATETIME
    if not isinstance(value, str) or shape.fullmatch(value) is None:
        raise _wrong_type(schema)
    return value


def _spoken(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _is_text(value: str) -> bool:
    """A half of a surrogate pair is no text and cannot be sent."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _parent(object_type: str, relation: str, parent_id: str) -> tuple[str, str]:
    place = PARENTS.get(object_type, {}).get(relation)
    if place is None:
        raise Unfit(WriteError("validation", "NO_SUCH_RELATION", f"a Salesforce {object_type} has no {relation}"))
    whole = full_id(parent_id, PARENT_PREFIXES[place.object_type])
    if whole is None:
        text = f"the {relation} is not an id of a Salesforce {place.object_type}"
        raise Unfit(WriteError("validation", "INVALID_ID", text, (place.field,)))
    return place.field, whole


def _linked(object_type: str, name: str, value: FieldValue) -> FieldValue:
    """The whole id that a parent field is to hold; None ends it."""
    relation = next((known for known, place in PARENTS.get(object_type, {}).items() if place.field == name), "")
    if value is None and relation:
        return None
    return _parent(object_type, relation, str(value))[1]


def _wrong_type(schema: FieldSchema) -> Unfit:
    text = f"{schema.name} takes a {schema.type}"
    return Unfit(WriteError("validation", "WRONG_TYPE", text, (schema.name,)))
