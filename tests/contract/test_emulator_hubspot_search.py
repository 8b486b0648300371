"""The emulator's HubSpot search: what it finds, what it refuses, and how late it is."""

from __future__ import annotations

from typing import Any

import pytest
from practice_portal import PLAIN_COMPANY, Json, PracticePortal, code, refusal, where

from connectors.emulator.practice import Options, Practice
from connectors.emulator.serve import Emulator
from connectors.emulator.world import Actor

SEEDER = Actor("import", "system", "Import")


@pytest.fixture
def portal(emulator: Emulator) -> PracticePortal:
    return PracticePortal(emulator)


def seeded(portal: PracticePortal, count: int) -> list[str]:
    desk = portal.emulator.practice.desks["hubspot"]
    rows = [{"city": "Turin", "lead_score": str(number)} for number in range(count)]
    return portal.emulator.call(lambda: desk.seed_many("contacts", rows, actor=SEEDER))


def test_a_search_gives_ten_and_two_hundred_at_most(portal: PracticePortal) -> None:
    """35"""
    seeded(portal, 250)
    assert [len(portal.search(limit=limit).results) for limit in (1, 200)] == [1, 200]
    found = portal.search()
    assert (found.total, len(found.results)) == (250, 10)
    for limit in (0, 201, -1, "ten", True):
        assert code(portal.search, limit=limit) == (400, "VALIDATION_ERROR")


def test_the_offset_is_text_and_ends_with_the_last_page(portal: PracticePortal) -> None:
    """36"""
    contacts = seeded(portal, 25)
    first = portal.search(after="0")
    second = portal.search(after=first.paging.next.after)
    third = portal.search(after=second.paging.next.after, limit=10)
    assert (first.paging.next.after, second.paging.next.after) == ("10", "20")
    assert third.paging is None
    assert [one.id for page in (first, second, third) for one in page.results] == contacts
    assert code(portal.search, after="x") == (400, "VALIDATION_ERROR")


def test_nothing_beyond_ten_thousand_is_shown(portal: PracticePortal) -> None:
    """37"""
    seeded(portal, 10_001)
    last = portal.search(limit=200, after="9800")
    assert (last.total, len(last.results)) == (10_001, 200)
    status, body = refusal(portal.search, limit=200, after="10000")
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")
    assert code(portal.search, limit=200, after="9900") == (400, "VALIDATION_ERROR")


def test_there_is_one_sort_and_numbers_sort_as_numbers(portal: PracticePortal) -> None:
    """38"""
    contacts = seeded(portal, 12)
    by_id = portal.found(sorts=[{"propertyName": "hs_object_id", "direction": "DESCENDING"}])
    by_score = portal.found(sorts=[{"propertyName": "lead_score", "direction": "ASCENDING"}])
    assert (by_id, by_score) == (contacts[::-1], contacts)
    assert portal.found(sorts=["lead_score"]) == portal.found(sorts=["hs_object_id"]) == contacts
    assert portal.found(sorts=["-lead_score"]) == contacts[::-1]
    assert code(portal.search, sorts=["lead_score", "city"]) == (400, "VALIDATION_ERROR")
    assert code(portal.search, sorts=["dragons"]) == (400, "VALIDATION_ERROR")


def test_without_a_sort_the_oldest_comes_first(portal: PracticePortal) -> None:
    """38"""
    first = portal.make(city="Bari")
    portal.advance(60)
    second = portal.make(city="Turin")
    portal.change("contacts", first, city="Rome")
    assert portal.found() == [first, second]


def filters(count: int) -> list[Json]:
    return [where("city", "EQ", "Turin") for _ in range(count)]


@pytest.mark.parametrize(
    ("groups", "is_fine"),
    [([1] * 5, True), ([1] * 6, False), ([6, 6, 6], True), ([6, 6, 6, 1], False), ([7], False)],
)
def test_filters_have_caps(portal: PracticePortal, groups: list[int], is_fine: bool) -> None:
    """39"""
    body = {"filterGroups": [{"filters": filters(count)} for count in groups]}
    if is_fine:
        assert portal.search(**body).total == 0
    else:
        assert code(portal.search, **body) == (400, "VALIDATION_ERROR")


def test_a_search_is_short(portal: PracticePortal) -> None:
    """39"""
    assert code(portal.search, query="x" * 3000) == (400, "VALIDATION_ERROR")


