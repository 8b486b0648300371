"""Canonical forms: when do two writings mean the same, and how is a value written.

``canonical`` is the form compared, ``tidy`` the form written. Both are idempotent, ``tidy`` never changes
what ``canonical`` says, and neither is disturbed by what the vendors do to values (Salesforce lower-cases
e-mail, trims text and turns ``""`` into null; HubSpot lower-cases e-mail). The property tests in
tests/unit/test_normalise.py hold this.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache

import phonenumbers

from agent.decide.amounts import money_in, number_in, plain_form
from agent.decide.days import day_in
from agent.decide.policy import Cleaner
from agent.decide.reference import countries, states, words
from agent.decide.suffixes import labels_of, suffix_start
from agent.records import FieldValue

REMEMBERED = 20_000
"""Raw values whose form is kept: parsing a telephone number costs 40 µs, looking it up 0.1 µs. So many cost 6 MB for
each way of reading; all values of a large CRM would cost more than everything else together."""

DEFAULT_STATES = ("US", "CA")
"""Countries whose states ``clean: state`` knows without being told; their codes do not overlap."""

_LOOSE_MARKS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "‐": "-", "‑": "-", "–": "-"})
_SHORTEST_NUMBER = 5
_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]{1,5})?)(?P<rest>(?:[/?#][^\s]*)?)",
    re.IGNORECASE | re.ASCII,
)


def canonical(value: FieldValue, cleaner: Cleaner) -> str | None:
    """The form under which two values are compared; None for a blank."""
    text = as_text(value)
    if text is None:
        return None
    return _FORMS[cleaner.name](text, cleaner.argument) or None


def tidy(value: FieldValue, cleaner: Cleaner) -> str | None:
    """The form that is written: the winner's value, cleaned as far as the policy asked."""
    text = as_text(value)
    if text is None:
        return None
    return _WRITTEN[cleaner.name](text, cleaner.argument) or None


def same(here: FieldValue, there: FieldValue, cleaner: Cleaner) -> bool:
    """Do both writings mean the same? Two blanks do."""
    return here == there or canonical(here, cleaner) == canonical(there, cleaner)


def as_text(value: FieldValue) -> str | None:
    """A vendor value as trimmed text; None for a blank (null, empty, or nothing but white space)."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def folded(text: str) -> str:
    """Letters and digits alone, without case and accents: to look up names and to tell a mere spelling."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = [letter for letter in plain if not unicodedata.combining(letter)]
    return " ".join("".join(letter if letter.isalnum() else " " for letter in bare).split())


def email_domain(email: str) -> str | None:
    """``ann@mail.acme.com`` → ``acme.com``; None for what is not an address."""
    name, at, host = email.strip().rpartition("@")
    return _registered(host) or None if at and name and host else None


def _text(text: str, _argument: str | None) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _verbatim(text: str, _argument: str | None) -> str:
    return text


def _name(text: str, _argument: str | None) -> str:
    return _stable(text, lambda form: _text(form.translate(_LOOSE_MARKS).casefold(), None))


def _email(text: str, _argument: str | None) -> str:
    visible = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    return _stable(visible.strip(), lambda form: unicodedata.normalize("NFC", form.lower()))


@lru_cache(maxsize=REMEMBERED)
def _phone(text: str, region: str | None) -> str:
    return _stable(text, lambda form: _number_form(form, region))


def _number_form(text: str, region: str | None) -> str:
    """E.164 with its extension where the number is possible; else its digits; else the text."""
    number = _parsed(text, region)
    if number is not None and _is_possible(number):
        return _e164(number)
    return _digits(text) or _name(text, None)


@lru_cache(maxsize=REMEMBERED)
def _written_phone(text: str, region: str | None) -> str:
    """E.164 only for a number that can exist; anything else stays as somebody typed it."""
    number = _parsed(text, region)
    if number is not None and _is_possible(number) and phonenumbers.is_valid_number(number):
        return _e164(number)
    return text


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """Read as a number of the region; if it cannot be one, ``00`` in front dials abroad, as in most of the world."""
    number = _read_as(text, region)
    if text.startswith("00") and (number is None or not _is_possible(number)):
        return _read_as(f"+{text[2:]}", None)
    return number


