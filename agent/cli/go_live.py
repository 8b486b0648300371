"""``truce go-live``: let a policy act by itself, after a person saw its plan."""

from __future__ import annotations

import sys

import click

from agent.cli.display import print_json, say
from agent.cli.plan import show_plan
from agent.cli.session import json_option, session_of
from agent.errors import UsageError
from agent.people import needs_name


@click.command("go-live")
@click.argument("policy")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts that showed the plan elsewhere.")
@json_option
@click.pass_context
def command(ctx: click.Context, policy: str, yes: bool, as_json: bool) -> None:
    """Show what POLICY would write now, then let it act by itself. Approves its meaning, not its comments."""
    session = session_of(ctx)
    person = needs_name(session.person, "let a policy act")
    if not yes and (as_json or not sys.stdin.isatty()):
        raise UsageError(
            "there is nobody to ask, so nothing was changed",
            why="this is no terminal; --yes says that the plan was seen elsewhere",
            next_step=f"truce plan --policy {policy}",
        )
    plan = session.order("plan", {"policies": [policy]}, "deciding", quiet=as_json)
    with session.reading() as installation:
        header = installation.policies.policies.headers.get(policy)
    if header is None:
        raise UsageError(f"there is no policy {policy}", next_step="truce check")
    if not as_json:
        show_plan(plan)
        if header.mode != "act":
            say(
                f"{policy} says mode: {header.mode}, so it will not write by itself before that line says act.",
                hanging=2,
            )
        if not yes:
            click.confirm(f"{person}: let {policy} act by itself from now on?", abort=True)
    result = session.order("go-live", {"policy": policy, "meaning": header.meaning}, "going live", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        say(f"{policy} is live, approved by {person}. A changed meaning asks again.", hanging=2)
