"""``truce week``: the week for whoever answers for it, in the terminal or as one HTML page."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.digest_lines import document, field_name, lines, percent
from agent.cli.display import hint, number, print_json, row, say, say_zone, table
from agent.cli.session import json_option, session_of
from agent.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.reports.digest import Digest

LABEL = 24


@click.command("week")
@click.option("--days", type=click.IntRange(1, 92), default=7, show_default=True, help="How far back.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write it as one HTML page instead."
)
@json_option
@click.pass_context
def command(ctx: click.Context, days: int, page: Path | None, as_json: bool) -> None:
    """The last week: changes by day, agreement by field, policies people change back, what waits."""
    from agent.reports.digest import digest

    with session_of(ctx).reading() as installation:
        found = digest(installation, installation.clock() - timedelta(days=days))
        zone = installation.zone
    if page is not None:
        _write(page, found, zone)
    if as_json:
        print_json({**document(found, zone), "html": str(page) if page is not None else None})
        return
    if page is not None:
        say(f"Written to {page}, readable by you alone: it holds names of people.", hanging=2)
        return
    for line in lines(found, zone):
        row(line.name, line.text, width=LABEL)
        if line.next_step:
            hint(line.next_step, indent=LABEL)
    _tables(found)
    click.echo()
    say_zone(zone)


def _write(page: Path, found: Digest, zone: ZoneInfo) -> None:
    from agent.cli.week_page import week_page
    from agent.private_files import write_private_file

    try:
        write_private_file(page, week_page(found, zone).encode())
    except OSError as error:
        raise UsageError(
            f"cannot write {page}",
            why=(error.strerror or "it cannot be written").lower(),
            next_step="name a file in a folder of yours",
        ) from None


def _tables(found: Digest) -> None:
    click.echo()
    rows = [
        [
            f"{each.day:%a %d %b}",
            number(each.written),
            number(each.changed_back),
            percent(each.agreement) if each.agreement is not None else "",
        ]
        for each in found.days
    ]
    table(["day", "written", "changed back", "agree"], rows, right=[1, 2, 3])
    if found.trust:
        click.echo()
        names = [[each.policy, number(each.written), number(each.changed_back), each.place] for each in found.trust]
        table(["policy", "values written", "changed back", "where"], names, right=[1, 2])
    if found.fields:
        click.echo()
        shares = [
            [field_name(each, found), number(each.agree), number(each.differ), percent(each.share)]
            for each in found.fields
        ]
        table(["field", "agree", "differ", "share"], shares, right=[1, 2, 3])
