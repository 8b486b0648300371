"""Parent accounts, reporting lines, parent campaigns: who goes up such a line must not come back to where he was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.world import Row


def check_save(org: Org, kind: ObjectType, values: Mapping[str, Any], row: Row) -> None:
    """Raises Refusal: the row would come to be above itself."""
    for item in kind.hierarchies:
        if values.get(item.name) is not None:
            _check(org, kind, item.name, values[item.name], row.id, {})


def check_merge(org: Org, kind: ObjectType, survivor: Row, loser: Row) -> None:
    """Children of the loser go to the survivor. Raises Refusal: which would then be above itself."""
    for item in kind.hierarchies:
        _check(org, kind, item.name, survivor.values.get(item.name), survivor.id, {loser.id: survivor.id})


def _check(org: Org, kind: ObjectType, field: str, above: str | None, own: str, became: Mapping[str, str]) -> None:
    seen: set[str] = set()
    while above is not None and above not in seen:
        seen.add(above)
        if became.get(above, above) == own:
            raise Refusal(400, "CIRCULAR_DEPENDENCY", "attempt to violate hierarchy constraints", ())
        row = org.space.row(kind.name, above)
        above = row.values.get(field) if row is not None else None
