"""How things look in a terminal: plain words, 80 columns, colours that degrade, nothing a value can smuggle in."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

from agent.errors import Problem

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

LONGEST_VALUE = 40
LONGEST_EXCERPT = 200
FORGING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Kinds of characters that move the cursor, turn the direction round, end a line or cannot be written at all."""
UNBROKEN = "\N{NO-BREAK SPACE}"
NARROW = 60
"""Columns below which a table cannot be read."""
NARROWEST = 20


def clean(value: object) -> str:
    """A CRM value for a terminal: control and direction characters would let a record forge lines."""
    if value is None or value == "":
        return "(blank)"
    text = one_line(str(value))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def one_line(text: str) -> str:
    """Our own words, which may quote what somebody typed or a vendor said: nothing in them may forge a line."""
    return "".join("·" if unicodedata.category(char) in FORGING else char for char in text)


def say(text: str, *, hanging: int = 0, err: bool = False, whole: Sequence[str] = ()) -> None:
    """One line, whatever it quotes; in a terminal broken between words, ``hanging`` spaces before what follows.

    Parts of it that are ``whole``, such as commands, are not broken, so that they can be copied. Piped it stays one
    line: what a person greps for is not torn apart.
    """
    stream = sys.stderr if err else sys.stdout
    text = one_line(text)
    if stream.isatty():
        width = max(shutil.get_terminal_size().columns, NARROWEST)
        follows = " " * min(hanging, width // 3)
        for part in whole:
            text = text.replace(part, part.replace(" ", UNBROKEN))
        text = textwrap.fill(text, width, subsequent_indent=follows, break_on_hyphens=False, break_long_words=False)
        text = text.replace(UNBROKEN, " ")
    click.echo(text, err=err)


def _shows_styles() -> bool:
    """Piped output is stripped by click; this is about terminals that cannot, and people who do not want it."""
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def row(label: str, text: str, *, width: int = 12) -> None:
    """A label and what belongs to it; in a terminal everything after the label keeps its own column."""
    say(f"{label:<{width}}{text}", hanging=width)


def hint(command: str, *, indent: int = 0) -> None:
    """The one next step, under what it belongs to; never broken, so that it can be copied."""
    columns = shutil.get_terminal_size().columns
    indent = indent if indent + len(command) + 2 <= columns else 2
    text = f"{'':<{indent}}→ {one_line(command)}"
    click.echo(click.style(text, dim=True) if _shows_styles() else text)


def print_json(document: Mapping[str, Any]) -> None:
    """Exactly one JSON document on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, default=str))


def problem_lines(problem: Problem) -> list[str]:
    """A policy problem: place and message, the line itself with a caret, the advice."""
    kind = "warning: " if problem.is_warning else ""
    lines = [f"{problem.file}:{problem.line}:{problem.column}: {kind}{problem.message}"]
    if problem.excerpt:
        skipped = max(0, problem.column - LONGEST_EXCERPT // 2) if len(problem.excerpt) > LONGEST_EXCERPT else 0
        lines.append(f"    {one_line(problem.excerpt[skipped : skipped + LONGEST_EXCERPT])}")
        lines.append("    " + " " * (problem.column - 1 - skipped) + "^")
    if problem.advice:
        lines.append(f"    {problem.advice}")
    return lines


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A plain aligned table; columns named in ``right`` are numbers. In a narrow terminal one block per row."""
    if shutil.get_terminal_size().columns < NARROW:
        for row in rows:
            say(" · ".join(f"{heading} {cell}" for heading, cell in zip(headings, row, strict=True)), hanging=2)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, heading in enumerate(headings):
        shown.add_column(heading, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*[one_line(str(cell)) for cell in row])
    Console(highlight=False, markup=False).print(shown)


def number(value: int) -> str:
    return f"{value:,}"


def moment(value: datetime | str | None, zone: ZoneInfo) -> str:
    """A time people read, in the team's zone; the page says once which that is (``say_zone``)."""
    if value is None:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.astimezone(zone).strftime("%a %d %b %H:%M")


def say_zone(zone: ZoneInfo) -> None:
    """In which zone the moments above were."""
    text = f"Times are those of {zone.key}."
    click.echo(click.style(text, dim=True) if _shows_styles() else text)


class Bar(Protocol):
    """Is told how far something is; 0 in all means that nobody knows. ``doing`` names the step and what it counts."""

    def __call__(self, done: int, total: int, doing: str = "") -> None: ...


def _show_nothing(done: int, total: int, doing: str = "") -> None:
    """A ``Bar`` that nobody watches."""


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Bar]:
    """A bar on stderr while something long runs; silent with ``--json`` or when nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield _show_nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[far]}"), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None, far="")

        def show(done: int, total: int, doing: str = "") -> None:
            far = f"{done:,} of {total:,}" if total else f"{done:,}"
            bars.update(task, description=doing or what, completed=done, total=total or None, far=far)

        yield show
