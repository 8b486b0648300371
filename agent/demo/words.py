"""How the demo speaks: plain lines of at most 80 columns, readable without colour; or nothing, and all of it later."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import click

from agent.cli.display import clean, number

WIDTH = 80
CTRL_C = "\x03"


class Teller:
    """Prints the story; with ``step`` it waits for a key between acts. ``silent`` only remembers it, in ``acts``."""

    def __init__(self, *, step: bool = False, silent: bool = False) -> None:
        self._step = step
        self.silent = silent
        self.acts: list[dict[str, Any]] = []

    def headline(self) -> None:
        if self.silent:
            return
        click.secho("TRUCE DEMO  ", bold=True, nl=False)
        click.echo("Two practice CRMs on this computer. No account. Nothing leaves it.")

    def sides(self, counts: Mapping[str, int]) -> None:
        self._wrapped(
            f"Salesforce {number(counts['salesforce'])} people · HubSpot {number(counts['hubspot'])} · "
            f"paired {number(counts['paired'])} · unclear {number(counts['unclear'])} and one-sided "
            f"{number(counts['one_sided'])} (left alone)",
            indent="",
        )

    def act(self, count: int, title: str, beside: str = "") -> None:
        self.acts.append({"act": count, "title": title, "lines": []})
        if self.silent:
            return
        if self._step and count > 1:
            click.echo("  (any key: next)")
            if click.getchar() == CTRL_C:  # not click.pause: it takes Ctrl-C for any key
                raise KeyboardInterrupt
        click.echo()
        click.secho(f"{count} {title}", bold=True, nl=not beside)
        if beside:
            click.echo(f"   {beside}")

    def difference(self, field: str, count: int, would: str) -> None:
        name = field.replace("_", " ").capitalize()
        self._wrapped(f"{name:<22}{number(count):>7}  {would}", hanging=33)

    def example(self, example: Mapping[str, Any]) -> None:
        self._wrapped(
            f"e.g. {clean(example['name'])}  “{clean(example['before'])}” → “{clean(example['after'])}”   "
            f"because {example['line']}"
        )

    def line(self, text: str) -> None:
        self._wrapped(text)

    def closing(self, truce: str, batch_id: str, folder: str) -> None:
        if self.silent:
            return
        click.echo()
        click.secho("NOW YOU", bold=True, nl=False)
        click.echo("   the practice CRMs keep running")
        for command in (
            f"cd {folder}",
            f"{truce} today",
            f"{truce} show {batch_id}",
            f"{truce} plan                      # first change a line in policies/",
            f"{truce} demo stop --folder .      # ends the practice CRMs",
        ):
            click.echo(f"  {command}")

    def _wrapped(self, text: str, *, indent: str = "  ", hanging: int | None = None) -> None:
        if self.acts:
            self.acts[-1]["lines"].append(text)
        if self.silent:
            return
        rest = " " * hanging if hanging is not None else indent + "  "
        click.echo(textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=rest, break_on_hyphens=False))
