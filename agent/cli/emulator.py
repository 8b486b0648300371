"""``truce emulator serve``: both practice CRMs on this computer."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("emulator")
def command() -> None:
    """Practice CRMs: a stand-in for Salesforce and HubSpot, for trying things out."""


@command.command("serve")
@click.option("--salesforce-port", type=int, default=0, help="0 takes a free one.")
@click.option("--hubspot-port", type=int, default=0, help="0 takes a free one.")
@click.option("--admin-port", type=int, default=0, help="0 takes a free one.")
@click.option("--state", type=click.Path(path_type=Path), help="Keep the practice data in this file.")
@click.option("--salesforce-schema", type=click.Path(path_type=Path), help="Custom objects and fields, as JSON.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same data.")
@click.option("--contacts", type=int, default=0, help="People a side.")
@click.option("--companies", type=int, default=0, help="Companies a side.")
@click.option("--deals", type=int, default=0, help="Deals a side.")
@click.option(
    "--clock",
    type=click.Choice(["real", "virtual"]),
    default="real",
    show_default=True,
    help="A virtual one stands still.",
)
def serve(
    salesforce_port: int,
    hubspot_port: int,
    admin_port: int,
    state: Path | None,
    salesforce_schema: Path | None,
    seed: int,
    contacts: int,
    companies: int,
    deals: int,
    clock: str,
) -> None:
    """Serve until stopped; prints one line of JSON with the addresses when ready."""
    from agent.wiring import serve_emulator

    serve_emulator(
        salesforce_port=salesforce_port,
        hubspot_port=hubspot_port,
        admin_port=admin_port,
        state=state,
        salesforce_schema=salesforce_schema,
        seed=seed,
        contacts=contacts,
        companies=companies,
        deals=deals,
        clock=clock,
    )
