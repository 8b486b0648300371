"""The first week on a virtual clock: people work in both CRMs at random, a wrong line goes live and is undone; every
evening the promises hold, and every morning the page says what the emulator's audit says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from flow_stage import ANNA, FIELDS, STAGES, TEAM, Stage, limits_policy, person_policy
from invariants import assert_at_rest, assert_invariants

from agent import cycle
from agent.connector import Write, WriteOutcome
from agent.events import OVERWRITTEN
from agent.records import FieldValue, Ref
from agent.reports.digest import Digest, digest
from connectors.hubspot.connector import HubSpot

CREATE = "{hubspot: {from: [Contact, Lead]}, salesforce: {as: Lead, when: [city is filled]}}"
WRONG = FIELDS.replace("jobtitle, wins: salesforce unless blank}", "jobtitle, wins: hubspot}")

ALLOWED = {
    ("salesforce", "Contact"): {
        "Email", "Title", "MailingCity", "Phone", "OwnerId", "Customer_Stage__c", "Truce_Key__c",
    },
    ("salesforce", "Lead"): {"Email", "Title", "City", "Phone", "OwnerId", "Company", "LastName", "Truce_Key__c"},
    ("hubspot", "contacts"): {
        "email", "jobtitle", "city", "phone", "hubspot_owner_id", "lifecyclestage", "truce_key",
    },
}  # fmt: skip

TITLES = ("CEO", "CFO", "COO", "Buyer", "Engineer", "Head of Sales", "VP Sales")
CITIES = ("Bonn", "Berlin", "Paris", "Lyon", "Vienna", "Graz")
HOUR = 3_600.0


class Week:
    """``random`` decides what people do; between two cycles nobody touches the same field twice."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = Random(seed)
        self.touched: set[tuple[Ref, str]] = set()
        self.day = 0
        self.since = stage.clock.now()

    def begin(self) -> None:
        stage = self.stage
        stage.write_policies(
            person=person_policy(create=CREATE), stages=STAGES, team=TEAM,
            limits=limits_policy(batch="{records: 200}", day="{owner_changes: 5, blanks: 5, creates: 20}"),
        )  # fmt: skip
        stage.pairs(40, {"Title": "CEO", "MailingCity": "Bonn"}, {"jobtitle": "CEO", "phone": "+4922810"})
        stage.pairs(20, {"Title": "Buyer", "Phone": "1"}, {"jobtitle": "Trainee", "city": "Graz"})
        for number in range(8):
            stage.make_contact(Email=f"only{number}@acme.example", Title="CFO")
            stage.make_lead(Email=f"lead{number}@acme.example", City="Lyon")
            stage.make_hub(email=f"hub{number}@acme.example", city="Paris" if number % 2 else "")
        stage.advance(60)
        stage.agree()
        stage.go_live()
        stage.cycle()

    def live(self, system: str, object_type: str) -> list[Ref]:
        table = self.stage.emulator.world.spaces[system].table(object_type)
        return [
            Ref(system, object_type, row.id)
            for row in table.values()
            if not row.deleted and not row.values.get("IsConverted")
        ]

    def a_working_day(self) -> None:
        """Ten hours with a cycle every two; after the first somebody decides what waits. Then a quiet night."""
        self.since = self.stage.clock.now()
        for hour in range(5):
            for _ in range(self.random.randrange(4, 9)):
                self.somebody_works()
            self.stage.advance(2 * HOUR)
            self.touched.clear()
            self.stage.cycle()
            if hour == 0:
                self.anna_decides()
        self.stage.advance(14 * HOUR)
        cycle.pull_all(self.stage.installation, sweep=True)
        for _ in range(3):
            self.stage.advance(60)
            self.stage.cycle()
        self.day += 1

    def somebody_works(self) -> None:
        what = self.random.choice((*["edit"] * 12, "create", "create", "delete", "merge", "convert"))
        getattr(self, f"_{what}")()

    def _edit(self) -> None:
        side = self.random.choice(("salesforce", "hubspot"))
        ref = self.random.choice(self.live(side, "Contact" if side == "salesforce" else "contacts"))
        name, value = self._new_value(side)
        if (ref, name) in self.touched or self.stage.value(ref, name) == (value or None):
            return
        self.touched.add((ref, name))
        self.stage.edit(ref, **{name: value})

    def _new_value(self, side: str) -> tuple[str, FieldValue]:
        title, city = self.random.choice(TITLES), self.random.choice(CITIES)
        phone = f"+4922{self.random.randrange(1000, 9999)}"
        kim = self.stage.owner(side, self.random.choice(("kim", "lee", "anna")))
        if side == "salesforce":
            stage = self.random.choice(("Lead", "MQL", "Customer"))
            return self.random.choice((
                ("Title", title), ("MailingCity", city), ("MailingCity", ""), ("Phone", phone), ("OwnerId", kim),
                ("Customer_Stage__c", stage),
            ))  # fmt: skip
        return self.random.choice((("jobtitle", title), ("city", city), ("phone", phone), ("hubspot_owner_id", kim)))

    def _create(self) -> None:
        email = f"new{self.day}-{self.random.randrange(10**9)}@acme.example"
        if self.random.random() < 0.5:
            self.stage.make_contact(Email=email, Title=self.random.choice(TITLES))
        else:
            self.stage.make_hub(email=email, city=self.random.choice(CITIES))

    def _delete(self) -> None:
        self.stage.delete(self.random.choice([*self.live("salesforce", "Contact"), *self.live("hubspot", "contacts")]))

    def _merge(self) -> None:
        system, object_type = self.random.choice((("salesforce", "Contact"), ("hubspot", "contacts")))
        survivor, loser = self.random.sample(self.live(system, object_type), 2)
        self.touched |= {(survivor, name) for name in ("Title", "Phone", "MailingCity", "jobtitle", "phone", "city")}
        self.stage.merge(survivor, loser)

    def _convert(self) -> None:
        leads = self.live("salesforce", "Lead")
        if leads:
            self.stage.admin.post("/convert", id=self.random.choice(leads).id)

    def anna_decides(self) -> None:
        for batch in reversed(self.stage.installation.ledger.batches(states=["held"])):
            if self.random.random() < 0.7:
                self.stage.approve(batch.id, ANNA, reason="seen")
            else:
                self.stage.order("reject", batch=batch.id, reason="no")

    def undos(self) -> set[str]:
        ledger = self.stage.installation.ledger
        return {entry.id for batch in ledger.reversals() for entry in ledger.entries(batch_id=batch)}

    def morning(self) -> Digest:
        return digest(self.stage.installation, self.since)


