"""Who in the other system is the same person."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from shipped_systems import SYSTEMS

from agent.decide.owners import counterpart, is_same_person
from agent.decide.view import OwnerMap
from agent.records import Owner


def owner_map(*owners: Owner, table: Mapping[str, str] | None = None) -> OwnerMap:
    return OwnerMap({(owner.system, owner.id): owner for owner in owners}, table or {}, SYSTEMS)


KIM = Owner("salesforce", "005000000000001AAA", "kim@example.com", "Kim Lee", True, login="kim@example.com.prod")
KIM_THERE = Owner("hubspot", "71", "kim@example.com", "Kim Lee", True)


def test_the_same_email_is_the_same_person() -> None:
    owners = owner_map(KIM, KIM_THERE)
    assert counterpart(owners, KIM.id, "salesforce", "hubspot").owner_id == "71"
    assert counterpart(owners, "71", "hubspot", "salesforce").owner_id == KIM.id
    assert is_same_person(owners, "salesforce", KIM.id, "hubspot", "71")


def test_a_short_salesforce_id_is_the_same_owner() -> None:
    assert counterpart(owner_map(KIM, KIM_THERE), KIM.id[:15], "salesforce", "hubspot").owner_id == "71"


@pytest.mark.parametrize("reference", ["005000000000001AAA", "kim@example.com.prod"])
def test_the_people_table_comes_before_the_email(reference: str) -> None:
    sam = Owner("hubspot", "72", "sam@example.com", "Sam Roy", True)
    owners = owner_map(KIM, KIM_THERE, sam, table={reference: "sam@example.com"})
    assert counterpart(owners, KIM.id, "salesforce", "hubspot").owner_id == "72"


def test_a_sandbox_users_email_is_the_persons() -> None:
    sandbox = Owner("salesforce", "005S", "kim@example.com.invalid", "Kim Lee", True)
    assert counterpart(owner_map(sandbox, KIM_THERE), "005S", "salesforce", "hubspot").owner_id == "71"


@pytest.mark.parametrize(
    ("owners", "reason"),
    [
        ([KIM_THERE], "unknown"),
        ([KIM], "is not an owner in HubSpot"),
        ([KIM, Owner("hubspot", "71", "kim@example.com", "Kim Lee", False)], "is inactive in HubSpot"),
        ([Owner("salesforce", KIM.id, "kim@example.com", "Kim Lee", False), KIM_THERE], "inactive in Salesforce"),
        ([Owner("salesforce", KIM.id, None, "Inbound", True, is_queue=True), KIM_THERE], "is a queue"),
        ([Owner("salesforce", KIM.id, None, "Kim Lee", True), KIM_THERE], "has no e-mail"),
        ([KIM, KIM_THERE, Owner("hubspot", "73", "kim@example.com", "Kim L", True)], "2 owners in HubSpot"),
    ],
)
def test_nobody_is_guessed_and_the_reason_is_said(owners: list[Owner], reason: str) -> None:
    found = counterpart(owner_map(*owners), KIM.id, "salesforce", "hubspot")
    assert found.owner_id is None
    assert reason in found.reason


def test_an_inactive_namesake_does_not_make_a_person_ambiguous() -> None:
    retired = Owner("hubspot", "70", "kim@example.com", "Kim Lee (old)", False)
    assert counterpart(owner_map(KIM, KIM_THERE, retired), KIM.id, "salesforce", "hubspot").owner_id == "71"
