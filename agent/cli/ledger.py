"""``truce ledger verify``: re-derive everything the ledger claims."""

from __future__ import annotations

import click

from agent.cli.display import number, print_json
from agent.cli.session import json_option, session_of
from agent.errors import LedgerDamaged


@click.group("ledger")
def command() -> None:
    """The ledger: what was written, before it was written."""


@command.command("verify", short_help="Recompute everything the ledger claims.")
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Recompute the hash chain and every state; name the first line that does not fit."""
    with session_of(ctx).reading() as installation:
        result = installation.ledger.verify()
        memory = installation.ledger.memory_check()
    if not result.ok:
        raise LedgerDamaged("the ledger was altered", why=result.message, next_step="restore it from a backup")
    if as_json:
        print_json({"ok": result.ok, "checked": result.rows, "memory": memory, "message": result.message})
    else:
        click.echo(f"{number(result.rows)} ledger lines verified: unaltered.")
        if memory != "ok":
            click.echo(f"But the side file says it is {memory}: restored from an old backup, or replaced.")
