"""Vendor values and what they mean: read one, compare two, write one for the other side.

HubSpot carries everything as text, Salesforce as JSON scalars; a value map gives one meaning two vendor
words. A word the map does not know is *unmapped*: a question for a person, never a blank. A map may be lossy
(two meanings, one word): then two words agree when they share any meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from agent.decide.amounts import money_in, number_in, plain_form, plain_value
from agent.decide.days import day_in, instant_in, start_of
from agent.decide.normalise import as_text, canonical, email_domain, folded, tidy
from agent.decide.policy import FieldRule
from agent.records import FieldValue
from agent.systems import Systems

YES = "true"
NO = "false"

REMEMBERED_NUMBERS = 500
"""Numbers whose reading is kept: scores and head counts are few, amounts are not worth the memory."""


class Reading(NamedTuple):
    """One vendor value understood.

    ``forms`` are compared: two readings agree when both are blank or share a form. ``value`` is the canonical
    value conditions see; ``text`` the value as text. ``is_mapped`` is False for a word the map lacks, and for one that
    is nothing of the kind that ``clean`` asks for.
    """

    raw: FieldValue
    value: FieldValue = None
    text: str | None = None
    forms: frozenset[str] = frozenset()
    is_mapped: bool = True
    system: str = ""
    """Where it was read, for values that mean nothing elsewhere (owner ids)."""

    @property
    def is_blank(self) -> bool:
        return self.text is None


class Codec:
    """How one rule's values are read and written. Made once per rule."""

    __slots__ = ("_by_form", "_rule", "_systems")

    def __init__(self, rule: FieldRule, systems: Systems) -> None:
        self._rule = rule
        self._systems = systems
        self._by_form = _meanings(rule)

    @property
    def is_plain(self) -> bool:
        """Equal vendor values mean the same: there is no value map."""
        return not self._rule.values

    def read(self, system: str, raw: FieldValue) -> Reading:
        """Understand a value of one system."""
        text = as_text(raw)
        if text is None:
            return Reading(raw)
        if self._rule.values:
            return self._mapped(system, raw, text)
        return self._plain(raw, text)

    def _plain(self, raw: FieldValue, text: str) -> Reading:
        cleaned = CLEANED.get(self._rule.clean.name)
        if cleaned is not None:
            return cleaned(raw, text, self._rule.clean.argument) or self._unread(raw, text)
        if isinstance(raw, bool) or self._rule.type == "boolean":
            return _boolean(raw, text)
        typed = _TYPED.get(self._rule.type) if self._rule.clean.name == "text" else None
        found = typed(raw, text) if typed is not None else None
        if found is not None:
            return found
        form = canonical(text, self._rule.clean)
        if form is None:
            return Reading(raw)
        number = raw if isinstance(raw, int | float) else None
        return Reading(raw, form if number is None else number, text, frozenset((form,)))

    def _unread(self, raw: FieldValue, text: str) -> Reading:
        """No number, or no date: equal only to the same text, and a question for a person."""
        return Reading(raw, None, text, frozenset((f"?{canonical(text, self._rule.clean)}",)), is_mapped=False)

    def agree(self, here: Reading, there: Reading) -> bool:
        """Do both mean the same?"""
        if here.is_blank or there.is_blank:
            return here.is_blank and there.is_blank
        return not here.forms.isdisjoint(there.forms)

    def is_spelling(self, here: Reading, there: Reading) -> bool:
        """Different, but only in case, accents or punctuation."""
        if here.text is None or there.text is None or self._rule.values:
            return False
        return folded(here.text) == folded(there.text)

    def called(self, system: str) -> str:
        return self._systems[system].name

    def show(self, reading: Reading) -> str:
        """A value in a sentence: “Sales Manager”. Of a moment that means a day, the day: it depends on the zone."""
        zone = self._rule.clean.argument
        if self._rule.clean.name == "date" and zone is not None and instant_in(str(reading.raw)) is not None:
            return display(f"{reading.value} in {zone}")
        return display(reading.raw)

    def write(self, system: str, reading: Reading) -> FieldValue:
        """The value this system should hold to mean the same; None clears.

        Raises:
            Unmapped: the value map has no word for it in this system.
        """
        if reading.text is None:
            return None
        if self._rule.values:
            return self._word(system, reading)
        return self._scalar(system, reading)

    def _scalar(self, system: str, reading: Reading) -> FieldValue:
        if system in self._rule.instants and self._rule.clean.name == "date":
            return _as_instant(reading, self._rule.clean.argument)
        if self._systems[system].text_only:
            return tidy(reading.text, self._rule.clean)
        if isinstance(reading.value, bool):
            return reading.value
        if self._rule.type == "number" and isinstance(reading.value, int | float):
            return reading.value
        return tidy(reading.text, self._rule.clean)

    def _mapped(self, system: str, raw: FieldValue, text: str) -> Reading:
        meanings = self._by_form.get(system, {}).get(text.casefold())
        if not meanings:
            return Reading(raw, None, text, frozenset((f"?{system}:{text.casefold()}",)), is_mapped=False)
        return Reading(raw, meanings[0], text, frozenset(meanings))

    def _word(self, system: str, reading: Reading) -> FieldValue:
        for meaning in self._rule.values:
            if meaning in reading.forms and (word := self._rule.values[meaning].get(system)) is not None:
                return _as_scalar(word, self._rule.type, text_only=self._systems[system].text_only)
        raise Unmapped(reading)


