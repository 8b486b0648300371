"""Who is really who in the practice company: invented people, companies and deals, before any dirt.

Every address is under a name reserved for examples and every telephone number in a range kept free for fiction.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

DATA = Path(__file__).parent / "data"


@cache
def load_data(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


@dataclass(slots=True)
class Company:
    number: int
    name: str
    suffix: str
    domain: str | None
    country: dict[str, Any]
    phone: Phone | None
    industry: int
    employees: int
    owner: int

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.suffix}"


@dataclass(frozen=True, slots=True)
class Phone:
    """A number without its country prefix, in blank-separated groups as its country writes it."""

    dial: str
    groups: str

    @property
    def e164(self) -> str:
        return f"+{self.dial}{self.groups.replace(' ', '')}"


@dataclass(slots=True)
class Person:
    number: int
    first: str
    last: str
    email: str | None
    title: int | None
    phone: Phone | None
    country: dict[str, Any]
    state: str | None
    stage: int
    source: str
    company: Company | None
    owner: int
    mailbox: str
    """``work``, ``free``, ``shared`` or ``none``."""
    score: int

    @property
    def key(self) -> str:
        return f"person-{self.number}"


@dataclass(frozen=True, slots=True)
class Deal:
    number: int
    name: str
    company: Company
    person: Person | None
    stage: int
    amount: int
    closes_in_days: int


class Phones:
    """Draws each fictional number once; a country whose range is used up (or has none) gives no more."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def draw(self, country: dict[str, Any]) -> Phone | None:
        for _ in range(20 if country["numbers"] else 0):
            pattern = self._rng.choice(country["numbers"])
            groups = "".join(self._rng.choice("0123456789") if sign == "#" else sign for sign in pattern)
            phone = Phone(country["dial"], groups)
            if phone.e164 not in self._used:
                self._used.add(phone.e164)
                return phone
        return None


def plain(text: str) -> str:
    """Letters a to z only, as mail addresses spell a name."""
    text = text.replace("ø", "o").replace("Ø", "O").replace("ł", "l").replace("Ł", "L").replace("đ", "d")
    text = text.replace("Đ", "D").replace("ı", "i").replace("ß", "ss")
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())


def picked(rng: Random, pool: Sequence[int], share: float) -> set[int]:
    """Exactly this share of the pool, rounded, and at least one where the share is not nothing."""
    if not pool or share <= 0:
        return set()
    return set(rng.sample(list(pool), min(len(pool), max(1, round(len(pool) * share)))))


def weighted(rng: Random, entries: Sequence[dict[str, Any]]) -> int:
    return rng.choices(range(len(entries)), [entry["weight"] for entry in entries])[0]


def invent_companies(rng: Random, count: int, phones: Phones, owners: int, no_domain: float) -> list[Company]:
    words, countries = load_data("companies"), load_data("countries")
    pairs = [f"{head} {tail}" for head in words["heads"] for tail in words["tails"]]
    rng.shuffle(pairs)
    companies = []
    without = picked(rng, range(count), no_domain)
    for number in range(count):
        around, name = divmod(number, len(pairs))
        spoken = pairs[name] if around == 0 else f"{pairs[name]} {around + 1}"
        country = countries[weighted(rng, countries)]
        domain = None if number in without else f"{spoken.lower().replace(' ', '')}.example"
        companies.append(
            Company(
                number=number + 1,
                name=spoken,
                suffix=rng.choice(words["suffixes"][country["code"]]),
                domain=domain,
                country=country,
                phone=phones.draw(country),
                industry=rng.randrange(len(load_data("practice")["industries"])),
                employees=rng.choice((8, 15, 35, 60, 120, 250, 480, 900, 2500, 8000)),
                owner=rng.randrange(owners),
            )
        )
    return companies


class People:
    """Invents people one by one; no two share an address of their own."""

    def __init__(self, rng: Random, companies: Sequence[Company], phones: Phones, owners: int) -> None:
        self._rng = rng
        self._companies = companies
        self._phones = phones
        self._owners = owners
        self._taken: dict[str, int] = {}

    def invent(self, number: int, mailbox: str) -> Person:
        rng, practice, countries = self._rng, load_data("practice"), load_data("countries")
        company = rng.choice(self._companies) if self._companies else None
        country = company.country if company is not None else countries[weighted(rng, countries)]
        group = load_data("names")["groups"][rng.choice(country["groups"])]
        person = Person(
            number=number,
            first=rng.choice(group["first"]),
            last=rng.choice(group["last"]),
            email=None,
            title=rng.randrange(len(load_data("titles")["titles"])),
            phone=self._phones.draw(country),
            country=country,
            state=rng.choice(country["states"]) if country["states"] else None,
            stage=weighted(rng, practice["stages"]),
            source=rng.choice(practice["sources"]),
            company=company,
            owner=rng.randrange(self._owners),
            mailbox=mailbox,
            score=rng.randrange(101),
        )
        person.email = self._address(person)
        return person

    def draw_phone(self, country: dict[str, Any]) -> Phone | None:
        return self._phones.draw(country)

    def second_address(self, person: Person) -> str:
        """Another address of the same person, at home."""
        return self._unique(plain(person.last) + plain(person.first)[:1], load_data("practice")["free_mail"][0])

    def _address(self, person: Person) -> str | None:
        practice = load_data("practice")
        domain = person.company.domain if person.company is not None else None
        if person.mailbox == "none":
            return None
        if person.mailbox == "shared" and domain is not None:
            return f"{self._rng.choice(practice['shared_mailboxes'])}@{domain}"
        if person.mailbox == "free" or domain is None:
            person.mailbox, domain = "free", practice["free_mail"][0]
        return self._unique(f"{plain(person.first)}.{plain(person.last)}", domain)

    def _unique(self, local: str, domain: str) -> str:
        address = f"{local}@{domain}"
        count = self._taken.get(address, 0)
        self._taken[address] = count + 1
        return address if count == 0 else f"{local}{count + 1}@{domain}"


def invent_deals(rng: Random, count: int, companies: Sequence[Company], people: Sequence[Person]) -> list[Deal]:
    if not companies:
        return []
    at_company: dict[int, list[Person]] = {}
    for person in people:
        if person.company is not None:
            at_company.setdefault(person.company.number, []).append(person)
    deals = []
    for number in range(1, count + 1):
        company = rng.choice(companies)
        there = at_company.get(company.number)
        deals.append(
            Deal(
                number=number,
                name=f"{company.name} - {rng.choice(('renewal', 'new business', 'expansion', 'pilot'))} {number}",
                company=company,
                person=rng.choice(there) if there else None,
                stage=rng.randrange(len(load_data("practice")["deal_stages"])),
                amount=rng.randrange(2, 400) * 500,
                closes_in_days=rng.randrange(-200, 200),
            )
        )
    return deals
