"""How each field of a row is read: as the API shows it, and as a query compares it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from connectors.emulator.salesforce.schema import Field, stages
from connectors.emulator.salesforce.stamps import read, wire
from connectors.emulator.world import Row

Reader = Callable[[Row], Any]

STAMPS: dict[str, Callable[[Row], datetime]] = {
    "created": lambda row: row.created_at,
    "modified": lambda row: row.modified_at,
    "stamp": lambda row: row.stamp,
}
CLOSED_CASE = ("Closed",)
FORECAST_CODES = {"Best Case": "BestCase", "Commit": "Forecast"}
OPEN_STAGE: dict[str, Any] = {"closed": False, "won": False, "probability": 0, "forecast": "Pipeline"}
"""A stage outside the list, which the unrestricted picklist lets in, counts as an open one [K]."""


class Stored:
    """Reads a field as it is stored. Who reads many fields at once may look ``name`` up by himself."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, row: Row) -> Any:
        return row.values.get(self.name)


def reading(columns: Iterable[tuple[str, Reader]]) -> Callable[[Row, dict[str, Any]], None]:
    """A function that puts all these values of a row into a record, in this order."""
    steps = [(name, reader.name if isinstance(reader, Stored) else None, reader) for name, reader in columns]

    def fill(row: Row, record: dict[str, Any]) -> None:
        get = row.values.get
        for name, stored, reader in steps:
            record[name] = reader(row) if stored is None else get(stored)

    return fill


def shown(item: Field) -> Reader:
    """The value in the API's own form."""
    if item.computed is None:
        name = item.name
        if item.type == "boolean":
            return lambda row: bool(row.values.get(name))
        return Stored(name)
    stamp = STAMPS.get(item.computed)
    if stamp is not None:
        return lambda row: wire(stamp(row))
    if item.computed == "address":
        return _address(item.parts or "")
    return _COMPUTED[item.computed]


def compared(item: Field) -> Reader:
    """The value as a query compares it: times as instants, text without regard to case."""
    stamp = STAMPS.get(item.computed or "")
    if stamp is not None:
        return stamp
    plain = shown(item)
    if item.type == "datetime":
        return lambda row: None if (text := plain(row)) is None else read(text)
    if item.is_id or item.is_number or item.type in ("boolean", "date", "address"):
        return plain

    def folded(row: Row) -> Any:
        value = plain(row)
        return value.lower() if isinstance(value, str) else value

    return folded


def stage_of(values: dict[str, Any]) -> dict[str, Any]:
    return stages().get(values.get("StageName") or "", OPEN_STAGE)


def person_name(values: dict[str, Any]) -> str | None:
    first: str | None = values.get("FirstName")
    last: str | None = values.get("LastName")
    return f"{first} {last}" if first and last else first or last


def _address(parts: str) -> Reader:
    """The compound of the fields that begin with ``parts``; null when all of them are."""
    keys = ("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street")
    names = {key: f"{parts}{key[0].upper()}{key[1:]}" for key in keys}
    wanted = set(names.values())

    def read_all(row: Row) -> dict[str, Any] | None:
        values = row.values
        if wanted.isdisjoint(values):
            return None
        found = {key: values.get(name) for key, name in names.items()}
        return found if any(value is not None for value in found.values()) else None

    return read_all


def _expected_revenue(row: Row) -> float | None:
    amount, probability = row.values.get("Amount"), row.values.get("Probability")
    return None if amount is None or probability is None else amount * probability / 100


def _forecast_category(row: Row) -> str | None:
    name: str = row.values.get("ForecastCategoryName") or stage_of(row.values)["forecast"]
    return FORECAST_CODES.get(name, name)


def _closing(row: Row) -> date | None:
    text = row.values.get("CloseDate")
    return date.fromisoformat(text) if text else None


def _quarter(day: date) -> int:
    return (day.month - 1) // 3 + 1


_COMPUTED: dict[str, Reader] = {
    "id": lambda row: row.id,
    "deleted": lambda row: row.deleted,
    "merged into": lambda row: row.merged_into,
    "person name": lambda row: person_name(row.values),
    "email bounced": lambda row: row.values.get("EmailBouncedDate") is not None,
    "expected revenue": _expected_revenue,
    "is closed": lambda row: stage_of(row.values)["closed"],
    "is won": lambda row: stage_of(row.values)["won"],
    "forecast category": _forecast_category,
    "fiscal quarter": lambda row: None if (day := _closing(row)) is None else _quarter(day),
    "fiscal year": lambda row: None if (day := _closing(row)) is None else day.year,
    "fiscal period": lambda row: None if (day := _closing(row)) is None else f"{day.year} {_quarter(day)}",
    "high priority": lambda row: row.values.get("Priority") == "High",
    "case closed": lambda row: row.values.get("Status") in CLOSED_CASE,
    "lead or contact": lambda row: row.values.get("ContactId") or row.values.get("LeadId"),
    "member type": lambda row: "Contact" if row.values.get("ContactId") else "Lead",
    "task closed": lambda row: row.values.get("Status") == "Completed",
}
