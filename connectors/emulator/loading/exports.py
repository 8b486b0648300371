"""One CSV file as a vendor exports it: read whole, with the line of every row, and a guess of what a column holds."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Literal

DELIMITERS = (",", ";", "\t")
LONGEST_CELL = 1_000_000
LONG_TEXT = 255
YES, NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})

Guess = Literal["boolean", "number", "date", "datetime", "text", "long text"]

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?", re.ASCII)
_WITH_COMMAS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)


class ExportError(ValueError):
    """What is wrong in which line of which file. ``advice`` says what to do."""

    def __init__(self, path: Path, line: int, what: str, advice: str = "") -> None:
        super().__init__(f"{path}:{line}: {what}")
        self.path, self.line, self.what, self.advice = path, line, what, advice


@dataclass(frozen=True, slots=True)
class Export:
    """``rows``: (line, cells); as many cells as there are headings."""

    object_type: str
    path: Path
    headings: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def column(self, position: int) -> Iterator[str]:
        """Its filled cells."""
        return (cells[position] for _, cells in self.rows if cells[position])


@dataclass(frozen=True, slots=True)
class Column:
    """What becomes of one column. ``name`` is the field, or empty where it is left out; ``why`` says so then."""

    heading: str
    name: str = ""
    guess: Guess | None = None
    """Set for a field that was added for this column."""
    why: str = ""


def read_export(object_type: str, path: Path) -> Export:
    """Raises ExportError; OSError: the file cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ExportError(path, line, "is not UTF-8", "export it as UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        headings = tuple(cell.strip() for cell in next(reader, []))
        if not any(headings):
            raise ExportError(path, 1, "has no headings", "the first line names the columns")
        twice = next((name for name in headings if headings.count(name) > 1), None)
        if twice is not None:
            raise ExportError(path, 1, f"names the column “{twice}” twice", "leave one of them out")
        return Export(object_type, path, headings, tuple(_rows(path, headings, reader)))
    except csv.Error as error:
        raise ExportError(path, reader.line_num, f"is no CSV here: {error}", "export it again") from None


def _rows(path: Path, headings: Sequence[str], reader: Any) -> Iterator[tuple[int, tuple[str, ...]]]:
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(headings):
            what = f"has {len(cells)} cells, and there are {len(headings)} headings"
            raise ExportError(
                path, reader.line_num, what, "a line break or a quote inside a cell needs quotes around it"
            )
        yield reader.line_num, tuple(cell.strip() for cell in cells)


def guess_of(cells: Sequence[str]) -> Guess:
    """What all of these cells can be; text when in doubt. ``007`` and ``+49 30`` are text."""
    if not cells:
        return "text"
    if all(cell.lower() in {"true", "false", "yes", "no"} for cell in cells):
        return "boolean"
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        return "number"
    if all(day_in(cell) is not None for cell in cells):
        return "date"
    if all(moment_in(cell) is not None for cell in cells):
        return "datetime"
    return "long text" if max(map(len, cells)) > LONG_TEXT else "text"


def number_in(cell: str) -> float | None:
    """``1,234.50`` too."""
    plain = cell.replace(",", "") if _WITH_COMMAS.fullmatch(cell) else cell
    try:
        return float(plain) if re.fullmatch(r"-?\d*\.?\d+(?:[eE][+-]?\d+)?", plain, re.ASCII) else None
    except ValueError:
        return None


def day_in(cell: str) -> str | None:
    """``2026-01-31`` alone: other orders of day and month cannot be told apart."""
    try:
        return date.fromisoformat(cell).isoformat() if len(cell) == len("2026-01-31") else None
    except ValueError:
        return None


def moment_in(cell: str) -> datetime | None:
    """ISO, with a blank or a T; without an offset it is UTC."""
    text = cell.replace(" ", "T", 1)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def words(text: str) -> str:
    """How headings are compared: without case, signs and blanks."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def field_name(heading: str, taken: Callable[[str], bool], after: str = "") -> str:
    """A name in letters, digits and underscores that nothing has yet; ``after`` is put behind it."""
    plain = re.sub(r"\W+", "_", heading, flags=re.ASCII).strip("_") or "Column"
    plain = (plain if plain[0].isalpha() else f"X_{plain}")[:36]
    name, number = f"{plain}{after}", 2
    while taken(name):
        name, number = f"{plain}_{number}{after}", number + 1
    return name
