"""What stands behind ``clean``: a cleaner's name and what it needs to know, like ``phone US`` or ``money USD``."""

from __future__ import annotations

import re

from agent.decide.days import is_zone
from agent.decide.kinds.header import ENTITY_PATTERN
from agent.decide.normalise import CLEANERS, REGIONS
from agent.decide.policy import Cleaner
from agent.decide.reading import Reader
from agent.decide.reference import currencies, states
from agent.decide.suggest import did_you_mean, in_words, nearest
from agent.decide.yaml_source import Node

TYPE_OF = {"number": "number", "money": "number", "date": "date"}
"""Cleaners that make more than text of a value: what conditions may then ask of it."""

_MONEY = "Write `clean: money USD`, or `clean: money by deal_currency` if another line holds the currency."
_ZONE = "Write it like `clean: date in America/New_York`."
_BY = "by "
_IN = "in "


def read_cleaner(node: Node | None, reader: Reader) -> Cleaner:
    """The cleaner of a line; a wrong one is noted and stands in as plainly as possible."""
    text = reader.text(node, "clean") if node is not None else None
    if node is None or text is None:
        return Cleaner()
    name, _, argument = " ".join(text.split()).partition(" ")
    if name not in CLEANERS:
        reader.error(node, f"`clean` cannot be `{text}`", did_you_mean(name, CLEANERS))
        return Cleaner()
    read = _WITH_ARGUMENT.get(name)
    if read is not None:
        return read(node, argument, reader)
    if argument:
        reader.error(node, f"`clean: {name}` takes nothing behind it", f"Write `clean: {name}`.")
    return Cleaner(name)


def _phone(node: Node, region: str, reader: Reader) -> Cleaner:
    if region.upper() in REGIONS:
        return Cleaner("phone", region.upper())
    said = f"`{region}` is not a country code" if region else "`clean: phone` does not say which country"
    reader.error(node, said, "Numbers without a country code are read as numbers of one: `clean: phone US`.")
    return Cleaner("phone")


def _state(node: Node, country: str, reader: Reader) -> Cleaner:
    if not country or country.upper() in states():
        return Cleaner("state", country.upper() or None)
    reader.error(node, f"the states of `{country}` are not known", f"Known: {in_words(sorted(states()))}, or none.")
    return Cleaner("state")


def _money(node: Node, currency: str, reader: Reader) -> Cleaner:
    if currency.startswith(_BY):
        return _by_line(node, currency.removeprefix(_BY).strip(), reader)
    if currency.upper() in currencies():
        return Cleaner("money", currency.upper())
    if not currency:
        reader.error(node, "`clean: money` does not say which currency", _MONEY)
        return Cleaner("money")
    near = nearest(currency.upper(), list(currencies()))
    reader.error(node, f"`{currency}` is not a currency code", f"Did you mean `{near}`? {_MONEY}" if near else _MONEY)
    return Cleaner("money")


def _by_line(node: Node, line: str, reader: Reader) -> Cleaner:
    """Whether that line exists is only known once all were read: ``cross_check``."""
    if re.fullmatch(ENTITY_PATTERN, line):
        return Cleaner("money", currency_line=line)
    reader.error(node, f"`money by {line}` must name a line under `fields`", _MONEY)
    return Cleaner("money")


def _date(node: Node, place: str, reader: Reader) -> Cleaner:
    if not place:
        return Cleaner("date")
    zone = place.removeprefix(_IN).strip()
    if not place.startswith(_IN):
        reader.error(node, f"`clean: date {place}` is not understood", _ZONE)
    elif is_zone(zone):
        return Cleaner("date", zone)
    else:
        reader.error(
            node, f"`{zone}` is not a time zone", f"For example `Europe/Berlin` or `America/New_York`. {_ZONE}"
        )
    return Cleaner("date")


_WITH_ARGUMENT = {"phone": _phone, "state": _state, "money": _money, "date": _date}
