"""``truce align``: the first differences of two filled CRMs, decided in groups and written in slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.apply import exit_code_of, show_problems
from agent.cli.display import clean, number, print_json, say, table
from agent.cli.session import json_option, session_of
from agent.people import needs_name
from agent.words import counted


@click.group("align", invoke_without_command=True)
@click.option("--csv", "folder", type=click.Path(file_okay=False, path_type=Path), help="Also list every difference.")
@click.option("--samples", is_flag=True, help="Show some of each group.")
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path | None, samples: bool, as_json: bool) -> None:
    """Read both CRMs and group what differs and was never settled. Writes to no CRM."""
    if ctx.invoked_subcommand is not None:
        return
    body = {"lists": str(folder.absolute()) if folder else None}
    result = session_of(ctx).order("align", body, "comparing", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        _show(result, with_samples=samples)


@command.command("decide")
@click.argument("policy")
@click.argument("field")
@click.argument("pattern")
@click.argument("decision")
@json_option
@click.pass_context
def decide(ctx: click.Context, policy: str, field: str, pattern: str, decision: str, as_json: bool) -> None:
    """Decide one group: truce align decide person-basics job_title different salesforce.

    PATTERN is blank-in-salesforce, blank-in-hubspot, cannot-fill-salesforce, cannot-fill-hubspot, spelling, different
    or unmapped. DECISION is fill, salesforce, hubspot, ask or leave.
    """
    session = session_of(ctx)
    person = needs_name(session.person, "decide first differences")
    body = {"policy": policy, "field": field, "pattern": pattern.replace("-", " "), "decision": decision}
    result = session.order("align-decide", body, "comparing", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        say(f"{field}, {result['pattern']}: {decision}, decided by {person}. Nothing is written yet.", hanging=2)
        click.echo("  next   truce align apply")


@command.command("suggested")
@json_option
@click.pass_context
def suggested(ctx: click.Context, as_json: bool) -> None:
    """Decide every group nobody decided yet as the policies suggest."""
    session = session_of(ctx)
    needs_name(session.person, "decide first differences")
    result = session.order("align-suggested", {}, "comparing", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        _show(result, with_samples=False)


@command.command("apply")
@json_option
@click.pass_context
def apply(ctx: click.Context, as_json: bool) -> int:
    """Carry out the decisions: 25 records, read back, 250, then a thousand at a time, each slice undoable alone."""
    session = session_of(ctx)
    needs_name(session.person, "write first differences")
    result = session.order("align-apply", {}, "writing", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        _show_written(result)
    return exit_code_of(result)


def _show(result: dict[str, Any], *, with_samples: bool) -> None:
    if not result["groups"]:
        click.echo("No first differences: what is paired agrees or was settled before.")
        return
    rows = []
    for group in result["groups"]:
        decided = group["decision"] or "–"
        rows.append(
            [group["policy"], group["field"], group["pattern"], number(group["count"]), group["suggested"], decided]
        )
    table(["policy", "field", "how they differ", "pairs", "suggested", "decided"], rows, right=[3])
    _show_obstacles(result["groups"])
    if with_samples:
        _show_samples(result["groups"])
    if result.get("lists"):
        say(f"Every difference is listed in {result['lists']}, one file per group.")
    click.echo(f"{counted(result['differences'], 'difference')}, {number(result['decided'])} of them decided.")
    _show_next(result)


def _show_obstacles(groups: list[dict[str, Any]]) -> None:
    """Why blanks cannot be filled."""
    for group in groups:
        if group["because"]:
            say(f"{group['field']}, {group['pattern']}:", hanging=2)
        for item in group["because"]:
            say(f"    {number(item['count'])}: {clean(item['reason'])}", hanging=6)


def _show_samples(groups: list[dict[str, Any]]) -> None:
    for group in groups:
        say(f"{group['field']}, {group['pattern']}  ({group['line']})", hanging=2)
        for sample in group["samples"]:
            values = " · ".join(f"{system} {clean(value)}" for system, value in sample["values"].items())
            say(f"    {clean(sample['name'])}: {values}", hanging=6)


def _show_next(result: dict[str, Any]) -> None:
    waiting = next((group for group in result["groups"] if group["decision"] is None), None)
    if waiting is None:
        click.echo("  next   truce align apply")
        return
    pattern = waiting["pattern"].replace(" ", "-")
    words = "|".join(waiting["choices"])
    say("  next   truce align --samples")
    say(f"         truce align decide {waiting['policy']} {waiting['field']} {pattern} {words}", hanging=11)
    say("         truce align suggested takes every suggestion that is not decided otherwise", hanging=11)


def _show_written(result: dict[str, Any]) -> None:
    if result["resumed"]:
        say(f"Went on with the interrupted {', '.join(result['resumed'])}.", hanging=2)
    batches = ", ".join(result["batches"])
    if batches:
        say(f"{number(result['written'])} records written in {batches}, each recorded first and read back.")
    else:
        say("Nothing was written.")
    for name, words in (
        ("left", "differences left as they are"),
        ("asked", "questions opened"),
        ("drifted", "left alone, changed meanwhile"),
        ("failed", "refused by the vendor"),
        ("unknown", "unknown: the reply was lost; settled by reading at the next cycle"),
    ):
        if result[name]:
            say(f"  {number(result[name])} {words}", hanging=4)
    show_problems(result)
    for item in result["impossible"]:
        say(f"  {number(item['count'])} not possible: {item['reason']}", hanging=4)
    for item in result["held"]:
        say(f"HOLD  {item['batch']}: {item['reason']}", hanging=6)
    if result["stopped"]:
        say(f"Stopped: {result['stopped']}.", hanging=2)
    undo = f" · truce rollback {result['batches'][-1]}" if result["batches"] else ""
    say(f"  next   truce align{undo}", hanging=9)
