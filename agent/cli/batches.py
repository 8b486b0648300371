"""``truce batches``: what was written, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agent.changes import HELD, Batch
from agent.cli.choice import Choice
from agent.cli.display import moment, number, print_json, say, say_zone, table
from agent.cli.session import json_option, session_of
from agent.errors import UsageError
from agent.words import counted

if TYPE_CHECKING:
    from agent.reports.batch_groups import By, Group


@click.command("batches")
@click.option("--waiting", is_flag=True, help="Only those that wait for approval.")
@click.option("--by", type=Choice(["plan", "policy", "revision", "hour"]), help="In groups, each with its undo.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@json_option
@click.pass_context
def command(ctx: click.Context, waiting: bool, by: By | None, limit: int, as_json: bool) -> None:
    """List batches: what one cycle, one plan or one undo wrote."""
    from agent.reports.batch_groups import grouped

    if waiting and by:
        raise UsageError(
            "what waits has written nothing that could be grouped",
            why="groups are of what was written",
            next_step="truce batches --waiting",
        )
    with session_of(ctx).reading() as installation:
        batches = installation.ledger.batches(states=HELD if waiting else None, limit=limit)
        groups = grouped(installation, batches, by) if by else []
        zone = installation.zone
    if as_json:
        found = {"groups": [_group_document(group) for group in groups]} if by else {}
        print_json({"batches": [as_document(batch) for batch in batches], **found})
        return
    if by:
        _show_groups(groups, len(batches))
        if by in ("hour", "policy") and groups:
            say_zone(zone)
        return
    if not batches:
        click.echo("No batch waits for approval." if waiting else "Nothing was written yet.")
        return
    rows = [
        [
            batch.id,
            moment(batch.opened_at, zone),
            batch.state,
            number(sum(batch.counts.values())),
            batch.title,
            batch.actor.partition("@")[0],
        ]
        for batch in batches
    ]
    table(["batch", "when", "state", "changes", "what", "by"], rows, right=[3])
    say_zone(zone)


def _show_groups(groups: list[Group], looked_at: int) -> None:
    """``looked_at``: how many batches, the newest."""
    if not groups:
        newest = "newest batch" if looked_at == 1 else f"newest {number(looked_at)} batches"
        click.echo(f"The {newest} wrote nothing, undos left out." if looked_at else "Nothing was written yet.")
    for group in groups:
        count = len(group.batches)
        named = f"{count} batches" if count > 1 else group.batches[0].id
        say(f"{group.name}  {counted(group.written, 'change')} in {named}", hanging=2)
        say(f"  undo   {group.undo}", hanging=4)


def _group_document(group: Group) -> dict[str, Any]:
    return {
        "group": group.name,
        "batches": [batch.id for batch in group.batches],
        "written": group.written,
        "undo": group.undo,
    }


def as_document(batch: Batch) -> dict[str, Any]:
    """A batch as schemas/batches.json describes it."""
    return {
        "batch": batch.id,
        "kind": batch.kind,
        "state": batch.state,
        "title": batch.title,
        "actor": batch.actor,
        "opened_at": batch.opened_at.isoformat(),
        "closed_at": batch.closed_at.isoformat() if batch.closed_at else None,
        "counts": dict(batch.counts),
        "reverts": list(batch.reverts),
        "plan": batch.plan_id,
        "approved_by": list(batch.approved_by),
        "hold_reason": batch.hold_reason,
        "expires_at": batch.expires_at.isoformat() if batch.expires_at else None,
        "hash": batch.hash,
    }