class Hurry(Week):
    """Every third time somebody is at a record of HubSpot between Truce's last look and its write."""

    def begin_hurrying(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plain = HubSpot.write

        def write(connector: HubSpot, writes: list[Write]) -> list[WriteOutcome]:
            if writes[0].op == "update" and self.random.random() < 1 / 3:
                self._edit_just_before(self.random.choice(writes))
            return plain(connector, writes)

        monkeypatch.setattr(HubSpot, "write", write)

    def _edit_just_before(self, write: Write) -> None:
        ref = Ref("hubspot", write.object_type, str(write.record_id))
        names = sorted(write.fields.keys() & {"jobtitle", "city", "phone"})
        if names and not self.stage.is_deleted(ref):
            name = self.random.choice(names)
            self.touched.add((ref, name))
            self.stage.edit(ref, **{name: self.random.choice((*TITLES, ""))})


def ours_and_theirs(
    lines: list[dict[str, Any]], undos: set[str], since: datetime
) -> tuple[set[str], Counter[tuple[str, str]]]:
    """By the audit: entries that took effect since then, and updated cells of ours that somebody replaced since then.

    What a record was created with, and what an undo (an entry in ``undos``) gave back, is nobody's to change back.
    """
    entries: set[str] = set()
    replaced: Counter[tuple[str, str]] = Counter()
    ours: dict[tuple[str, str, str, str], FieldValue] = {}
    for line in lines:
        is_recent = datetime.fromisoformat(line["time"]) >= since
        if line["cause"] == "api" and is_recent:
            entries.add(line["entry_id"])
        if line["op"] not in ("create", "update"):
            continue
        named = ALLOWED.get((line["system"], line["object"]), set())
        for name in named & (line["after"] or {}).keys():
            value = line["after"][name]
            place = (line["system"], line["object"], line["id"], name)
            if line["entry_id"] in undos:
                ours.pop(place, None)
            elif line["cause"] == "api" and line["op"] == "update":
                ours[place] = value
            elif place in ours and ours.pop(place) != value and is_recent:
                replaced[line["system"], name] += 1
    return entries, replaced


def evenings(week: Week, days: int) -> Iterator[int]:
    """Every evening, and afterwards every promise."""
    for day in range(days):
        week.a_working_day()
        yield day
        installation = week.stage.installation
        assert_invariants(week.stage.admin.audit(), installation.ledger, allowed=ALLOWED)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 12))])
def test_a_first_week_keeps_every_promise_and_its_mornings_tell_the_truth(stage: Stage, seed: int) -> None:
    week = Week(stage, seed)
    week.begin()
    for day in evenings(week, 7):
        found = week.morning()
        entries, replaced = ours_and_theirs(stage.admin.audit(), week.undos(), week.since)
        assert found.written + found.undone == len(entries), f"day {day}"
        assert sum(each.count for each in found.changed_back) == sum(replaced.values()), f"day {day}: {replaced}"
        assert len(found.waiting) == len(stage.installation.ledger.batches(states=["held"]))
        if day == 2:
            stage.write_policies(person=person_policy(create=CREATE, fields=WRONG))
            stage.go_live()
            stage.apply()
        if day == 4:
            stage.write_policies(person=person_policy(create=CREATE))
            stage.rollback(policy="person-basics", since=(stage.clock.now() - timedelta(hours=49)).isoformat())
            stage.order("resume", policy="person-basics")  # its line was mended above
            stage.go_live()
    assert_at_rest(stage.installation)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 8))])
def test_every_edit_that_a_write_went_over_unseen_is_found_and_nothing_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """By the audit, after every evening; an undo in the middle goes over nobody."""
    week = Hurry(stage, seed)
    week.begin()
    week.begin_hurrying(monkeypatch)
    for day in evenings(week, 3):
        if day == 1:
            stage.rollback(policy="person-basics", since=(stage.clock.now() - timedelta(hours=49)).isoformat())
            stage.order("resume", policy="person-basics")
    assert stage.installation.ledger.events(kind=OVERWRITTEN) != []
    assert_at_rest(stage.installation)
