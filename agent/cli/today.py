"""``truce today``: the morning, a line each, with one next step."""

from __future__ import annotations

from datetime import timedelta

import click

from agent.cli.digest_lines import document, lines
from agent.cli.display import hint, print_json, row, say_zone
from agent.cli.session import json_option, session_of

LABEL = 24
"""Columns of the names; ``Since Thu 26 Nov 08:00`` is the longest."""


@click.command("today")
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="How far back.")
@json_option
@click.pass_context
def command(ctx: click.Context, hours: int, as_json: bool) -> None:
    """What changed, what people changed back, what waits for you, what is near its limit."""
    from agent.reports.digest import digest

    with session_of(ctx).reading() as installation:
        found = digest(installation, installation.clock() - timedelta(hours=hours))
        zone = installation.zone
    if as_json:
        print_json(document(found, zone))
        return
    for line in lines(found, zone):
        row(line.name, line.text, width=LABEL)
        if line.next_step:
            hint(line.next_step, indent=LABEL)
    say_zone(zone)
