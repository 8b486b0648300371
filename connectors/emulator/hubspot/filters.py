"""One search filter as a test of a record, by the type of its property; and the order of a sort."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from connectors.emulator.hubspot.associations import Associations
from connectors.emulator.hubspot.index import Span
from connectors.emulator.hubspot.kinds import Kind
from connectors.emulator.hubspot.portal import Portal
from connectors.emulator.hubspot.properties import Schema
from connectors.emulator.hubspot.refusals import Refusal, bad_request, text
from connectors.emulator.hubspot.times import from_milliseconds, milliseconds, read_moment
from connectors.emulator.world import Row

Value = float | str
Test = Callable[[Row], bool]
Read = Callable[[Row], Value | None]
Compare = Callable[[Any, Any], bool]

ORDERS: dict[str, Compare] = {
    "LT": lambda held, value: held < value,
    "LTE": lambda held, value: held <= value,
    "GT": lambda held, value: held > value,
    "GTE": lambda held, value: held >= value,
}
OF_THE_ROW: dict[str, Read] = {
    "createdate": lambda row: milliseconds(row.created_at),
    "hs_createdate": lambda row: milliseconds(row.created_at),
    "lastmodifieddate": lambda row: milliseconds(row.stamp),
    "hs_lastmodifieddate": lambda row: milliseconds(row.stamp),
    "hs_object_id": lambda row: int(row.id),
}
"""The same properties as ``properties.COMPUTED``, in comparable form."""
STAMPS = ("lastmodifieddate", "hs_lastmodifieddate")
BOUNDS = {"GT": (True, False), "GTE": (True, False), "LT": (False, True), "LTE": (False, True)} | dict.fromkeys(
    ("BETWEEN", "EQ"), (True, True)
)
"""Which ends of a span an operator gives; stamps are compared in whole milliseconds, so an end is one later."""
ASSOCIATION = "associations."
OPERATORS = {
    *ORDERS, "EQ", "NEQ", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY", "CONTAINS_TOKEN",
    "NOT_CONTAINS_TOKEN",
}  # fmt: skip
_DIGITS = re.compile(r"\D+", re.ASCII)
_TOKENS = re.compile(r"[\w*]+")


class Filters:
    """The filters of one search."""

    def __init__(self, portal: Portal, associations: Associations, kind: Kind) -> None:
        self.portal = portal
        self.associations = associations
        self.kind = kind
        self.schema = portal.schema(kind)

    def test(self, given: dict[str, Any]) -> Test:
        """Raises Refusal: 400, an unknown operator or property, or a value of another type."""
        name, operator = str(given.get("propertyName")), str(given.get("operator"))
        if operator not in OPERATORS:
            raise bad_request(text("bad_operator", operator=operator))
        if name.startswith(ASSOCIATION):
            return self._associated(name.removeprefix(ASSOCIATION), operator, given)
        read, wanted = reader(self.schema, name), Wanted(self.schema, name)
        if operator == "HAS_PROPERTY":
            return lambda row: read(row) is not None
        if operator == "NOT_HAS_PROPERTY":
            return lambda row: read(row) is None
        if operator in {"IN", "NOT_IN"}:
            values = {wanted.member(value) for value in _values(given)}
            return self._signed(read, lambda held: is_among(held, values), is_negative=operator == "NOT_IN")
        if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
            pattern = token_pattern(str(given.get("value", "")))
            return self._signed(
                read, lambda held: pattern.search(str(held)) is not None, is_negative=operator != "CONTAINS_TOKEN"
            )
        value = wanted.value(given.get("value"))
        if operator == "BETWEEN":
            high = wanted.value(given.get("highValue"))
            return lambda row: (held := read(row)) is not None and _within(value, held, high)
        if operator in {"EQ", "NEQ"}:
            return self._signed(read, lambda held: held == value, is_negative=operator == "NEQ")
        compare = ORDERS[operator]
        return lambda row: (held := read(row)) is not None and compare(held, value)

    def span(self, groups: list[list[dict[str, Any]]]) -> Span | None:
        """When whatever these groups find was last changed; None when one of them does not say."""
        spans = [self._span_of(group) for group in groups]
        if not spans or (None, None) in spans:
            return None
        starts, ends = zip(*spans, strict=True)
        return (
            None if None in starts else min(start for start in starts if start is not None),
            None if None in ends else max(end for end in ends if end is not None),
        )

    def _span_of(self, group: list[dict[str, Any]]) -> Span:
        start: datetime | None = None
        end: datetime | None = None
        for given in group:
            operator = given.get("operator")
            if given.get("propertyName") not in STAMPS or operator not in BOUNDS:
                continue
            wanted, (has_start, has_end) = Wanted(self.schema, str(given["propertyName"])), BOUNDS[operator]
            low, high = given.get("value"), given.get("highValue") if operator == "BETWEEN" else given.get("value")
            if has_start:
                start = from_milliseconds(int(wanted.value(low)))
            if has_end:
                end = from_milliseconds(int(wanted.value(high)) + 1)
        return start, end

    def query(self, words: str) -> Test:
        """Every word begins a word in one of the type's searchable properties; a phone number by its last digits."""
        patterns = [token_pattern(f"{word}*") for word in words.lower().split()]
        names = [name for name in self.kind.searchable if name in self.schema.definitions]

        def holds(row: Row) -> bool:
            held = [(name, str(row.values.get(name) or "").lower()) for name in names]
            return all(
                any(pattern.search(value) or _is_phone(name, word, value) for name, value in held)
                for pattern, word in zip(patterns, words.lower().split(), strict=True)
            )

        return holds if patterns else lambda row: True

    def _signed(self, read: Read, holds: Callable[[Value], bool], *, is_negative: bool) -> Test:
        if not is_negative:
            return lambda row: (held := read(row)) is not None and holds(held)
        without = not self.portal.setting("negative_needs_value")
        return lambda row: not holds(held) if (held := read(row)) is not None else without

    def _associated(self, name: str, operator: str, given: dict[str, Any]) -> Test:
        """``associations.contact`` EQ id; not for custom objects."""
        there = self.portal.kind(name)
        if there.is_custom or self.kind.is_custom or operator not in {"EQ", "IN"}:
            raise bad_request(text("bad_association_filter", name=name))
        ids = {str(given.get("value"))} if operator == "EQ" else set(_values(given))
        here = self.kind.name
        return lambda row: any(other in ids for other, _ in self.associations.of((here, row.id), there))


