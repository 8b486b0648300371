"""``truce review``: questions only a person can answer."""

from __future__ import annotations

import click

from agent.cli.display import number, print_json, say
from agent.cli.session import json_option, session_of
from agent.errors import NotFound, UsageError
from agent.people import needs_name

LISTED = 30


@click.command("review")
@click.argument("review_id", required=False, metavar="[REVIEW]")
@click.option("--answer", help="Your answer, kept in the ledger; for a duplicate: 'never' keeps the two apart.")
@click.option("--kind", help="Only this kind, such as duplicate or conflict.")
@json_option
@click.pass_context
def command(ctx: click.Context, review_id: str | None, answer: str | None, kind: str | None, as_json: bool) -> None:
    """List open questions, or answer one: truce review R-3 --answer "keep both"."""
    session = session_of(ctx)
    if answer is not None and not (review_id and answer.strip()):
        raise UsageError("an answer needs a question and words", next_step='truce review R-3 --answer "keep both"')
    if review_id and answer:
        needs_name(session.person, "answer reviews")
        result = session.order("review", {"review": review_id, "answer": answer}, quiet=as_json)
        if as_json:
            print_json(result)
        else:
            click.echo(f"{review_id} is answered.")
        return
    with session.reading() as installation:
        found = [item for item in installation.reviews.list() if kind in (None, item.kind)]
    if review_id:
        found = [item for item in found if item.id == review_id]
        if not found:
            raise NotFound(f"there is no open question {review_id}", next_step="truce review")
    if as_json:
        print_json(
            {
                "reviews": [
                    {
                        "review": item.id,
                        "kind": item.kind,
                        "entity": item.entity_id,
                        "question": item.sentence,
                        "records": [str(ref) for ref in item.refs],
                        "line": item.line,
                    }
                    for item in found
                ]
            }
        )
        return
    if not found:
        click.echo("Nothing waits for an answer.")
    for item in found[:LISTED]:
        say(f"{item.id:<7} {item.kind:<10} {item.sentence}" + (f"  ({item.line})" if item.line else ""), hanging=19)
    if len(found) > LISTED:
        click.echo(f"… {number(len(found) - LISTED)} more (--json lists all)")
