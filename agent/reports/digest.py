"""What a morning or a week came to: the figures behind ``today`` and ``week``, from the ledger and the mirror alone.

Nothing here walks the mirror: what was written is counted by SQLite, how far both CRMs agree is kept as records are
decided (``agent.reports.agreement``), and who changed what back is read from what was seen since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from agent.changes import HELD, Batch, Entry, State
from agent.daemon import health
from agent.forgetting.forgetting import DOUBTED
from agent.guard import DEFAULT_DAY
from agent.installation import Installation
from agent.ledger.figures import agreement_days, written_since
from agent.ledger.verify import ERASED
from agent.lock import find_holder
from agent.mirror.edits import Replaced
from agent.places import entity_type_of, places_of
from agent.records import Ref
from agent.reports import agreement
from agent.reports.agreement import FieldAgreement
from agent.schema.watch import way_back

IN_CHUNK = 500
MOST_EXCEPTIONS = 5


@dataclass(frozen=True, slots=True)
class ChangedBack:
    """A value of ours that a person (or another system) replaced: in which field of which system, how often."""

    field: str
    system: str
    count: int


@dataclass(frozen=True, slots=True)
class Trust:
    """How often people changed back what a policy wrote. ``written`` and ``changed_back`` count cells."""

    policy: str
    written: int
    changed_back: int
    place: str

    @property
    def share(self) -> float:
        """Between 0 and 1; what was written before the period may be changed back in it."""
        return min(self.changed_back / self.written, 1.0) if self.written else 1.0


@dataclass(frozen=True, slots=True)
class Day:
    """A local day. ``agreement`` is None where no cycle ran."""

    day: date
    written: int
    changed_back: int
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Something that does not go on by itself, and the command that helps."""

    what: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A daily ceiling of meaning. ``most`` is at least 1."""

    name: str
    used: int
    most: int


@dataclass(frozen=True, slots=True)
class Exempt:
    """A cell that Truce leaves to people: frozen, or an edit kept for a while. ``record`` is one of the entity's."""

    kind: str
    name: str
    record: Ref
    field: str
    since: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """A policy whose review date has passed: it asks from then on."""

    policy: str
    review_by: date
    responsible: str
    place: str


@dataclass(frozen=True, slots=True)
class Digest:
    """``exceptions`` are the oldest, ``exception_count`` counts all; ``limits`` the nearest first; ``fields`` the least
    agreeing first; ``trust`` the most often changed back first; ``questions`` {kind: open}."""

    since: datetime
    until: datetime
    written: int
    failed: int
    undone: int
    forgotten: int
    unknown: int
    changed_back: tuple[ChangedBack, ...]
    days: tuple[Day, ...]
    trust: tuple[Trust, ...]
    waiting: tuple[Batch, ...]
    questions: dict[str, int]
    stopped: tuple[Stopped, ...]
    limits: tuple[Limit, ...]
    fields: tuple[FieldAgreement, ...]
    exceptions: tuple[Exempt, ...]
    exception_count: int
    overdue: tuple[Overdue, ...]

    @property
    def agreement(self) -> float | None:
        return agreement.share(self.fields)


def digest(installation: Installation, since: datetime) -> Digest:
    """What happened since a moment, what waits, what is near its limit, how far both CRMs agree. Asks no vendor."""
    now = installation.clock()
    written = written_since(installation.ledger, since, installation.zone)
    replaced = [*_replaced(installation, since)]
    exceptions, exception_count = _exceptions(installation)
    return Digest(
        since=since,
        until=now,
        written=written.states[State.CONFIRMED],
        failed=written.states[State.FAILED],
        undone=written.undone,
        forgotten=sum(event.at >= since for event in installation.ledger.events(kind=ERASED)),
        unknown=len(installation.ledger.entries(states=(State.UNKNOWN,))),
        changed_back=_changed_back(replaced),
        days=_days(installation, since, written.days, replaced),
        trust=_trust(installation, written.lines, replaced),
        waiting=tuple(installation.ledger.batches(states=HELD)),
        questions=installation.reviews.counts(),
        stopped=tuple(_stopped(installation, since)),
        limits=_limits(installation),
        fields=tuple(agreement.by_field(installation)),
        exceptions=exceptions,
        exception_count=exception_count,
        overdue=_overdue(installation, now.date()),
    )


@dataclass(frozen=True, slots=True)
class _Back:
    """One value of ours that was replaced, by the policies' names."""

    at: datetime
    system: str
    field: str
    policy: str


def _replaced(installation: Installation, since: datetime) -> Iterator[_Back]:
    replaced = installation.mirror.edits.replaced_since(since)
    while chunk := [*islice(replaced, IN_CHUNK)]:
        ours = installation.ledger.entries_of(sorted({each.by for each in chunk}))
        by_id = {entry.id: entry for entry in ours}
        yield from filter(None, (_back(each, by_id[each.by]) for each in chunk))


def _back(replaced: Replaced, entry: Entry) -> _Back | None:
    for cell in entry.change.cells:
        if cell.vendor_field == replaced.field and cell.meaning != "restore":
            return _Back(replaced.at, entry.change.system, cell.field, cell.why.policy)
    return None


def _changed_back(replaced: Sequence[_Back]) -> tuple[ChangedBack, ...]:
    counts = Counter((each.field, each.system) for each in replaced)
    return tuple(ChangedBack(*key, count) for key, count in counts.most_common())


