"""``truce emulator``: both practice CRMs on this computer, served, or filled from exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.choice import Choice
from agent.cli.display import number, one_line, print_json, say
from agent.cli.session import json_option
from agent.errors import UsageError

PORT = click.IntRange(0, 65_535)
COUNT = click.IntRange(0, 1_000_000)


@click.group("emulator")
def command() -> None:
    """Practice CRMs: a stand-in for Salesforce and HubSpot, for trying things out."""


@command.command("load")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("rehearsal"), show_default=True, help="Where.")
@click.option("--salesforce", multiple=True, metavar="OBJECT=FILE", help="Such as Contact=contacts.csv; also again.")
@click.option("--hubspot", multiple=True, metavar="OBJECT=FILE", help="Such as contacts=contacts.csv; also again.")
@json_option
def load(folder: Path, salesforce: tuple[str, ...], hubspot: tuple[str, ...], as_json: bool) -> None:
    """Rehearse on your own data: practice CRMs from CSV exports of the real ones. Nothing leaves this computer."""
    from agent.demo import practice, setting
    from agent.wiring.practice import load_emulator

    if not (salesforce or hubspot):
        raise UsageError("there is nothing to load", next_step="truce emulator load --salesforce Contact=contacts.csv")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty", why="a rehearsal has a folder of its own", next_step="choose another --folder"
        )
    exports = {"salesforce": [*map(_named, salesforce)], "hubspot": [*map(_named, hubspot)]}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        loaded = load_emulator(folder / "practice.db", exports)
    except UsageError:
        folder.rmdir()
        raise
    running = practice.start(folder, contacts=0, companies=0, seed=1)
    config = setting.write_setting(running, setting.copy_for_rehearsal)
    if as_json:
        print_json({"folder": str(folder), "config": str(config), "files": loaded})
        return
    for each in loaded:
        _show_loaded(each)
    say(f"All of it stays on this computer, in {folder}, readable by you alone. Remove the folder when you are done.")
    say(f"next   cd {folder}; adapt policies/, then: truce check; truce pair; truce plan")
    say(f"       truce demo stop --folder {folder}   ends the practice CRMs")


def _named(given: str) -> tuple[str, Path]:
    object_type, sign, path = given.partition("=")
    if not (object_type and sign and path):
        raise UsageError(f"{given!r} names no object and file", next_step="write it like Contact=contacts.csv")
    return object_type, Path(path)


def _show_loaded(loaded: dict[str, Any]) -> None:
    say(f"{loaded['system']} {loaded['object']}  {number(loaded['records'])} records from {loaded['file']}", hanging=2)
    for each in loaded["added"]:
        say(f"  new field   {each['field']} ({each['type']}, guessed) for “{one_line(each['column'])}”", hanging=14)
    for each in loaded["left_out"]:
        say(f"  left out    “{one_line(each['column'])}”: {each['why']}", hanging=14)
    for each in loaded["remarks"]:
        say(f"  note        {each}", hanging=14)


@command.command("serve")
@click.option("--salesforce-port", type=PORT, default=0, help="0 takes a free one.")
@click.option("--hubspot-port", type=PORT, default=0, help="0 takes a free one.")
@click.option("--admin-port", type=PORT, default=0, help="0 takes a free one.")
@click.option("--state", type=click.Path(path_type=Path), help="Keep the practice data in this file.")
@click.option("--truth", type=click.Path(path_type=Path), help="Write down here who is really who.")
@click.option("--salesforce-schema", type=click.Path(path_type=Path), help="Custom objects and fields, as JSON.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same data.")
@click.option("--contacts", type=COUNT, default=0, help="People a side.")
@click.option("--companies", type=COUNT, default=0, help="Companies a side.")
@click.option("--deals", type=COUNT, default=0, help="Deals a side.")
@click.option(
    "--clock",
    type=Choice(["real", "virtual"]),
    default="real",
    show_default=True,
    help="A virtual one stands still.",
)
def serve(**options: Any) -> None:
    """Serve until stopped; prints one line of JSON with the addresses when ready."""
    from agent.wiring.practice import serve_emulator

    try:
        serve_emulator(**options)
    except OSError as error:
        raise UsageError(
            "the practice CRMs did not start",
            where=str(error.filename or ""),
            why=(error.strerror or str(error)).lower(),
            next_step="truce emulator serve (without a port it takes a free one)",
        ) from None
