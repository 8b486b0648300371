"""Faults of docs/faults.md that need both practice CRMs and a few cycles: repeats, hidden fields, new rules, a lagging
search, two wrong clocks, records that go or merge under a write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flow_stage import ONE_DAY, Pair, Stage, person_policy

from agent.changes import OPEN_STATES, State
from agent.connector import Connector, Page, Write, WriteOutcome
from agent.records import FieldValue, Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.practice import Options
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot
from connectors.salesforce.connector import Salesforce

CLIENTS: Mapping[str, type[Any]] = {"salesforce": Salesforce, "hubspot": HubSpot}
SEEDS = range(3)


def cycles(stage: Stage, count: int = 3) -> None:
    for _ in range(count):
        stage.advance(700)
        stage.cycle()


def at_rest(stage: Stage) -> None:
    """Nothing is open, and three more cycles write nothing."""
    mark = stage.mark()
    cycles(stage)
    assert stage.written(mark) == []
    assert stage.installation.ledger.entries(states=OPEN_STATES) == []
    assert stage.installation.ledger.verify().ok


# F14 a change is delivered again and again, in any order --------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_delivered_five_times_in_any_order_is_written_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)

    def repeating(plain: Callable[..., Iterator[Page]]) -> Callable[..., Iterator[Page]]:
        def changed(self: Connector, *asked: Any) -> Iterator[Page]:
            for page in plain(self, *asked):
                items = [item for item in page.items for _ in range(rng.randint(1, 5))]
                rng.shuffle(items)
                yield Page(tuple(items), page.reached)

        return changed

    for client in CLIENTS.values():
        monkeypatch.setattr(client, "changed", repeating(client.changed))
    people = stage.pairs(6, {"Title": "CEO", "Phone": "1"}, {"jobtitle": "CEO", "phone": "1"})
    stage.go_live()
    cycles(stage, 2)
    mark = stage.mark()
    for pair in people:
        stage.edit(pair.contact, Title="CFO")
        stage.edit(pair.hub, phone="2")
    gone = people[0]
    stage.delete(gone.contact)
    cycles(stage)
    assert [stage.value(pair.hub, "jobtitle") for pair in people[1:]] == ["CFO"] * 5
    assert [stage.value(pair.contact, "Phone") for pair in people[1:]] == ["2"] * 5
    assert sorted(line["id"] for line in stage.written(mark)) == sorted(
        record_id for pair in people[1:] for record_id in (pair.salesforce, pair.hubspot)
    )
    at_rest(stage)


# F22 every mapped field is hidden in turn -----------------------------------------------------------------------------

MAPPED = [
    ("salesforce", "Title", "jobtitle"),
    ("salesforce", "MailingCity", "city"),
    ("salesforce", "Phone", "phone"),
    ("salesforce", "Email", "email"),
    ("salesforce", "OwnerId", "hubspot_owner_id"),
    ("hubspot", "email", "Email"),
    ("hubspot", "hubspot_owner_id", "OwnerId"),
    ("hubspot", "jobtitle", "Title"),
    ("hubspot", "city", "MailingCity"),
    ("hubspot", "phone", "Phone"),
]
"""(where it is hidden, the field, its counterpart in the other CRM)"""


@pytest.mark.parametrize(("system", "field", "other"), MAPPED)
@pytest.mark.parametrize("looks", [False, True])
def test_a_field_hidden_from_us_blanks_nothing(stage: Stage, system: str, field: str, other: str, looks: bool) -> None:
    """Both before Truce looks at the schemas again and after."""
    held = {"Title": "CEO", "MailingCity": "Rome", "Phone": "1"}
    pair = stage.pair(held, {"jobtitle": "CEO", "city": "Rome", "phone": "1"})
    stage.go_live()
    cycles(stage, 2)
    object_type, there = ("Contact", pair.hub) if system == "salesforce" else ("contacts", pair.contact)
    before = stage.value(there, other)
    stage.admin.post("/permissions", system=system, object=object_type, hide=field)
    stage.edit(pair.contact, MailingStreet="1 Main St")  # both records changed, so both are read again
    stage.edit(pair.hub, address="1 Main St")
    for _ in range(3):
        stage.advance(900 if looks else 60)
        stage.cycle()
    assert stage.value(there, other) == before
    assert [line for line in stage.written() if None in (line["after"] or {}).values()] == []


# F26 a rule that the vendor did not have before -----------------------------------------------------------------------


def new_rule(stage: Stage, system: str) -> None:
    if system == "salesforce":
        rule = {"object": "Contact", "field": "Phone", "op": "=", "value": "2", "message": "Two is no number"}
        stage.admin.post("/settings", system=system, name="validation_rules", value=[rule])
    else:
        rule = {"when": "jobtitle", "is": "CFO", "needs": "company"}
        stage.admin.post("/settings", system=system, name="conditional_required", value={"contacts": [rule]})


def no_rule(stage: Stage, system: str) -> None:
    name, none = ("validation_rules", []) if system == "salesforce" else ("conditional_required", {})
    stage.admin.post("/settings", system=system, name=name, value=none)


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_new_rule_of_a_vendor_costs_one_attempt_and_a_retry_after_it_is_gone(stage: Stage, system: str) -> None:
    stage.hubspot_version = "2026-09"
    pair = stage.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "CEO", "phone": "1"})
    stage.go_live()
    cycles(stage, 2)
    new_rule(stage, system)
    if system == "salesforce":
        stage.edit(pair.hub, phone="2")
    else:
        stage.edit(pair.contact, Title="CFO")
    cycles(stage, 5)
    (entry,) = stage.installation.ledger.entries(states=(State.FAILED,))
    assert entry.attempts == 1, "no cycle tries again what only a person can mend"
    assert entry.error, "in the vendor's words"
    no_rule(stage, system)
    stage.order("retry")
    cycles(stage, 1)
    values = stage.value(pair.contact, "Phone"), stage.value(pair.hub, "jobtitle")
    assert values == (("2", "CEO") if system == "salesforce" else ("1", "CFO"))
    at_rest(stage)


# F28 the search lags by another time for every record -----------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_however_the_search_lags_nobody_is_created_twice_or_taken_for_gone(stage: Stage, seed: int) -> None:
    rng = random.Random(seed)
    stage.write_policies(person=person_policy(create="{hubspot: {from: [Contact]}}"))
    stage.go_live()
    addresses = [f"n{number}@acme.example" for number in range(8)]
    for address in addresses:
        stage.admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=rng.uniform(0, 120))
        if rng.random() < 0.5:
            stage.make_hub(email=address)
        made = Ref("salesforce", "Contact", stage.make_contact(Email=address, Title="CEO"))
        if rng.random() < 0.5:
            stage.advance(rng.uniform(1, 60))
            stage.cycle()
        stage.edit(made, Title="CFO")
    for _ in range(6):
        stage.advance(rng.uniform(20, 90))
        stage.cycle()
    stage.admin.post("/settings", system="hubspot", name="visible_delay_seconds", value=0)
    cycles(stage)
    rows = [row for row in stage.emulator.world.spaces["hubspot"].table("contacts").values() if not row.deleted]
    assert sorted(str(row.values["email"]) for row in rows) == addresses
    assert {row.values["jobtitle"] for row in rows} == {"CFO"}
    assert stage.installation.reviews.list(kind="lost") == []
    at_rest(stage)


# F29 each vendor lives in another day ---------------------------------------------------------------------------------


class _Either:
    """The admin side of that emulator whose vendor is meant."""

    def __init__(self, admins: Mapping[str, Admin]) -> None:
        self._admins = admins

    def post(self, path: str, **body: Any) -> Any:
        return self._admins[body["system"]].post(path, **body)


class TwoDays(Stage):
    """Salesforce in one emulator, HubSpot in another; their clocks differ, and ours is the first one's."""

    def __init__(self, salesforce: Emulator, hubspot: Emulator, folder: Path) -> None:
        super().__init__(salesforce, folder)
        self.sides = {"salesforce": salesforce, "hubspot": hubspot}
        self.admin = _Either({system: Admin(side.admin_url) for system, side in self.sides.items()})  # type: ignore[assignment]

    def _connectors(self) -> Mapping[str, Connector]:
        theirs: dict[str, Connector] = {}
        for system, side in self.sides.items():
            self.emulator = side
            theirs[system] = super()._connectors()[system]
        self.emulator = self.sides["salesforce"]
        return theirs

    def owner(self, system: str, login: str) -> str:
        self.emulator = self.sides[system]
        found = super().owner(system, login)
        self.emulator = self.sides["salesforce"]
        return found

    def value(self, ref: Ref, field: str) -> FieldValue:
        row = self.sides[ref.system].world.spaces[ref.system].table(ref.object_type)[ref.id]
        return row.values.get(field) or None  # type: ignore[no-any-return]

    def pass_time(self, seconds: float) -> None:
        for side in self.sides.values():
            side.world.clock.advance(seconds)

    def writes(self) -> int:
        audits = [admin.audit() for admin in self.admin._admins.values()]  # type: ignore[attr-defined]
        return sum(line["cause"] == "api" for lines in audits for line in lines)


