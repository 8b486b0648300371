"""In which order a batch is written: what hangs on something comes after it, what must not wait before what may."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.batch_order import in_groups, in_order
from agent.changes import Cell, Change, Entry, Meaning, Op, State, Why

WHY = Why("person-basics", "person.yaml:1", "r", "Salesforce wins")
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def entry(
    seq: int, op: Op, object_type: str = "Contact", *, parent: str = "", step: int = 0, meaning: Meaning = "different"
) -> Entry:
    cell = Cell("job_title", "Title", None, "CEO", meaning, WHY)
    record = None if op == "create" else str(seq)
    parents = {"company": parent} if parent else {}
    change = Change(op, f"person-{seq}", "salesforce", object_type, record, (cell,), parents=parents, step=step)
    return Entry(f"E-{seq}", seq, "B-1", change, State.PLANNED, NOW)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (entry(9, "create"), entry(1, "update", "Account")),
        (entry(9, "update", meaning="consent"), entry(1, "update", "Account")),
        (entry(9, "create", "Lead"), entry(1, "create", parent="001")),
        (entry(9, "update", step=0), entry(1, "create", step=1)),
        (entry(9, "undelete", "Account"), entry(1, "create")),
        (entry(1, "update"), entry(9, "update")),
    ],
    ids=[
        "a new lead before a mass change of companies",
        "an opt-out before a mass change of companies",
        "parents before children",
        "a first step before a second one",
        "what an undo brings back before what it makes again below it",
        "what was decided first before what was decided later",
    ],
)
def test_one_comes_before_the_other_whichever_was_recorded_first(first: Entry, then: Entry) -> None:
    assert in_order([then, first]) == in_order([first, then]) == [first, then]


def test_only_writes_of_one_kind_to_one_kind_of_record_share_a_call() -> None:
    entries = [
        entry(1, "create"),
        entry(2, "update"),
        entry(3, "update", "Account"),
        entry(4, "create"),
        entry(5, "update"),
    ]
    groups = [[each.seq for each in group] for group in in_groups(in_order(entries))]
    assert groups == [[1, 4], [3], [2, 5]]
