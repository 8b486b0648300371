"""``truce ledger``: prove it, copy it, put a copy back."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli.display import number, print_json, say
from agent.cli.session import json_option, session_of
from agent.errors import LedgerDamaged, UsageError
from agent.people import needs_name


@click.group("ledger")
def command() -> None:
    """The ledger: what was written, before it was written."""


@command.command("verify", short_help="Recompute everything the ledger claims.")
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Recompute the hash chain and every state; name the first line that does not fit."""
    from agent.wiring.opening import open_ledger

    with open_ledger(session_of(ctx).config) as ledger:
        result = ledger.verify()
        memory = ledger.memory_check()
    if not result.ok:
        raise LedgerDamaged("the ledger was altered", why=result.message, next_step="truce ledger restore FILE")
    if as_json:
        print_json({"ok": result.ok, "checked": result.rows, "memory": memory, "message": result.message})
    else:
        say(f"{number(result.rows)} ledger lines verified: unaltered.", hanging=2)
        if memory != "ok":
            say(f"But the side file says it is {memory}: restored from an old backup, or replaced.", hanging=2)


@command.command("backup")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", type=click.IntRange(min=1), help="Keep that many copies in FOLDER and remove older ones.")
@json_option
@click.pass_context
def backup(ctx: click.Context, folder: Path, keep: int | None, as_json: bool) -> None:
    """Copy the ledger into FOLDER, also while the daemon runs, and prove the copy."""
    from agent.ledger.backup import back_up
    from agent.wiring.opening import look_at_ledger, open_ledger, wall_clock

    with open_ledger(session_of(ctx).config) as ledger:
        made = back_up(ledger, folder, wall_clock(), look_at_ledger, keep=keep)
    if as_json:
        print_json(
            {
                "file": str(made.path),
                "bytes": made.bytes,
                "lines": made.rows,
                "removed": [str(path) for path in made.removed],
            }
        )
        return
    say(f"{made.path}: {number(made.rows)} ledger lines, verified.", hanging=2)
    if made.removed:
        say(f"Removed {number(len(made.removed))} older.", hanging=2)


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def restore(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Put the copy FILE back as the ledger. What is there now is set aside, not deleted."""
    from agent.ledger.backup import restore as put_back
    from agent.wiring.opening import LEDGER, locked, look_at_ledger, wall_clock

    config = session_of(ctx).config
    with locked(config, ctx.command_path):
        done = put_back(file, config.state / LEDGER, wall_clock(), look_at_ledger)
    if as_json:
        print_json({"lines": done.rows, "aside": str(done.aside) if done.aside else None})
        return
    say(f"{number(done.rows)} ledger lines are back.", hanging=2)
    if done.aside is not None:
        say(f"What was there is in {done.aside}", hanging=2)
    click.echo("A copy is older than what was lost, so nothing is written until a person says that is so.")
    click.echo("  next   truce ledger accept")


@command.command("accept")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def accept(ctx: click.Context, yes: bool, as_json: bool) -> None:
    """Go on with a ledger that has lost its latest past. Nothing is written before a person has seen a plan."""
    from agent.wiring.opening import open_installation

    session = session_of(ctx)
    person = needs_name(session.person, "accept a ledger that lost its past")
    if as_json and not yes:
        raise UsageError("--json needs --yes, because nobody can be asked", next_step="truce ledger accept")
    if not yes:
        click.echo("What was written since this copy was made can no longer be explained or undone by Truce.")
        click.confirm("Is the newer ledger lost for good?", abort=True)
    opened = open_installation(
        session.config, command=ctx.command_path, asks_vendors=False, with_policies=False, memory_accepted_by=person
    )
    with opened as installation:
        lines = installation.ledger.last_seq
    if as_json:
        print_json({"lines": lines, "by": person})
        return
    click.echo("Accepted. Both CRMs are read again, and every policy only proposes until you let it go live.")
    click.echo("  next   truce plan")