class DomainCodec(Codec):
    """Of an e-mail address, where it belongs: ``ann@mail.acme.com`` → ``acme.com``. Blank where it is no address."""

    __slots__ = ()

    def read(self, system: str, raw: FieldValue) -> Reading:
        address = super().read(system, raw)
        domain = email_domain(address.text or "")
        return Reading(raw) if domain is None else Reading(raw, domain, domain, frozenset((domain,)))


class Unmapped(LookupError):
    """The value map has no word for this value in the system to be written."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(str(reading.raw))
        self.reading = reading


def display(value: FieldValue) -> str:
    """A value in a sentence: “Sales Manager”, or the word blank."""
    text = as_text(value)
    return "blank" if text is None else f"“{text}”"


def _meanings(rule: FieldRule) -> dict[str, dict[str, tuple[str, ...]]]:
    """{system: {word in lower case: canonical values}}, in the order of the map."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for meaning, words in rule.values.items():
        for system, word in words.items():
            known = found.setdefault(system, {})
            form = str(word).strip().casefold()
            known[form] = (*known.get(form, ()), meaning)
    return found


def _as_scalar(word: str, field_type: str, *, text_only: bool) -> FieldValue:
    if field_type == "boolean" and not text_only and word.lower() in (YES, NO):
        return word.lower() == YES
    return word


def _boolean(raw: FieldValue, text: str) -> Reading:
    """A Salesforce checkbox is never blank; HubSpot's may be, and then it is blank, not false."""
    form = text.lower()
    if form not in (YES, NO):
        return Reading(raw, text, text, frozenset((form,)))
    return Reading(raw, form == YES, form, frozenset((form,)))


@lru_cache(maxsize=REMEMBERED_NUMBERS, typed=True)
def _number(raw: FieldValue, text: str, _argument: str | None = None) -> Reading | None:
    number = number_in(text)
    return None if number is None else _amount(raw, number)


def _money(raw: FieldValue, text: str, currency: str | None) -> Reading | None:
    number = money_in(text, currency)
    return None if number is None else _amount(raw, number)


def _amount(raw: FieldValue, number: Decimal) -> Reading:
    form = plain_form(number)
    return Reading(raw, plain_value(number), form, frozenset((form,)))


def _day(raw: FieldValue, text: str, zone: str | None) -> Reading | None:
    day = day_in(text, zone)
    if day is None:
        return None
    form = day.isoformat()
    return Reading(raw, form, form, frozenset((form,)))


def _as_instant(reading: Reading, zone: str | None) -> str:
    """The instant it was read from, or the first moment of its day: for a field that holds a time of day."""
    day = date.fromisoformat(reading.text or "")
    moment = instant_in(as_text(reading.raw) or "")
    if moment is None or moment.tzinfo is None or day_in(moment.isoformat(), zone) != day:
        moment = start_of(day, zone)
    return moment.astimezone(UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")


def _date(raw: FieldValue, text: str) -> Reading | None:
    """``YYYY-MM-DD``, or HubSpot's milliseconds at midnight UTC."""
    moment = _moment(text)
    if moment is None:
        return None
    form = moment.date().isoformat()
    return Reading(raw, form, form, frozenset((form,)))


def _datetime(raw: FieldValue, text: str) -> Reading | None:
    """An instant at second grain: Salesforce keeps no fractions and answers with ``+0000``."""
    moment = _moment(text)
    if moment is None:
        return None
    form = moment.astimezone(UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Reading(raw, form, form, frozenset((form,)))


def _choices(raw: FieldValue, text: str) -> Reading | None:
    """``A;B`` in any order. Never written with a leading semicolon: HubSpot would append, not replace."""
    picked = [part.strip() for part in text.split(";") if part.strip()]
    if not picked:
        return Reading(raw)
    ordered = sorted({part.casefold() for part in picked})
    return Reading(raw, ";".join(picked), ";".join(picked), frozenset((";".join(ordered),)))


def _moment(text: str) -> datetime | None:
    try:
        if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


CLEANED: Mapping[str, Callable[[FieldValue, str, str | None], Reading | None]] = {
    "number": _number,
    "money": _money,
    "date": _day,
}
"""Cleaners that read a value as more than text; None where it is nothing of the kind."""

_TYPED: Mapping[str, Callable[[FieldValue, str], Reading | None]] = {
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "choices": _choices,
}
