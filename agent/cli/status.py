"""``truce status``: is it running, what is open, what waits, how old are the exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agent.cli.batches import as_document
from agent.cli.display import moment, number, print_json
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from agent.standing import Status


@click.command("status")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Say what is running, open, waiting and frozen. Asks no CRM."""
    from agent import standing

    session = session_of(ctx)
    with session.reading() as installation:
        found = standing.status(installation, session.config.state / "writer.lock")
    if as_json:
        print_json(_document(found))
        return
    _show(found)


def _show(found: Status) -> None:
    writer = found.writer
    click.echo(
        f"Writer      {'pid ' + str(writer.get('pid')) + ' since ' + str(writer.get('since')) if writer else 'none'}"
    )
    click.echo(
        f"Mode        {found.mode}; " + ", ".join(f"{name} {mode}" for name, mode in sorted(found.policies.items()))
    )
    click.echo(f"Open        {number(found.open_entries)} entries, {number(found.unknown_entries)} of them unknown")
    for batch in found.unfinished:
        click.echo(f"Unfinished  {batch.id} {batch.title}: goes on at the next start")
    for batch in found.waiting:
        click.echo(f"Waiting     {batch.id} {batch.title}: {batch.hold_reason}, expires {moment(batch.expires_at)}")
    questions = " · ".join(f"{number(count)} {kind}" for kind, count in sorted(found.reviews.items())) or "none"
    click.echo(f"Questions   {questions}")
    frozen = " · ".join(f"{number(count)} {age}" for age, count in found.freezes.items() if count) or "none"
    click.echo(f"Frozen      {frozen}")
    for place, watermark in sorted(found.cursors.items()):
        click.echo(f"Pulled      {place} up to {moment(watermark)}")
    click.echo(f"Pending     {number(found.pending)} changes not decided yet")
    if found.last_trouble:
        click.echo(f"Last stop   {found.last_trouble}")


def _document(found: Status) -> dict[str, object]:
    return {
        "writer": found.writer,
        "mode": found.mode,
        "policies": found.policies,
        "open_entries": found.open_entries,
        "unknown_entries": found.unknown_entries,
        "waiting": [as_document(batch) for batch in found.waiting],
        "unfinished": [as_document(batch) for batch in found.unfinished],
        "reviews": found.reviews,
        "freezes": found.freezes,
        "cursors": found.cursors,
        "pending": found.pending,
        "last_trouble": found.last_trouble,
    }
