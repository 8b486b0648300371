"""The full copy of a HubSpot record: every property, every association with every label, and what could not be seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.connector import FullCopy, Tie
from agent.records import Ref
from connectors.emulator.admin_client import Admin
from connectors.emulator.serve import Emulator
from connectors.hubspot.connector import HubSpot


@pytest.fixture(params=["v3", "2026-03", "2026-09"])
def connector(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[HubSpot]:
    token = emulator.credentials["hubspot"]["token"]
    found = HubSpot(token=token, base_url=emulator.hubspot_url, api_version=request.param)
    yield found
    found.close()


def made(admin: Admin, object_type: str, **values: str) -> Ref:
    answer = admin.post("/create", system="hubspot", object=object_type, values=values)
    return Ref("hubspot", object_type, str(answer["id"]))


def linked(emulator: Emulator, one: Ref, other: Ref, label: str | None = None) -> None:
    emulator.practice.desks["hubspot"].link(one.object_type, one.id, other.object_type, other.id, label)


def test_every_label_of_every_association_is_in_the_copy(connector: HubSpot, emulator: Emulator, admin: Admin) -> None:
    person, company = made(admin, "contacts", email="a@example.com"), made(admin, "companies", name="Engines")
    deal = made(admin, "deals", dealname="Deal", dealstage="appointmentscheduled")
    linked(emulator, person, company, "1")
    linked(emulator, person, deal)
    copy = connector.full_copy(person)
    assert isinstance(copy, FullCopy)
    assert set(copy.ties) == {
        Tie(company, "HUBSPOT_DEFINED 1"),
        Tie(company, "HUBSPOT_DEFINED 279"),
        Tie(deal, "HUBSPOT_DEFINED 4"),
    }
    assert copy.record.fields["email"] == "a@example.com"
    assert copy.unread == ()


def test_what_hubspot_keeps_beside_a_record_is_in_its_copy(
    connector: HubSpot, emulator: Emulator, admin: Admin
) -> None:
    company, deal = (
        made(admin, "companies", name="Engines"),
        made(admin, "deals", dealname="Deal", dealstage="appointmentscheduled"),
    )
    linked(emulator, deal, company, "5")
    copy = connector.full_copy(deal)
    assert isinstance(copy, FullCopy)
    schema = connector.schema("deals")
    assert set(copy.record.fields) == set(schema.fields)
    assert company.id in copy.record.fields.values()


def test_what_the_key_may_not_see_is_named(connector: HubSpot, admin: Admin) -> None:
    person = made(admin, "contacts", email="a@example.com")
    admin.fault(system="hubspot", route="*/contacts/tickets/batch/read", action="status", status=403, times="always")
    copy = connector.full_copy(person)
    assert isinstance(copy, FullCopy)
    assert copy.unread == ("tickets",)


def test_more_associations_than_a_page_are_all_there(connector: HubSpot, emulator: Emulator, admin: Admin) -> None:
    company = made(admin, "companies", name="Engines")
    people = [made(admin, "contacts", email=f"p{number}@example.com") for number in range(501)]
    for person in people:
        linked(emulator, person, company)
    copy = connector.full_copy(company)
    assert isinstance(copy, FullCopy)
    assert {tie.ref for tie in copy.ties} == set(people)
