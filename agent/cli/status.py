"""``truce status``: is it running, what is open, what waits, how old are the exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agent.cli.batches import as_document
from agent.cli.digest_lines import questions
from agent.cli.display import moment, number, print_json, row, say_zone
from agent.cli.session import json_option, session_of
from agent.words import counted

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.calls.allowances import Told
    from agent.calls.calls import Standing
    from agent.daemon.health import Trouble
    from agent.decide.drift import Suspension
    from agent.reports.standing import Status


@click.command("status")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Say what is running, open, waiting and frozen. Asks no CRM."""
    from agent.reports import standing

    session = session_of(ctx)
    with session.reading() as installation:
        found = standing.status(installation, session.config.state / "writer.lock")
        zone = installation.zone
    if as_json:
        print_json(_document(found))
        return
    _show(found, zone)
    say_zone(zone)


def _show(found: Status, zone: ZoneInfo) -> None:
    _show_daemon(found, zone)
    _show_policies(found)
    for suspension in found.suspended:
        _show_suspended(suspension)
    for order in found.orders:
        far = f" {number(order.done)} of {number(order.total)}" if order.total else ""
        row("Order", f"{order.kind} by {order.actor}: {order.state}{far}")
    row("Mode", f"{found.mode}; {_by_mode(found.policies)}")
    row("Open", f"{counted(found.open_entries, 'write')}, {number(found.unknown_entries)} of them unknown")
    for batch in found.unfinished:
        row("Unfinished", f"{batch.id} {batch.title}: goes on at the next start")
    for batch in found.waiting:
        row("Waiting", f"{batch.id} {batch.title}: {batch.hold_reason}, expires {moment(batch.expires_at, zone)}")
    asked = " · ".join(questions(count, kind) for kind, count in sorted(found.reviews.items())) or "none"
    row("Questions", asked)
    frozen = " · ".join(f"{number(count)} {age}" for age, count in found.freezes.items() if count) or "none"
    row("Frozen", f"{frozen}")
    for place, watermark in sorted(found.cursors.items()):
        row("Pulled", f"{place} up to {moment(watermark, zone)}")
    row("Pending", f"{number(found.pending)} changes not decided yet")
    for standing in found.calls:
        _show_calls(standing, zone)
    for told in found.allowances:
        _show_allowances(told, zone)
    row("Disk", f"{_gigabytes(found.free_bytes)} free · ledger and mirror {_gigabytes(found.state_bytes)}")
    if found.last_trouble:
        row("Last stop", f"{found.last_trouble}")


def _by_mode(policies: dict[str, str]) -> str:
    """``all 7 policies ask``, or who does what where they differ."""
    names: dict[str, list[str]] = {}
    for name, mode in sorted(policies.items()):
        names.setdefault(mode, []).append(name)
    if len(names) == 1:
        return f"all {len(policies)} policies {next(iter(names))}"
    return "; ".join(f"{mode}: {', '.join(those)}" for mode, those in sorted(names.items()))


def _show_daemon(found: Status, zone: ZoneInfo) -> None:
    writer, noted = found.writer, found.health
    if writer is not None and (noted is None or writer.get("pid") != noted.pid):
        row(
            "Writer",
            f"{writer.get('command')}, pid {writer.get('pid')}, since {moment(str(writer.get('since')), zone)}",
        )
    if noted is None:
        row("Daemon", "not running: truce run")
        return
    if found.state in ("stopped", "ended unexpectedly"):
        row("Daemon", f"{found.state} (it was pid {noted.pid}): truce run")
    else:
        row("Daemon", f"{found.state}, pid {noted.pid} since {moment(noted.started_at, zone)}")
    last = noted.last_cycle
    if last is not None:
        row(
            "Last cycle",
            f"{moment(last.ended_at, zone)}: {number(last.changed)} changed, {number(last.written)} written"
            f" in {last.seconds:.1f} s",
        )
    if found.state not in ("stopped", "ended unexpectedly"):
        every = noted.sparing_seconds
        sparing = f"; every {number(every)} s, so that the day's calls last" if every else ""
        row("Next cycle", f"{moment(noted.next_cycle_at, zone) or 'now'}{sparing}")
    if noted.breaker.is_open:
        breaker = noted.breaker
        row(
            "Trouble",
            f"{breaker.what} since {moment(breaker.since, zone)}, {counted(breaker.failures, 'failure')}"
            + (f": {breaker.why}" if breaker.why else ""),
        )
    if noted.config_changed:
        row("Config", "changed since the daemon started: restart it to take that over")


