"""``truce apply``: write a plan that was shown."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.display import number, print_json, say
from agent.cli.session import json_option, session_of

SOME_FAILED = 3


@click.command("apply")
@click.argument("plan_id", metavar="PLAN")
@click.option("--confirm", type=int, metavar="COUNT", help="You saw COUNT changes: lifts limits of volume for them.")
@click.option("--lift-freezes", is_flag=True, help="Also write what an undo froze, as the plan lists it.")
@json_option
@click.pass_context
def command(ctx: click.Context, plan_id: str, confirm: int | None, lift_freezes: bool, as_json: bool) -> int:
    """Write PLAN (such as P-3): 25 records, read back, 250, then the rest. Each is recorded first."""
    session = session_of(ctx)
    body: dict[str, Any] = {"plan": plan_id, "confirm": confirm, "lift_freezes": lift_freezes}
    result = session.order("apply", body, "writing", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        show_written(result)
        if result["held"]:
            shown = " · ".join(f"truce show {batch}" for batch in result["held"])
            say(f"  Held until somebody approves: {shown}", hanging=4)
    return exit_code_of(result)


def show_written(result: dict[str, Any]) -> None:
    """What a batch came to, and how to undo it."""
    if result["batch"] is None:
        click.echo("Nothing to write.")
        return
    say(f"{result['batch']}: {number(result['written'])} written, each recorded first and read back.", hanging=2)
    for name, words in (
        ("drifted", "left alone, changed meanwhile"),
        ("failed", "refused by the vendor"),
        ("unknown", "unknown: the reply was lost; settled by reading at the next cycle"),
    ):
        if result[name]:
            say(f"  {number(result[name])} {words}", hanging=4)
    show_problems(result)
    retry = " · truce retry" if result["failed"] else ""
    say(f"  next   truce show {result['batch']} · truce rollback {result['batch']}{retry}", hanging=9)


def show_problems(result: dict[str, Any]) -> None:
    for problem in result["problems"][:10]:
        say(f"  {problem['entry']}  {problem['name']}  {problem['error']}", hanging=4)


def exit_code_of(result: dict[str, Any]) -> int:
    """Not all is well as long as the batch has a problem, also one of an earlier run that this one finished."""
    return SOME_FAILED if result["failed"] or result["unknown"] or result["drifted"] or result["problems"] else 0
