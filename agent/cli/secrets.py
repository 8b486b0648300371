"""``truce secrets``: into the keyring and out of it; never shown."""

from __future__ import annotations

import sys

import click

from agent.secrets import forget_secret, read_secret, store_secret


@click.group("secrets")
def command() -> None:
    """Keep secrets in the keyring of this computer. Values are never shown."""


@command.command("set")
@click.argument("name")
def set_secret(name: str) -> None:
    """Ask for the secret NAME (hidden) and keep it; the config then says keyring:NAME."""
    value = str(click.prompt(name, hide_input=True, err=True)) if sys.stdin.isatty() else sys.stdin.readline()
    store_secret(name, value.strip())
    click.echo(f"Kept. Write it in the config as keyring:{name}")


@command.command("forget")
@click.argument("name")
def forget(name: str) -> None:
    """Remove the secret NAME from the keyring."""
    forget_secret(name)
    click.echo(f"{name} is forgotten.")


@command.command("check")
@click.argument("reference")
def check(reference: str) -> None:
    """Say whether REFERENCE (keyring:NAME, env:NAME, file:PATH, systemd:NAME) can be read."""
    value = read_secret(reference)
    click.echo(f"{reference} can be read: {len(value)} characters.")
