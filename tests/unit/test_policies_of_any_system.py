"""Policies about whichever systems an installation has: the words are those of the connectors, not of the language."""

from __future__ import annotations

from policy_texts import HEADER, TODAY
from shipped_systems import SYSTEMS

from agent.decide import parse, prepare
from agent.decide.example_reading import read_examples
from agent.decide.examples import run
from agent.decide.json_schema import policy_json_schema
from agent.decide.policy_words import in_words
from agent.systems import StageField, System, Systems

SHOP = System("shop", "The shop", stage_fields={"level": StageField(None, "loyalty")}, sample_types="customers")
THREE = Systems([*(SYSTEMS[key] for key in SYSTEMS), SHOP])

CUSTOMER = f"""\
policy: customers
kind: fields
{HEADER}defines: customer
records: {{hubspot: contacts, shop: customers}}
match: [email]
first_time: fill blanks
losing_edit: revert
fields:
  email: {{hubspot: email, shop: mail, wins: shop, clean: email}}
  tier: {{hubspot: tier, shop: rank, wins: shop unless blank, values: {{gold: {{hubspot: tier_1, shop: Gold}}}}}}
"""


def found(text: str, systems: Systems = THREE) -> list[str]:
    return [f"{each.message} | {each.advice}" for each in parse.check({"p.yaml": text}, None, TODAY, systems)]


def changed(old: str, new: str) -> list[str]:
    assert old in CUSTOMER
    return found(CUSTOMER.replace(old, new))


def test_a_policy_may_be_about_any_two_systems() -> None:
    assert found(CUSTOMER) == []
    policies = parse.load({"p.yaml": CUSTOMER}, None, TODAY, THREE)
    assert list(policies.entity_types["customer"].records) == ["hubspot", "shop"]
    said = " ".join(" ".join(in_words(policies)).split())
    assert "A customer is: HubSpot contacts · The shop customers." in said
    assert "The shop wins; HubSpot is never copied" in said


def test_it_decides_and_its_examples_speak_of_these_systems() -> None:
    prepared = prepare(parse.load({"p.yaml": CUSTOMER}, None, TODAY, THREE))
    given = {
        "shop": {"customers": {"mail": "a@b.example", "rank": "Gold"}},
        "hubspot": {"contacts": {"email": "a@b.example"}},
    }
    example = {"example": "gold", "given": given, "expected": {"hubspot": {"tier": "tier_1"}}}
    assert run(*read_examples([example], THREE), prepared) == []


def test_a_system_that_is_not_set_up_is_unknown_and_the_others_are_suggested() -> None:
    (problem, *_) = found(CUSTOMER.replace("shop", "shpo"))
    assert problem.startswith("unknown system `shpo` in `records` | Did you mean `shop`?")
    (problem, *_) = found(CUSTOMER, SYSTEMS)
    assert problem.startswith("unknown system `shop` in `records` | ")


def test_a_line_may_only_name_the_two_systems_of_its_thing() -> None:
    (problem,) = changed("{hubspot: email, shop: mail,", "{hubspot: email, shop: mail, salesforce: Email,")
    assert problem.startswith("unknown key `salesforce` in a line under `fields`")
    (problem,) = changed("wins: shop,", "wins: salesforce,")
    assert problem.startswith("`wins` cannot be `salesforce` | ")
    assert "`shop`" in problem or "shop" in problem


def test_a_thing_lives_in_two_systems_not_in_one_or_three() -> None:
    problems = changed(
        "hubspot: contacts, shop: customers}", "hubspot: contacts, salesforce: Contact, shop: customers}"
    )
    assert (
        "`records` names 3 systems, but a thing is kept alike in two | Name two of salesforce, hubspot, shop."
        in problems
    )
    problems = changed("records: {hubspot: contacts, shop: customers}", "records: {shop: customers}")
    assert any(each.startswith("`records` names no object type of salesforce or hubspot") for each in problems)


def test_a_record_is_one_thing() -> None:
    second = CUSTOMER.replace("customers\nkind", "buyers\nkind").replace("customer\n", "buyer\n")
    assert any(
        each.startswith("contacts of HubSpot is a customer already (p.yaml:1)")
        for each in found(f"{CUSTOMER}---\n{second}")
    )


def test_stages_stand_where_the_connector_says() -> None:
    stages = f"""\
policy: loyalty
kind: lifecycle
{HEADER}about: customer
stages:
  New: {{hubspot: lead, level: fresh}}
  Old: {{hubspot: customer, level: known}}
moves:
  - {{to: Old}}
wins: shop
"""
    policies = parse.load({"p.yaml": f"{CUSTOMER}---\n{stages}"}, None, TODAY, THREE)
    assert policies.lifecycle[0].where["level"] == {"shop": {"customers": "loyalty"}}


def test_people_are_known_by_the_word_of_each_system() -> None:
    people = (
        f"policy: us\nkind: people\n{HEADER}people:\n  kim@example.com: {{shop_owner: 7, salesforce_user: kim@sf}}\n"
    )
    policies = parse.load({"p.yaml": people}, None, TODAY, THREE)
    assert policies.people is not None
    assert policies.people.owner_table == {"kim@example.com": {"shop": "7", "salesforce": "kim@sf"}}


def test_editors_complete_the_systems_there_are() -> None:
    text = str(policy_json_schema(THREE))
    assert "shop unless blank" in text
    assert "shop" not in str(policy_json_schema(SYSTEMS))
