"""``truce emulator serve``: both practice CRMs on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.errors import UsageError

PORT = click.IntRange(0, 65_535)
COUNT = click.IntRange(0, 1_000_000)


@click.group("emulator")
def command() -> None:
    """Practice CRMs: a stand-in for Salesforce and HubSpot, for trying things out."""


@command.command("serve")
@click.option("--salesforce-port", type=PORT, default=0, help="0 takes a free one.")
@click.option("--hubspot-port", type=PORT, default=0, help="0 takes a free one.")
@click.option("--admin-port", type=PORT, default=0, help="0 takes a free one.")
@click.option("--state", type=click.Path(path_type=Path), help="Keep the practice data in this file.")
@click.option("--salesforce-schema", type=click.Path(path_type=Path), help="Custom objects and fields, as JSON.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same data.")
@click.option("--contacts", type=COUNT, default=0, help="People a side.")
@click.option("--companies", type=COUNT, default=0, help="Companies a side.")
@click.option("--deals", type=COUNT, default=0, help="Deals a side.")
@click.option(
    "--clock",
    type=click.Choice(["real", "virtual"]),
    default="real",
    show_default=True,
    help="A virtual one stands still.",
)
def serve(**options: Any) -> None:
    """Serve until stopped; prints one line of JSON with the addresses when ready."""
    from agent.wiring import serve_emulator

    try:
        serve_emulator(**options)
    except OSError as error:
        raise UsageError(
            "the practice CRMs did not start",
            where=str(error.filename or ""),
            why=(error.strerror or str(error)).lower(),
            next_step="truce emulator serve (without a port it takes a free one)",
        ) from None
