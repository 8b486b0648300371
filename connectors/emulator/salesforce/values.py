"""What Salesforce does to the values one sends.

First it complains: wrong JSON type, too long, no e-mail address, not in a restricted list, no id. Then it rewrites:
e-mail is lower-cased, text trimmed (a no-break space stays), an empty text is null, a datetime becomes UTC in whole
seconds, an id has 18 characters. A phone and a number's extra decimals stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.emulator.salesforce.ids import full_id
from connectors.emulator.salesforce.refusals import Refusal, Unreadable, wrong_id
from connectors.emulator.salesforce.schema import Field
from connectors.emulator.salesforce.stamps import read, wire

BLANKS = " \t\r\n\f\v"
TEXTS = ("string", "textarea", "phone", "url", "combobox")
LONGEST_INT = 99_999_999
EARLIEST_YEAR, LATEST_YEAR = 1700, 4000
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Ways:
    """What nobody has shown, as the org's switches have it.

    Null for a checkbox; the order of several choices; blanks around a text that came in a bulk job.
    """

    null_checkbox: str = "refuse"
    keeps_order: bool = False
    keeps_blanks: bool = False


def stored(item: Field, value: Any, ways: Ways) -> Any:
    """The value as Salesforce keeps it.

    Raises:
        Refusal: the first thing Salesforce objects to.
    """
    if isinstance(value, str):
        bare = value.strip(BLANKS)
        value = value if bare and ways.keeps_blanks and item.type in TEXTS else bare or None
    if value is None:
        return _null(item, ways.null_checkbox)
    if item.type == "multipicklist":
        return _multipicklist(item, value, keeps_order=ways.keeps_order)
    store = _STORED.get(item.type)
    return _text(item, value) if store is None else store(item, value)


def _null(item: Field, null_checkbox: str) -> Any:
    if item.type != "boolean":
        return None
    if null_checkbox == "false":
        return False
    text = f"{item.label}: value not of required type: null"
    raise Refusal(400, "INVALID_TYPE_ON_FIELD_IN_RECORD", text, (item.name,))


def _text(item: Field, value: Any) -> str:
    if isinstance(value, dict | list):
        raise Unreadable("string", value, item.name)
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    if item.length and len(text) > item.length:
        message = f"{item.label}: data value too large: {text} (max length={item.length})"
        raise Refusal(400, "STRING_TOO_LONG", message, (item.name,))
    return text


def _email(item: Field, value: Any) -> str:
    text = _text(item, value)
    if _EMAIL.fullmatch(text) is None:
        raise Refusal(400, "INVALID_EMAIL_ADDRESS", f"{item.label}: invalid email address: {text}", (item.name,))
    return text.lower()


def _picklist(item: Field, value: Any) -> str:
    text = _text(item, value)
    if item.restricted and text not in item.choices:
        raise _not_listed(item, text)
    return text


def _multipicklist(item: Field, value: Any, *, keeps_order: bool) -> str:
    """Values parted by ``;``, put into the order of the list unless the switch says otherwise [K]."""
    chosen = [part.strip(BLANKS) for part in _text(item, value).split(";") if part.strip(BLANKS)]
    for part in chosen:
        if item.restricted and part not in item.choices:
            raise _not_listed(item, part)
    if keeps_order:
        return ";".join(dict.fromkeys(chosen))
    order = {choice: place for place, choice in enumerate(item.choices)}
    return ";".join(sorted(dict.fromkeys(chosen), key=lambda part: order.get(part, len(order))))


def _not_listed(item: Field, text: str) -> Refusal:
    message = f"{item.label}: bad value for restricted picklist field: {text}"
    return Refusal(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (item.name,))


def _boolean(item: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Unreadable("boolean", value, item.name)


def _int(item: Field, value: Any) -> int:
    number = _number("int", item, value)
    if not number.is_integer():
        raise Unreadable("int", value, item.name)
    if abs(number) > LONGEST_INT:
        raise _outside(item, value)
    return int(number)


def _double(item: Field, value: Any) -> float:
    number = _number("double", item, value)
    whole_digits = item.describe.get("precision", 18) - item.describe.get("scale", 2)
    if abs(number) >= 10**whole_digits:
        raise _outside(item, value)
    return number


def _number(wanted: str, item: Field, value: Any) -> float:
    if isinstance(value, bool | dict | list):
        raise Unreadable(wanted, value, item.name)
    try:
        number = float(value)
    except ValueError:
        raise Unreadable(wanted, value, item.name) from None
    if number != number or number in (float("inf"), float("-inf")):
        raise Unreadable(wanted, value, item.name)
    return number


def _outside(item: Field, value: Any) -> Refusal:
    message = f"{item.label}: value outside of valid range on numeric field: {value}"
    return Refusal(400, "NUMBER_OUTSIDE_VALID_RANGE", message, (item.name,))


def _date(item: Field, value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is None:
        raise Unreadable("date", value, item.name)
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise Unreadable("date", value, item.name) from None
    if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
        raise Refusal(400, "NUMBER_OUTSIDE_VALID_RANGE", f"{item.label}: invalid date: {value}", (item.name,))
    return value


def _datetime(item: Field, value: Any) -> str:
    at = read(value) if isinstance(value, str) else None
    if at is None:
        raise Unreadable("datetime", value, item.name)
    return wire(at)


def _reference(item: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable("reference", value, item.name)
    record_id = full_id(value)
    if record_id is None:
        raise wrong_id(item.label, value, item.name)
    return record_id


_STORED: dict[str, Callable[[Field, Any], Any]] = {
    "email": _email,
    "picklist": _picklist,
    "boolean": _boolean,
    "int": _int,
    "double": _double,
    "currency": _double,
    "percent": _double,
    "date": _date,
    "datetime": _datetime,
    "reference": _reference,
    "id": _reference,
}
