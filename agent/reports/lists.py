"""Lists for spreadsheets: one CSV per group, readable by its owner alone, with no value a spreadsheet would run."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.errors import UsageError
from agent.private_files import PRIVATE_FILE

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet runs cells that begin so; a record's own text must not become a formula (OWASP: CSV injection)."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


class Sheets:
    """CSV files in one folder, each begun with ``headings`` when its first row comes. UTF-8 with a mark, because
    spreadsheets guess otherwise."""

    def __init__(self, folder: Path, headings: Sequence[str]) -> None:
        self._folder = folder
        self._headings = headings
        self._writers: dict[str, Any] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot write lists to {self._folder}", why=str(error), next_step="choose another folder"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def add(self, name: str, row: Sequence[str]) -> None:
        """One row of the list ``name``."""
        writer = self._writers.get(name)
        if writer is None:
            path = self._folder / f"{_NOT_IN_NAMES.sub('-', name)}.csv"
            descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, PRIVATE_FILE)
            file = self._open.enter_context(os.fdopen(descriptor, "w", encoding="utf-8-sig", newline=""))
            writer = self._writers[name] = csv.writer(file)
            writer.writerow(self._headings)
        writer.writerow([_as_text(cell) for cell in row])


def _as_text(cell: str) -> str:
    cell = cell.replace("\0", "")  # with one of these a spreadsheet takes the whole file for no text
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
