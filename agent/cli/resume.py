"""``truce resume``: let a paused policy go on."""

from __future__ import annotations

import click

from agent.cli.display import print_json, say
from agent.cli.session import json_option, session_of


@click.command("resume")
@click.argument("policy")
@json_option
@click.pass_context
def command(ctx: click.Context, policy: str, as_json: bool) -> None:
    """Let the paused POLICY go on, and one that a changed picklist or a shorter field suspended."""
    result = session_of(ctx).order("resume", {"policy": policy}, "recording", quiet=as_json)
    if as_json:
        print_json(result)
        return
    say(f"{policy} goes on." if not result["suspended"] else f"{policy} is not paused, but:", hanging=2)
    for each in result["suspended"]:
        say(f"  {each['line'] or policy} stays suspended: {each['because']}", hanging=4)
        say(f"    {each['next']}", hanging=4)
