"""``truce forget``: preview what Truce holds of somebody; ``--apply`` forgets it."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.display import hint, number, print_json, say
from agent.cli.session import json_option, session_of
from agent.people import needs_name

STILL_THERE = "still there: erase it there; until then Truce holds a copy of what it holds"


@click.command("forget")
@click.argument("record", metavar="RECORD")
@click.option("--apply", "write", is_flag=True, help="Forget it. Without this, only a preview.")
@json_option
@click.pass_context
def command(ctx: click.Context, record: str, write: bool, as_json: bool) -> None:
    """Forget one person or company: RECORD is a reference, id, e-mail or domain, or a name such as person-57.

    Their values leave the ledger, plans, questions and the mirror for good; nothing of Truce writes or creates them
    again. Which field was written when and why stays, and the ledger still verifies. No CRM is written: erase them
    there.
    """
    session = session_of(ctx)
    if write:
        needs_name(session.person, "have somebody forgotten")
        result = session.order("forget", {"record": record}, "forgetting", quiet=as_json)
    else:
        result = _preview(ctx, record)
    if as_json:
        print_json(result)
    else:
        _show(result, record)


def _preview(ctx: click.Context, record: str) -> dict[str, Any]:
    from agent.forgetting.forgetting import find
    from agent.orders.forgetting import forget_result

    with session_of(ctx).reading() as installation:
        return forget_result(find(installation, record))


def _show(result: dict[str, Any], record: str) -> None:
    done = result["forgotten"]
    again = " (forgotten before)" if result["was_forgotten"] else ""
    say(f"{result['entity']}{again}: {'forgotten' if done else 'would be forgotten'}")
    say(f"  ledger   the values of {number(result['entries'])} writes; that they were made stays", hanging=11)
    if result["waiting"]:
        say(f"  waiting  {number(result['waiting'])} writes that will not be made", hanging=11)
    if result["questions"]:
        say(f"  asked    the words of {number(result['questions'])} questions", hanging=11)
    for each in result["records"]:
        say(f"  record   {each['record']}  {STILL_THERE if each['still_there'] else 'gone'}", hanging=11)
    say("  not here backups, lists and reports you saved: docs/erasing.md names them", hanging=11)
    if not done:
        hint(f"truce forget {record} --apply")
