"""``/updated`` and ``/deleted``: which rows changed in a span of time, and how far the answer can be trusted."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.emulator.salesforce import delete_log
from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.stamps import grain, read, wire

UPDATED_DAYS, DELETED_DAYS = 30, 15
SHORTEST = timedelta(minutes=1)


def updated(call: Call) -> Answer:
    kind = call.org.sobject(call.places["object"])
    start, end = _span(call, UPDATED_DAYS)
    ids = [row.id for row in call.org.rows_stamped(kind, start, end) if not row.deleted and start <= row.stamp <= end]
    _check_number(call, len(ids))
    return Answer(200, {"ids": sorted(ids), "latestDateCovered": wire(end)})


def deleted(call: Call) -> Answer:
    kind = call.org.sobject(call.places["object"])
    start, end = _span(call, DELETED_DAYS)
    found = {row.id: row.stamp for row in call.org.rows_stamped(kind, start, end) if row.deleted}
    found.update(delete_log.of(call.org.space, kind.name))
    told = sorted((record_id, at) for record_id, at in found.items() if start <= at <= end)
    _check_number(call, len(told))
    document = {
        "deletedRecords": [{"id": record_id, "deletedDate": wire(at)} for record_id, at in told],
        "earliestDateAvailable": wire(call.org.now - timedelta(days=DELETED_DAYS)),
        "latestDateCovered": wire(end),
    }
    return Answer(200, document)


def _check_number(call: Call, found: int) -> None:
    """Raises Refusal."""
    most = int(call.org.setting("replication_ids"))
    if found > most:
        raise Refusal(400, "EXCEEDED_ID_LIMIT", f"The result has more than {most} ids; ask for a shorter span")


def _span(call: Call, days: int) -> tuple[datetime, datetime]:
    """Start and last moment covered: nothing younger than the oldest open transaction.

    Raises:
        Refusal: INVALID_REPLICATION_DATE.
    """
    start, end = (read(call.query.get(name, "").replace(" ", "+")) for name in ("start", "end"))
    if start is None or end is None:
        raise Refusal(400, "INVALID_REPLICATION_DATE", "start and end must be datetimes with an offset")
    org = call.org
    if end - start <= SHORTEST:
        raise Refusal(400, "INVALID_REPLICATION_DATE", "startDate before endDate by more than one minute is needed")
    if start < org.now - timedelta(days=days):
        raise Refusal(400, "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    lag = timedelta(seconds=org.setting("replication_lag_seconds") + org.space.visible_delay_seconds)
    return start, min(end, grain(org.now - lag))
