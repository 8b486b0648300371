"""``truce mode``: the ceiling over every policy, shown and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from agent.cli.choice import Choice
from agent.cli.display import moment, print_json, say, say_zone
from agent.cli.session import Session, json_option, session_of
from agent.errors import LedgerMissing
from agent.people import needs_name

if TYPE_CHECKING:
    from agent.approval.ceiling import Ceiling

MEANING = {
    "watch": "only reports what it would do",
    "ask": "proposes, and a person approves",
    "act": "writes by itself what its live policies say, within the limits",
}


@click.command("mode")
@click.argument("mode", type=Choice(list(MEANING)), required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, mode: str | None, as_json: bool) -> None:
    """Show how much Truce may do at most, or set it: watch, ask or act. It survives restarts."""
    from agent.approval.ceiling import MODES, is_raised

    session = session_of(ctx)
    before, zone = _in_force(session)
    if mode is None:
        if as_json:
            set_at = before.set_at.isoformat() if before.set_at else None
            print_json({"mode": before.mode, "set_by": before.set_by, "set_at": set_at})
            return
        who = (
            f"set by {before.set_by}, {moment(before.set_at, zone)}" if before.set_by else f"from {session.config_path}"
        )
        say(f"{before.mode}: Truce {MEANING[before.mode]} ({who}).", hanging=2)
        if before.set_by:
            say_zone(zone)
        return
    wanted = next(each for each in MODES if each == mode)
    if is_raised(before.mode, wanted):
        needs_name(session.person, "let Truce do more")
    result = session.order("mode", {"mode": mode}, "setting", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        say(f"{before.mode} → {mode}: Truce {MEANING[mode]}.", hanging=2)


def _in_force(session: Session) -> tuple[Ceiling, ZoneInfo]:
    """Before the first plan there is no ledger, and only the config has said something."""
    from agent.approval.ceiling import Ceiling, ceiling

    try:
        with session.reading() as installation:
            return ceiling(installation.ledger, session.config.run.mode), installation.zone
    except LedgerMissing:
        return Ceiling(session.config.run.mode), ZoneInfo("UTC")
