"""``truce review``: questions only a person can answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from agent.cli.choice import Choice
from agent.cli.digest_lines import QUESTIONS, questions
from agent.cli.display import hint, number, print_json, say
from agent.cli.session import json_option, session_of
from agent.errors import NotFound, UsageError
from agent.people import needs_name

if TYPE_CHECKING:
    from agent.reviews.reviews import Review

LISTED = 30
MOST_AT_ONCE = 8
"""More questions than this are first shown in groups."""
NO_LINE = "none"
"""What ``--line`` is called for questions that no policy line asked."""


@click.command("review")
@click.argument("review_id", required=False, metavar="[REVIEW]")
@click.option("--answer", help="Your answer, kept in the ledger; what it does stands beside the question.")
@click.option(
    "--kind", type=Choice([*QUESTIONS]), metavar="KIND", help="Only this kind, such as duplicate or conflict."
)
@click.option("--line", help="Only those of this policy line, such as person-duplicates.yaml:15, or none.")
@click.option("--count", type=click.IntRange(1), help="Answer all of one kind and line at once: how many were shown.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    review_id: str | None,
    answer: str | None,
    kind: str | None,
    line: str | None,
    count: int | None,
    as_json: bool,
) -> None:
    """List open questions, or answer one: truce review R-3 --answer "keep both"."""
    from agent.reports.questions import in_names

    session = session_of(ctx)
    line = "" if line == NO_LINE else line
    many = bool(kind and line is not None and count)
    if answer is not None and not ((review_id or many) and answer.strip()):
        raise UsageError("an answer needs a question and words", next_step='truce review R-3 --answer "keep both"')
    if answer:
        needs_name(session.person, "answer reviews")
        body = {"about": kind, "line": line, "count": count} if many else {"review": review_id}
        result = session.order(
            "review-many" if many else "review", {**body, "answer": answer}, "recording", quiet=as_json
        )
        if as_json:
            print_json(result)
        elif many:
            click.echo(f"{number(result['answered'])} questions are answered.")
        else:
            say(f"{review_id} is answered: {result['done']}.")
        return
    with session.reading() as installation:
        found = [
            item
            for item in installation.reviews.list()
            if kind in (None, item.kind) and line in (None, item.line) and review_id in (None, item.id)
        ]
        found = [replace(item, sentence=in_names(installation, item)) for item in found]
    if review_id and not found:
        raise NotFound(f"there is no open question {review_id}", next_step="truce review")
    found.sort(key=_weight)
    if as_json:
        print_json({"reviews": [_document(item) for item in found], "groups": _groups(found)})
        return
    if not found:
        click.echo("Nothing waits for an answer.")
    elif kind is None and line is None and len(found) > MOST_AT_ONCE:
        _show_groups(found)
    else:
        _show(found)


def _weight(item: Review) -> tuple[int, bool, int]:
    """What keeps Truce from more comes first; certain before likely; then the order they came up in."""
    order = [*QUESTIONS]
    kind = order.index(item.kind) if item.kind in order else len(order)
    return kind, "likely:" in item.sentence, int(item.id.partition("-")[2])


def _groups(found: Sequence[Review]) -> list[dict[str, Any]]:
    """By kind and policy line, in the order of the list."""
    counts = Counter((item.kind, item.line) for item in found)
    first = {(item.kind, item.line): item for item in reversed(found)}
    return [
        {"kind": kind, "line": line, "count": counts[kind, line], "first": item.id, "question": item.sentence}
        for (kind, line), item in sorted(first.items(), key=lambda each: _weight(each[1]))
    ]


def _show_groups(found: Sequence[Review]) -> None:
    for group in _groups(found):
        line = f" by {group['line']}" if group["line"] else ""
        say(f"{questions(group['count'], group['kind'])}{line}", hanging=2)
        say(f"  e.g. {group['first']}  {group['question']}", hanging=7)
        hint(f"truce review --kind {_quoted(group['kind'])} --line {group['line'] or NO_LINE}", indent=2)


def _show(found: Sequence[Review]) -> None:
    width = max(10, *(len(item.kind) for item in found))
    for item in found[:LISTED]:
        line = f"  ({item.line})" if item.line else ""
        say(f"{item.id:<7} {item.kind:<{width}} {item.sentence}{line}", hanging=width + 9)
    if len(found) > LISTED:
        click.echo(f"… {number(len(found) - LISTED)} more (--json lists all)")
    from agent.overwritten import way_back

    kinds = {(item.kind, item.line) for item in found}
    choices = _choices(found[0])
    if found[0].kind == "unclear" and len(found[0].refs) > 1:
        hint(f"truce pair join {found[0].refs[0]} {found[0].refs[-1]}")
    if found[0].kind == "overwritten":
        hint(way_back(found[0].topic, found[0].refs[0]))
    if choices:
        say(f"answers  {' · '.join(choices)}" + (" · or your own words" if found[0].kind == "duplicate" else ""))
    if len(found) == 1 or not found[0].line or len(kinds) > 1:
        hint(f'truce review {found[0].id} --answer "{choices[0] if choices else "stays as it is"}"')
    else:
        kind, line = next(iter(kinds))
        hint(f'truce review --kind {_quoted(kind)} --line {line} --count {len(found)} --answer "…"')


def _choices(item: Review) -> Sequence[str]:
    from agent.reviews.answers import CHOICES

    return CHOICES.get(item.kind, ())


def _quoted(kind: str) -> str:
    return f'"{kind}"' if " " in kind else kind


def _document(item: Review) -> dict[str, Any]:
    return {
        "review": item.id,
        "kind": item.kind,
        "entity": item.entity_id,
        "question": item.sentence,
        "records": [str(ref) for ref in item.refs],
        "line": item.line,
        "choices": list(_choices(item)),
    }
