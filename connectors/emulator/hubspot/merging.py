"""Merging two records: a new record with a new id takes the place of both, and both old ids lead to it."""

from __future__ import annotations

from typing import Any

from connectors.emulator.history import trimmed
from connectors.emulator.hubspot.associations import MIRROR
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.records import Records
from connectors.emulator.hubspot.refusals import Refusal, bad_request, text
from connectors.emulator.hubspot.times import milliseconds
from connectors.emulator.world import End, Row, Transaction

MOST_IDENTITIES = 250
MERGED_IDS, FURTHER_EMAILS = "hs_merged_object_ids", "hs_additional_emails"
MERGED_VIDS = "hs_calculated_merged_vids"
"""What contacts had before: ``id:milliseconds`` of each merge."""


def merge(records: Records, transaction: Transaction, kind: Kind, primary: Row, other: Row) -> Row:
    """The primary's values win, the other fills its blanks; histories and associations are united.

    Raises:
        Refusal: 400 for a record with itself, 414 when both have been merged too often.
    """
    if primary.id == other.id:
        raise bad_request(text("merge_itself"))
    past = [*_parts(primary.values.get(MERGED_IDS)), *_parts(other.values.get(MERGED_IDS))]
    if len(past) >= MOST_IDENTITIES:
        raise Refusal(414, text("too_many_merges"), "VALIDATION_ERROR")
    values = {**{name: value for name, value in other.values.items() if value}, **_filled(primary)}
    values[MERGED_IDS] = ";".join(dict.fromkeys([primary.id, other.id, *past]))
    if kind.name == "contacts":
        values[FURTHER_EMAILS] = _further_emails(values.get("email"), primary, other)
        values[MERGED_VIDS] = _merged_vids(primary, other, milliseconds(transaction.at))
    values.pop(MIRROR, None)
    values = {name: value for name, value in values.items() if value}
    row = transaction.create(kind.name, records.portal.new_id(kind), values)
    _unite_histories(row, primary, other)
    if records.portal.setting("merge_keeps_oldest_date"):
        row.created_at = min(primary.created_at, other.created_at)
    _unite_associations(records, transaction, row, primary, other)
    for old in (primary, other):
        transaction.mark(old, op="merge", deleted=True, merged_into=row.id)
    return row


def _parts(value: Any) -> list[str]:
    return [part for part in str(value or "").split(";") if part]


def _filled(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.values.items() if value}


def _further_emails(email: Any, primary: Row, other: Row) -> str | None:
    found = [*_parts(primary.values.get(FURTHER_EMAILS)), *_parts(other.values.get("email"))]
    found += _parts(other.values.get(FURTHER_EMAILS))
    return ";".join(one for one in dict.fromkeys(found) if one != email) or None


def _merged_vids(primary: Row, other: Row, at: int) -> str:
    now = [f"{row.id}:{at}" for row in (primary, other)]
    return ";".join([*now, *_parts(primary.values.get(MERGED_VIDS)), *_parts(other.values.get(MERGED_VIDS))])


def _unite_histories(row: Row, primary: Row, other: Row) -> None:
    """All versions by time; at one moment the primary's come first, as they won."""
    older = sorted([*primary.history, *other.history], key=lambda line: line[2], reverse=True)
    current = [line for line in row.history if _latest(older, line[0]) != line[1]]
    row.tell(trimmed([*current, *older]))


def _latest(history: list[tuple[str, Any, Any, str]], name: str) -> Any:
    return next((value for line_name, value, _, _ in history if line_name == name), None)


def _unite_associations(records: Records, transaction: Transaction, row: Row, primary: Row, other: Row) -> None:
    """The primary's associations keep their labels; its primary company stays the only one."""
    here: End = (row.object_type, row.id)
    associations, links = records.associations, records.portal.space.links
    for old in (primary, other):
        old_end: End = (old.object_type, old.id)
        for there, labels in list(links.get(old_end, {}).items()):
            associations.remove(transaction, old_end, there)
            if there in {(primary.object_type, primary.id), (other.object_type, other.id)}:
                continue
            kept = labels if old is primary else associations.without_second_primary(here, there, labels)
            associations.associate(transaction, here, there, {*associations.held(here, there), *kept})
