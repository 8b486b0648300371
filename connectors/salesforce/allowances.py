"""What the organization may use up in 24 hours besides calls: the jobs of the Bulk API and what they hold."""

from __future__ import annotations

from typing import Any

from agent.connector import Allowance
from agent.errors import BadReply, NotPermitted
from connectors.salesforce.calls import Calls, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error

NAMES = {
    "DailyBulkV2QueryJobs": "bulk query jobs",
    "DailyBulkApiBatches": "bulk batches",
    "DailyBulkV2QueryFileStorageMB": "MB of bulk query results",
}
"""{Salesforce's name of a limit: ours}"""

_RIGHT = "View Setup and Configuration"
"""Salesforce documents ``/limits`` for users with it alone. Nothing else of ours needs it, so it is not asked for."""


def daily_allowances(calls: Calls) -> dict[str, Allowance]:
    """One call. An organization that does not name a limit has none of that kind.

    Raises:
        NotPermitted: our user has not the right to know. AccessDenied, Unavailable, BadReply.
    """
    doing = "telling the limits"
    answer = calls.send(Request("GET", "limits/"))
    if isinstance(answer, Failure):
        if answer.kind == "permission" and not answer.is_about_all:
            why = f"it tells this to users with {_RIGHT} alone, which Truce does without ({answer.why})"
            raise NotPermitted(f"Salesforce refused {doing}", system=SYSTEM, why=why)
        raise as_error(answer, doing)
    if not isinstance(answer.body, dict):
        raise BadReply("Salesforce sent limits that are none", system=SYSTEM)
    told = {name: _allowance(answer.body.get(theirs)) for theirs, name in NAMES.items()}
    return {name: allowance for name, allowance in told.items() if allowance is not None}


def _allowance(told: Any) -> Allowance | None:
    most, left = (told.get("Max"), told.get("Remaining")) if isinstance(told, dict) else (None, None)
    if not isinstance(most, int) or not isinstance(left, int):
        return None
    return Allowance(most, max(0, most - left))
