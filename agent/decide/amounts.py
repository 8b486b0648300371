"""Numbers and amounts of money: what a writing says, and its one plain form.

Salesforce keeps every decimal it is sent and only shows fewer (facts of its knowledge base 000387302); HubSpot
keeps text of digits with one dot. So an amount is compared and written with the decimals of its currency, halves
away from zero, as both screens show it. Two currencies are never compared.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from agent.decide.reference import currencies

MOST_DIGITS = 30
"""A longer number is text to us."""
_PRECISION = 80

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]{1,3}(?:(?P<mark>[,' \u00a0\u202f\u2019])[0-9]{3}(?:(?P=mark)[0-9]{3})*)|[0-9]+)(?:\.[0-9]*)?"
    r"|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
)
_MONEY = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<before>[^\d\s.,'’+-]{0,4})\s*(?P<number>[+-]?[.\d].*?)\s*(?P<after>[^\d\s.,'’+-]{0,4})"
)


def number_in(text: str) -> Decimal | None:
    """``1,250.50`` → 1250.50; None for what is no number. Thousands may stand in groups of three; a decimal comma
    is not understood, because nobody can tell it from those."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    digits = text.replace(found["mark"], "") if found["mark"] else text
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else None


def money_in(text: str, currency: str | None) -> Decimal | None:
    """``$1,250`` or ``1250 USD`` with currency ``USD`` → 1250; None where it is no amount, or says another currency.

    ``currency`` None: not known, so no sign is understood.
    """
    found = _MONEY.fullmatch(text)
    if found is None or (found["before"] and found["after"]):
        return None
    mark = (found["before"] or found["after"]).upper()
    if mark and mark not in _marks(currency):
        return None
    number = number_in(found["sign"] + found["number"])
    return rounded(number, currency) if number is not None else None


def rounded(number: Decimal, currency: str | None) -> Decimal:
    """With the decimals of the currency, halves away from zero."""
    if currency is None or currency not in currencies():
        return number
    with localcontext() as context:
        context.prec = _PRECISION
        return number.quantize(Decimal(1).scaleb(-currencies()[currency].digits), ROUND_HALF_UP)


def plain_form(number: Decimal) -> str:
    """Digits with at most one dot, without zeros that say nothing, and no finer than JSON carries: more digits
    could never be made equal on both sides."""
    value = plain_value(number)
    return str(value) if isinstance(value, int) else format(Decimal(repr(value)), "f")


def plain_value(number: Decimal) -> int | float:
    """The number as JSON carries it."""
    if number == number.to_integral_value():
        return int(number)
    carried = float(number)
    return int(carried) if carried.is_integer() else carried


def _marks(currency: str | None) -> frozenset[str]:
    if currency is None:
        return frozenset()
    known = currencies().get(currency)
    return frozenset((currency, *(known.signs if known is not None else ())))
