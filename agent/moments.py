"""When the values of two systems were set, as far as watching can tell, on one clock.

A value was set after we last saw the one before it and not later than we first saw it, or than the vendor's own stamp
of the record at that moment. A value that was there from the beginning has no first half: nobody saw it being set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from agent.decide.policy import EntityType, FieldRule
from agent.decide.view import Base, Interval
from agent.installation import Installation
from agent.mirror.mirror import Observed
from agent.records import Record, Ref

Times = dict[tuple[str, str], Interval]


def set_between(
    installation: Installation,
    entity_type: EntityType,
    sides: Mapping[str, Record | None],
    bases: Mapping[str, Base],
) -> Times:
    """{(system, vendor field): when}, for lines that ask for it and that somebody changed since they were settled."""
    found: Times = {}
    rules = installation.policies.timed[entity_type.name]
    records = [record for record in sides.values() if record is not None]
    if not rules or len(records) < len(sides):
        return found
    for rule in rules:
        if not _is_moved(rule, records, bases):
            continue
        for record in records:
            field = rule.vendor_field(record.ref.system, record.ref.object_type)
            seen = installation.mirror.history(record.ref, field) if field is not None else []
            interval = _interval(seen, installation.skew(record.ref.system))
            if field is not None and interval is not None:
                found[record.ref.system, field] = interval
    return found


def present_since(installation: Installation, ref: Ref, field: str) -> Interval | None:
    """When the present value of one field was set, on our clock; None where we never saw it."""
    return _interval(installation.mirror.history(ref, field), installation.skew(ref.system))


def _is_moved(rule: FieldRule, records: Sequence[Record], bases: Mapping[str, Base]) -> bool:
    """Does any side hold something else than when the field was last settled?"""
    settled = bases[rule.name].values if rule.name in bases else {}
    missing = object()
    return any(
        record.fields.get(rule.vendor_field(record.ref.system, record.ref.object_type) or "")
        != settled.get(record.ref.system, missing)
        for record in records
    )


def _interval(seen: Sequence[Observed], skew: timedelta) -> Interval | None:
    """``seen``: the values of one field, oldest first; the last is the present one. Moments by the vendor's clock."""
    if not seen or not seen[-1].visible:
        return None
    present, before = seen[-1], seen[-2] if len(seen) > 1 else None
    until = min(present.first_seen, present.modified_at or present.first_seen)
    after = before.last_seen - skew if before is not None and before.visible else None
    return Interval(after, until - skew)
