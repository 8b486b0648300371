"""Is what a text tells people to type a command of ours?"""

from __future__ import annotations

import re

import click

from agent.cli.reference import every_command

COMMANDS = dict(every_command())
_TYPED = re.compile(r"(?<![\w/-])truce((?: -{0,2}[a-z][a-z-]*)+)")


def unknown_commands(text: str) -> set[str]:
    """Every ``truce …`` in the text whose command or option does not exist."""
    return {f"truce{words}" for words in _TYPED.findall(text) if not _is_known(words.split())}


def options_of(command: str) -> set[str]:
    """The long options of ``truce …``."""
    return {
        option
        for parameter in COMMANDS[command].params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }


def options_in(text: str) -> set[str]:
    """Every long option in a text, whatever it belongs to."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def _is_known(words: list[str]) -> bool:
    name = "truce"
    while words and not words[0].startswith("-") and isinstance(COMMANDS[name], click.Group):
        if f"{name} {words[0]}" not in COMMANDS:
            return False
        name, words = f"{name} {words[0]}", words[1:]
    return all(word in options_of(name) | {"--help"} for word in words if word.startswith("--"))
