"""Ids become part of addresses, so nothing but an id may pass."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.ids import checksum, full_id, is_api_name

LETTERS = string.ascii_letters + string.digits


def test_checksum_counts_capitals_per_block_of_five() -> None:
    assert checksum("001D000000IRFma") == "IAH"
    assert checksum("00Qabcdefghijkl") == "EAA"
    assert checksum("ABCDEFGHIJKLMNO") == "555"


def test_short_id_is_completed_and_whole_id_kept() -> None:
    assert full_id("001D000000IRFma", "001") == "001D000000IRFmaIAH"
    assert full_id("001D000000IRFmaIAH", "001") == "001D000000IRFmaIAH"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "//host/x",
        "../Account/001D000000IRFma",
        "001D000000IRFma/../x",
        "001D000000IRFmaIAA",  # wrong checksum
        "001d000000irfmaIAH",  # a case-folded copy
        "001D000000IRFma\n",
        " 001D000000IRFma",
        "001D000000IRFm",
        "001D000000IRFmaIA",
        "001D000000IRFmaIAHX",
        "001D000000IRFm?",
        "００１D000000IRFma",  # full-width digits
        "003D000000IRFma",  # a contact where an account is meant
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    assert full_id(text, "001") is None


@given(st.text())
def test_arbitrary_text_never_carries_a_character_that_means_something_in_a_url(text: str) -> None:
    whole = full_id(text, "")
    assert whole is None or (len(whole) == 18 and set(whole) <= set(LETTERS))


@given(st.text(alphabet=LETTERS, min_size=15, max_size=15))
def test_completing_is_idempotent(short: str) -> None:
    whole = full_id(short, short[:3])
    assert whole is not None
    assert full_id(whole, short[:3]) == whole


@pytest.mark.parametrize("name", ["Lead", "Truce_Key__c", "Account2"])
def test_api_names_pass(name: str) -> None:
    assert is_api_name(name)


@pytest.mark.parametrize("name", ["", "Lead/../Account", "Lead WHERE", "1Lead", "Lead\n", "Owner.Name", "L" * 81])
def test_other_names_do_not(name: str) -> None:
    assert not is_api_name(name)
