"""The change queries of several object types in one composite call, which counts as one of the daily allowance.

Descriptions of the same object types that are some minutes old come along: they would cost a call each. A description
may be asked "if modified since" like any other resource, and the answer 304 proves that the header was heard.

Sub-requests answer for themselves. One that was not answered with rows is asked again alone, where failures are told
apart; so is one whose own query has changed meanwhile. At most five of the sub-requests may be queries
(facts: Composite limits).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from agent.errors import TruceError
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import Failure
from connectors.salesforce.pages import PAGE_SIZE
from connectors.salesforce.schema import Schemas, path_of
from connectors.salesforce.session import MANDATORY_HEADERS

MOST_QUERIES = 5
_OWN_HEADERS = {name: text for name, text in MANDATORY_HEADERS.items() if name.startswith("Sforce-")}
"""A sub-request inherits nothing from the call around it."""


class Question:
    """One query to be asked soon; ``soql`` says how when the time has come."""

    def __init__(self, object_type: str, soql: Callable[[], str]) -> None:
        self.object_type = object_type
        self.soql = soql
        self.answers: dict[str, Reply] = {}
        """{query as it was asked: its first page}."""


class Together:
    """Questions that nobody waits for any more are forgotten."""

    def __init__(self, calls: Calls, schemas: Schemas) -> None:
        self._calls = calls
        self._schemas = schemas
        self._open: WeakSet[Question] = WeakSet()

    def plan(self, object_type: str, soql: Callable[[], str]) -> Question:
        question = Question(object_type, soql)
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
        described = dict(self._due(dict.fromkeys(each.object_type for each in group)))
        subs = [self._sub(name, f"queryAll/?q={quote(soql)}", PAGE_SIZE) for name, (_, soql) in asked.items()]
        subs += [self._sub(f"d_{kind}", path_of(kind), headers) for kind, headers in described.items()]
        body = {"allOrNone": False, "collateSubrequests": False, "compositeRequest": subs}
        answer = self._calls.send(Request("POST", "composite", body=body))
        if isinstance(answer, Failure):
            return
        for name, status, reply in _answers(answer):
            if name in asked and status == 200:
                question, soql = asked[name]
                question.answers[soql] = reply
            elif name.removeprefix("d_") in described:
                self._schemas.arrived(name.removeprefix("d_"), status, reply)

    def _due(self, object_types: Iterable[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Those whose description comes along, with the headers to ask for it."""
        for object_type in object_types:
            headers = self._schemas.riding(object_type)
            if headers is not None:
                yield object_type, headers

    def _sub(self, name: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        return {
            "method": "GET",
            "url": self._calls.root + path,
            "referenceId": name,
            "httpHeaders": {**_OWN_HEADERS, **headers},
        }


def _said(question: Question) -> str | None:
    """None when it cannot even be said: whoever takes it is told why."""
    try:
        return question.soql()
    except TruceError:
        return None


def _answers(answer: Reply) -> Iterator[tuple[str, int, Reply]]:
    """(reference id, status, what it answered) of every sub-request."""
    responses = answer.body.get("compositeResponse") if isinstance(answer.body, dict) else None
    for each in responses if isinstance(responses, list) else ():
        if isinstance(each, dict) and isinstance(each.get("httpStatusCode"), int):
            headers = each.get("httpHeaders")
            modified = headers.get("Last-Modified") if isinstance(headers, dict) else None
            status = each["httpStatusCode"]
            yield str(each.get("referenceId")), status, Reply(status, each.get("body"), answer.at, modified)
