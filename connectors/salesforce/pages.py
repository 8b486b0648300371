"""A query's pages, complete or an exception: a cut-off chain must never look like "that was all"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.errors import BadReply
from connectors.salesforce.calls import Calls, Reply, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error

Row = dict[str, Any]

_NEXT = re.compile(r"/services/data/v\d+\.\d/query(?:All)?/[0-9A-Za-z_-]+", re.IGNORECASE)
PAGE_SIZE = {"Sforce-Query-Options": "batchSize=2000"}


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows as the vendor sent them, at the vendor's time ``at``; ``total`` is how many the whole answer has."""

    rows: list[Row]
    at: datetime | None
    total: int = 0


class FieldHidden(Exception):
    """The query names a field that our user cannot see (any more)."""


def pages(
    calls: Calls, soql: str, doing: str, *, with_deleted: bool = False, first: Reply | None = None
) -> Iterator[RowPage]:
    """Every page of a query; ``first``: the answer with its first page, if that was asked already.

    Raises:
        FieldHidden: on the first page; describe again. AccessDenied, Unavailable, BadReply.
    """
    path = "queryAll/" if with_deleted else "query/"
    answer = first or calls.send(Request("GET", path, params={"q": soql}, headers=PAGE_SIZE))
    if isinstance(answer, Failure):
        if answer.code == "INVALID_FIELD":
            raise FieldHidden
        raise as_error(answer, doing)
    seen = 0
    while True:
        rows, following, total = _checked(answer, doing)
        seen += len(rows)
        yield RowPage(rows, answer.at, total)
        if following is None:
            break
        answer = calls.ask(Request("GET", following, headers=PAGE_SIZE), doing)
    if seen < total:
        raise _broken(doing, f"{seen} of {total} records came")


def _checked(reply: Reply, doing: str) -> tuple[list[Row], str | None, int]:
    """Rows, path of the next page or None, and how many rows there are in all."""
    body = reply.body
    if not isinstance(body, dict):
        raise _broken(doing, "no object")
    rows, done, total = body.get("records"), body.get("done"), body.get("totalSize")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _broken(doing, "no list of records")
    if not isinstance(done, bool) or not isinstance(total, int):
        raise _broken(doing, "no word on whether that was all")
    following = body.get("nextRecordsUrl")
    if done:
        return rows, None, total
    if not isinstance(following, str) or _NEXT.fullmatch(following) is None:
        raise _broken(doing, "no usable address of the next page")
    return rows, following, total


def _broken(doing: str, why: str) -> BadReply:
    return BadReply(f"an incomplete answer from Salesforce while {doing}", system=SYSTEM, why=why)
