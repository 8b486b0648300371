"""``truce watched``: beside another sync, what Truce would have done and what it would have prevented."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from agent.cli.digest_lines import plain
from agent.cli.display import clean, hint, moment, number, print_json, progress_bar, say, say_zone, table
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.watch.watched import Prevented, WatchReport

ENDED = {
    "": "still differ",
    "made": "the other sync made them too",
    "other way": "were settled the other way round",
    "taken over": "Truce asks or writes itself now",
    "dropped": "are not needed any more",
}
HARMS = {
    "opt-out lifted": "Opt-outs lifted",
    "stage moved back": "Stages moved back",
    "blank over a value": "Blanks over values",
    "winning value overwritten": "Winning values overwritten",
}


@click.command("watched")
@click.argument("policy", required=False, metavar="[POLICY]")
@click.option("--since", default="7 days ago", show_default=True, help='Such as "Mon 9:00" or 2026-11-20.')
@json_option
@click.pass_context
def command(ctx: click.Context, policy: str | None, since: str, as_json: bool) -> None:
    """What watching policies would have done, and prevented, while another sync was writing. Writes nothing."""
    from agent.errors import NotFound
    from agent.local_time import read_moment
    from agent.watch.watched import watched

    with session_of(ctx).reading() as installation, progress_bar("comparing", quiet=as_json) as progress:
        policies = installation.policies.policies
        if policy is not None and policy not in policies.headers:
            known = ", ".join(sorted(policies.headers))
            raise NotFound(f"there is no policy {policy}", why=f"known are {known}", next_step="truce check")
        start = read_moment(since, installation.clock(), installation.zone)
        found = watched(installation, start, policy, progress)
        zone = installation.zone
    if as_json:
        print_json(_document(found))
        return
    _show(found, zone)
    say_zone(zone)


def _show(found: WatchReport, zone: ZoneInfo) -> None:
    say(f"Since {moment(found.since, zone)}  " + _who(found), hanging=2)
    _show_done(found)
    _show_prevented(found, zone)
    hint("truce plan" if found.done else "truce today")


def _who(found: WatchReport) -> str:
    if not found.watching:
        return "no policy only watches now: set mode: watch in its file, or truce mode watch for all"
    if len(found.watching) > 3:
        return f"{len(found.watching)} policies only watch"
    verb = "watches" if len(found.watching) == 1 else "watch"
    return f"{', '.join(found.watching)} only {verb}"


def _show_done(found: WatchReport) -> None:
    by_end: Counter[str] = Counter()
    for each in found.done:
        by_end[each.ended] += each.count
    if not by_end:
        say("Would have done: nothing that was followed in this time.")
        return
    told = " · ".join(f"{number(count)} {ENDED[ended]}" for ended, count in by_end.most_common())
    say(f"Would have done: {number(by_end.total())} changes. Of these {told}", hanging=2)
    rows = [
        [plain(each.field), each.system, plain(each.meaning), number(each.count), ENDED[each.ended]]
        for each in found.done[:20]
    ]
    table(["field", "in", "kind", "changes", "and then"], rows, right=[3])


def _show_prevented(found: WatchReport, zone: ZoneInfo) -> None:
    if not found.harms:
        say("Would have prevented: nothing that is certain.")
    else:
        say(f"Would have prevented: {number(sum(found.harms.values()))} changes")
    for harm, count in found.harms.items():
        say(f"  {HARMS[harm]}: {number(count)}", hanging=4)
        for each in found.samples[harm]:
            say(f"    {_sentence(each, zone)}", hanging=6)
    if found.uncertain:
        say(f"  {number(found.uncertain)} more where nobody can tell which side had the value first", hanging=4)


def _sentence(each: Prevented, zone: ZoneInfo) -> str:
    return (
        f"{clean(each.name)} {plain(each.field)}: “{clean(each.before)}” → “{clean(each.after)}”"
        f" in {each.ref.system}, {moment(each.at, zone)}  ({each.line})"
    )


def _document(found: WatchReport) -> dict[str, Any]:
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "watching": list(found.watching),
        "followed_since": found.followed_since.isoformat() if found.followed_since else None,
        "would_have_done": [
            {
                "policy": each.policy,
                "field": each.field,
                "system": each.system,
                "meaning": each.meaning,
                "then": each.ended or "stands",
                "count": each.count,
            }
            for each in found.done
        ],
        "would_have_prevented": [
            {"harm": harm, "policy": policy, "count": count}
            for (harm, policy), count in sorted(found.prevented.items())
        ],
        "samples": [
            {
                "harm": each.harm,
                "policy": each.policy,
                "line": each.line,
                "name": each.name,
                "record": str(each.ref),
                "field": each.field,
                "before": each.before,
                "after": each.after,
                "at": each.at.isoformat(),
            }
            for kept in found.samples.values()
            for each in kept
        ],
        "uncertain": found.uncertain,
    }