def test_filters_at_the_top_are_a_group(portal: PracticePortal) -> None:
    """39"""
    turin, bari = portal.make(city="Turin"), portal.make(city="Bari")
    assert portal.found(filters=[where("city", "EQ", "turin")]) == [turin]
    either = [{"filters": [where("city", "EQ", "Bari")]}]
    assert portal.found(filters=[where("city", "EQ", "turin")], filterGroups=either) == [turin, bari]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (where("firstname", "EQ", "ADA"), "a"),
        (where("firstname", "NEQ", "ada"), "bc"),
        (where("lead_score", "EQ", "10.0"), "b"),
        (where("lead_score", "LT", "10"), "a"),
        (where("lead_score", "LTE", 10), "ab"),
        (where("lead_score", "GT", "9"), "bc"),
        (where("lead_score", "GTE", "10"), "bc"),
        (where("lead_score", "BETWEEN", "9", highValue="10"), "ab"),
        (where("lead_score", "IN", ["9", "100.0"]), "ac"),
        (where("firstname", "IN", ["ada", "bea"]), "ab"),
        (where("firstname", "IN", ["Ada", "BEA"]), ""),
        (where("firstname", "NOT_IN", ["ada"]), "bc"),
        (where("lifecyclestage", "EQ", "lead"), "ab"),
        (where("lifecyclestage", "EQ", "Lead"), ""),
        (where("lifecyclestage", "IN", ["lead", "customer"]), "abc"),
        (where("hs_buying_role", "IN", ["BLOCKER"]), "a"),
        (where("hs_buying_role", "EQ", "CHAMPION;BLOCKER"), "a"),
        (where("hs_buying_role", "HAS_PROPERTY"), "ab"),
        (where("hs_buying_role", "NOT_HAS_PROPERTY"), "c"),
        (where("email", "CONTAINS_TOKEN", "example.com"), "ab"),
        (where("email", "CONTAINS_TOKEN", "ada*"), "a"),
        (where("email", "CONTAINS_TOKEN", "*da@example.com"), "a"),
        (where("email", "CONTAINS_TOKEN", "EXAMPLE"), "ab"),
        (where("email", "CONTAINS_TOKEN", "exam"), ""),
        (where("email", "NOT_CONTAINS_TOKEN", "ada"), "bc"),
        (where("hs_object_id", "GT", "91"), "bc"),
        (where("createdate", "LTE", "1793610000000"), "abc"),
        (where("createdate", "EQ", "2026-11-02T09:00:00Z"), "abc"),
        (where("createdate", "GT", "1793610000000"), ""),
        (where("hs_email_optout", "EQ", "true"), "c"),
        (where("hs_email_optout", "EQ", True), "c"),
    ],
)
def test_operators(portal: PracticePortal, condition: Json, names: str) -> None:
    """40"""
    made = {
        portal.make(firstname="Ada", email="ada@example.com", lead_score="9", hs_buying_role="CHAMPION;BLOCKER"): "a",
        portal.make(firstname="Bea", email="bea@example.com", lead_score="10", hs_buying_role="OTHER"): "b",
        portal.person_makes(
            firstname="Cleo", email="cleo@acme.co", lead_score="100", lifecyclestage="customer", hs_email_optout=True
        ): "c",
    }
    assert "".join(made[one] for one in portal.found(condition)) == names


def test_a_negative_passes_over_blanks_unless_switched_so(portal: PracticePortal) -> None:
    """40"""
    blank, turin = portal.make(), portal.make(city="Turin")
    for condition in (where("city", "NEQ", "Bari"), where("city", "NOT_IN", ["bari"])):
        portal.switch("negative_needs_value", True)
        assert portal.found(condition) == [turin]
        portal.switch("negative_needs_value", False)
        assert portal.found(condition) == [blank, turin]


