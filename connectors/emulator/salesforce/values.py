"""What Salesforce does to the values one sends: validation first, then its own rewriting (facts: e-mail is lower-cased,
text trimmed, an empty text is null, datetimes are UTC seconds, ids have 18 characters)."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import Field, ObjectType
from connectors.emulator.salesforce.stamps import read, wire

_EMAIL = re.compile(r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+$")


def stored_values(kind: ObjectType, sent: dict[str, Any], *, creating: bool) -> dict[str, Any]:
    """The values Salesforce would store for this write, under describe's field names.

    Raises:
        Refusal: the first thing Salesforce objects to.
    """
    named = {_field(kind, name, creating=creating): value for name, value in sent.items()}
    return {name: _stored(kind.fields[name], value) for name, value in named.items()}


def require(kind: ObjectType, values: dict[str, Any]) -> None:
    """Raises Refusal listing every missing required field in one message."""
    missing = [item.name for item in kind.visible() if item.required and values.get(item.name) in (None, "")]
    if missing:
        text = f"Required fields are missing: [{', '.join(missing)}]"
        raise Refusal(400, "REQUIRED_FIELD_MISSING", text, tuple(missing))


def _field(kind: ObjectType, name: str, *, creating: bool) -> str:
    item = kind.find(name)
    if item is None:
        raise Refusal(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
    if not (item.createable if creating else item.updateable):
        text = (
            f"Unable to create/update fields: {item.name}. Please check the security settings of this field and "
            "verify that it is read/write for your profile or permission set."
        )
        raise Refusal(400, "INVALID_FIELD_FOR_INSERT_UPDATE", text, (item.name,))
    return item.name


def _stored(item: Field, value: Any) -> Any:
    if isinstance(value, str):
        value = value.strip(" \t\r\n") or None
    if value is None:
        return False if item.type == "boolean" else None
    if item.type == "boolean":
        return _boolean(item, value)
    if item.type in ("int", "double", "currency", "percent"):
        return _number(item, value)
    if item.type == "date":
        return _date(item, value)
    if item.type == "datetime":
        at = read(value) if isinstance(value, str) else None
        if at is None:
            raise _parser_error("datetime", value)
        return wire(at)
    if item.type in ("reference", "id"):
        return _reference(item, value)
    return _text(item, value)


def _text(item: Field, value: Any) -> str:
    if isinstance(value, dict | list):
        raise _parser_error("string", value)
    text = value if isinstance(value, str) else _plain(value)
    if item.length and len(text) > item.length:
        message = f"{item.label}: data value too large: {text} (max length={item.length})"
        raise Refusal(400, "STRING_TOO_LONG", message, (item.name,))
    if item.type == "email":
        if not _EMAIL.match(text):
            message = f"{item.label}: invalid email address: {text}"
            raise Refusal(400, "INVALID_EMAIL_ADDRESS", message, (item.name,))
        return text.lower()
    if item.type == "picklist" and item.restricted and text not in item.choices:
        message = f"{item.label}: bad value for restricted picklist field: {text}"
        raise Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (item.name,))
    return text


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _boolean(item: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _parser_error("boolean", value)


def _number(item: Field, value: Any) -> int | float:
    if isinstance(value, bool):
        raise _parser_error("double", value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _parser_error("int" if item.type == "int" else "double", value) from None
    if item.type == "int":
        if not number.is_integer():
            raise _parser_error("int", value)
        return int(number)
    return number


def _date(item: Field, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise _parser_error("date", value)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise _parser_error("date", value) from None


def _reference(item: Field, value: Any) -> str:
    identity = full_id(value) if isinstance(value, str) else None
    if identity is None:
        raise Refusal(400, "MALFORMED_ID", f"{item.label}: id value of incorrect type: {value}", (item.name,))
    return identity


def _parser_error(kind: str, value: Any) -> Refusal:
    shape = (
        "VALUE_STRING" if isinstance(value, str) else "VALUE_NUMBER_INT" if isinstance(value, int) else "START_OBJECT"
    )
    message = (
        f"Cannot deserialize instance of {kind} from {shape} value {value} or request may be missing a required field "
        "at [line:1, column:1]"
    )
    return Refusal(400, "JSON_PARSER_ERROR", message)
