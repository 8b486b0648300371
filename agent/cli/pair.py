"""``truce pair``: the report on pairing, and a person's word on single pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.display import number, print_json, progress_bar, say, table
from agent.cli.session import json_option, session_of
from agent.people import needs_name

if TYPE_CHECKING:
    from agent.installation import Installation


@click.group("pair", invoke_without_command=True)
@click.option("--csv", "folder", type=click.Path(file_okay=False, path_type=Path), help="Also list everybody here.")
@click.option("--no-read", is_flag=True, help="Report on what was read before; ask no CRM.")
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path | None, no_read: bool, as_json: bool) -> None:
    """Report who is the same in both CRMs. Writes to no CRM."""
    if ctx.invoked_subcommand is not None:
        return
    session = session_of(ctx)
    if not no_read:
        session.order("pair", {}, "reading both CRMs", quiet=as_json)
    with session.reading() as installation, progress_bar("counting records", quiet=as_json) as progress:
        document = _report(installation, folder, progress)
    if as_json:
        print_json(document)
    else:
        _show(document)


@command.command("accept")
@click.argument("entity_type")
@json_option
@click.pass_context
def accept(ctx: click.Context, entity_type: str, as_json: bool) -> None:
    """Accept the report for one type, such as person: only then may Truce create records of it."""
    session = session_of(ctx)
    person = needs_name(session.person, "accept the pairing")
    result = session.order("pair-accept", {"entity_type": entity_type}, "pairing", quiet=as_json)
    _say(result, f"The pairing of {entity_type} is accepted by {person}.", as_json)


@command.command("join")
@click.argument("one")
@click.argument("other")
@json_option
@click.pass_context
def join(ctx: click.Context, one: str, other: str, as_json: bool) -> None:
    """Say that two records are the same: truce pair join salesforce:Contact/003… hubspot:contacts/51."""
    session = session_of(ctx)
    needs_name(session.person, "pair records")
    result = session.order("pair-join", {"one": one, "other": other}, "pairing", quiet=as_json)
    _say(result, f"{one} and {other} are {result['entity']} now. Nothing was written to a CRM.", as_json)


@command.command("split")
@click.argument("record")
@json_option
@click.pass_context
def split(ctx: click.Context, record: str, as_json: bool) -> None:
    """Take a record out of its pair, for good."""
    session = session_of(ctx)
    needs_name(session.person, "split a pair")
    result = session.order("pair-split", {"record": record}, "pairing", quiet=as_json)
    _say(result, f"{record} stands alone now, as {result['entity']}. Nothing was written to a CRM.", as_json)


@command.command("never")
@click.argument("one")
@click.argument("other")
@json_option
@click.pass_context
def never(ctx: click.Context, one: str, other: str, as_json: bool) -> None:
    """Say that two records are never the same."""
    session = session_of(ctx)
    needs_name(session.person, "keep records apart")
    result = session.order("pair-never", {"one": one, "other": other}, "pairing", quiet=as_json)
    _say(result, f"{one} and {other} will never be paired.", as_json)


def _say(result: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(sentence)


def _report(installation: Installation, folder: Path | None, progress: Any) -> dict[str, Any]:
    from agent.orders.pairing import report_lines
    from agent.pairing import pairing

    counts: Counter[pairing.Line] = Counter()
    listed = _counted(pairing.survey(installation, progress), counts)
    if folder is None:
        for _ in listed:
            pass
    else:
        _write_lists(installation, listed, folder)
    accepted = pairing.accepted(installation)
    return {
        "lines": report_lines(counts),
        "accepted": {name: {"by": event.actor, "at": event.at.isoformat()} for name, event in accepted.items()},
        "creates": sorted(
            name for name, entity in installation.policies.policies.entity_types.items() if entity.creates
        ),
        "folder": str(folder) if folder else None,
    }


def _counted(survey: Iterable[Any], counts: Counter[Any]) -> Iterator[Any]:
    for found in survey:
        counts[found.line] += 1
        yield found


def _write_lists(installation: Installation, survey: Iterable[Any], folder: Path) -> None:
    """One file per entity type and heading, such as ``person-unclear.csv``."""
    from agent.pairing.pairing import shown_fields
    from agent.reports.lists import Sheets

    entity_types = installation.policies.policies.entity_types
    with Sheets(folder, ("group", "entity", "system", "record", "name", "known by")) as sheets:
        for found in survey:
            for system, records in sorted(found.sides.items()):
                for record in records:
                    shown = shown_fields(installation, record, entity_types[found.line.entity_type])
                    known = ", ".join(f"{field} {value}" for field, value in shown.items() if value)
                    name = installation.display_name(record)
                    row = (found.line.detail, found.entity_id, system, str(record.ref), name, known)
                    sheets.add(f"{found.line.entity_type}-{found.line.heading}", row)


def _show(document: dict[str, Any]) -> None:
    from agent.pairing.pairing import HEADINGS

    if not document["lines"]:
        click.echo("Nothing was read yet.")
        click.echo("  next   truce doctor")
        return
    rows = [[line["entity_type"], line["heading"], line["detail"], number(line["count"])] for line in document["lines"]]
    table(["of", "", "by, or where", "how many"], rows, right=[3])
    for heading in dict.fromkeys(line["heading"] for line in document["lines"]):
        say(f"  {heading:<9}  {HEADINGS[heading]}", hanging=13)
    if document["folder"]:
        say(f"Everybody is listed in {document['folder']}, one file per group.", hanging=2)
    _show_next(document)


def _listed(names: list[str]) -> str:
    """``company, deal and person``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _show_next(document: dict[str, Any]) -> None:
    for name, said in document["accepted"].items():
        say(f"The pairing of {name} was accepted by {said['by']}.", hanging=2)
    waiting = [name for name in document["creates"] if name not in document["accepted"]]
    if waiting:
        say(f"Nothing is created for {_listed(waiting)} until its pairing is accepted.")
        lists = "" if document["folder"] else "truce pair --csv pairs · "
        say(f"  next   {lists}truce pair accept {waiting[0]}", hanging=9)
    else:
        click.echo("  next   truce review --kind unclear · truce plan")
