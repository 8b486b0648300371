"""What goes and what waits when the calls of the day are nearly gone."""

from __future__ import annotations

from agent.changes import Cell, Change, Meaning, Op, Why
from agent.waiting_for_calls import divided

WHY = Why("person-basics", "person.yaml:1", "r", "Salesforce wins")


def change(
    number: int, system: str = "hubspot", op: Op = "update", group: str | None = None, meaning: Meaning = "different"
) -> Change:
    cell = Cell("job_title", "jobtitle", None, "CEO", meaning, WHY)
    record = None if op == "create" else str(number)
    return Change(op, f"person-{number}", system, "contacts", record, (cell,), group=group)


def test_everything_goes_where_no_limit_is_known() -> None:
    changes = [change(number) for number in range(5)]
    assert divided(changes, {}) == (changes, [])


def test_the_first_ones_go_as_far_as_there_is_room() -> None:
    changes = [change(number) for number in range(5)]
    assert divided(changes, {"hubspot": 2}) == (changes[:2], changes[2:])


def test_what_is_new_and_an_opt_out_go_without_room() -> None:
    urgent = [change(1, op="create"), change(2, meaning="consent"), change(3, op="opt_out", meaning="consent")]
    assert divided([*urgent, change(4)], {"hubspot": 0}) == (urgent, [change(4)])


def test_room_of_one_crm_is_none_of_the_other() -> None:
    here, there = change(1, "salesforce"), change(2, "hubspot")
    assert divided([there, here], {"hubspot": 0, "salesforce": 1}) == ([here], [there])


def test_steps_that_belong_together_wait_together() -> None:
    clear, fill = change(1, group="g"), change(1, group="g")
    assert divided([clear, fill, change(2)], {"hubspot": 1}) == ([change(2)], [clear, fill])
    assert divided([clear, fill], {"hubspot": 2}) == ([clear, fill], [])


def test_a_group_over_two_crms_waits_whole() -> None:
    here, there = change(1, "salesforce", group="g"), change(1, "hubspot", group="g")
    assert divided([here, there], {"hubspot": 0}) == ([], [here, there])