class Wanted:
    """A filter's value in the form that ``reader`` gives."""

    def __init__(self, schema: Schema, name: str) -> None:
        self.type = known_type(schema, name)

    def value(self, given: Any) -> Value:
        """Raises Refusal: 400."""
        spelled = str(given).lower() if isinstance(given, bool) else str(given)
        if given is None:
            raise bad_request(text("no_filter_value"))
        if self.type == "number":
            try:
                return float(spelled)
            except ValueError:
                raise bad_request(text("bad_number", value=spelled)) from None
        if self.type in {"date", "datetime"}:
            at = read_moment(spelled)
            if at is None:
                raise bad_request(text("bad_datetime", value=spelled))
            return milliseconds(at)
        return spelled if self.type == "enumeration" else spelled.lower()

    def member(self, given: Any) -> Value:
        """In a list text is taken as it stands, and never found when it is not in lower case."""
        return str(given) if self.type in {"string", "phone_number"} else self.value(given)


def is_among(held: Value, values: set[Value]) -> bool:
    """One of a multiple choice is enough."""
    return held in values or (isinstance(held, str) and ";" in held and not values.isdisjoint(held.split(";")))


def known_type(schema: Schema, name: str) -> str:
    """Raises Refusal: 400, no such property."""
    if name not in schema.definitions:
        raise unknown_property(name)
    return "number" if name == "hs_object_id" else schema.type_of(name)


def unknown_property(name: str) -> Refusal:
    return bad_request(text("search_unknown_property", name=name))


def reader(schema: Schema, name: str) -> Read:
    """Values in comparable form: numbers as numbers, moments as milliseconds, text in lower case; blank is None.

    Raises:
        Refusal: 400, no such property.
    """
    kind = known_type(schema, name)
    if name in schema.computed:
        return OF_THE_ROW[name]
    if kind == "number":
        return lambda row: float(value) if (value := schema.value(row, name)) else None
    if kind in {"date", "datetime"}:
        return lambda row: _milliseconds(schema.value(row, name))
    if kind == "enumeration":
        return lambda row: schema.value(row, name) or None
    return lambda row: value.lower() if (value := schema.value(row, name)) else None


def sort_key(schema: Schema, name: str | None) -> Callable[[Row], tuple[bool, Value]] | None:
    """Records without a value after all others; None for no sort. Raises Refusal 400."""
    if name is None:
        return None
    read = reader(schema, name)
    return lambda row: (False, held) if (held := read(row)) is not None else (True, 0)


def token_pattern(value: str) -> re.Pattern[str]:
    """Whole words in any case; ``*`` stands for any letters. Several words must follow each other."""
    words = [re.escape(word).replace(r"\*", r"\w*") for word in _TOKENS.findall(value.lower())]
    pattern = r"(?<!\w)" + r"\W+".join(words) + r"(?!\w)" if words else r"(?!)"
    return re.compile(pattern, re.IGNORECASE)


def _is_phone(name: str, word: str, value: str) -> bool:
    """HubSpot looks phone numbers up without country code and punctuation."""
    digits, held = _DIGITS.sub("", word), _DIGITS.sub("", value)
    return "phone" in name and len(digits) >= 4 and held.endswith(digits[-10:])


def _within(low: Any, held: Any, high: Any) -> bool:
    return bool(low <= held <= high)


def _values(given: dict[str, Any]) -> list[str]:
    values = given.get("values")
    if not isinstance(values, list) or not values:
        raise bad_request(text("no_filter_values"))
    return [str(value) for value in values]


def _milliseconds(value: str | None) -> Value | None:
    at = read_moment(value) if value else None
    return milliseconds(at) if at is not None else None
