"""The practice company: the same for the same seed, big enough, dirty as chosen, and truthful about it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import phonenumbers
import pytest

from connectors.emulator import dirt
from connectors.emulator.clock import Clock
from connectors.emulator.persistence import snapshot, values_only
from connectors.emulator.practice import Options
from connectors.emulator.seed import fill
from connectors.emulator.seed_copies import COMPANY_DIRT, PERSON_DIRT
from connectors.emulator.seed_truth import Company, Phone, Phones, load_data, picked, plain
from connectors.emulator.world import Actor, World

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
SIZE = Options(seed=7, contacts=800, companies=160, deals=60)


class PlainDesk:
    """Files what it is given: no schema, no rules."""

    def __init__(self, world: World, system: str) -> None:
        self.world = world
        self.system = system
        self.space = world.spaces[system]

    def seed_many(self, object_type: str, rows: Sequence[dict[str, Any]], *, actor: Actor) -> list[str]:
        ids = []
        with self.world.transaction(self.system, actor) as transaction:
            for given in rows:
                row_id = str(self.space.next_number(object_type))
                values = {name: value for name, value in given.items() if not name.startswith("_")}
                row = transaction.create(object_type, row_id, values)
                row.created_at, row.stamp = given["_created_at"], given["_modified_at"]
                row.modified_at = row.stamp
                ids.append(row_id)
        return ids

    def link(self, from_type: str, from_id: str, to_type: str, to_id: str, label: str | None = None) -> None:
        with self.world.transaction(self.system, Actor("seed", "system")) as transaction:
            transaction.link((from_type, from_id), (to_type, to_id), {label or "1"})


def build(options: Options) -> tuple[World, dict[str, Any]]:
    world = World(Clock(START))
    for number, email in enumerate(("kim@example.com", "sam@example.com", "olga@example.com"), 1):
        active = email != "olga@example.com"
        with world.transaction("salesforce", Actor("setup", "system")) as transaction:
            transaction.create("User", f"005-{number}", {"Email": email, "IsActive": active})
        owner = {"id": str(number), "email": email, "archived": not active, "userIdIncludingInactive": number}
        world.spaces["hubspot"].settings.setdefault("owners", {})[str(number)] = owner
    desks = {system: PlainDesk(world, system) for system in world.spaces}
    return world, fill(world, desks, options)


@pytest.fixture(scope="module")
def built() -> tuple[World, dict[str, Any]]:
    return build(SIZE)


def people(built: tuple[World, dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = built[1]["people"]
    return found


def record(world: World, line: dict[str, Any], system: str, role: str = "main") -> dict[str, Any]:
    for one in line["records"]:
        if (one["system"], one["role"]) == (system, role):
            return world.spaces[system].table(one["object"])[one["id"]].values
    raise AssertionError(f"{line['person']} has no {role} record in {system}")


def test_the_same_seed_builds_the_same_company() -> None:
    small = Options(seed=3, contacts=60, companies=20, deals=10)
    (one, first), (two, second) = build(small), build(small)
    assert json.dumps(first) == json.dumps(second)
    assert snapshot(one) == snapshot(two)


def test_another_seed_builds_another_company() -> None:
    (one, _), (two, _) = (build(Options(seed=seed, contacts=60, companies=20)) for seed in (3, 4))
    assert values_only(one) != values_only(two)


def test_every_side_has_at_least_what_was_asked_for(built: tuple[World, dict[str, Any]]) -> None:
    salesforce, hubspot = (built[0].spaces[system].tables for system in ("salesforce", "hubspot"))
    assert len(salesforce["Contact"]) + len(salesforce["Lead"]) >= 800
    assert len(hubspot["contacts"]) >= 800
    assert (len(salesforce["Account"]) >= 160, len(hubspot["companies"]) >= 160) == (True, True)
    assert (len(salesforce["Opportunity"]), len(hubspot["deals"])) == (60, 60)


def test_nine_people_in_ten_are_on_both_sides(built: tuple[World, dict[str, Any]]) -> None:
    both = sum({one["system"] for one in line["records"]} == {"salesforce", "hubspot"} for line in people(built))
    assert both / len(people(built)) == pytest.approx(0.9, abs=0.02)


def test_a_quarter_of_salesforces_people_are_open_leads(built: tuple[World, dict[str, Any]]) -> None:
    mains = [one for line in people(built) for one in line["records"] if one["role"] == "main"]
    objects = Counter(one["object"] for one in mains if one["system"] == "salesforce")
    assert objects["Lead"] / objects.total() == pytest.approx(0.25, abs=0.02)


def test_dirt_is_spread_as_chosen_and_counted_in_the_truth(built: tuple[World, dict[str, Any]]) -> None:
    both = sum({one["system"] for one in line["records"]} == {"salesforce", "hubspot"} for line in people(built))
    for group, kinds in load_data("dirt_rates")["people"].items():
        for kind, rate in kinds.items():
            assert built[1]["dirt"]["people"][f"{group}: {kind}"] == pytest.approx(rate * both, abs=2), (
                f"{group}: {kind}"
            )


def test_every_kind_of_dirt_has_a_rate_and_every_rate_a_kind() -> None:
    rates = load_data("dirt_rates")
    for chosen, changes in ((rates["people"], PERSON_DIRT), (rates["companies"], COMPANY_DIRT)):
        assert {group: set(kinds) for group, kinds in chosen.items()} == {
            group: set(kinds) for group, kinds in changes.items()
        }


def test_people_paired_by_email_share_it_and_nobody_else_in_hubspot_has_it(
    built: tuple[World, dict[str, Any]],
) -> None:
    world = built[0]
    emails = Counter(row.values.get("email") for row in world.spaces["hubspot"].table("contacts").values())
    del emails[None]
    assert set(emails.values()) == {1}
    paired = [line for line in people(built) if line["pairing"] == "email"]
    for line in paired:
        assert record(world, line, "salesforce")["Email"] == record(world, line, "hubspot")["email"]
    assert len(paired) > 650


def test_people_paired_by_stored_id_alone_have_two_addresses(built: tuple[World, dict[str, Any]]) -> None:
    world = built[0]
    lines = [line for line in people(built) if line["pairing"] == "stored id"]
    assert len(lines) > 10
    for line in lines:
        there = record(world, line, "hubspot")
        stored = there.get("salesforcecontactid") or there.get("salesforceleadid")
        assert stored in {one["id"] for one in line["records"] if one["system"] == "salesforce"}
        assert record(world, line, "salesforce")["Email"] != there["email"]


def test_unclear_people_have_the_same_address_twice_in_salesforce(built: tuple[World, dict[str, Any]]) -> None:
    world = built[0]
    lines = [line for line in people(built) if line["pairing"] == "unclear"]
    assert lines
    for line in lines:
        twice = record(world, line, "salesforce", "same e-mail twice")
        assert twice["Email"] == record(world, line, "salesforce")["Email"]


def test_a_converted_lead_names_its_contact(built: tuple[World, dict[str, Any]]) -> None:
    world = built[0]
    leads = [row.values for row in world.spaces["salesforce"].table("Lead").values() if row.values.get("IsConverted")]
    assert leads
    assert all(lead["ConvertedContactId"] in world.spaces["salesforce"].table("Contact") for lead in leads)


def test_one_in_ten_has_a_wrong_imported_title(built: tuple[World, dict[str, Any]]) -> None:
    contacts = built[0].spaces["hubspot"].table("contacts").values()
    imported = [row.values["jobtitle_import_2019"] for row in contacts if row.values.get("jobtitle_import_2019")]
    assert len(imported) == 80
    assert set(imported) <= set(load_data("titles")["imported"])


def test_maria_lopez_is_always_there(built: tuple[World, dict[str, Any]]) -> None:
    line = next(line for line in people(built) if line["true"]["email"] == "maria.lopez@example.com")
    assert record(built[0], line, "salesforce")["Title"] == "Sales Manager"
    there = record(built[0], line, "hubspot")
    assert (there["jobtitle"], there["jobtitle_import_2019"]) == ("mgr", "Trainee")


def test_hubspot_gets_text_only(built: tuple[World, dict[str, Any]]) -> None:
    values = [
        value
        for table in built[0].spaces["hubspot"].tables.values()
        for row in table.values()
        for value in row.values.values()
    ]
    assert {type(value) for value in values} == {str}


def test_both_systems_lower_case_addresses_so_none_has_capitals(built: tuple[World, dict[str, Any]]) -> None:
    world = built[0]
    emails = [
        row.values["email"] for row in world.spaces["hubspot"].table("contacts").values() if "email" in row.values
    ]
    emails += [
        row.values["Email"] for row in world.spaces["salesforce"].table("Contact").values() if row.values["Email"]
    ]
    assert all(email == email.strip().lower() for email in emails)


def test_every_address_is_reserved_for_examples(built: tuple[World, dict[str, Any]]) -> None:
    text = json.dumps(values_only(built[0]))
    domains = {part.split('"')[0].lower() for part in text.split("@")[1:]}
    assert all(domain.endswith(".example") or domain == "example.com" for domain in domains)


def test_nothing_seeded_is_newer_than_the_clock_or_unseen(built: tuple[World, dict[str, Any]]) -> None:
    for space in built[0].spaces.values():
        for table in space.tables.values():
            assert all(row.created_at <= row.modified_at <= START and row.visible_at <= START for row in table.values())


def test_conflicting_edits_are_lately_on_both_sides(built: tuple[World, dict[str, Any]]) -> None:
    world = built[0]
    lines = [line for line in people(built) if "edits: both sides lately" in line["dirt"]]
    assert lines
    for line in lines:
        for one in line["records"]:
            if one["role"] == "main":
                row = world.spaces[one["system"]].table(one["object"])[one["id"]]
                assert (START - row.modified_at).days < 6
        assert record(world, line, "salesforce")["Title"] != record(world, line, "hubspot")["jobtitle"]


def test_an_inactive_owner_owns_some(built: tuple[World, dict[str, Any]]) -> None:
    assert [owner["active"] for owner in built[1]["owners"]] == [True, True, False]
    assert any(line["true"]["owner"] == "olga@example.com" for line in people(built))


def test_people_without_companies_can_be_had() -> None:
    world, truth = build(Options(contacts=30))
    assert len(truth["people"]) > 30
    assert all(row.values["AccountId"] is None for row in world.spaces["salesforce"].table("Contact").values())


@pytest.mark.parametrize(
    "country", [one for one in load_data("countries") if one["numbers"]], ids=lambda one: one["code"]
)
def test_ten_formats_mean_one_valid_number(country: dict[str, Any]) -> None:
    phone = Phones(Random(1)).draw(country)
    assert phone is not None
    forms = [dirt.written(phone, form) for form in range(10)]
    assert len(set(forms)) == 10
    assert phonenumbers.is_possible_number(phonenumbers.parse(phone.e164))
    dialled = [form for form in forms if form.startswith(("+", "011")) or country["dial"] == "1"]
    assert {phonenumbers.parse(form, "US").national_number for form in dialled} == {
        phonenumbers.parse(phone.e164).national_number
    }


def test_a_used_up_range_gives_no_second_number() -> None:
    phones = Phones(Random(1))
    country = {"dial": "1", "numbers": ["212 555 010#"]}
    drawn = [phones.draw(country) for _ in range(200)]
    numbers = [phone.e164 for phone in drawn if phone]
    assert len(numbers) == len(set(numbers)) <= 10


def test_a_typo_is_never_the_same_word_and_keeps_the_first_letter() -> None:
    rng = Random(1)
    for word in ("Anna", "Li", "Nguyễn", "Aaaa", "Schröder") * 20:
        slipped = dirt.typo(rng, word)
        assert slipped != word
        assert slipped[0] == word[0]


def test_picked_is_exact_and_never_empty_for_a_real_share() -> None:
    assert len(picked(Random(1), range(1000), 0.25)) == 250
    assert len(picked(Random(1), range(10), 0.001)) == 1
    assert picked(Random(1), range(10), 0.0) == set()


def test_plain_letters_for_addresses() -> None:
    assert [plain(name) for name in ("Sørensen", "Łukasz", "Đặng", "Yılmaz", "De Luca", "Müller", "Min-jun")] == [
        "sorensen",
        "lukasz",
        "dang",
        "yilmaz",
        "deluca",
        "muller",
        "minjun",
    ]


def test_a_company_without_domain_has_no_website() -> None:
    company = Company(1, "Acorn Tools", "GmbH", None, {}, Phone("1", "212 555 0100"), 0, 1, 0)
    assert dirt.website(Random(1), company) is None
