"""The week as one HTML file: nothing is loaded from elsewhere, every value is escaped, charts are drawn in the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from agent.cli.digest_lines import exception_step, field_name, lines, percent, plain
from agent.cli.display import clean, moment, number, one_line
from agent.reports.digest import Day, Digest, Trust

WIDE, HIGH, FLOOR, HEADROOM = 720, 200, 172, 24
"""The chart of days, in the units of its viewBox: it scales with the page."""
TREND_HIGH = 90
FIELD_WIDE = 200


def week_page(found: Digest, zone: ZoneInfo) -> str:
    """A complete document in UTF-8. Its moments and days are those of ``zone``, in which `--since` is read too."""
    pages = Environment(
        loader=PackageLoader("agent.cli", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return pages.get_template("week.html").render(
        since=moment(found.since, zone),
        until=moment(found.until, zone),
        zone=zone.key,
        lines=lines(found, zone),
        days=_columns(found.days),
        trend=_trend(found.days),
        fields=[
            {
                "name": field_name(each, found),
                "agree": number(each.agree),
                "differ": number(each.differ),
                "share": percent(each.share),
                "wide": round(each.share * FIELD_WIDE, 1),
            }
            for each in found.fields
        ],
        policies=[_policy(each, found, zone) for each in found.trust],
        waiting=[
            {"id": batch.id, "title": one_line(batch.title), "why": one_line(batch.hold_reason or "")}
            for batch in found.waiting
        ],
        exceptions=[
            {
                "name": clean(each.name),
                "field": plain(each.field),
                "since": moment(each.since, zone),
                "why": one_line(f"{each.kind}: {each.reason}"),
                "next_step": exception_step(each),
            }
            for each in found.exceptions
        ],
    )


def _policy(trust: Trust, found: Digest, zone: ZoneInfo) -> dict[str, str]:
    since = found.since.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return {
        "name": trust.policy,
        "place": trust.place,
        "written": number(trust.written),
        "back": number(trust.changed_back),
        "undo": f'truce rollback --policy {trust.policy} --since "{since}"',
    }


def _columns(days: Sequence[Day]) -> dict[str, Any]:
    """One column per day; what was changed back stands at its foot."""
    most = max([1, *(max(day.written, day.changed_back) for day in days)])
    step = WIDE / max(len(days), 1)
    columns = []
    for position, day in enumerate(days):
        high = _part(day.written, most, FLOOR - HEADROOM)
        back = _part(day.changed_back, most, FLOOR - HEADROOM)
        columns.append(
            {
                "x": round(position * step + step * 0.15, 1),
                "wide": round(step * 0.7, 1),
                "middle": round(position * step + step / 2, 1),
                "y": round(FLOOR - high, 1),
                "high": high,
                "back_y": round(FLOOR - back, 1),
                "back_high": back,
                "value": number(day.written),
                "label": day.day.strftime("%a %d"),
                "title": f"{day.day:%a %d %b}: {number(day.written)} written, {number(day.changed_back)} changed back",
            }
        )
    return {"width": WIDE, "height": HIGH, "floor": FLOOR, "columns": columns}


def _trend(days: Sequence[Day]) -> dict[str, Any]:
    """A line through the days that have a figure, from the lowest of them to 100 %; none for less than two."""
    known = [(position, day) for position, day in enumerate(days) if day.agreement is not None]
    if len(known) < 2:
        return {"points": []}
    lowest = min(day.agreement or 0.0 for _, day in known)
    step = WIDE / max(len(days), 1)
    points = [
        {
            "x": round(position * step + step / 2, 1),
            "y": round(20 + (TREND_HIGH - 40) * (1 - (day.agreement or 0.0)) / max(1 - lowest, 0.001), 1),
            "title": f"{day.day:%a %d %b}: {percent(day.agreement or 0.0)}",
        }
        for position, day in known
    ]
    return {
        "points": points,
        "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        "width": WIDE,
        "height": TREND_HIGH,
        "top": "100 %",
        "bottom": percent(lowest),
    }


def _part(value: int, most: int, high: int) -> float:
    """Something is never drawn as nothing."""
    return round(max(value / most * high, 2 if value else 0), 1)
