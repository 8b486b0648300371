"""``truce secrets``: put where the config says, looked for, removed; never shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from agent.cli.display import print_json, say
from agent.cli.session import json_option, session_of
from agent.errors import ConfigError

PLACES = ("keyring", "file", "env", "systemd")


@click.group("secrets")
def command() -> None:
    """The keys of both CRMs: in the keyring of this computer or in private files. Values are never shown."""


@command.command("list")
@json_option
@click.pass_context
def list_secrets(ctx: click.Context, as_json: bool) -> int:
    """Say of each secret the config names where it is kept and whether it can be read."""
    states = {setting: (place, _trouble(place)) for setting, place in session_of(ctx).config.secrets().items()}
    if as_json:
        print_json(
            {
                "secrets": [
                    {"setting": setting, "reference": place, "readable": trouble is None, "next": trouble or ""}
                    for setting, (place, trouble) in states.items()
                ]
            }
        )
    else:
        for setting, (place, trouble) in states.items():
            say(f"{setting:<26}{'can be read' if trouble is None else 'MISSING':<13}{place}", hanging=39)
        first = next((trouble for _, trouble in states.values() if trouble is not None), None)
        if first is not None:
            say(f"  next   {'truce secrets set' if first.startswith('truce secrets set') else first}", hanging=9)
    return ConfigError.exit_code if any(trouble for _, trouble in states.values()) else 0


@command.command("set")
@click.argument("name", required=False)
@json_option
@click.pass_context
def set_secret(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """Ask for the secret NAME (hidden) and keep it; without NAME, for every secret that is missing.

    NAME is a setting such as hubspot.token, a name in the keyring, keyring:NAME or file:PATH. Piped input is taken
    line by line; a private key has many lines and is piped whole: truce secrets set NAME < server.key.
    """
    from agent.config.secrets import store_secret

    if name is None:
        missing = {
            setting: place for setting, place in session_of(ctx).config.secrets().items() if _trouble(place) is not None
        }
        places = [place for setting, place in missing.items() if not (_is_key(setting) and sys.stdin.isatty())]
    else:
        places = [_place(ctx, name)]
    for place in places:
        store_secret(place, _value_of(place))
    if as_json:
        print_json({"kept": places})
    else:
        for place in places:
            click.echo(f"Kept in {place}")
        click.echo("  next   truce doctor" if places else "Every secret of the config is there already.")


@command.command("forget")
@click.argument("name")
@json_option
@click.pass_context
def forget(ctx: click.Context, name: str, as_json: bool) -> None:
    """Remove the secret NAME from where it is kept."""
    from agent.config.secrets import forget_secret

    place = _place(ctx, name)
    forget_secret(place)
    if as_json:
        print_json({"forgotten": place})
    else:
        click.echo(f"{place} is forgotten.")


@command.command("check")
@click.argument("reference")
@json_option
@click.pass_context
def check(ctx: click.Context, reference: str, as_json: bool) -> None:
    """Say whether REFERENCE (keyring:NAME, env:NAME, file:PATH, systemd:NAME) can be read."""
    from agent.config.secrets import read_secret

    place = _place(ctx, reference)
    read_secret(place)
    if as_json:
        print_json({"reference": place, "readable": True})
    else:
        click.echo(f"{place} can be read.")


def _place(ctx: click.Context, name: str) -> str:
    """The whole reference: a setting of the config stands for its place, any other bare name is one in the keyring; a
    path is taken from the folder of the config."""
    source, colon, rest = name.partition(":")
    if not colon or source not in PLACES:
        is_setting = "." in name and Path(ctx.obj).exists()
        return (session_of(ctx).config.secrets().get(name) if is_setting else None) or f"keyring:{name}"
    return f"file:{Path(ctx.obj).parent.resolve() / rest}" if source == "file" else name


def _trouble(place: str) -> str | None:
    """What to do about a secret that cannot be read, or None."""
    from agent.config.secrets import read_secret

    try:
        read_secret(place)
    except ConfigError as error:
        return error.next_step or error.what
    return None


def _question(place: str) -> str:
    """What is asked for, in words where ``truce init`` gave the secret its name."""
    from agent.config.first_files import SECRETS

    return SECRETS.get(re.split("[:/]", place)[-1], place)


def _value_of(place: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(_question(place), hide_input=True, err=True))
    return _piped()


def _piped() -> str:
    """One line; of a private key in PEM form, all of it."""
    text = line = sys.stdin.readline()
    while text.startswith("-----BEGIN") and line and not line.startswith("-----END"):
        line = sys.stdin.readline()
        text += line
    return text


def _is_key(setting: str) -> bool:
    """A private key has many lines, which no hidden prompt takes."""
    return setting.endswith(".private_key")
