"""``truce today``: the morning in five lines."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import click

from agent.cli.batches import as_document
from agent.cli.display import moment, number, print_json, row
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from agent.standing import Today


_line = partial(row, width=24)


@click.command("today")
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="How far back.")
@json_option
@click.pass_context
def command(ctx: click.Context, hours: int, as_json: bool) -> None:
    """What changed, what people changed back, what waits for you, what is near its limit."""
    from agent import standing

    with session_of(ctx).reading() as installation:
        found = standing.today(installation, installation.clock() - timedelta(hours=hours))
    if as_json:
        print_json(_document(found))
        return
    _show(found)


def _show(found: Today) -> None:
    back = sum(item.count for item in found.changed_back)
    detail = ", ".join(f"{item.count} {item.field.replace('_', ' ')}" for item in found.changed_back[:3])
    _line(
        f"Since {moment(found.since)}",
        f"{number(found.written)} changes · people changed {number(back)} back"
        + (f" ({detail})" if detail else "")
        + f" · {number(found.unknown)} unknown",
    )
    questions = " · ".join(f"{number(count)} {kind}" for kind, count in sorted(found.reviews.items()))
    waits = f"{len(found.waiting)} batch{'es' if len(found.waiting) != 1 else ''}" if found.waiting else "no batch"
    _line("Waiting for you", waits + (f" · {questions}" if questions else ""))
    _line("Stopped", "; ".join(found.stopped) or "nothing")
    if found.nearest_limit:
        name, used, allowed = found.nearest_limit
        _line("Nearest limit", f"{name.replace('_', ' ')} {used} of {allowed}")
    if found.agreement is not None:
        _line("Both CRMs", f"agree on {found.agreement:.1%} of fields we watch")
    if found.waiting:
        click.echo(f"  next   truce show {found.waiting[0].id}")
    elif found.reviews:
        click.echo("  next   truce review")


def _document(found: Today) -> dict[str, object]:
    return {
        "since": found.since.isoformat(),
        "written": found.written,
        "failed": found.failed,
        "unknown": found.unknown,
        "changed_back": [
            {"field": item.field, "system": item.system, "count": item.count} for item in found.changed_back
        ],
        "waiting": [as_document(batch) for batch in found.waiting],
        "reviews": found.reviews,
        "stopped": list(found.stopped),
        "nearest_limit": list(found.nearest_limit) if found.nearest_limit else None,
        "agreement": found.agreement,
    }
