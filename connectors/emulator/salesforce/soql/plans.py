"""``/query?explain=…``: how a query would be run, without its rows.

There is one plan here: by the index of a field, or through the whole table, whose relative cost is above 1, as the
vendor writes it. Its other numbers for costs nobody has shown how to work out [K].
"""

from __future__ import annotations

from typing import Any

from connectors.emulator.salesforce.soql.conditions import candidates, compiled, leading_field, where_reader
from connectors.emulator.salesforce.soql.paths import Scope
from connectors.emulator.salesforce.soql.shape import maker

SCAN_COST = 1.3


def explained(scope: Scope) -> dict[str, Any]:
    """Raises SoqlError, as the query itself would."""
    query, kind = scope.query, scope.kind
    if not query.is_aggregate:
        maker(scope, "")
    if query.where is not None:
        compiled(scope, query.where, where_reader(scope), lambda comparison: set())
    field = leading_field(scope, query.where)
    everything = sum(1 for _ in scope.source.rows(kind))
    found = sum(1 for _ in candidates(scope, query.where))
    plan = {
        "cardinality": found,
        "fields": [] if field is None else [field],
        "leadingOperationType": "TableScan" if field is None else "Index",
        "notes": [],
        "relativeCost": SCAN_COST if field is None else found / everything if everything else 0.0,
        "sobjectCardinality": everything,
        "sobjectType": kind.name,
    }
    return {"plans": [plan], "sourceQuery": query.text}
