"""PK chunking: a query over a whole table becomes one batch for each range of ids.

The vendor counts ids, not rows: a chunk may hold fewer rows than it has places, deleted ones count, and a query that
is sorted, limited or filtered by an id is not chunked at all. Ranges without any row are left out here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from connectors.emulator.salesforce.bulk_one.jobs import Chunking
from connectors.emulator.salesforce.calls import directives
from connectors.emulator.salesforce.ids import beyond, full_id
from connectors.emulator.salesforce.org import Org
from connectors.emulator.salesforce.refusals import Refusal
from connectors.emulator.salesforce.schema import ObjectType
from connectors.emulator.salesforce.soql.lexer import Token, tokens_of
from connectors.emulator.salesforce.soql.parser import CLAUSES

USUAL_SIZE, LARGEST_SIZE = 100_000, 250_000
SUPPORTED = ("Account", "Campaign", "CampaignMember", "Case", "Contact", "Event", "Lead", "Opportunity", "Task", "User")
"""Beside all custom objects."""


def asked_for(header: str | None) -> Chunking | None:
    """``true``, or ``chunkSize=50000; startRow=003…``; ``parent`` says nothing for the objects that are here.

    Raises:
        Refusal: a size or a row that cannot be [K for the words].
    """
    told = directives(header or "false")
    if "false" in told:
        return None
    size = told.get("chunksize", str(USUAL_SIZE))
    if not size.isdecimal() or not 0 < int(size) <= LARGEST_SIZE:
        raise Refusal(400, "InvalidJob", f"Invalid chunkSize {size}: it must be between 1 and {LARGEST_SIZE}")
    start = told.get("startrow", "")
    if start and full_id(start) is None:
        raise Refusal(400, "InvalidJob", f"Invalid startRow: {start}")
    return Chunking(int(size), start[:15])


def supports(kind: ObjectType) -> bool:
    return kind.name in SUPPORTED or kind.name.endswith("__c")


def queries(org: Org, kind: ObjectType, chunking: Chunking, text: str) -> list[str]:
    """The query of each chunk; none when the query cannot be chunked. Raises SoqlError."""
    if not _can_be_chunked(text):
        return []
    ids = sorted(row.id for row in org.rows(kind))
    return [_within(text, lower, upper) for lower, upper in _ranges(ids, chunking, str(kind.prefix))]


def _ranges(ids: list[str], chunking: Chunking, prefix: str) -> Iterator[tuple[str, str]]:
    """(first id, first id no more), one at least."""
    lower = chunking.start or (ids[0][:15] if ids else f"{prefix}{0:012}")
    while True:
        upper = beyond(lower, chunking.size)
        yield lower, upper
        following = bisect_left(ids, upper)
        if following == len(ids):
            return
        lower = ids[following][:15]


def _can_be_chunked(text: str) -> bool:
    """Raises SoqlError."""
    outer = list(_outside_parentheses(tokens_of(text)))
    words = [token.word for token in outer if token.word in CLAUSES]
    is_plain = set(words) <= {"FROM", "WHERE"}
    filtered = tokens_of(text[_where(text) :]) if "WHERE" in words else []
    return is_plain and not any(token.kind == "name" and token.word.endswith("ID") for token in filtered)


def _outside_parentheses(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "punctuation" else 0
        if depth == 0:
            yield token


def _where(text: str) -> int:
    """The place just behind the outermost WHERE; 0 without one."""
    places = (token.column for token in _outside_parentheses(tokens_of(text)) if token.word == "WHERE")
    return next((column + len("WHERE") - 1 for column in places), 0)


def _within(text: str, lower: str, upper: str) -> str:
    bounds, place = f"Id >= '{lower}' AND Id < '{upper}'", _where(text)
    if not place:
        return f"{text.rstrip()} WHERE {bounds}"
    return f"{text[:place]} ({text[place:].strip()}) AND {bounds}"
