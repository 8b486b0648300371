"""``truce show``: one batch with every change, or a plan once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agent.changes import Batch, Entry
from agent.cli.batches import as_document
from agent.cli.display import clean, moment, number, print_json, row, say, say_zone
from agent.cli.session import json_option, session_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agent.reports.spoken import Spoken

LISTED = 30


@click.command("show")
@click.argument("batch_id", metavar="BATCH|PLAN")
@click.option("--all", "every", is_flag=True, help=f"List every change, not only the first {LISTED}.")
@json_option
@click.pass_context
def command(ctx: click.Context, batch_id: str, every: bool, as_json: bool) -> None:
    """Show BATCH (such as B-7): why, every change, its risk, and what to do with it; or PLAN (P-3) once more."""
    if batch_id.startswith("P-"):
        _show_plan(ctx, batch_id, as_json)
        return
    from agent.reports.spoken import Spoken

    with session_of(ctx).reading() as installation:
        batch = installation.ledger.batch(batch_id)
        undone_by = [undo for undo, undone in installation.ledger.reversals().items() if batch_id in undone]
        entries = installation.ledger.entries(batch_id=batch_id)
        names = {entry.id: installation.name_of(entry.change) for entry in entries}
        spoken = Spoken(installation)
        zone = installation.zone
        shown = [_lines_of(entry, names[entry.id], spoken) for entry in entries[: None if every else LISTED]]
    if as_json:
        listed = [_entry_document(entry, names[entry.id]) for entry in entries]
        print_json({**as_document(batch), "undone_by": undone_by, "entries": listed})
        return
    _show_head(batch, entries, undone_by, zone)
    for line in (line for lines in shown for line in lines):
        say(line, hanging=12)
    if not every and len(entries) > LISTED:
        say(f"… {number(len(entries) - LISTED)} more: truce show {batch_id} --all", hanging=2)
    _show_next(batch, zone)
    say_zone(zone)


def _show_plan(ctx: click.Context, plan_id: str, as_json: bool) -> None:
    from agent.cli.plan import show_next, show_plan
    from agent.local_time import spoken
    from agent.orders.results import plan_result
    from agent.plan import plan as plans

    with session_of(ctx).reading() as installation:
        result = plan_result(installation, plans.read(installation, plan_id))
        stored = installation.ledger.plan(plan_id)
        zone = installation.zone
    if as_json:
        print_json(result)
        return
    show_plan(result)
    if stored.used_at is not None:
        say(f"{plan_id} was applied by {stored.used_by} on {spoken(stored.used_at, zone)}; a plan is used once.")
        click.echo("  next   truce plan")
    else:
        show_next(result)


def _show_head(batch: Batch, entries: list[Entry], undone_by: list[str], zone: ZoneInfo) -> None:
    waiting = f"   WAITING: {batch.hold_reason}" if batch.state == "held" else ""
    say(f"{batch.id}  {batch.title}{waiting}", hanging=8)
    lines = sorted({cell.why.line for entry in entries for cell in entry.change.cells if cell.why.line})
    places = f"{', '.join(lines[:3])}{' …' if len(lines) > 3 else ''}"
    row("why", f"{places}; {batch.actor}, {moment(batch.opened_at, zone)}", width=8)
    meanings: dict[str, int] = {}
    for entry in entries:
        for cell in entry.change.cells:
            meanings[cell.meaning] = meanings.get(cell.meaning, 0) + 1
    what = " · ".join(f"{number(count)} {name.replace('_', ' ')}" for name, count in sorted(meanings.items()))
    say(f"what    {what}", hanging=8)
    state = " · ".join(f"{number(count)} {name}" for name, count in sorted(batch.counts.items()) if count)
    say(f"state   {state}", hanging=8)
    if batch.approved_by:
        say(f"approved by {', '.join(batch.approved_by)}", hanging=2)
    if batch.reverts:
        say(f"undoes  {', '.join(batch.reverts)}", hanging=2)
    if undone_by:
        say(f"undone by {', '.join(undone_by)}", hanging=2)


def _lines_of(entry: Entry, name: str, spoken: Spoken) -> list[str]:
    """One line per cell, and what the vendor said."""
    lines = []
    for cell in entry.change.cells:
        before, after, stored = (
            clean(spoken.value(entry.change.system, cell.field, value))
            for value in (cell.before, cell.after, entry.observed.get(cell.vendor_field, cell.after))
        )
        note = f" (stored as “{stored}”)" if stored != after and entry.observed else ""
        values = "values erased" if entry.erased else f"“{before}” → “{after}”{note}"
        lines.append(f"  {entry.state.value:<9} {clean(name)}  {cell.field}: {values}")
    return [*lines, f"            {entry.error}"] if entry.error else lines


def _show_next(batch: Batch, zone: ZoneInfo) -> None:
    if batch.state == "held":
        say(f"approve truce approve {batch.id} --count {batch.counts.get('held', 0)}", hanging=2)
        row("else", f"it expires {moment(batch.expires_at, zone)}", width=8)
    elif batch.kind != "rollback" and batch.state == "done":
        say(f"undo    truce rollback {batch.id}", hanging=2)


def _entry_document(entry: Entry, name: str) -> dict[str, Any]:
    return {
        "entry": entry.id,
        "state": entry.state.value,
        "op": entry.change.op,
        "record": str(entry.change.ref) if entry.change.ref else entry.record_id,
        "name": name,
        "entity": entry.change.entity_id,
        "system": entry.change.system,
        "attempts": entry.attempts,
        "error": entry.error,
        "recorded_at": entry.recorded_at.isoformat(),
        "cells": [
            {
                "field": cell.field,
                "vendor_field": cell.vendor_field,
                "before": cell.before,
                "after": cell.after,
                "observed": entry.observed.get(cell.vendor_field),
                "meaning": cell.meaning,
                "policy": cell.why.policy,
                "line": cell.why.line,
                "because": cell.why.sentence,
            }
            for cell in entry.change.cells
        ],
    }
