"""The daily allowance over 24 rolling hours, and what ``/limits`` tells."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal

HOURS = 24
REQUESTS = "DailyApiRequests"
BULK_BATCHES = "DailyBulkApiBatches"
QUERY_JOBS = "DailyBulkV2QueryJobs"
ENFORCED = {REQUESTS: "daily_requests", BULK_BATCHES: "daily_bulk_batches", QUERY_JOBS: "daily_query_jobs"}
"""{name: the switch that says how many}"""

FILE_STORAGE = "DailyBulkV2QueryFileStorageMB"
MEGABYTE = 2**20

OTHER_LIMITS = {
    FILE_STORAGE: 976_562,
    "DataStorageMB": 5_120,
    "FileStorageMB": 20_480,
    "SingleEmail": 15,
    "MassEmail": 10,
}


def used(org: Org, name: str = REQUESTS) -> int:
    """Requests (or jobs, batches) of the last 24 hours; whole hours leave the count at once."""
    hour = _hour(org)
    counts: dict[str, int] = org.space.settings.setdefault(_bag(name), {})
    for old in [each for each in counts if int(each) <= hour - HOURS]:
        del counts[old]
    return sum(counts.values())


def count(org: Org, number: int, name: str = REQUESTS) -> None:
    counts: dict[str, int] = org.space.settings.setdefault(_bag(name), {})
    hour = str(_hour(org))
    counts[hour] = counts.get(hour, 0) + number


def _bag(name: str) -> str:
    return "requests" if name == REQUESTS else f"used {name}"


def require_batches(org: Org) -> None:
    """Raises Refusal: as Bulk 1.0 says it, with which the batches are shared; nobody has shown 2.0 [K]."""
    if used(org, BULK_BATCHES) >= most(org, BULK_BATCHES):
        raise Refusal(400, "EXCEEDEDQUOTA", "ExceededQuota : ApiBatchItems Limit exceeded for organization.")


def require_query_jobs(org: Org) -> None:
    """Raises Refusal, in the words that two connectors of others match in their code."""
    made, allowed = used(org, QUERY_JOBS), most(org, QUERY_JOBS)
    if made >= allowed:
        raise Refusal(400, "LIMIT_EXCEEDED", f"Max bulk v2 query jobs ({allowed}) per 24 hrs has been reached ({made})")


def most(org: Org, name: str) -> int:
    return int(org.setting(ENFORCED[name]))


def usage_header(org: Org) -> str:
    return f"api-usage={used(org)}/{most(org, REQUESTS)}"


def limits(call: Call) -> Answer:
    """Raises Refusal: the user has no right to know [K for its words]."""
    if not call.org.setting("may_view_setup"):
        raise Refusal(403, "INSUFFICIENT_ACCESS", "View Setup and Configuration is required to read limits")
    all_of_them = {**{name: most(call.org, name) for name in ENFORCED}, **OTHER_LIMITS}
    gone = {name: used(call.org, name) for name in all_of_them} | {FILE_STORAGE: _megabytes_of_results(call.org)}
    found = {name: {"Max": number, "Remaining": max(0, number - gone[name])} for name, number in all_of_them.items()}
    return Answer(200, found)


def _megabytes_of_results(org: Org) -> int:
    """What the query jobs of the last 24 hours found, begun megabytes as whole ones [K]; used up it refuses nothing
    here, for nobody has shown how [K]."""
    since = org.now - timedelta(hours=HOURS)
    jobs = [job for job in org.jobs.all(is_query=True) if job.result is not None and job.created_at > since]
    return ceil(sum(job.result_bytes() for job in jobs) / MEGABYTE)


def record_count(call: Call) -> Answer:
    """Approximate in a real org; objects without rows, and those nobody knows, are missing."""
    catalogue = call.org.catalogue
    asked = [name.strip() for name in call.query.get("sObjects", "").split(",") if name.strip()]
    found = [catalogue.find(name) for name in asked] if asked else catalogue.listed()
    kinds = sorted((kind for kind in found if kind is not None), key=lambda kind: kind.name)
    counts = {kind.name: sum(not row.deleted for row in call.org.rows(kind)) for kind in kinds}
    return Answer(200, {"sObjects": [{"count": number, "name": name} for name, number in counts.items() if number]})


def _hour(org: Org) -> int:
    return int(org.now.timestamp() // 3600)
