"""Rows that are gone for good, from the recycle bin or past it: ``/deleted`` goes on telling of them."""

from __future__ import annotations

from datetime import datetime

from connectors.emulator.salesforce.stamps import grain
from connectors.emulator.world import Space, Transaction

SETTING = "delete_log"
"""{object: {id: when it was deleted}}"""


def remember(space: Space, transaction: Transaction) -> None:
    """Note what this transaction took away; a row that lay in the bin keeps the time it went there."""
    gone = [(name, record_id) for name, record_id in transaction.touched if space.row(name, record_id) is None]
    before = dict(transaction.originals()) if gone else {}
    for object_name, record_id in gone:
        row = before.get(record_id)
        if row is None:
            continue
        log = space.settings.setdefault(SETTING, {}).setdefault(object_name, {})
        log[record_id] = grain(row.stamp if row.deleted else transaction.at).isoformat()


def of(space: Space, object_name: str) -> dict[str, datetime]:
    """{id: when it was deleted}"""
    log: dict[str, str] = space.settings.get(SETTING, {}).get(object_name, {})
    return {record_id: datetime.fromisoformat(at) for record_id, at in log.items()}
