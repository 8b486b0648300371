"""``truce approve``: exactly the list shown, once."""

from __future__ import annotations

import click

from agent.cli.apply import exit_code_of, show_written
from agent.cli.display import print_json, say
from agent.cli.session import json_option, session_of
from agent.people import needs_name


@click.command("approve")
@click.argument("batch_id", metavar="BATCH")
@click.option("--count", type=int, required=True, help="How many changes you saw; another number is refused.")
@click.option("--reason", default="", help="Why; asked for when stages move back.")
@json_option
@click.pass_context
def command(ctx: click.Context, batch_id: str, count: int, reason: str, as_json: bool) -> int:
    """Approve the held BATCH. With the last approval asked for it is written."""
    session = session_of(ctx)
    needs_name(session.person, "approve")
    result = session.order("approve", {"batch": batch_id, "count": count, "reason": reason}, "writing", quiet=as_json)
    if as_json:
        print_json(result)
    elif result["still_needed"]:
        say(f"Approved by {', '.join(result['approved_by'])}; {result['still_needed']} more needed.", hanging=2)
    else:
        show_written(result)
    return 0 if result["still_needed"] else exit_code_of(result)
