"""The words of the short pages: one question is one, a question mark ends a sentence."""

from __future__ import annotations

from agent.cli.advice import advice
from agent.cli.digest_lines import questions
from agent.errors import UsageError


def test_one_question_is_not_called_several() -> None:
    assert [questions(1, "duplicate"), questions(1_200, "duplicate")] == [
        "1 likely duplicate",
        "1,200 likely duplicates",
    ]


def test_a_question_ends_with_its_own_mark() -> None:
    assert advice(UsageError("what shall be undone?"))[0] == "What shall be undone?"
    assert advice(UsageError("there is no batch B-99"))[0] == "There is no batch B-99."
