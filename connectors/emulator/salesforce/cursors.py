"""Query locators: what a query found, kept for the pages after the first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.emulator.salesforce.refusals import Refusal

LOCATOR = re.compile(r"(01g[0-9A-Za-z]{15})-(\d+)")
MOST_CURSORS = 200
"""A real org keeps any number for two days; here the oldest give way."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The records as they were when the query ran: rows that change while somebody pages are still delivered."""

    records: list[dict[str, Any]]
    user_id: str
    opened_at: datetime
    size: int


class Cursors:
    def __init__(self) -> None:
        self._open: dict[str, Cursor] = {}

    def keep(self, locator_id: str, cursor: Cursor) -> None:
        self._open[locator_id] = cursor
        if len(self._open) > MOST_CURSORS:
            del self._open[next(iter(self._open))]

    def resume(self, locator: str, user_id: str, now: datetime, life: timedelta) -> tuple[str, Cursor, int]:
        """(locator id, cursor, first record of the page).

        Raises:
            Refusal: unknown, of another user, or too old.
        """
        match = LOCATOR.fullmatch(locator)
        found = self._open.get(match.group(1)) if match else None
        if match is None or found is None or found.user_id != user_id or now - found.opened_at > life:
            raise Refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return match.group(1), found, int(match.group(2))
