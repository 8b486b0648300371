"""CSV as jobs take it and give it: one of six delimiters, two line endings, quotes doubled inside quotes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
LONGEST_FIELD, LONGEST_RECORD, MOST_FIELDS = 32_000, 400_000, 5_000


class BadCsv(Exception):
    """Data no batch can be made of; the text is the job's error message."""


def read(data: bytes, delimiter: str, line_ending: str) -> tuple[list[str], list[list[str]]]:
    """(header, rows). Lines without any character are passed over.

    Raises:
        BadCsv: not UTF-8, another line ending than the job's, a row of another length, too long [K for the texts].
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadCsv("ClientInputError : Failed to parse CSV. The data is not UTF-8") from None
    first_line, newline, _ = text.partition("\n")
    if newline and first_line.endswith("\r") != (line_ending == "CRLF"):
        raise BadCsv(
            f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {line_ending}"
        )
    try:
        found = [row for row in csv.reader(io.StringIO(text), delimiter=DELIMITERS[delimiter], strict=True) if row]
    except csv.Error as error:
        raise BadCsv(f"ClientInputError : Failed to parse CSV. {error}") from None
    if not found:
        raise BadCsv("InvalidBatch : The file has no header")
    header, rows = found[0], found[1:]
    _check(header, rows)
    return [name.strip() for name in header], rows


def _check(header: list[str], rows: list[list[str]]) -> None:
    if len(header) > MOST_FIELDS:
        raise BadCsv(f"InvalidBatch : More than {MOST_FIELDS} fields")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise BadCsv(f"InvalidBatch : Row {number} has {len(row)} columns, the header has {len(header)}")
        if max(map(len, row)) > LONGEST_FIELD or sum(map(len, row)) > LONGEST_RECORD:
            raise BadCsv(f"InvalidBatch : Row {number} is too large")


def write(header: Iterable[str], rows: Iterable[Iterable[str]], delimiter: str, line_ending: str) -> str:
    """Every cell in quotes, as the vendor sends results."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(
        buffer, delimiter=DELIMITERS[delimiter], lineterminator=LINE_ENDINGS[line_ending], quoting=csv.QUOTE_ALL
    )
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
