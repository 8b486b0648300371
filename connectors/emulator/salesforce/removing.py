"""Rows that go and come back: delete with its cascade, undelete, merge."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.saving import read_only
from connectors.emulator.salesforce.schema import Child, ObjectType
from connectors.emulator.world import Row, Transaction


def delete(org: Org, transaction: Transaction, kind: ObjectType, row: Row, *, is_person: bool = False) -> None:
    """Into the recycle bin, and with it the children that describe marks with ``cascadeDelete``. Raises Refusal."""
    if kind.is_setup or (kind.read_only and not is_person):
        raise read_only(kind, "deleted")
    transaction.mark(row, op="delete", deleted=True)
    for child, found in _children(org, kind, row):
        if child.cascade and not found.deleted:
            delete(org, transaction, org.catalogue.objects[child.kind], found, is_person=True)


def undelete(org: Org, transaction: Transaction, kind: ObjectType, row: Row) -> None:
    """Back from the bin with the children that were deleted along with it.

    Children of a merge loser stay with the winner, and what cannot be undeleted stays deleted.
    """
    deleted_at = row.deleted_at
    transaction.mark(row, op="undelete", deleted=False)
    for child, found in _children(org, kind, row):
        their_kind = org.catalogue.objects[child.kind]
        if child.cascade and found.deleted and found.deleted_at == deleted_at and their_kind.undeletable:
            undelete(org, transaction, their_kind, found)


def merge(org: Org, transaction: Transaction, kind: ObjectType, survivor: Row, loser: Row) -> list[str]:
    """The survivor keeps its values, children of the loser go to it, the loser is deleted and names it.

    Returns the ids of the children that moved. A role that both had on one opportunity becomes one [K].
    """
    moved = []
    for child, found in _children(org, kind, loser):
        if found.deleted:
            continue
        if child.kind == "OpportunityContactRole" and _has_same_role(org, found, survivor.id):
            transaction.mark(found, op="delete", deleted=True)
            continue
        transaction.update(found, {child.field: survivor.id})
        moved.append(found.id)
    transaction.update(survivor, {"LastModifiedById": org.author(transaction.actor)}, op="merge")
    transaction.mark(loser, op="merge", deleted=True, merged_into=survivor.id)
    return moved


def _children(org: Org, kind: ObjectType, parent: Row) -> Iterator[tuple[Child, Row]]:
    """Rows whose named relationship leads to this one."""
    for child in org.catalogue.children_of(kind.name):
        if child.relationship is None:
            continue
        for child_id in sorted(org.space.lookup(child.kind, child.field, parent.id)):
            found = org.space.row(child.kind, child_id)
            if found is not None and found.values.get(child.field) == parent.id:
                yield child, found


def _has_same_role(org: Org, role: Row, contact_id: str) -> bool:
    siblings = org.space.lookup(role.object_type, "OpportunityId", role.values["OpportunityId"])
    rows = (org.space.row(role.object_type, each) for each in siblings)
    return any(row is not None and not row.deleted and row.values.get("ContactId") == contact_id for row in rows)
