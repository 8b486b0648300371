"""The practice portal: who may call, what a record looks like, how one record is written.

Switches in ``space.settings`` ([U] marks behaviour nobody could show; the default is our choice):

| name | default | meaning |
| --- | --- | --- |
| ten_seconds_limit | 190 on a real clock, 0 on a virtual one | requests per rolling ten seconds; 0 = off |
| daily_limit | 650000 | requests a day; above each of these limits 429 |
| search_rate_limit | 5 on a real clock, 0 on a virtual one | searches a second for the account; 0 = off |
| noop_history | off | whether an update with the same value makes a history line [U] |
| account_type | DEVELOPER_TEST | what account-info says |
"""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.emulator.hubspot import refusals
from connectors.emulator.hubspot.refusals import Refusal
from connectors.emulator.hubspot.schema import Kind, Property, kind_of, no_such_property
from connectors.emulator.world import Actor, Row, Space, Transaction, World

_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")
DEFAULTS: dict[str, Any] = {"daily_limit": 650_000, "account_type": "DEVELOPER_TEST"}

REAL_TIME_LIMITS = {"search_rate_limit": 5, "ten_seconds_limit": 190}
"""Off on a virtual clock, which stands still between two calls, unless set there on purpose."""


class Portal:
    """One world's HubSpot side."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.space: Space = world.spaces["hubspot"]
        self.recent: deque[datetime] = deque()
        self.searches: deque[datetime] = deque()
        self.answered = 0

    def kind(self, text: str) -> Kind:
        return kind_of(self.space, text)

    def setting(self, name: str) -> Any:
        if name in REAL_TIME_LIMITS and name not in self.space.settings:
            return 0 if self.world.clock.is_virtual else REAL_TIME_LIMITS[name]
        return self.space.settings.get(name, DEFAULTS.get(name))

    def now(self) -> datetime:
        return self.world.clock.now()

    def resolve(self, kind: Kind, record_id: str) -> Row | None:
        """The record of an id, following merges; archived ones included."""
        row = self.space.row(kind.name, record_id)
        while row is not None and row.merged_into is not None:
            row = self.space.row(kind.name, row.merged_into)
        return row

    def live(self, kind: Kind, record_id: str, id_property: str | None = None) -> Row:
        """Raises Refusal 404 or 400."""
        if id_property and id_property != "hs_object_id":
            found = self.by_property(kind, id_property, record_id)
            if found is None:
                raise refusals.not_found()
            return found
        row = self.resolve(kind, record_id)
        if row is None or row.deleted:
            raise refusals.not_found()
        return row

    def by_property(self, kind: Kind, name: str, value: str) -> Row | None:
        item = kind.find(name)
        if item is None:
            raise no_such_property(name)
        if not (item.unique or item.is_email):
            raise refusals.invalid(f"Property {name} is not a unique identifier property")
        return self._holder(kind, name, value)

    def property_of(self, kind: Kind, row: Row, name: str) -> str | None:
        """One value as the API shows it: text or None."""
        if name == "hs_object_id":
            return row.id
        if name in ("createdate", "hs_createdate"):
            return wire(row.created_at)
        if name == kind.stamp or name == "hs_lastmodifieddate":
            return wire(row.stamp)
        value = row.values.get(name)
        return None if value in (None, "") else str(value)

    def create(self, transaction: Transaction, kind: Kind, sent: dict[str, Any]) -> Row:
        """Raises Refusal; nothing is changed then."""
        stored = self.checked(kind, sent)
        missing = [each.name for each in kind.properties.values() if each.required and not stored.get(each.name)]
        if missing:
            raise refusals.invalid_values([(name, "REQUIRED_FIELD", f"{name} is required") for name in missing])
        self._check_unique(kind, stored, None)
        if kind.name in ("contacts", "companies") and not stored.get("lifecyclestage"):
            stored["lifecyclestage"] = "lead"
        number = self.space.next_number(kind.name)
        row = transaction.create(kind.name, str(100 + number), stored)
        stages = self._stage_dates(kind, stored)
        if stages:
            transaction.update(row, stages)
        return row

    def update(self, transaction: Transaction, kind: Kind, row: Row, sent: dict[str, Any]) -> None:
        """Raises Refusal; nothing is changed then. A lifecycle stage that moves back keeps its old value, silently."""
        stored = self.checked(kind, sent)
        self._check_unique(kind, stored, row)
        for name, value in list(stored.items()):
            if isinstance(value, str) and value.startswith(";"):
                stored[name] = f"{row.values.get(name)}{value}" if row.values.get(name) else value[1:]
        if self._moves_back(kind, row, stored):
            stored["lifecyclestage"] = row.values["lifecyclestage"]
        stored |= self._stage_dates(kind, {k: v for k, v in stored.items() if row.values.get(k) != v})
        transaction.update(row, stored)

    def checked(self, kind: Kind, sent: dict[str, Any]) -> dict[str, Any]:
        """The values as stored. Raises Refusal with every problem."""
        problems: list[tuple[str, str, str]] = []
        stored: dict[str, Any] = {}
        for name, value in sent.items():
            item = kind.find(name)
            if item is None:
                problems.append((name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
            elif item.readonly:
                problems.append(
                    (name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
                )
            else:
                text = "" if value is None else _as_text(value)
                problem = self._problem(item, text)
                if problem:
                    problems.append((name, *problem))
                stored[name] = self._stored(item, text)
        if problems:
            raise refusals.invalid_values(problems)
        return stored

    def link_company(self, transaction: Transaction, contact_id: str, company_id: str | None) -> None:
        """``associatedcompanyid`` mirrors the primary company."""
        row = self.space.row("contacts", contact_id)
        if row is not None and row.values.get("associatedcompanyid") != company_id:
            transaction.update(row, {"associatedcompanyid": company_id}, system_only=True)

    def _holder(self, kind: Kind, name: str, value: str) -> Row | None:
        for row_id in sorted(self.space.lookup(kind.name, name, value)):
            row = self.space.row(kind.name, row_id)
            if row is not None and not row.deleted and row.merged_into is None:
                return row
        if name == "email":
            for row in self.space.table(kind.name).values():
                more = row.values.get("hs_additional_emails")
                if more and value.lower() in str(more).lower().split(";") and not row.deleted:
                    return row
        return None

    def _check_unique(self, kind: Kind, stored: dict[str, Any], row: Row | None) -> None:
        for name, value in stored.items():
            item = kind.properties[name]
            if not value or not (item.unique or item.is_email):
                continue
            other = self._holder(kind, name, str(value))
            if other is not None and other is not row:
                if item.is_email:
                    raise refusals.conflict(other.id)
                text = f"{value} is already in use on {kind.singular} {other.id}"
                raise refusals.invalid_values([(name, "CONFLICTING_UNIQUE_VALUE", text)])

    def _problem(self, item: Property, text: str) -> tuple[str, str] | None:
        if not text:
            return None
        if item.is_email and not _EMAIL.match(text.strip()):
            return "INVALID_EMAIL", f"Email address {text} is invalid"
        if item.type == "number" and not _is_number(text):
            return "INVALID_INTEGER", f"{text} was not a valid number"
        if item.is_owner and self.space.settings["owners"].get(text, {"archived": True})["archived"]:
            return "INVALID_OWNER", f"{text} is not a valid owner id"
        if item.type == "enumeration" and item.options:
            allowed = [value for value, _ in item.options]
            wrong = [part for part in text.strip(";").split(";") if part not in allowed]
            if wrong:
                return "INVALID_OPTION", f"{wrong[0]} was not one of the allowed options: {allowed}"
        if item.type == "bool" and text not in ("true", "false"):
            return "INVALID_OPTION", f"{text} was not one of the allowed options: [true, false]"
        if item.type in ("date", "datetime") and _moment(text) is None:
            return ("INVALID_DATE" if item.type == "date" else "INVALID_LONG"), f"{text} was not a valid {item.type}."
        return None

    @staticmethod
    def _stored(item: Property, text: str) -> str | None:
        if not text:
            return None
        if item.is_email:
            return text.strip().lower()
        if item.is_domain:
            return re.sub(r"^https?://(www\.)?|/.*$", "", text.strip().lower())
        if item.type in ("datetime", "date"):
            at = _moment(text)
            return (wire(at) if item.type == "datetime" else at.date().isoformat()) if at else text
        return text

    def _moves_back(self, kind: Kind, row: Row, stored: dict[str, Any]) -> bool:
        item = kind.find("lifecyclestage")
        new, old = stored.get("lifecyclestage"), row.values.get("lifecyclestage")
        if item is None or not new or not old:
            return False
        order = [value for value, _ in item.options]
        return new in order and old in order and order.index(new) < order.index(old)

    def _stage_dates(self, kind: Kind, stored: dict[str, Any]) -> dict[str, str]:
        name = f"hs_lifecyclestage_{stored.get('lifecyclestage')}_date"
        return {name: wire(self.now())} if stored.get("lifecyclestage") and name in kind.properties else {}


def wire(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _moment(text: str) -> datetime | None:
    if text.lstrip("-").isdigit():
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def api_actor(portal: Portal, token: str, request_id: str | None, entry_id: str | None) -> Actor:
    app_id = portal.space.settings["tokens"][token]["app_id"]
    return Actor(f"INTEGRATION:{app_id}", "api", "Integration", request_id, entry_id)


__all__ = ["Portal", "Refusal", "api_actor", "wire"]
