"""``truce cutover``: from another sync to Truce, one kind of record at a time, with a way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agent.cli.display import hint, moment, number, print_json, say, say_zone
from agent.cli.session import json_option, session_of
from agent.errors import UsageError
from agent.people import needs_name

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

NEXT = {
    "native on": "Truce begins to watch {0} beside the other sync",
    "both watched": "after you switched {0} off in the other sync, say so",
    "native off": "Truce takes {0} over, if the other sync stayed silent",
    "Truce acts": "",
}


@click.command("cutover")
@click.argument("name", required=False, metavar="[OBJECT]")
@click.option("--back", is_flag=True, help="Take one step back.")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str | None, back: bool, as_json: bool) -> None:
    """Show where each kind of record stands, or take the next step for OBJECT (person, company …). Writes to no CRM.

    The steps: native on, both watched, native off, Truce acts.
    """
    session = session_of(ctx)
    if back and name is None:
        raise UsageError("a step back needs an object", next_step="truce cutover person --back")
    if name is None:
        result = session.order("cutover", {}, "looking", quiet=as_json)
    else:
        if not back:
            needs_name(session.person, "move records from one sync to another")
        result = session.order("cutover-back" if back else "cutover-next", {"object": name}, "looking", quiet=as_json)
    if as_json:
        print_json(result)
        return
    if "moved" in result:
        _say_moved(result["moved"], next(each for each in result["objects"] if each["object"] == name), back=back)
        return
    with session.reading() as installation:
        zone = installation.zone
    for each in result["objects"]:
        _show(each, zone)
    if any(each["since"] or each["other_sync"] for each in result["objects"]):
        say_zone(zone)


def _say_moved(moved: dict[str, str], standing: dict[str, Any], *, back: bool) -> None:
    name, step = moved["object"], moved["to"]
    say(f"{name}: {step}, recorded.")
    if back:
        if step == "native off":
            say(f"The policies about {name} only propose again. Nothing that was written is undone.", hanging=2)
            hint("truce batches --by policy")
        elif step == "both watched":
            say(f"Switch {name} on again in the other sync.", hanging=2)
        return
    if step == "both watched":
        hint("truce watched")
    elif step == "native off":
        say("Nothing of it may be heard for 20 minutes; then take the next step.", hanging=2)
        hint(f"truce cutover {name}")
    else:
        for policy in standing["policies"]:
            if policy["mode"] != "act":
                hint(f"truce go-live {policy['policy']}")


def _show(standing: dict[str, Any], zone: ZoneInfo) -> None:
    since = f" since {moment(standing['since'], zone)} ({standing['by']})" if standing["since"] else ""
    say(f"{standing['object']}  {standing['step']}{since}", hanging=2)
    policies = ", ".join(f"{each['policy']} ({each['mode']})" for each in standing["policies"])
    say(f"  policies    {policies or 'none'}", hanging=14)
    for each in standing["other_sync"]:
        say(
            f"  other sync  {each['author']} wrote {each['field']} in {each['system']} on {number(each['count'])}"
            f" records, last {moment(each['last_at'], zone)}",
            hanging=14,
        )
    if standing["looked"] and not standing["other_sync"]:
        say("  other sync  wrote nothing of ours in the last 24 hours", hanging=14)
    sentence = NEXT[standing["step"]].format(standing["object"])
    if sentence:
        say(f"  next        {sentence}", hanging=14)
        hint(f"truce cutover {standing['object']}", indent=14)
