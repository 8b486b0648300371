"""Planned misbehaviour: which vendor calls go wrong, when, and how. The wire does it, this decides it."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ACTIONS = ("drop_before", "drop_after", "status", "html_200", "delay", "late", "truncate", "bad_row")
KEYS = {
    "id",
    "system",
    "method",
    "route",
    "nth",
    "times",
    "action",
    "status",
    "headers",
    "body",
    "delay_seconds",
    "applied",
}
DATA = Path(__file__).parent / "data" / "fault_replies.json"


@dataclass(slots=True)
class Fault:
    """One planned fault.

    ``nth`` counts the matching requests since the fault was posted, from 1; ``times`` None means always.
    ``applied`` lets the handler run before a ``status`` or ``html_200`` reply hides its answer. ``late`` drops the
    connection at once and carries the request out after ``delay_seconds``.
    """

    id: str
    action: str
    system: str | None = None
    method: str | None = None
    route: str | None = None
    nth: int = 1
    times: int | None = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    delay_seconds: float = 0.0
    applied: bool = False
    seen: int = 0
    fired: list[dict[str, Any]] = field(default_factory=list)

    def matches(self, system: str, method: str, path: str) -> bool:
        if self.system is not None and self.system != system:
            return False
        if self.method is not None and self.method != method:
            return False
        if self.route is None:
            return True
        if any(sign in self.route for sign in "*?["):
            return fnmatch.fnmatchcase(path, self.route)
        return path.startswith(self.route)

    @property
    def is_due(self) -> bool:
        """Whether the request just counted in ``seen`` is one that goes wrong."""
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)

    def reply(self, system: str) -> tuple[int, dict[str, str], bytes]:
        """What a ``status`` or ``html_200`` fault answers: status, headers, body; posted or usual."""
        if self.action == "html_200":
            usual = known_replies()["html_200"]
            status = 200
        else:
            status = self.status
            usual = known_replies()[system].get(str(status)) or known_replies()["other"]
        body = self.body if self.body is not None else usual["body"]
        is_text = isinstance(body, str)
        headers = {"content-type": "text/html;charset=UTF-8" if is_text else "application/json;charset=UTF-8"}
        headers.update(usual.get("headers", {}))
        headers.update({name.lower(): str(value) for name, value in self.headers.items()})
        return status, headers, body.encode() if is_text else json.dumps(body).encode()

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "system": self.system,
            "method": self.method,
            "route": self.route,
            "nth": self.nth,
            "times": "always" if self.times is None else self.times,
            "action": self.action,
            "status": self.status if self.action == "status" else None,
            "delay_seconds": self.delay_seconds,
            "seen": self.seen,
            "fired_count": len(self.fired),
            "fired": self.fired,
        }


@cache
def known_replies() -> dict[str, Any]:
    """The error bodies each vendor sends for a status, keyed by system and status."""
    replies: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return replies


def parse_fault(body: Mapping[str, Any], default_id: str) -> Fault:
    """Read a posted fault.

    Raises:
        ValueError: an unknown key or action, or a value of the wrong kind; the text says which.
    """
    unknown = set(body) - KEYS
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(KEYS))}")
    action = body.get("action")
    if action not in ACTIONS:
        raise ValueError(f"action {action!r} is none of {', '.join(ACTIONS)}")
    system = body.get("system")
    if system not in {None, "salesforce", "hubspot"}:
        raise ValueError(f"system {system!r} is neither salesforce nor hubspot")
    times = body.get("times", 1)
    method = body.get("method")
    return Fault(
        id=str(body.get("id") or default_id),
        action=str(action),
        system=system,
        method=str(method).upper() if method else None,
        route=body.get("route"),
        nth=whole_number("nth", body.get("nth", 1)),
        times=None if times == "always" else whole_number("times", times),
        status=whole_number("status", body.get("status", 500)),
        headers=dict(body.get("headers") or {}),
        body=body.get("body"),
        delay_seconds=float(body.get("delay_seconds") or 0.0),
        applied=bool(body.get("applied", False)),
    )


def whole_number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1, not {value!r}")
    return value


class FaultPlan:
    """The posted faults, oldest first. Every matching fault counts a request; the first that is due fires."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._posted = 0

    def post(self, body: Mapping[str, Any]) -> Fault:
        """Add one fault; the same id again replaces the old one and counts afresh.

        Raises:
            ValueError: see ``parse_fault``.
        """
        self._posted += 1
        fault = parse_fault(body, f"fault-{self._posted}")
        self._faults.pop(fault.id, None)
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: str | None = None) -> int:
        """Drop one fault, or all; how many went.

        Raises:
            KeyError: there is no such fault.
        """
        if fault_id is None:
            count = len(self._faults)
            self._faults.clear()
            return count
        if fault_id not in self._faults:
            raise KeyError(f"no fault {fault_id!r} is posted")
        del self._faults[fault_id]
        return 1

    def firing(self, system: str, method: str, path: str, request_id: str) -> Fault | None:
        if not self._faults:
            return None
        chosen: Fault | None = None
        for fault in self._faults.values():
            if not fault.matches(system, method, path):
                continue
            fault.seen += 1
            if chosen is None and fault.is_due:
                chosen = fault
                fault.fired.append({"request": request_id, "nth": fault.seen, "method": method, "path": path})
        return chosen

    def as_json(self) -> list[dict[str, Any]]:
        return [fault.as_json() for fault in self._faults.values()]
