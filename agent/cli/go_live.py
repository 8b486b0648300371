"""``truce go-live``: let a policy act by itself, after a person saw its plan."""

from __future__ import annotations

import sys

import click

from agent.cli.display import print_json, say
from agent.cli.plan import show_plan
from agent.cli.session import Session, json_option, session_of
from agent.errors import UsageError
from agent.people import needs_name


@click.command("go-live")
@click.argument("policy")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts that showed the plan elsewhere.")
@json_option
@click.pass_context
def command(ctx: click.Context, policy: str, yes: bool, as_json: bool) -> None:
    """Show what POLICY would write now, then let it act by itself. Approves its meaning, not its comments."""
    from agent.policy_files.named import header_named

    session = session_of(ctx)
    person = needs_name(session.person, "let a policy act")
    _require_known(session, policy)
    if not yes and (as_json or not sys.stdin.isatty()):
        raise UsageError(
            "there is nobody to ask, so nothing was changed",
            why="this is no terminal; --yes says that the plan was seen elsewhere",
            next_step=f"truce plan --policy {policy}",
        )
    plan = session.order("plan", {"policies": [policy]}, "deciding", quiet=as_json)
    with session.reading() as installation:
        header = header_named(policy, installation.policies.policies.headers)
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


def _require_known(session: Session, policy: str) -> None:
    """A name that is none is told first, before anybody is asked; the files are enough for that."""
    from agent.decide import parse
    from agent.policy_files.named import header_named
    from agent.policy_files.policy_files import read_sources
    from agent.wiring.opening import wall_clock
    from agent.wiring.settings import systems_of

    sources = read_sources(session.config.policies)
    policies = parse.load(sources, None, wall_clock().date(), systems_of(session.config))
    header_named(policy, policies.headers)