def _days(
    installation: Installation, since: datetime, written: Counter[date], replaced: Sequence[_Back]
) -> tuple[Day, ...]:
    """Every local day of the period, the quiet ones too."""
    zone = installation.zone
    first, last = since.astimezone(zone).date(), installation.clock().astimezone(zone).date()
    back = Counter(each.at.astimezone(zone).date() for each in replaced)
    agreed = dict(agreement_days(installation.ledger, first))
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return tuple(Day(day, written[day], back[day], agreed.get(day)) for day in days)


def _trust(installation: Installation, lines: Counter[tuple[str, str]], replaced: Sequence[_Back]) -> tuple[Trust, ...]:
    written: Counter[str] = Counter()
    for (policy, _), count in lines.items():
        written[policy] += count
    back = Counter(each.policy for each in replaced)
    headers = installation.policies.policies.headers
    found = [
        Trust(name, written[name], back[name], str(headers[name].place) if name in headers else "")
        for name in written.keys() | back.keys()
    ]
    return tuple(sorted(found, key=lambda each: (-each.changed_back, -each.share, -each.written, each.policy)))


def _stopped(installation: Installation, since: datetime) -> Iterator[Stopped]:
    noted = health.read(installation.config.state)
    state = health.state_of(noted, find_holder(installation.config.state / "writer.lock"))
    if state == "ended unexpectedly":
        yield Stopped("the daemon ended unexpectedly", "truce run")
    if noted is not None and state == "pausing":
        yield Stopped(f"the daemon pauses: {noted.breaker.what}", "truce status")
    if installation.policy_problem is not None:
        yield Stopped("policies: the files have mistakes, the last good set is in force", "truce check")
    for each in installation.suspensions:
        line = f"{each.policy} {each.line}".strip()
        yield Stopped(f"{line} is suspended: {each.sentence}", way_back(each))
    for name, header in installation.policies.policies.headers.items():
        if installation.approvals.is_paused(name):
            yield Stopped(f"{name} is paused", f"truce resume {name}")
        if header.expires is not None and header.expires < installation.clock().date():
            yield Stopped(f"{name} expired on {header.expires}", f"edit expires in {header.place}")
    for event in installation.ledger.events(kind=DOUBTED):
        if event.at >= since:
            what = f"{event.body['records']} records look erased in {event.subject} at once: each is asked about"
            yield Stopped(what, "truce review --kind lost")
    fights = [freeze for freeze in installation.freezes.standing() if freeze.kind == "fight"]
    for field, count in Counter(freeze.field for freeze in fights).most_common():
        where = f"{count} record{'s' if count != 1 else ''}"
        yield Stopped(
            f"{field.replace('_', ' ')} on {where}: another system changes it back", "truce review --kind fight"
        )


def _limits(installation: Installation) -> tuple[Limit, ...]:
    """Daily ceilings of which something is used, the nearest first."""
    policy = installation.policies.policies.limits
    allowed = {**DEFAULT_DAY, **(policy.day if policy else {})}
    used = installation.ledger.used_today(installation.clock().date())
    limits = [Limit(name, used.get(name, 0), most) for name, most in allowed.items() if most]
    return tuple(sorted(limits, key=lambda each: (-each.used / each.most, each.name)))


def _exceptions(installation: Installation) -> tuple[tuple[Exempt, ...], int]:
    """The oldest cells that are left to people, and how many there are."""
    freezes = installation.freezes.standing()
    kept = installation.mirror.agreement.kept()
    listed = [
        *(("frozen", each.entity_id, each.field, each.system, each.made_at, each.reason) for each in freezes),
        *(
            ("kept edit", entity_id, field, "", _edited_at(installation, entity_id, field), "the policy returns later")
            for entity_id, fields in kept[:IN_CHUNK]
            for field in fields
        ),
    ]
    listed.sort(key=lambda each: (each[4] is None, each[4] or installation.clock(), each[1], each[2]))
    found = [
        Exempt(kind, installation.display_name(installation.mirror.last_copy(ref)), ref, field, since, reason)
        for kind, entity_id, field, system, since, reason in listed[: 2 * MOST_EXCEPTIONS]
        if (ref := _a_record(installation, entity_id, system)) is not None
    ]
    return tuple(found[:MOST_EXCEPTIONS]), len(freezes) + sum(len(fields) for _, fields in kept)


def _a_record(installation: Installation, entity_id: str, system: str) -> Ref | None:
    links = installation.crosswalk.members([entity_id]).get(entity_id, ())
    active = [link.ref for link in links if link.role == "active" and link.state == "linked"]
    return min(active, key=lambda ref: (ref.system != system, ref), default=None)


def _edited_at(installation: Installation, entity_id: str, field: str) -> datetime | None:
    """When the field was last seen changed by somebody else, on any side."""
    places = places_of(installation.policies.policies).by_field.get((entity_type_of(entity_id), field), {})
    links = installation.crosswalk.members([entity_id]).get(entity_id, ())
    moments = [
        observed.modified_at or observed.first_seen
        for link in links
        if (vendor_field := places.get(link.ref.system, {}).get(link.ref.object_type)) is not None
        for observed in installation.mirror.history(link.ref, vendor_field)[1:]
        if observed.by is None
    ]
    return max(moments, default=None)


def _overdue(installation: Installation, today: date) -> tuple[Overdue, ...]:
    headers = installation.policies.policies.headers.values()
    late = [header for header in headers if header.review_by < today]
    return tuple(
        Overdue(header.name, header.review_by, header.responsible, str(header.place))
        for header in sorted(late, key=lambda header: (header.review_by, header.name))
    )
