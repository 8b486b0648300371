"""Who may own records, as last read from each CRM: kept so that a reader can decide without asking a vendor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from agent.records import Owner
from agent.store import Connection, Store
from agent.stored_json import from_json, to_json

_NAME = "owners"


def save_owners(connection: Connection, owners: Sequence[Owner]) -> None:
    """All owners of both systems; they take the place of those kept before."""
    text = to_json({"owners": [asdict(owner) for owner in owners]}).decode()
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NAME, text))


def load_owners(store: Store) -> list[Owner]:
    rows = store.read_tuples("SELECT value FROM meta WHERE name = ?", (_NAME,))
    return [Owner(**owner) for owner in from_json(rows[0][0])["owners"]] if rows else []
