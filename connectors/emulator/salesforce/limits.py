"""The daily allowance over 24 rolling hours, and what ``/limits`` tells."""

from __future__ import annotations

from connectors.emulator.salesforce.calls import Answer, Call
from connectors.emulator.salesforce.org import Org

HOURS = 24
REQUESTS = "DailyApiRequests"
OTHER_LIMITS = {
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryJobs": 10_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
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


def usage_header(org: Org) -> str:
    return f"api-usage={used(org)}/{int(org.setting('daily_requests'))}"


def limits(call: Call) -> Answer:
    most = {REQUESTS: int(call.org.setting("daily_requests")), **OTHER_LIMITS}
    found = {name: {"Max": number, "Remaining": max(0, number - used(call.org, name))} for name, number in most.items()}
    return Answer(200, found)


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
