"""Replies that get lost, at volume and at any distance: F11, F12 and F13 of docs/faults.md, in both CRMs."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from flow_stage import Stage, limits_policy, person_policy
from invariants import assert_at_rest, assert_invariants

from agent.changes import OPEN, State
from agent.errors import ApprovalNeeded, ConnectorError

SYSTEMS = ("salesforce", "hubspot")
ALLOWED = {
    ("salesforce", "Contact"): {"Email", "Title", "MailingCity", "Phone", "OwnerId", "Truce_Key__c", "LastName"},
    ("hubspot", "contacts"): {"email", "jobtitle", "city", "phone", "hubspot_owner_id", "truce_key", "lastname"},
}
FIELDS = """\
  email:     {salesforce: Email, hubspot: email, wins: salesforce unless blank, clean: email}
  last_name: {salesforce: LastName, hubspot: lastname, wins: salesforce unless blank}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce unless blank}
"""
CREATES = {
    "hubspot": person_policy(fields=FIELDS, create="{hubspot: {from: [Contact]}}"),
    "salesforce": person_policy(fields=FIELDS, create="{salesforce: {as: Contact, from: [contacts]}}"),
}
KEYED = {
    "hubspot": {"method": "POST", "route": "*/batch/create"},
    "salesforce": {"method": "PATCH", "route": "*/composite/sobjects/Contact/Truce_Key__c"},
}
UPDATES = {
    "hubspot": {"method": "POST", "route": "*/batch/update"},
    "salesforce": {"method": "PATCH", "route": "*/composite/sobjects*"},
}


def newcomers(stage: Stage, system: str, count: int) -> list[str]:
    """So many people who are only in the other CRM; their e-mails."""
    addresses = [f"n{number}@acme.example" for number in range(count)]
    for address in addresses:
        if system == "hubspot":
            stage.make_contact(Email=address, LastName="Lovelace", Title="CEO")
        else:
            stage.make_hub(email=address, lastname="Lovelace", jobtitle="CEO")
    stage.advance(700)
    return addresses


def made(stage: Stage, system: str) -> Counter[str]:
    """{e-mail: live records that have it}."""
    object_type, field = {"hubspot": ("contacts", "email"), "salesforce": ("Contact", "Email")}[system]
    rows = stage.emulator.world.spaces[system].table(object_type).values()
    return Counter(str(row.values[field]) for row in rows if not row.deleted)


def cycles(stage: Stage, count: int, seconds: float = 70.0) -> None:
    for _ in range(count):
        stage.advance(seconds)
        with suppress(ConnectorError):
            stage.cycle()


def changes_anything(line: dict[str, Any]) -> bool:
    before, after = line["before"] or {}, line["after"] or {}
    return any(before.get(name) != value for name, value in after.items())


def is_at_peace(stage: Stage) -> None:
    """A second upsert that finds the record of the first and changes nothing of it is no second effect."""
    audit = [line for line in stage.admin.audit() if line["op"] != "update" or changes_anything(line)]
    assert_invariants(audit, stage.installation.ledger, allowed=ALLOWED)
    assert_at_rest(stage.installation)


# F11 a create with a key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("lag", [0.0, 30.0, *(pytest.param(lag, marks=pytest.mark.nightly) for lag in (7.0, 60.0))])
def test_each_lost_create_is_found_by_its_key_however_the_index_lags(stage: Stage, system: str, lag: float) -> None:
    stage.write_policies(person=CREATES[system])
    stage.go_live()
    addresses = newcomers(stage, system, 5)
    stage.admin.post("/settings", system=system, name="visible_delay_seconds", value=lag)
    stage.admin.fault(system=system, action="drop_after", times=3, **KEYED[system])
    cycles(stage, 12, seconds=10)
    assert made(stage, system) == Counter(addresses)
    cycles(stage, 3)
    is_at_peace(stage)


# F12 a create without one ---------------------------------------------------------------------------------------------

ACCIDENTS: list[dict[str, Any]] = [
    {"action": "drop_before"},
    {"action": "drop_after"},
    {"action": "status", "status": 500},
    {"action": "status", "status": 503, "applied": True},
    {"action": "html_200", "applied": True},
    {"action": "truncate"},
]


@pytest.mark.parametrize(("count", "seed"), [(60, 1), pytest.param(10_000, 2, marks=pytest.mark.nightly)])
def test_of_creates_without_a_key_none_is_there_twice_whatever_was_lost(stage: Stage, count: int, seed: int) -> None:
    """One reply in ten is lost, the request with it or not; the plan is taken up until it is through."""
    rng = random.Random(seed)
    stage.link_keys = False
    stage.write_policies(person=CREATES["salesforce"], limits=limits_policy(batch="{records: 20000, percent: 100}"))
    stage.go_live()
    addresses = newcomers(stage, "salesforce", count)
    lost = [nth for nth in range(1, count + 1) if rng.random() < 0.1]
    for nth in lost:
        accident = rng.choice(ACCIDENTS)
        stage.admin.fault(system="salesforce", method="POST", route="*/sobjects/Contact/", nth=nth, **accident)
    plan = stage.plan()
    with suppress(ConnectorError):
        try:
            stage.apply(plan, confirm=count)
        except ApprovalNeeded:
            stage.approve(stage.installation.ledger.batches(limit=1)[0].id)
    while stage.installation.ledger.batches(states=OPEN):
        cycles(stage, 1)
    cycles(stage, 3)
    found = made(stage, "salesforce")
    assert max(found.values()) == 1, "somebody is there twice"
    unknown = stage.installation.ledger.entries(states=(State.UNKNOWN,))
    assert len(unknown) == len(lost)
    assert {entry.attempts for entry in unknown} == {1}
    assert len(found) >= len(addresses) - len(lost)
    again = stage.plan()
    with pytest.raises(ApprovalNeeded):
        stage.apply(again, confirm=again["changes"])
    assert made(stage, "salesforce") == found, "made again without anybody's word"


# F13 a request that lands after it was given up -----------------------------------------------------------------------


def late(stage: Stage, system: str, seconds: float, call: dict[str, str]) -> None:
    stage.admin.fault(system=system, action="late", delay_seconds=seconds, **call)


def has_landed(stage: Stage) -> bool:
    """The emulator notes a call when it has been carried out."""
    (fault,) = stage.admin.get("/faults")
    assert fault["fired"], "nothing was sent"
    return any(call["fault"] == fault["id"] for call in stage.admin.get("/journal?since=0"))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "seconds", [5.0, 30.0, *(pytest.param(each, marks=pytest.mark.nightly) for each in (0.0, 20.0))]
)
@pytest.mark.parametrize("op", ["create", "update"])
def test_what_lands_after_it_was_given_up_is_there_once(stage: Stage, system: str, seconds: float, op: str) -> None:
    """A cycle every ten seconds looks, waits, and never sends it beside itself."""
    stage.write_policies(person=CREATES[system])
    stage.go_live()
    if op == "create":
        addresses = newcomers(stage, system, 1)
        late(stage, system, seconds, KEYED[system])
    else:
        (pair,) = stage.pairs(1, {"Title": "", "LastName": "L"}, {"jobtitle": "", "lastname": "L"})
        cycles(stage, 2)
        if system == "hubspot":
            stage.edit(pair.contact, Title="CFO")
        else:
            stage.edit(pair.hub, jobtitle="CFO")
        stage.advance(700)
        late(stage, system, seconds, UPDATES[system])
    sent_at = stage.clock.now()
    for _ in range(12):
        with suppress(ConnectorError):
            stage.cycle()
        stage.advance(10)
        while not has_landed(stage) and stage.clock.now() >= sent_at + timedelta(seconds=seconds):
            pass
    cycles(stage, 3)
    if op == "create":
        assert made(stage, system) == Counter(addresses)
    else:
        assert (stage.value(pair.contact, "Title"), stage.value(pair.hub, "jobtitle")) == ("CFO", "CFO")
    is_at_peace(stage)
