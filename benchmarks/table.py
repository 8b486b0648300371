"""The table of last figures in docs/performance.md: the rows of what was measured are written anew, the others stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.harness import Figure, spoken

BEGIN = "<!-- figures: python -m benchmarks --table -->"
END = "<!-- end of figures -->"
HEAD = ("| goal | what | last figure | wanted | | command | taken |", "| --- | --- | ---: | --- | --- | --- | --- |")


def write_table(path: Path, found: Mapping[str, Iterable[Figure]], taken: str) -> None:
    """Replace the rows of each benchmark in ``found`` ({name: figures}); ``taken`` says when and where.

    Raises:
        ValueError: the page has no table to write into.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no table between {BEGIN} and {END}")
    commands = {command_of(name) for name in found}
    kept = [line for line in table.splitlines() if line.startswith("| G") and not commands & set(line.split(" | "))]
    new = [row_of(figure, command_of(name), taken) for name, figures in found.items() for figure in figures]
    rows = sorted(kept + new, key=_number)
    path.write_text(before + "\n".join([BEGIN, "", *HEAD, *rows, "", END]) + after, encoding="utf-8")


def command_of(name: str) -> str:
    return f"`python -m benchmarks {name}`"


def row_of(figure: Figure, command: str, taken: str) -> str:
    verdict = "" if not figure.target else ("met" if figure.is_met else "**missed**")
    value = f"{spoken(figure.value)}{figure.unit}"
    cells = (figure.goal, figure.what, value, figure.target, verdict, command, taken)
    return "| " + " | ".join(cells) + " |"


def _number(row: str) -> int:
    return int(row.split()[1].removeprefix("G"))
