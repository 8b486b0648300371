"""``truce reject``: turn a held batch down."""

from __future__ import annotations

import click

from agent.cli.display import print_json, say
from agent.cli.session import json_option, session_of
from agent.people import needs_name


@click.command("reject")
@click.argument("batch_id", metavar="BATCH")
@click.option("--reason", default="", help="Why, for the ledger.")
@json_option
@click.pass_context
def command(ctx: click.Context, batch_id: str, reason: str, as_json: bool) -> None:
    """Turn the held BATCH down; nothing of it is written."""
    session = session_of(ctx)
    needs_name(session.person, "reject")
    result = session.order("reject", {"batch": batch_id, "reason": reason}, "turning down", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        say(f"{batch_id} rejected: {result['rejected']} changes will not be written.", hanging=2)
