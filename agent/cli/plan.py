"""``truce plan``: what would be written, and why. Writes to no CRM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from agent.cli.display import clean, number, print_json, say, table
from agent.cli.session import json_option, session_of

FOUND_CHANGES = 20
MOST_EXAMPLES = 6

_MANY: Mapping[str, str] = {"person": "people", "company": "companies"}
"""Kinds of things whose plural is not their name and an s."""


@click.command("plan")
@click.option("--policy", "policies", multiple=True, metavar="NAME", help="Only this policy (may be repeated).")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 20 when there is something to write.")
@json_option
@click.pass_context
def command(ctx: click.Context, policies: tuple[str, ...], detailed_exitcode: bool, as_json: bool) -> int:
    """Read both CRMs, decide, and show what would be written. Nothing is written to a CRM."""
    session = session_of(ctx)
    result = session.order("plan", {"policies": list(policies)}, "deciding", quiet=as_json)
    if as_json:
        print_json(result)
    else:
        show_plan(result)
        show_next(result)
    return FOUND_CHANGES if detailed_exitcode and result["changes"] else 0


def show_next(result: dict[str, Any]) -> None:
    if result["changes"]:
        say(f"  next   truce apply {result['plan']}", hanging=9)


def show_plan(result: dict[str, Any]) -> None:
    """The plan as people read it: per field how many, one example with its line, what waits, what is left alone."""
    if not result["lines"]:
        say(f"{number(result['entities'])} {_things(result['kinds'])} looked at: nothing to write.")
    else:
        table(["field", "writes to", "records", "what"], [_row(line) for line in result["lines"]], right=[2])
        _show_examples(result["lines"])
    _show_left_alone(result["left_alone"])
    for reason in result["held_reasons"]:
        say(f"HOLD  {reason}", hanging=6)
    for reason in result["refused_reasons"]:
        say(f"NOT WRITTEN  {reason}", hanging=13)
    if result["frozen_count"]:
        say(
            f"Frozen after an undo: {number(result['frozen_count'])} fields this plan would otherwise write; "
            f"to write them too: truce apply {result['plan']} --lift-freezes",
            hanging=2,
        )
    if result["changes"]:
        say(f"{result['plan']}: {number(result['changes'])} changes, {number(result['held'])} of them held.", hanging=2)


def _things(kinds: Sequence[str]) -> str:
    """What the policies are about: ``people, companies and deals``."""
    words = [_MANY.get(kind, f"{kind.replace('_', ' ')}s") for kind in kinds]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words) or "records"


def _row(line: dict[str, Any]) -> list[object]:
    meanings = " · ".join(f"{number(count)} {_plain(name)}" for name, count in sorted(line["meanings"].items()))
    held = line["verdicts"].get("hold", 0)
    watched = line["verdicts"].get("refuse", 0)
    tail = (f" · HOLD {number(held)}" if held else "") + (f" · watched {number(watched)}" if watched else "")
    return [line["field"].replace("_", " "), line["system"], number(line["records"]), meanings + tail]


def _plain(meaning: str) -> str:
    words = {
        "fill": "filled",
        "different": "really different",
        "spelling": "spelling",
        "blank": "cleared",
        "owner": "new owner",
        "stage": "forward",
        "stage_back": "backward",
        "create": "created",
        "restore": "restored",
        "consent": "consent",
        "opt_in": "opted in",
    }
    return words.get(meaning, meaning)


def _show_examples(lines: list[dict[str, Any]]) -> None:
    """A new record has one reason for all of its fields: one example is enough."""
    examples = {line["example"]["because"]: line["example"] for line in reversed(lines) if line["example"]}
    for example in list(reversed(examples.values()))[:MOST_EXAMPLES]:
        change = f"“{clean(example['before'])}” → “{clean(example['after'])}”"
        say(f"e.g. {clean(example['name'])}  {change}", hanging=5)
        say(f"     because {example['line']}: {example['because']}", hanging=5)


def _show_left_alone(left: list[dict[str, Any]]) -> None:
    counted: dict[str, int] = {}
    for item in left:
        counted[item["disposition"]] = counted.get(item["disposition"], 0) + item["count"]
    if counted:
        shown = " · ".join(f"{number(count)} {name}" for name, count in sorted(counted.items()))
        say(f"Left alone: {shown}", hanging=2)
