"""Vendor values and their meaning: HubSpot's text, Salesforce's JSON, value maps, and what nobody mapped."""

from __future__ import annotations

import pytest
from deciding import contact, hubspot, policy_set, rule, steps, view, writes
from hypothesis import given
from hypothesis import strategies as st
from shipped_systems import SYSTEMS

from agent.decide import decide
from agent.decide.policy import Cleaner, FieldRule
from agent.decide.values import Codec, Unmapped
from agent.records import FieldValue

PLAIN = rule("job_title")
NUMBER = rule("employees", type="number")
BOOLEAN = rule("vip", type="boolean")
DATE = rule("birthday", type="date")
MOMENT = rule("seen", type="datetime")
CHOICES = rule("interests", type="choices")
INDUSTRY = rule(
    "industry",
    values={
        "Software": {"salesforce": "Technology", "hubspot": "COMPUTER_SOFTWARE"},
        "Hardware": {"salesforce": "Electronics", "hubspot": "COMPUTER_HARDWARE"},
        "Games": {"salesforce": "Technology", "hubspot": "COMPUTER_GAMES"},
        "Farming": {"salesforce": "Agriculture"},
    },
)


def agree(field_rule: FieldRule, salesforce: FieldValue, hubspot_value: FieldValue) -> bool:
    codec = Codec(field_rule, SYSTEMS)
    return codec.agree(codec.read("salesforce", salesforce), codec.read("hubspot", hubspot_value))


def carried(field_rule: FieldRule, value: FieldValue, here: str, there: str) -> FieldValue:
    codec = Codec(field_rule, SYSTEMS)
    return codec.write(there, codec.read(here, value))


@pytest.mark.parametrize(
    ("field_rule", "salesforce", "hubspot_value"),
    [
        (NUMBER, 250, "250"),
        (NUMBER, 250.0, "250.00"),
        (NUMBER, 0.1, "0.10"),
        (NUMBER, 1e3, "1000"),
        (BOOLEAN, True, "true"),
        (BOOLEAN, False, "FALSE"),
        (PLAIN, True, "true"),
        (PLAIN, 250, "250"),
        (DATE, "2026-11-24", "1795478400000"),
        (MOMENT, "2026-11-24T09:00:00.000+0000", "2026-11-24T09:00:00.417Z"),
        (MOMENT, "2026-11-24T10:00:00+01:00", "1795510800000"),
        (CHOICES, "Ski;Golf", "Golf;Ski"),
        (PLAIN, None, ""),
        (PLAIN, "  ", None),
    ],
)
def test_one_meaning_in_both_vendors_forms(
    field_rule: FieldRule, salesforce: FieldValue, hubspot_value: FieldValue
) -> None:
    assert agree(field_rule, salesforce, hubspot_value)


@pytest.mark.parametrize(
    ("field_rule", "salesforce", "hubspot_value"),
    [
        (NUMBER, 250, "251"),
        (NUMBER, 1, "true"),
        (BOOLEAN, False, None),
        (BOOLEAN, True, "false"),
        (DATE, "2026-11-24", "2026-11-25"),
        (CHOICES, "Ski;Golf", "Ski"),
        (PLAIN, "007", "7"),
        (NUMBER, 5, "5 people"),
    ],
)
def test_different_meanings(field_rule: FieldRule, salesforce: FieldValue, hubspot_value: FieldValue) -> None:
    assert not agree(field_rule, salesforce, hubspot_value)


@pytest.mark.parametrize(
    ("field_rule", "value", "here", "there", "written"),
    [
        (NUMBER, 250.0, "salesforce", "hubspot", "250"),
        (NUMBER, "0.5", "hubspot", "salesforce", 0.5),
        (NUMBER, "250", "hubspot", "salesforce", 250),
        (BOOLEAN, True, "salesforce", "hubspot", "true"),
        (BOOLEAN, "false", "hubspot", "salesforce", False),
        (DATE, "1795478400000", "hubspot", "salesforce", "2026-11-24"),
        (CHOICES, ";Golf", "hubspot", "salesforce", "Golf"),
        (PLAIN, " CEO ", "hubspot", "salesforce", "CEO"),
        (PLAIN, "", "hubspot", "salesforce", None),
        (rule("phone", clean=Cleaner("phone", "US")), "(415) 555-0100", "salesforce", "hubspot", "+14155550100"),
    ],
)
def test_a_value_is_written_in_the_other_vendors_form(
    field_rule: FieldRule, value: FieldValue, here: str, there: str, written: FieldValue
) -> None:
    found = carried(field_rule, value, here, there)
    assert (found, type(found)) == (written, type(written))