@pytest.mark.parametrize("days", [-1, 1])
@pytest.mark.parametrize("slow", ["salesforce", "hubspot"])
def test_two_vendors_a_day_apart_agree_all_the_same(emulator: Emulator, tmp_path: Path, days: int, slow: str) -> None:
    with Emulator.start(Options(clock="virtual")) as other:
        sides = (other, emulator) if slow == "salesforce" else (emulator, other)
        for side in (emulator, other):
            side.world.clock.advance(2 * ONE_DAY)  # nobody lives before their account was made
        other.world.clock.advance(timedelta(days=days).total_seconds())
        stage = TwoDays(*sides, tmp_path)
        try:
            pair = stage.pair({"Title": "CEO", "Phone": "1"}, {"jobtitle": "Boss"})
            stage.go_live()
            for title, phone in (("CEO", None), ("CFO", "2"), ("COO", "3")):
                stage.edit(pair.contact, Title=title)
                if phone is not None:
                    stage.edit(pair.hub, phone=phone)
                for _ in range(3):
                    stage.pass_time(700)
                    stage.cycle()
            assert (stage.value(pair.hub, "jobtitle"), stage.value(pair.contact, "Phone")) == ("COO", "3")
            assert stage.installation.skew("hubspot") != stage.installation.skew("salesforce")
            made = stage.writes()
            for _ in range(3):
                stage.pass_time(700)
                stage.cycle()
            assert stage.writes() == made
            assert stage.installation.ledger.entries(states=OPEN_STATES) == []
        finally:
            stage.close()


