"""Functions of a field: parts of a date, labels, formatted values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from connectors.emulator.salesforce.schema import Field

Moment = date | datetime


def _quarter(at: Moment) -> int:
    return (at.month - 1) // 3 + 1


def _week_in_month(at: Moment) -> int:
    return (at.day - 1) // 7 + 1


def _week_in_year(at: Moment) -> int:
    return (at.timetuple().tm_yday - 1) // 7 + 1


DATE_PARTS: dict[str, Callable[[Any], int]] = {
    "CALENDAR_MONTH": lambda at: int(at.month),
    "CALENDAR_QUARTER": _quarter,
    "CALENDAR_YEAR": lambda at: int(at.year),
    "DAY_IN_MONTH": lambda at: int(at.day),
    "DAY_IN_WEEK": lambda at: int(at.isoweekday() % 7 + 1),
    "DAY_IN_YEAR": lambda at: int(at.timetuple().tm_yday),
    "FISCAL_MONTH": lambda at: int(at.month),
    "FISCAL_QUARTER": _quarter,
    "FISCAL_YEAR": lambda at: int(at.year),
    "HOUR_IN_DAY": lambda at: int(at.hour),
    "WEEK_IN_MONTH": _week_in_month,
    "WEEK_IN_YEAR": _week_in_year,
}
"""Weeks begin on Sunday, the fiscal year in January."""

DAY_ONLY = "DAY_ONLY"
ONLY_DATETIMES = ("HOUR_IN_DAY", DAY_ONLY)
OF_DATES = frozenset((*DATE_PARTS, DAY_ONLY))
OF_SHOWN = frozenset(("TOLABEL", "FORMAT", "CONVERTCURRENCY"))
"""Only in SELECT: a picklist's label (the values of the practice org are their own labels), a text for people, an
amount in the user's currency (there is one)."""

NAMES = OF_DATES | OF_SHOWN


def fits(function: str, item: Field) -> bool:
    if function in ONLY_DATETIMES:
        return item.type == "datetime"
    if function in DATE_PARTS:
        return item.type in ("date", "datetime")
    if function == "CONVERTCURRENCY":
        return item.type == "currency"
    return function == "FORMAT" or item.type in ("picklist", "multipicklist", "combobox", "reference")


def result_field(function: str, item: Field) -> Field:
    """What the function's result is compared and grouped as."""
    if function in OF_SHOWN:
        return item
    return Field(item.name, "date" if function == DAY_ONLY else "int", item.label)


def of_date(function: str, value: Any, zone: ZoneInfo | None) -> Any:
    """``value`` is an instant, or a day as text; without a zone an instant is taken in UTC."""
    if value is None:
        return None
    at = date.fromisoformat(value) if isinstance(value, str) else value
    if zone is not None and isinstance(at, datetime):
        at = at.astimezone(zone)
    return at.isoformat()[:10] if function == DAY_ONLY else DATE_PARTS[function](at)


def formatted(value: Any, item: Field) -> Any:
    """As the page of an American user shows it [K]."""
    if value is None:
        return None
    if item.is_number:
        number = f"{value:,.{item.describe.get('scale', 0)}f}"
        return f"${number}" if item.type == "currency" else number
    if item.type == "date":
        day = date.fromisoformat(value)
        return f"{day.month}/{day.day}/{day.year}"
    if item.type == "datetime":
        at = datetime.fromisoformat(value)
        return f"{at.month}/{at.day}/{at.year}, {at.strftime('%I').lstrip('0')}:{at:%M} {at:%p}"
    return value
