"""``truce retry``: what a vendor refused, and having it tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agent.cli.display import moment, number, one_line, print_json, say, say_zone
from agent.cli.session import json_option, session_of
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.changes import Entry

LISTED = 30


@click.command("retry")
@click.argument("batch_id", required=False, metavar="[BATCH]")
@click.option("--all", "everything", is_flag=True, help="Everything that failed and still stands.")
@json_option
@click.pass_context
def command(ctx: click.Context, batch_id: str | None, everything: bool, as_json: bool) -> None:
    """List what a vendor refused; with BATCH or --all have it decided again in the next cycle."""
    if batch_id and everything:
        raise UsageError("a batch or everything, not both", next_step=f"truce retry {batch_id}")
    if not batch_id and not everything:
        _list(ctx, as_json=as_json)
        return
    result = session_of(ctx).order("retry", {"batch": batch_id}, "recording", quiet=as_json)
    if as_json:
        print_json(result)
        return
    if result["records"]:
        say(f"{number(result['records'])} records are decided again in the next cycle.")
        click.echo("  next   truce run --once, if no daemon is running")
    for batches in result["undos"]:
        say(f"An undo failed in part; order it again: truce rollback {' '.join(batches)} --apply")


def _list(ctx: click.Context, *, as_json: bool) -> None:
    from agent import failures

    with session_of(ctx).reading() as installation:
        found = [_document(entry) for entry in failures.standing(installation)]
        zone = installation.zone
    if as_json:
        print_json({"failed": found})
        return
    if not found:
        click.echo("No write that failed still stands.")
        return
    for item in found[:LISTED]:
        fields = ", ".join(item["fields"]) or item["op"]
        say(f"{item['batch']:<6} {moment(item['at'], zone)}  {item['record']}  {fields}", hanging=7)
        say(f"       {item['error']}", hanging=7)
    if len(found) > LISTED:
        say(f"… {number(len(found) - LISTED)} more (--json lists all)", hanging=2)
    say_zone(zone)
    say(
        f"  next   put the cause right in the CRM, then truce retry {found[0]['batch']} or truce retry --all", hanging=9
    )


def _document(entry: Entry) -> dict[str, Any]:
    change = entry.change
    return {
        "entry": entry.id,
        "batch": entry.batch_id,
        "at": (entry.settled_at or entry.recorded_at).isoformat(),
        "op": change.op,
        "record": str(change.ref) if change.ref else f"new {change.system} {change.object_type}",
        "fields": [cell.field for cell in change.cells],
        "error": one_line(entry.error or ""),
    }
