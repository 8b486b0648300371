"""Is this write fit to be sent, and is the record still the one that was read? Nothing here sends anything."""

from __future__ import annotations

from collections.abc import Sequence

from agent.connector import Write, WriteError
from agent.records import Gone, MergedInto, Readout, Record
from connectors.hubspot.abilities import WRITE_CHUNK
from connectors.hubspot.associating import place_of, wanted
from connectors.hubspot.ids import is_record_id
from connectors.hubspot.vendor import association_types, mergeable_types


def require_one_kind(writes: Sequence[Write]) -> None:
    """A caller that breaks the port's contract is a bug of ours, not an outcome."""
    if any(write.op == "undelete" for write in writes):
        raise ValueError("HubSpot has no undelete: people restore records in its recycle bin")
    if len({(write.op, write.object_type) for write in writes}) != 1:
        raise ValueError("writes of one operation and one object type belong in one call")
    if len({write.entry_id for write in writes}) < len(writes):
        raise ValueError("two writes under one entry id")
    if len(writes) > WRITE_CHUNK:
        raise ValueError(f"{len(writes)} writes in one call; the chunk is {WRITE_CHUNK}")


def malformed(write: Write) -> WriteError | None:
    """Ids come from fields anybody may edit: only digits travel."""
    if write.op == "opt_out" and not (write.key and "@" in write.key[1]):
        return invalid("INVALID_EMAIL", "an opt-out needs an e-mail address")
    if write.op == "merge":
        return _unfit_merge(write)
    if write.op != "create" and not is_record_id(write.record_id):
        return invalid("INVALID_ID", "not a HubSpot record id")
    place = place_of(write)
    if place is not None and write.op == "update":
        return invalid("NOT_A_PROPERTY", f"{place.field} is changed by an association alone")
    if place is not None and (other := wanted(write, place)) is not None and not is_record_id(other):
        return invalid("INVALID_ID", f"{place.field} is not a HubSpot record id")
    for relation, parent_id in write.parents.items():
        if association_types(write.object_type, relation) is None:
            return invalid("NO_SUCH_RELATION", f"a new record cannot be tied to a {relation}")
        if not is_record_id(parent_id):
            return invalid("INVALID_ID", f"the {relation}'s id is not a HubSpot record id")
    return None


def _unfit_merge(write: Write) -> WriteError | None:
    if write.object_type not in mergeable_types():
        return invalid("NOT_MERGEABLE", f"HubSpot merges no {write.object_type}")
    if write.fields or len(write.losers) != 1:
        raise ValueError("HubSpot merges one loser at a time, and sets no values while doing so")
    if not (is_record_id(write.record_id) and is_record_id(write.losers[0])):
        return invalid("INVALID_ID", "not a HubSpot record id")
    return None


def invalid(code: str, message: str) -> WriteError:
    return WriteError("validation", code, message)


def moved(write: Write, readout: Readout) -> WriteError | None:
    if isinstance(readout, Record):
        if write.expects_version in (None, readout.version):
            return None
        return WriteError("moved", "CHANGED", "the record changed since it was read")
    if isinstance(readout, MergedInto):
        return merged_away(readout)
    if isinstance(readout, Gone):
        return WriteError("gone", "OBJECT_NOT_FOUND", "the record does not exist or was archived")
    return WriteError("permission", "UNREADABLE", f"the record cannot be read: {readout.reason}")


def merged_away(readout: MergedInto) -> WriteError:
    return WriteError("moved", "MERGED", "the record was merged into another", other_id=readout.survivor.id)
