"""A digest in plain words: per line a name, what is to say, and one next step. For the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent.cli.batches import as_document
from agent.cli.display import clean, moment, number

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.reports.agreement import FieldAgreement
    from agent.reports.digest import Digest, Trust

QUESTIONS = {
    "fight": ("field fought over", "fields fought over"),
    "overwritten": ("edit overwritten unseen", "edits overwritten unseen"),
    "unclear": ("unclear pair", "unclear pairs"),
    "erased": ("erased in one CRM", "erased in one CRM"),
    "lost": ("deleted on one side", "deleted on one side"),
    "converted": ("converted Lead", "converted Leads"),
    "duplicate": ("likely duplicate", "likely duplicates"),
    "missing": ("required field missing", "required fields missing"),
    "unmapped": ("value without a counterpart", "values without a counterpart"),
    "conflict": ("conflict", "conflicts"),
    "first difference": ("first difference", "first differences"),
}
"""Kind of question → what one and what several of them are called; what keeps Truce from more comes first."""


def questions(count: int, kind: str) -> str:
    """Such as ``1 likely duplicate`` or ``7 conflicts``."""
    one, several = QUESTIONS.get(kind, (kind, kind))
    return f"{number(count)} {one if count == 1 else several}"


@dataclass(frozen=True, slots=True)
class Line:
    """``next_step`` is one command, or empty where there is nothing to do."""

    name: str
    text: str
    next_step: str = ""


def lines(found: Digest, zone: ZoneInfo) -> list[Line]:
    """The morning, in the order one reads it; moments in ``zone``."""
    return [*_happened(found, zone), *_to_do(found), *_standing(found, zone)]


def _happened(found: Digest, zone: ZoneInfo) -> Iterator[Line]:
    back = sum(each.count for each in found.changed_back)
    parts = [f"{number(found.written)} changes", f"people changed {number(back)} back{_most(found)}"]
    parts += [f"{number(found.undone)} undone"] if found.undone else []
    parts += [f"{number(found.forgotten)} forgotten"] if found.forgotten else []
    parts += [f"{number(found.failed)} failed"] if found.failed else []
    parts += [f"{number(found.unknown)} unknown"]
    yield Line(f"Since {moment(found.since, zone)}", " · ".join(parts), "truce batches" if found.written else "")
    worst = next((each for each in found.trust if each.changed_back), None)
    if worst is not None:
        yield Line("Changed back most", trust_words(worst), "truce batches --by policy")


def _most(found: Digest) -> str:
    shown = [f"{number(each.count)} {plain(each.field)}" for each in found.changed_back[:3]]
    return f" ({', '.join(shown)})" if shown else ""


def trust_words(trust: Trust) -> str:
    return f"{trust.policy}: {number(trust.changed_back)} of {number(trust.written)} values"


def _to_do(found: Digest) -> Iterator[Line]:
    if found.waiting:
        oldest = min(found.waiting, key=lambda batch: batch.opened_at)
        count = f"{number(len(found.waiting))} batch{'es' if len(found.waiting) != 1 else ''}"
        age = spoken_age(found.until - oldest.opened_at)
        yield Line("Waiting for you", f"{count} (oldest {age}: {oldest.title})", f"truce show {oldest.id}")
    if found.questions:
        asked = [questions(count, kind) for kind, count in found.questions.items()]
        yield Line("Questions", " · ".join(asked), "truce review")
    if not found.waiting and not found.questions:
        yield Line("Waiting for you", "nothing")
    for stopped in found.stopped:
        yield Line("Stopped", stopped.what, stopped.next_step)
    if not found.stopped:
        yield Line("Stopped", "nothing")


def _standing(found: Digest, zone: ZoneInfo) -> Iterator[Line]:
    limit = next(iter(found.limits), None)
    if limit is not None:
        yield Line(
            "Nearest limit",
            f"{plain(limit.name)} {number(limit.used)} of {number(limit.most)} today",
            "truce batches --by hour" if limit.used else "",
        )
    if found.agreement is not None:
        yield Line("Both CRMs", _agreement_words(found), "truce plan" if found.agreement < 1 else "")
    else:
        yield Line("Both CRMs", "not compared yet: the first cycle does it", "truce run --once")
    if found.exceptions:
        oldest = found.exceptions[0]
        since = f" since {moment(oldest.since, zone)}" if oldest.since else ""
        text = f"{number(found.exception_count)}, oldest {plain(oldest.field)} of {clean(oldest.name)}{since}"
        yield Line("Left to people", f"{text} ({oldest.kind}: {oldest.reason})", exception_step(oldest))
    for overdue in found.overdue:
        text = f"{overdue.policy} since {overdue.review_by} ({overdue.responsible}): it asks until it is reviewed"
        yield Line("Review overdue", text, f"edit review_by in {overdue.place}")


def exception_step(exempt: Any) -> str:
    """Lift a freeze; look at an edit that is kept for a while."""
    verb = "freeze" if exempt.kind == "frozen" else "why"
    lift = " --lift" if exempt.kind == "frozen" else ""
    return f"truce {verb} {exempt.record} {exempt.field}{lift}"


def _agreement_words(found: Digest) -> str:
    least = [each for each in found.fields if each.differ][:3]
    shown = ", ".join(f"{field_name(each, found)} {percent(each.share)}" for each in least)
    whole = f"agree on {percent(found.agreement or 0.0)} of fields we watch"
    return f"{whole} (least: {shown})" if shown else whole


def field_name(field: FieldAgreement, found: Digest) -> str:
    """``job title``, or ``company phone`` where people have a phone too."""
    same = {each.entity_type for each in found.fields if each.field == field.field}
    return plain(field.field) if len(same) == 1 else f"{field.entity_type} {plain(field.field)}"


def percent(share: float) -> str:
    """One digit; never 100 % while something differs, never 0 % while something agrees."""
    shown = round(share * 100, 1)
    if shown == 100 and share < 1:
        shown = 99.9
    if shown == 0 and share > 0:
        shown = 0.1
    return f"{shown:.1f} %"


def plain(name: str) -> str:
    return name.replace("_", " ")


def spoken_age(age: timedelta) -> str:
    """``21 h``, ``3 days``."""
    hours = int(age.total_seconds() // 3600)
    if hours < 48:
        return f"{hours} h" if hours else f"{int(age.total_seconds() // 60)} min"
    return f"{hours // 24} days"


def document(found: Digest, zone: ZoneInfo) -> dict[str, Any]:
    """As schemas/today.json and schemas/week.json describe it."""
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "written": found.written,
        "failed": found.failed,
        "undone": found.undone,
        "forgotten": found.forgotten,
        "unknown": found.unknown,
        "changed_back": [asdict(each) for each in found.changed_back],
        "days": [{**asdict(each), "day": each.day.isoformat()} for each in found.days],
        "policies": [
            {"policy": each.policy, "written": each.written, "changed_back": each.changed_back, "line": each.place}
            for each in found.trust
        ],
        "waiting": [as_document(batch) for batch in found.waiting],
        "reviews": found.questions,
        "stopped": [{"what": each.what, "next": each.next_step} for each in found.stopped],
        **_standing_document(found),
        "lines": [{"name": each.name, "text": each.text, "next": each.next_step} for each in lines(found, zone)],
    }


def _standing_document(found: Digest) -> dict[str, Any]:
    return {
        "limits": [{"limit": each.name, "used": each.used, "most": each.most} for each in found.limits],
        "agreement": found.agreement,
        "fields": [
            {
                "about": each.entity_type,
                "field": each.field,
                "agree": each.agree,
                "differ": each.differ,
                "share": each.share,
            }
            for each in found.fields
        ],
        "exceptions": [
            {
                "kind": each.kind,
                "name": each.name,
                "record": str(each.record),
                "field": each.field,
                "since": _iso(each.since),
                "reason": each.reason,
                "next": exception_step(each),
            }
            for each in found.exceptions
        ],
        "exception_count": found.exception_count,
        "overdue": [
            {
                "policy": each.policy,
                "review_by": each.review_by.isoformat(),
                "responsible": each.responsible,
                "line": each.place,
            }
            for each in found.overdue
        ],
    }


def _iso(at: datetime | date | None) -> str | None:
    return at.isoformat() if at else None
