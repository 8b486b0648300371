"""Each person and company as the two CRMs hold it: two copies of the truth, then dirt in chosen shares.

A copy uses plain field names of its own; ``seed_rows`` says what each vendor calls them. Every slip is noted with
the copy, so that a test knows which differences were put there on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from connectors.emulator import dirt
from connectors.emulator.seed_truth import Company, People, Person, Phones, load_data, picked

Copy = dict[str, Any]
Change = Callable[["Soil", "Pair"], bool]


@dataclass(slots=True)
class Pair:
    """One person or company and its copy in each system; None where the system does not have it."""

    truth: Any
    salesforce: Copy | None
    hubspot: Copy | None
    object_type: str
    """Its type in Salesforce."""
    dirt: list[str] = field(default_factory=list)
    pairing: str = "email"
    """How the copies find each other: ``email``, ``stored id``, ``domain``, ``unclear`` or ``none``."""

    @property
    def is_both(self) -> bool:
        return self.salesforce is not None and self.hubspot is not None

    def sides(self) -> tuple[Copy, Copy]:
        if self.salesforce is None or self.hubspot is None:
            raise ValueError("this one is not in both systems")
        return self.salesforce, self.hubspot


def person_copy(person: Person, phone_form: int) -> Copy:
    title = load_data("titles")["titles"][person.title][0] if person.title is not None else None
    return {
        "first": person.first,
        "last": person.last,
        "email": person.email,
        "title": title,
        "phone": dirt.written(person.phone, phone_form) if person.phone else None,
        "country": person.country["name"],
        "state": person.state,
        "stage": person.stage,
        "source": person.source,
        "opted_out": False,
        "owner": person.owner,
        "company": person.company,
        "imported_title": None,
        "stored_id": False,
        "lately": False,
    }


def company_copy(company: Company, phone_form: int) -> Copy:
    return {
        "name": company.full_name,
        "domain": company.domain,
        "website": f"https://{company.domain}" if company.domain else None,
        "phone": dirt.written(company.phone, phone_form) if company.phone else None,
        "country": company.country["name"],
        "industry": company.industry,
        "employees": company.employees,
        "owner": company.owner,
        "stored_id": False,
        "lately": False,
    }


class Soil:
    """Puts one kind of dirt after the other on the pairs, each on its share of them."""

    def __init__(self, rng: Random, rates: dict[str, Any], phones: Phones, people: People | None, owners: int) -> None:
        self.rng = rng
        self.rates = rates
        self.phones = phones
        self.people = people
        self.owners = owners

    def spread(self, pairs: Sequence[Pair], group: str, changes: dict[str, Change]) -> None:
        """A pair gets at most one kind of a group. A change that does not fit says so and another pair is taken."""
        untouched = [pair for pair in pairs if pair.is_both]
        total = len(untouched)
        self.rng.shuffle(untouched)
        for kind, change in changes.items():
            left = round(self.rates[group][kind] * total)
            passed = []
            while left > 0 and untouched:
                pair = untouched.pop()
                if change(self, pair):
                    pair.dirt.append(f"{group}: {kind}")
                    left -= 1
                else:
                    passed.append(pair)
            untouched = passed + untouched

    def some_side(self, pair: Pair) -> Copy:
        return self.rng.choice(pair.sides())


def setting(side: int, name: str, value: Any = None) -> Change:
    """Put a fixed value (blank by default) where there is another one, on one side (0 Salesforce, 1 HubSpot)."""

    def change(soil: Soil, pair: Pair) -> bool:
        copy = pair.sides()[side]
        if copy[name] == value:
            return False
        copy[name] = value
        return True

    return change


def on_some_side(name: str, spoil: Callable[[Soil, Pair, Any], Any]) -> Change:
    """Spoil the value of one side, whichever; None from ``spoil`` means that it cannot be spoiled so."""

    def change(soil: Soil, pair: Pair) -> bool:
        copy = soil.some_side(pair)
        if copy[name] is None:
            return False
        spoiled = spoil(soil, pair, copy[name])
        if spoiled is None or spoiled == copy[name]:
            return False
        copy[name] = spoiled
        return True

    return change


def both_blank(name: str) -> Change:
    def change(soil: Soil, pair: Pair) -> bool:
        for copy in pair.sides():
            copy[name] = None
        return True

    return change


def stage_moved(steps: int) -> Change:
    def change(soil: Soil, pair: Pair) -> bool:
        copy = pair.sides()[1]
        moved = copy["stage"] + steps
        if not 0 <= moved < len(load_data("practice")["stages"]):
            return False
        copy["stage"] = moved
        return True

    return change


def opted_out(salesforce: bool, hubspot: bool) -> Change:
    def change(soil: Soil, pair: Pair) -> bool:
        if pair.truth.email is None:
            return False
        pair.sides()[0]["opted_out"], pair.sides()[1]["opted_out"] = salesforce, hubspot
        return True

    return change


def edited_lately(soil: Soil, pair: Pair) -> bool:
    """Both sides changed in the last days, to different things."""
    here, there = pair.sides()
    if any(spot.startswith(("phone:", "title:")) for spot in pair.dirt):
        return False
    other = soil.phones.draw(pair.truth.country)
    if other is None:
        return False
    there["phone"] = dirt.written(other, 1)
    here["title"] = dirt.other_title(soil.rng, pair.truth.title)
    here["lately"] = there["lately"] = True
    return True


def other_phone(soil: Soil, pair: Pair, value: str) -> str | None:
    drawn = soil.phones.draw(pair.truth.country)
    return dirt.written(drawn, 0) if drawn else None


def other_country(soil: Soil, pair: Pair, value: str) -> str:
    return str(soil.rng.choice([one["name"] for one in load_data("countries") if one["name"] != value]))


def other_owner(soil: Soil, pair: Pair, value: int) -> int:
    return (value + soil.rng.randrange(1, soil.owners)) % soil.owners


def paired_by(pairing: str, *, stored: bool, address: Callable[[Soil, Pair], str | None] | None = None) -> Change:
    """How the two copies of a person can be found to be one: by a stored id, and perhaps no longer by e-mail."""

    def change(soil: Soil, pair: Pair) -> bool:
        there = pair.sides()[1]
        if pair.truth.mailbox not in {"work", "free"}:
            return False
        if address is not None:
            there["email"] = address(soil, pair)
        there["stored_id"] = stored
        pair.pairing = pairing
        return True

    return change


def second_address(soil: Soil, pair: Pair) -> str | None:
    return soil.people.second_address(pair.truth) if soil.people is not None else None


PERSON_DIRT: dict[str, dict[str, Change]] = {
    "pairing": {
        "stored id": paired_by("email", stored=True),
        "stored id and another e-mail": paired_by("stored id", stored=True, address=second_address),
        "another e-mail only": paired_by("none", stored=False, address=second_address),
        "plus tag": paired_by(
            "none", stored=False, address=lambda soil, pair: dirt.plus_tag(soil.rng, str(pair.truth.email))
        ),
    },
    "name": {
        "nickname": on_some_side("first", lambda soil, pair, value: dirt.nickname(soil.rng, value)),
        "letter case": on_some_side("last", lambda soil, pair, value: dirt.other_case(soil.rng, value)),
        "typo": on_some_side("last", lambda soil, pair, value: dirt.typo(soil.rng, value)),
        "hard space": on_some_side("last", lambda soil, pair, value: dirt.hard_space(value)),
    },
    "title": {
        "blank on both": both_blank("title"),
        "blank in hubspot": setting(1, "title"),
        "blank in salesforce": setting(0, "title"),
        "spelling": on_some_side("title", lambda soil, pair, _: dirt.title_spelling(soil.rng, pair.truth.title)),
        "really different": on_some_side("title", lambda soil, pair, _: dirt.other_title(soil.rng, pair.truth.title)),
    },
    "phone": {
        "no phone": both_blank("phone"),
        "blank in hubspot": setting(1, "phone"),
        "blank in salesforce": setting(0, "phone"),
        "another format": on_some_side("phone", lambda soil, pair, _: dirt.other_format(soil.rng, pair.truth.phone)),
        "really different": on_some_side("phone", other_phone),
    },
    "country": {
        "code": on_some_side("country", lambda soil, pair, _: pair.truth.country["code"]),
        "another spelling": on_some_side(
            "country", lambda soil, pair, _: soil.rng.choice(pair.truth.country["spellings"])
        ),
        "blank in salesforce": setting(0, "country"),
        "blank in hubspot": setting(1, "country"),
        "really different": on_some_side("country", other_country),
    },
    "stage": {
        "hubspot ahead": stage_moved(1),
        "hubspot behind": stage_moved(-1),
        "blank in hubspot": setting(1, "stage"),
    },
    "consent": {
        "opted out on both": opted_out(salesforce=True, hubspot=True),
        "opted out in salesforce only": opted_out(salesforce=True, hubspot=False),
        "opted out in hubspot only": opted_out(salesforce=False, hubspot=True),
    },
    "owner": {
        "another owner": on_some_side("owner", other_owner),
        "no owner in hubspot": setting(1, "owner"),
    },
    "source": {
        "blank in hubspot": setting(1, "source"),
        "blank in salesforce": setting(0, "source"),
        "really different": on_some_side(
            "source", lambda soil, pair, _: soil.rng.choice(load_data("practice")["sources"])
        ),
    },
    "company of a person": {"blank": setting(1, "company")},
    "edits": {"both sides lately": edited_lately},
}


def company_paired_by_id(soil: Soil, pair: Pair) -> bool:
    pair.sides()[1]["stored_id"] = True
    if pair.truth.domain is None:
        pair.pairing = "stored id"
    return True


def both_websites(soil: Soil, pair: Pair) -> bool:
    here, there = pair.sides()
    if pair.truth.domain is None:
        return False
    here["website"], there["website"] = dirt.website(soil.rng, pair.truth), dirt.website(soil.rng, pair.truth)
    return True


COMPANY_DIRT: dict[str, dict[str, Change]] = {
    "stored": {"id": company_paired_by_id},
    "website": {"form": both_websites},
    "name": {
        "suffix form": on_some_side("name", lambda soil, pair, _: dirt.company_spelling(soil.rng, pair.truth)),
        "upper case": on_some_side("name", lambda soil, pair, value: value.upper()),
        "typo": on_some_side("name", lambda soil, pair, value: dirt.typo(soil.rng, value)),
    },
    "industry": {
        "another": on_some_side(
            "industry", lambda soil, pair, value: soil.rng.randrange(len(load_data("practice")["industries"]))
        )
    },
    "phone": {"another": on_some_side("phone", other_phone)},
}


def split(rng: Random, numbers: Sequence[int], rates: dict[str, float]) -> tuple[set[int], set[int]]:
    """Which of these are in Salesforce only, and which in HubSpot only."""
    alone = picked(rng, numbers, rates["salesforce only"] + rates["hubspot only"]) if len(numbers) > 1 else set()
    ordered = sorted(alone)
    rng.shuffle(ordered)
    middle = round(len(ordered) * rates["salesforce only"] / (rates["salesforce only"] + rates["hubspot only"]))
    return set(ordered[:middle]), set(ordered[middle:])