def _show_calls(standing: Standing, zone: ZoneInfo) -> None:
    """Our calls of the day, our share, what it will come to, the account as a whole; then what is held back."""
    from agent.calls.calls import LANE_WORDS

    used = f"{standing.system} {number(standing.ours)}"
    if standing.share is None:
        row("Calls", f"{used} today; the vendor has not told how many there may be")
        return
    day = "within a day" if standing.day_rolls else f"by {moment(standing.ends_at, zone)}"
    account = f"{number(standing.used)} of " if standing.used is not None else ""
    row(
        "Calls",
        f"{used} of {number(standing.share)} that are Truce's share, {number(standing.forecast)} {day} at this pace"
        f" (account {account}{number(standing.limit or 0)})",
    )
    for lane, free in standing.held.items():
        row("", f"{standing.system}: held back until {moment(free, zone)}: {LANE_WORDS[lane]}")


def _show_allowances(told: Told, zone: ZoneInfo) -> None:
    """What is counted besides calls, over the last day: at this pace it comes to as much every day."""
    if told.refused:
        row("Allowed", f"{told.system} did not say: {told.refused}")
        return
    each = [f"{number(one.used)} of {number(one.limit)} {name}" for name, one in told.allowances.items()]
    row("Allowed", f"{told.system} {' · '.join(each)} used by all tools, as it said {moment(told.at, zone)}")


def _show_suspended(suspension: Suspension) -> None:
    from agent.schema.watch import way_back

    line = f"{suspension.policy} {suspension.line}".strip()
    row("Suspended", f"{line} ({suspension.place}): {suspension.sentence}")
    row("", way_back(suspension))


def _show_policies(found: Status) -> None:
    if found.policy_trouble is None:
        return
    row("Policies", f"not taken over: {found.policy_trouble.what}; the last good set stays in force")
    for problem in found.policy_trouble.problems[:5]:
        row("", f"{problem['file']}:{problem['line']}: {problem['message']}")
    row("", "truce check   (a mended file is taken over by itself)")


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _document(found: Status) -> dict[str, object]:
    from agent.daemon import health

    return {
        "writer": found.writer,
        "state": found.state,
        "daemon": health.as_document(found.health) if found.health is not None else None,
        "policy_trouble": _trouble(found.policy_trouble),
        "orders": [
            {
                "order": order.kind,
                "by": order.actor,
                "state": order.state,
                "queued_at": order.queued_at.isoformat(),
                "done": order.done,
                "total": order.total,
            }
            for order in found.orders
        ],
        "free_bytes": found.free_bytes,
        "state_bytes": found.state_bytes,
        "mode": found.mode,
        "policies": found.policies,
        "open_entries": found.open_entries,
        "unknown_entries": found.unknown_entries,
        "waiting": [as_document(batch) for batch in found.waiting],
        "unfinished": [as_document(batch) for batch in found.unfinished],
        "reviews": found.reviews,
        "freezes": found.freezes,
        "cursors": found.cursors,
        "pending": found.pending,
        "last_trouble": found.last_trouble,
        "suspended": [suspension_document(each) for each in found.suspended],
        "calls": [_calls_document(standing) for standing in found.calls],
        "allowances": [_allowances_document(told) for told in found.allowances],
    }


def suspension_document(suspension: Suspension) -> dict[str, object]:
    from agent.schema.watch import way_back

    return {
        "policy": suspension.policy,
        "line": suspension.line,
        "place": suspension.place,
        "what": suspension.what,
        "system": suspension.system,
        "object": suspension.object_type,
        "field": suspension.field,
        "because": suspension.sentence,
        "next": way_back(suspension),
    }


def _calls_document(standing: Standing) -> dict[str, object]:
    return {
        "system": standing.system,
        "limit": standing.limit,
        "used_by_all": standing.used,
        "used": standing.ours,
        "used_for": dict(standing.by_lane),
        "share": standing.share,
        "forecast": standing.forecast,
        "day": "rolling" if standing.day_rolls else "calendar",
        "day_ends_at": standing.ends_at.isoformat(),
        "held": {lane: free.isoformat() for lane, free in standing.held.items()},
    }


def _allowances_document(told: Told) -> dict[str, object]:
    return {
        "system": told.system,
        "told_at": told.at.isoformat(),
        "refused": told.refused,
        "allowed": {name: {"limit": one.limit, "used_by_all": one.used} for name, one in told.allowances.items()},
    }


def _trouble(trouble: Trouble | None) -> dict[str, object] | None:
    if trouble is None:
        return None
    return {"since": trouble.since.isoformat(), "what": trouble.what, "problems": list(trouble.problems)}
