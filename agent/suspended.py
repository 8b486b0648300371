"""What an interrupted batch still has to write, where a CRM is not what it was when that was decided."""

from __future__ import annotations

from agent.changes import Entry, State
from agent.confirm import record
from agent.installation import Installation
from agent.ledger.ledger import Settlement
from agent.schema import watch as schema_watch


def leave_suspended(installation: Installation, batch_id: str) -> None:
    """Look at the schemas anew and leave alone what would be written along a line that is suspended by now: a value
    that left its list is not sent. What it should be is decided again.

    Raises:
        ConnectorError: a vendor cannot be asked; what is still to be written stays planned.
    """
    waiting = installation.ledger.entries(batch_id=batch_id, states=(State.PLANNED, State.HELD))
    if not waiting:
        return
    schema_watch.look_again(installation, at_once=True)
    found = [(entry, _suspended(installation, entry)) for entry in waiting]
    record(installation, [Settlement(entry.id, State.DRIFTED, error=why) for entry, why in found if why])


def _suspended(installation: Installation, entry: Entry) -> str:
    """The line that must not be written and why, or nothing."""
    for each in installation.suspensions:
        for cell in entry.change.cells:
            if cell.why.policy == each.policy and each.line in ("", cell.field):
                return f"{each.policy} {cell.field} is suspended: {each.what}"
    return ""
