"""``truce rollback``: preview the undo of batches, or of what a policy wrote since a moment; ``--apply`` writes it."""

from __future__ import annotations

from typing import Any

import click

from agent.cli.apply import SOME_FAILED, exit_code_of, show_written
from agent.cli.display import clean, number, one_line, print_json, say
from agent.cli.session import json_option, session_of
from agent.errors import UsageError

LISTED = 40
EXAMPLES = 3


@click.command("rollback")
@click.argument("batch_ids", nargs=-1, metavar="[BATCH…]")
@click.option("--policy", metavar="NAME", help="What this policy wrote.")
@click.option(
    "--since", metavar="WHEN", help='Only what was written since then: "Fri 17:00", "2 days ago", 2026-11-20.'
)
@click.option("--revision", metavar="HASH", help="What was decided while these policies were in force.")
@click.option("--record", metavar="RECORD", help="Only this record: its reference, id, e-mail, domain or name.")
@click.option("--field", metavar="FIELD", help="Only this field, by its name in the policies.")
@click.option(
    "--overwrite",
    multiple=True,
    metavar="CELL",
    help="Undo this cell even though somebody edited it since (repeatable).",
)
@click.option("--apply", "write", is_flag=True, help="Write it. Without this, only a preview.")
@json_option
@click.pass_context
def command(ctx: click.Context, /, batch_ids: tuple[str, ...], write: bool, as_json: bool, **narrowing: Any) -> int:
    """Undo BATCH, or what the options select: put back what is untouched, keep what people changed since.

    Interrupted? Run the same command again: it goes on where it stopped.
    """
    session = session_of(ctx)
    body = {"batches": list(batch_ids), **{name: value for name, value in narrowing.items() if value}}
    if not any(body[name] for name in body if name != "overwrite"):
        raise UsageError("what shall be undone?", next_step="truce rollback B-7, or see truce rollback --help")
    result = session.order("rollback" if write else "preview-rollback", body, "undoing", quiet=as_json)
    if as_json:
        print_json(result)
    elif write:
        _show_done(result)
    else:
        show_reversal(result)
        has_work = result["restore"] or result["unwritten"]
        click.echo(
            f"  next   {_again(body)} --apply"
            if has_work
            else "Nothing of it can be put back: an undo would write nothing."
        )
    return _exit_code(result) if write else 0


def show_reversal(result: dict[str, Any]) -> None:
    """Counts first, then everything that is left alone, by name, then what no undo can undo."""
    parts = [
        f"restore {number(result['restore'])}",
        f"keep {number(result['keep'])} (newer edits, by name below)",
        f"skip {number(result['skip'])} deleted, merged or converted",
    ]
    if result["already"]:
        parts.append(f"already back {number(result['already'])}")
    if result["blocked"]:
        parts.append(f"blocked {number(result['blocked'])}")
    say(f"Undo of {one_line(result['undo'])}: " + " · ".join(parts), hanging=2)
    if result["undo"] != ", ".join(result["batches"]):
        more = " …" if len(result["batches"]) > 20 else ""
        say(f"  from batches {', '.join(result['batches'][:20])}{more}", hanging=4)
    if result["unwritten"]:
        say(f"  {number(result['unwritten'])} changes that were still to be written are dropped", hanging=4)
    if paused := result["pauses"]:
        say(f"  {paused} is paused first; when its files are right: truce resume {paused}", hanging=4)
    for item in result["restored"][:EXAMPLES]:
        if item["field"] != "create":
            change = f"“{clean(item['live'])}” → “{clean(item['would_be'])}”"
            say(f"  e.g. {_who(item)}  {item['field']}: {change}", hanging=7)
    for item in result["left"][:LISTED]:
        say(_left_line(item), hanging=4)
    if len(result["left"]) > LISTED:
        click.echo(f"  … {number(len(result['left']) - LISTED)} more (--json lists up to 200)")
    if result["values_until"]:
        until = result["values_until"][:10]
        say(f"The values from before are kept until {until}; after that nothing can put them back.")
    say("Not undone: e-mails, tasks, flows and workflows that the change set off in the CRMs.")


def _left_line(item: dict[str, Any]) -> str:
    line = f"  {item['fate']:<20} {_who(item)}  {item['field']}"
    if item["fate"].startswith("keep") and item["field"] != "create":
        by = f" by {clean(item['who'])}" if item["who"] else ""
        line += f", now “{clean(item['live'])}”{by}; to undo it too: --overwrite {item['cell']}"
    if item["fate"].startswith("blocked: changed by a later"):
        return f"{line} ({item['note']}); undo both: truce rollback {item['batch']} {item['note']}"
    return f"{line} ({clean(item['note'])})" if item["note"] else line


def _who(item: dict[str, Any]) -> str:
    return clean(item["name"]) if item["name"] else str(item["record"])


def _show_done(result: dict[str, Any]) -> None:
    if "restore" in result:
        show_reversal(result)
    if result["resumed"]:
        say(f"Went on with the interrupted {result['batch']}.", hanging=2)
    if result["batch"] is None:
        click.echo("Everything is back already; nothing was written.")
    else:
        show_written(result)


def _exit_code(result: dict[str, Any]) -> int:
    """3 also when something was kept, skipped or blocked: it is not all as it was."""
    left = any(result.get(name) for name in ("keep", "skip", "blocked"))
    return SOME_FAILED if left else exit_code_of(result)


def _again(body: dict[str, Any]) -> str:
    """The same command, as one would type it."""
    words = ["truce rollback", *body["batches"]]
    for name, value in body.items():
        if name != "batches":
            words += [f"--{name} {_quoted(each)}" for each in (value if isinstance(value, tuple | list) else [value])]
    return " ".join(words)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