# F39, F40 a record goes, or merges, right before its write arrives ----------------------------------------------------


def before_the_write(monkeypatch: pytest.MonkeyPatch, system: str, happens: Callable[[], None]) -> None:
    """It happens once, after Truce's last look and before the request."""
    client = CLIENTS[system]
    plain = client.write

    def write(self: Connector, writes: list[Write]) -> list[WriteOutcome]:
        monkeypatch.undo()
        happens()
        return plain(self, writes)  # type: ignore[no-any-return]

    monkeypatch.setattr(client, "write", write)


def edited(stage: Stage, pair: Pair, system: str) -> Ref:
    """The other side was edited, so this one is to be written."""
    if system == "hubspot":
        stage.edit(pair.contact, Title="CFO")
        return pair.hub
    stage.edit(pair.hub, phone="2")
    return pair.contact


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_record_deleted_right_before_its_write_stays_gone_and_others_are_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    stage.write_policies(
        person=person_policy(create="{hubspot: {from: [Contact]}, salesforce: {as: Contact, from: [contacts]}}")
    )
    pair, other = stage.pairs(2, {"Title": "CEO", "Phone": "1", "LastName": "L"}, {"jobtitle": "CEO", "phone": "1"})
    stage.go_live()
    cycles(stage, 2)
    target, beside = edited(stage, pair, system), edited(stage, other, system)
    count = len(stage.ids(target.system, target.object_type))
    before_the_write(monkeypatch, system, lambda: stage.delete(target))
    cycles(stage)
    assert stage.value(beside, "jobtitle" if system == "hubspot" else "Phone") in ("CFO", "2")
    assert len(stage.ids(target.system, target.object_type)) == count - 1, "nothing is created again"
    (question,) = stage.installation.reviews.list(kind="lost")
    assert question.refs == (target,)
    at_rest(stage)


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_record_merged_right_before_its_write_hands_its_pair_to_the_survivor(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    """The write is made nowhere else; what is wanted of the survivor is decided anew."""
    (pair,) = stage.pairs(1, {"Title": "CEO", "Phone": "1"}, {"jobtitle": "CEO", "phone": "1"})
    stage.go_live()
    cycles(stage, 2)
    target = edited(stage, pair, system)
    here = (
        stage.make_hub(email="spare@acme.example")
        if system == "hubspot"
        else stage.make_contact(Email="s@acme.example")
    )
    spare = Ref(target.system, target.object_type, here)
    entity = stage.installation.crosswalk.entity_of(target)
    mark = stage.mark()
    before_the_write(monkeypatch, system, lambda: stage.merge(spare, target))
    cycles(stage, 1)
    assert [line for line in stage.written(mark) if line["id"] == spare.id and line["op"] == "update"] == []
    cycles(stage)
    members = stage.installation.crosswalk.members([str(entity)])[str(entity)]
    states = {link.ref: link.state for link in members}
    assert states[target] == "lost"
    (survivor,) = [ref for ref, state in states.items() if ref.system == system and state == "linked"]
    assert survivor != target
    assert not stage.is_deleted(survivor)
    at_rest(stage)