class TestValueMaps:
    def test_words_are_translated_both_ways(self) -> None:
        assert carried(INDUSTRY, "Electronics", "salesforce", "hubspot") == "COMPUTER_HARDWARE"
        assert carried(INDUSTRY, "computer_hardware", "hubspot", "salesforce") == "Electronics"

    def test_a_lossy_map_agrees_when_any_meaning_is_shared(self) -> None:
        assert agree(INDUSTRY, "Technology", "COMPUTER_SOFTWARE")
        assert agree(INDUSTRY, "Technology", "COMPUTER_GAMES")
        assert not agree(INDUSTRY, "Electronics", "COMPUTER_GAMES")

    def test_equal_words_of_two_vocabularies_need_not_mean_the_same(self) -> None:
        swapped = rule(
            "tier",
            values={"Gold": {"salesforce": "A", "hubspot": "B"}, "Tin": {"salesforce": "B", "hubspot": "A"}},
        )
        assert not agree(swapped, "A", "A")
        assert agree(swapped, "A", "B")

    def test_an_unknown_word_is_asked_about_and_never_blanked(self) -> None:
        industry = rule(
            "industry", salesforce="Industry", hubspot="industry", values=INDUSTRY.values, first_time="winner"
        )
        for base in ({}, {"industry": ("Technology", "COMPUTER_SOFTWARE")}):
            seen = view(contact(Industry="Mining"), hubspot(industry="COMPUTER_SOFTWARE"), base)
            decision = decide(seen, policy_set(industry))
            assert decision.changes == ()
            assert steps(decision, "industry") == [("ask", "salesforce")]
            (review,) = decision.reviews
            assert (review.kind, review.topic) == ("unmapped", "unmapped:industry")
            assert "“Mining”" in review.sentence

    def test_a_word_without_counterpart_is_asked_about_too(self) -> None:
        industry = rule("industry", salesforce="Industry", hubspot="industry", values=INDUSTRY.values)
        decision = decide(view(contact(Industry="Agriculture"), hubspot(industry=None)), policy_set(industry))
        assert decision.changes == ()
        assert [review.kind for review in decision.reviews] == ["unmapped"]
        with pytest.raises(Unmapped):
            carried(INDUSTRY, "Agriculture", "salesforce", "hubspot")

    def test_a_mapped_value_is_written_in_the_sides_own_word(self) -> None:
        industry = rule("industry", salesforce="Industry", hubspot="industry", values=INDUSTRY.values)
        decision = decide(view(contact(Industry="Electronics"), hubspot(industry=None)), policy_set(industry))
        assert writes(decision) == {"hubspot": {"industry": "COMPUTER_HARDWARE"}}


def test_a_number_too_long_to_be_one_is_text() -> None:
    assert not agree(NUMBER, "1e400000", "1e400001")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**12), max_value=10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(max_size=12),
    st.sampled_from(["true", "2026-11-24", "1795478400000", "A;B", ";C", " x ", "1_0", "٣", "Infinity"]),
)
rules = st.sampled_from([PLAIN, NUMBER, BOOLEAN, DATE, MOMENT, CHOICES, rule("name", clean=Cleaner("name"))])


@given(field_rule=rules, value=scalars, here=st.sampled_from(["salesforce", "hubspot"]))
def test_a_value_carried_over_means_the_same_there(field_rule: FieldRule, value: FieldValue, here: str) -> None:
    there = "hubspot" if here == "salesforce" else "salesforce"
    codec = Codec(field_rule, SYSTEMS)
    origin = codec.read(here, value)
    written = codec.write(there, origin)
    assert codec.agree(codec.read(there, written), origin)
    if there == "hubspot":
        assert written is None or isinstance(written, str)
    returned = codec.write(here, codec.read(there, written))
    assert codec.agree(codec.read(here, returned), origin)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("2026-07-24", "“2026-07-24”"),
        ("2026-07-24T00:00:00.000Z", "“2026-07-23 in America/New_York”"),
        (None, "blank"),
    ],
)
def test_a_moment_that_means_a_day_is_shown_as_that_day(raw: FieldValue, shown: str) -> None:
    """“2026-07-24” beside “2026-07-24T00:00:00.000Z” would look like the same to whoever decides about them."""
    codec = Codec(rule("close_date", clean=Cleaner("date", "America/New_York")), SYSTEMS)
    assert codec.show(codec.read("hubspot", raw)) == shown
