"""Request limits: a rolling ten seconds for each app, a day for the account, a second for searches."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.emulator.hubspot.access import Access
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.refusals import Refusal, text

INTERVAL_MILLISECONDS = 10_000


class Limits:
    """Counts calls by the emulator's clock. The day's count is in the settings, the two short ones only here."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self._calls: dict[str, deque[datetime]] = {}
        self._searches: deque[datetime] = deque()

    def count(self, access: Access, *, is_search: bool) -> dict[str, str]:
        """Count one call; the headers that tell (none on a search). Raises Refusal 429; a refused call counts too."""
        now = self.portal.now()
        daily = int(self.portal.setting("daily_limit"))
        rolling = int(self.portal.setting("oauth_rolling_limit" if access.is_oauth else "rolling_limit"))
        used_today, recent = self._count_day(now), self._count_rolling(access.app_id, now)
        headers = {} if is_search else rate_headers(rolling, recent)
        if headers and not access.is_oauth:
            headers |= daily_headers(daily, used_today)
        if used_today > daily:
            raise too_many("daily", "DAILY", headers)
        if recent > rolling:
            raise too_many("rolling", "TEN_SECONDLY_ROLLING", headers)
        if is_search and self._is_on("search_rate_limit"):
            searches = counted(self._searches, now, timedelta(seconds=1))
            if searches > int(self.portal.setting("search_limit")):
                raise too_many("secondly", "SECONDLY", headers)
        return headers

    def _count_rolling(self, app_id: str, now: datetime) -> int:
        if not self._is_on("rolling_rate_limit"):
            return 0
        calls = self._calls.setdefault(app_id, deque())
        return counted(calls, now, timedelta(milliseconds=INTERVAL_MILLISECONDS))

    def _count_day(self, now: datetime) -> int:
        zone = ZoneInfo(self.portal.space.settings["account"]["timeZone"])
        day = now.astimezone(zone).date().isoformat()
        used = self.portal.space.settings["calls_today"]
        if used["day"] != day:
            used.update(day=day, count=0)
        used["count"] += 1
        return int(used["count"])

    def _is_on(self, name: str) -> bool:
        chosen = self.portal.setting(name)
        return not self.portal.world.clock.is_virtual if chosen is None else bool(chosen)


def counted(times: deque[datetime], now: datetime, period: timedelta) -> int:
    """Add this call; how many fell into the period that ends now."""
    while times and times[0] <= now - period:
        times.popleft()
    times.append(now)
    return len(times)


def rate_headers(rolling: int, recent: int) -> dict[str, str]:
    left, secondly = max(rolling - recent, 0), rolling // 10
    return {
        "X-HubSpot-RateLimit-Max": str(rolling),
        "X-HubSpot-RateLimit-Remaining": str(left),
        "X-HubSpot-RateLimit-Interval-Milliseconds": str(INTERVAL_MILLISECONDS),
        "X-HubSpot-RateLimit-Secondly": str(secondly),
        "X-HubSpot-RateLimit-Secondly-Remaining": str(min(secondly, left)),
    }


def daily_headers(daily: int, used_today: int) -> dict[str, str]:
    """Absent for OAuth apps, which have no daily limit of their own."""
    return {
        "X-HubSpot-RateLimit-Daily": str(daily),
        "X-HubSpot-RateLimit-Daily-Remaining": str(max(daily - used_today, 0)),
    }


def too_many(message: str, policy: str, headers: dict[str, str]) -> Refusal:
    refusal = Refusal(429, text(message), None, errorType="RATE_LIMIT", policyName=policy)
    refusal.headers = headers
    return refusal
