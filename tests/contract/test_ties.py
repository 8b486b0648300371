"""Thousands of records of one second, in pages of any size (docs/faults.md, F17): none is skipped, none comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from agent.connector import Connector, Window
from agent.records import Record
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor
from connectors.hubspot import reading
from connectors.hubspot.connector import HubSpot
from connectors.salesforce import pages
from connectors.salesforce.connector import Salesforce

IMPORT = Actor("import", "system", "Import")
NIGHT = pytest.mark.nightly


def ids_of_one_second(emulator: Emulator, system: str, count: int) -> list[str]:
    desk = emulator.practice.desks[system]
    object_type, name = {"hubspot": ("contacts", "email"), "salesforce": ("Contact", "LastName")}[system]
    rows = [{name: f"p{number}@example.com"} for number in range(count)]
    return emulator.call(lambda: desk.seed_many(object_type, rows, actor=IMPORT))


def pulled(connector: Connector, object_type: str, field: str) -> list[str]:
    until = connector.now() + timedelta(seconds=1)
    window = Window(until - timedelta(hours=1), until)
    found = [item for page in connector.changed(object_type, [field], window) for item in page.items]
    return [item.ref.id for item in found if isinstance(item, Record)]


@pytest.fixture
def hubspot(emulator: Emulator) -> Iterator[HubSpot]:
    clock = emulator.world.clock
    token = emulator.credentials["hubspot"]["token"]
    found = HubSpot(
        token=token, base_url=emulator.hubspot_url, seconds=lambda: clock.now().timestamp(), sleep=clock.advance
    )
    yield found
    found.close()


@pytest.fixture
def salesforce(emulator: Emulator) -> Iterator[Salesforce]:
    found = Salesforce(
        **emulator.credentials["salesforce"], base_url=emulator.salesforce_url,
        clock=lambda: emulator.world.clock.now().timestamp(),
    )  # fmt: skip
    yield found
    found.close()


@pytest.mark.parametrize(
    ("count", "page"),
    [(150, 1), (1_000, 7), (5_000, 200), *(pytest.param(5_000, page, marks=NIGHT) for page in (1, 7, 100, 199))],
)
def test_of_five_thousand_contacts_of_one_second_in_hubspot_none_is_skipped(
    emulator: Emulator, hubspot: HubSpot, monkeypatch: pytest.MonkeyPatch, count: int, page: int
) -> None:
    made = ids_of_one_second(emulator, "hubspot", count)
    monkeypatch.setattr(reading, "SEARCH_LIMIT", page)
    found = pulled(hubspot, "contacts", "email")
    assert sorted(found) == sorted(made)
    searches = emulator.practice.journal.counters()["systems"]["hubspot"]["routes"]
    asked = sum(sum(by_status.values()) for route, by_status in searches.items() if route.endswith("/search"))
    assert asked >= count // page, "the pages were larger than meant"


@pytest.mark.parametrize("page", [200, 777, 2_000])
def test_of_five_thousand_contacts_of_one_second_in_salesforce_none_is_skipped(
    emulator: Emulator, salesforce: Salesforce, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Smaller pages than of 200 Salesforce does not make."""
    made = ids_of_one_second(emulator, "salesforce", 5_000)
    monkeypatch.setitem(pages.PAGE_SIZE, "Sforce-Query-Options", f"batchSize={page}")
    assert sorted(pulled(salesforce, "Contact", "LastName")) == sorted(made)
