"""``truce policies``: policies made from what somebody already has."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.display import print_json, say
from agent.cli.session import json_option
from agent.errors import UsageError

if TYPE_CHECKING:
    from agent.policy_files.native_mapping import Converted, Remark


@click.group("policies")
def command() -> None:
    """Policies made from what is already there."""


@command.command("from-native", short_help="Turn the mapping of a CRM's own integration into policies.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--responsible", required=True, metavar="EMAIL", help="Who answers for the new policies.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write them there; never over a file.")
@json_option
def from_native(file: Path, responsible: str, out: Path | None, as_json: bool) -> None:
    """Read FILE, the field mapping as HubSpot's Salesforce settings show it, and say the same in policy lines.

    FILE is a CSV with the columns hubspot, salesforce, rule (and object: contact, company or deal), or a YAML list of
    the same. What cannot be said is named with the reason. Nothing is written anywhere but to --out.
    """
    from agent.policy_files import shipped
    from agent.policy_files.native_mapping import convert, integration_of, read_mapping
    from agent.policy_files.neighbours import neighbours_of
    from agent.wiring.settings import known_systems

    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", responsible):
        raise UsageError(f"{responsible!r} is not an e-mail address", next_step="--responsible anna@example.com")
    integration = integration_of(known_systems())
    if integration is None:
        raise UsageError("no CRM here has an integration of its own", next_step="truce check")
    mapping, unread = read_mapping(file.name, _read(file), integration)
    today = datetime.now(UTC).date()
    neighbours = neighbours_of(shipped.texts(), today, integration.systems)
    converted = convert(mapping, responsible, today, integration, neighbours)
    left_out = (*unread, *converted.left_out)
    if out is not None and converted.text:
        _write_new(out, converted.text)
    if as_json:
        print_json(
            {
                "policies": converted.text,
                "lines": converted.said,
                "left_out": [_document(remark) for remark in left_out],
                "notes": [_document(remark) for remark in converted.notes],
                "written": str(out) if out is not None and converted.text else None,
                "replaces": list(converted.replaces),
            }
        )
    else:
        _show(converted, left_out, out)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text in UTF-8", next_step="save it as “CSV UTF-8”") from None


def _write_new(out: Path, text: str) -> None:
    try:
        with out.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise UsageError(
            f"{out} is there already", why="nothing is written over a file", next_step="choose another name for --out"
        ) from None


def _document(remark: Remark) -> dict[str, object]:
    return {"line": remark.line, "mapping": remark.mapping, "why": remark.why}


def _show(converted: Converted, left_out: tuple[Remark, ...], out: Path | None) -> None:
    """The policies alone on stdout, so that they can be piped; everything else beside it."""
    if out is None:
        click.echo(converted.text, nl=False)
    else:
        say(
            f"{converted.said} lines written to {out}"
            if converted.text
            else "Nothing could be said; no file was written."
        )
    for title, remarks in (("Left out", left_out), ("Note", converted.notes)):
        for remark in remarks:
            place = f"line {remark.line}: " if remark.line else ""
            say(f"{title:<9} {place}{remark.mapping}", hanging=10, err=True)
            say(f"          {remark.why}", hanging=10, err=True)
    place = f"takes the place of {' and '.join(converted.replaces)}" if converted.replaces else "is"
    say(f"  next   truce check, once the file {place} in the folder of the policies", hanging=9, err=True)
