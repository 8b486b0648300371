"""``truce freeze``: keep Truce away from one field of one record."""

from __future__ import annotations

import click

from agent.cli.display import print_json, say
from agent.cli.session import json_option, session_of


@click.command("freeze")
@click.argument("record", metavar="RECORD")
@click.argument("field")
@click.option("--lift", is_flag=True, help="Let Truce write it again.")
@click.option("--reason", default="", help="Why, for the ledger.")
@json_option
@click.pass_context
def command(ctx: click.Context, record: str, field: str, lift: bool, reason: str, as_json: bool) -> None:
    """Keep Truce from writing FIELD of RECORD (reference, id, e-mail, domain or name) and of its counterpart."""
    body = {"record": record, "field": field, "lift": lift, "reason": reason}
    result = session_of(ctx).order("freeze", body, "recording", quiet=as_json)
    if as_json:
        print_json(result)
    elif lift:
        say(f"{field} of {record} may be written again.", hanging=2)
    else:
        say(f"{field} of {record} is frozen: people own it until it is lifted.", hanging=2)
