"""Query locators: what a query found, kept for the pages after the first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.world import Row, Transaction

LOCATOR = re.compile(r"(01g[0-9A-Za-z]{15})-(\d+)")
LONGEST_LIFE = timedelta(days=2)
MOST_CURSORS = 200
"""A real org keeps any number for two days; here the oldest give way."""


@dataclass(slots=True)
class Cursor:
    """The rows a query found. Those that change while somebody pages are still delivered, as they were.

    ``make`` turns a row into its record; ``before`` holds what rows changed since looked like then.
    """

    rows: list[Row]
    make: Callable[[Row], dict[str, Any]]
    user_id: str
    opened_at: datetime
    size: int
    before: dict[str, Row] = field(default_factory=dict)

    def remember(self, transaction: Transaction) -> None:
        for row_id, before in transaction.originals():
            if before is not None:
                self.before.setdefault(row_id, before)

    def records(self, start: int, end: int) -> list[dict[str, Any]]:
        return [self.make(self.before.get(row.id, row)) for row in self.rows[start:end]]


class Cursors:
    def __init__(self) -> None:
        self._open: dict[str, Cursor] = {}

    def keep(self, locator_id: str, cursor: Cursor) -> None:
        for old in [key for key, each in self._open.items() if cursor.opened_at - each.opened_at > LONGEST_LIFE]:
            del self._open[old]
        self._open[locator_id] = cursor
        if len(self._open) > MOST_CURSORS:
            del self._open[next(iter(self._open))]

    def remember(self, transaction: Transaction) -> None:
        """How rows looked before this change, for the cursors that are open."""
        for cursor in self._open.values():
            cursor.remember(transaction)

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
