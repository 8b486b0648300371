"""A field made of several lines: joined in one direction, never taken apart."""

from __future__ import annotations

from datetime import date

import pytest
from deciding import contact, create_rule, hubspot, only_step, policy_set, rule, view, writes
from policy_texts import field, person, schema
from shipped_systems import SYSTEMS

from agent.changes import Decision
from agent.decide import decide, parse
from agent.decide.policy import FieldRule
from agent.decide.view import Frozen
from agent.records import FieldValue

TODAY = date(2026, 11, 24)
FIRST = rule("first_name", salesforce="FirstName", hubspot="firstname", unless_blank=True)
LAST = rule("last_name", "hubspot", salesforce="LastName", hubspot="lastname")
CITY = rule("city", "newest", salesforce="City", hubspot="city")


def full(*parts: str, between: str = " ", **more: object) -> FieldRule:
    """HubSpot's full_name, made of these lines."""
    return rule("full_name", "salesforce", salesforce=None, hubspot="full_name", made_of=parts, between=between, **more)


def decided(
    salesforce: dict[str, FieldValue],
    hub: dict[str, FieldValue],
    settled: tuple[FieldValue, FieldValue] | None = None,
    line: FieldRule | None = None,
    **more: object,
) -> Decision:
    """``settled``: what the parts made and what HubSpot held."""
    policies = policy_set(FIRST, LAST, CITY, line or full("first_name", "last_name"))
    here = {"FirstName": None, "LastName": None, "City": None, **salesforce}
    there = {"firstname": None, "lastname": None, "city": None, "full_name": None, **hub}
    bases = {} if settled is None else {"full_name": settled}
    return decide(view(contact(**here), hubspot(**there), bases, **more), policies)


def full_name(decision: Decision) -> FieldValue:
    return writes(decision).get("hubspot", {}).get("full_name")


NAMED = {"FirstName": "Ada", "LastName": "King"}


class TestMaking:
    def test_each_part_is_the_value_that_its_own_line_wants(self) -> None:
        assert full_name(decided(NAMED, {"firstname": "A.", "lastname": "Lovelace"})) == "Ada Lovelace"

    def test_a_blank_part_leaves_no_gap(self) -> None:
        assert full_name(decided({"FirstName": "Ada"}, {"firstname": "Ada"})) == "Ada"

    def test_parts_are_joined_by_what_stands_between_them(self) -> None:
        line = full("last_name", "first_name", between=", ")
        assert full_name(decided(NAMED, {"firstname": "Ada", "lastname": "King"}, line=line)) == "King, Ada"

    def test_all_parts_blank_clear_nothing(self) -> None:
        decision = decided({}, {"full_name": "Ada"}, ("Ada", "Ada"))
        assert full_name(decision) is None
        assert only_step(decision, "full_name").disposition == "skipped"

    def test_what_is_equal_is_settled_and_not_written_again(self) -> None:
        decision = decided(NAMED, {"firstname": "Ada", "lastname": "King", "full_name": "Ada  King"})
        assert full_name(decision) is None
        assert decision.adopt["full_name"] == {"salesforce": "Ada King", "hubspot": "Ada  King"}

    def test_a_part_that_changed_is_written(self) -> None:
        decision = decided(NAMED, {"firstname": "Ada", "lastname": "Byron", "full_name": "Ada King"}, ("Ada King",) * 2)
        assert full_name(decision) == "Ada Byron"

    def test_an_edit_of_the_made_field_is_taken_back(self) -> None:
        hub = {"firstname": "Ada", "lastname": "King", "full_name": "Countess"}
        decision = decided(NAMED, hub, ("Ada King", "Ada King"))
        assert full_name(decision) == "Ada King"
        said = "first_name and last_name make “Ada King”; the edit to “Countess” in HubSpot is taken back"
        assert only_step(decision, "full_name").sentence == said

    def test_what_the_vendor_made_of_it_is_not_fought(self) -> None:
        hub = {"firstname": "Ada", "lastname": "King", "full_name": "ADA KING"}
        assert full_name(decided(NAMED, hub, ("Ada King", "ADA KING"))) is None

    def test_a_part_that_nobody_wins_yet_waits(self) -> None:
        decision = decided({"City": "Bonn"}, {"city": "Ulm"}, line=full("city"))
        assert full_name(decision) is None
        assert "both sides differ in city" in only_step(decision, "full_name").sentence

    def test_a_part_that_is_not_visible_makes_nothing(self) -> None:
        policies = policy_set(FIRST, full("first_name"))
        decision = decide(view(contact(), hubspot(full_name="Ada")), policies)
        assert "first_name is not visible" in only_step(decision, "full_name").sentence

    def test_a_frozen_field_stays(self) -> None:
        frozen = (Frozen("full_name", "hubspot", "r", "undone"),)
        assert full_name(decided(NAMED, {"firstname": "Ada", "lastname": "King"}, frozen=frozen)) is None

    def test_a_new_record_has_it_from_the_start(self) -> None:
        creates = [create_rule("hubspot", "contacts", ("Contact",))]
        first, last = FIRST, rule("last_name", salesforce="LastName", hubspot="lastname")
        email = rule("email", salesforce="Email", hubspot="email")
        policies = policy_set(email, first, last, full("first_name", "last_name"), creates=creates)
        decision = decide(view(contact(Email="ada@acme.example", **NAMED), None, may_create=True), policies)
        assert writes(decision)["hubspot"]["full_name"] == "Ada King"


