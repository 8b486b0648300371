"""``truce timeline``: both CRMs and Truce on one line of time."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from agent.cli.display import clean, hint, moment, print_json, say, say_zone
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.reports.spoken import Spoken
    from agent.reports.timeline import Moment, Timeline


@click.command("timeline")
@click.argument("record", metavar="RECORD")
@json_option
@click.pass_context
def command(ctx: click.Context, record: str, as_json: bool) -> None:
    """All that is known of RECORD (reference, id, e-mail, domain or name), oldest first."""
    from agent.reports.spoken import Spoken
    from agent.reports.timeline import timeline

    with session_of(ctx).reading() as installation:
        found = timeline(installation, record)
        spoken = Spoken(installation)
        zone = installation.zone
        sentences = [_sentence(each, spoken, zone) for each in found.moments]
    if as_json:
        print_json(_document(found))
        return
    say(f"{clean(found.name)}  {' · '.join(str(ref) for ref in found.refs)}", hanging=2)
    for each, sentence in zip(found.moments, sentences, strict=True):
        say(f"{moment(each.at, zone):<17} {each.where:<11} {sentence}", hanging=30)
    say_zone(zone)
    hint(f"truce why {shlex.quote(record)}")


def _sentence(each: Moment, spoken: Spoken, zone: ZoneInfo) -> str:
    before, after = (clean(spoken.value(each.system, each.field, value)) for value in (each.before, each.after))
    value = f" “{before}” → “{after}”" if each.is_value else ""
    field = f"{each.field}: " if each.field else ""
    since = f" (after {moment(each.since, zone)})" if each.since else ""
    origin = " · ".join(part for part in (each.batch, each.line, each.who) if part)
    return f"{field}{each.what}{value}{since}" + (f"  ← {origin}" if origin else "")


def _document(found: Timeline) -> dict[str, Any]:
    return {
        "entity": found.entity_id,
        "name": found.name,
        "records": [str(ref) for ref in found.refs],
        "moments": [
            {
                "at": each.at.isoformat(),
                "where": each.where,
                "what": each.what,
                "field": each.field,
                "before": each.before,
                "after": each.after,
                "since": each.since.isoformat() if each.since else None,
                "batch": each.batch,
                "line": each.line,
                "who": each.who,
            }
            for each in found.moments
        ],
    }
