"""Change queries of several object types share one call, and say what each alone would have said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from salesforce_office import Office, connect, items, window

from agent.connector import Page
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.clock import Clock
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor
from connectors.salesforce.connector import Salesforce
from connectors.salesforce.schema import RIDES_AFTER_SECONDS

FIELDS = {"Contact": ["LastName", "Title"], "Lead": ["LastName", "Title"], "Account": ["Name"]}
COMPOSITE, ALONE = "composite", "queryAll"


@pytest.fixture
def connector(emulator: Emulator, clock: Clock) -> Iterator[Salesforce]:
    found = connect(emulator, clock)
    for object_type in FIELDS:
        found.schema(object_type)
    yield found
    found.close()


@pytest.fixture
def office(admin: Admin) -> Office:
    return Office(admin)


def ask(connector: Salesforce, hours: float | None = 1) -> list[Iterator[Page]]:
    wanted = window(connector, hours)
    return [connector.changed(object_type, fields, wanted) for object_type, fields in FIELDS.items()]


def told(pulls: Sequence[Iterator[Page]]) -> list[list[Any]]:
    return [[(item.ref, getattr(item, "fields", None)) for item in items(pages)] for pages in pulls]


def calls(office: Office, route: str) -> int:
    return sum(f"/{route}" in line["path"] for line in office.requests())


def everyday(office: Office) -> list[Ref]:
    refs = [office.make(), office.make("Lead", Title="CTO"), office.make("Account", Name="Engines"), office.make()]
    office.delete(refs[3])
    return refs


def test_windows_asked_for_together_cost_one_call_and_say_the_same(connector: Salesforce, office: Office) -> None:
    everyday(office)
    alone = [told([pull])[0] for object_type in range(len(FIELDS)) for pull in [ask(connector)[object_type]]]
    assert (calls(office, COMPOSITE), calls(office, ALONE)) == (0, len(FIELDS))
    assert told(ask(connector)) == alone
    assert (calls(office, COMPOSITE), calls(office, ALONE)) == (1, len(FIELDS))


def test_of_more_windows_than_a_call_takes_the_rest_asks_alone(connector: Salesforce, office: Office) -> None:
    everyday(office)
    kinds = [*FIELDS, "Opportunity", "Task", "Case"]
    for object_type in kinds:
        connector.schema(object_type)
    wanted = window(connector)
    pulls = [connector.changed(object_type, [], wanted) for object_type in kinds]
    assert [len(found) for found in told(pulls)] == [2, 1, 1, 0, 0, 0]
    assert (calls(office, COMPOSITE), calls(office, ALONE)) == (1, 1)


def test_a_full_load_asks_for_itself(connector: Salesforce, office: Office) -> None:
    everyday(office)
    told(ask(connector, None))
    assert (calls(office, COMPOSITE), calls(office, ALONE)) == (0, len(FIELDS))


def test_further_pages_follow_the_first_one(connector: Salesforce, office: Office, emulator: Emulator) -> None:
    everyday(office)
    rows = [{"LastName": f"Person {number}"} for number in range(2001)]
    desk = emulator.practice.desks["salesforce"]
    emulator.call(lambda: desk.seed_many("Contact", rows, actor=Actor("seed", "system")))
    contacts, leads, _ = told(ask(connector))
    assert (len({ref for ref, _ in contacts}), len(leads)) == (2003, 1)
    assert calls(office, ALONE) == 0


def test_a_field_hidden_in_one_of_them_is_left_out_of_that_one(
    connector: Salesforce, office: Office, admin: Admin
) -> None:
    everyday(office)
    admin.post("/permissions", system="salesforce", object="Lead", hide="Title")
    contacts, leads, accounts = told(ask(connector))
    assert leads[0][1] == {"LastName": "Lovelace"}
    assert (len(contacts), len(accounts)) == (2, 1)


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "html_200", "truncate", "status"])
def test_a_lost_answer_is_asked_for_again_one_by_one(connector: Salesforce, office: Office, action: str) -> None:
    everyday(office)
    expected = told(ask(connector))
    office.fault(action, "POST", "/composite")
    assert told(ask(connector)) == expected


def test_what_nobody_waits_for_any_more_is_not_asked(connector: Salesforce, office: Office) -> None:
    everyday(office)
    abandoned = ask(connector)
    del abandoned
    [contacts] = told(ask(connector)[:1])
    assert len(contacts) == 2
    assert (calls(office, COMPOSITE), calls(office, ALONE)) == (0, 1)


def test_descriptions_of_some_minutes_come_along_and_cost_no_call(
    connector: Salesforce, office: Office, clock: Clock
) -> None:
    before = calls(office, "describe")
    clock.advance(RIDES_AFTER_SECONDS)
    told(ask(connector))
    clock.advance(RIDES_AFTER_SECONDS - 1)
    for object_type in FIELDS:
        connector.schema(object_type, RIDES_AFTER_SECONDS)
    assert (calls(office, COMPOSITE), calls(office, "describe") - before) == (1, 0)


def test_a_description_that_came_along_knows_what_was_hidden_meanwhile(
    connector: Salesforce, office: Office, admin: Admin, clock: Clock
) -> None:
    clock.advance(RIDES_AFTER_SECONDS)
    admin.post("/permissions", system="salesforce", object="Lead", hide="Phone")
    told(ask(connector))
    assert "Phone" not in connector.schema("Lead", RIDES_AFTER_SECONDS).fields
    assert "Phone" in connector.schema("Contact", RIDES_AFTER_SECONDS).fields
    assert calls(office, COMPOSITE) == 1


def test_a_field_that_is_shown_again_is_in_every_answer_from_then_on(
    connector: Salesforce, office: Office, admin: Admin, clock: Clock
) -> None:
    """Its description came along with a query that did not name it yet."""
    everyday(office)
    admin.post("/permissions", system="salesforce", object="Lead", hide="Title")
    connector.schema("Lead")
    clock.advance(RIDES_AFTER_SECONDS)
    admin.post("/permissions", system="salesforce", object="Lead", show="Title")
    _, leads, _ = told(ask(connector))
    assert leads[0][1] == {"LastName": "Lovelace", "Title": "CTO"}


def test_whoever_wants_a_description_of_now_asks_for_it(
    connector: Salesforce, office: Office, admin: Admin, clock: Clock
) -> None:
    clock.advance(RIDES_AFTER_SECONDS)
    told(ask(connector))
    admin.post("/permissions", system="salesforce", object="Lead", hide="Phone")
    assert "Phone" in connector.schema("Lead", RIDES_AFTER_SECONDS).fields
    assert "Phone" not in connector.schema("Lead").fields


def test_a_description_that_does_not_come_along_is_asked_for_when_it_is_needed(
    connector: Salesforce, office: Office, admin: Admin, clock: Clock
) -> None:
    clock.advance(RIDES_AFTER_SECONDS)
    before = calls(office, "describe")
    office.fault("status", "POST", "/composite")
    told(ask(connector))
    connector.schema("Lead", RIDES_AFTER_SECONDS)
    assert calls(office, "describe") - before == 1
