"""Every value is sent in its field's own JSON type, or not at all."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.connector import FieldSchema, FieldType, ObjectSchema, Write
from connectors.salesforce.schema import Description
from connectors.salesforce.values import Unfit, checked_body, unknown_fields

ACCOUNT = "001D000000IRFmaIAH"
KINDS: dict[str, FieldType] = {
    "LastName": "text",
    "Score__c": "number",
    "HasOptedOutOfEmail": "boolean",
    "Birthdate": "date",
    "Met__c": "datetime",
    "OwnerId": "reference",
    "Truce_Key__c": "text",
}
FIELDS = {name: FieldSchema(name, name, kind, writable=True) for name, kind in KINDS.items()}
CONTACT = Description(ObjectSchema("salesforce", "Contact", "Contact", FIELDS), "003", frozenset(FIELDS), 0.0, None)


def sent(name: str, value: Any) -> Any:
    return checked_body(Write("E-1", "update", "Contact", "x", {name: value}), CONTACT, {})[name]


def refusal(write: Write, link_keys: dict[str, str] | None = None) -> str:
    with pytest.raises(Unfit) as caught:
        checked_body(write, CONTACT, link_keys or {})
    return caught.value.error.code


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LastName", "Hopper", "Hopper"),
        ("LastName", "", None),
        ("LastName", None, None),
        ("LastName", 5.0, "5"),
        ("LastName", True, "true"),
        ("Score__c", "12", 12),
        ("Score__c", "-12.50", -12.5),
        ("Score__c", 0, 0),
        ("Score__c", None, None),
        ("HasOptedOutOfEmail", "TRUE", True),
        ("HasOptedOutOfEmail", False, False),
        ("Birthdate", "2026-11-24", "2026-11-24"),
        ("Met__c", "2026-11-24T10:00:00.000+0000", "2026-11-24T10:00:00.000+0000"),
        ("Met__c", "2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
    ],
)
def test_values_take_the_type_of_their_field(name: str, value: Any, expected: Any) -> None:
    found = sent(name, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("Score__c", "many", "WRONG_TYPE"),
        ("Score__c", "nan", "WRONG_TYPE"),
        ("Score__c", math.inf, "WRONG_TYPE"),
        ("Score__c", True, "WRONG_TYPE"),
        ("HasOptedOutOfEmail", "perhaps", "WRONG_TYPE"),
        ("HasOptedOutOfEmail", 1, "WRONG_TYPE"),
        ("HasOptedOutOfEmail", None, "NEVER_BLANK"),
        ("HasOptedOutOfEmail", "", "NEVER_BLANK"),
        ("Birthdate", "24.11.2026", "WRONG_TYPE"),
        ("Birthdate", "2026-11-24T10:00:00Z", "WRONG_TYPE"),
        ("Birthdate", 20261124, "WRONG_TYPE"),
        ("LastName", "\ud800", "WRONG_TYPE"),
        ("Nickname", "x", "NO_SUCH_FIELD"),
    ],
)
def test_what_would_spoil_the_call_is_refused(name: str, value: Any, code: str) -> None:
    assert refusal(Write("E-1", "update", "Contact", "x", {name: value})) == code


@given(st.sampled_from(sorted(KINDS)), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()))
def test_no_value_whatever_breaks_the_check(name: str, value: Any) -> None:
    try:
        found = sent(name, value)
    except Unfit:
        return
    assert found is None or isinstance(found, str | int | float | bool)
    assert not isinstance(found, float) or math.isfinite(found)


def test_parent_becomes_its_reference_field() -> None:
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, parents={"company": ACCOUNT[:15]})
    assert checked_body(write, CONTACT, {}) == {"LastName": "X", "AccountId": ACCOUNT}


@pytest.mark.parametrize("parent", ["", "//evil.example", "003D000000IRFma", ACCOUNT.lower()])
def test_a_parent_that_is_no_account_is_refused(parent: str) -> None:
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, parents={"company": parent})
    assert refusal(write) == "INVALID_ID"


def test_a_relation_the_object_lacks_is_refused() -> None:
    write = Write("E-1", "create", "Lead", None, {"LastName": "X"}, parents={"company": ACCOUNT})
    assert refusal(write) == "NO_SUCH_RELATION"


def test_the_link_key_travels_in_the_body() -> None:
    write = Write("E-1", "create", "Contact", None, {"LastName": "X"}, key=("Truce_Key__c", "person-1-1"))
    assert checked_body(write, CONTACT, {"Contact": "Truce_Key__c"})["Truce_Key__c"] == "person-1-1"
    assert refusal(write) == "NOT_A_LINK_KEY"


def test_unknown_fields_are_named() -> None:
    write = Write("E-1", "create", "Contact", None, {"LastName": "X", "Nickname": "Y"}, key=("Other__c", "1"))
    assert unknown_fields(write, CONTACT) == ["Nickname", "Other__c"]
