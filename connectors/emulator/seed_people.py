"""Which records the people of the practice company have in Salesforce and HubSpot, dirt and duplicates included."""

from __future__ import annotations

import copy as copying
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any

from connectors.emulator import dirt
from connectors.emulator.seed_copies import PERSON_DIRT, Copy, Pair, Soil, person_copy, split
from connectors.emulator.seed_truth import People, Person, load_data, picked

LEAD_STAGES = 2
"""Only people in the first stages are still Leads; the others have been made Contacts."""


@dataclass(slots=True)
class Extra:
    """A second record of a person in one system: a duplicate, or a Lead beside the Contact."""

    pair: Pair
    system: str
    object_type: str
    role: str
    copy: Copy


class Crowd:
    """All people with their copies, and the extra records beside them."""

    def __init__(self, rng: Random, people: People, owners: int, inactive_owner: int | None) -> None:
        self.rng = rng
        self.people = people
        self.owners = owners
        self.inactive_owner = inactive_owner
        self.rates: dict[str, Any] = load_data("dirt_rates")
        self.pairs: list[Pair] = []
        self.extras: list[Extra] = []

    def gather(self, wanted: int, soil: Soil) -> None:
        """At least ``wanted`` people on each side, one of them planted."""
        where = self.rates["where"]
        total = ceil(wanted / (1 - max(where["salesforce only"], where["hubspot only"]))) + 1
        persons = self._invent(total)
        self.pairs = self._placed(persons)
        self._choose_leads()
        spoilable = self.pairs[1:]
        for group, changes in PERSON_DIRT.items():
            soil.spread(spoilable, group, changes)
        self._one_hubspot_contact_per_address()
        self._duplicate(spoilable)
        self._plant(self.pairs[0])
        self._import_wrong_titles(round(wanted * self.rates["records"]["wrong import"]))

    def _invent(self, total: int) -> list[Person]:
        rates, numbers = self.rates["truth"], list(range(1, total))
        mailbox = dict.fromkeys(range(total), "work")
        for kind, name in (("free", "free mail"), ("shared", "shared mailbox"), ("none", "no e-mail")):
            chosen = picked(self.rng, numbers, rates[name])
            mailbox.update(dict.fromkeys(chosen, kind))
            numbers = [number for number in numbers if number not in chosen]
        persons = [self.people.invent(number + 1, mailbox[number]) for number in range(total)]
        if self.inactive_owner is not None:
            for number in picked(self.rng, range(1, total), rates["inactive owner"]):
                persons[number].owner = self.inactive_owner
        return persons

    def _placed(self, persons: Sequence[Person]) -> list[Pair]:
        here_only, there_only = split(self.rng, range(1, len(persons)), self.rates["where"])
        pairs = []
        for number, person in enumerate(persons):
            form = 1 if self.rng.random() < 0.7 else 0
            salesforce = None if number in there_only else person_copy(person, form)
            hubspot = None if number in here_only else person_copy(person, form)
            pair = Pair(person, salesforce, hubspot, "Contact")
            if not pair.is_both:
                pair.pairing = "one side"
            elif person.mailbox in {"shared", "none"}:
                pair.pairing = "shared mailbox" if person.mailbox == "shared" else "none"
            pairs.append(pair)
        return pairs

    def _choose_leads(self) -> None:
        there = [number for number, pair in enumerate(self.pairs) if number and pair.salesforce is not None]
        early = [number for number in there if self.pairs[number].truth.stage < LEAD_STAGES]
        share = min(self.rates["records"]["lead"] * len(there) / len(early), 1.0) if early else 0.0
        for number in sorted(picked(self.rng, early, share)):
            pair = self.pairs[number]
            pair.object_type = "Lead"
            stage = load_data("practice")["stages"][pair.truth.stage]
            if pair.salesforce is not None:
                pair.salesforce["lead_status"] = self.rng.choice(stage["lead_statuses"])

    def _one_hubspot_contact_per_address(self) -> None:
        """HubSpot refuses a second contact with the same e-mail, so the next user of a mailbox has none there."""
        taken: set[str] = set()
        for pair in self.pairs:
            if pair.hubspot is None or pair.hubspot["email"] is None:
                continue
            if pair.hubspot["email"] in taken:
                pair.hubspot["email"] = None
            taken.add(pair.hubspot["email"] or "")

    def _duplicate(self, pairs: Sequence[Pair]) -> None:
        rates, size = self.rates["records"], len(pairs)
        plain = [pair for pair in pairs if pair.pairing == "email" and pair.is_both and pair.truth.mailbox != "shared"]
        contacts = [pair for pair in plain if pair.object_type == "Contact"]
        self.rng.shuffle(contacts)
        for role, object_type in (
            ("converted lead beside", "Lead"),
            ("lead beside contact", "Lead"),
            ("same e-mail twice", "Contact"),
            ("similar name twice in salesforce", "Contact"),
            ("similar name twice in hubspot", "contacts"),
        ):
            for _ in range(min(round(rates[role] * size), len(contacts))):
                self._add_extra(contacts.pop(), role, object_type)

    def _add_extra(self, pair: Pair, role: str, object_type: str) -> None:
        system = "hubspot" if object_type == "contacts" else "salesforce"
        copy = copying.copy(pair.sides()[1 if system == "hubspot" else 0])
        copy.update(stored_id=False, imported_title=None, opted_out=False)
        if object_type == "Lead":
            copy["lead_status"] = "Open - Not Contacted"
        if role.startswith("similar name"):
            copy["email"] = self.people.second_address(pair.truth)
            copy["last"] = dirt.typo(self.rng, pair.truth.last)
            copy["phone"] = None if self.rng.random() < 0.5 else copy["phone"]
        if role == "same e-mail twice":
            copy["first"] = dirt.nickname(self.rng, pair.truth.first) or pair.truth.first[:1] + "."
            pair.pairing = "unclear"
        pair.dirt.append(f"records: {role}")
        self.extras.append(Extra(pair, system, object_type, role, copy))

    def _plant(self, pair: Pair) -> None:
        """One person whose story is always the same: the demonstration tells it."""
        planted = load_data("practice")["planted"]
        person: Person = pair.truth
        person.first, person.last, person.email = planted["first"], planted["last"], planted["email"]
        person.title, person.stage = planted["title_number"], 2
        person.country = next(one for one in load_data("countries") if one["code"] == planted["country"])
        person.state, person.phone = planted["state"], self.people.draw_phone(person.country)
        here, there = person_copy(person, 1), person_copy(person, 1)
        here["title"], there["title"] = planted["title"]
        pair.salesforce, pair.hubspot, pair.pairing, pair.object_type = here, there, "email", "Contact"
        pair.dirt.append("title: spelling")

    def _import_wrong_titles(self, count: int) -> None:
        """An old import left wrong titles in a field that nobody reads, until somebody writes it into a policy."""
        busy = {id(extra.pair) for extra in self.extras}
        plain = [pair for pair in self.pairs[1:] if pair.pairing == "email" and pair.is_both and id(pair) not in busy]
        plain = [pair for pair in plain if pair.truth.mailbox in {"work", "free"}]
        chosen = [self.pairs[0], *self.rng.sample(plain, min(max(count - 1, 0), len(plain)))]
        for pair in chosen:
            pair.sides()[1]["imported_title"] = self.rng.choice(load_data("titles")["imported"])
            pair.dirt.append("title: wrong import")
        self.pairs[0].sides()[1]["imported_title"] = load_data("practice")["planted"]["imported"]