@pytest.mark.parametrize(
    "condition",
    [
        where("dragons", "EQ", "1"),
        where("city", "LIKE", "T"),
        where("city", "EQ"),
        where("city", "IN", []),
        where("city", "IN", "Turin"),
        where("lead_score", "GT", "many"),
        where("createdate", "GT", "soon"),
        where("lead_score", "BETWEEN", "1"),
        where("associations.company", "NEQ", "1"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(portal: PracticePortal, condition: Json) -> None:
    """40"""
    assert code(portal.search, "contacts", condition) == (400, "VALIDATION_ERROR")


def test_records_are_found_by_what_they_are_associated_with(portal: PracticePortal) -> None:
    """40"""
    company = portal.make("companies")
    tied = portal.make("contacts", [{"to": {"id": company}, "types": [PLAIN_COMPANY]}])
    portal.make()
    assert portal.found(where("associations.company", "EQ", company)) == [tied]


@pytest.mark.parametrize(
    ("words", "is_found"),
    [("ada", True), ("lovelace ad", True), ("bea", False), ("example.com", True), ("5550100", True), ("42", False)],
)
def test_a_query_looks_into_names_addresses_and_phone_numbers(
    portal: PracticePortal, words: str, is_found: bool
) -> None:
    """40"""
    contact = portal.make(firstname="Ada", lastname="Lovelace", email="ada@example.com", phone="+1 (212) 555-0100")
    portal.make(city="Ada")
    assert portal.found(query=words) == ([contact] if is_found else [])


def test_a_search_shows_the_asked_properties_and_no_history(portal: PracticePortal) -> None:
    """40"""
    portal.make(city="Turin")
    found = portal.search(properties=["city"], propertiesWithHistory=["city"], associations=["companies"]).results[0]
    assert found.properties["city"] == "Turin"
    assert (found.properties_with_history, hasattr(found, "associations")) == (None, False)


def test_a_search_is_late_and_a_read_is_not(portal: PracticePortal) -> None:
    """41"""
    contact = portal.make(city="Turin")
    portal.switch("visible_delay_seconds", 5)
    portal.change("contacts", contact, city="Bari")
    new = portal.make(city="Bari")
    assert portal.value("contacts", contact, "city") == "Bari"
    assert portal.found(where("city", "EQ", "Turin")) == [contact], "the index still has the old value"
    assert portal.search("contacts", properties=["city"]).results[0].properties["city"] == "Turin"
    portal.advance(4.9)
    assert portal.found(where("city", "EQ", "Bari")) == []
    portal.advance(0.1)
    assert portal.found(where("city", "EQ", "Bari")) == [contact, new]


def test_each_change_reaches_the_index_after_its_own_delay(portal: PracticePortal) -> None:
    """41"""
    contact = portal.make(city="Turin")
    portal.switch("visible_delay_seconds", 5)
    for city in ("Bari", "Rome", "Pisa"):
        portal.change("contacts", contact, city=city)
        portal.advance(2)
    seen = []
    for _ in range(4):
        seen.append(portal.search(properties=["city"]).results[0].properties["city"])
        portal.advance(2)
    assert seen == ["Bari", "Rome", "Pisa", "Pisa"]


def test_the_lag_of_the_index_is_part_of_a_snapshot(portal: PracticePortal) -> None:
    """41, 59"""
    contact = portal.make(city="Turin")
    portal.switch("visible_delay_seconds", 5)
    portal.change("contacts", contact, city="Bari")
    portal.admin.put("/snapshot", portal.admin.get("/snapshot"))
    assert portal.found(where("city", "EQ", "Turin")) == [contact]
    portal.advance(5)
    assert portal.found(where("city", "EQ", "Bari")) == [contact]


def test_on_a_real_clock_the_index_lags_three_seconds() -> None:
    """41"""
    practice = Practice(Options(clock="real"))
    assert practice.world.spaces["hubspot"].visible_delay_seconds == 3.0
    practice.close()


def test_an_archived_record_is_never_found(portal: PracticePortal) -> None:
    """42"""
    contact = portal.make(city="Turin")
    portal.switch("visible_delay_seconds", 5)
    portal.basic.archive("contacts", contact)
    assert portal.found() == []
    portal.person("undelete", object="contacts", id=contact)
    assert portal.found() == []
    portal.advance(5)
    assert portal.found() == [contact]


def test_five_searches_a_second_for_all_apps_and_no_headers(portal: PracticePortal) -> None:
    """43"""
    portal.switch("search_rate_limit", True)
    answers = [portal.raw("POST", "/crm/v3/objects/contacts/search", json={}) for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert not [name for one in answers for name in one.headers if "ratelimit" in name.lower()]
    body: Any = answers[-1].json()
    assert (body["policyName"], body["message"]) == ("SECONDLY", "You have reached your secondly limit.")
    assert portal.read("contacts", portal.make()).id
    portal.advance(1)
    assert portal.search().total == 1
