"""How the CRMs described themselves: when the policies were found sound, and when last looked at. Kept in the ledger,
for what has changed cannot be asked again."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from agent.connector import ObjectSchema
from agent.decide.drift import Described, Suspension
from agent.store import Store

_SCHEMAS = TypeAdapter(list[ObjectSchema])
_SUSPENSIONS = TypeAdapter(list[Suspension])


class SchemaMemory:
    """A reader may only look."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def accepted(self) -> Described:
        """As they were when the policies in force were found sound; empty before the first time."""
        return self._described("schemas accepted")

    def seen(self) -> Described:
        """As they were when last looked at."""
        return self._described("schemas seen")

    def suspended(self) -> list[Suspension]:
        """The lines out of force."""
        text = self._text("suspended")
        return _SUSPENSIONS.validate_json(text) if text else []

    def keep(self, accepted: Described, seen: Described, suspended: Sequence[Suspension]) -> None:
        kept = {
            "schemas accepted": _SCHEMAS.dump_json(list(accepted.values())),
            "schemas seen": _SCHEMAS.dump_json(list(seen.values())),
            "suspended": _SUSPENSIONS.dump_json(list(suspended)),
        }
        rows = [(name, text.decode()) for name, text in kept.items() if self._text(name) != text.decode()]
        if rows:
            with self._store.write() as connection:
                connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def _described(self, name: str) -> Described:
        text = self._text(name)
        return {(each.system, each.object_type): each for each in _SCHEMAS.validate_json(text)} if text else {}

    def _text(self, name: str) -> str:
        rows = self._store.read_tuples("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""
