"""``truce consent``: who may be written to again, with evidence and two people."""

from __future__ import annotations

import click

from agent.cli.display import clean, print_json, say
from agent.cli.session import json_option, session_of
from agent.people import needs_name
from agent.words import counted


@click.group("consent")
def command() -> None:
    """Who may be written to. Opt-outs travel by themselves; an opt-in never does."""


@command.command("conflicts")
@json_option
@click.pass_context
def conflicts(ctx: click.Context, as_json: bool) -> None:
    """List every address that is opted out on one record and not on another, with what each record says."""
    from agent.consent.consent import conflicts as found_in

    with session_of(ctx).reading() as installation:
        found = list(found_in(installation))
    if as_json:
        listed = [
            {"address": each.address, "records": [{"record": str(ref), "opted_out": out} for ref, out in each.said]}
            for each in found
        ]
        print_json({"conflicts": listed})
        return
    for each in found:
        say(clean(each.address))
        for ref, out in each.said:
            say(f"  {'opted out' if out else 'not opted out':<14}{ref}", hanging=16)
    say(f"{len(found)} addresses differ." if found else "Every record says the same of each address.")


@command.command("opt-in", short_help="Ask for an opt-in: evidence, then two people.")
@click.argument("record", metavar="RECORD")
@click.option(
    "--source", required=True, metavar="TEXT", help="Where the person said yes: the form, the letter, the call."
)
@click.option("--at", required=True, metavar="WHEN", help='When: "2026-11-20 17:00", "yesterday 9:00", "2 days ago".')
@click.option("--actor", required=True, metavar="WHO", help="Who recorded it there.")
@json_option
@click.pass_context
def opt_in(ctx: click.Context, record: str, source: str, at: str, actor: str, as_json: bool) -> None:
    """Ask to opt in everybody with the e-mail address of RECORD (an address, a reference or an id).

    Nothing is written: a batch waits until two people approve it, and you are neither of them. What a CRM lets no
    program take back is named as a step for a person there.
    """
    session = session_of(ctx)
    needs_name(session.person, "ask for an opt-in")
    body = {"record": record, "source": source, "at": at, "recorded_by": actor}
    result = session.order("opt-in", body, "recording", quiet=as_json)
    if as_json:
        print_json(result)
        return
    say(f"{result['batch']} waits: opt-in of {result['address']} on {counted(result['records'], 'record')}.")
    for step in result["steps"]:
        say(f"  then   {step}", hanging=9)
    say(f"  next   truce approve {result['batch']} --count {result['records']}   (two people, not you)", hanging=9)