LINES = """\
  first_name: {salesforce: FirstName, hubspot: firstname, wins: salesforce}
  last_name:  {salesforce: LastName, hubspot: lastname, wins: hubspot}
  owner:      {salesforce: OwnerId, hubspot: hubspot_owner_id, wins: salesforce, owner: true}
"""


def problems(line: str, types: str = "text") -> list[str]:
    text = person(fields=f"{LINES}  {line}\n").replace("match: [stored id, email]", "match: [stored id]")
    names = ("firstname", "lastname", "hubspot_owner_id")
    schemas = schema("hubspot", "contacts", *(field(name) for name in names), field("full_name", types))
    found = parse.check({"p.yaml": text}, schemas, TODAY, SYSTEMS)
    return [f"{problem.message} | {problem.advice}" for problem in found]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("full_name: {salesforce: Name, hubspot: full_name, made_of: [first_name]}", "No value is ever taken apart"),
        (
            "full_name: {hubspot: full_name, made_of: [first_nam]}",
            "no such line about person | Did you mean `first_name`",
        ),
        ("full_name: {hubspot: full_name, made_of: [full_name]}", "no such line about person"),
        ("full_name: {hubspot: full_name, made_of: [first_name, owner]}", "which is an owner"),
        ("full_name: {hubspot: full_name, made_of: [first_name], wins: hubspot}", "`wins` has no place in a line"),
        ("full_name: {hubspot: full_name, between: x}", "`between` belongs to a line that is `made_of` others"),
        ("full_name: {hubspot: full_name, made_off: [first_name]}", "Did you mean `made_of`?"),
        ("full_name: {hubspot: firstname, made_of: [last_name]}", "is written by two lines"),
        ("a: {hubspot: x, made_of: [first_name]}\n  b: {hubspot: full_name, made_of: [a]}", "made of others itself"),
    ],
)
def test_check_says_what_does_not_fit(line: str, says: str) -> None:
    assert any(says in problem for problem in problems(line)), problems(line)


def test_a_field_that_is_no_text_is_refused() -> None:
    assert any(
        "several values joined are text" in found
        for found in problems("full_name: {hubspot: full_name, made_of: [first_name, last_name]}", "number")
    )


def test_a_sound_line_passes() -> None:
    assert problems('full_name: {hubspot: full_name, made_of: [last_name, first_name], between: ", "}') == []
