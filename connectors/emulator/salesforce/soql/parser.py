"""Tokens → a query tree (recursive descent)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from connectors.emulator.salesforce.soql.lexer import SoqlError, Token, malformed, tokens_of

DATE_WORDS = ("TODAY", "YESTERDAY", "TOMORROW", "THIS_WEEK", "LAST_WEEK", "THIS_MONTH", "LAST_MONTH", "THIS_YEAR")
AGGREGATES = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")


@dataclass(frozen=True, slots=True)
class Path:
    """A field or a parent path such as Owner.Name."""

    parts: tuple[str, ...]
    column: int

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Aggregate:
    function: str
    path: Path | None
    alias: str | None


@dataclass(frozen=True, slots=True)
class Literal_:
    """A value: ``kind`` is string, number, boolean, null, date, datetime or date word (with ``days``)."""

    kind: str
    value: object
    days: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    path: Path
    operator: str
    values: tuple[Literal_, ...]
    select: Query | None = None


@dataclass(frozen=True, slots=True)
class Junction:
    word: Literal["AND", "OR"]
    parts: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: Where


Where = Comparison | Junction | Negation


@dataclass(frozen=True, slots=True)
class Order:
    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    items: tuple[Path | Aggregate | Query, ...]
    source: str
    column: int
    where: Where | None = None
    group_by: tuple[Path, ...] = ()
    order_by: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    text: str = field(default="", compare=False)

    @property
    def is_bare_count(self) -> bool:
        return len(self.items) == 1 and isinstance(self.items[0], Aggregate) and self.items[0].path is None


def parse(text: str) -> Query:
    """Raises SoqlError (MALFORMED_QUERY)."""
    parser = _Parser(text)
    query = parser.query()
    parser.expect_end()
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0

    def query(self) -> Query:
        self._expect_word("SELECT")
        items = [self._item()]
        while self._take_punctuation(","):
            items.append(self._item())
        self._expect_word("FROM")
        source = self._expect_name()
        if self._peek().kind == "name" and self._peek().word not in (
            "WHERE",
            "ORDER",
            "LIMIT",
            "OFFSET",
            "GROUP",
            "USING",
        ):
            self._next()  # an alias, which we do not need
        where = self._where() if self._take_word("WHERE") else None
        group_by = self._group_by() if self._take_word("GROUP") else ()
        order_by = self._order_by() if self._take_word("ORDER") else ()
        limit = self._number() if self._take_word("LIMIT") else None
        offset = self._number() if self._take_word("OFFSET") else 0
        if offset > 2000:
            raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        return Query(tuple(items), source.text, source.column, where, group_by, order_by, limit, offset, self._text)

    def expect_end(self) -> None:
        token = self._peek()
        if token.kind != "end":
            raise self._unexpected(token)

    def _item(self) -> Path | Aggregate | Query:
        if self._take_punctuation("("):
            nested = self.query()
            self._expect_punctuation(")")
            return nested
        token = self._expect_name()
        if token.word in AGGREGATES and self._take_punctuation("("):
            path = None if self._peek().text == ")" else self._path(self._expect_name())
            self._expect_punctuation(")")
            alias = self._next().text if self._peek().kind == "name" and self._peek().word != "FROM" else None
            return Aggregate(token.word, path, alias)
        return self._path(token)

    def _where(self) -> Where:
        first = self._term()
        word = self._peek().word
        if word not in ("AND", "OR"):
            return first
        parts = [first]
        while self._take_word(word):
            parts.append(self._term())
        if self._peek().word in ("AND", "OR"):
            raise self._unexpected(self._peek())  # mixing needs parentheses in SOQL
        return Junction("AND" if word == "AND" else "OR", tuple(parts))

    def _term(self) -> Where:
        if self._take_word("NOT"):
            return Negation(self._term())
        if self._take_punctuation("("):
            inner = self._where()
            self._expect_punctuation(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        path = self._path(self._expect_name())
        token = self._next()
        if token.kind == "operator":
            operator = "!=" if token.text == "<>" else token.text
            return Comparison(path, operator, (self._literal(),))
        if token.word == "LIKE":
            return Comparison(path, "LIKE", (self._literal(),))
        if token.word in ("IN", "INCLUDES", "EXCLUDES"):
            return self._among(path, token.word)
        if token.word == "NOT" and self._take_word("IN"):
            return self._among(path, "NOT IN")
        raise self._unexpected(token)

    def _among(self, path: Path, operator: str) -> Comparison:
        self._expect_punctuation("(")
        if self._peek().word == "SELECT":
            nested = self.query()
            self._expect_punctuation(")")
            return Comparison(path, operator, (), nested)
        values = [self._literal()]
        while self._take_punctuation(","):
            values.append(self._literal())
        self._expect_punctuation(")")
        return Comparison(path, operator, tuple(values))

    def _literal(self) -> Literal_:
        token = self._next()
        if token.kind in ("string", "date", "datetime"):
            return Literal_(token.kind, token.text)
        if token.kind == "number":
            return Literal_("number", float(token.text) if "." in token.text else int(token.text))
        if token.word in ("TRUE", "FALSE"):
            return Literal_("boolean", token.word == "TRUE")
        if token.word == "NULL":
            return Literal_("null", None)
        if token.word in DATE_WORDS:
            return Literal_("date word", token.word)
        if token.word in ("LAST_N_DAYS", "NEXT_N_DAYS"):
            self._expect_punctuation(":")
            return Literal_("date word", token.word, self._number())
        raise self._unexpected(token)

    def _group_by(self) -> tuple[Path, ...]:
        self._expect_word("BY")
        paths = [self._path(self._expect_name())]
        while self._take_punctuation(","):
            paths.append(self._path(self._expect_name()))
        return tuple(paths)

    def _order_by(self) -> tuple[Order, ...]:
        self._expect_word("BY")
        orders = [self._order()]
        while self._take_punctuation(","):
            orders.append(self._order())
        return tuple(orders)

    def _order(self) -> Order:
        path = self._path(self._expect_name())
        descending = bool(self._take_word("DESC")) or (self._take_word("ASC") and False)
        nulls_last = False
        if self._take_word("NULLS"):
            nulls_last = self._expect_name().word == "LAST"
        return Order(path, descending, nulls_last)

    def _path(self, token: Token) -> Path:
        return Path(tuple(token.text.split(".")), token.column)

    def _number(self) -> int:
        token = self._next()
        if token.kind != "number" or "." in token.text:
            raise self._unexpected(token)
        return int(token.text)

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take_word(self, word: str) -> bool:
        if self._peek().word == word:
            self._next()
            return True
        return False

    def _take_punctuation(self, text: str) -> bool:
        if self._peek().kind == "punctuation" and self._peek().text == text:
            self._next()
            return True
        return False

    def _expect_word(self, word: str) -> None:
        if not self._take_word(word):
            raise self._unexpected(self._peek())

    def _expect_punctuation(self, text: str) -> None:
        if not self._take_punctuation(text):
            raise self._unexpected(self._peek())

    def _expect_name(self) -> Token:
        token = self._next()
        if token.kind != "name":
            raise self._unexpected(token)
        return token

    def _unexpected(self, token: Token) -> SoqlError:
        if token.kind == "end":
            return malformed(self._text, token.column, "unexpected token: '<EOF>'")
        return malformed(self._text, token.column, f"unexpected token: '{token.text}'")
