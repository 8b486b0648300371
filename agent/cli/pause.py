"""``truce pause``: stop a policy from writing."""

from __future__ import annotations

import click

from agent.cli.display import print_json, say
from agent.cli.session import json_option, session_of


@click.command("pause")
@click.argument("policy")
@click.option("--reason", default="", help="Why, for the ledger.")
@json_option
@click.pass_context
def command(ctx: click.Context, policy: str, reason: str, as_json: bool) -> None:
    """Stop POLICY from writing, at once and until it is resumed."""
    result = session_of(ctx).order("pause", {"policy": policy, "reason": reason}, "recording", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        say(f"{policy} is paused. It still watches; resume with: truce resume {policy}", hanging=2)
