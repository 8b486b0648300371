"""Rows that go and come back: delete with its cascade, undelete, merge, the limits of the recycle bin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from connectors.emulator.bad_rows import is_bad_row
from connectors.emulator.salesforce import hierarchies
from connectors.emulator.salesforce.campaigns import recount
from connectors.emulator.salesforce.org import SYSTEM, Org
from connectors.emulator.salesforce.products import sum_up
from connectors.emulator.salesforce.refusals import Refusal, locked, text
from connectors.emulator.salesforce.saving import read_only
from connectors.emulator.salesforce.schema import Child, ObjectType
from connectors.emulator.world import Actor, Row, Transaction

RESTORED = {("Account", "ParentId"), ("Case", "ParentId"), ("Contact", "ReportsToId")}
"""Standard lookups that an undelete fills again; custom ones are, too. All others stay empty."""

JUNCTIONS = {"OpportunityContactRole": "OpportunityId", "CampaignMember": "CampaignId"}
"""A person is at most once behind each of these parents."""

FRESH = timedelta(hours=2)
"""So long a deleted row is safe from a bin that is too full."""

BIN_KEEPER = Actor("system", "system", "Recycle Bin")


def delete(org: Org, transaction: Transaction, kind: ObjectType, row: Row, *, is_person: bool = False) -> None:
    """Into the recycle bin, and with it the children that describe marks with ``cascadeDelete``.

    Raises:
        Refusal: not to be deleted, or there are children that describe marks with ``restrictedDelete``.
    """
    if is_bad_row():
        raise locked(row.id)
    if kind.is_setup or not (is_person or kind.may("delete")):
        raise read_only(kind, "deleted")
    children = [(child, found) for child, found in _children(org, kind, row) if not found.deleted]
    _check_restricted(org, row, children)
    transaction.mark(row, op="delete", deleted=True)
    for child, found in children:
        if child.cascade:
            if not found.deleted:
                delete(org, transaction, org.catalogue.objects[child.kind], found, is_person=True)
        elif child.is_cleared:
            _clear(org, transaction, child, found, row)
    if kind.name == "CampaignMember":
        recount(org, transaction, row.values["CampaignId"])
    if kind.name == "OpportunityLineItem":
        sum_up(org, transaction, row.values["OpportunityId"])
    _keep_within_capacity(org)


def _check_restricted(org: Org, row: Row, children: list[tuple[Child, Row]]) -> None:
    held = [(child, found) for child, found in children if child.restricted]
    if held:
        kind = org.catalogue.objects[held[0][0].kind]
        names = ", ".join(str(found.values.get(kind.name_field) or found.id) for _, found in held)
        message = text("delete restricted").format(
            name=_name(org, row), others=kind.label_plural.lower(), numbers=names
        )
        raise Refusal(400, "DELETE_FAILED", message, ())


def _name(org: Org, row: Row) -> str:
    return str(row.values.get("Name") or org.user_name(row.id) or row.values.get("LastName") or row.id)


def _clear(org: Org, transaction: Transaction, child: Child, found: Row, parent: Row) -> None:
    """A lookup loses its parent; the bin remembers, for an undelete."""
    transaction.update(found, {child.field: None}, system_only=True)
    _cleared(org).setdefault(parent.id, []).append([child.kind, found.id, child.field])


def _cleared(org: Org) -> dict[str, list[list[str]]]:
    """{id of a deleted row: [object, record, field] of each lookup it emptied}"""
    found: dict[str, list[list[str]]] = org.space.settings.setdefault("cleared_lookups", {})
    return found


def undelete(org: Org, transaction: Transaction, kind: ObjectType, row: Row) -> None:
    """Back from the bin with the children that were deleted along with it, and some lookups that led to it.

    Children of a merge loser stay with the winner, and what cannot be undeleted stays deleted. A lookup comes back
    only where nobody has filled it since.
    """
    deleted_at, stamp = row.deleted_at, row.stamp
    transaction.mark(row, op="undelete", deleted=False)
    if not org.setting("undelete_moves_stamp"):
        row.stamp = stamp
    for child, found in list(_children(org, kind, row)):
        their_kind = org.catalogue.objects[child.kind]
        if child.cascade and found.deleted and found.deleted_at == deleted_at and their_kind.undeletable:
            undelete(org, transaction, their_kind, found)
    if kind.name == "OpportunityLineItem":
        sum_up(org, transaction, row.values["OpportunityId"])
    for object_name, record_id, field in _cleared(org).pop(row.id, []):
        pointing = org.space.row(object_name, record_id)
        comes_back = (object_name, field) in RESTORED or field.endswith("__c")
        if comes_back and pointing is not None and pointing.values.get(field) is None:
            transaction.update(pointing, {field: row.id}, system_only=True)


def merge(org: Org, transaction: Transaction, kind: ObjectType, survivor: Row, loser: Row) -> list[str]:
    """The survivor keeps its values, children of the loser go to it, the loser is deleted and names it.

    Returns the ids of the children that moved. A role or membership that both had becomes one [K].

    Raises:
        Refusal: the survivor would be its own parent, or that of one above it.
    """
    hierarchies.check_merge(org, kind, survivor, loser)
    moved, collapses = [], org.setting("merge_collapses")
    for child, found in list(_children(org, kind, loser)):
        if found.deleted:
            continue
        if collapses and child.kind in JUNCTIONS and _has_same(org, child, found, survivor.id):
            transaction.mark(found, op="delete", deleted=True)
            continue
        transaction.update(found, {child.field: None if found is survivor else survivor.id})
        if found is not survivor:
            moved.append(found.id)
    transaction.update(survivor, {"LastModifiedById": org.author(transaction.actor)}, op="merge")
    transaction.mark(loser, op="merge", deleted=True, merged_into=survivor.id)
    _keep_within_capacity(org)
    return moved


def _children(org: Org, kind: ObjectType, parent: Row) -> Iterator[tuple[Child, Row]]:
    """Rows that point at this one."""
    for child in org.catalogue.children_of(kind.name):
        if (child.kind, child.field) not in org.space.indexes:
            continue
        for child_id in sorted(org.space.lookup(child.kind, child.field, parent.id)):
            found = org.space.row(child.kind, child_id)
            if found is not None and found.values.get(child.field) == parent.id:
                yield child, found


def _has_same(org: Org, child: Child, junction: Row, person_id: str) -> bool:
    parent = JUNCTIONS[child.kind]
    siblings = org.space.lookup(child.kind, parent, junction.values[parent])
    rows = (org.space.row(child.kind, each) for each in siblings)
    return any(row is not None and not row.deleted and row.values.get(child.field) == person_id for row in rows)


def empty_bin(org: Org, transaction: Transaction, row: Row) -> None:
    """Gone for good."""
    _cleared(org).pop(row.id, None)
    transaction.purge(row)


def _keep_within_capacity(org: Org) -> None:
    """The oldest leave a bin that is too full, but none that is fresh. Counts before it looks through all rows."""
    capacity = int(org.setting("bin_rows"))
    if org.space.next_number("deletions") <= capacity:
        return
    table: Any = org.space.tables.values()
    binned = sorted(
        (row.deleted_at, row.id, row) for rows in table for row in rows.values() if row.deleted_at is not None
    )
    too_many = [row for _, _, row in binned[: max(0, len(binned) - capacity)] if org.now - row.deleted_at >= FRESH]
    if too_many:
        with org.world.transaction(SYSTEM, BIN_KEEPER) as transaction:
            for row in too_many:
                empty_bin(org, transaction, row)
    org.space.counters["deletions"] = len(binned) - len(too_many)
