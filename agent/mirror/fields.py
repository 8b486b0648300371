"""A record's fields as one row holds them: the values as a JSON list, the names by number.

Thousands of records have the same fields; naming them once makes the file a third smaller and every page faster than
JSON objects would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from agent.records import FieldValue
from agent.store import Connection, Store
from agent.stored_json import from_json, to_json

Pick = Callable[[Mapping[str, FieldValue]], Sequence[FieldValue]]

MOST_ORDERS = 1000
"""Orders of fields kept in mind; a vendor that shuffles them must not fill our memory."""


class FieldSets:
    """Sorted lists of field names, by number. ``forget`` after a transaction that failed: its numbers do not exist."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[tuple[str, ...], int] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._orders: dict[tuple[str, ...], tuple[int, Pick | None]] = {}

    def forget(self) -> None:
        self._numbers.clear()
        self._names.clear()
        self._orders.clear()

    def number(self, connection: Connection, names: tuple[str, ...]) -> int:
        """The number of a sorted list of names, written down if it is new."""
        found = self._numbers.get(names)
        if found is None:
            text = to_json(names).decode()
            row = connection.execute("SELECT id FROM field_sets WHERE names = ?", (text,)).fetchone()
            if row is None:
                cursor = connection.execute("INSERT INTO field_sets (names) VALUES (?)", (text,))
                row = (cursor.lastrowid,)
            found = self._numbers[names] = int(row[0])
            self._names[found] = names
        return found

    def names(self, number: int) -> tuple[str, ...]:
        known = self._names.get(number)
        if known is None:
            ((text,),) = self._store.read_tuples("SELECT names FROM field_sets WHERE id = ?", (number,))
            known = self._names[number] = tuple(from_json(text))
        return known

    def holding(self, names: Sequence[str]) -> set[int]:
        """Numbers of the lists that have all of these names."""
        wanted = set(names)
        rows = self._store.read_tuples("SELECT id, names FROM field_sets")
        return {number for number, text in rows if wanted <= set(from_json(text))}

    def pack(self, connection: Connection, fields: Mapping[str, FieldValue]) -> tuple[int, str]:
        """(number of the names, JSON list of the values): equal fields give equal pairs."""
        number, values = self.arrange(connection, fields)
        return number, to_json(values).decode()

    def arrange(self, connection: Connection, fields: Mapping[str, FieldValue]) -> tuple[int, Sequence[FieldValue]]:
        """(number of the names, values in their order)."""
        order = tuple(fields)
        known = self._orders.get(order)
        if known is None:
            known = self._learn(connection, order)
        number, pick = known
        return number, list(fields.values()) if pick is None else pick(fields)

    def unpack(self, number: int, text: str) -> dict[str, FieldValue]:
        return dict(zip(self.names(number), from_json(text), strict=True))

    def _learn(self, connection: Connection, order: tuple[str, ...]) -> tuple[int, Pick | None]:
        names = tuple(sorted(order))
        if len(self._orders) >= MOST_ORDERS:
            self._orders.clear()
        pick: Pick | None = None if names == order else itemgetter(*names)
        known = self._orders[order] = (self.number(connection, names), pick)
        return known
