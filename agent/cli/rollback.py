"""``truce rollback``: preview the undo of batches; ``--apply`` writes it."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.apply import exit_code_of, show_written
from agent.cli.display import clean, number, print_json
from agent.cli.session import json_option, session_of

LISTED = 40


@click.command("rollback")
@click.argument("batch_ids", nargs=-1, required=True, metavar="BATCH…")
@click.option("--apply", "write", is_flag=True, help="Write it. Without this, only a preview.")
@json_option
@click.pass_context
def command(ctx: click.Context, batch_ids: tuple[str, ...], write: bool, as_json: bool) -> int:
    """Undo BATCH: put back what is untouched, keep what people changed since, skip what is gone.

    Interrupted? Run the same command again: it goes on where it stopped.
    """
    session = session_of(ctx)
    body: dict[str, Any] = {"batches": list(batch_ids)}
    kind = "rollback" if write else "preview-rollback"
    result = session.order(kind, body, "undoing", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        if "restore" in result:
            show_reversal(result)
        if write:
            if result.get("resumed"):
                click.echo(f"Went on with the interrupted {result['batch']}.")
            show_written(result)
        else:
            click.echo(f"  next   truce rollback {' '.join(batch_ids)} --apply")
    return exit_code_of(result) if write else 0


def show_reversal(result: dict[str, Any]) -> None:
    """Counts first, then everything that is left alone, by name."""
    parts = [
        f"restore {number(result['restore'])}",
        f"keep {number(result['keep'])} (newer edits, by name below)",
        f"skip {number(result['skip'])} deleted or merged",
    ]
    if result["already"]:
        parts.append(f"already back {number(result['already'])}")
    if result["blocked"]:
        parts.append(f"blocked {number(result['blocked'])}")
    click.echo(f"Undo of {', '.join(result['batches'])}: " + " · ".join(parts))
    for item in result["left"][:LISTED]:
        who = clean(item["name"]) if item["name"] else item["record"]
        tail = f", now “{clean(item['live'])}”" if item["fate"].startswith("keep") and item["field"] != "create" else ""
        note = f" ({item['note']})" if item["note"] and item["note"] != item["record"] else ""
        click.echo(f"  {item['fate']:<20} {who}  {item['field']}{tail}{note}")
    if len(result["left"]) > LISTED:
        click.echo(f"  … {number(len(result['left']) - LISTED)} more (--json lists up to 200)")
    click.echo("Not undone: e-mails, tasks, flows and workflows that the change set off in the CRMs.")
