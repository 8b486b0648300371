"""No value of a CRM can stop a cycle: what is stored comes back as it was, to the last digit and type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording import START, cell, change, confirmed, contact, open_ledger, open_mirror

from agent.changes import ReviewRequest, State
from agent.decide.view import Base
from agent.ledger.ledger import Intent
from agent.mirror.mirror import Disposition
from agent.reviews.reviews import Reviews
from agent.stored_json import from_json, is_storable, storable, to_json, to_json_by_items

HALF = "cut off \ud83d"
"""The first half of an emoji, as a form that counts in UTF-16 leaves it behind."""

STRANGE: list[Any] = [HALF, 2**70, -(2**63) - 1, "a\0b", "\u2028", "İ", 1e300, 0.1, -0.0, True, None, "", " 1"]

any_value = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=())),
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), any_value, max_size=5))
def test_every_value_comes_back(fields: dict[str, Any]) -> None:
    back = from_json(to_json(fields).decode())
    assert back == fields
    assert {name: type(value) for name, value in back.items()} == {n: type(v) for n, v in fields.items()}


@given(st.lists(any_value, max_size=4), any_value)
def test_an_object_encoded_item_by_item_comes_back_as_if_at_once(items: list[Any], value: Any) -> None:
    assert from_json(to_json_by_items({"items": iter(items), "value": value}).decode()) == {
        "items": items, "value": value,
    }  # fmt: skip
    assert from_json(to_json_by_items({}).decode()) == {}


@given(st.text(st.characters(exclude_categories=())))
def test_texts_for_people_can_always_be_stored(text: str) -> None:
    storable(text).encode()
    assert is_storable(text) == (storable(text) == text)


@pytest.mark.parametrize("value", STRANGE, ids=ascii)
def test_a_strange_value_goes_through_ledger_and_mirror(tmp_path: Path, value: Any) -> None:
    ledger, mirror = open_ledger(tmp_path), open_mirror(tmp_path)
    record = contact(1, Title=value)
    mapped, keys = ["Title"], [("title", str(value))]
    for _ in range(2):
        mirror.absorb([record], mapped=mapped, keys=lambda _: keys, seen_at=START)
    assert len(mirror.pending()) == 1
    assert mirror.record(record.ref) == record
    intended = change(1, cell("title", value, "plain"), decided_from={"Title": value})
    ledger.open_batch("cycle", f"t {value}", "truce", [Intent(intended, State.INTENDED, f"n {value}")])
    (entry,) = ledger.entries()
    assert entry.change == intended
    ledger.settle([confirmed(entry, observed={"Title": value}, error=f"e {value}")])
    (entry,) = ledger.entries()
    assert (entry.observed, entry.error) == ({"Title": value}, f"e {value}")
    base = {"person-1": {"title": Base({"salesforce": value}, entry.id)}}
    mirror.absorb_outcomes([(entry, base["person-1"])], ledger.last_seq, START)
    assert mirror.bases(["person-1"]) == base
    assert [type(seen.value) for seen in mirror.history(record.ref, "Title")] == [type(value)]
    mirror.dispose([Disposition(record.ref, "skipped", f"{value}")])
    assert ledger.verify().ok


def test_half_a_character_identifies_nobody(tmp_path: Path) -> None:
    mirror = open_mirror(tmp_path)
    mirror.absorb([contact(1), contact(2)], mapped=["Title"], keys=lambda _: [("name", HALF)], seen_at=START)
    assert list(mirror.key_groups("name", marked="name")) == []


def test_a_question_may_quote_a_strange_value(tmp_path: Path) -> None:
    reviews = Reviews(open_ledger(tmp_path))
    request = ReviewRequest("conflict", "person-1", f"title {HALF}", f"HubSpot says {HALF}")
    assert reviews.open_or_refresh([request]) == 1
    assert reviews.open_or_refresh([request]) == 0
    assert reviews.list()[0].sentence == "HubSpot says cut off ?"
    assert reviews.close("person-1", request.topic)
