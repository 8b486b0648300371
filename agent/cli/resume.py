"""``truce resume``: let a paused policy go on."""

from __future__ import annotations

import click

from agent.cli.display import print_json
from agent.cli.session import json_option, session_of


@click.command("resume")
@click.argument("policy")
@json_option
@click.pass_context
def command(ctx: click.Context, policy: str, as_json: bool) -> None:
    """Let the paused POLICY go on."""
    result = session_of(ctx).order("resume", {"policy": policy}, quiet=as_json)
    if as_json:
        print_json(result)
    else:
        click.echo(f"{policy} goes on.")
