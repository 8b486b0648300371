"""The parts of a parsed query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as Choice


@dataclass(frozen=True, slots=True)
class Path:
    """A field or a parent path such as Owner.Name; ``column`` is where it stands.

    ``function`` is applied to its value; ``local`` when that goes by the user's time zone.
    """

    parts: tuple[str, ...]
    column: int
    function: str | None = None
    local: bool = False

    def __str__(self) -> str:
        path = ".".join(self.parts)
        return path if self.function is None else f"{self.function}({path})"

    @property
    def last(self) -> str:
        return self.parts[-1]


@dataclass(frozen=True, slots=True)
class Call:
    """An aggregate: COUNT, COUNT_DISTINCT, MIN, MAX, SUM, AVG, GROUPING. ``path`` is None in ``COUNT()``."""

    function: str
    path: Path | None
    column: int
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """A selected field, with the alias an aggregate query may give it."""

    path: Path
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class AllFields:
    """``FIELDS(STANDARD)``, ``FIELDS(CUSTOM)`` or ``FIELDS(ALL)``."""

    which: str
    column: int


@dataclass(frozen=True, slots=True)
class TypeOf:
    """``TYPEOF What WHEN Account THEN Phone … ELSE Name END``: what is shown depends on what is found."""

    path: Path
    branches: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A literal. ``kind`` is string, number, boolean, null, date, datetime or date word (with ``count``)."""

    kind: str
    value: object
    column: int
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``operator`` is one of = != < <= > >= LIKE IN, NOT IN, INCLUDES, EXCLUDES; ``select`` is a semi-join."""

    subject: Path | Call
    operator: str
    values: tuple[Value, ...]
    select: Query | None = None


@dataclass(frozen=True, slots=True)
class Junction:
    word: Choice["AND", "OR"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: Condition


Condition = Comparison | Junction | Negation


@dataclass(frozen=True, slots=True)
class Order:
    subject: Path | Call
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """``text`` is the whole query, also in a sub-query: carets point into it."""

    text: str
    items: tuple[Plain | Call | AllFields | TypeOf | Query, ...]
    source: Path
    where: Condition | None = None
    group_by: tuple[Path, ...] = ()
    having: Condition | None = None
    order_by: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    alias: str | None = None
    subtotals: Choice["", "ROLLUP", "CUBE"] = ""
    only_mine: bool = False

    @property
    def is_bare_count(self) -> bool:
        return len(self.items) == 1 and isinstance(self.items[0], Call) and self.items[0].path is None

    @property
    def is_aggregate(self) -> bool:
        return bool(self.group_by) or any(isinstance(item, Call) for item in self.items)
