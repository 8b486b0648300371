"""SOQL text → tokens, with the place of each for Salesforce's caret messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["name", "string", "number", "date", "datetime", "operator", "punctuation", "end"]

_PATTERN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))
  | (?P<date>\d{4}-\d{2}-\d{2}(?!T))
  | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_\d-]))
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
  | (?P<operator><=|>=|!=|<>|=|<|>)
  | (?P<punctuation>[(),:])
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
LIKE_ESCAPES = "%_"
SHOWN_BEFORE, SHOWN_AFTER = 40, 40


class SoqlError(Exception):
    """A query Salesforce refuses: its error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotBuilt(SoqlError):
    """A query a real org may well answer, but not this emulator: its grammar, or an object that is not here.

    Answered as wrong, and reported as unknown.
    """


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is unescaped for strings; ``column`` counts from 1 over the whole text."""

    kind: Kind
    text: str
    column: int

    @property
    def word(self) -> str:
        """A name in capitals, else nothing."""
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
            found.append(Token("string", _unescaped(text, match), position + 1))
        elif kind != "space":
            found.append(Token(cast(Kind, kind), match.group(), position + 1))
        position = match.end()
    found.append(Token("end", "<EOF>", len(text) + 1))
    return found


def malformed(text: str, column: int, message: str) -> SoqlError:
    return SoqlError("MALFORMED_QUERY", caret(text, column) + message)


def caret(text: str, column: int) -> str:
    """The lines that point at a place, as Salesforce draws them. Rows and columns count from 1."""
    row = text.count("\n", 0, column - 1) + 1
    start = text.rfind("\n", 0, column - 1) + 1
    end = text.find("\n", start)
    line = text[start : end if end >= 0 else len(text)]
    in_line = column - start
    left = max(0, in_line - 1 - SHOWN_BEFORE)
    shown = line[left : in_line - 1 + SHOWN_AFTER]
    return f"\n{shown}\n{' ' * (in_line - 1 - left)}^\nERROR at Row:{row}:Column:{in_line}\n"


def _unescaped(text: str, match: re.Match[str]) -> str:
    r"""The string without quotes and escapes. ``\%`` and ``\_`` keep their backslash: LIKE reads them."""

    def plain(escape: re.Match[str]) -> str:
        char = escape.group(1)
        if char in LIKE_ESCAPES:
            return escape.group()
        if char not in _ESCAPES:
            raise malformed(text, match.start() + 1, f"invalid escape character: '{char}'")
        return _ESCAPES[char]

    return re.sub(r"\\(.)", plain, match.group()[1:-1], flags=re.DOTALL)
