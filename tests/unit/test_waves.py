"""Several calls under way at once: the wave waits for all of its calls and says of each what it came to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agent.errors import Unavailable
from agent.side_by_side import SideBySide, results

SYSTEM = "hubspot"


@pytest.fixture
def four() -> Iterator[SideBySide]:
    made = SideBySide({SYSTEM: 4})
    yield made
    made.close()


def answered(side: SideBySide) -> SideBySide:
    """A vendor that is known to answer."""
    side.ask(SYSTEM, "writing", [lambda: None])
    return side


def widths(side: SideBySide, count: int) -> list[int]:
    return [len(wave) for wave in side.waves(SYSTEM, "writing", range(count))]


def refuse() -> None:
    raise Unavailable("away", system=SYSTEM)


def test_the_calls_of_a_wave_are_under_way_together(four: SideBySide) -> None:
    together = threading.Barrier(4, timeout=30)
    assert len(set(results(four.ask(SYSTEM, "writing", [together.wait] * 4)))) == 4


def test_answers_come_in_the_order_asked(four: SideBySide) -> None:
    first_may_end = threading.Event()

    def first() -> str:
        assert first_may_end.wait(30)
        return "first"

    def last() -> str:
        first_may_end.set()
        return "last"

    assert four.ask(SYSTEM, "writing", [first, last]) == ["first", "last"]


def test_a_refusal_hides_no_other_answer(four: SideBySide) -> None:
    answers = four.ask(SYSTEM, "writing", [lambda: None, refuse, lambda: None])
    assert [type(answer).__name__ for answer in answers] == ["NoneType", "Unavailable", "NoneType"]
    with pytest.raises(Unavailable):
        results(answers)


def test_a_mistake_of_ours_comes_through_when_all_have_ended(four: SideBySide) -> None:
    ended = threading.Event()

    def wrong() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        four.ask(SYSTEM, "writing", [wrong, ended.set])
    assert ended.is_set()


def test_a_vendor_not_heard_yet_gets_one_call_first(four: SideBySide) -> None:
    found = []
    for wave in four.waves(SYSTEM, "writing", range(9)):
        four.ask(SYSTEM, "writing", [lambda: None] * len(wave))
        found.append(len(wave))
    assert found == [1, 4, 4]


def test_after_a_failure_one_call_goes_first_again(four: SideBySide) -> None:
    answered(four).ask(SYSTEM, "writing", [refuse, lambda: None])
    assert widths(four, 2) == [1, 1]


def test_inside_one_after_the_other_every_wave_is_one_call(four: SideBySide) -> None:
    with answered(four).one_after_the_other():
        assert four.most(SYSTEM) == 1
        assert widths(four, 3) == [1, 1, 1]
    assert widths(four, 9) == [4, 4, 1]


def test_a_system_without_a_number_has_one_call_at_a_time() -> None:
    assert widths(answered(SideBySide({})), 2) == [1, 1]
