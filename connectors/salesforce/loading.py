"""A full load as one query job of the Bulk API 2.0: for a million records a hundred calls instead of five hundred.

The job's id and the place in its result are the word for how far a load came: results are kept for days, so a process
that starts after a crash goes on with the next page and asks for nothing twice. Where there can be no job (a right that
is missing, a job that failed or is forgotten) the usual query does the load from its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from agent.errors import BadReply
from connectors.salesforce.bulk import ENDED, NoJob, Sleep, opens_none, pause_for, rows_of
from connectors.salesforce.calls import Calls, Request
from connectors.salesforce.failures import SYSTEM, Failure, as_error
from connectors.salesforce.pages import FieldHidden, Row, RowPage
from connectors.salesforce.schema import Description

PAGE_ROWS = 10_000
PART_ROWS = 1_000
"""Rows of a page made into records at a time: as text it is small, as records of many fields it is not."""

_PLACE = re.compile(r"job (750[0-9A-Za-z]{12,15})(?: ([0-9A-Za-z_=+/-]+))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a load stands: in which job, and at which of its pages ("" is the first)."""

    job: str
    locator: str = ""

    def __str__(self) -> str:
        return f"job {self.job} {self.locator}".strip()


def place_of(text: str | None) -> Place | None:
    found = _PLACE.fullmatch(text or "")
    return Place(found.group(1), found.group(2) or "") if found else None


class Loading:
    """``sleep`` waits seconds between two looks at a job."""

    def __init__(self, calls: Calls, sleep: Sleep) -> None:
        self._calls = calls
        self._sleep = sleep

    def begin(self, soql: str) -> Place:
        """Raises FieldHidden; NoJob: Salesforce opens none. AccessDenied, Unavailable, BadReply."""
        body = {"operation": "queryAll", "query": soql, "contentType": "CSV", "lineEnding": "LF"}
        answer = self._calls.send(Request("POST", "jobs/query", body=body))
        if isinstance(answer, Failure):
            if answer.code == "INVALID_FIELD":
                raise FieldHidden
            if not opens_none(answer):
                raise as_error(answer, "opening a query job")
            raise NoJob(answer.why)
        job = answer.body.get("id") if isinstance(answer.body, dict) else None
        if place_of(f"job {job}") is None:
            raise BadReply("Salesforce opened a query job without an id", system=SYSTEM)
        return Place(str(job))

    def is_ready(self, place: Place) -> bool:
        """Whether the result can be read; waits a little when it cannot. Raises NoJob: there will be none."""
        answer = self._calls.send(Request("GET", f"jobs/query/{place.job}"))
        if isinstance(answer, Failure):
            if answer.status == 404:
                raise NoJob("the job is forgotten")
            raise as_error(answer, "watching a query job")
        state = answer.body.get("state") if isinstance(answer.body, dict) else None
        if state == "JobComplete":
            return True
        if state in ENDED:
            raise NoJob("the job brought no result")
        self._sleep(pause_for(answer))
        return False

    def pages(self, place: Place, described: Description) -> Iterator[tuple[RowPage, Place | None]]:
        """Rows from ``place`` on, in the form the usual query gives them, a part of a page at a time; the last part of
        a page says where the next one begins."""
        following: Place | None = place
        while following is not None:
            params = {"maxRecords": str(PAGE_ROWS), **({"locator": following.locator} if following.locator else {})}
            request = Request("GET", f"jobs/query/{place.job}/results", params=params, wants_csv=True)
            reply = self._calls.ask(request, "reading the result of a query job")
            following = Place(place.job, reply.locator) if reply.locator else None
            rows = (_row(cells, described) for cells in rows_of(reply.csv or ""))
            part = list(islice(rows, PART_ROWS))
            while part:
                after = list(islice(rows, PART_ROWS))
                yield RowPage(part, reply.at), None if after else following
                part = after


def _row(cells: dict[str, str], described: Description) -> Row:
    return {name: _value(described, name, cell) for name, cell in cells.items()}


def _value(described: Description, name: str, cell: str) -> Any:
    """A CSV has texts only, and an empty cell is null; times end in Z here and in +0000 everywhere else."""
    schema = described.schema.fields.get(name)
    if cell == "":
        return None
    kind = schema.type if schema is not None else "text"
    if kind == "boolean":
        return cell == "true"
    if kind == "number":
        return int(cell) if cell.lstrip("+-").isdecimal() else float(cell)
    if kind == "datetime" and cell.endswith("Z"):
        return f"{cell.removesuffix('Z')}+0000"
    return cell
