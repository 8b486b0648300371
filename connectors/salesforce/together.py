"""The change queries of several object types in one composite call, which counts as one of the daily allowance.

Sub-requests answer for themselves. One that was not answered with rows is asked again alone, where failures are told
apart; so is one whose own query has changed meanwhile. At most five of the sub-requests may be queries
(facts: Composite limits).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from agent.errors import TruceError
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import Failure
from connectors.salesforce.pages import PAGE_SIZE
from connectors.salesforce.session import MANDATORY_HEADERS

MOST_QUERIES = 5
_OWN_HEADERS = {name: text for name, text in MANDATORY_HEADERS.items() if name.startswith("Sforce-")} | PAGE_SIZE
"""A sub-request inherits nothing from the call around it."""


class Question:
    """One query to be asked soon; ``soql`` says how when the time has come."""

    def __init__(self, soql: Callable[[], str]) -> None:
        self.soql = soql
        self.answers: dict[str, Reply] = {}
        """{query as it was asked: its first page}."""


class Together:
    """Questions that nobody waits for any more are forgotten."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._open: WeakSet[Question] = WeakSet()

    def plan(self, soql: Callable[[], str]) -> Question:
        question = Question(soql)
        self._open.add(question)
        return question

    def answer(self, question: Question, soql: str) -> Reply | None:
        """The first page of this query if it came together with others; None: ask alone."""
        if question in self._open:
            group = [question, *(other for other in self._open if other is not question)][:MOST_QUERIES]
            for each in group:
                self._open.discard(each)
            if len(group) > 1:
                self._ask(group)
        return question.answers.pop(soql, None)

    def _ask(self, group: list[Question]) -> None:
        asked = {f"q{number}": (each, soql) for number, each in enumerate(group) if (soql := _said(each))}
        subs = [
            {
                "method": "GET",
                "url": f"{self._calls.root}queryAll/?q={quote(soql)}",
                "referenceId": name,
                "httpHeaders": _OWN_HEADERS,
            }
            for name, (_, soql) in asked.items()
        ]
        body = {"allOrNone": False, "collateSubrequests": False, "compositeRequest": subs}
        answer = self._calls.send(Request("POST", "composite", body=body))
        if isinstance(answer, Failure):
            return
        for name, page in _pages(answer):
            if name in asked:
                question, soql = asked[name]
                question.answers[soql] = Reply(200, page, answer.at)


def _said(question: Question) -> str | None:
    """None when it cannot even be said: whoever takes it is told why."""
    try:
        return question.soql()
    except TruceError:
        return None


def _pages(answer: Reply) -> list[tuple[str, Any]]:
    """(reference id, body) of the sub-requests that went well."""
    responses = answer.body.get("compositeResponse") if isinstance(answer.body, dict) else None
    return [
        (str(each.get("referenceId")), each.get("body"))
        for each in (responses if isinstance(responses, list) else ())
        if isinstance(each, dict) and each.get("httpStatusCode") == 200
    ]
