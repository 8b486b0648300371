"""What the vendors allow in a day besides calls, as they last said: asked rarely, for the question is a call itself.

The daily comparison asks, and the first job of a day; who only looks reads what is remembered. Nothing is held back by
it: a connector that gets no job any more goes the usual way (``Connector.start_bulk``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.connector import Allowance, Connector
from agent.errors import ConnectorError, NotPermitted
from agent.store import Clock, Store
from agent.stored_json import from_json, to_json

ASKED_FOR = timedelta(days=1)
"""So long an answer is enough for a job that begins."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one system said ``at`` that moment; ``refused`` says why it told nothing."""

    system: str
    at: datetime
    allowances: Mapping[str, Allowance]
    refused: str = ""


class Allowances:
    """A reader may only look."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def told(self, system: str) -> Told | None:
        """None before it was asked for the first time, and where it has nothing to say."""
        rows = self._store.read_tuples("SELECT value FROM meta WHERE name = ?", (_name(system),))
        if not rows:
            return None
        kept = from_json(rows[0][0])
        allowances = {name: Allowance(limit, used) for name, (limit, used) in kept["allowances"].items()}
        return Told(system, datetime.fromisoformat(kept["at"]), allowances, kept["refused"])

    def ask(self, connector: Connector) -> None:
        """Ask now and remember. A vendor that does not answer leaves what it said before: nothing hangs on it."""
        with suppress(ConnectorError):
            told = asked(connector, self._clock())
            if told is not None:
                self._keep(told)

    def ask_if_old(self, connector: Connector) -> None:
        """Ask unless it was asked within a day."""
        told = self.told(connector.system)
        if told is None or not timedelta() <= self._clock() - told.at < ASKED_FOR:
            self.ask(connector)

    def _keep(self, told: Told) -> None:
        numbers = {name: [each.limit, each.used] for name, each in told.allowances.items()}
        kept = {"at": told.at.isoformat(), "allowances": numbers, "refused": told.refused}
        with self._store.write() as connection:
            text = to_json(kept).decode()
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_name(told.system), text))


def asked(connector: Connector, now: datetime) -> Told | None:
    """What a system says now; None when it counts nothing but calls. Raises ConnectorError: it does not answer."""
    try:
        allowances = connector.allowances()
    except NotPermitted as refusal:
        return Told(connector.system, now, {}, refusal.why)
    return Told(connector.system, now, allowances) if allowances else None


def _name(system: str) -> str:
    return f"allowances of {system}"
