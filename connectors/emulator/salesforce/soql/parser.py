"""Tokens → a query tree (recursive descent)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

from connectors.emulator.salesforce.soql import functions
from connectors.emulator.salesforce.soql.lexer import NotBuilt, SoqlError, Token, caret, malformed, tokens_of
from connectors.emulator.salesforce.soql.tree import (
    AllFields,
    Call,
    Comparison,
    Condition,
    Junction,
    Negation,
    Order,
    Path,
    Plain,
    Query,
    TypeOf,
    Value,
)

PERIODS = ("WEEK", "MONTH", "QUARTER", "YEAR")
FISCAL = ("FISCAL_QUARTER", "FISCAL_YEAR")
DATE_WORDS = frozenset(
    ["TODAY", "YESTERDAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"]
    + [f"{when}_{period}" for when in ("THIS", "LAST", "NEXT") for period in (*PERIODS, *FISCAL)]
)
COUNTED_DATE_WORDS = frozenset(
    [
        *(f"N_{period}S_AGO" for period in ("DAY", *PERIODS, *FISCAL)),
        *(f"{when}_N_{period}S" for when in ("LAST", "NEXT") for period in ("DAY", *PERIODS, *FISCAL)),
    ]
)
AGGREGATES = frozenset(["COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG", "GROUPING"])
CLAUSES = frozenset(["WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL", "USING", "FROM"])
NOT_BUILT = frozenset(["DISTANCE"])
SUBTOTALS: tuple[Literal["ROLLUP", "CUBE"], ...] = ("ROLLUP", "CUBE")
LONGEST_QUERY = 100_000
LARGEST_OFFSET = 2_000
DEEPEST = 100
"""Nested conditions and selects; a real org says QUERY_TOO_COMPLICATED long before."""


def parse(text: str) -> Query:
    """Raises SoqlError: MALFORMED_QUERY, or NUMBER_OUTSIDE_VALID_RANGE for an offset."""
    if len(text) > LONGEST_QUERY:
        raise SoqlError("MALFORMED_QUERY", f"SOQL statements cannot be longer than {LONGEST_QUERY} characters.")
    parser = _Parser(text)
    query = parser.query()
    parser.expect_end()
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        with self._deeper():
            return self._query()

    def _query(self) -> Query:
        self._expect_word("SELECT")
        items = [self._item()]
        while self._take(","):
            items.append(self._item())
        self._expect_word("FROM")
        source = self._path()
        alias = self._alias()
        if self._peek().text == ",":
            raise self._not_built(self._peek())
        only_mine = self._scope()
        where = self._condition() if self._take_word("WHERE") else None
        self._with()
        group_by, subtotals = self._group_by() if self._take_word("GROUP") else ((), "")
        having = self._condition() if self._take_word("HAVING") else None
        order_by = self._order_by() if self._take_word("ORDER") else ()
        limit = self._number() if self._take_word("LIMIT") else None
        offset = self._offset() if self._take_word("OFFSET") else 0
        self._ending()
        return Query(
            self._text,
            tuple(items),
            source,
            where,
            group_by,
            having,
            order_by,
            limit,
            offset,
            alias,
            subtotals,
            only_mine,
        )

    def expect_end(self) -> None:
        if self._peek().kind != "end":
            raise self._unexpected(self._peek())

    # SELECT ----------------------------------------------------------------------------------------------------------

    def _item(self) -> Plain | Call | AllFields | TypeOf | Query:
        if self._take("("):
            nested = self.query()
            self._expect(")")
            return nested
        token = self._peek()
        if token.word == "FIELDS" and self._tokens[self._at + 1].text == "(":
            return self._all_fields()
        if token.word == "TYPEOF":
            return self._type_of()
        subject = self._subject()
        alias = self._alias()
        if isinstance(subject, Call):
            return Call(subject.function, subject.path, subject.column, alias)
        return Plain(subject, alias)

    def _all_fields(self) -> AllFields:
        column = self._next().column
        self._expect("(")
        which = self._expect_name()
        if which.word not in ("ALL", "STANDARD", "CUSTOM"):
            raise self._unexpected(which)
        self._expect(")")
        return AllFields(which.word, column)

    def _type_of(self) -> TypeOf:
        self._next()
        path = self._path()
        branches = []
        while self._take_word("WHEN"):
            kind = self._expect_name().text
            self._expect_word("THEN")
            branches.append((kind, self._paths()))
        otherwise = self._paths() if self._take_word("ELSE") else ()
        self._expect_word("END")
        return TypeOf(path, tuple(branches), otherwise)

    def _paths(self) -> tuple[Path, ...]:
        paths = [self._path()]
        while self._take(","):
            paths.append(self._path())
        return tuple(paths)

    def _alias(self) -> str | None:
        token = self._peek()
        return self._next().text if token.kind == "name" and token.word not in CLAUSES else None

    def _subject(self) -> Path | Call:
        """A field, or a function of one."""
        token = self._expect_name()
        if self._peek().text != "(" or self._peek().kind != "punctuation":
            if token.word in NOT_BUILT:
                raise self._not_built(token)
            return Path(tuple(token.text.split(".")), token.column)
        if token.word in functions.NAMES:
            return self._function(token)
        if token.word not in AGGREGATES:
            raise self._not_built(token)
        self._expect("(")
        path = None if token.word == "COUNT" and self._peek().text == ")" else self._path()
        self._expect(")")
        return Call(token.word, path, token.column)

    def _function(self, token: Token) -> Path:
        """``CALENDAR_YEAR(CreatedDate)``, ``HOUR_IN_DAY(convertTimezone(CreatedDate))``."""
        self._expect("(")
        local = self._peek().word == "CONVERTTIMEZONE" and token.word in functions.OF_DATES
        if local:
            self._next()
            self._expect("(")
        path = self._path()
        if local:
            self._expect(")")
        self._expect(")")
        return Path(path.parts, token.column, token.word, local)

    def _scope(self) -> bool:
        """Whether only the caller's own records are wanted."""
        if not self._take_word("USING"):
            return False
        self._expect_word("SCOPE")
        scope = self._expect_name()
        if scope.word not in ("EVERYTHING", "MINE"):
            raise self._not_built(scope)
        return scope.word == "MINE"

    def _with(self) -> None:
        if self._take_word("WITH"):
            mode = self._expect_name()
            if mode.word not in ("SECURITY_ENFORCED", "USER_MODE"):
                raise self._not_built(mode)

    def _ending(self) -> None:
        while self._take_word("FOR"):
            purpose = self._expect_name()
            if purpose.word not in ("VIEW", "REFERENCE"):
                raise self._unexpected(purpose)
        if self._peek().word == "ALL":
            raise malformed(self._text, self._peek().column, "ALL ROWS not allowed in this context")

    # Conditions ------------------------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        first = self._term()
        word = self._peek().word
        if word == "AND":
            return Junction("AND", self._joined("AND", first))
        if word == "OR":
            return Junction("OR", self._joined("OR", first))
        return first

    def _joined(self, word: Literal["AND", "OR"], first: Condition) -> tuple[Condition, ...]:
        """``a AND b AND c``; mixing AND with OR needs parentheses."""
        parts = [first]
        while self._take_word(word):
            parts.append(self._term())
        if self._peek().word in ("AND", "OR"):
            raise self._unexpected(self._peek())
        return tuple(parts)

    def _term(self) -> Condition:
        with self._deeper():
            return self._plain_term()

    def _plain_term(self) -> Condition:
        if self._take_word("NOT"):
            return Negation(self._term())
        if self._take("("):
            inner = self._condition()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        subject = self._subject()
        token = self._next()
        if token.kind == "operator":
            return Comparison(subject, "!=" if token.text == "<>" else token.text, (self._value(),))
        if token.word == "LIKE":
            return Comparison(subject, "LIKE", (self._value(),))
        if token.word in ("IN", "INCLUDES", "EXCLUDES"):
            return self._among(subject, token.word)
        if token.word == "NOT" and self._take_word("IN"):
            return self._among(subject, "NOT IN")
        raise self._unexpected(token)

    def _among(self, subject: Path | Call, operator: str) -> Comparison:
        self._expect("(")
        if self._peek().word == "SELECT":
            nested = self.query()
            self._expect(")")
            return Comparison(subject, operator, (), nested)
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect(")")
        return Comparison(subject, operator, tuple(values))

    def _value(self) -> Value:
        token = self._next()
        if token.kind in ("string", "date", "datetime"):
            return Value(token.kind, token.text, token.column)
        if token.kind == "number":
            return Value("number", float(token.text), token.column)
        if token.word in ("TRUE", "FALSE"):
            return Value("boolean", token.word == "TRUE", token.column)
        if token.word == "NULL":
            return Value("null", None, token.column)
        if token.word in DATE_WORDS:
            return Value("date word", token.word, token.column)
        if token.word in COUNTED_DATE_WORDS:
            self._expect(":")
            return Value("date word", token.word, token.column, self._number())
        raise self._unexpected(token)

    # The rest --------------------------------------------------------------------------------------------------------

    def _group_by(self) -> tuple[tuple[Path, ...], Literal["", "ROLLUP", "CUBE"]]:
        self._expect_word("BY")
        subtotals: Literal["", "ROLLUP", "CUBE"] = ""
        for word in SUBTOTALS:
            if self._take_word(word):
                subtotals = word
                self._expect("(")
        paths = [self._grouped()]
        while self._take(","):
            paths.append(self._grouped())
        if subtotals:
            self._expect(")")
        return tuple(paths), subtotals

    def _grouped(self) -> Path:
        token = self._peek()
        subject = self._subject()
        if isinstance(subject, Call):
            raise self._unexpected(token)
        return subject

    def _order_by(self) -> tuple[Order, ...]:
        self._expect_word("BY")
        orders = [self._order()]
        while self._take(","):
            orders.append(self._order())
        return tuple(orders)

    def _order(self) -> Order:
        subject = self._subject()
        descending = self._take_word("DESC")
        if not descending:
            self._take_word("ASC")
        nulls_last = False
        if self._take_word("NULLS"):
            place = self._expect_name()
            if place.word not in ("FIRST", "LAST"):
                raise self._unexpected(place)
            nulls_last = place.word == "LAST"
        return Order(subject, descending, nulls_last)

    def _offset(self) -> int:
        column = self._peek().column
        offset = self._number()
        if offset > LARGEST_OFFSET:
            message = f"{caret(self._text, column)}Maximum SOQL offset allowed is {LARGEST_OFFSET}"
            raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", message)
        return offset

    def _path(self) -> Path:
        token = self._expect_name()
        return Path(tuple(token.text.split(".")), token.column)

    def _number(self) -> int:
        token = self._next()
        if token.kind != "number" or not token.text.isdecimal():
            raise self._unexpected(token)
        return int(token.text)

    @contextlib.contextmanager
    def _deeper(self) -> Iterator[None]:
        """One level further in. Raises SoqlError when there are too many."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise SoqlError("QUERY_TOO_COMPLICATED", "Query is too complicated")
        yield
        self._depth -= 1

    # Tokens ----------------------------------------------------------------------------------------------------------

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take_word(self, word: str) -> bool:
        taken = self._peek().word == word
        if taken:
            self._next()
        return taken

    def _take(self, text: str) -> bool:
        taken = self._peek().kind == "punctuation" and self._peek().text == text
        if taken:
            self._next()
        return taken

    def _expect_word(self, word: str) -> None:
        if not self._take_word(word):
            raise self._unexpected(self._peek())

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(self._peek())

    def _expect_name(self) -> Token:
        token = self._next()
        if token.kind != "name":
            raise self._unexpected(token)
        return token

    def _unexpected(self, token: Token) -> SoqlError:
        return malformed(self._text, token.column, f"unexpected token: '{token.text}'")

    def _not_built(self, token: Token) -> SoqlError:
        error = self._unexpected(token)
        return NotBuilt(error.code, error.message)
