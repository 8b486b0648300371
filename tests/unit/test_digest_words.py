"""The words of the short pages: one question is one, a question mark ends a sentence."""

from __future__ import annotations

from agent.cli.advice import advice
from agent.cli.digest_lines import questions
from agent.errors import Unavailable, UsageError


def test_one_question_is_not_called_several() -> None:
    assert [questions(1, "duplicate"), questions(1_200, "duplicate")] == [
        "1 likely duplicate",
        "1,200 likely duplicates",
    ]


def test_a_question_ends_with_its_own_mark() -> None:
    assert advice(UsageError("what shall be undone?"))[0] == "What shall be undone?"


def test_a_sentence_that_begins_with_the_name_of_a_system_leaves_it_as_it_is_written() -> None:
    assert advice(Unavailable("hubspot is down", system="hubspot"))[0] == "hubspot is down."
    assert advice(Unavailable("no answer", system="hubspot"))[0] == "No answer."
    assert advice(UsageError("there is no batch B-99"))[0] == "There is no batch B-99."
