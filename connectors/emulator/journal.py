"""The vendor calls and how they were answered. Counters are complete; the journal forgets the oldest."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

JOURNAL_LENGTH = 20_000
SECRET = frozenset({"authorization", "cookie"})
CONDITION = "If-Unmodified-Since"


@dataclass(frozen=True, slots=True)
class Call:
    """One vendor call. ``status`` is None when the connection was dropped without a reply.

    ``headers`` are those of the request, names in lower case, without what logs in. ``conditions``: how often it says
    If-Unmodified-Since, in its own headers or in those of sub-requests.
    """

    seq: int
    time: str
    system: str
    method: str
    path: str
    query: str
    route: str
    status: int | None
    fault: str | None
    request_id: str
    entry_id: str | None
    headers: dict[str, str]
    conditions: int


class Journal:
    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=JOURNAL_LENGTH)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._numbers: Counter[str] = Counter()
        self._seq = 0

    def next_request_id(self, system: str) -> str:
        self._numbers[system] += 1
        return f"{system}-{self._numbers[system]:06d}"

    def record(self, **details: Any) -> None:
        self._seq += 1
        call = Call(seq=self._seq, **details)
        self.calls.append(call)
        status = "dropped" if call.status is None else str(call.status)
        self._counts[call.system, f"{call.method} {call.route}", status] += 1

    def counters(self) -> dict[str, Any]:
        """{"total": n, "systems": {system: {"calls": n, "routes": {"GET /path/{id}": {"200": n}}}}}."""
        systems: dict[str, Any] = {}
        for (system, route, status), count in sorted(self._counts.items()):
            side = systems.setdefault(system, {"calls": 0, "routes": {}})
            side["calls"] += count
            side["routes"].setdefault(route, {})[status] = count
        return {"total": sum(self._counts.values()), "systems": systems}

    def since(self, seq: int) -> list[dict[str, Any]]:
        return [asdict(call) for call in self.calls if call.seq > seq]

    def clear_counters(self) -> None:
        self._counts.clear()


def headers_shown(scope: dict[str, Any]) -> dict[str, str]:
    """Those of a request, without secrets."""
    pairs = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope.get("headers", ()))
    return {name: value for name, value in pairs if name not in SECRET}


def conditions_of(headers: dict[str, str], body: bytes) -> int:
    return (CONDITION.lower() in headers) + body.count(b'"' + CONDITION.encode() + b'"')


def route_template(scope: dict[str, Any]) -> str:
    """The path with its variable parts named, e.g. ``/crm/v3/objects/{object_type}/{id}``.

    A vendor's side that routes by itself says so in ``scope["state"]["route"]``.
    """
    path: str = scope["path"]
    named = scope.get("state", {}).get("route")
    if named:
        return str(named)
    route = scope.get("route")
    regex = getattr(route, "path_regex", None)
    if isinstance(regex, re.Pattern) and regex.match(path):
        return str(getattr(route, "path", path))
    for name, value in scope.get("path_params", {}).items():
        path = path.replace(f"/{value}", f"/{{{name}}}", 1)
    return path
