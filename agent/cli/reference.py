"""Pages written from the code, so that they cannot go stale: ``make docs`` writes them, a test compares them.

docs/cli.md is every command's own help; config.example.yaml every setting; docs/schemas/policy.json what editors need
to complete and check a policy file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from agent.cli import truce
from agent.config.text import example
from agent.decide.json_schema import policy_json_schema
from agent.wiring.settings import first_config_kind, known_systems

_HEAD = """# The command line

Written from the commands themselves (`make docs`). Every command ends with an exit code of [errors.md](errors.md). With
`--json` it prints exactly one JSON document on stdout, as described in [schemas/](schemas/).
"""


def command_pages() -> str:
    """docs/cli.md: the help of every command, in the order of ``truce --help``."""
    return "\n".join([_HEAD, *(_section(path, command) for path, command in every_command())])


def policy_schema() -> str:
    """docs/schemas/policy.json, for editors."""
    return json.dumps(policy_json_schema(known_systems()), indent=2, ensure_ascii=False) + "\n"


def example_config() -> str:
    """config.example.yaml: every setting of the two systems one begins with."""
    return example(first_config_kind())


def every_command() -> Iterator[tuple[str, click.Command]]:
    """(words, command) of everything that can be typed: ``truce``, ``truce ledger``, ``truce ledger verify`` …"""
    yield from _below("truce", truce, None)


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/cli.md": command_pages,
    "config.example.yaml": example_config,
    "docs/schemas/policy.json": policy_schema,
}
"""{path in the repository: its text}."""


def _below(words: str, command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=words.rpartition(" ")[2], parent=parent)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _below(f"{words} {name}", inner, context)


def _section(words: str, command: click.Command) -> str:
    context = click.Context(command, info_name=words, terminal_width=100, help_option_names=["-h", "--help"])
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "\n".join([f"## {words}", "", "```", *lines, "```", ""])


if __name__ == "__main__":
    for place, text in PAGES.items():
        Path(place).write_text(text(), encoding="utf-8")
