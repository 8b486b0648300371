"""Indexes of the practice world: never less than what a search through all rows finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from connectors.emulator.indexes import FieldIndex, StampIndex

START = datetime(2026, 11, 2, tzinfo=UTC)
MINUTES = st.integers(0, 50)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@given(
    first=st.lists(MINUTES, max_size=20), later=st.lists(st.tuples(st.integers(0, 19), MINUTES), max_size=30),
    span=st.tuples(MINUTES, MINUTES)
)  # fmt: skip
def test_a_stamp_index_finds_every_row_of_a_span(
    first: list[int], later: list[tuple[int, int]], span: tuple[int, int]
) -> None:
    stamps = {str(number): minute for number, minute in enumerate(first)}
    index = StampIndex((at(minute), row_id) for row_id, minute in stamps.items())
    for number, minute in later:
        stamps[str(number)] = minute
        index.note(at(minute), str(number))
    start, end = min(span), max(span)
    wanted = {row_id for row_id, minute in stamps.items() if start <= minute <= end}
    assert wanted <= set(index.between(at(start), at(end)))
    assert set(index.between(None, None)) == set(stamps)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("aAb"), st.sampled_from("123")), max_size=40))
def test_a_field_index_is_the_plain_dictionary_it_stands_for(steps: list[tuple[bool, str, str]]) -> None:
    index, plain = FieldIndex(str.lower), set[tuple[str, str]]()
    for is_added, value, row_id in steps:
        if is_added:
            index.add(value, row_id)
            plain.add((value.lower(), row_id))
        else:
            index.remove(value, row_id)
            plain.discard((value.lower(), row_id))
    for value in "ab":
        assert index.ids(value) == {row_id for key, row_id in plain if key == value}
    index.add(None, "1")
    assert index.emptied().ids("a") == set()


def test_a_stamp_index_says_when_it_is_mostly_history() -> None:
    index = StampIndex()
    for minute in range(10_011):
        index.note(at(minute), "1")
    assert index.is_stale(5)
    assert not index.is_stale(6)