def _read_as(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _is_possible(number: phonenumbers.PhoneNumber) -> bool:
    """Long enough to dial from elsewhere; a local number without its area code is not."""
    return phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE


def _e164(number: phonenumbers.PhoneNumber) -> str:
    form = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{form} x{number.extension}" if number.extension else form


def _digits(text: str) -> str:
    if any(letter.isalpha() for letter in text):
        return ""
    digits = "".join(letter for letter in text if letter in "0123456789")
    return digits if len(digits) >= _SHORTEST_NUMBER else ""


@lru_cache(maxsize=REMEMBERED)
def _domain(text: str, _argument: str | None) -> str:
    """The part somebody registered: ``https://www.Acme.co.uk/x`` → ``acme.co.uk``; else the text."""
    return _registered(text) or _name(text, None)


@lru_cache(maxsize=REMEMBERED)
def _written_domain(text: str, _argument: str | None) -> str:
    return _registered(text) or text


def _registered(text: str) -> str:
    labels = labels_of(_email(text, None))
    start = suffix_start(labels)
    if start and labels[start - 1]:
        return ".".join(labels[start - 1 :])
    named = [label for label in labels[:start] if label]
    is_name = len(named) > 1 and not named[-1].isdigit() and not any(" " in label for label in named)
    return ".".join(named[-2:]) if is_name else ""  # an ending the list does not know, such as a company's own


@lru_cache(maxsize=REMEMBERED)
def _company(text: str, _argument: str | None) -> str:
    """Without its legal form: ``Acme, Inc.`` and ``ACME`` are one; a name made of such words alone keeps them."""
    return _stable(text, _without_legal_form)


def _without_legal_form(text: str) -> str:
    found = _letters_joined(folded(text).split())
    while len(found) > 1 and found[-1] in words("company suffixes"):
        found.pop()
    return " ".join(found) or _name(text, None)


def _letters_joined(parts: list[str]) -> list[str]:
    """``s a r l`` → ``sarl``: single letters that stood between dots are one word."""
    joined: list[str] = []
    is_open = False
    for part in parts:
        if len(part) == 1 and is_open:
            joined[-1] += part
        else:
            joined.append(part)
        is_open = len(part) == 1
    return joined


def _url(text: str, _argument: str | None) -> str:
    """Scheme, ``www.`` and a closing slash say nothing; the host has no case, what follows it has."""
    return _stable(text, lambda form: _address(form) or _name(form, None))


def _written_url(text: str, _argument: str | None) -> str:
    """A whole address with its scheme; anything that is none stays as somebody typed it."""
    scheme, host, rest = _parts_of(text)
    if not host:
        return text
    return f"{scheme or 'https'}://{host}{rest}"


def _address(text: str) -> str:
    _, host, rest = _parts_of(text)
    return f"{host.removeprefix('www.')}{rest.rstrip('/')}" if host else ""


def _parts_of(text: str) -> tuple[str, str, str]:
    """(scheme, host in small letters, the rest); an empty host for what is no address."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        return "", "", ""
    return (match["scheme"] or "").lower(), match["host"].lower(), match["rest"]


@lru_cache(maxsize=REMEMBERED)
def _country(text: str, _argument: str | None) -> str:
    return _code_of(text, _country_codes()) or _name(text, None)


@lru_cache(maxsize=REMEMBERED)
def _written_country(text: str, _argument: str | None) -> str:
    code = _code_of(text, _country_codes())
    return countries()[code][0] if code else text


@lru_cache(maxsize=REMEMBERED)
def _state(text: str, country: str | None) -> str:
    return _code_of(text, _state_codes(country)) or _name(text, None)


@lru_cache(maxsize=REMEMBERED)
def _written_state(text: str, country: str | None) -> str:
    code = _code_of(text, _state_codes(country))
    if code is None:
        return text
    return next(states()[owner][code][0] for owner in _state_owners(country) if code in states()[owner])


@lru_cache(maxsize=1)
def _country_codes() -> Mapping[str, str]:
    return _codes(countries())


@lru_cache(maxsize=32)
def _state_codes(country: str | None) -> Mapping[str, str]:
    merged: dict[str, str] = {}
    for owner in _state_owners(country):
        merged.update(_codes(states()[owner]))
    return merged


def _state_owners(country: str | None) -> tuple[str, ...]:
    asked = (country.upper(),) if country else DEFAULT_STATES
    return tuple(owner for owner in asked if owner in states())


def _codes(names_by_code: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """{folded name or code: code}."""
    found = {folded(name): code for code, names in names_by_code.items() for name in names}
    found.update({folded(code): code for code in names_by_code})
    return found


def _code_of(text: str, codes: Mapping[str, str]) -> str | None:
    form = folded(text)
    return codes.get(form) or codes.get(form.replace(" ", "")) or codes.get(form.removeprefix("the "))


def _number(text: str, _argument: str | None) -> str:
    return _stable(text, lambda form: _name(form, None) if number_in(form) is None else _written_number(form, None))


def _written_number(text: str, _argument: str | None) -> str:
    number = number_in(text)
    return text if number is None else plain_form(number)


def _money(text: str, currency: str | None) -> str:
    """The amount alone: which currency it is in, the policy says, so only amounts of one line are comparable."""
    return _stable(
        text, lambda form: _name(form, None) if money_in(form, currency) is None else _written_money(form, currency)
    )


def _written_money(text: str, currency: str | None) -> str:
    number = money_in(text, currency)
    return text if number is None else plain_form(number)


def _date(text: str, zone: str | None) -> str:
    """The day, in the zone of the policy where the value is an instant."""
    return _stable(text, lambda form: _day(form, zone) or _name(form, None))


def _written_date(text: str, zone: str | None) -> str:
    return _day(text, zone) or text


def _day(text: str, zone: str | None) -> str:
    day = day_in(text, zone)
    return day.isoformat() if day is not None else ""


def _stable(text: str, step: Callable[[str], str]) -> str:
    """Apply a step until nothing moves any more: some letters need two rounds of case folding, and the bare
    digits of a wrongly punctuated number may be a number."""
    form = step(text)
    while (again := step(form)) != form:
        form = again
    return form


_FORMS: Mapping[str, Callable[[str, str | None], str]] = {
    "text": _text,
    "name": _name,
    "email": _email,
    "phone": _phone,
    "domain": _domain,
    "company": _company,
    "url": _url,
    "country": _country,
    "state": _state,
    "number": _number,
    "money": _money,
    "date": _date,
}
_WRITTEN: Mapping[str, Callable[[str, str | None], str]] = {
    "text": _verbatim,
    "name": _text,
    "email": _email,
    "phone": _written_phone,
    "domain": _written_domain,
    "company": _text,
    "url": _written_url,
    "country": _written_country,
    "state": _written_state,
    "number": _written_number,
    "money": _written_money,
    "date": _written_date,
}

CLEANERS = tuple(_FORMS)
"""Names allowed after ``clean:``."""

REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""Two-letter regions allowed after ``clean: phone``."""
