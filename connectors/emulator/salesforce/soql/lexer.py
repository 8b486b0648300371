"""SOQL text → tokens, with the place of each for Salesforce's caret messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "string", "number", "date", "datetime", "operator", "punctuation", "end"]

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?)
  | (?P<date>\d{4}-\d{2}-\d{2})
  | (?P<number>[+-]?\d+(?:\.\d+)?)
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<operator><=|>=|!=|<>|=|<|>)
  | (?P<punctuation>[(),:])
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}


class SoqlError(Exception):
    """A query Salesforce refuses: its error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is unescaped for strings; ``column`` is 1-based."""

    kind: Kind
    text: str
    column: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "name" else ""


def tokens_of(text: str) -> list[Token]:
    """Raises SoqlError (MALFORMED_QUERY) on text that is no token."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise malformed(text, position + 1, f"unexpected token: '{text[position]}'")
        kind = match.lastgroup
        if kind == "string":
            found.append(Token("string", _unescaped(match.group()[1:-1]), position + 1))
        elif kind != "space" and kind is not None:
            found.append(Token(kind, match.group(), position + 1))  # type: ignore[arg-type]
        position = match.end()
    found.append(Token("end", "", len(text) + 1))
    return found


def malformed(text: str, column: int, message: str) -> SoqlError:
    return SoqlError("MALFORMED_QUERY", f"{caret(text, column)}{message}")


def caret(text: str, column: int) -> str:
    """The two lines that point at a column, as Salesforce draws them."""
    start = max(0, column - 41)
    shown = text[start : column + 40]
    return f"\n{shown}\n{' ' * (column - 1 - start)}^\nERROR at Row:1:Column:{column}\n"


def _unescaped(text: str) -> str:
    """``\\%`` and ``\\_`` keep their backslash: LIKE reads it."""
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), "\\" + m.group(1)), text, flags=re.DOTALL)
