"""The practice company, built from a seed: both CRMs filled with the same people, dirt, and the truth about it.

The same seed, counts and clock give the same records with the same ids. The truth is what a test compares against:
which records are one person, how they can be found to be, and which differences were put there on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from random import Random
from typing import Any, Protocol

from connectors.emulator import dirt
from connectors.emulator import seed_rows as rows
from connectors.emulator.seed_copies import COMPANY_DIRT, Copy, Pair, Soil, company_copy, split
from connectors.emulator.seed_people import Crowd, Extra
from connectors.emulator.seed_truth import Company, Deal, People, Phones, invent_companies, invent_deals, load_data
from connectors.emulator.staff import USUAL_PERSON, owners, user_id
from connectors.emulator.world import Actor, World

DAYS_OF_HISTORY = 1_100
QUIET_DAYS = 6
"""Nobody but the people of ``edits: both sides lately`` changed anything in the last days."""


class Desk(Protocol):
    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]: ...
    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None: ...


class Counts(Protocol):
    @property
    def seed(self) -> int: ...
    @property
    def contacts(self) -> int: ...
    @property
    def companies(self) -> int: ...
    @property
    def deals(self) -> int: ...


def fill(world: World, desks: Mapping[str, Desk], counts: Counts) -> dict[str, Any]:
    """Put the company into both CRMs and return the truth."""
    return Seeder(world, desks, counts).fill()


class Seeder:
    def __init__(self, world: World, desks: Mapping[str, Desk], counts: Counts) -> None:
        self.world = world
        self.desks = desks
        self.counts = counts
        self.rng = Random(counts.seed)
        self.now = world.clock.now()
        self.owners = owners(world)
        self.salesforce_owners = [owner["salesforce"] for owner in self.owners]
        self.hubspot_owners = [owner["hubspot"] for owner in self.owners]
        self.actors = {
            system: Actor(user_id(space, USUAL_PERSON) or "seed", "system", "Seed")
            for system, space in world.spaces.items()
        }
        self.records: dict[int, list[dict[str, str]]] = {}
        """{id of a pair: the records it has}"""

    def fill(self) -> dict[str, Any]:
        active = sum(owner["active"] for owner in self.owners)
        phones = Phones(self.rng)
        companies, company_extras = self._companies(phones, active)
        people = People(self.rng, [pair.truth for pair in companies], phones, active)
        crowd = Crowd(self.rng, people, active, active if active < len(self.owners) else None)
        if self.counts.contacts:
            soil = Soil(self.rng, crowd.rates["people"], phones, people, active)
            crowd.gather(self.counts.contacts, soil)
        accounts = self._write_accounts(companies, company_extras)
        self._write_salesforce_people(crowd, accounts)
        hubspot_companies = self._write_hubspot_companies(companies, company_extras, accounts)
        self._write_hubspot_people(crowd, hubspot_companies)
        persons = [pair.truth for pair in crowd.pairs if pair.pairing == "email"]
        deals = invent_deals(self.rng, self.counts.deals, self._in_both(companies), persons)
        deal_lines = self._write_deals(deals, accounts, hubspot_companies, crowd)
        age_history(self.world)
        return self._truth(crowd, companies, deal_lines)

    def _companies(self, phones: Phones, owners: int) -> tuple[list[Pair], list[Extra]]:
        rates, wanted = load_data("dirt_rates"), self.counts.companies
        total = ceil(wanted / (1 - max(rates["where"].values()))) + 1 if wanted else 0
        truths = invent_companies(self.rng, total, phones, owners, rates["truth"]["no domain"])
        here_only, there_only = split(self.rng, range(total), rates["where"])
        pairs = []
        for number, company in enumerate(truths):
            salesforce = None if number in there_only else company_copy(company, 1)
            hubspot = None if number in here_only else company_copy(company, 1)
            pair = Pair(company, salesforce, hubspot, "Account", pairing="domain" if company.domain else "none")
            if not pair.is_both:
                pair.pairing = "one side"
            pairs.append(pair)
        soil = Soil(self.rng, rates["companies"], phones, None, owners)
        for group, changes in COMPANY_DIRT.items():
            soil.spread(pairs, group, changes)
        return pairs, self._company_duplicates(pairs)

    def _company_duplicates(self, pairs: Sequence[Pair]) -> list[Extra]:
        rates = load_data("dirt_rates")["records"]
        plain = [pair for pair in pairs if pair.is_both and pair.pairing == "domain"]
        self.rng.shuffle(plain)
        extras = []
        for role, system, object_type in (
            ("company twice in salesforce", "salesforce", "Account"),
            ("company twice in hubspot", "hubspot", "companies"),
        ):
            for _ in range(min(round(rates[role] * len(pairs)), len(plain))):
                pair = plain.pop()
                copy = {**pair.sides()[0], "name": dirt.company_spelling(self.rng, pair.truth), "stored_id": False}
                pair.dirt.append(f"records: {role}")
                pair.pairing = "unclear"
                extras.append(Extra(pair, system, object_type, role, copy))
        return extras

    def _write_accounts(self, pairs: Sequence[Pair], extras: Sequence[Extra]) -> dict[int, str]:
        """{company number: id of its Account}."""
        here = [(pair, pair.salesforce, "main") for pair in pairs if pair.salesforce is not None]
        beside = [(extra.pair, extra.copy, extra.role) for extra in extras if extra.system == "salesforce"]
        ids = self._seed(
            "salesforce", "Account", [*here, *beside], lambda copy: rows.account_values(copy, self.salesforce_owners)
        )
        return {pair.truth.number: record_id for (pair, _, _), record_id in zip(here, ids, strict=False)}

    def _write_salesforce_people(self, crowd: Crowd, accounts: Mapping[int, str]) -> None:
        def contact(copy: Copy) -> rows.Values:
            return rows.contact_values(copy, self.salesforce_owners, self._account_of(copy, accounts))

        def lead(copy: Copy) -> rows.Values:
            return rows.lead_values(copy, self.salesforce_owners)

        def converted(copy: Copy) -> rows.Values:
            day = (self.now - timedelta(days=self.rng.randrange(60, 400))).date().isoformat()
            account_id = self._account_of(copy, accounts)
            return rows.converted_lead_values(copy, self.salesforce_owners, copy["contact_id"], account_id, day)

        for object_type, make in (("Contact", contact), ("Lead", lead)):
            main = [
                (pair, pair.salesforce, "main")
                for pair in crowd.pairs
                if pair.salesforce is not None and pair.object_type == object_type
            ]
            beside = [
                (extra.pair, extra.copy, extra.role)
                for extra in crowd.extras
                if extra.object_type == object_type and extra.role != "converted lead beside"
            ]
            self._seed("salesforce", object_type, [*main, *beside], make)
        done = [extra for extra in crowd.extras if extra.role == "converted lead beside"]
        for extra in done:
            extra.copy["contact_id"] = self._main_id(extra.pair, "salesforce")
        self._seed("salesforce", "Lead", [(extra.pair, extra.copy, extra.role) for extra in done], converted)

    def _write_hubspot_companies(
        self, pairs: Sequence[Pair], extras: Sequence[Extra], accounts: Mapping[int, str]
    ) -> dict[int, str]:
        def company(copy: Copy) -> rows.Values:
            stored = {"salesforceaccountid": copy["account_id"]} if copy["stored_id"] else {}
            return rows.hubspot_company_values(copy, self.hubspot_owners, stored)

        here = [(pair, pair.hubspot, "main") for pair in pairs if pair.hubspot is not None]
        for pair, copy, _ in here:
            copy["account_id"] = accounts.get(pair.truth.number)
        beside = [(extra.pair, extra.copy, extra.role) for extra in extras if extra.system == "hubspot"]
        ids = self._seed("hubspot", "companies", [*here, *beside], company)
        return {pair.truth.number: record_id for (pair, _, _), record_id in zip(here, ids, strict=False)}

    def _write_hubspot_people(self, crowd: Crowd, companies: Mapping[int, str]) -> None:
        def contact(copy: Copy) -> rows.Values:
            return rows.hubspot_contact_values(copy, self.hubspot_owners, copy.get("stored", {}), copy["score"])

        main = [(pair, pair.hubspot, "main") for pair in crowd.pairs if pair.hubspot is not None]
        for pair, copy, _ in main:
            copy["score"] = pair.truth.score
            if copy["stored_id"]:
                field = "salesforcecontactid" if pair.object_type == "Contact" else "salesforceleadid"
                copy["stored"] = {field: self._main_id(pair, "salesforce")}
        beside = [(extra.pair, extra.copy, extra.role) for extra in crowd.extras if extra.system == "hubspot"]
        for pair, copy, _ in beside:
            copy.update(score=pair.truth.score, stored={})
        everybody = [*main, *beside]
        ids = self._seed("hubspot", "contacts", everybody, contact)
        for (_, copy, _), record_id in zip(everybody, ids, strict=True):
            company = copy["company"]
            if company is not None and company.number in companies:
                self.desks["hubspot"].link("contacts", record_id, "companies", companies[company.number])

    def _write_deals(
        self, deals: Sequence[Deal], accounts: Mapping[int, str], companies: Mapping[int, str], crowd: Crowd
    ) -> list[dict[str, Any]]:
        contacts = {
            pair.truth.number: self._main_id(pair, "hubspot") for pair in crowd.pairs if pair.hubspot is not None
        }
        there = [self._spoiled(deal) for deal in deals]
        opportunities, hubspot_deals = [], []
        for deal, (other, _) in zip(deals, there, strict=True):
            closes = self.now + timedelta(days=deal.closes_in_days)
            stamps = self._stamps(lately=False)
            account_id = accounts[deal.company.number]
            day = closes.date().isoformat()
            opportunities.append(rows.opportunity_values(deal, self.salesforce_owners, account_id, day) | stamps)
            moment = f"{day}T00:00:00.000Z"
            hubspot_deals.append(rows.hubspot_deal_values(other, self.hubspot_owners, moment) | stamps)
        here_ids = self._add("salesforce", "Opportunity", opportunities)
        there_ids = self._add("hubspot", "deals", hubspot_deals)
        for deal, deal_id in zip(deals, there_ids, strict=True):
            self.desks["hubspot"].link("deals", deal_id, "companies", companies[deal.company.number])
            if deal.person is not None:
                self.desks["hubspot"].link("deals", deal_id, "contacts", contacts[deal.person.number])
        return [
            {"name": deal.name, "salesforce": here, "hubspot": there_id, "dirt": spots}
            for deal, here, there_id, (_, spots) in zip(deals, here_ids, there_ids, there, strict=True)
        ]

    def _spoiled(self, deal: Deal) -> tuple[Deal, list[str]]:
        """The deal as HubSpot has it."""
        rates = load_data("dirt_rates")["deals"]
        spots = []
        stage, amount = deal.stage, deal.amount
        if self.rng.random() < rates["another stage"]:
            stage = (stage + 1) % len(load_data("practice")["deal_stages"])
            spots.append("deals: another stage")
        if self.rng.random() < rates["another amount"]:
            amount += 500
            spots.append("deals: another amount")
        return Deal(deal.number, deal.name, deal.company, deal.person, stage, amount, deal.closes_in_days), spots

    def _seed(self, system: str, object_type: str, copies: Sequence[tuple[Pair, Copy, str]], make: Any) -> list[str]:
        made = [{**make(copy), **self._stamps(lately=copy["lately"])} for _, copy, _ in copies]
        ids = self._add(system, object_type, made)
        for (pair, _, role), record_id in zip(copies, ids, strict=True):
            record = {"system": system, "object": object_type, "id": record_id, "role": role}
            self.records.setdefault(id(pair), []).append(record)
        return ids

    def _add(self, system: str, object_type: str, made: Sequence[dict[str, Any]]) -> list[str]:
        return self.desks[system].seed_many(object_type, made, actor=self.actors[system]) if made else []

    def _stamps(self, *, lately: bool) -> dict[str, datetime]:
        created = self.now - timedelta(days=self.rng.randrange(30, DAYS_OF_HISTORY), seconds=self.rng.randrange(86_400))
        if lately:
            return {"_created_at": created, "_modified_at": self.now - timedelta(minutes=self.rng.randrange(60, 4_000))}
        quiet = self.now - timedelta(days=QUIET_DAYS)
        passed = (quiet - created) * self.rng.random()
        return {"_created_at": whole_second(created), "_modified_at": whole_second(created + passed)}

    def _main_id(self, pair: Pair, system: str) -> str:
        return next(
            record["id"] for record in self.records[id(pair)] if record["system"] == system and record["role"] == "main"
        )

    def _account_of(self, copy: Copy, accounts: Mapping[int, str]) -> str | None:
        company: Company | None = copy["company"]
        return accounts.get(company.number) if company is not None else None

    def _in_both(self, pairs: Sequence[Pair]) -> list[Company]:
        return [pair.truth for pair in pairs if pair.is_both]

    def _truth(self, crowd: Crowd, companies: Sequence[Pair], deals: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "seed": self.counts.seed,
            "made_at": self.now.isoformat(),
            "rates": load_data("dirt_rates"),
            "dirt": {"people": counted(crowd.pairs), "companies": counted(companies)},
            "pairing": dict(sorted(Counter(pair.pairing for pair in crowd.pairs).items())),
            "owners": self.owners,
            "people": [self._person_line(pair) for pair in crowd.pairs],
            "companies": [self._company_line(pair) for pair in companies],
            "deals": deals,
        }

    def _person_line(self, pair: Pair) -> dict[str, Any]:
        person = pair.truth
        return {
            "person": f"p-{person.number}",
            "true": {
                "first_name": person.first,
                "last_name": person.last,
                "email": person.email,
                "job_title": load_data("titles")["titles"][person.title][0],
                "phone": person.phone.e164 if person.phone else None,
                "country": person.country["code"],
                "stage": load_data("practice")["stages"][person.stage]["stage"],
                "source": person.source,
                "company": f"c-{person.company.number}" if person.company else None,
                "owner": self.owners[person.owner]["email"] if self.owners else None,
            },
            "mailbox": person.mailbox,
            "pairing": pair.pairing,
            "records": self.records.get(id(pair), []),
            "dirt": pair.dirt,
        }

    def _company_line(self, pair: Pair) -> dict[str, Any]:
        company = pair.truth
        return {
            "company": f"c-{company.number}",
            "true": {"name": company.full_name, "domain": company.domain, "country": company.country["code"]},
            "pairing": pair.pairing,
            "records": self.records.get(id(pair), []),
            "dirt": pair.dirt,
        }


def counted(pairs: Sequence[Pair]) -> dict[str, int]:
    return dict(sorted(Counter(spot for pair in pairs for spot in pair.dirt).items()))


def whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def age_history(world: World) -> None:
    """The property history of seeded records is as old as the records, and all of it can be seen."""
    for space in world.spaces.values():
        for table in space.tables.values():
            for row in table.values():
                if row.stamp < row.visible_at:
                    row.visible_at = row.stamp
                    row.changes = [(name, value, row.modified_at, actor) for name, value, _, actor in row.changes]
                    row.born = (row.modified_at, row.born[1]) if row.born is not None else None
