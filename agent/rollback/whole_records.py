"""The changes that undo what was done to a record as a whole: removing one of ours, bringing a removed one back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.changes import Cell, Change, Entry, Why
from agent.connector import ParentField
from agent.records import Ref


def height(object_type: str, parents: Mapping[str, Mapping[str, ParentField]]) -> int:
    """How many levels of records may belong to this kind: none to a contact role, one to a deal, two to a company."""
    below = [
        child
        for child, relations in parents.items()
        if object_type in {each.object_type for each in relations.values()}
    ]
    return max((height(child, parents) + 1 for child in below if child != object_type), default=0)


def made_again(removed: Entry, ref: Ref, said_yes: Sequence[str]) -> Change:
    """What joined two things and was taken off with its counterpart: no recycle bin gives it back (Salesforce: contact
    roles cannot be undeleted), so it is made of what it held. ``said_yes``: fields in which it was the only one."""
    why = Why("rollback", "", "create", f"undo of {removed.batch_id}: removed by us, made again")
    held = {**removed.change.decided_from, **dict.fromkeys(said_yes, True)}
    cells = tuple(Cell(name, name, None, value, "create", why) for name, value in held.items() if value is not None)
    return Change("create", removed.change.entity_id, ref.system, ref.object_type, None, cells)


def removal(created: Entry, ref: Ref, step: int) -> Change:
    """Children go before their parents, so the height is the step."""
    why = Why("rollback", "", "create", f"undo of {created.batch_id}: created by us and untouched since")
    cell = Cell("create", "Id", ref.id, None, "delete", why)
    return Change(
        "delete", created.change.entity_id, ref.system, ref.object_type, ref.id, (cell,), step=step, guarded=True
    )


def bringing_back(removed: Entry, ref: Ref, cell: Cell) -> Change:
    """Parents come back before their children."""
    why = Why("rollback", "", cell.why.rule, f"undo of {removed.batch_id}: it comes back from the recycle bin")
    back = Cell(cell.field, cell.vendor_field, None, ref.id, "restore", why)
    step = 1 - removed.change.step
    return Change("undelete", removed.change.entity_id, ref.system, ref.object_type, ref.id, (back,), step=step)
